"""What the page for users of Pythae says, against Pythae's own formulas and, where it is
installed, against Pythae."""

import math
import warnings

import pytest
import torch
from safetensors.torch import save_file
from tests.docs.pages import DOCS, blocks, blocks_to_run, run, section
from torch import nn
from torch.nn import functional as F

from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO

PAGE = DOCS / "coming-from-pythae.md"
NEEDS = "needs Pythae"
SHAPE = (1, 8, 8)
SIZE = math.prod(SHAPE)

pytestmark = pytest.mark.usefixtures("own_registry", "quick")


@pytest.fixture
def page(own_registry, tmp_path, monkeypatch):
    """The names that the page defines, as a dictionary."""
    monkeypatch.chdir(tmp_path)
    text, namespace = PAGE.read_text(encoding="utf-8"), {"__name__": PAGE.stem}
    chosen = blocks_to_run(text)
    with_weights = next(i for i, block in enumerate(chosen) if "def copy_weights" in block.body)
    run(PAGE, chosen[: with_weights + 1], namespace)
    return namespace


def wrapped(page, kind):
    """The page's networks in a model with the likelihood that Pythae calls ``kind``."""
    bce = kind == "bce"
    return FlatVAE(
        latent_dim=2,
        encoder=page["PythaeEncoder"](page["MyEncoder"]()),
        decoder=page["PythaeDecoder"](page["MyDecoder"](), logits=bce),
        posterior=page["OwnHead"](),
        likelihood=Bernoulli() if bce else Gaussian(scale=1.0),
    ).build(event_shape=SHAPE)


def loss_of_pythae(encoder, decoder, x, eps, kind):
    """Pythae's loss of a VAE, written out: sums over elements, means over the batch."""
    q = encoder(x)
    z = q.embedding + torch.exp(0.5 * q.log_covariance) * eps
    again = decoder(z).reconstruction
    if kind == "mse":
        error = 0.5 * (again - x).square().flatten(1).sum(1)
    else:
        error = F.binary_cross_entropy(again, x, reduction="none").flatten(1).sum(1)
    kl = -0.5 * (1 + q.log_covariance - q.embedding**2 - q.log_covariance.exp()).sum(1)
    return (error + kl).mean()


@pytest.mark.parametrize("kind", ["mse", "bce"])
def test_the_loss_of_wrapped_networks_is_that_of_pythae(page, kind):
    model, x = wrapped(page, kind), torch.rand(16, *SHAPE)
    torch.manual_seed(1)
    found = ELBO()(model.evidence(x)).total
    torch.manual_seed(1)
    eps = torch.randn(1, 16, 2)[0]
    expected = loss_of_pythae(model.encoder.net, model.decoder.net, x, eps, kind)
    constant = 0.5 * SIZE * math.log(2 * math.pi) if kind == "mse" else 0.0
    torch.testing.assert_close(found, expected + constant)
    gradients = [torch.autograd.grad(loss, list(model.parameters())) for loss in (found, expected)]
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def state_of(encoder, decoder):
    """Weights under the names that a Pythae model gives them."""
    both = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    return {name: value.clone() for name, value in both.state_dict().items()}


def test_weights_are_copied_into_wrapped_networks(page):
    model, other = wrapped(page, "bce"), wrapped(page, "bce")
    save_file(state_of(other.encoder.net, other.decoder.net), "peer.safetensors")
    page["copy_weights"](page["load_file"]("peer.safetensors"), model)
    x = torch.rand(5, *SHAPE)
    assert torch.equal(model.encode(x).mean, other.encode(x).mean)
    assert torch.equal(model.reconstruct(x), other.reconstruct(x))


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_weights_that_do_not_fit_are_refused(page, change):
    model = wrapped(page, "bce")
    state = state_of(page["MyEncoder"](), page["MyDecoder"]())
    if change == "one more":
        state["encoder.other"] = torch.zeros(1)
    else:
        del state["decoder.body.0.bias"]
    with pytest.raises(AssertionError):
        page["copy_weights"](state, model)


def test_the_table_names_every_model_and_sampler_of_pythae():
    text = PAGE.read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = pytest.importorskip("pythae.models")
        samplers = pytest.importorskip("pythae.samplers")
    for package, heading in ((models, "Models"), (samplers, "Samplers")):
        names = {name for name in package.__all__ if "Config" not in name and "Base" not in name}
        known = section(text, heading)
        assert [name for name in sorted(names - {"AutoModel"}) if f"`{name}`" not in known] == []


@pytest.mark.slow
def test_the_code_runs_beside_pythae(tmp_path, monkeypatch):
    """All blocks of the page in order, Pythae's too; then the imported model is Pythae's."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": "12345"}.items():
        monkeypatch.setenv(name, value)  # as Pythae's configuration does, but taken back
    text, there = PAGE.read_text(encoding="utf-8"), {"__name__": PAGE.stem}
    chosen = [block for block in blocks(text) if block.skip in (None, NEEDS)]
    assert sum(block.skip == NEEDS for block in chosen) >= 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pythae.models")
        run(PAGE, chosen, there)
        check_imported(there)


def check_imported(there):
    peer, imported, x = there["peer"].eval(), there["imported"].eval(), there["test"]
    output = peer.predict(x)
    torch.testing.assert_close(imported.encode(x).mean, output.embedding)
    torch.testing.assert_close(imported.reconstruct(x), output.recon_x, atol=2e-6, rtol=0.0)
    torch.manual_seed(1)
    theirs = peer({"data": x}).loss
    torch.manual_seed(1)
    torch.testing.assert_close(ELBO()(imported.evidence(x)).total, theirs)
    loaded = there["artifacts"].load("imported").model
    assert torch.equal(loaded.reconstruct(x), imported.reconstruct(x))
    pickled = torch.load("peer/model.pt", weights_only=True)["model_state_dict"]  # noqa: TID251
    assert pickled.keys() == there["load_file"]("peer.safetensors").keys()

"""Priors fitted to the codes of finished models: maximum likelihood, nothing else touched."""

import json

import numpy as np
import pytest
import torch

from vaekit.artifacts import load
from vaekit.cli import app
from vaekit.data import DataCodec, RawData, TensorData
from vaekit.errors import ConfigError
from vaekit.latents import FlowOfNormal, MixtureOfNormals, Point, Standard, Vamp
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE, LinearVAE, SecondStage, SemiSupervisedVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Autoencoding, mmd
from vaekit.tasks import (
    Composition,
    DataSpec,
    ModelRepresentation,
    Run,
    codes_of,
    evaluate_run,
    fit_prior,
    prepare_data,
    start_run,
)
from vaekit.training import Adam, Training

SMALL = MLP(hidden=(16,))
QUICK = Training(epochs=3, batch_size=256, optimizer=Adam(lr=1e-2))
TRAINING = Training(epochs=6, optimizer=Adam(lr=3e-3))
MODELS = {
    "vae": (FlatVAE(encoder=SMALL, likelihood=Bernoulli()), ELBO(), ()),
    "autoencoder": (
        FlatVAE(encoder=SMALL, posterior=Point(), likelihood=Gaussian(scale=1.0)),
        Autoencoding(),
        (),
    ),
    "conditional": (FlatVAE(encoder=SMALL, likelihood=Bernoulli()), ELBO(), ("labels",)),
    "linear": (LinearVAE(), ELBO(), ()),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Makes the run of a model, once, and its data."""
    made = {}

    def begin(name):
        if name not in made:
            model, objective, context = MODELS[name]
            data = DataSpec(context=context)
            prepared = prepare_data(data)
            folder = tmp_path_factory.mktemp("runs") / name
            composition = Composition(model, objective, TRAINING)
            start_run(Run(data, composition), folder, prepared=prepared)
            made[name] = folder, prepared
        return made[name]

    return begin


def test_one_component_is_fitted_to_the_moments_of_the_codes(run, tmp_path):
    """The maximum of the likelihood of a normal is at the mean and the standard deviation."""
    folder, prepared = run("vae")
    training = Training(epochs=150, batch_size=2_000, optimizer=Adam(lr=3e-2))
    spec = MixtureOfNormals(components=1)
    fitted = fit_prior(folder, spec, tmp_path / "new", training=training, prepared=prepared)
    z = codes_of(load(folder).model, prepared.parts["train"]).x
    torch.testing.assert_close(fitted.model.prior().mean, z.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(fitted.model.prior().stddev, z.std(0), rtol=0.03, atol=0)


def test_it_closes_the_marginal_gap_and_bounds_stay_bounds(run, tmp_path):
    folder, prepared = run("vae")
    training = Training(epochs=60, batch_size=256, optimizer=Adam(lr=2e-2))
    spec = MixtureOfNormals(components=10)
    fit_prior(folder, spec, tmp_path / "new", training=training, prepared=prepared)
    before = evaluate_run(folder, samples=50, prepared=prepared)
    after = evaluate_run(tmp_path / "new", samples=50, prepared=prepared)
    assert after["distortion"] == pytest.approx(before["distortion"], abs=1e-6)
    assert after["rate"] < before["rate"]
    assert after["log_marginal"] >= after["elbo"] > before["elbo"]


@pytest.mark.parametrize(
    "prior", [MixtureOfNormals(2), FlowOfNormal(hidden=(8,)), Vamp(7), SecondStage()]
)
def test_only_the_prior_changes(run, tmp_path, prior):
    folder, prepared = run("vae")
    fitted = fit_prior(folder, prior, tmp_path / "new", training=QUICK, prepared=prepared).model
    assert fitted.spec.prior == prior
    own, new = load(folder).model.state_dict(), fitted.state_dict()
    for name, value in own.items():
        if not name.startswith("prior."):
            assert torch.equal(value, new[name]), name
    history = load(tmp_path / "new").history
    assert min(r["valid_loss"] for r in history) < history[0]["loss"]


def test_a_second_stage_draws_what_looks_like_the_data_and_raises_the_bounds(run, tmp_path):
    folder, prepared = run("vae")
    training = Training(epochs=40, batch_size=256, optimizer=Adam(lr=1e-2))
    spec = SecondStage(encoder=MLP(hidden=(32, 32)))
    fit_prior(folder, spec, tmp_path / "new", training=training, prepared=prepared)
    distances = []
    for path in (folder, tmp_path / "new"):
        model, rows = load(path).model, next(prepared.parts["train"].batches(1_000))
        torch.random.manual_seed(0)
        with torch.no_grad():
            codes = model.encode(rows.x).sample(), model.sample_codes(1_000)
            images = [model.decode(z).mean.flatten(1) for z in codes]
        distances.append(torch.stack([mmd(*codes), mmd(*images)]))
    assert (distances[1] < 0.3 * distances[0]).all()
    before = evaluate_run(folder, samples=10, prepared=prepared)
    after = evaluate_run(tmp_path / "new", samples=10, prepared=prepared)
    assert after["distortion"] == pytest.approx(before["distortion"], abs=1e-6)
    assert after["log_marginal"] >= after["elbo"] > before["elbo"]
    assert after == evaluate_run(tmp_path / "new", samples=10, prepared=prepared)


def test_a_second_stage_given_the_label(run, tmp_path):
    folder, prepared = run("conditional")
    new = tmp_path / "new"
    model = fit_prior(folder, SecondStage(), new, training=QUICK, prepared=prepared).model
    assert len(model.prior(torch.eye(10)).mean.unique(dim=0)) == 10
    assert evaluate_run(new, samples=2, prepared=prepared)["elbo"] is not None


def test_an_autoencoder_gets_samples(run, tmp_path):
    folder, prepared = run("autoencoder")
    spec = MixtureOfNormals(components=5)
    fitted = fit_prior(folder, spec, tmp_path / "new", training=QUICK, prepared=prepared)
    assert ModelRepresentation(fitted.model).sample(9, seed=0).shape == (9, 1, 8, 8)
    assert evaluate_run(tmp_path / "new", samples=5, prepared=prepared)["elbo"] is None


def test_a_flow_given_the_label(run, tmp_path):
    folder, prepared = run("conditional")
    spec = FlowOfNormal(hidden=(8,))
    model = fit_prior(folder, spec, tmp_path / "new", training=QUICK, prepared=prepared).model
    assert model.prior(torch.eye(10)).log_prob(torch.zeros(10, 2)).unique().numel() == 10


def test_codes_are_kept_with_the_label_that_they_were_drawn_given():
    torch.manual_seed(0)
    spec = SemiSupervisedVAE(encoder=SMALL, likelihood=Gaussian(scale=1.0))
    model = spec.build(event_shape=(3,), context_dim=2).eval()
    names = np.array(["a", "b"] * 3 + [""] * 30)
    raw = RawData(np.random.default_rng(0).normal(size=(36, 3)), labels=names)
    codec = DataCodec.fit(raw, context="labels", unlabelled="keep", scaling="none")
    rows = TensorData.of(raw, codec)
    codes = next(codes_of(model, rows, draws=2).batches(72))
    batch = next(rows.batches(36))
    guess = model.classify(batch.x).mean.argmax(-1)
    assert len(guess.unique()) == 2, "the test needs both classes"
    expected = torch.where(batch.y >= 0, batch.y, guess).repeat(2)
    assert torch.equal(codes.c, torch.eye(2)[expected])


def test_several_draws_of_each_row(run):
    folder, prepared = run("vae")
    model, rows = load(folder).model, prepared.parts["validation"]
    codes = codes_of(model, rows, draws=3).x
    assert codes.shape == (3 * len(rows), 2)
    q = model.encode(next(rows.batches(1_000)).x)
    deviations = (codes.unflatten(0, (3, -1)) - q.mean) / q.stddev
    assert 0.8 < deviations.std().item() < 1.2


@pytest.mark.parametrize(
    ("name", "prior", "message"),
    [
        ("vae", Standard(), "this prior has nothing to fit; got prior/standard"),
        ("autoencoder", Vamp(3), "needs a posterior with a density"),
        ("linear", MixtureOfNormals(), "unknown setting 'prior'"),
    ],
)
def test_what_does_not_fit_is_refused(run, tmp_path, name, prior, message):
    folder, prepared = run(name)
    with pytest.raises(ConfigError, match=message):
        fit_prior(folder, prior, tmp_path / "new", training=QUICK, prepared=prepared)
    assert not (tmp_path / "new").exists()


def test_a_fit_that_was_killed_is_not_to_be_resumed(run, tmp_path):
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(ConfigError, match="Delete the folder, or choose another one with --out"):
        fit_prior(run("vae")[0], MixtureOfNormals(components=2), tmp_path)


def test_the_command(run, tmp_path, cli):
    folder, _ = run("vae")
    words = ["fit-prior", str(folder), "--prior", "mixture:components=3", "--epochs", "2"]
    out = tmp_path / "new"
    result = cli.invoke(app, [*words, "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["prior"] == "prior/mixture"
    assert load(out).model.spec.prior == MixtureOfNormals(components=3)
    again = cli.invoke(app, [*words, "--out", str(out)])
    assert again.exit_code == 2
    assert "holds a run already" in again.stderr


def test_samples_of_an_autoencoder_ask_for_a_prior_until_it_has_one(run, tmp_path, cli):
    folder, prepared = run("autoencoder")
    command = f"vaekit fit-prior {folder} --prior mixture"
    words = ["sample", str(folder), "-n", "3", "--out", str(tmp_path / "s.npz")]
    said = cli.invoke(app, words)
    assert "3 samples" in said.stdout
    assert command in said.stderr
    assert command in json.loads(cli.invoke(app, [*words, "--json"]).stdout)["remark"]
    fit_prior(folder, MixtureOfNormals(2), tmp_path / "new", training=QUICK, prepared=prepared)
    for other in (tmp_path / "new", run("vae")[0]):
        words[1] = str(other)
        assert "fit-prior" not in cli.invoke(app, words).output


def test_settings_of_the_command(run, tmp_path, cli):
    folder, _ = run("vae")
    words = ["fit-prior", str(folder), "--prior", "vae:latent_dim=3", "--epochs", "1"]
    words += ["--set", "encoder.hidden=8,8", "--set", "training.optimizer.lr=0.01", "--out"]
    result = cli.invoke(app, [*words, str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert "a bound on log p(z) of held-out codes" in result.stdout
    wanted = SecondStage(latent_dim=3, encoder=MLP(hidden=(8, 8)))
    assert load(tmp_path / "new").model.spec.prior == wanted
    refused = cli.invoke(app, [*words, str(tmp_path / "other"), "--set", "model.clip=1"])
    assert refused.exit_code == 2
    assert "unknown setting 'model.clip'" in refused.stderr


@pytest.fixture
def cli():
    from typer.testing import CliRunner

    return CliRunner()

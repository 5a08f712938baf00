"""Scales for each column of a table: where they start, what they learn, their floors, their files.

The best scale of independent columns is known in closed form: each column's own.
"""

import math

import pytest
import torch

from vaekit.artifacts import load, save
from vaekit.data import load as load_data
from vaekit.data import prepare
from vaekit.errors import ConfigError
from vaekit.likelihoods import Gaussian, Laplace, NegativeBinomial, StudentT
from vaekit.models import FlatVAE, initialise
from vaekit.networks import MLP
from vaekit.spec import from_json, spec_from_text, to_json

FLOORS = (0.5, 0.001, 0.2)
PARTS = [
    Gaussian(scale="per-column", floor=FLOORS),
    Laplace(scale="per-column", floor=FLOORS),
    StudentT(df=5, scale="per-column", floor=FLOORS),
    NegativeBinomial(dispersion="per-column", floor=FLOORS),
]
every = pytest.mark.parametrize("spec", PARTS, ids=lambda s: s.kind)
spreading = pytest.mark.parametrize("spec", PARTS[:3], ids=lambda s: s.kind)
PARAMS = torch.zeros(1, 3)


def scales(likelihood):
    px = likelihood(PARAMS.to(next(likelihood.parameters()).dtype))
    return getattr(px, "log_scale", getattr(px, "log_dispersion", None)).exp().detach()


@spreading
def test_each_scale_starts_at_the_spread_of_its_column_once(spec):
    x = torch.tensor([30.0, -2.0, 0.0]) + torch.tensor([4.0, 0.1, 1.0]) * torch.randn(2_000, 3)
    likelihood = spec.build(event_shape=(3,))
    initialise(likelihood, x)
    torch.testing.assert_close(scales(likelihood), x.std(0, correction=0), rtol=1e-5, atol=0)
    initialise(likelihood, 7 * x)
    torch.testing.assert_close(scales(likelihood), x.std(0, correction=0), rtol=1e-5, atol=0)


@spreading
def test_missing_values_take_no_part_in_the_start(spec):
    x = torch.tensor([4.0, 0.1, 1.0]) * torch.randn(500, 3)
    x[::3, 0] = x[1::3, 2] = torch.nan
    likelihood = spec.build(event_shape=(3,))
    initialise(likelihood, x)
    wanted = [column[~column.isnan()].std(correction=0).item() for column in x.T]
    torch.testing.assert_close(scales(likelihood), torch.tensor(wanted), rtol=1e-5, atol=0)
    initialise(shared := spec.replace(scale="shared", floor=1e-3).build(event_shape=(3,)), x)
    middle = x[~x.isnan()]
    assert scales(shared).item() == pytest.approx(middle.std().item(), rel=0.01)


@spreading
def test_a_constant_column_starts_at_its_floor_and_an_empty_one_at_the_usual_start(spec):
    x = torch.tensor([7.0, 7.0, torch.nan]).expand(50, 3)
    likelihood = spec.build(event_shape=(3,))
    initialise(likelihood, x)
    wanted = torch.tensor([0.5, 0.001, 1.0])
    torch.testing.assert_close(scales(likelihood), wanted, rtol=0.05, atol=0)
    assert likelihood.columns_at_floor == [0, 1]
    assert not likelihood.at_floor


@every
def test_each_scale_keeps_its_own_floor_in_every_precision(spec):
    for number in (torch.float32, torch.float64):
        likelihood = spec.build(event_shape=(3,)).to(number)
        likelihood.set_raw_log_scale(-1e4)
        assert scales(likelihood).dtype == number
        torch.testing.assert_close(
            scales(likelihood), torch.tensor(FLOORS, dtype=number), rtol=1e-6, atol=0
        )
        emitted = spec.replace(**{field(spec): "per-element"}).build(event_shape=(3,)).to(number)
        px = emitted(torch.full((2, 6), -1e4, dtype=number))
        log_scale = getattr(px, "log_scale", getattr(px, "log_dispersion", None))
        torch.testing.assert_close(
            log_scale.exp(), torch.tensor(FLOORS, dtype=number).expand(2, 3), rtol=1e-6, atol=0
        )


def field(spec):
    return "dispersion" if isinstance(spec, NegativeBinomial) else "scale"


def test_a_floor_may_have_the_shape_of_an_image():
    spec = Gaussian(scale="per-column", floor=tuple(0.1 * k for k in range(1, 9)))
    likelihood = spec.build(event_shape=(2, 2, 2))
    likelihood.set_raw_log_scale(-1e4)
    found = likelihood(torch.zeros(5, 2, 2, 2)).stddev[3]
    wanted = 0.1 * torch.arange(1.0, 9.0).view(2, 2, 2)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
    assert likelihood.columns_at_floor == list(range(8))


@pytest.mark.parametrize(
    ("spec", "best"),
    [
        (Gaussian(scale="per-column", floor=1e-8), lambda x: x.square().mean(0).sqrt()),
        (Laplace(scale="per-column", floor=(1e-8,) * 3), lambda x: x.abs().mean(0)),
    ],
)
def test_scales_converge_to_those_of_their_columns(spec, best):
    x = torch.tensor([3.0, 0.02, 1.0], dtype=torch.float64) * torch.randn(400, 3).double()
    likelihood = spec.build(event_shape=(3,)).double()
    initialise(likelihood, 2 * x)
    optimiser = torch.optim.LBFGS(
        likelihood.parameters(), tolerance_change=0, line_search_fn="strong_wolfe", max_iter=100
    )

    def closure():
        optimiser.zero_grad()
        nll = -likelihood(torch.zeros(400, 3).double()).log_prob(x).mean()
        nll.backward()
        return nll

    optimiser.step(closure)
    torch.testing.assert_close(scales(likelihood), best(x), rtol=1e-5, atol=0)


def test_only_the_columns_that_sank_are_named():
    likelihood = PARTS[0].build(event_shape=(3,))
    assert likelihood.columns_at_floor == []
    likelihood.set_raw_log_scale(torch.tensor([-20.0, 0.0, -20.0]))
    assert likelihood.columns_at_floor == [0, 2]
    shared = Gaussian(scale="shared").build(event_shape=(3,))
    shared.set_raw_log_scale(-30.0)
    assert shared.at_floor
    assert shared.columns_at_floor == []
    counts = PARTS[3].build(event_shape=(3,))
    counts.set_raw_log_scale(-30.0)
    assert counts.columns_at_floor == []


@every
def test_every_column_gets_a_gradient_of_its_own(spec):
    likelihood = spec.build(event_shape=(3,))
    x = torch.tensor([[[1.0, 2.0, 3.0]]]).expand(4, 5, 3)
    elements = likelihood(torch.zeros(4, 5, 3)).log_prob_elements(x)
    (gradient,) = torch.autograd.grad(elements[..., 1].sum(), likelihood.paced_log_scale)
    assert (gradient != 0).tolist() == [False, True, False]


@every
def test_floors_survive_json_and_text(spec):
    assert from_json(to_json(spec)) == spec
    name = spec.kind.partition("/")[2]
    given = spec_from_text(
        f"{name}:{field(spec)}=per-column:floor=0.5,0.001,0.2", role="likelihood"
    )
    assert given.floor == FLOORS
    one = spec_from_text(f"{name}:floor=0.25", role="likelihood")
    assert one.floor == 0.25
    assert from_json(to_json(one)) == one


@every
def test_floors_that_do_not_fit_are_refused(spec):
    with pytest.raises(ConfigError, match=r"one floor for each element of x; expected 4 numbers"):
        spec.build(event_shape=(4,))
    with pytest.raises(ConfigError, match=r"floor: a floor for each element needs a scale for ea"):
        spec.replace(**{field(spec): "shared"})
    with pytest.raises(ConfigError, match=r"expected one number, got 3 numbers"):
        spec.replace(**{field(spec): 0.5})


def test_the_optimal_scale_has_one_floor():
    with pytest.raises(ConfigError, match=r"gaussian\.floor: a floor for each element needs"):
        Gaussian(floor=FLOORS)


def test_scales_are_kept_by_an_artifact(tmp_path):
    codec, parts = prepare(load_data("digits"))
    floors = tuple(0.01 * (1 + k % 7) for k in range(math.prod(codec.event_shape)))
    likelihood = Gaussian(scale="per-column", floor=floors)
    model = FlatVAE(encoder=MLP(hidden=(6,)), likelihood=likelihood)
    model = model.build(event_shape=codec.event_shape)
    initialise(model, codec.x.to_model(parts["train"].x[:200]))
    save(tmp_path / "model", model, codec)
    again = load(tmp_path / "model").model
    assert again.likelihood.spec == likelihood
    assert bool(again.likelihood.initialised)
    z = torch.randn(3, 2)
    torch.testing.assert_close(again.decode(z).stddev, model.decode(z).stddev, rtol=0, atol=0)
    assert model.decode(z).stddev.unique().numel() > 7

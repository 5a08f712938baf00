"""Data that a likelihood cannot score is refused with the place, the value and the remedy."""

import pytest
import torch

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    Circular,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Laplace,
    LogisticMixture,
    NegativeBinomial,
    Ordinal,
    Poisson,
    StudentT,
)
from vaekit.spec import from_json, to_json

EVERY = [
    Bernoulli(),
    Categorical(categories=2),
    Categorical(categories=2, scaled=True),
    Circular(),
    ContinuousBernoulli(),
    DiscretisedLogistic(levels=2),
    Gaussian(),
    Laplace(),
    LogisticMixture(),
    NegativeBinomial(),
    Ordinal(levels=2),
    Ordinal(levels=5),
    Poisson(),
    StudentT(),
]
kind = pytest.mark.parametrize("spec", EVERY, ids=lambda s: s.kind.partition("/")[2])


@kind
def test_binary_data_pass_everywhere(spec):
    spec.build(event_shape=(1, 2, 3)).check(torch.randint(2, (5, 1, 2, 3)).float())
    spec.build(event_shape=(3,)).check(torch.zeros(0, 3))


@kind
def test_wrong_shape(spec):
    likelihood = spec.build(event_shape=(1, 2, 3))
    expected = rf"do not fit the {spec.kind}; expected shape \(n, 1, 2, 3\), got \(5, 6\)"
    with pytest.raises(ShapeError, match=expected):
        likelihood.check(torch.zeros(5, 6))


@kind
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(spec, bad):
    x = torch.zeros(5, 2, 3)
    x[3, 1, 2] = bad
    x[4, 0, 0] = bad
    expected = (
        rf"row 3, element \(1, 2\): a value outside the support of the {spec.kind}; .*got {bad}"
    )
    with pytest.raises(DataError, match=expected):
        spec.build(event_shape=(2, 3)).check(x)


@pytest.mark.parametrize("spec", [Bernoulli(), ContinuousBernoulli(), DiscretisedLogistic()])
def test_eight_bit_images_are_told_to_divide_by_255(spec):
    x = torch.tensor([[0.0, 1.0], [128.0, 255.0]])
    with pytest.raises(DataError, match=r"row 1, element \(0,\).*got 128.*[Dd]ivide .*by 255"):
        spec.build(event_shape=(2,)).check(x)


@pytest.mark.parametrize("bad", [-0.25, 23.5])
def test_places_in_a_cycle_are_fractions_of_it(bad):
    expected = rf"expected fractions of a cycle, in \[0, 1\], got {bad:g}. Divide by the length"
    with pytest.raises(DataError, match=expected):
        Circular().build(event_shape=(1,)).check(torch.tensor([[bad]]))


@pytest.mark.parametrize("bad", [-0.001, 1.001])
@pytest.mark.parametrize("spec", [Bernoulli(), ContinuousBernoulli()])
def test_outside_the_unit_interval(spec, bad):
    with pytest.raises(DataError, match=rf"expected numbers in \[0, 1\], got {bad}"):
        spec.build(event_shape=(1,)).check(torch.tensor([[bad]]))


@pytest.mark.parametrize("bad", [0.5 / 31, 1 / 255, -1 / 31, 32 / 31])
def test_discretised_logistic_refuses_values_off_the_grid(bad):
    likelihood = DiscretisedLogistic(levels=32).build(event_shape=(1,))
    with pytest.raises(DataError, match=r"expected levels k / 31 with k = 0\.\.31.*levels"):
        likelihood.check(torch.tensor([[bad]]))


@pytest.mark.parametrize("levels", [2, 3, 32, 255, 256])
@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_every_level_is_on_the_grid(levels, number):
    x = torch.arange(levels).to(number)[:, None] / (levels - 1)
    DiscretisedLogistic(levels=levels).build(event_shape=(1,)).check(x)
    Categorical(categories=levels, scaled=True).build(event_shape=(1,)).check(x)


def test_the_largest_number_of_categories_is_checked_in_single_precision():
    x = torch.arange(65_536.0)[:, None]
    Categorical(categories=65_536).build(event_shape=(1,)).check(x)
    scaled = Categorical(categories=65_536, scaled=True).build(event_shape=(1,))
    scaled.check(x / 65_535)
    with pytest.raises(DataError, match=r"got 0\.500015"):
        scaled.check(torch.tensor([[32_768.5 / 65_535]]))


@pytest.mark.parametrize("bad", [-1.0, 10.0, 2.5])
def test_categorical_refuses_what_is_no_code(bad):
    likelihood = Categorical(categories=10).build(event_shape=(1,))
    with pytest.raises(DataError, match=rf"expected codes 0\.\.9, got {bad:g}. Write the data"):
        likelihood.check(torch.tensor([[bad]]))


@pytest.mark.parametrize("bad", [-1.0, 4.0, 0.5])
def test_ordinal_refuses_what_is_no_level(bad):
    with pytest.raises(
        DataError, match=rf"expected levels 0\.\.3, got {bad:g}. Write the data as"
    ):
        Ordinal(levels=4).build(event_shape=(1,)).check(torch.tensor([[3.0], [bad]]))


@pytest.mark.parametrize("bad", [-1.0, 0.5, 1e-3])
@pytest.mark.parametrize("spec", [Poisson(), NegativeBinomial()], ids=lambda s: s.kind)
def test_counts_are_whole_and_not_negative(spec, bad):
    with pytest.raises(DataError, match=rf"expected counts 0, 1, 2, …, got {bad:g}. Give the"):
        spec.build(event_shape=(1,)).check(torch.tensor([[3.0], [bad]]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Gaussian(scale="big"), r"gaussian\.scale: wrong value; expected .*'optimal'"),
        (lambda: Gaussian(scale=0.0), r"gaussian\.scale: wrong value"),
        (lambda: Gaussian(floor=0.0), r"gaussian\.floor: wrong value; expected .*between 1e-08"),
        (lambda: Laplace(scale="per-column", floor=(0.1, 0.0)), r"laplace\.floor: wrong value"),
        (lambda: Laplace(scale="optimal"), r"laplace\.scale: wrong value; expected .*'shared'"),
        (lambda: StudentT(df=1.0), r"student-t\.df: wrong value; expected .*'shared'"),
        (lambda: NegativeBinomial(dispersion=0.0), r"binomial\.dispersion: wrong value"),
        (lambda: Laplace(scale=-1), r"laplace\.scale: wrong value"),
        (lambda: Ordinal(levels=1), r"levels: out of bounds; .*between 2 and 65536"),
        (lambda: Categorical(categories=1), r"categories: out of bounds; .*between 2 and 65536"),
        (lambda: DiscretisedLogistic(levels=1), r"levels: out of bounds; .*between 2 and 256"),
        (lambda: DiscretisedLogistic(levels=257), r"levels: out of bounds"),
        (lambda: DiscretisedLogistic(scale=1e9), r"logistic\.scale: wrong value"),
    ],
)
def test_fields_are_bounded(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


@kind
def test_specs_survive_json(spec):
    assert from_json(to_json(spec)) == spec

"""The protocol, seeds and bad input of every baseline over flat rows that is not linear-normal."""

import numpy as np
import pytest
import torch

from vaekit.baselines import (
    DBN,
    ICA,
    NMF,
    PCA,
    PPCA,
    TSNE,
    FactorAnalysis,
    KernelPCA,
    Representation,
    summarise,
)
from vaekit.errors import ConfigError, DataError, NotFittedError, ShapeError
from vaekit.spec import from_json, registered, to_json

SPECS = [
    ICA(latent_dim=2),
    NMF(latent_dim=2),
    KernelPCA(latent_dim=2),
    TSNE(latent_dim=2, perplexity=5.0, max_iter=250),
    DBN(latent_dim=2, hidden=(6,), epochs=20, rate=0.1),
]
EACH = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
GENERATIVE = pytest.mark.parametrize(
    "spec", [spec for spec in SPECS if not isinstance(spec, TSNE)], ids=lambda spec: spec.kind
)


def rows(n=60, dim=12, seed=0):
    g = np.random.default_rng(seed)
    return g.uniform(size=(n, 3)) @ g.uniform(size=(3, dim)) / 3 + 0.1 * g.uniform(size=(n, dim))


@EACH
def test_shapes_follow_the_data(spec):
    images = rows().reshape(-1, 3, 2, 2)
    fitted = spec.build()
    assert fitted.fit(images) is fitted
    assert isinstance(fitted, Representation)
    codes = fitted.encode(images[:7])
    assert (codes.shape, codes.dtype) == ((7, 2), np.float64)
    np.testing.assert_allclose(spec.build().fit(rows()).encode(rows()[:7]), codes, atol=1e-6)
    assert fitted.score_samples(images) is None


@GENERATIVE
def test_the_way_back(spec):
    images = rows().reshape(-1, 3, 2, 2)
    fitted = spec.build().fit(images)
    back = fitted.decode(fitted.encode(images))
    assert back.shape == images.shape
    np.testing.assert_array_equal(fitted.reconstruct(images), back)
    one = fitted.sample(4, seed=1)
    assert one.shape == (4, 3, 2, 2)
    np.testing.assert_array_equal(fitted.sample(4, seed=1), one)
    assert np.abs(fitted.sample(4, seed=2) - one).max() > 0
    with pytest.raises(ShapeError, match=r"expected shape \(n, 2\)"):
        fitted.decode(np.zeros((4, 3)))


@EACH
def test_the_seed_alone_determines_the_fit(spec):
    np.random.seed(8), torch.manual_seed(8)  # noqa: NPY002
    one = spec.build().fit(rows()).encode(rows())
    np.random.seed(9), torch.manual_seed(9)  # noqa: NPY002
    np.testing.assert_array_equal(spec.build().fit(rows()).encode(rows()), one)


@EACH
def test_specs_are_registered(spec):
    assert from_json(to_json(spec)) == spec
    assert registered("baseline")[spec.kind.removeprefix("baseline/")] is type(spec)


@EACH
def test_bad_input_is_refused(spec):
    x = rows()
    with pytest.raises(NotFittedError, match=r"has not been fitted. Call fit\(x\) first"):
        spec.build().encode(x)
    fitted = spec.build().fit(x)
    with pytest.raises(ShapeError, match=r"expected shape \(n, 12\), got \(60, 5\)"):
        fitted.encode(x[:, :5])
    with pytest.raises(DataError, match="too few rows to learn from; expected at least 2, got 1"):
        spec.build().fit(x[:1])
    x[5, 2] = np.nan
    with pytest.raises(DataError, match=r"row 5, element \(2,\): a value that is no finite"):
        spec.build().fit(x)


@pytest.mark.parametrize(
    "spec", [s for s in SPECS if not isinstance(s, DBN)], ids=lambda spec: spec.kind
)
def test_rows_that_determine_too_little(spec):
    with pytest.raises(ConfigError, match="latent_dim at most 12"):
        spec.replace(latent_dim=13).build().fit(rows())
    with pytest.raises(DataError, match="all rows are the same"):
        spec.build().fit(np.ones((5, 4)))


FLAT = [
    *SPECS[:4],
    NMF(latent_dim=2, shift="minimum"),
    PCA(latent_dim=2),
    PPCA(latent_dim=2),
    FactorAnalysis(latent_dim=2),
]


@pytest.mark.parametrize("spec", FLAT, ids=lambda spec: spec.kind)
@pytest.mark.parametrize(
    ("scale", "word"), [(1e200, "large"), (1e-200, "small"), (1e308, "large")]
)
def test_squares_that_overflow_or_vanish_are_refused(spec, scale, word):
    with pytest.raises(
        DataError, match=f"squares of the data are too {word} for .*Scale the data"
    ):
        spec.build().fit(rows() * scale)


@pytest.mark.parametrize("spec", FLAT, ids=lambda spec: spec.kind)
@pytest.mark.parametrize("power", [1, -1])
def test_just_within_these_limits_codes_are_finite(spec, power):
    """The limits are worth having only if nothing fails on their near side."""
    x = rows() * (1e14 if isinstance(spec, TSNE) else 1e144) ** power
    assert np.isfinite(spec.build().fit(x).encode(x)).all()


@pytest.mark.parametrize("spec", FLAT, ids=lambda spec: spec.kind)
@pytest.mark.parametrize("x", [[["a", "b"]] * 9, [[1.0, 2.0], [3.0]], [[10**400, 1]] * 3])
def test_what_is_not_numbers_is_refused(spec, x):
    with pytest.raises(DataError, match="not numbers; expected an array of numbers"):
        spec.build().fit(x)


@pytest.mark.parametrize("spec", SPECS[1:4], ids=lambda spec: spec.kind)
def test_many_rows_are_drawn_from(spec):
    fitted = spec.replace(max_rows=40).build().fit(rows())
    assert "learned from 40 of 60 training rows" in fitted.notes
    assert fitted.encode(rows()).shape == (60, 2)
    other = spec.replace(max_rows=40, seed=1).build().fit(rows())
    assert np.abs(other.encode(rows()) - fitted.encode(rows())).max() > 0


def test_notes_reach_the_table():
    found = summarise(SPECS[3].build(), rows(), rows(seed=1))
    assert found["mse"] is None
    assert "no mse: t-SNE has no way back from codes" in found["notes"]
    assert "codes are interpolated from 5 nearest embedded rows" in found["notes"]

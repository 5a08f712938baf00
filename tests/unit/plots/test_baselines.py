"""Pictures beside a baseline, and the metrics they share with reports."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.plots import Metric, comparison, explained_variance, two_latent_scatter

ROWS = [
    {"name": "ELBO", "VAE": -144.3, "PCA": None, "unit": "nats", "better": "higher"},
    {"name": "MSE", "VAE": 0.04, "PCA": 0.05, "linear": 0.06, "better": "lower"},
]


def test_bars_are_the_shares_and_the_line_their_sum():
    ratio = PCA().fit(load_digits().data).explained_variance_ratio_
    ax = explained_variance(ratio).axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], ratio[:60])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.cumsum(ratio)[:60])
    texts = [t.get_text() for t in ax.texts]
    needed = int(np.argmax(np.cumsum(ratio) >= 0.9)) + 1
    assert f"{needed} components explain 90%" in texts
    assert "first 60 of 64 components" in texts


def test_a_share_that_is_not_reached_is_not_marked():
    assert len(explained_variance([0.3, 0.2]).axes[0].texts) == 0


@pytest.mark.parametrize(
    ("ratio", "error", "match"),
    [
        ([0.9, 0.3], DataError, "more than the whole"),
        ([0.5, -0.1], DataError, "ratio: negative value"),
        ([np.nan], DataError, "not finite"),
        ([[0.5]], ShapeError, "ratio: wrong shape"),
    ],
)
def test_bad_shares(ratio, error, match):
    with pytest.raises(error, match=match):
        explained_variance(ratio)


def test_each_metric_has_a_panel_with_its_values():
    elbo, mse = comparison(ROWS).axes
    assert elbo.get_title(loc="left") == "ELBO (nats)"
    assert elbo.get_title(loc="right") == "higher is better"
    assert [bar.get_width() for bar in mse.patches] == [0.04, 0.05, 0.06]
    assert [t.get_text() for t in mse.get_yticklabels()] == ["VAE", "PCA", "linear"]
    assert [t.get_text() for t in elbo.texts] == ["−144.3", "none"]
    assert [t.get_fontweight() for t in mse.texts] == ["bold", "normal", "normal"]


def test_best_method():
    assert Metric("a", {"x": 1.0, "y": 2.0}).best == "y"
    assert Metric("a", {"x": 1.0, "y": 2.0}, better="lower").best == "x"
    assert Metric("a", {"x": 1.0, "y": 1.0}).best is None
    assert Metric("a", {"x": 1.0, "y": None}).best is None


@pytest.mark.parametrize(
    ("row", "error", "match"),
    [
        ({"VAE": 1.0}, ConfigError, "a metric needs a name"),
        ({"name": "a"}, ConfigError, "a: no values"),
        ({"name": "a", "VAE": 1, "better": "high"}, ConfigError, "[Dd]id you mean 'higher'"),
        ({"name": "a", "VAE": float("nan")}, DataError, "a.VAE: not finite.*[Uu]se None"),
        ({"name": "a", "VAE": "1"}, DataError, "a.VAE: not a number"),
    ],
)
def test_bad_metrics(row, error, match):
    with pytest.raises(error, match=match):
        comparison([row])


def test_no_metrics():
    with pytest.raises(DataError, match="no metrics to draw"):
        comparison([])


def test_two_latent_spaces():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 2)), rng.normal(size=(30, 5))
    left, right = two_latent_scatter(a, b, np.arange(30) % 3, ("ours", "PCA")).axes
    for ax, codes, title in ((left, a, "ours"), (right, b[:, :2], "PCA")):
        assert sorted(map(tuple, ax.collections[0].get_offsets())) == sorted(map(tuple, codes))
        assert ax.get_title(loc="left") == title
    assert len(right.get_legend().get_texts()) == 3


def test_two_latent_spaces_of_other_rows():
    with pytest.raises(ShapeError, match="b: wrong number of items; expected 3, got 2"):
        two_latent_scatter(np.zeros((3, 2)), np.zeros((2, 2)))

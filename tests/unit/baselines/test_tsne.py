"""t-SNE: neighbours stay neighbours, and later rows follow the declared rule."""

import numpy as np
import pytest

from vaekit.baselines import TSNE
from vaekit.errors import ConfigError

QUICK = TSNE(perplexity=10.0, max_iter=400)


@pytest.fixture(scope="module")
def clusters():
    """Three groups far apart, and the group of each row."""
    g = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    return 8 * np.eye(5)[labels] + g.normal(size=(120, 5)), labels


@pytest.fixture(scope="module")
def fitted(clusters):
    return QUICK.build().fit(clusters[0])


def test_groups_stay_together(clusters, fitted):
    x, labels = clusters
    codes = fitted.encode(x)
    distance = ((codes[:, None] - codes[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(1)] == labels).mean() > 0.98


def test_later_rows_are_interpolated(clusters, fitted):
    x = clusters[0]
    codes = fitted.encode(x)
    new = x[:1] + 0.1
    distance = np.linalg.norm(x - new, axis=1)
    near = distance.argsort()[:5]
    weights = 1 / distance[near]
    np.testing.assert_allclose(fitted.encode(new)[0], weights @ codes[near] / weights.sum())
    one = QUICK.replace(neighbours=1).build().fit(x)
    np.testing.assert_allclose(one.encode(x), codes)  # an embedded row has its own code


def test_there_is_no_way_back(clusters, fitted):
    assert fitted.decode(np.zeros((2, 2))) is None
    assert fitted.reconstruct(clusters[0]) is None
    assert fitted.sample(3, seed=0) is None


def test_codes_wider_than_the_tree(clusters):
    wide = QUICK.replace(latent_dim=4, max_rows=40, max_iter=250).build().fit(clusters[0])
    assert wide.encode(clusters[0]).shape == (120, 4)


def test_neighbourhoods_need_rows():
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ConfigError, match=r"expected at least 31 rows, got 20. Lower perplexity"):
        TSNE().build().fit(x)

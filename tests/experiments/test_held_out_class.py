"""Scores of a class held out as the anomaly point the right way."""

import numpy as np
import pytest
from experiments.held_out_class import (
    MEASURES,
    HeldOut,
    baseline_scores,
    by_method,
    fit_and_score,
    measures,
    table_of,
)

from vaekit.baselines import PCA
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.training import PolicySpec, Training

ERRORS = {"error", "relative error", "between the errors"}
NAMES = {"ELBO", "reconstruction probability", "log p(x)"} | ERRORS


@pytest.fixture(scope="module")
def line():
    """Rows along a line in six dimensions, then rows beside it, the last one far away."""
    rng = np.random.default_rng(0)
    direction, aside = np.linalg.qr(rng.normal(size=(6, 2)))[0].T

    def rows(n):
        return np.outer(rng.normal(size=n), direction) + 0.1 * rng.normal(size=(n, 6))

    off = rows(20) + np.linspace(0.3, 5, 20)[:, None] * aside
    test = np.concatenate([rows(50), off]).astype(np.float32)
    return HeldOut("off", rows(400).astype(np.float32), test, np.arange(70) >= 50)


@pytest.fixture(scope="module")
def scores(line):
    spec = FlatVAE(latent_dim=1, encoder=MLP(hidden=(16,)), likelihood=Gaussian("shared"))
    how = Training(epochs=20, speed=PolicySpec(precision="32-true", compile="off"))
    return {
        "VAE": fit_and_score(spec, how, line.train, line.test, samples=5),
        "autoencoder": fit_and_score(
            spec.replace(posterior=Point()), how, line.train, line.test, samples=5
        ),
        "PCA": baseline_scores(PCA(latent_dim=1).build(), line.train, line.test),
    }


def test_a_row_far_from_the_data_scores_lower(line, scores):
    assert set(scores["VAE"]) == NAMES
    assert set(scores["autoencoder"]) == set(scores["PCA"]) == ERRORS
    for named in scores.values():
        for name, score in named.items():
            assert score.shape == (70,)
            assert score.dtype == np.float64
            if (
                name != "error" and name in ERRORS
            ):  # a row far away is long, which is what it divides by
                continue
            assert score[-1] < score[:50].min()
            assert measures(score, line.anomalous)["AUROC"] > 0.9


def test_scores_are_what_they_are_called(line, scores):
    vae = scores["VAE"]
    assert (vae["ELBO"] < vae["reconstruction probability"]).all()
    assert vae["ELBO"].mean() < vae["log p(x)"].mean()
    _, _, axes = np.linalg.svd(line.train - line.train.mean(0), full_matrices=False)
    off = line.test - line.train.mean(0)
    off = off - np.outer(off @ axes[0], axes[0])
    np.testing.assert_allclose(scores["PCA"]["error"], -(off**2).sum(1), rtol=1e-4)
    share = scores["PCA"]["relative error"] / scores["PCA"]["error"]
    np.testing.assert_allclose(share, 1 / np.square(line.test).sum(1), rtol=1e-4)
    both = scores["PCA"]["relative error"] * scores["PCA"]["error"]
    np.testing.assert_allclose(scores["PCA"]["between the errors"] ** 2, both, rtol=1e-4)


def test_measures_count_low_scores_as_anomalous():
    anomalous = np.array([True, True, False, False, False])
    right = np.array([-5.0, -4.0, -1.0, -1.5, -2.0])
    assert measures(right, anomalous) == dict.fromkeys(MEASURES, 1.0)
    wrong = measures(-right, anomalous)
    assert wrong["AUROC"] == 0
    assert wrong["best F1"] == pytest.approx(2 * 0.4 / 1.4)  # all rows flagged
    # of three thresholds: 1 of 1, 1 of 2, 2 of 3 flagged rows are anomalous
    mixed = measures(-np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0], bool))
    assert mixed["best F1"] == pytest.approx(0.8)


def test_rows_become_a_line_for_each_method_and_score(line, scores):
    rows = by_method(line, scores) + by_method(line, scores)
    lines = table_of(rows, "AUROC")
    assert [made[:2] for made in lines][-1] == ["PCA", "between the errors"]
    assert len(lines) == len(NAMES) + 2 * len(ERRORS)
    assert all(len(made) == 4 and made[2] == made[3] for made in lines)

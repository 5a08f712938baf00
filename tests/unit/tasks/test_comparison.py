"""Runs and baselines on the same rows."""

import math

import numpy as np
import pytest

from vaekit.baselines import PCA, PPCA
from vaekit.data import load as load_data
from vaekit.errors import ConfigError, DataError
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, Run, prepare_data, start_run
from vaekit.tasks.comparison import baseline_row, compare_runs
from vaekit.training import Training

BASELINES = (
    "pca",
    "ppca",
    "factor-analysis",
    "autoencoder",
    "linear-autoencoder",
    "sparse-autoencoder",
    "contractive-autoencoder",
)
MODEL = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=Gaussian(scale=1.0))


def start(folder, data=None, model=MODEL):
    run = Run(data or DataSpec(), Composition(model, ELBO(), Training(epochs=2)))
    start_run(run, folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [start(root / "flat"), start(root / "linear", model=LinearVAE(latent_dim=2))]


def test_every_run_and_every_baseline_has_a_row(runs):
    rows = compare_runs(runs, BASELINES, samples=5)
    assert [row["name"] for row in rows] == ["flat", "linear", *BASELINES]
    assert {row["n"] for row in rows} == {180}
    assert all(math.isfinite(row["mse"]) and 0 < row["mse"] < 1 for row in rows)
    assert all(0 <= row["knn_accuracy"] <= 1 for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["flat"]["log_marginal"] >= by_name["flat"]["elbo"]
    assert by_name["ppca"]["log_marginal"] > by_name["flat"]["log_marginal"]
    for name in ("pca", "autoencoder"):
        assert by_name[name]["log_marginal"] is None
    # No linear code has a smaller error on the training rows; 2 epochs do not beat it held out.
    assert by_name["pca"]["mse"] < by_name["linear-autoencoder"]["mse"]
    assert by_name["pca"]["mse"] == pytest.approx(by_name["ppca"]["mse"], rel=0.2)


def test_a_baseline_is_fitted_on_the_rows_of_the_run(runs):
    run = Run(DataSpec(), Composition(MODEL, ELBO(), Training(epochs=1)))
    prepared = prepare_data(run.data)
    row = baseline_row("pca", run, prepared)
    parts = {
        name: next(iter(prepared.part(name).batches(10_000))).x.numpy()
        for name in ("train", "test")
    }
    pca = PCA(latent_dim=2).build().fit(parts["train"])
    expected = ((pca.reconstruct(parts["test"]) - parts["test"]) ** 2).mean()
    assert row["mse"] == pytest.approx(expected, rel=1e-6)
    ppca = PPCA(latent_dim=2).build().fit(parts["train"])
    row = baseline_row("ppca", run, prepared)
    assert row["log_marginal"] == pytest.approx(ppca.score_samples(parts["test"]).mean())


def test_an_unknown_baseline_is_refused_first(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown baseline 'pcaa'.*[Dd]id you mean 'pca'"):
        compare_runs([tmp_path / "nothing"], ["pcaa"])


def test_runs_on_other_data_are_refused(runs, tmp_path):
    digits = load_data("digits")
    np.savez(tmp_path / "half.npz", x=digits.x[:900], y=digits.labels[:900])
    other = start(tmp_path / "half", DataSpec(source=str(tmp_path / "half.npz")))
    with pytest.raises(ConfigError, match=r"half: these runs did not read the same data.*half"):
        compare_runs([runs[0], other], [])


def test_the_same_rows_from_another_file_are_the_same_data(runs, tmp_path):
    digits = load_data("digits")
    np.savez(tmp_path / "copy.npz", x=digits.x, y=digits.labels)
    other = start(tmp_path / "copy", DataSpec(source=str(tmp_path / "copy.npz")))
    rows = compare_runs([runs[0], other], [], samples=5)
    assert rows[0]["elbo"] == rows[1]["elbo"]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (DataSpec(seed=5), "divided their data differently; expected seed=0, got seed=5"),
        (DataSpec(test=0.2), "divided their data differently; expected test=0.1, got test=0.2"),
        (DataSpec(validation=0.2), "divided their data differently; expected validation"),
        (DataSpec(binarise="fixed"), "binarised their data differently.*binarised"),
    ],
    ids=str,
)
def test_runs_that_read_the_data_differently_are_refused(runs, tmp_path, data, match):
    other = start(tmp_path / "other", data)
    with pytest.raises(ConfigError, match=match):
        compare_runs([runs[0], other], [])


def test_baselines_read_no_context(tmp_path):
    folder = start(tmp_path / "conditional", DataSpec(context=("labels",)))
    with pytest.raises(DataError, match="baselines do not read a context"):
        compare_runs([folder], ["pca"], samples=2)
    (row,) = compare_runs([folder], [], samples=2)
    assert row["name"] == "conditional"


def test_a_dimension_that_a_baseline_cannot_have(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(60, 3)))
    folder = start(
        tmp_path / "run", DataSpec(source=str(tmp_path / "d.npz")), MODEL.replace(latent_dim=5)
    )
    with pytest.raises(ConfigError, match="latent_dim at most 3"):
        compare_runs([folder], ["pca"], samples=2)

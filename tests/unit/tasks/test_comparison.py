"""Runs and baselines on the same rows."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from vaekit.baselines import PCA, PPCA
from vaekit.data import load as load_data
from vaekit.errors import ConfigError
from vaekit.likelihoods import Gaussian
from vaekit.metrics import KEYS
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, Run, evaluate_run, prepare_data, start_run
from vaekit.tasks.comparison import _common_name, compare_runs
from vaekit.tasks.comparison_rows import baseline_row, mean_row
from vaekit.training import Training

BASELINES = (
    "pca",
    "ppca",
    "factor-analysis",
    "autoencoder",
    "linear-autoencoder",
    "sparse-autoencoder",
    "contractive-autoencoder",
    "ica",
    "nmf",
    "kernel-pca",
    "dbn",
)
MODEL = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=Gaussian(scale=1.0))


def start(folder, data=None, model=MODEL, seed=0):
    run = Run(data or DataSpec(), Composition(model, ELBO(), Training(epochs=2, seed=seed)))
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


def test_baselines_read_no_context_and_say_so(runs, tmp_path):
    folder = start(tmp_path / "conditional", DataSpec(context=("labels",)))
    run, pca = compare_runs([folder], ["pca"], samples=2)
    assert run["name"] == "conditional"
    assert "read without the context that the runs are given" in pca["notes"]
    assert pca["mse"] == compare_runs([runs[0]], ["pca"], samples=2)[1]["mse"]


def test_rows_without_a_label_are_no_class_to_a_baseline(runs, tmp_path):
    hidden = DataSpec(unlabelled="keep", labelled=1_000)
    folder = start(tmp_path / "few", hidden)
    both = compare_runs([runs[0], folder], ["pca"], samples=2)
    assert [row["name"] for row in both] == ["flat", "few", "pca"]
    alone = compare_runs([folder], ["pca"], samples=2)[1]
    # With two thirds of the labels a linear code tells digits apart nearly as well.
    assert alone["knn_accuracy"] == pytest.approx(both[2]["knn_accuracy"], abs=0.1)
    assert alone["logistic_accuracy"] == pytest.approx(both[2]["logistic_accuracy"], abs=0.1)


def test_runs_whose_labels_contradict_each_other_are_refused(runs, tmp_path):
    digits = load_data("digits")
    np.savez(tmp_path / "turned.npz", x=digits.x, y=digits.labels[::-1])
    other = start(tmp_path / "turned", DataSpec(source=str(tmp_path / "turned.npz")))
    with pytest.raises(ConfigError, match=r"turned: these runs did not read the same data"):
        compare_runs([runs[0], other], [])


def test_baselines_have_each_dimension_of_the_runs(runs, tmp_path):
    wide = start(tmp_path / "wide", model=MODEL.replace(latent_dim=4))
    rows = compare_runs([runs[0], wide], ["pca", "pca"], samples=2)
    assert [row["name"] for row in rows] == ["flat", "wide", "pca-2", "pca-4"]
    assert [row["latent_dim"] for row in rows] == [2, 4, 2, 4]
    assert rows[3]["mse"] < rows[2]["mse"]


def test_a_run_that_is_called_like_a_baseline(runs, tmp_path):
    (tmp_path / "pca").symlink_to(runs[0], target_is_directory=True)
    shutil.copytree(runs[0], tmp_path / "ppca")
    ours, baseline = compare_runs([tmp_path / "ppca"], ["ppca"], samples=2)
    assert [ours["name"], baseline["name"]] == [str(tmp_path / "ppca"), "ppca (baseline)"]


def test_samples_are_compared_by_features(runs):
    rows = compare_runs(runs, ["ppca", "kernel-pca"], samples=2, features="pixels")
    assert [row["features"] for row in rows] == ["pixels"] * 4
    assert all(row["frechet"] > 0 and row["frechet_error"] > 0 for row in rows)


def test_means_are_taken_in_double_precision():
    values = [-100000.001, -100000.002, -100000.004]
    tables = [
        {"seed": i, "notes": [], **dict.fromkeys(KEYS), "elbo": v} for i, v in enumerate(values)
    ]
    row = mean_row("vae", tables)
    assert row["elbo"] == pytest.approx(np.mean(values), rel=1e-14)
    assert row["elbo_error"] == pytest.approx(scipy.stats.sem(values), rel=1e-6)


def test_a_metric_that_one_seed_lacks_is_said_to_be_missing():
    tables = [{"seed": i, "notes": [], **dict.fromkeys(KEYS), "mse": 0.5} for i in range(3)]
    tables[1]["mse"] = None
    row = mean_row("vae", tables)
    assert row["mse"] is None
    assert row["notes"] == ["no mse: 2 of 3 seeds have it"]


def test_a_dimension_that_a_baseline_cannot_have(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(60, 3)))
    folder = start(
        tmp_path / "run", DataSpec(source=str(tmp_path / "d.npz")), MODEL.replace(latent_dim=5)
    )
    run, pca, autoencoder = compare_runs([folder], ["pca", "autoencoder"], samples=2)
    assert "not fitted: PCA cannot have that many components" in pca["notes"][0]
    assert "latent_dim at most 3" in pca["notes"][0]
    assert all(pca[key] is None for key in ("mse", "elbo", "knn_accuracy", "likelihood"))
    assert pca["n"] == run["n"]
    assert autoencoder["mse"] > 0


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Three seeds of one run."""
    root = tmp_path_factory.mktemp("seeds")
    return [start(root / f"small-seed{seed}", seed=seed) for seed in (0, 1, 2)]


def test_seeds_share_a_row_with_their_mean_and_standard_error(runs, seeded):
    alone = [compare_runs([folder], [], samples=5)[0] for folder in seeded]
    rows = compare_runs([seeded[0], runs[1], *seeded[1:]], [], samples=5)
    assert [row["name"] for row in rows] == ["small", "linear"]
    assert [row["seeds"] for row in rows] == [[0, 1, 2], [0]]
    assert [row["over"] for row in rows] == ["seeds", "rows"]
    for key in ("elbo", "mse", "knn_accuracy"):
        values = np.array([row[key] for row in alone])
        assert rows[0][key] == pytest.approx(values.mean(), rel=1e-12)
        assert rows[0][f"{key}_error"] == pytest.approx(scipy.stats.sem(values), rel=1e-9)
        assert [table[key] for table in rows[0]["each"]] == list(values)
    assert [table["seed"] for table in rows[0]["each"]] == [0, 1, 2]
    single = rows[1]["each"][0]
    assert rows[1]["elbo_error"] == single["elbo_error"]  # over rows
    json.dumps(rows, allow_nan=False)


def test_a_run_named_twice_or_by_a_link_counts_once(seeded, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(seeded[0], target_is_directory=True)
    (row,) = compare_runs([link, seeded[0], seeded[0]], [], samples=2)
    assert row["name"] == "small-seed0"
    assert row["seeds"] == [0]


def test_a_copy_of_a_run_is_no_other_seed(seeded, tmp_path):
    copy = tmp_path / seeded[0].name
    shutil.copytree(seeded[0], copy)
    rows = compare_runs([*seeded[:2], copy], [], samples=2)
    assert [row["seeds"] for row in rows] == [[0, 1], [0]]
    rows = compare_runs([seeded[0], copy], [], samples=2)
    assert [row["name"] for row in rows] == [str(seeded[0]), str(copy)]


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["vae-seed0", "vae-seed1"], "vae"),
        (["vae-seed10", "vae-seed12"], "vae"),
        (["vae_0", "vae_1"], "vae"),
        (["vae-10", "vae-11"], "vae"),
        (["run2019", "run2020"], "run"),
        (["b1-s0", "b1-s1"], "b1"),
        (["models0", "models1"], "models"),
        (["seed0", "seed1"], "seed0"),
        (["a-seed3"], "a-seed3"),
    ],
)
def test_a_group_has_what_its_names_have_in_common(names, common):
    assert _common_name([Path(name) for name in names]) == common


def test_random_baselines_are_fitted_for_several_seeds(runs):
    run = Run(DataSpec(), Composition(MODEL, ELBO(), Training(epochs=1, seed=4)))
    prepared = prepare_data(run.data)
    row = baseline_row("autoencoder", run, prepared, seeds=2)
    assert row["seeds"] == [4, 5]
    assert row["over"] == "seeds"
    errors = [table["mse"] for table in row["each"]]
    assert errors[0] != errors[1]
    assert row["mse"] == pytest.approx(np.mean(errors))
    assert row["mse_error"] == pytest.approx(scipy.stats.sem(errors), rel=1e-9)
    own = baseline_row("dbn", run, prepared, seeds=2)
    assert own["seeds"] == [4, 5]
    assert own["each"][0]["mse"] != own["each"][1]["mse"]
    exact = baseline_row("ppca", run, prepared, seeds=2)
    assert exact["seeds"] == []
    assert exact["over"] == "rows"
    assert exact["likelihood"] == "gaussian"


def test_numbers_beside_the_data_are_read_from_the_codes_of_all(tmp_path):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    x = z @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(300, 5))
    frame = pd.DataFrame(x, columns=list("abcde")).assign(age=z[:, 0], height=z[:, 1])
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = DataSpec(source=str(tmp_path / "t.csv"), numbers=("age", "height"))
    folder = start(tmp_path / "run", data)
    run, pca = compare_runs([folder], ["pca"], samples=2)
    assert load_data(tmp_path / "t.csv", numbers=["age", "height"]).columns == tuple("abcde")
    assert pca["linear_r2"] > 0.95  # two directions hold both numbers but for the noise
    assert 0 < run["linear_r2"] < 1
    frame.drop(columns=["age", "height"]).to_csv(tmp_path / "bare.csv", index=False)
    bare = evaluate_run(folder, tmp_path / "bare.csv", samples=2)
    assert bare["linear_r2"] is None
    assert bare["n"] == 300

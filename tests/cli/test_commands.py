"""Each command does its job: results on standard output, the rest on standard error."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vaekit.artifacts import load
from vaekit.data import load as load_data
from vaekit.tasks import ModelRepresentation, open_run

COMMANDS = (
    "train",
    "evaluate",
    "sample",
    "encode",
    "reconstruct",
    "inspect",
    "recipes",
    "compare",
    "tune",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(vaekit, command):
    result = vaekit(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    for line in result.stdout.splitlines():
        assert "TODO" not in line


def test_help_names_the_commands(vaekit):
    shown = vaekit("--help").stdout
    for command in COMMANDS:
        assert command in shown
    assert vaekit().exit_code == 2


# --- train --------------------------------------------------------------------------------------


def test_train_says_what_it_made(trained):
    folder, said = trained
    assert said["run"] == str(folder)
    assert said["report"] == str(folder / "report.html")
    assert said["n"] == 180
    assert said["samples"] == 5
    assert said["log_marginal"] >= said["elbo"]
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "model.json",
        "weights.safetensors",
        "codec.json",
        "history.jsonl",
        "metrics.json",
        "provenance.json",
        "run.json",
        "report.html",
        "figures",
    }
    stored = json.loads((folder / "metrics.json").read_text())
    assert all(said[name] == value for name, value in stored.items())
    assert len(list((folder / "figures").glob("*.png"))) >= 7


def test_train_for_people(vaekit, tmp_path):
    words = ("--hidden", "8", "--epochs", "1", "--samples", "5", "--out", tmp_path / "run")
    result = vaekit("train", "digits", *words)
    assert result.exit_code == 0
    assert "ELBO (nats)" in result.stdout
    assert str(tmp_path / "run" / "report.html") in result.stdout
    assert "epoch   1" in result.stderr
    assert f"run folder {tmp_path / 'run'}" in result.stderr


def test_options_and_settings_reach_the_run(vaekit, tmp_path):
    """Stopped by an occupied folder after everything was read: nothing has to be trained."""
    (tmp_path / "run.json").write_text("{}")
    result = vaekit("train", "digits", "--set", "training.clip=1", "--out", tmp_path)
    assert result.exit_code == 2
    assert "holds a run already" in result.stderr


def test_every_option_is_kept_with_the_run(answer, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["vaekit", "train", "some words"])
    words = [
        *("--recipe", "beta-vae", "--latent-dim", "3", "--hidden", "9,7", "--epochs", "1"),
        *("--likelihood", "gaussian:scale=0.5", "--beta", "linear:over=0.5", "--seed", "4"),
        *("--batch-size", "100", "--lr", "0.01", "--patience", "2", "--samples", "2"),
        *("--set", "training.clip=1.5", "--set", "posterior=full", "--set", "data.padding=1"),
        *("--set", "average=0.9", "--set", "decoder=mlp:hidden=6,5:activation=silu"),
        *("--set", "encoder.activation=tanh"),
        *("--set", "likelihood.scale=0.7", "--out", tmp_path / "run"),
    ]
    answer("train", "digits", *words)
    run, command = open_run(tmp_path / "run")
    model, training = run.composition.model, run.composition.training
    assert model.latent_dim == 3
    assert (model.encoder.hidden, model.encoder.activation) == ((9, 7), "tanh")
    assert (model.decoder.hidden, model.decoder.activation) == ((6, 5), "silu")
    assert model.likelihood.scale == 0.7
    assert model.posterior.kind == "posterior/full"
    assert (run.composition.objective.beta.kind, run.composition.objective.beta.over) == (
        "schedule/linear",
        0.5,
    )
    assert (training.epochs, training.batch_size, training.patience) == (1, 100, 2)
    assert (training.optimizer.lr, training.clip, training.average) == (0.01, 1.5, 0.9)
    assert (training.seed, run.data.seed, run.data.padding) == (4, 4, 1)
    assert command == "vaekit train 'some words'"
    assert load(tmp_path / "run").model.event_shape == (1, 10, 10)


def test_resume_of_a_finished_run_measures_it_again(answer, trained):
    folder, said = trained
    before = (folder / "weights.safetensors").read_bytes()
    again = answer("train", "--resume", folder, "--samples", "5")
    assert again == said
    assert (folder / "weights.safetensors").read_bytes() == before


def test_a_table_with_a_code_of_one_number(table):
    _, folder, said = table
    assert said["n"] == 8
    assert said["knn_accuracy"] is not None
    artifact = load(folder)
    assert artifact.codec.x.columns == ("length", "width")
    assert artifact.codec.labels.classes == ("k0", "k1")
    assert artifact.model.latent_shape == (1,)


def test_a_folder_of_the_users_gets_no_link_beside_it(trained):
    folder, _ = trained
    assert not (folder.parent / "latest").exists()


# --- evaluate -----------------------------------------------------------------------------------


def test_evaluate_says_all_that_matters(answer, trained):
    folder, said = trained
    found = answer("evaluate", folder, "--samples", "7")
    for name in (
        "elbo",
        "log_marginal",
        "samples",
        "rate",
        "distortion",
        "active_units",
        "mse",
        "n",
    ):
        assert found[name] is not None
    assert found["samples"] == 7
    assert found["mse"] == said["mse"]
    assert found["elbo"] == pytest.approx(-found["rate"] - found["distortion"])
    stored = json.loads((folder / "metrics.json").read_text())
    assert stored["log_marginal"] == found["log_marginal"]


def test_evaluate_for_people(vaekit, table):
    path, folder, _ = table
    result = vaekit("evaluate", folder, path, "--samples", "3")
    assert result.exit_code == 0
    assert "ELBO (nats)" in result.stdout
    assert "80" in result.stdout


def test_evaluate_compares_samples_by_features(vaekit, answer, trained):
    folder, _ = trained
    found = answer("evaluate", folder, "--samples", "2", "--features", "classifier:epochs=1")
    assert found["features"] == "classifier"
    assert found["frechet_error"] > 0
    assert (folder / "features" / "classifier.safetensors").is_file()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Fréchet distance of samples" in page
    again = answer("evaluate", folder, "--samples", "2", "--features", "pixels")
    assert again["features"] == "pixels"
    assert "--features pixels" in (folder / "report.html").read_text(encoding="utf-8")
    result = vaekit("evaluate", folder, "--features", "pixel")
    assert result.exit_code == 2
    assert "unknown features 'pixel'. Did you mean 'pixels'?" in result.stderr


def test_evaluate_says_on_standard_error_what_is_missing(vaekit, trained):
    folder, _ = trained
    result = vaekit("evaluate", folder, "--samples", "2")
    assert "note: no ssim: images smaller than the window" in result.stderr
    assert "note:" not in result.stdout


def test_compare_samples(answer, trained):
    folder, _ = trained
    words = ("--baselines", "ppca", "--samples", "2", "--features", "pixels")
    rows = answer("compare", folder, *words)["rows"]
    assert [row["features"] for row in rows] == ["pixels", "pixels"]


def test_evaluate_on_other_data_leaves_the_run_alone(answer, trained, tmp_path):
    folder, _ = trained
    before = (folder / "metrics.json").read_bytes()
    np.savez(tmp_path / "some.npz", x=load_data("digits").x[:20])
    found = answer("evaluate", folder, tmp_path / "some.npz", "--samples", "3")
    assert (found["n"], found["data"]) == (20, str(tmp_path / "some.npz"))
    assert (folder / "metrics.json").read_bytes() == before


# --- codes, samples, reconstructions ------------------------------------------------------------


def read_npz(path):
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_encode_writes_means_and_standard_deviations(answer, trained, tmp_path, suffix):
    folder, _ = trained
    path = tmp_path / f"codes{suffix}"
    said = answer("encode", folder, "digits", "--out", path)
    assert said == {"file": str(path), "rows": 1797, "latent_dim": 2}
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".npz": read_npz}[suffix]
    codes = {name: np.asarray(column) for name, column in read(path).items()}
    images = load_data("digits")
    artifact = load(folder)
    x = artifact.codec.to_model(artifact.codec.encode(images))
    means, scales = ModelRepresentation(artifact.model).encode_with_scale(x)
    for i in (0, 1):
        np.testing.assert_allclose(codes[f"z{i + 1}"], means[:, i], rtol=1e-6)
        np.testing.assert_allclose(codes[f"scale{i + 1}"], scales[:, i], rtol=1e-6)
    assert list(codes["label"]) == images.labels.tolist()


def test_encode_takes_the_held_out_rows_by_default(answer, table):
    _, folder, _ = table
    said = answer("encode", folder)
    assert said["rows"] == 8
    codes = pd.read_csv(folder / "codes.csv")
    assert list(codes) == ["z1", "scale1", "label"]
    assert set(codes["label"]) <= {"k0", "k1"}


def test_samples_as_png_and_npz(answer, trained, tmp_path):
    folder, _ = trained
    answer("sample", folder, "-n", "9", "--out", tmp_path / "s.png")
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.format == "PNG"
    answer("sample", folder, "-n", "9", "--seed", "3", "--out", tmp_path / "a.npz")
    answer("sample", folder, "-n", "9", "--seed", "3", "--out", tmp_path / "b.npz")
    answer("sample", folder, "-n", "9", "--seed", "4", "--out", tmp_path / "c.npz")
    a, b, c = (read_npz(tmp_path / f"{name}.npz")["x"] for name in "abc")
    assert (a.shape, a.dtype) == ((9, 8, 8), np.uint8)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    answer("sample", folder, "-n", "9", "--draw", "--out", tmp_path / "d.npz")
    assert set(np.unique(read_npz(tmp_path / "d.npz")["x"])) == {0, 16}


def test_samples_of_a_table_have_its_columns(answer, table):
    _, folder, _ = table
    said = answer("sample", folder, "-n", "12", "--draw")
    assert said["file"] == str(folder / "samples.csv")
    made = pd.read_csv(said["file"])
    assert list(made) == ["length", "width"]
    assert len(made) == 12
    assert made["length"].std() > 0


def test_samples_of_one_class(answer, conditional, vaekit, tmp_path):
    path = tmp_path / "threes.npz"
    answer("sample", conditional, "--label", "3", "-n", "4", "--out", path)
    assert read_npz(path)["x"].shape == (4, 8, 8)
    answer("sample", conditional, "-n", "20", "--out", path)
    result = vaekit("sample", conditional, "--label", "33")
    assert result.exit_code == 2
    assert "unknown class '33'" in result.stderr


def test_reconstructions(answer, trained, table, tmp_path):
    folder, said = trained
    found = answer("reconstruct", folder, "--out", tmp_path / "r.npz")
    assert found["rows"] == 180
    assert found["mse"] == pytest.approx(said["mse"], rel=1e-5)
    assert read_npz(tmp_path / "r.npz")["x"].shape == (180, 8, 8)
    answer("reconstruct", folder, "--out", tmp_path / "r.png")
    path, folder, _ = table
    found = answer("reconstruct", folder, path, "--out", tmp_path / "r.csv")
    assert list(pd.read_csv(tmp_path / "r.csv")) == ["length", "width"]
    assert found["rows"] == 80


def test_a_conditional_model_reads_its_labels(answer, conditional, tmp_path):
    assert answer("encode", conditional, "digits", "--out", tmp_path / "c.csv")["rows"] == 1797
    assert answer("reconstruct", conditional, "--out", tmp_path / "c.npz")["rows"] == 180
    assert answer("evaluate", conditional, "digits", "--samples", "2")["n"] == 1797


# --- inspect, recipes, compare ------------------------------------------------------------------


def test_inspect(answer, vaekit, trained):
    folder, _ = trained
    found = answer("inspect", folder)
    assert found["model"]["kind"] == "model/vae"
    assert found["model"]["likelihood"]["kind"] == "likelihood/bernoulli"
    assert found["weights"]["total"] == sum(p.numel() for p in load(folder).model.parameters())
    assert found["epochs"] == 1
    assert found["provenance"]["data"] == "digits"
    assert json.loads(vaekit("inspect", folder).stdout) == found


def test_recipes(answer, vaekit):
    found = answer("recipes")
    assert found["sigma-vae"]["summary"].startswith("A Gaussian whose scale")
    assert "Rybkin" in found["sigma-vae"]["paper"]
    shown = vaekit("recipes").stdout
    assert all(name in shown for name in found)


def test_compare(answer, vaekit, trained, tmp_path):
    folder, said = trained
    words = ("--baselines", "pca,ppca", "--samples", "5", "--out", tmp_path)
    found = answer("compare", folder, *words)
    rows = found["rows"]
    assert [row["name"] for row in rows] == [folder.name, "pca", "ppca"]
    assert rows[0]["elbo"] == said["elbo"]
    assert found["report"] == str(tmp_path / "comparison.html")
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".json", ".md", ".png"}
    assert json.loads((tmp_path / "comparison.json").read_text())["rows"] == rows
    shown = vaekit("compare", folder, *words).stdout
    assert shown == (tmp_path / "comparison.md").read_text()
    assert shown.startswith("| model | latent dim | ± over | ELBO (nats)")
    assert "\n| pca | 2 | rows | \N{EN DASH} |" in shown
    assert "- nats of different likelihoods (bernoulli, gaussian) cannot be compared" in shown


def test_seeds(answer, tmp_path):
    words = ("--hidden", "8", "--epochs", "1", "--samples", "5", "--out", tmp_path / "a")
    said = answer("train", "digits", "--seeds", "0,7", *words)
    assert [found["run"] for found in said["runs"]] == [
        str(tmp_path / f"a-seed{n}") for n in (0, 7)
    ]
    runs = [open_run(tmp_path / f"a-seed{n}")[0] for n in (0, 7)]
    assert [run.composition.training.seed for run in runs] == [0, 7]
    assert runs[0].data == runs[1].data
    folders = [tmp_path / "a-seed0", tmp_path / "a-seed7"]
    (row,) = answer("compare", *folders, "--baselines", "", "--samples", "5")["rows"]
    assert row["name"] == "a"
    assert row["elbo"] == pytest.approx(sum(found["elbo"] for found in said["runs"]) / 2)

"""``vaekit score``, and ``encode`` and ``reconstruct``, a few rows at a time."""

import numpy as np
import pandas as pd
import pytest
import torch

from vaekit import writing
from vaekit.artifacts import load
from vaekit.cli import codes
from vaekit.data import load as load_data
from vaekit.data.streams import parquet as parquet_module
from vaekit.data.streams import stream as stream_module
from vaekit.metrics import score
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.recipes import compose
from vaekit.tasks import (
    Composition,
    DataSpec,
    ModelRepresentation,
    Run,
    hint_for,
    prepare_data,
    start_run,
)
from vaekit.training import Training

NAMES = ["elbo", "rate", "distortion", "log_marginal"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pieces, windows, batches and groups of rows are small."""
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 1)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 16)
    monkeypatch.setattr(stream_module, "BUFFER_ROWS", 64)
    monkeypatch.setattr(codes, "BATCH_ROWS", 23)
    monkeypatch.setattr(writing, "GROUP_ROWS", 50)


def frame_of(rows, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(rows, 4))
    return pd.DataFrame(x, columns=list("abcd")).assign(kind=rng.choice(["u", "v"], rows))


@pytest.fixture(scope="module")
def streamed(tmp_path_factory, answer):
    """A Parquet file, and a run that streamed it."""
    folder = tmp_path_factory.mktemp("streamed")
    path = folder / "table.parquet"
    frame_of(300).to_parquet(path, index=False, row_group_size=70)
    words = ("--label", "kind", "--hidden", "8", "--epochs", "2", "--samples", "5")
    said = answer("train", path, *words, "--set", "data.stream=on", "--out", folder / "run")
    assert said["n"] == 30
    return path, folder / "run"


def read(path):
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return pd.DataFrame({name: arrays[name] for name in arrays})
    return {".csv": pd.read_csv, ".parquet": pd.read_parquet}[path.suffix](path)


def scores_of(run, frame, tmp_path, answer, *words, name="new"):
    frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    out = tmp_path / f"{name}-scores.parquet"
    answer("score", run, tmp_path / f"{name}.parquet", "--out", out, *words)
    return read(out)


def expected_scores(run, path, samples, seed=0):
    """The library's function on all rows at once, in double precision."""
    artifact = load(run)
    raw = load_data(path, label="kind")
    x = artifact.codec.to_model(artifact.codec.encode(raw))
    found = score(artifact.model.double(), x, samples=samples, seed=seed)
    return pd.DataFrame({name: getattr(found, name).numpy() for name in NAMES})


# --- score -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
@pytest.mark.parametrize("samples", [1, 7])
def test_one_row_for_each_row_in_order(streamed, tmp_path, answer, suffix, samples):
    path, run = streamed
    out = tmp_path / f"scores{suffix}"
    said = answer("score", run, path, "--samples", samples, "--seed", 3, "--out", out)
    expected = expected_scores(run, path, samples, seed=3)
    found = read(out)
    names = NAMES if samples > 1 else NAMES[:3]
    assert list(found.columns) == names
    np.testing.assert_allclose(found, expected[names], rtol=1e-9)
    np.testing.assert_allclose(found["elbo"], -found["rate"] - found["distortion"], rtol=1e-9)
    assert (said["file"], said["rows"], said["samples"]) == (str(out), 300, samples)
    assert said["elbo"] == pytest.approx(expected["elbo"].mean(), rel=1e-9)


def test_a_score_does_not_depend_on_other_rows_or_their_order(streamed, tmp_path, answer):
    _, run = streamed
    frame = frame_of(90, seed=5)
    whole = scores_of(run, frame, tmp_path, answer, name="whole")
    order = np.random.default_rng(0).permutation(90)
    mixed = scores_of(run, frame.iloc[order], tmp_path, answer, name="mixed")
    np.testing.assert_allclose(mixed, whole.iloc[order], rtol=1e-9)
    some = scores_of(run, frame.iloc[40:43], tmp_path, answer, name="some")
    np.testing.assert_allclose(some, whole.iloc[40:43], rtol=1e-9)


def test_streams_and_data_in_memory_have_the_same_scores(streamed, tmp_path, answer):
    path, run = streamed
    pd.read_parquet(path).to_csv(tmp_path / "table.csv", index=False)
    for number, source in enumerate((path, tmp_path / "table.csv")):
        answer("score", run, source, "--out", tmp_path / f"{number}.parquet")
    np.testing.assert_allclose(
        read(tmp_path / "0.parquet"), read(tmp_path / "1.parquet"), rtol=1e-9
    )


def test_an_outlier_is_the_least_likely(streamed, tmp_path, answer):
    frame = frame_of(60, seed=1)
    frame.loc[17, ["a", "b", "c", "d"]] = [40.0, -40.0, 40.0, -40.0]
    found = scores_of(streamed[1], frame, tmp_path, answer)
    assert found["elbo"].idxmin() == found["log_marginal"].idxmin() == 17


@pytest.mark.parametrize("stream", ["on", "off"])
def test_all_rows_even_where_there_is_a_test_part(tmp_path, answer, stream):
    path = tmp_path / "table.parquet"
    frame_of(90).assign(use=["train", "val", "test"] * 30).to_parquet(path)
    data = DataSpec(source=str(path), label="kind", split="use", stream=stream)
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)))
    run = tmp_path / "run"
    start_run(Run(data, Composition(model, ELBO(), Training(epochs=1))), run)
    assert answer("score", run, path)["rows"] == 90
    assert answer("score", run)["rows"] == answer("encode", run, path)["rows"] == 30


def test_by_default_the_held_out_rows_go_beside_the_run(streamed, answer):
    said = answer("score", streamed[1])
    assert said["file"] == str(streamed[1] / "scores.csv")
    assert len(read(streamed[1] / "scores.csv")) == said["rows"] == 30


def test_a_bad_row_leaves_no_file(streamed, tmp_path, vaekit):
    frame = frame_of(200)
    frame.loc[190, "c"] = np.nan
    frame.to_parquet(tmp_path / "new.parquet", index=False)
    result = vaekit(
        "score", streamed[1], tmp_path / "new.parquet", "--out", tmp_path / "scores.parquet"
    )
    assert result.exit_code == 2
    for words in ("new.parquet: column 'c' holds 1 value(s)", "in row 190", "NaN"):
        assert words in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.parquet"]


def test_names_that_cannot_be_written_are_refused_at_once(streamed, tmp_path, vaekit):
    for command, name in (("score", "a.png"), ("score", "a.txt"), ("encode", "a.png")):
        result = vaekit(command, streamed[1], tmp_path / "absent.csv", "--out", tmp_path / name)
        assert result.exit_code == 2
        assert "--out: cannot write this as such a file" in result.stderr


def test_an_autoencoder_has_no_scores(tmp_path, vaekit):
    composition = compose("autoencoder", hint_for(prepare_data(DataSpec()).codec))
    training = composition.training.replace(epochs=1)
    start_run(Run(DataSpec(), composition.replace(training=training)), tmp_path / "run")
    result = vaekit("score", tmp_path / "run")
    assert result.exit_code == 2
    assert "no likelihood" in result.stderr


def test_a_conditional_model_reads_its_context(conditional, answer):
    said = answer("score", conditional, "--samples", 3)
    assert len(read(conditional / "scores.csv")) == said["rows"]


# --- codes and reconstructions ---------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_codes_of_a_stream(streamed, tmp_path, answer, suffix):
    path, run = streamed
    out = tmp_path / f"codes{suffix}"
    assert answer("encode", run, path, "--out", out)["rows"] == 300
    artifact = load(run)
    raw = load_data(path, label="kind")
    x = artifact.codec.to_model(artifact.codec.encode(raw))
    means, scales = ModelRepresentation(artifact.model).encode_with_scale(x)
    found = read(out)
    names = [f"{kind}{i + 1}" for kind in ("z", "scale") for i in range(means.shape[1])]
    assert list(found.columns) == [*names, "label"]
    np.testing.assert_allclose(found[names], np.hstack([means, scales]), rtol=1e-4, atol=1e-6)
    assert found["label"].tolist() == raw.labels.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_reconstructions_of_a_stream(streamed, tmp_path, answer, suffix):
    path, run = streamed
    out = tmp_path / f"x{suffix}"
    said = answer("reconstruct", run, path, "--out", out)
    artifact = load(run)
    x = artifact.codec.to_model(artifact.codec.encode(load_data(path, label="kind")))
    made = torch.as_tensor(ModelRepresentation(artifact.model).reconstruct(x))
    assert said["rows"] == 300
    assert said["mse"] == pytest.approx(float((made - x).square().mean()), rel=1e-5)
    if suffix == ".npz":
        with np.load(out) as arrays:
            found = arrays["x"]
    else:
        found = read(out)
        assert list(found.columns) == ["a", "b", "c", "d"]
    np.testing.assert_allclose(found, artifact.codec.decode(made), rtol=1e-4, atol=1e-5)


def test_pictures_show_the_first_images(trained, tmp_path, answer, monkeypatch):
    shown = []
    monkeypatch.setattr("vaekit.plots.image_grid", lambda x, **more: shown.append((x, more)))
    monkeypatch.setattr("vaekit.plots.save", lambda figure, path: path)
    monkeypatch.setattr(codes, "SHOWN", 30)
    run, _ = trained
    said = answer("reconstruct", run, "--out", tmp_path / "a.png")
    answer("reconstruct", run, "--out", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        (images, more), *_ = shown
        np.testing.assert_array_equal(images, arrays["x"][:30])
        assert more == {"limits": (0, 16)}  # black and white of the digits, not of bytes
        assert len(arrays["x"]) == said["rows"]


def test_evaluate_measures_a_stream_as_data_in_memory(streamed, answer, tmp_path):
    path, run = streamed
    pd.read_parquet(path).to_csv(tmp_path / "table.csv", index=False)
    found, expected = (
        answer("evaluate", run, source, "--samples", 5)
        for source in (path, tmp_path / "table.csv")
    )
    assert found["n"] == 300
    for name in ("elbo", "log_marginal", "rate", "mse", "active_units"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5)

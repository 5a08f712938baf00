"""Runs on data that is read again in each pass: trained, stopped, resumed, measured, pictured."""

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torch

from vaekit.artifacts import load
from vaekit.data import TensorData
from vaekit.data import load as load_data
from vaekit.data.streams import StreamData
from vaekit.data.streams import images as images_module
from vaekit.data.streams import parquet as parquet_module
from vaekit.data.streams import stream as stream_module
from vaekit.errors import ArtifactError, ConfigError, DataError
from vaekit.likelihoods import Bernoulli, Categorical, Gaussian
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.metrics import KEYS, evaluate_model
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.report import report_run
from vaekit.tasks import (
    Composition,
    DataSpec,
    Run,
    build_model,
    evaluate_run,
    evaluation,
    open_run,
    other_data,
    prepare_data,
    resume_run,
    sample_of,
    start_run,
)
from vaekit.tasks import run as run_module
from vaekit.tasks import source as source_module
from vaekit.tasks.comparison import compare_runs
from vaekit.training import Adam, Callback, PolicySpec, Training, read_history

SPEED = PolicySpec(precision="32-true", compile="off", threads=1)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small blocks, pieces and windows, so that a few hundred rows are many."""
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 1)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 16)
    monkeypatch.setattr(stream_module, "BUFFER_ROWS", 100)
    monkeypatch.setattr(images_module, "WINDOW_ROWS", 9)


def frame_of(rows, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 2))
    x = z @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(rows, 5))
    frame = pd.DataFrame(x.astype(np.float32), columns=list("abcde"))
    return frame.assign(kind=np.where(z[:, 0] > 0, "up", "down"))


@pytest.fixture
def table(tmp_path):
    """A folder of files with 400 rows in all."""
    folder = tmp_path / "table"
    folder.mkdir()
    for number in range(4):
        frame_of(100, number).to_parquet(
            folder / f"{number}.parquet", index=False, row_group_size=30
        )
    return folder


@pytest.fixture
def scans(tmp_path):
    """80 images."""
    (tmp_path / "scans").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (80, 4, 4), dtype=np.uint8)
    for number, image in enumerate(pixels):
        PIL.Image.fromarray(image).save(tmp_path / "scans" / f"{number:02}.png")
    return tmp_path / "scans"


def run_of(source, *, likelihood=None, epochs=2, batch_size=48, data=(), **training):
    spec = DataSpec(source=str(source), **({"stream": "on"} | dict(data)))
    model = FlatVAE(
        latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=likelihood or Gaussian(scale=1.0)
    )
    settings = {"epochs": epochs, "batch_size": batch_size, "speed": SPEED} | training
    return Run(spec, Composition(model, ELBO(), Training(**settings)))


LABELLED = {"label": "kind"}


@pytest.fixture
def finished(table, tmp_path):
    folder = tmp_path / "run"
    start_run(run_of(table, data=LABELLED), folder)
    return folder


# --- when data streams -----------------------------------------------------------------------


def test_small_data_is_held_in_memory(table):
    prepared = prepare_data(DataSpec(source=str(table), label="kind"))
    assert not prepared.streamed
    assert isinstance(prepared.part("train"), TensorData)


@pytest.mark.parametrize("stream", ["auto", "on", "off"])
def test_data_above_the_limit_streams(table, scans, monkeypatch, stream):
    monkeypatch.setattr(source_module, "STREAM_BYTES", 1000)
    for spec in (DataSpec(source=str(table), label="kind"), DataSpec(source=str(scans))):
        prepared = prepare_data(spec.replace(stream=stream))
        assert prepared.streamed == (stream != "off")
        assert isinstance(prepared.part("train"), StreamData) == prepared.streamed
        assert isinstance(prepared.part("validation"), TensorData)
        assert len(prepared.raw) == sum(len(part) for part in prepared.parts.values())


def test_the_limit_counts_the_columns_that_are_read(table, monkeypatch):
    monkeypatch.setattr(source_module, "STREAM_BYTES", 400 * 8 * 2)
    spec = DataSpec(source=str(table), columns=("a", "b"))
    assert not prepare_data(spec).streamed
    assert prepare_data(spec.replace(columns=("a", "b", "c"))).streamed


@pytest.mark.parametrize("source", ["digits", "table.csv", "frame"])
def test_other_sources_cannot_stream(tmp_path, source):
    frame_of(20).to_csv(tmp_path / "table.csv", index=False)
    given = {"frame": frame_of(20), "table.csv": str(tmp_path / source)}.get(source, source)
    with pytest.raises(ConfigError, match=r"cannot be streamed.*Parquet"):
        prepare_data(DataSpec(label="kind", stream="on"), given)


def test_a_split_has_the_sizes_that_it_has_in_memory(table):
    spec = DataSpec(source=str(table), label="kind", validation=0.1, test=0.2)
    ours, theirs = (prepare_data(spec.replace(stream=way)) for way in ("on", "off"))
    assert {n: len(p) for n, p in ours.parts.items()} == {
        n: len(p) for n, p in theirs.parts.items()
    }


# --- training --------------------------------------------------------------------------------


def test_a_streamed_run_learns(table, tmp_path):
    run = run_of(table, data=LABELLED, epochs=20, optimizer=Adam(lr=1e-2))
    artifact = start_run(run, tmp_path / "run")
    losses = [record["loss"] for record in artifact.history]
    assert losses[-1] < losses[0] - 0.5
    assert [record["step"] for record in artifact.history] == [8 * e for e in range(1, 21)]
    assert artifact.codec.labels.classes == ("down", "up")


class StopAfter(Callback):
    """Stops a run as an error would."""

    def __init__(self, step):
        self.step = step

    def on_step(self, *, step):
        if step == self.step:
            raise InterruptedError


def outcome(folder):
    records = [
        {name: value for name, value in record.items() if not name.endswith("seconds")}
        for record in read_history(folder / "history.jsonl")
    ]
    return records, (folder / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("kind", ["table", "scans"])
def test_a_run_that_is_stopped_anywhere_gives_the_same_weights(kind, request, tmp_path):
    """Also with noise of its own for every batch, drawn when the batch is made."""
    source = request.getfixturevalue(kind)
    data, likelihood = LABELLED, None
    if kind == "scans":
        data, likelihood = {"binarise": "dynamic"}, Bernoulli()
    run = run_of(source, data=data, likelihood=likelihood, batch_size=20, checkpoint_seconds=0.0)
    start_run(run, tmp_path / "whole")
    steps = read_history(tmp_path / "whole" / "history.jsonl")[-1]["step"]
    for step in (1, steps // 2 - 1, steps // 2, steps // 2 + 1, steps - 1):
        folder = tmp_path / f"stopped-{step}"
        with pytest.raises(InterruptedError):
            start_run(run, folder, callbacks=[StopAfter(step)])
        resume_run(folder)
        assert outcome(folder) == outcome(tmp_path / "whole")


def test_changed_data_is_refused(table, tmp_path):
    run = run_of(table, data=LABELLED, checkpoint_seconds=0.0)
    with pytest.raises(InterruptedError):
        start_run(run, tmp_path / "run", callbacks=[StopAfter(3)])
    frame = pd.read_parquet(table / "2.parquet")
    frame.loc[99, "e"] += 1.0
    frame.to_parquet(table / "2.parquet", index=False)
    with pytest.raises(ArtifactError, match="data has changed"):
        resume_run(tmp_path / "run")


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(categories=4)])
def test_a_value_outside_the_support_is_found_before_training(tmp_path, likelihood):
    x = np.random.default_rng(0).integers(0, 2, (300, 3)).astype(float)
    x[290, 1] = 7.0
    pd.DataFrame(x, columns=["a", "b", "c"]).to_parquet(tmp_path / "a.parquet")
    run = run_of(tmp_path / "a.parquet", likelihood=likelihood, data={"scaling": "none"})
    with pytest.raises(DataError, match=r"outside the support.*got 7"):
        start_run(run, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_data_that_any_likelihood_takes_is_not_read_for_it(table, monkeypatch):
    run = run_of(table, data=LABELLED)
    prepared = prepare_data(run.data)
    checked = []
    monkeypatch.setattr(run_module, "STREAMED_CHECKED_ROWS", 10)
    monkeypatch.setattr(Likelihood, "check", lambda self, x: checked.append(len(x)))
    build_model(run.composition, prepared)
    assert sum(checked) == 20 + len(prepared.part("validation"))


# --- measuring -------------------------------------------------------------------------------


def close(ours, theirs):
    """Equal metrics; rows were scored in the same batches, up to single precision."""
    for name in KEYS:
        expected = theirs[name]
        assert ours[name] == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_metrics_are_those_of_the_same_rows_in_memory(finished, table, tmp_path):
    artifact = load(finished)
    frame_of(70, 9).to_parquet(tmp_path / "new.parquet")
    raw = load_data(tmp_path / "new.parquet", label="kind")
    memory = TensorData.of(raw, artifact.codec)
    found = evaluate_run(finished, tmp_path / "new.parquet", samples=20)
    own = prepare_data(open_run(finished)[0].data, codec=artifact.codec).part("train")
    train = sample_of(own, 20_000)
    close(found, evaluate_model(artifact.model, memory, samples=20, train=train))

    prepared = prepare_data(DataSpec(source=str(table), label="kind", stream="on"))
    raw = load_data(table, label="kind")
    parts = {
        name: TensorData.of(raw.subset(prepared.part(name).part.rows()), artifact.codec)
        for name in ("train", "test")
    }
    expected = evaluate_model(artifact.model, parts["test"], samples=20, train=parts["train"])
    assert expected["knn_accuracy"] is not None
    close(evaluate_run(finished, samples=20), expected)


def test_of_many_rows_a_sample_is_measured_and_said_so(finished, monkeypatch):
    monkeypatch.setattr(evaluation, "MEASURED_ROWS", 25)
    monkeypatch.setattr(evaluation, "NEIGHBOUR_ROWS", 50)
    found = evaluate_run(finished, samples=5)
    assert found["n"] == 25
    assert "measured on 25 of 40 rows, spread evenly over them" in found["notes"]
    assert found["knn_accuracy"] is not None


def test_a_sample_of_a_stream_is_in_memory(finished, table):
    prepared = prepare_data(DataSpec(source=str(table), label="kind", stream="on"))
    train = prepared.part("train")
    some = sample_of(train, 30)
    assert isinstance(some, TensorData)
    assert len(some) == 30
    assert len(sample_of(train, most_bytes=5 * 4 * 7)) == 7
    memory = prepared.part("validation")
    assert sample_of(memory, 1) is memory


def test_metrics_say_where_data_has_changed_since(finished, table):
    frame = pd.read_parquet(table / "0.parquet")
    frame.loc[0, "a"] += 1.0
    frame.to_parquet(table / "0.parquet", index=False)
    assert any("data has changed" in note for note in evaluate_run(finished, samples=2)["notes"])


def test_the_report_of_a_streamed_run(finished):
    metrics = evaluate_run(finished, samples=2)
    page = report_run(finished, metrics).read_text(encoding="utf-8")
    assert "400 rows of 5" in page
    assert "PPCA-2" in page


def test_the_report_of_streamed_images(scans, tmp_path):
    start_run(run_of(scans, likelihood=Bernoulli(), epochs=1), tmp_path / "run")
    metrics = evaluate_run(tmp_path / "run", samples=2)
    assert "80 rows of 1 × 4 × 4" in report_run(tmp_path / "run", metrics).read_text("utf-8")


def test_streamed_runs_compare_with_each_other_and_with_baselines(finished, table, tmp_path):
    other = tmp_path / "other"
    start_run(run_of(table, data=LABELLED, epochs=1), other)
    rows = compare_runs([finished, other], ["pca"], samples=5)
    assert [row["name"] for row in rows] == ["run", "other", "pca"]
    assert {row["n"] for row in rows} == {40}
    start_run(run_of(table, data=LABELLED | {"stream": "off"}, epochs=1), tmp_path / "memory")
    with pytest.raises(ConfigError, match="streamed its data and the other did not"):
        compare_runs([finished, tmp_path / "memory"], [], samples=5)


# --- other data ------------------------------------------------------------------------------


@pytest.fixture
def read(finished, tmp_path):
    """Other data as a model of the run reads it."""

    def other(frame, **options):
        path = tmp_path / "new.parquet"
        frame.to_parquet(path, index=False)
        return other_data(load(finished), run_of(path, data=LABELLED).data, path, **options)

    return other


def test_columns_are_found_by_name(read):
    frame = frame_of(30, 5)
    shuffled = frame[["kind", "c", "a", "e", "b", "d"]].assign(more=1.0)
    assert torch.equal(next(read(frame).batches(30)).x, next(read(shuffled).batches(30)).x)


@pytest.mark.parametrize("change", [{"kind": "sideways"}, None])
def test_labels_that_nobody_needs_may_be_missing_or_new(read, change):
    frame = frame_of(30, 5)
    frame = frame.drop(columns="kind") if change is None else frame.assign(**change)
    batch = next(read(frame).batches(30))
    assert batch.y is None
    assert torch.equal(batch.x, next(read(frame_of(30, 5)).batches(30)).x)


def test_known_labels_are_read(read):
    assert next(read(frame_of(30, 5)).batches(30)).y is not None


def test_only_the_test_part_or_all(finished, tmp_path):
    path = tmp_path / "new.parquet"
    frame_of(30, 5).assign(use=["train", "test", "test"] * 10).to_parquet(path)
    spec = run_of(path, data=LABELLED | {"split": "use"}).data
    artifact = load(finished)
    for stream in ("on", "off"):
        reading = spec.replace(stream=stream)
        assert len(other_data(artifact, reading, path)) == 20
        assert len(other_data(artifact, reading, path, whole=True)) == 30

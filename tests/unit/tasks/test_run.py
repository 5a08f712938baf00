"""Runs: read, divide, train, stop, go on, save, measure."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vaekit.artifacts import load
from vaekit.data import load as load_data
from vaekit.errors import ArtifactError, ConfigError, DataError
from vaekit.latents import MixtureOfNormals, Point
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from vaekit.models import FlatVAE
from vaekit.networks import MLP, Conv
from vaekit.objectives import ELBO, Linear
from vaekit.spec import from_json, to_json
from vaekit.tasks import (
    Composition,
    DataSpec,
    Run,
    build_model,
    evaluate_run,
    hint_for,
    open_run,
    other_data,
    prepare_data,
    resume_run,
    start_run,
)
from vaekit.training import CHECKPOINT, Callback, Training

SMALL = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=Bernoulli())


def run_of(*, epochs=2, data=None, model=SMALL, **training):
    training = Training(epochs=epochs, **training)
    return Run(data or DataSpec(), Composition(model, ELBO(), training))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run on digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    start_run(run_of(), folder)
    return folder


# --- specs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        DataSpec(),
        DataSpec(source="a.csv", label="y", columns=("a", "b"), context=("c",), scaling="minmax"),
        DataSpec(source="images", size=(28, 20), padding=2, binarise="dynamic", test=0.0),
        Run(),
        run_of(data=DataSpec(seed=7), patience=3, clip=1.0),
        Run(
            DataSpec(context=("labels",)),
            Composition(FlatVAE(encoder=Conv(channels=(8,))), ELBO(beta=Linear(over=0.5))),
        ),
    ],
    ids=lambda s: s.kind,
)
def test_specs_become_json_and_back(spec):
    text = json.dumps(to_json(spec), allow_nan=False)
    again = from_json(json.loads(text))
    assert again == spec
    assert hash(again) == hash(spec)
    assert json.dumps(to_json(again)) == text


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"test": 1.0}, "between 0 and 0.9"),
        ({"validation": -0.1}, "between 0 and 0.9"),
        ({"seed": -1}, "out of bounds"),
        ({"binarise": "often"}, "not one of the choices"),
        ({"size": (0,)}, "out of bounds"),
        ({"colums": ("a",)}, "[Dd]id you mean 'columns'"),
    ],
)
def test_readings_that_make_no_sense(changes, match):
    with pytest.raises(ConfigError, match=match):
        DataSpec().replace(**changes)


def test_data_is_divided_as_asked():
    prepared = prepare_data(DataSpec(validation=0.2, test=0.3, seed=3))
    sizes = {name: len(part) for name, part in prepared.parts.items()}
    assert sizes == {"train": 899, "validation": 359, "test": 539}
    assert prepared.held_out is prepared.parts["test"]
    alone = prepare_data(DataSpec(validation=0.0, test=0.0))
    assert alone.parts.keys() == {"train"}
    assert alone.held_out is alone.part("train")
    with pytest.raises(DataError, match=r"there is no test part.*data\.test=0\.1"):
        alone.part("test")


def test_the_data_proposes_likelihood_and_network():
    hint = hint_for(prepare_data(DataSpec()).codec)
    assert (hint.event_shape, hint.context_dim) == ((1, 8, 8), 0)
    assert hint.likelihood == Gaussian()
    assert isinstance(hint.network, MLP)
    binary = hint_for(prepare_data(DataSpec(binarise="fixed")).codec)
    assert binary.likelihood == Bernoulli()


# --- from data to metrics -----------------------------------------------------------------------


def test_train_load_evaluate(finished):
    artifact = load(finished)
    assert [record["epoch"] for record in artifact.history] == [1, 2]
    assert artifact.provenance["data"] == "digits"
    assert artifact.provenance["step"] == 48
    metrics = evaluate_run(finished, samples=20)
    assert metrics["n"] == 180
    assert metrics["samples"] == 20
    assert metrics["data"] == "digits"
    assert metrics["elbo"] == pytest.approx(-metrics["rate"] - metrics["distortion"])
    assert metrics["elbo"] < metrics["log_marginal"] < 0
    assert evaluate_run(finished, samples=20) == metrics
    json.dumps(metrics, allow_nan=False)


def test_weights_are_determined_by_the_seed_alone(finished, tmp_path):
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    prepared = prepare_data(DataSpec())
    one, two = (build_model(run_of().composition, prepared) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    other = build_model(run_of(seed=1).composition, prepared)
    assert not torch.equal(next(other.parameters()), next(one.parameters()))
    start_run(run_of(), tmp_path / "again")
    files = [folder / "weights.safetensors" for folder in (finished, tmp_path / "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_occupied_folder_is_refused(finished):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(ConfigError, match=r"holds a run already.*--resume"):
        start_run(run_of(), finished)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


@pytest.mark.parametrize("name", ["run.json", "model.json", CHECKPOINT])
def test_each_trace_of_a_run_makes_a_folder_occupied(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigError, match="holds a run already"):
        start_run(run_of(), tmp_path)


# --- stopping and going on ----------------------------------------------------------------------


class Stop(Callback):
    def __init__(self, at, error):
        self.at, self.error = at, error

    def on_step(self, *, step):
        if step == self.at:
            raise self.error


def same_end(one, two):
    """Weights bit by bit; histories but for the clock."""
    files = [f / "weights.safetensors" for f in (one, two)]
    assert files[0].read_bytes() == files[1].read_bytes()
    histories = [
        [{k: v for k, v in record.items() if "seconds" not in k} for record in load(f).history]
        for f in (one, two)
    ]
    assert histories[0] == histories[1]
    found = [evaluate_run(f, samples=5) for f in (one, two)]
    assert found[0] == found[1]


@pytest.mark.parametrize("at", [1, 24, 30])
def test_an_interrupted_run_goes_on_bit_by_bit(finished, tmp_path, at):
    with pytest.raises(KeyboardInterrupt):
        start_run(run_of(), tmp_path / "run", callbacks=[Stop(at, KeyboardInterrupt())])
    assert not (tmp_path / "run" / "model.json").exists()
    resume_run(tmp_path / "run")
    same_end(finished, tmp_path / "run")


def test_a_run_that_died_before_its_first_checkpoint_starts_again(finished, tmp_path):
    with pytest.raises(ZeroDivisionError):
        start_run(run_of(), tmp_path / "run", callbacks=[Stop(30, ZeroDivisionError())])
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    resume_run(tmp_path / "run")
    same_end(finished, tmp_path / "run")


def test_resuming_a_finished_run_changes_nothing(finished, tmp_path):
    before = (finished / "weights.safetensors").read_bytes()
    resume_run(finished)
    assert (finished / "weights.safetensors").read_bytes() == before
    assert len(load(finished).history) == 2


def test_data_that_changed_since_is_refused(tmp_path):
    path = tmp_path / "rows.npz"
    x = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(path, x=x)
    run = run_of(data=DataSpec(source=str(path)), model=FlatVAE(encoder=MLP(hidden=(4,))))
    with pytest.raises(KeyboardInterrupt):
        start_run(run, tmp_path / "run", callbacks=[Stop(1, KeyboardInterrupt())])
    np.savez(path, x=x + 1 + x**2)
    with pytest.raises(ArtifactError, match="the data has changed since the run began"):
        resume_run(tmp_path / "run")


def test_nothing_to_resume(tmp_path):
    with pytest.raises(ArtifactError, match=r"run\.json: no such file"):
        resume_run(tmp_path)
    with pytest.raises(ArtifactError, match="no such file"):
        open_run(tmp_path / "nothing")


def test_a_run_that_is_refused_in_its_first_step_leaves_its_folder_free(tmp_path):
    """A point has no rate, so no term would train the mixture."""
    refused = FlatVAE(latent_dim=2, posterior=Point(), prior=MixtureOfNormals(components=3))
    with pytest.raises(ConfigError, match="stay untrained"):
        start_run(run_of(model=refused), tmp_path / "run")
    start_run(run_of(), tmp_path / "run")


# --- other data ---------------------------------------------------------------------------------


def test_codes_of_other_data_are_probed_by_the_training_rows_of_the_run(tmp_path):
    digits = load_data("digits")
    own, other = tmp_path / "own.npz", tmp_path / "other.npz"
    np.savez(own, x=digits.x[:300], y=digits.labels[:300])
    np.savez(other, x=digits.x[300:400], y=digits.labels[300:400])
    training = Training(epochs=1)
    run = Run(DataSpec(source=str(own)), Composition(FlatVAE(latent_dim=2), training=training))
    start_run(run, tmp_path / "run")
    found = evaluate_run(tmp_path / "run", str(other), samples=2)
    assert 0.05 < found["knn_accuracy"] <= 1
    own.unlink()
    found = evaluate_run(tmp_path / "run", str(other), samples=2)
    assert found["knn_accuracy"] is None
    assert "no probes of the codes: the run's own training rows cannot be read" in found["notes"]


def test_other_data_is_read_with_the_codec_of_the_run(finished, tmp_path):
    images = load_data("digits").x[:50]
    np.savez(tmp_path / "same.npz", x=images)
    np.savez(tmp_path / "dark.npz", x=images // 4)
    same = evaluate_run(finished, str(tmp_path / "same.npz"), samples=5)
    dark = evaluate_run(finished, str(tmp_path / "dark.npz"), samples=5)
    assert same["n"] == dark["n"] == 50
    assert same["data"] == str(tmp_path / "same.npz")
    # Were the codec fitted anew, the dark images would be scaled up to look like the others.
    x = load(finished).codec.encode(images // 4)
    assert float(x.max()) <= 4
    assert dark["mse"] != pytest.approx(same["mse"], rel=0.05)


def test_a_table_is_scaled_as_in_training(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "train.npz", x=rng.normal(size=(80, 3)))
    np.savez(tmp_path / "other.npz", x=rng.normal(size=(40, 3)) + 100.0)
    run = run_of(
        data=DataSpec(source=str(tmp_path / "train.npz")),
        model=FlatVAE(encoder=MLP(hidden=(4,)), likelihood=Gaussian(scale=1.0)),
    )
    start_run(run, tmp_path / "run")
    own = evaluate_run(tmp_path / "run", samples=5)
    other = evaluate_run(tmp_path / "run", str(tmp_path / "other.npz"), samples=5)
    assert own["mse"] < 3
    assert other["mse"] > 1_000


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.zeros((5, 9, 9), np.uint8), r"images of another shape.*got \(5, 9, 9\)"),
        (np.full((5, 8, 8), 200, np.uint8), r"pixel values out of range.*got 200"),
        (np.full((5, 8, 8), 0.5), "images of another dtype.*uint8"),
        (np.full((5, 8, 8), np.nan), r"pixel \(0, 0\) holds 5 value\(s\) that are not finite"),
        (np.zeros((0, 8, 8), np.uint8), "there is no data"),
    ],
)
def test_other_data_that_does_not_fit(finished, tmp_path, x, match):
    np.savez(tmp_path / "other.npz", x=x)
    with pytest.raises(DataError, match=match):
        evaluate_run(finished, str(tmp_path / "other.npz"), samples=2)


# --- likelihood and data ------------------------------------------------------------------------

GREY = np.random.default_rng(0).integers(0, 256, (40, 12)).astype(float)


@pytest.mark.parametrize(
    ("likelihood", "match"),
    [
        (Bernoulli(), r"outside the support of the likelihood/bernoulli; expected .*, got \d+"),
        (ContinuousBernoulli(), "outside the support of the likelihood/continuous-bernoulli"),
        (DiscretisedLogistic(), "outside the support of the likelihood/discretised-logistic"),
        (Categorical(categories=10), r"outside.*expected codes 0\.\.9, got \d+.*right number of"),
    ],
    ids=lambda v: getattr(v, "kind", ""),
)
def test_values_outside_the_support_are_refused_before_anything_is_written(
    tmp_path, likelihood, match
):
    np.savez(tmp_path / "grey.npz", x=GREY)
    data = DataSpec(source=str(tmp_path / "grey.npz"), scaling="none")
    run = run_of(data=data, model=FlatVAE(encoder=MLP(hidden=(4,)), likelihood=likelihood))
    with pytest.raises(DataError, match=rf"row \d+, element \(\d+,\): a value {match}"):
        start_run(run, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_wrong_value_in_the_test_rows_is_found_before_training(tmp_path):
    x = np.zeros((10, 3))
    x[::2] = 1.0
    x[9] = 7.0
    np.savez(
        tmp_path / "d.npz", x_train=x[:8], y_train=np.arange(8), x_test=x[8:], y_test=np.arange(2)
    )
    data = DataSpec(source=str(tmp_path / "d.npz"), scaling="none")
    with pytest.raises(DataError, match=r"row 1, element .*got 7"):
        start_run(run_of(data=data), tmp_path / "run")


def test_data_that_changed_is_seen_though_scaling_hides_it(tmp_path):
    path, x = tmp_path / "d.npz", np.random.default_rng(0).normal(size=(40, 3))
    np.savez(path, x=x)
    model = FlatVAE(encoder=MLP(hidden=(8,)), likelihood=Gaussian(scale=1.0))
    start_run(run_of(data=DataSpec(source=str(path)), model=model), tmp_path / "run")
    np.savez(path, x=5 * x)
    with pytest.raises(ArtifactError, match=r"d\.npz: the data has changed since the run began"):
        resume_run(tmp_path / "run")
    notes = evaluate_run(tmp_path / "run", samples=1)["notes"]
    assert any("the data has changed since training" in note for note in notes)


def test_measuring_training_rows_is_said(tmp_path):
    start_run(run_of(epochs=1, data=DataSpec(validation=0.0, test=0.0)), tmp_path / "run")
    notes = evaluate_run(tmp_path / "run", samples=1)["notes"]
    assert "measured on the training rows: none were held out" in notes


@pytest.fixture
def labelled_table(tmp_path):
    """A run on a table with classes, and the numbers of the table."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "k": ["u", "v"] * 30})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run = run_of(
        epochs=1,
        data=DataSpec(source=str(tmp_path / "t.csv"), label="k"),
        model=FlatVAE(encoder=MLP(hidden=(4,)), likelihood=Gaussian(scale=1.0)),
    )
    start_run(run, tmp_path / "run")
    return tmp_path / "run", run, frame


@pytest.mark.parametrize("classes", [None, "unseen"])
def test_new_data_needs_no_known_classes(labelled_table, tmp_path, classes):
    folder, run, frame = labelled_table
    other = frame.drop(columns="k") if classes is None else frame.assign(k=classes)
    other.to_csv(tmp_path / "other.csv", index=False)
    rows = other_data(load(folder), run.data, tmp_path / "other.csv")
    assert rows.y is None
    known = other_data(load(folder), run.data, tmp_path / "t.csv")
    assert known.y is not None
    assert torch.equal(rows.x, known.x)


def test_a_refused_run_leaves_its_folder_free(tmp_path):
    data = DataSpec(source="digits", validation=0.0)
    with pytest.raises(ConfigError, match="patience needs held-out data"):
        start_run(run_of(data=data, patience=3), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()

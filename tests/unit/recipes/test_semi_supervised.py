"""Rows without labels, from a table or hidden on purpose, on their way to a model and back."""

import numpy as np
import pandas as pd
import pytest
import torch

from vaekit.artifacts import load
from vaekit.data import DataCodec, LabelCodec, RawData, TensorData
from vaekit.data.unlabelled import hidden, missing
from vaekit.errors import ConfigError, DataError
from vaekit.networks import MLP
from vaekit.recipes import compose, find
from vaekit.spec import from_json, replace_at, to_json
from vaekit.tasks import (
    DataSpec,
    Run,
    build_model,
    evaluate_run,
    hint_for,
    other_data,
    prepare_data,
    start_run,
)
from vaekit.tasks.representation import ModelRepresentation

RECIPE = "semi-supervised-vae"
READING = find(RECIPE).reading


def table(path, labels, rows=60):
    x = np.random.default_rng(0).normal(size=(rows, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=list(labels) * (rows // len(labels)))
    frame.to_csv(path, index=False)
    return str(path)


def composition(prepared, epochs, **changes):
    made = compose(RECIPE, hint_for(prepared.codec))
    settings = {"training.epochs": epochs, "model.encoder": MLP(hidden=(64,)), **changes}
    for name, value in settings.items():
        made = replace_at(made, name, value)
    return made


# --- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [["u", "", "v"], [1, None, 4]], ids=["text", "numbers"])
def test_empty_cells_become_codes_of_minus_one_and_contexts_of_zeros(tmp_path, labels):
    source = table(tmp_path / "t.csv", labels)
    spec = DataSpec(source=source, label="y", validation=0, test=0, **READING)
    rows = prepare_data(spec).part("train")
    assert sorted(np.unique(rows.y).tolist()) == [-1, 0, 1]
    batch = next(iter(rows.batches(60)))
    assert (batch.c.sum(-1) == (batch.y >= 0)).all()
    names = rows.codec.labels.decode(batch.y)
    assert sorted(np.unique(names).tolist()) == ["", *sorted(str(n) for n in labels if n)]


def test_empty_cells_are_refused_unless_they_are_to_be_kept(tmp_path):
    source = table(tmp_path / "t.csv", ["u", "", "v"])
    with pytest.raises(DataError, match=r"'y' is empty in rows 1, 4.*data.unlabelled=keep"):
        prepare_data(DataSpec(source=source, label="y"))


def test_a_codec_that_keeps_such_rows_still_refuses_unknown_classes():
    codec = LabelCodec.fit(np.array(["u", "", "v"]), unlabelled="keep")
    assert codec.classes == ("u", "v")
    assert codec.encode(["", "v"]).tolist() == [-1, 1]
    assert from_json(to_json(codec), role="codec") == codec
    with pytest.raises(DataError, match=r"unknown label 'w' in row 1"):
        codec.encode(["", "w"])
    with pytest.raises(DataError, match=r"codes out of range"):
        LabelCodec(("u", "v")).decode(np.array([-1]))


def test_a_column_of_labels_that_is_empty_says_so(tmp_path):
    source = table(tmp_path / "t.csv", [""])
    with pytest.raises(DataError, match=r"labels: no row has a label.*got 60 empty ones"):
        prepare_data(DataSpec(source=source, label="y", **READING))


def test_one_class_is_not_told_apart(tmp_path):
    prepared = prepare_data(
        DataSpec(source=table(tmp_path / "t.csv", ["u", ""]), label="y", **READING)
    )
    with pytest.raises(ConfigError, match=r"there is only one; expected .* two classes") as caught:
        build_model(compose(RECIPE, hint_for(prepared.codec)), prepared)
    assert "--label" not in str(caught.value)


def test_data_without_labels_at_all_has_contexts_of_zeros():
    raw = RawData(np.eye(4), labels=["u", "v", "u", "v"])
    codec = DataCodec.fit(raw, context="labels", unlabelled="keep", scaling="none")
    batch = next(iter(TensorData.of(RawData(np.eye(4)), codec).batches(4)))
    assert batch.y is None
    assert not batch.c.any()


@pytest.mark.parametrize("recipe", ["conditional-vae"])
def test_a_conditional_model_refuses_rows_without_labels(tmp_path, recipe):
    source = table(tmp_path / "t.csv", ["u", "", "v"])
    prepared = prepare_data(DataSpec(source=source, label="y", **READING))
    with pytest.raises(ConfigError, match=r"some rows may lack.*semi-supervised-vae"):
        build_model(compose(recipe, hint_for(prepared.codec)), prepared)


def test_labels_are_hidden_evenly_over_the_classes_and_in_training_only():
    spec = DataSpec(labelled=40, **READING)
    parts = prepare_data(spec).parts
    y = parts["train"].y
    assert y[y >= 0].bincount().tolist() == [4] * 10
    assert (parts["test"].y >= 0).all()
    assert (parts["train"].y == prepare_data(spec).part("train").y).all()
    assert (parts["train"].y != prepare_data(spec.replace(labelled=50)).part("train").y).any()


def test_hiding_leaves_all_labels_where_there_are_no_more():
    labels = np.array(["u", "", "v", "v"])
    assert (hidden(labels, np.arange(4), 9, seed=0) == labels).all()
    assert missing(hidden(labels, np.arange(3), 1, seed=0)).sum() == 2


def test_settings_that_contradict_each_other():
    with pytest.raises(ConfigError, match=r"hidden must be kept.*unlabelled=keep"):
        DataSpec(labelled=5)
    with pytest.raises(ConfigError, match=r"in memory only.*stream=off"):
        DataSpec(stream="on", unlabelled="keep")


# --- runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_with_five_labels_of_each_digit_it_names_most_digits(tmp_path, seed):
    data = DataSpec(labelled=50, **READING)
    prepared = prepare_data(data)
    made = composition(prepared, 20, **{"training.seed": seed})
    artifact = start_run(Run(data, made), tmp_path / "run", prepared=prepared)
    found = evaluate_run(tmp_path / "run", samples=2, prepared=prepared)
    assert found["label_accuracy"] > 0.6  # chance: 0.1
    rows = prepared.part("test")
    x = next(iter(rows.batches(len(rows)))).x
    predicted = ModelRepresentation(artifact.model).predict(x.numpy())
    assert np.mean(predicted == rows.y.numpy()) == pytest.approx(found["label_accuracy"])
    proba = ModelRepresentation(artifact.model).predict_proba(x.numpy())
    assert proba.shape == (len(x), 10)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)


def test_a_table_with_empty_cells_trains_and_reads_new_rows_without_labels(tmp_path):
    source = table(tmp_path / "t.csv", ["u", "", "v"])
    data = DataSpec(source=source, label="y", **READING)
    prepared = prepare_data(data)
    start_run(Run(data, composition(prepared, 1)), tmp_path / "run", prepared=prepared)
    found = evaluate_run(tmp_path / "run", samples=2, prepared=prepared)
    assert found["label_accuracy"] is not None
    artifact = load(tmp_path / "run")
    new = tmp_path / "new.csv"
    pd.read_csv(source).drop(columns="y").to_csv(new, index=False)
    rows = other_data(artifact, data, str(new))
    batch = next(iter(rows.batches(60)))
    assert not batch.c.any()
    with torch.no_grad():
        assert artifact.model.classify(batch.x).mean.shape == (60, 2)
    found = evaluate_run(tmp_path / "run", str(new), samples=2)
    assert found["label_accuracy"] is None


def test_models_without_a_classifier_do_not_predict():
    prepared = prepare_data(DataSpec())
    model = build_model(compose("vae", hint_for(prepared.codec)), prepared)
    with pytest.raises(ConfigError, match=r"does not classify.*semi-supervised-vae"):
        ModelRepresentation(model).predict(np.zeros((1, 1, 8, 8)))

"""Features of a classifier: they tell classes apart, come out the same, and are kept."""

import sys

import numpy as np
import pytest
import torch

from vaekit.data import AsIs, TensorData
from vaekit.errors import ArtifactError, ConfigError
from vaekit.metrics import Pixels, features_of
from vaekit.networks import MLP
from vaekit.tasks import Classifier, DataSpec, features_from_text, prepare_data

QUICK = Classifier(network=MLP(hidden=(16,)), rows=600, epochs=3)


@pytest.fixture(scope="module")
def digits():
    return prepare_data(DataSpec())


def test_the_classifier_tells_the_digits_apart(digits):
    features = Classifier(epochs=20).fit(digits.part("train"), 10)
    test = next(iter(digits.part("test").batches(1_000)))
    with torch.no_grad():
        right = features.head(features(test.x)).argmax(1) == test.y
    assert float(right.double().mean()) > 0.9
    assert features(test.x).shape == (len(test), 128)


def test_its_loss_is_the_cross_entropy(digits):
    features = QUICK.fit(digits.part("train"), 10)
    batch = next(iter(digits.part("test").batches(50)))
    evidence = features.evidence(batch.y.unsqueeze(1).float(), batch.x)
    expected = torch.nn.functional.cross_entropy(
        features.head(features(batch.x)), batch.y, reduction="none"
    )
    torch.testing.assert_close(evidence.distortion[0], expected)
    torch.testing.assert_close(evidence.elbo, evidence.log_px)


def test_the_same_rows_give_the_same_features(digits):
    x = next(iter(digits.part("test").batches(50))).x
    first, again = (QUICK.fit(digits.part("train"), 10)(x) for _ in range(2))
    assert torch.equal(first, again)
    other = QUICK.replace(seed=1).fit(digits.part("train"), 10)(x)
    assert not torch.equal(first, other)


def test_it_is_kept_with_the_run(digits, tmp_path, monkeypatch):
    x = next(iter(digits.part("test").batches(50))).x
    text = "classifier:rows=600:epochs=1"
    first = features_from_text(text, folder=tmp_path, prepared=digits)
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "fit", None)
        kept = features_from_text(text, folder=tmp_path, prepared=digits)
    assert torch.equal(first(x), kept(x))
    other = features_from_text(f"{text}:seed=3", folder=tmp_path, prepared=digits)
    assert not torch.equal(first(x), other(x))
    (tmp_path / "features" / "classifier.safetensors").write_bytes(b"broken")
    with pytest.raises(ArtifactError, match="cannot read the weights"):
        features_from_text(f"{text}:seed=3", folder=tmp_path, prepared=digits)


def test_rows_without_a_label_are_left_out(digits):
    batch = next(iter(digits.part("train").batches(200)))
    y = torch.where(torch.arange(200) % 2 == 0, batch.y, -1)
    some = QUICK.fit(TensorData(AsIs(), batch.x, y=y), 10)
    half = QUICK.fit(TensorData(AsIs(), batch.x[::2], y=batch.y[::2]), 10)
    assert torch.equal(some(batch.x), half(batch.x))
    with pytest.raises(ConfigError, match="learns from labels"):
        QUICK.fit(TensorData(AsIs(), batch.x, y=torch.full_like(y, -1)), 10)


def test_auto_needs_labels_for_a_classifier(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, 3)))
    plain = prepare_data(DataSpec(source=str(tmp_path / "x.npy")))
    assert features_from_text("auto", folder=tmp_path, prepared=plain) == Pixels()
    assert features_from_text("pixels:most=9", folder=tmp_path, prepared=plain) == Pixels(most=9)
    with pytest.raises(ConfigError, match="and the run's data has none"):
        features_from_text("classifier", folder=tmp_path, prepared=plain)
    rows = TensorData(AsIs(), torch.zeros(4, 3))
    with pytest.raises(ConfigError, match="learns from labels"):
        Classifier().fit(rows, 2)


def test_functions_of_the_users(digits, tmp_path, monkeypatch):
    (tmp_path / "mine_of_test_features.py").write_text(
        "def mean(x):\n    return x.flatten(1).mean(1, keepdim=True)\nnumber = 3\n"
    )
    (tmp_path / "broken_of_test_features.py").write_text("def mean(x:\n")
    (tmp_path / "raising_of_test_features.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    found = features_from_text("mine_of_test_features:mean", folder=tmp_path, prepared=digits)
    x = next(iter(digits.part("test").batches(50))).x
    assert features_of(found, [x])[:, 0].tolist() == pytest.approx(x.flatten(1).mean(1).tolist())
    assert str(tmp_path) not in sys.path
    for text, match in {
        "mine_of_test_features:number": "features are a function; got int",
        "mine_of_test_features:absent": "cannot import the features",
        "no_such_module_at_all:f": "cannot import the features",
        "clasifier": "Did you mean .classifier.",
        ":mean": "unknown features ':mean'",
        ".relative:mean": "unknown features '.relative:mean'",
        "broken_of_test_features:mean": "cannot import the features.*SyntaxError",
        "raising_of_test_features:mean": "cannot import the features.*ZeroDivisionError",
    }.items():
        with pytest.raises(ConfigError, match=match):
            features_from_text(text, folder=tmp_path, prepared=digits)

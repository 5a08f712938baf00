"""What a search can compare is known before it trains; what it cannot is not pruned by."""

import numpy as np
import pytest
from tests.unit.tasks.tuning.test_search import MODEL, SPACE, SPEED, make, search

from vaekit.errors import ConfigError
from vaekit.metrics import MEASURES
from vaekit.models import SemiSupervisedVAE
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, Run, prepare_data, tune_run
from vaekit.tasks.run import build_model
from vaekit.tasks.tuning import Choice, Tuning
from vaekit.tasks.tuning import trials as trials_module
from vaekit.tasks.tuning.metric import metric_for, watched
from vaekit.training import Training

SCALES = {"model.likelihood.scale": Choice(("0.1", "1.0", "3.0"))}


def test_errors_are_not_pruned_by_nats_of_different_scales(tmp_path):
    run, prepared = make(tmp_path)
    said = []
    found = tune_run(
        run,
        SPACE | SCALES,
        tmp_path / "search",
        prepared=prepared,
        tuning=Tuning(trials=10, metric="mse"),
        say=said.append,
    )
    assert {row.state for row in found.rows} == {"complete"}  # 0.1 has many more nats than 3.0
    assert list(found.notes) == said == found.to_json()["notes"]
    assert len(said) == 1
    assert said[0].startswith("no trial is pruned: mse ")
    assert said[0].endswith("model.likelihood.scale")


def test_what_is_watched_has_one_unit():
    measures = {measure.key: measure for measure in MEASURES}
    assert watched(measures["mse"], SPACE) == ("valid_distortion", "")
    for key in ("model.likelihood.scale", "model.likelihood", "model"):
        assert watched(measures["mse"], [key])[0] is None
    assert watched(measures["mse"], ["model.likelihoods"])[0] == "valid_distortion"
    for key in ("elbo", "log_marginal", "distortion"):  # what is compared is itself in nats
        assert watched(measures[key], SCALES)[0] is not None
    assert watched(measures["knn_accuracy"], SCALES) == (None, "")


def test_a_search_is_still_pruned_by_distortion_under_one_likelihood(tmp_path):
    found, _ = search(tmp_path, trials=12, metric="mse")
    assert {row.state for row in found.rows} == {"complete", "pruned"}
    assert not found.notes


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("frechet", "compares samples by features.*vaekit evaluate OUT/best --features"),
        ("coverage", "compares samples by features"),
        ("mig", "needs the factors that made the data"),
        ("dci_completeness", "needs the factors that made the data"),
        ("label_accuracy", "no classifier of its own.*semi-supervised-vae"),
        ("linear_r2", "needs numbers beside the data.*data.numbers.*--metric elbo"),
        ("knn_accuracy", "needs classes as labels.*--metric elbo"),
        ("ari", "needs classes as labels"),
        ("psnr", "needs images"),
        ("ssim", "needs images"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_a_trial(tmp_path, monkeypatch, metric, says):
    monkeypatch.setattr(trials_module, "Trainer", None)  # nothing is trained
    with pytest.raises(ConfigError, match=f"no {metric} to tune by: .*{says}"):
        search(tmp_path, trials=1, metric=metric)
    assert not (tmp_path / "search").exists()


def test_images_too_small_for_ssim_and_codes_in_two_groups_are_refused():
    digits, semi = _digits(MODEL), _digits(SemiSupervisedVAE(), context=("labels",))
    with pytest.raises(ConfigError, match=r"no ssim to tune by: images smaller.*--metric elbo"):
        metric_for("ssim", *digits, SPACE)
    with pytest.raises(ConfigError, match=r"no marginal_kl to tune by: .*one latent group"):
        metric_for("marginal_kl", *semi, SPACE)
    assert metric_for("label_accuracy", *semi, SPACE).key == "label_accuracy"
    for key in ("psnr", "marginal_kl", "logistic_accuracy", "nmi", "trustworthiness", "mse"):
        assert metric_for(key, *digits, SPACE).key == key


def _digits(model, **reading):
    prepared = prepare_data(DataSpec(validation=0.2, **reading))
    return build_model(Composition(model, ELBO(), Training(speed=SPEED)), prepared), prepared


def test_accuracies_and_gaps_are_tuned_by(tmp_path):
    draw = np.random.default_rng(0)
    y = draw.integers(2, size=90)
    path = tmp_path / "classes.npz"
    np.savez(path, x=draw.normal(size=(90, 5)) + 3 * y[:, None], y=y)
    data = DataSpec(source=str(path), validation=0.2)
    composition = Composition(MODEL, ELBO(), Training(epochs=1, speed=SPEED))
    tuned = search(
        tmp_path,
        run=(Run(data, composition), prepare_data(data)),
        trials=2,
        metric="logistic_accuracy",
    )[0]
    assert tuned.best.value > 0.9
    shapes = DataSpec(source="shapes", validation=0.05)
    prepared = prepare_data(shapes)
    model = build_model(composition, prepared)
    assert metric_for("mig", model, prepared, SPACE).key == "mig"


@pytest.mark.parametrize("notes", [[], ["no mse: as it is"], ["something else"]])
def test_what_is_missing_at_the_end_has_a_reason(tmp_path, monkeypatch, notes):
    monkeypatch.setattr(
        trials_module, "evaluate_model", lambda *_, **__: {"mse": None, "notes": notes}
    )
    with pytest.raises(ConfigError) as caught:
        search(tmp_path, trials=1, metric="mse")
    reason = caught.value.message.removeprefix("no mse to tune by: ")
    assert reason in ("as it is", "something else") if notes else reason.startswith("neither")

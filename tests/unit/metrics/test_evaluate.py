"""The table of metrics against each metric computed alone."""

import json
import math
from types import SimpleNamespace

import pytest
import sklearn.neighbors
import torch

from vaekit.errors import ConfigError, DataError
from vaekit.latents import MixtureOfNormals, Point
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.metrics import (
    KEYS,
    MEASURES,
    Instruments,
    Pixels,
    active_units,
    cluster_agreement,
    decibels,
    elbo_surgery,
    evaluate_model,
    frechet_distance,
    linear_r2,
    logistic_accuracy,
    mig,
    posterior_means,
    rate_by_dimension,
    sap,
    score,
    structural_similarity,
    trustworthiness,
)
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP


class Data:
    """Rows in memory."""

    def __init__(self, x, y=None, c=None):
        self.x, self.y, self.c = x, y, c

    def batches(self, size, train=False):
        assert not train
        for start in range(0, len(self.x), size):
            rows = slice(start, start + size)
            y, c = (None if t is None else t[rows] for t in (self.y, self.c))
            yield SimpleNamespace(x=self.x[rows], y=y, c=c)


@pytest.fixture
def x():
    return torch.randn(23, 6, dtype=torch.float64) * torch.linspace(3, 0.5, 6)


def flat(**parts):
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), **parts)
    return spec.build(event_shape=(6,)).double()


@pytest.mark.parametrize("batch_size", [5, 500])
def test_every_number(x, batch_size):
    model = LinearVAE().build(event_shape=(6,)).double().set_maximum_likelihood(x)
    found = evaluate_model(model, Data(x), samples=20, seed=4, batch_size=batch_size)
    assert tuple(found) == (*KEYS, "notes")
    alone = score(model, x, samples=20, seed=4, first_row=0)
    for name in ("elbo", "log_marginal", "rate", "distortion"):
        values = getattr(alone, name)
        assert found[name] == pytest.approx(float(values.mean()), abs=1e-9), name
        error = float(values.std()) / 23**0.5
        assert found[f"{name}_error"] == pytest.approx(error, abs=1e-9), name
    exact = float(model.exact_log_marginal(x).detach().mean())
    assert found["log_marginal"] == pytest.approx(exact, abs=1e-9)
    gap = (model.decode(model.encode(x).mean).mean - x).detach().square()
    assert found["mse"] == pytest.approx(float(gap.mean()), abs=1e-12)
    assert found["mse_error"] == pytest.approx(float(gap.mean(1).std()) / 23**0.5, abs=1e-12)
    assert found["active_units"] == active_units(posterior_means(model, x)) == 2
    assert (found["n"], found["samples"], found["knn_accuracy"]) == (23, 20, None)
    assert found["notes"] == []


def test_an_autoencoder_has_no_likelihoods_but_the_rest(x):
    found = evaluate_model(flat(posterior=Point()), Data(x))
    undefined = {name for name, value in found.items() if value is None}
    measured = {"mse", "mse_error", "trustworthiness", "trustworthiness_error"}
    assert undefined == set(KEYS) - {"n", *measured}
    (note,) = found["notes"]
    assert "its posterior 'posterior/point' is a point, with no density" in note


def test_grey_values_under_bernoulli_get_a_note(x):
    model = flat(likelihood=Bernoulli())
    grey = evaluate_model(model, Data(x.sigmoid()), samples=4, batch_size=5)
    binary = evaluate_model(model, Data((x > 0).double()), samples=4)
    assert any("cross-entropy" in note for note in grey["notes"])
    assert binary["notes"] == []


def test_accuracy_of_the_codes(x):
    model = flat()
    y = torch.arange(23) % 3
    train = torch.randn(40, 6, dtype=torch.float64)
    found = evaluate_model(
        model, Data(x, y), samples=1, batch_size=7, train=Data(train, torch.arange(40) % 3)
    )
    direct = sklearn.neighbors.KNeighborsClassifier(5)
    direct.fit(model.encode(train).mean.detach().numpy(), (torch.arange(40) % 3).numpy())
    assert found["knn_accuracy"] == direct.score(model.encode(x).mean.detach().numpy(), y.numpy())


def test_too_few_training_rows_to_vote_are_a_note_and_no_error(x):
    train = Data(x[:4], torch.arange(4) % 2)
    found = evaluate_model(flat(), Data(x, torch.arange(23) % 2), samples=1, train=train)
    assert found["knn_accuracy"] is None
    assert "no knn_accuracy: it needs 5 training rows, got 4" in found["notes"]


@pytest.mark.parametrize("y", [None, torch.linspace(0, 1, 23)], ids=["none", "numbers"])
def test_without_classes_there_is_no_accuracy(x, y):
    found = evaluate_model(flat(), Data(x, y), samples=1, train=Data(x, torch.arange(23) % 2))
    assert found["knn_accuracy"] is None
    assert any("no knn_accuracy" in note for note in found["notes"])


def test_contexts_are_used(x):
    spec = FlatVAE(encoder=MLP(hidden=(8,)), likelihood=Gaussian(scale=1.0))
    model = spec.build(event_shape=(6,), context_dim=2).double()
    c = torch.randn(23, 2, dtype=torch.float64)
    found = evaluate_model(model, Data(x, c=c), samples=20, batch_size=4)
    expected = score(model, x, c, samples=20, first_row=0).log_marginal
    assert found["log_marginal"] == pytest.approx(float(expected.mean()), abs=1e-9)


def test_a_likelihood_without_a_mean_gets_a_note(x, monkeypatch):
    model = flat()

    def refuse(x, c=None):
        raise ConfigError("a Cauchy has no mean in closed form")

    monkeypatch.setattr(model, "reconstruct", refuse)
    found = evaluate_model(model, Data(x), samples=1)
    assert found["mse"] is None
    assert found["notes"] == ["no mse: a Cauchy has no mean in closed form"]


def test_the_table_is_json_even_for_one_row(x):
    found = evaluate_model(flat(), Data(x[:1]), samples=2)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["elbo_error"] is None


def test_no_rows_are_refused(x):
    with pytest.raises(DataError, match="no rows to evaluate"):
        evaluate_model(flat(), Data(x[:0]))


def test_the_rate_and_its_parts(x):
    model = flat()
    found = evaluate_model(model, Data(x), samples=3, seed=4, batch_size=7)
    (kl,) = rate_by_dimension(model, x, seed=4)
    assert found["kl"] == pytest.approx(kl.tolist(), abs=1e-12)
    assert sum(found["kl"]) == pytest.approx(found["rate"], abs=1e-12)
    parts = elbo_surgery(model, Data(x), seed=4)
    assert found["mutual_information"] == pytest.approx(parts.mutual_information, abs=1e-12)
    assert found["marginal_kl_error"] == pytest.approx(parts.marginal_kl_error, abs=1e-12)
    assert found["mutual_information"] + found["marginal_kl"] == pytest.approx(found["rate"])
    assert found["surgery_rows"] == 23


def test_codes_at_the_bound_of_the_information_get_a_note(x):
    model = flat()
    free = evaluate_model(model, Data(x), samples=1)
    assert free["notes"] == []
    with torch.no_grad():
        model.posterior.head.weight[2:] = 0.0
        model.posterior.head.bias[2:] = -6.0  # log σ: narrower than the means are apart
    found = evaluate_model(model, Data(x), samples=1)
    assert found["mutual_information"] == pytest.approx(math.log(23), abs=0.1)
    (note,) = found["notes"]
    assert note.startswith("mutual_information is at its bound, log 23 = 3.14 nats")


def test_reconstructions_of_images():
    images = torch.rand(9, 1, 12, 12, dtype=torch.float64)
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=Bernoulli())
    model = spec.build(event_shape=(1, 12, 12)).double()
    found = evaluate_model(
        model, Data(images), samples=1, batch_size=4, instruments=Instruments(peak=1.0)
    )
    made = model.reconstruct(images).detach()
    assert found["psnr"] == pytest.approx(float(decibels(images, made).mean()), abs=1e-9)
    assert found["ssim"] == pytest.approx(float(structural_similarity(images, made).mean()))
    small = spec.build(event_shape=(1, 8, 8)).double()
    found = evaluate_model(
        small, Data(images[..., :8, :8]), samples=1, instruments=Instruments(peak=1.0)
    )
    assert found["ssim"] is None
    assert any(note.startswith("no ssim: images smaller") for note in found["notes"])


def test_codes_are_probed_for_classes_or_numbers(x):
    model, train = flat(), torch.randn(40, 6, dtype=torch.float64)
    y, known = (x[:, 0] > 0).long(), (train[:, 0] > 0).long()
    found = evaluate_model(model, Data(x, y), samples=1, batch_size=7, train=Data(train, known))
    codes, seen = posterior_means(model, x), posterior_means(model, train)
    assert found["logistic_accuracy"] == logistic_accuracy(seen, known, codes, y)
    assert (found["ari"], found["nmi"]) == cluster_agreement(codes, y)
    assert found["linear_r2"] is None
    assert found["trustworthiness"] == pytest.approx(trustworthiness(x, codes), abs=1e-12)
    numbers = evaluate_model(model, Data(x, x[:, 0]), samples=1, train=Data(train, train[:, 0]))
    assert numbers["linear_r2"] == linear_r2(seen, train[:, 0], codes, x[:, 0])
    assert numbers["knn_accuracy"] is None


def test_samples_are_compared_by_features(x):
    model, data = flat(), Data(torch.cat([x, x + 0.1]))
    given = Instruments(features=Pixels(), generated=40, draw=True)
    found = evaluate_model(model, data, samples=1, batch_size=7, instruments=given)
    assert (found["features"], found["generated"]) == ("pixels", 40)
    for name in ("frechet", "kernel_distance", "precision", "recall", "density", "coverage"):
        assert found[name] is not None, name
        assert found[f"{name}_error"] >= 0, name
    again = evaluate_model(model, data, samples=1, batch_size=7, instruments=given)
    assert again == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    plain = evaluate_model(model, data, samples=1, batch_size=7)
    assert plain["frechet"] is None


@pytest.mark.parametrize("draw", [True, False])
@pytest.mark.parametrize("c", [None, torch.linspace(-1, 1, 46, dtype=torch.float64)[:, None]])
def test_samples_do_not_depend_on_the_batches(x, draw, c):
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)))
    model = spec.build(event_shape=(6,), context_dim=0 if c is None else 1).double()
    data = Data(torch.cat([x, x + 0.1]), c=c)
    given = Instruments(features=Pixels(), draw=draw)
    found = [
        evaluate_model(model, data, samples=1, batch_size=size, instruments=given)
        for size in (7, 46, 500)
    ]
    assert found[0]["frechet"] == found[1]["frechet"] == found[2]["frechet"]
    assert found[0]["coverage"] == found[1]["coverage"] == found[2]["coverage"]


def test_samples_of_large_rows_differ_though_few_are_drawn_at_a_time(monkeypatch):
    monkeypatch.setattr("vaekit.metrics.likelihood.MAX_ELEMENTS", 60)
    made = []

    def seen(rows):
        made.append(rows)
        return rows.flatten(1)

    given = Instruments(features=seen, draw=False)
    evaluate_model(flat(), Data(torch.randn(46, 6, dtype=torch.float64)), instruments=given)
    assert len(made[1].unique(dim=0)) == 46


def test_few_rows_for_many_features_get_a_note(x):
    given = Instruments(features=lambda rows: rows.repeat(1, 8)[:, :46])
    data = torch.cat([x, x + 0.1])
    notes = evaluate_model(flat(), Data(data), samples=1, instruments=given)["notes"]
    assert any(note.startswith("frechet of 46 rows by 46 features") for note in notes)
    more = evaluate_model(flat(), Data(torch.cat([data, data + 0.2])), instruments=given)["notes"]
    assert not any(note.startswith("frechet of") for note in more)


def test_samples_of_the_true_model_are_like_the_data():
    """Rows that the model made are as far from its samples as two samples of one population."""
    model = LinearVAE(latent_dim=2).build(event_shape=(3,)).double()
    model.set_maximum_likelihood(
        torch.randn(500, 3, dtype=torch.float64) * torch.tensor([3, 2, 1])
    )
    with torch.no_grad():
        data = model.sample(2_000).sample()
    given = Instruments(features=Pixels(), draw=True)
    found = evaluate_model(model, Data(data), samples=1, instruments=given)
    assert abs(found["kernel_distance"]) < 4 * found["kernel_distance_error"]
    assert found["precision"] == pytest.approx(found["recall"], abs=0.05)
    means = evaluate_model(
        model, Data(data), samples=1, instruments=Instruments(features=Pixels())
    )
    assert means["frechet"] > 3 * found["frechet"]  # E[x|z] lacks the noise


def test_too_few_rows_for_sampling_errors_are_a_note(x):
    given = Instruments(features=Pixels())
    found = evaluate_model(flat(), Data(x[:15]), samples=1, instruments=given)
    assert found["frechet"] is None
    assert any("no distances between samples: too few rows" in note for note in found["notes"])


def test_any_function_can_give_the_features(x):
    model, data = flat(), Data(torch.cat([x, x + 0.1]))
    made = []

    def seen(rows):
        made.append(rows)
        return rows.flatten(1)

    found = evaluate_model(model, data, samples=1, instruments=Instruments(features=seen))
    assert found["features"] == "seen"
    assert torch.equal(made[0], data.x)
    assert found["frechet"] == pytest.approx(float(frechet_distance(*made)), rel=1e-9)


def test_codes_are_compared_with_known_factors(x):
    data = Data(x.repeat(20, 1))
    data.factors = (data.x[:, :2] > 0).long()
    model = flat()
    found = evaluate_model(model, data, samples=1, batch_size=100)
    means = posterior_means(model, data.x)
    assert found["mig"] == mig(means, data.factors)
    assert found["sap"] == sap(means, data.factors)
    assert evaluate_model(model, Data(x), samples=1)["mig"] is None


def test_what_alone_is_asked_for_is_as_in_the_whole_table():
    x = torch.rand(60, 1, 12, 12)
    data = Data(x, torch.arange(60) % 2)
    data.factors = (x.flatten(1)[:, :2] > 0.5).long()
    spec = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)))
    model = spec.build(event_shape=(1, 12, 12))
    model.classify = lambda x: SimpleNamespace(mean=x.flatten(1)[:, :2])
    asked = {
        "samples": 3,
        "train": data,
        "instruments": Instruments(peak=1.0, features=Pixels(), generated=40),
    }
    whole = evaluate_model(model, data, **asked)
    absent = {m.key for m in MEASURES if whole[m.key] is None}
    assert absent == {"linear_r2"}  # of numbers, and these are classes
    for part in {measure.part for measure in MEASURES}:
        keys = [measure.key for measure in MEASURES if measure.part == part]
        found = evaluate_model(model, data, only=keys[:1], **asked)
        assert {key: found[key] for key in keys} == {key: whole[key] for key in keys}
        others = [measure.key for measure in MEASURES if measure.part != part]
        assert {found[key] for key in others} == {None}, part
        assert list(found) == list(whole)


def test_the_rate_by_dimension_has_draws_of_its_own_for_each_row(x):
    """Of a mixture, whose KL is estimated: whatever the batches, and near the rate."""
    model, many = flat(prior=MixtureOfNormals(components=5, spread=2.0)), x.repeat(20, 1)
    found = [evaluate_model(model, Data(many), samples=30, batch_size=b) for b in (7, 500)]
    assert found[0]["kl"] == pytest.approx(found[1]["kl"], abs=1e-9)
    (kl,) = rate_by_dimension(model, many, samples=4)
    assert found[0]["kl"] == pytest.approx(kl.tolist(), abs=1e-9)
    spread = model.evidence(many, samples=30).rate.detach().var(0).mean()
    error = float(spread / (4 * 460) + spread / (30 * 460)) ** 0.5
    assert sum(found[0]["kl"]) == pytest.approx(found[0]["rate"], abs=4 * error)


def test_values_that_are_not_finite_are_notes_and_no_numbers(x):
    """One row overflows in single precision; the table is JSON all the same."""
    model, y = flat().float(), torch.arange(23) % 2
    rows = x.float()
    rows[4, 2] = 1e25
    known = Data(x.float(), y)
    given = Instruments(features=Pixels())
    found = evaluate_model(model, Data(rows, y), samples=2, train=known, instruments=given)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for name in ("elbo", "log_marginal", "distortion"):
        assert found[name] is found[f"{name}_error"] is None
        assert f"no {name}: not finite in 1 of 23 rows" in found["notes"]


def test_codes_that_are_not_finite_are_notes_and_no_numbers(x, monkeypatch):
    model, y = flat(), torch.arange(23) % 2
    honest = model.encode

    def broken(rows, c=None):
        q = honest(rows, c)
        q.mean[0] = torch.nan
        return q

    monkeypatch.setattr(model, "encode", broken)
    found = evaluate_model(model, Data(x, y), samples=2, train=Data(x, y))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    names = ("knn_accuracy", "logistic_accuracy", "ari", "trustworthiness", "active_units", "kl")
    for name in names:
        assert found[name] is None
        assert any(
            note.startswith(f"no {name}") and "not finite" in note for note in found["notes"]
        )


def test_numbers_beside_the_rows_are_read_from_the_codes(x):
    model, train = flat(), torch.randn(40, 6, dtype=torch.float64)
    data, known = Data(x), Data(train)
    data.numbers, known.numbers = x[:, :2], train[:, :2]
    found = evaluate_model(model, data, samples=1, batch_size=7, train=known)
    codes, seen = posterior_means(model, x), posterior_means(model, train)
    expected = [linear_r2(seen, train[:, i], codes, x[:, i]) for i in range(2)]
    assert found["linear_r2"] == pytest.approx(sum(expected) / 2, rel=1e-12)
    assert found["linear_r2_error"] > 0
    assert evaluate_model(model, data, samples=1, train=Data(train))["linear_r2"] is None


def test_one_class_is_a_note_and_no_perfect_score(x):
    y = torch.ones(23, dtype=torch.int64)
    found = evaluate_model(flat(), Data(x, y), samples=1, train=Data(x, y))
    for name in ("knn_accuracy", "logistic_accuracy", "ari", "nmi"):
        assert found[name] is None
    for name in ("knn_accuracy", "logistic_accuracy", "ari or nmi"):
        (note,) = (note for note in found["notes"] if note.startswith(f"no {name}: "))
        assert "nothing to tell apart; expected at least 2 classes, got 1" in note
    numbers = torch.ones(23, dtype=torch.float64)
    found = evaluate_model(flat(), Data(x, numbers), samples=1, train=Data(x, x[:, 0]))
    assert found["linear_r2"] is None
    assert any("no linear_r2: targets: no variance to explain" in n for n in found["notes"])


def test_one_row_has_no_active_units(x):
    found = evaluate_model(flat(), Data(x[:1]), samples=1)
    assert found["active_units"] is None
    assert any(
        note.startswith("no active_units: no variance over rows") for note in found["notes"]
    )

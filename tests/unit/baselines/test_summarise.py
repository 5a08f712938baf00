"""One table for baselines and models: the same keys, the same numbers where both have them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets
import sklearn.decomposition
import sklearn.neighbors
import torch

from vaekit.baselines import PCA, PPCA, FactorAnalysis, summarise
from vaekit.errors import DataError
from vaekit.metrics import Instruments, Pixels, evaluate_model, mig, psnr
from vaekit.models import LinearVAE


@pytest.fixture(scope="module")
def digits():
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    x = x.reshape(-1, 1, 8, 8) / 16
    return x[:1200], y[:1200], x[1200:], y[1200:]


@pytest.mark.parametrize("spec", [PCA(), PPCA(), FactorAnalysis()], ids=lambda spec: spec.kind)
def test_every_number(digits, spec):
    train, train_labels, test, labels = digits
    found = summarise(spec.build(), train, test, labels=(train_labels, labels))
    fitted = spec.build().fit(train)
    gap = (fitted.reconstruct(test) - test) ** 2
    assert found["mse"] == pytest.approx(gap.mean(), rel=1e-12)
    rows = gap.reshape(len(test), -1).mean(1)
    assert found["mse_error"] == pytest.approx(rows.std(ddof=1) / np.sqrt(len(test)), rel=1e-12)
    probe = sklearn.neighbors.KNeighborsClassifier(5).fit(fitted.encode(train), train_labels)
    assert found["knn_accuracy"] == probe.score(fitted.encode(test), labels)
    assert found["n"] == len(test)
    log_prob = fitted.score_samples(test)
    if log_prob is None:
        assert found["log_marginal"] is None
    else:
        assert found["log_marginal"] == pytest.approx(log_prob.mean(), rel=1e-12)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_probabilistic_pca_and_the_linear_vae_share_a_table(digits):
    train, _, test, _ = digits
    found = summarise(PPCA(latent_dim=3).build(), train, test)
    model = LinearVAE(latent_dim=3).build(event_shape=(1, 8, 8)).double()
    model.set_maximum_likelihood(torch.from_numpy(train))
    batch = SimpleNamespace(x=torch.from_numpy(test), y=None, c=None)
    other = evaluate_model(model, SimpleNamespace(batches=lambda size, train: [batch]), samples=1)
    assert list(found) == list(other)
    for name in (
        *("n", "mse", "mse_error", "log_marginal", "log_marginal_error", "active_units"),
        "trustworthiness",
    ):
        assert found[name] == pytest.approx(other[name], rel=1e-9), name
    assert found["elbo"] is None
    assert found["samples"] is None


def test_samples_and_codes_are_measured_as_those_of_models_are(digits):
    train, train_labels, test, labels = digits
    given = Instruments(peak=1.0, features=Pixels(), generated=100)
    found = summarise(
        PPCA(latent_dim=8).build(),
        train,
        test,
        labels=(train_labels, labels),
        instruments=given,
    )
    fitted = PPCA(latent_dim=8).build().fit(train)
    x, made = torch.from_numpy(test), torch.from_numpy(fitted.reconstruct(test))
    assert found["psnr"] == pytest.approx(psnr(x, made), rel=1e-12)
    assert found["generated"] == 100
    assert 0 < found["frechet_error"] < found["frechet"]
    assert 0.8 < found["logistic_accuracy"] <= 1
    assert 0.3 < found["ari"] < found["nmi"] < 1


def test_pca_has_no_likelihood(digits):
    found = summarise(PCA().build(), digits[0], digits[2])
    assert found["active_units"] is None
    assert found["knn_accuracy"] is None
    assert found["notes"] == ["no likelihoods: PCA is not a density"]


def test_codes_are_compared_with_known_factors(digits):
    train, _, test, labels = digits
    factors = np.stack([labels, labels % 2], axis=1)
    found = summarise(PCA().build(), train, test, test_factors=factors)
    assert found["mig"] == mig(PCA().build().fit(train).encode(test), factors)
    assert found["dci_informativeness"] > 0.4


def test_too_few_training_rows_to_vote_are_a_note_and_no_error(digits):
    train, train_labels, test, labels = digits
    found = summarise(PCA().build(), train[:4], test, labels=(train_labels[:4], labels))
    assert found["knn_accuracy"] is None
    assert "no knn_accuracy: it needs 5 training rows, got 4" in found["notes"]


def test_bad_rows_are_refused(digits):
    test = digits[2].copy()
    test[3, 0, 1, 2] = np.inf
    with pytest.raises(DataError, match=r"row 3, element \(0, 1, 2\)"):
        summarise(PCA().build(), digits[0], test)

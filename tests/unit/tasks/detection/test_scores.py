"""Scores of a detector against exact densities, and against each other."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal

from vaekit import VAEDetector
from vaekit.metrics import auroc
from vaekit.networks import MLP

SCORINGS = (
    "elbo",
    "weighted_elbo",
    "reconstruction_probability",
    "iwae",
    "reconstruction_error",
    "tail",
)


def correlated(rows, seed=0):
    """Four columns that follow from two numbers."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 2))
    mixing = np.array([[1.0, 0.5, -1.0, 0.2], [0.0, 1.0, 1.0, -0.7]])
    return z @ mixing + 0.3 * rng.normal(size=(rows, 4))


@pytest.fixture(scope="module")
def linear():
    """A detector with linear networks, whose density is a normal that can be written down."""
    x = correlated(400)
    detector = VAEDetector(
        encoder=MLP(hidden=()), scoring="iwae", n_draws=4000, steps=1500, random_state=0
    )
    return detector.fit(x), x


def parts_of(detector):
    """W, b and σ of the linear decoder, in standardised units."""
    model = detector.model_.double()
    with torch.no_grad():
        origin = model.decode(torch.zeros(1, 2, dtype=torch.float64)).parts[0]
        weight = model.decode(torch.eye(2, dtype=torch.float64)).parts[0].mean - origin.mean
    return (
        weight.numpy().T,
        origin.mean.numpy()[0],
        np.broadcast_to(origin.stddev.numpy(), (1, 4))[0],
    )


def exact_log_density(detector, x):
    """log N(x; b, W Wᵀ + diag σ²)."""
    weight, loc, scale = parts_of(detector)
    normal = multivariate_normal(loc, weight @ weight.T + np.diag(scale**2))
    return normal.logpdf(detector.codec_.x.encode(x).double().numpy())


def kl_to_exact_posterior(detector, x):
    """KL(q(z|x) ‖ p(z|x)), both normal: p has precision I + Wᵀ diag σ⁻² W."""
    weight, loc, scale = parts_of(detector)
    stored = detector.codec_.x.encode(x).double()
    with torch.no_grad():
        q = detector.model_.double().encode(stored)
    precision = np.eye(2) + weight.T @ (weight / scale[:, None] ** 2)
    mean = np.linalg.solve(precision, ((stored.numpy() - loc) / scale**2 @ weight).T).T
    gap, variance = q.mean.numpy() - mean, q.stddev.numpy() ** 2
    trace = (np.diag(precision) * variance).sum(1)
    distance = np.einsum("ni,ij,nj->n", gap, precision, gap)
    log_dets = np.log(variance).sum(1) + np.linalg.slogdet(precision)[1]
    return 0.5 * (trace + distance - 2 - log_dets)


def test_iwae_reaches_the_exact_density(linear):
    detector, x = linear
    exact = exact_log_density(detector, x[:50])
    assert -detector.anomaly_scores(x[:50]) == pytest.approx(exact, abs=0.05)


def test_the_elbo_misses_the_density_by_the_divergence_from_the_exact_posterior(linear):
    detector, x = linear
    detector.set_params(scoring="elbo", n_draws=20_000)
    gap = exact_log_density(detector, x[:50]) + detector.anomaly_scores(x[:50])
    detector.set_params(scoring="iwae", n_draws=4000)
    assert gap == pytest.approx(kl_to_exact_posterior(detector, x[:50]), abs=0.05)


def test_reconstruction_probability_is_the_elbo_without_its_rate():
    x = correlated(200)
    detector = VAEDetector(scoring="elbo", steps=200, random_state=0).fit(x)
    elbo = detector.anomaly_scores(x)
    latent = detector.explain(x).contributions["(latent)"].to_numpy()
    alone = detector.set_params(scoring="reconstruction_probability").anomaly_scores(x)
    kept = 2.0**-35 * abs(elbo).max()  # scores are kept to a part in 2³⁶, terms as they are
    assert alone == pytest.approx(elbo - latent, abs=kept)
    assert (latent > 0).all()
    weighted = detector.set_params(scoring="weighted_elbo", rate_weight=3.0).anomaly_scores(x)
    assert weighted == pytest.approx(elbo + 2 * latent, abs=3 * kept)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_rows_far_from_the_data_score_higher(scoring):
    x = correlated(500)
    strange = correlated(50, seed=1)
    strange[:, 0] += 6.0
    detector = VAEDetector(scoring=scoring, steps=400, random_state=0).fit(x)
    usual = correlated(50, seed=2)
    scores = np.concatenate([detector.anomaly_scores(usual), detector.anomaly_scores(strange)])
    assert auroc(np.repeat([0, 1], 50), scores) > 0.95
    assert detector.score_samples(strange).mean() < detector.score_samples(usual).mean()


@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_score_depends_on_its_row_alone(scoring):
    x = correlated(300)
    detector = VAEDetector(scoring=scoring, steps=50, random_state=0).fit(x)
    whole = detector.anomaly_scores(x)
    order = np.random.default_rng(0).permutation(300)
    assert detector.anomaly_scores(x[order]) == pytest.approx(whole[order], abs=1e-9)
    one_by_one = [detector.anomaly_scores(x[i : i + 1])[0] for i in range(5)]
    assert one_by_one == pytest.approx(whole[:5], abs=1e-9)


def test_an_error_is_squared_in_model_units():
    x = correlated(200)
    detector = VAEDetector(
        posterior="point", scoring="reconstruction_error", steps=200, random_state=0
    ).fit(x)
    stored = detector.codec_.x.encode(x).double()
    with torch.no_grad():
        expected = (stored - detector.model_.double().reconstruct(stored)).square().sum(1)
    assert detector.anomaly_scores(x) == pytest.approx(expected.numpy(), rel=1e-9)


def test_an_autoencoder_has_no_bound():
    detector = VAEDetector(posterior="point", steps=20, random_state=0)
    with pytest.raises(ValueError, match="point, with no density"):
        detector.fit(correlated(50))


def test_tail_scores_are_ranks_among_training_rows():
    x = correlated(100)
    detector = VAEDetector(scoring="tail", steps=50, random_state=0).fit(x)
    found = np.exp(-detector.explain(x).contributions.to_numpy())
    ranks = np.sort(found, axis=0) * 101
    assert ranks == pytest.approx(np.repeat(np.arange(1, 101)[:, None] + 0.0, 5, 1) + 1, abs=1e-6)


def mixed(rows=600):
    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    table = pd.DataFrame(
        {
            "height": size + 0.1 * rng.normal(size=rows),
            "kind": np.where(size > 0, "large", "small"),
            "sold": size > 0.5,
            "count": rng.poisson(np.exp(1 + 0.5 * size)),
        }
    )
    table.loc[::5, "height"] = np.nan
    return table


@pytest.fixture(scope="module")
def seller():
    table = mixed()
    detector = VAEDetector(
        scoring="elbo", column_types={"count": "count"}, steps=600, random_state=0
    )
    return detector.fit(table), table


def test_a_category_that_does_not_fit_the_row_stands_out(seller):
    detector, table = seller
    row = table.iloc[[1]].assign(height=2.5, kind="small", sold=True, count=9)
    assert detector.explain(row).top(1)["column"].tolist() == ["kind"]
    right = row.assign(kind="large")
    assert detector.anomaly_scores(row)[0] > detector.anomaly_scores(right)[0] + 3


def test_what_was_never_met_is_surprising(seller):
    detector, table = seller
    usual = detector.anomaly_scores(table).mean()
    for change in ({"kind": "medium"}, {"kind": None}, {"count": None}):
        assert detector.anomaly_scores(table.iloc[1:4].assign(**change)).min() > usual + 3
    often_missing = table.iloc[1:4].assign(height=np.nan)
    assert detector.anomaly_scores(often_missing).max() < usual + 6


def test_terms_of_missing_cells_are_finite(seller):
    detector, table = seller
    nothing = table.iloc[:2].astype(object)
    nothing[:] = None
    assert np.isfinite(detector.explain(nothing).contributions.to_numpy()).all()

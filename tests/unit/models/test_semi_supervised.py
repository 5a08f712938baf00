"""The semi-supervised VAE: its bounds against sums over classes, its gradients, its classifier."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from vaekit.data import DataCodec, RawData, TensorData
from vaekit.distributions import shared_noise
from vaekit.errors import ConfigError, ShapeError
from vaekit.latents import ConditionalNormal
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.metrics import log_marginal
from vaekit.models import FlatVAE, SemiSupervisedVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import ELBO, BetaTC, ImportanceWeighted, InfoVAE, SemiSupervised
from vaekit.spec import from_json, to_json
from vaekit.training.processes import Share

CLASSES, ROWS, SHAPE = 3, 5, (4,)
NET = MLP(hidden=(6,), activation="tanh")


def model(**parts):
    parts = {"encoder": NET, "likelihood": Bernoulli(), "prior": ConditionalNormal()} | parts
    spec = SemiSupervisedVAE(latent_dim=1, **parts)
    built = spec.build(event_shape=SHAPE, context_dim=CLASSES).double()
    with torch.no_grad():  # away from the symmetry of the first weights
        for parameter in built.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    return built


def binary():
    return torch.randint(2, (ROWS, *SHAPE)).double()


def one_hot(*codes):
    return torch.eye(CLASSES).double()[list(codes)]


def conditional(of):
    """The same parts as a VAE conditioned on the class."""
    parts = (of.encoder, of.decoder, of.prior, of.posterior, of.likelihood)
    return VAEModel(*parts, context_dim=CLASSES)


def given_each_class(of, x, z):
    """log p(x|y, z) − KL(y), log weights and log p(y), by the conditional model: (C, K, B)."""
    every = [one_hot(*[code] * len(x)) for code in range(CLASSES)]
    found = [conditional(of).evidence(x, y, given=[z]) for y in every]
    log_p = of.class_logits.log_softmax(0).reshape(-1, 1, 1)
    return (*(torch.stack([getattr(e, n) for e in found]) for n in ("elbo", "log_weight")), log_p)


# --- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_prior", ["uniform", "learned"])
def test_with_all_labels_it_is_the_conditional_vae_and_log_p_of_the_label(class_prior):
    ours, x, c = model(class_prior=class_prior), binary(), one_hot(0, 2, 1, 1, 0)
    z = torch.randn(2, ROWS, 1).double()
    theirs = conditional(ours).evidence(x, c, given=[z])
    log_p = ours.class_logits.log_softmax(0) @ c.T
    evidence = ours.evidence(x, c, given=[z])
    torch.testing.assert_close(evidence.elbo, theirs.elbo + log_p, rtol=0, atol=1e-10)
    torch.testing.assert_close(evidence.log_weight, theirs.log_weight + log_p, rtol=0, atol=1e-10)
    loss = SemiSupervised(alpha=0.0)(evidence)
    torch.testing.assert_close(loss.total, ELBO()(theirs).total - log_p.mean(), rtol=0, atol=1e-10)


def test_without_labels_the_bound_is_the_sum_over_classes_and_the_entropy():
    ours, x, z = model(class_prior="learned"), binary(), torch.randn(3, ROWS, 1).double()
    bounds, log_weights, log_p = given_each_class(ours, x, z)
    mass = ours.classifier(x).softmax(-1).T.unsqueeze(1)
    expected = (mass * (bounds + log_p - mass.log())).sum(0)
    for c in (None, torch.zeros(ROWS, CLASSES).double()):
        evidence = ours.evidence(x, c, given=[z])
        torch.testing.assert_close(evidence.elbo, expected)
        torch.testing.assert_close(evidence.log_weight, (log_weights + log_p).logsumexp(0))
        torch.testing.assert_close(evidence.log_px, evidence.log_px_elements.sum(-1))


def test_rows_with_and_without_labels_share_a_batch():
    ours, x, z = model(), binary(), torch.randn(1, ROWS, 1).double()
    c = one_hot(0, 2, 1, 1, 0)
    c[1] = c[3] = 0
    known = torch.tensor([True, False, True, False, True])
    both = ours.evidence(x, c, given=[z]).elbo[0]
    with_labels = ours.evidence(x[known], c[known], given=[z[:, known]]).elbo[0]
    without = ours.evidence(x[~known], given=[z[:, ~known]]).elbo[0]
    torch.testing.assert_close(both[known], with_labels)
    torch.testing.assert_close(both[~known], without)


def exact_log_marginal(of, x):
    """log p(x) by quadrature over z and enumeration over y."""
    grid = torch.linspace(-12, 12, 4001).double().reshape(-1, 1, 1)
    step = math.log(24 / 4000)
    terms = []
    for code in range(CLASSES):
        y = one_hot(code)
        px = of.decode(grid.expand(-1, len(x), 1), y.expand(len(x), -1))
        log_joint = px.log_prob(x) + of.prior(y).log_prob(grid)
        terms.append(log_joint.logsumexp(0) + step + of.class_logits.log_softmax(0)[code])
    return torch.stack(terms).logsumexp(0)


def test_bounds_lie_below_the_exact_likelihood_and_reach_it_with_samples():
    ours, x = model(class_prior="learned"), binary()
    with torch.no_grad():
        exact = exact_log_marginal(ours, x)
        bound = ours.evidence(x, samples=4000).elbo.mean(0)
    assert (bound <= exact + 0.02).all()
    torch.testing.assert_close(log_marginal(ours, x, samples=20_000), exact, rtol=0, atol=0.03)


def test_a_score_does_not_depend_on_batch_mates():
    ours, x = model(), binary()
    with shared_noise(3):
        together = ours.evidence(x, samples=2).log_weight
    with shared_noise(3):
        alone = ours.evidence(x[2:3], samples=2).log_weight
    torch.testing.assert_close(together[:, 2:3], alone)


# --- gradients -----------------------------------------------------------------------------------


def gradients(of, loss):
    of.zero_grad()
    loss.backward()
    return {name for name, p in of.named_parameters() if p.grad is not None and p.grad.any()}


@pytest.mark.parametrize("bound", [ELBO(), ImportanceWeighted(samples=2)], ids=lambda o: o.kind)
def test_rows_without_labels_teach_every_part(bound):
    ours = model(class_prior="learned")
    objective = SemiSupervised(bound=bound, share=0.5)
    evidence = ours.evidence(binary(), samples=objective.samples)
    reached = gradients(ours, objective(evidence).total)
    missed = {name for name, _ in ours.named_parameters()} - reached
    skips_classifier = isinstance(bound, ImportanceWeighted)  # y is summed out of its bound
    assert all(name.startswith("classifier") for name in missed)
    assert bool(missed) == skips_classifier


def test_the_classifier_learns_from_labels_by_alpha_alone():
    ours, x, c = model(), binary(), one_hot(0, 2, 1, 1, 0)
    z = torch.randn(1, ROWS, 1).double()

    def of_classifier(alpha):
        reached = gradients(
            ours, SemiSupervised(alpha=alpha, share=1.0)(ours.evidence(x, c, given=[z])).total
        )
        return {name for name in reached if name.startswith("classifier")}

    assert not of_classifier(0.0)
    assert of_classifier(0.1) == {
        f"classifier.{name}" for name, _ in ours.classifier.named_parameters()
    }


def test_the_cross_entropy_is_that_of_the_labelled_rows():
    ours, x, c = model(), binary(), one_hot(0, 2, 1, 1, 0)
    c[0] = 0
    loss = SemiSupervised(alpha=2.0, share=0.8)(evidence := ours.evidence(x, c))
    expected = nn.functional.cross_entropy(ours.classifier(x[1:]), torch.tensor([2, 1, 1, 0]))
    torch.testing.assert_close(loss.terms["classification"], expected.detach())
    torch.testing.assert_close(loss.total, -evidence.elbo.mean() + 2 * expected)


def few_labels(rows=40, labelled=6):
    """Binary rows of which few have a label, and the codec that reads them."""
    classes = np.array(["a", "b", "c"])
    names = np.where(np.arange(rows) < labelled, classes[np.arange(rows) % 3], "")
    raw = RawData(np.random.default_rng(0).integers(0, 2, (rows, *SHAPE)), labels=names)
    codec = DataCodec.fit(raw, context="labels", unlabelled="keep", scaling="none")
    return TensorData.of(raw, codec)


@pytest.mark.parametrize("size", [1, 7, 16, 40])
def test_over_an_epoch_its_mean_is_that_of_all_labelled_rows_whatever_the_batch(size):
    data, ours = few_labels(), model().float()
    objective = SemiSupervised(alpha=1.0).for_data(data)
    whole = next(data.batches(40))
    expected = nn.functional.cross_entropy(ours.classifier(whole.x[:6]), whole.y[:6]).item()
    total = 0.0
    for batch in data.epoch(size, seed=0, epoch=0):
        loss = objective(ours.evidence(batch.x, batch.c))
        total += float(loss.terms["classification"]) * len(batch) / len(data)
    assert total == pytest.approx(expected, rel=1e-5)


def test_the_terms_of_two_shares_sum_to_those_of_the_batch():
    """One process holds all labels, the other none: gradients are scaled by shares of rows."""
    data, ours = few_labels(), model().float()
    objective = SemiSupervised(alpha=1.0).for_data(data)
    batch = next(data.batches(9))
    expected = objective(ours.evidence(batch.x, batch.c)).terms["classification"]
    found = 0.0
    for rank in range(2):
        share = Share(SimpleNamespace(count=2), 9, rank=rank)
        part = share.part(batch)
        loss = objective(ours.evidence(part.x, part.c))
        found += share.share * loss.terms["classification"]
    torch.testing.assert_close(found, expected)


def test_who_says_how_many_rows_have_a_label():
    data = few_labels()
    assert SemiSupervised().for_data(data).share == 6 / 40
    assert SemiSupervised(share=0.5).for_data(data).share == 0.5
    held_out = data.head(6)  # all of them have a label
    assert SemiSupervised().for_data(data).for_held_out(held_out).share == 1.0
    evidence = model().evidence(binary())
    with pytest.raises(ConfigError, match=r"share of the training rows.*training loop does so"):
        SemiSupervised()(evidence)
    assert SemiSupervised(share=0.0)(evidence).terms["classification"] == 0
    assert SemiSupervised(alpha=0.0)(evidence).total.isfinite()


# --- use -----------------------------------------------------------------------------------------


def test_codes_and_reconstructions_take_the_label_or_the_most_probable_class():
    ours, x = model(), binary()
    guess = one_hot(*ours.classify(x).mean.argmax(-1).tolist())
    c = one_hot(0, 2, 1, 1, 0)
    c[2] = 0
    filled = c.clone()
    filled[2] = guess[2]
    theirs = conditional(ours)
    torch.testing.assert_close(ours.encode(x).mean, theirs.encode(x, guess).mean)
    torch.testing.assert_close(ours.encode(x, c).mean, theirs.encode(x, filled).mean)
    torch.testing.assert_close(ours.reconstruct(x, c), theirs.reconstruct(x, filled))


def test_classes_are_drawn_from_their_prior_where_none_is_asked_for():
    ours = model(class_prior="learned", prior=ConditionalNormal())
    torch.manual_seed(0)
    n = 20_000
    with torch.no_grad():
        found = ours.sample(n).mean.mean(0)
        given = [ours.sample(n, one_hot(*[code] * n)).mean.mean(0) for code in range(CLASSES)]
    expected = torch.stack(given).T @ ours.class_logits.softmax(0)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=0.02)


def test_the_spec_survives_json():
    spec = SemiSupervisedVAE(classifier=MLP(hidden=(3,)), class_prior="learned")
    assert from_json(to_json(spec), role="model") == spec


def test_a_classifier_of_your_own():
    own = nn.Linear(4, 7)
    assert model(classifier=own).classifier[0] is own


def test_encoder_and_classifier_see_damaged_rows_and_the_likelihood_clean_ones():
    ours, x, z = (
        model(corruption=nn.Threshold(2.0, 0.0)),
        binary(),
        torch.zeros(1, ROWS, 1).double(),
    )
    evidence = ours.evidence(x, given=[z])
    seen = ours.classify(torch.zeros_like(x)).mean
    torch.testing.assert_close(evidence.guess.mean, seen)
    px = ours.decode(z, one_hot(0).expand(ROWS, -1))
    torch.testing.assert_close(evidence.each[0].log_px, px.log_prob(x))


# --- refusals ------------------------------------------------------------------------------------


def test_what_is_refused():
    with pytest.raises(ConfigError, match=r"at least two classes.*--context labels"):
        SemiSupervisedVAE().build(event_shape=SHAPE)
    with pytest.raises(ConfigError, match=r"optimal scale.*gaussian:scale=shared"):
        model(likelihood=Gaussian())
    with pytest.raises(ConfigError, match=r"not a bound.*elbo or iwae"):
        SemiSupervised(bound=BetaTC())
    flat = FlatVAE(encoder=NET).build(event_shape=SHAPE)
    with pytest.raises(ConfigError, match=r"needs a model with classes"):
        SemiSupervised()(flat.evidence(torch.rand(2, 4)))
    with pytest.raises(ConfigError, match=r"one posterior for each class"):
        InfoVAE()(model().evidence(binary()))
    with pytest.raises(ConfigError, match=r"'stl' needs a single group"):
        SemiSupervised(bound=ELBO(gradient="stl"))(model().evidence(binary()))
    with pytest.raises(ShapeError, match=r"context does not fit"):
        model().evidence(binary(), torch.zeros(ROWS, CLASSES + 1).double())
    with pytest.raises(ConfigError, match=r"classifier is needed beside an encoder of your own"):
        SemiSupervisedVAE(encoder=nn.Flatten(), decoder=NET).build(
            event_shape=SHAPE, context_dim=CLASSES
        )

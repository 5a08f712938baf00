"""The parts of the rate against a mixture, an enumeration of batches, and their sum."""

from itertools import permutations

import pytest
import torch
from torch import distributions as td

from vaekit.distributions import Normal, StandardNormal, TriangularNormal
from vaekit.errors import ConfigError
from vaekit.models import FlatVAE, Node
from vaekit.objectives import ELBO, BetaTC
from vaekit.objectives.total_correlation import rate_parts, sampling_weights


@pytest.fixture
def node():
    q = Normal(torch.randn(6, 3).double(), torch.rand(6, 3).double() + 0.3)
    return Node(q.rsample((2,)), q, StandardNormal(torch.zeros(3).double()))


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_the_parts_sum_to_the_estimated_rate_exactly(sampling, node):
    parts = rate_parts(node, rows=50, sampling=sampling)
    expected = (node.log_q - node.log_p).mean()
    torch.testing.assert_close(sum(parts), expected, rtol=1e-12, atol=1e-12)


def test_they_are_those_of_the_mixture_of_all_posteriors(node):
    """Weighted sampling with N = 1 is the equal mixture of the batch, which torch has too."""
    parts = rate_parts(node, rows=1, sampling="weighted")
    q, equal = node.q, td.Categorical(logits=torch.zeros(6).double())
    joint = td.MixtureSameFamily(equal, td.Independent(td.Normal(q.loc, q.scale), 1))
    log_qz = joint.log_prob(node.z)
    each = td.MixtureSameFamily(
        td.Categorical(logits=torch.zeros(3, 6).double()), td.Normal(q.loc.T, q.scale.T)
    )
    log_product = each.log_prob(node.z).sum(-1)
    torch.testing.assert_close(parts.mutual_information, (node.log_q - log_qz).mean())
    torch.testing.assert_close(parts.total_correlation, (log_qz - log_product).mean())
    torch.testing.assert_close(parts.dimension_wise, (log_product - node.log_p).mean())


@pytest.mark.parametrize("batch", [2, 3, 6])
def test_stratified_weights_are_unbiased_over_all_batches(batch):
    density = torch.rand(6).double()  # q(z|x_n) of some z that came from row 0
    weight = sampling_weights(batch, 6, "stratified", like=density).exp()[0]
    torch.testing.assert_close(weight.sum().item(), 1.0)
    found = [(weight * density[[0, *rest]]).sum() for rest in permutations(range(1, 6), batch - 1)]
    torch.testing.assert_close(torch.stack(found).mean(), density.mean())


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_weights_weigh_the_parts(sampling):
    evidence = FlatVAE(latent_dim=3).build(event_shape=(4,)).evidence(torch.rand(7, 4))
    parts = rate_parts(evidence.nodes[0], rows=70, sampling=sampling)
    loss = BetaTC(alpha=0.5, beta=3.0, gamma=2.0, sampling=sampling, rows=70)(evidence)
    expected = ELBO()(evidence).total - 0.5 * parts[0] + 2 * parts[1] + parts[2]
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(loss.terms["total_correlation"], parts[1].detach())


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_a_batch_of_one_row_is_finite(sampling):
    evidence = FlatVAE(latent_dim=3).build(event_shape=(4,)).evidence(torch.rand(1, 4))
    assert BetaTC(rows=9, sampling=sampling)(evidence).total.isfinite()


def test_a_row_that_is_alone_has_no_total_correlation():
    node = FlatVAE(latent_dim=3).build(event_shape=(4,)).evidence(torch.rand(1, 4)).nodes[0]
    parts = rate_parts(node, rows=1_000, sampling="stratified")
    assert float(parts.total_correlation.detach()) == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(parts.dimension_wise, (node.log_q - node.log_p).mean())


def test_it_wants_to_know_the_number_of_rows():
    evidence = FlatVAE().build(event_shape=(4,)).evidence(torch.rand(3, 4))
    with pytest.raises(ConfigError, match="number of training rows"):
        BetaTC()(evidence)
    assert BetaTC().for_rows(9).rows == 9
    assert BetaTC(rows=5).for_rows(9).rows == 5


def test_coordinates_that_depend_on_each_other_are_refused():
    q = TriangularNormal(torch.zeros(4, 2), torch.eye(2).expand(4, 2, 2))
    node = Node(q.rsample((1,)), q, StandardNormal(torch.zeros(2)))
    with pytest.raises(ConfigError, match="independent"):
        rate_parts(node, rows=4, sampling="weighted")

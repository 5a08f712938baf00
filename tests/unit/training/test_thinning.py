"""Thinned graphs compute the same."""

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from vaekit.training.thinning import thin


def operations(graph):
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def test_what_changes_nothing_goes():
    def function(x):
        y = (x.detach() * 1.0 / 1).pow(1.0)
        return y.t().t().view(2, 3).expand(2, 3) * 2.0

    x = torch.randn(2, 3)
    graph = make_fx(function)(x)
    before = len(operations(graph))
    assert torch.equal(thin(graph)(x), function(x))
    assert operations(graph) == ["aten.mul.Tensor"]
    assert before > 7


def test_what_changes_the_type_or_the_shape_stays():
    def function(x):
        return (x.long() * 1.0).view(3, 2), x.t(), (x[:1] * 1.0).expand(2, 3)

    x = torch.randn(2, 3)
    graph = make_fx(function)(x)
    for one, other in zip(thin(graph)(x), function(x), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_a_graph_that_writes_is_left_alone():
    def function(x):
        y = x.clone().detach()
        y.add_(1.0)
        return y * 1.0

    graph = make_fx(function)(torch.zeros(2))
    before = operations(graph)
    assert operations(thin(graph)) == before
    assert torch.equal(graph(torch.zeros(2)), torch.ones(2))


def test_gradients_survive():
    weight = torch.randn(3, 4)

    def function(weight, x):
        leaf = weight.detach().requires_grad_()
        loss = (x @ leaf.t()).tanh().square().mean()
        return torch.autograd.grad(loss, leaf)[0]

    x = torch.randn(5, 4)
    graph = make_fx(function)(weight, x)
    before = len(operations(graph))
    assert torch.equal(thin(graph)(weight, x), function(weight, x))
    assert len(operations(graph)) < before

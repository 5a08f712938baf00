"""What a graph is given to the compiler as: the same products up to rounding."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from vaekit.baselines.autoencoders import LinearAutoencoder
from vaekit.training import PolicySpec, Training
from vaekit.training.compiling import compiled, suit_narrow_products

WIDE = 300


def operations(graph):
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def narrow(*sizes, seed=0):
    torch.manual_seed(seed)
    return [torch.randn(size).bfloat16() for size in sizes]


def affine(bias, x, weight):
    return torch.addmm(bias, x, weight)


def double(result):
    return result.double()


def assert_rounded_twice(found, bias, x, weight):
    """Off by a rounding of the product and one of the sum, both to eight bits."""
    product = x.double() @ weight.double()
    exact = product + bias.double()
    allowed = 2**-8 * (product.abs() + exact.abs()) + 1e-3
    assert ((double(found) - exact).abs() <= allowed).all()


@pytest.mark.parametrize("bias", [0.0, -75.0])
def test_biases_are_added_apart(bias):
    """Also where product and bias cancel."""
    torch.manual_seed(0)
    x, weight = (torch.rand(size).bfloat16() for size in ((40, WIDE), (WIDE, WIDE)))
    parts = torch.full((WIDE,), bias).bfloat16(), x, weight
    graph = suit_narrow_products(make_fx(affine)(*parts))
    assert "aten.addmm.default" not in operations(graph)
    assert "aten.mm.default" in operations(graph)
    found = graph(*parts)
    assert found.dtype == torch.bfloat16
    assert_rounded_twice(found, *parts)


def test_a_bias_that_was_rounded_for_the_product_is_taken_as_it_was():
    def layer(bias, x, weight):
        return torch.addmm(bias.bfloat16(), x, weight)

    bias = torch.tensor([1.0 + 2**-12])
    x, weight = torch.full((1, 1), -1.0).bfloat16(), torch.ones(1, 1).bfloat16()
    parts = bias, x, weight
    assert float(layer(*parts)) == 0.0
    assert float(suit_narrow_products(make_fx(layer)(*parts))(*parts)) == 2**-12


def test_small_products_are_made_in_float32():
    parts = narrow((4, 8), (8, 2))
    graph = suit_narrow_products(make_fx(torch.mm)(*parts))
    assert operations(graph).count("aten._to_copy.default") == 3
    expected = (parts[0].float() @ parts[1].float()).bfloat16()
    assert torch.equal(graph(*parts), expected)


def test_layers_without_anything_between_them():
    def two(bias, x, first, second):
        return torch.addmm(bias, torch.addmm(bias, x, first), second)

    parts = narrow((8,), (4, 8), (8, 8), (8, 8))
    graph = suit_narrow_products(make_fx(two)(*parts))
    exact = two(*[part.double() for part in parts])
    torch.testing.assert_close(double(graph(*parts)), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    "function",
    [
        lambda bias, x, weight: torch.addmm(bias, x, weight, beta=0.5),
        lambda bias, x, weight: torch.addmm(bias.float(), x.float(), weight.float()),
    ],
)
def test_others_stay_as_they_are(function):
    graph = make_fx(function)(*narrow((8,), (4, 8), (8, 8)))
    before = operations(graph)
    assert operations(suit_narrow_products(graph)) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning:torch")
def test_the_real_compiler_computes_it():
    parts = narrow((WIDE,), (40, WIDE), (WIDE, WIDE))
    function = compiled(make_fx(lambda *values: [affine(*values)])(*parts), parts)
    for seed in range(2):
        others = narrow((WIDE,), (40, WIDE), (WIDE, WIDE), seed=seed)
        (found,) = function(*others)
        assert_rounded_twice(found, *others)


def strided(x):
    """The same numbers, column by column in memory."""
    return x.t().contiguous().t()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning:torch")
def test_a_run_whose_rows_lie_in_another_order(monkeypatch):
    """A trial takes slices of the stored rows, with their strides; training gathers rows."""
    for name, value in {"FEWEST_STEPS": 0, "SHORT_RUN": 0, "COMPILING": 0, "WORTH": -1e9}.items():
        monkeypatch.setattr(f"vaekit.training.policy.{name}", value)
    calls = []

    def counted(graph, inputs):
        calls.append(graph)
        return compiled(graph, inputs)

    monkeypatch.setattr("vaekit.training.captured.compiled", counted)
    rows = strided(torch.randn(64, 5)).numpy()
    assert not rows.flags.c_contiguous

    def weights(word):
        speed = PolicySpec(precision="32-true", compile=word)
        training = Training(epochs=2, batch_size=16, speed=speed)
        return list(LinearAutoencoder(training=training).build().fit(rows).model.parameters())

    found = weights("auto")
    assert len(calls) == 1
    for one, other in zip(found, weights("off"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)

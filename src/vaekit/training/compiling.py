"""A recorded step as compiled code, called with as little Python around it as can be.

``torch.compile`` looks at all inputs and at torch's settings before every call, and runs the
kernels from Python; in a small network that takes a good part of a step. A recorded step is always
called with tensors like those that it was recorded with. So its graph goes to the compiler behind
``torch.compile`` at once, and on a CPU the kernels are called from C++.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, fx

__all__ = ["compiled", "suit_narrow_products"]

aten = torch.ops.aten
NARROW = {torch.bfloat16, torch.float16}
SMALL = 2**16
"""Multiplications of a product below which the kernels of narrow numbers cost more to start."""
Function = Callable[..., Sequence[Tensor]]


def compiled(graph: fx.GraphModule, inputs: Sequence[Tensor]) -> Function:
    """The function of a recorded graph, compiled for tensors like these.

    Args:
        graph: Recorded under ``make_fx``, of tensors that come one by one; it is used up.
        inputs: One tensor for each of its inputs, in their order.

    Returns:
        A function of such tensors that gives the outputs; it must be called without gradients.

    Raises:
        RuntimeError: If there is no compiler, or it cannot compile this.
    """
    on_cpu = all(value.device.type == "cpu" for value in inputs)
    if on_cpu:
        suit_narrow_products(graph)
    for node in graph.graph.nodes:
        node.meta.clear()  # tensors of the recording, of which the compiler makes its own
    from torch._inductor import compile as lower  # late: it takes a second

    with torch.no_grad():
        return lower(graph, list(inputs), options={"cpp_wrapper": on_cpu})


def suit_narrow_products(graph: fx.GraphModule) -> fx.GraphModule:
    """Leave to products of bfloat16 on a CPU what they are fast at; changed in place.

    Biases are added in float32, where the compiler fuses it with what follows: a narrow kernel
    copies them over all rows first. The product is then rounded by itself, not only the sum, which
    is coarser where the two cancel, by half a unit in the product's last place. Very small ones
    are made in float32.

    Example:
        >>> from torch.fx.experimental.proxy_tensor import make_fx
        >>> parts = [torch.ones(size, dtype=torch.bfloat16) for size in ((99,), (8, 99), (99, 99))]
        >>> graph = suit_narrow_products(make_fx(torch.addmm)(*parts))
        >>> [str(n.target) for n in graph.graph.nodes if n.op == "call_function"][:2]
        ['aten.mm.default', 'aten._to_copy.default']
    """
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or node.kwargs or _type(node) not in NARROW:
            continue
        with graph.graph.inserting_before(node):
            if node.target is aten.addmm.default:
                bias, left, right = node.args
                total = (_product(graph.graph, left, right), _wide(graph.graph, bias))
                wide = graph.graph.call_function(aten.add.Tensor, total)
            elif node.target is aten.mm.default and _is_small(*node.args):
                wide = _product(graph.graph, *node.args)
            else:
                continue
            narrow = _as(graph.graph, wide, _type(node))
            narrow.meta = dict(node.meta)
            node.replace_all_uses_with(narrow)
        graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _product(graph: fx.Graph, left: fx.Node, right: fx.Node) -> fx.Node:
    """A product of narrow matrices as float32."""
    if _is_small(left, right):
        return graph.call_function(aten.mm.default, (_wide(graph, left), _wide(graph, right)))
    return _as(graph, graph.call_function(aten.mm.default, (left, right)), torch.float32)


def _is_small(left: fx.Node, right: fx.Node) -> bool:
    return int(left.meta["val"].numel()) * int(right.meta["val"].shape[1]) <= SMALL


def _wide(graph: fx.Graph, node: fx.Node) -> fx.Node:
    """A tensor in float32: what it was before it was rounded, if it was rounded from that."""
    source = node.args[0] if node.target is aten._to_copy.default else node
    if isinstance(source, fx.Node) and _type(source) == torch.float32:
        return source
    return _as(graph, node, torch.float32)


def _as(graph: fx.Graph, node: fx.Node, dtype: torch.dtype | None) -> fx.Node:
    return graph.call_function(aten._to_copy.default, (node,), {"dtype": dtype})


def _type(node: fx.Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, Tensor) else None

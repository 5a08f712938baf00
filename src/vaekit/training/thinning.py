"""Operations of a recorded step that change nothing, taken out.

Recording notes what autograd does, and autograd detaches every leaf, multiplies by one where a sum
has no factor, and transposes twice where a product is transposed. A compiler would drop these; a
step that is replayed without one must be spared them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

__all__ = ["thin"]

aten = torch.ops.aten
BY_ONE = {
    aten.mul.Scalar,
    aten.mul.Tensor,
    aten.div.Scalar,
    aten.div.Tensor,
    aten.pow.Tensor_Scalar,
}
ALIASES = {aten.detach.default, aten.alias.default}
TRANSPOSED = aten.t.default
SHAPING = {aten.view.default, aten.expand.default, aten._unsafe_view.default}


def thin(graph: fx.GraphModule) -> fx.GraphModule:
    """The same function with fewer operations; the graph is changed in place.

    Nothing in the graph may write into a tensor: aliases become the tensor itself.

    Example:
        >>> from torch.fx.experimental.proxy_tensor import make_fx
        >>> graph = make_fx(lambda x: (x.detach() * 1.0).t().t() + 2)(torch.ones(2, 3))
        >>> [str(n.target) for n in thin(graph).graph.nodes if n.op == "call_function"]
        ['aten.add.Tensor']
    """
    if any(_writes(node) for node in graph.graph.nodes):
        return graph
    for node in list(graph.graph.nodes):
        same = _same_as(node)
        if same is not None:
            node.replace_all_uses_with(same)
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _same_as(node: fx.Node) -> fx.Node | None:
    """The node that an operation gives back as it is, or None."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
        return None
    first = node.args[0]
    if node.target in ALIASES:
        return first
    if node.target is TRANSPOSED and first.target is TRANSPOSED:
        inner: Any = first.args[0]
        return inner if isinstance(inner, fx.Node) else None
    other = node.args[1] if len(node.args) > 1 else None
    is_one = isinstance(other, int | float) and other == 1
    unchanged = node.target in SHAPING or (is_one and node.target in BY_ONE)
    return first if unchanged and _looks(node) == _looks(first) else None


def _looks(node: fx.Node) -> Any:
    """Type and layout of a node's tensor; unlike any other where it has none."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return object()
    return value.dtype, value.shape, value.stride()

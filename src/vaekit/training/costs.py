"""What a training step costs on this machine, and what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["has_bfloat16", "seconds_per_step", "share_of_products"]

aten = torch.ops.aten
PRODUCTS = {
    aten.mm,
    aten.addmm,
    aten.bmm,
    aten.baddbmm,
    aten.convolution,
    aten.convolution_backward,
}
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Of processors that multiply in bfloat16: x86's two, and Arm's."""


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16, as far as the system tells."""
    facts = Path("/proc/cpuinfo")
    return facts.is_file() and not FLAGS.isdisjoint(facts.read_text().split())


def seconds_per_step(step: Callable[[], None], repeats: int = 5, enough: float = 2.0) -> float:
    """The fastest of a few steps, after one that is not counted; fewer where each takes long."""
    times: list[float] = []
    while len(times) <= repeats and sum(times[1:]) < enough:
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def share_of_products(step: Callable[[], None]) -> float:
    """The share of a step's time on a CPU that matrix products and convolutions take."""
    step()
    with _Products() as products:
        start = time.perf_counter()
        step()
        whole = time.perf_counter() - start
    return products.seconds / whole


class _Products(TorchDispatchMode):
    """Adds up the time that products take inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carry the operation out, and time it if it is one of them."""
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in PRODUCTS:
            self.seconds += time.perf_counter() - start
        return result

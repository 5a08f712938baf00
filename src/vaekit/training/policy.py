"""Speed policy: precision and compilation, decided once, written down, kept on resume.

Rules come first, because they cost nothing and give the same answer every time; only where a rule
leaves the question open, and the run is long enough for the answer to matter, is it measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import torch

from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

__all__ = ["Policy", "PolicySpec", "Precision", "cpu_threads", "decide", "flush_denormals"]

Precision = Literal["32-true", "bf16-mixed"]
CANNOT_COMPILE = (ConfigError, RuntimeError, TypeError, AttributeError, NotImplementedError)
"""What recording or compiling a step can raise when the model does not allow it."""
COMPILE_SECONDS = 60.0
FEWEST_STEPS = 5_000


class PolicySpec(Spec, kind="policy/speed"):
    """What the user asks for; ``auto`` lets rules and measurements decide.

    Args:
        precision: Arithmetic of the training step.
        compile: Whether the whole step but the optimiser (forward pass, loss, gradient) becomes
            one compiled function.
        threads: CPU threads, 0 for torch's default.
    """

    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    threads: Annotated[int, Within(0, 1024)] = 0


class Policy(Spec, kind="policy/decided"):
    """What was decided, and why; part of the checkpoint."""

    precision: Precision = "32-true"
    compile: bool = False
    reason: str = ""


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero inside the block.

    Adam's moments of dead weights decay into denormals, which cost a CPU a hundred cycles each.
    """
    was_on = float(torch.tensor(1e-39, dtype=torch.float32) * 1.0) == 0.0
    torch.set_flush_denormal(True)
    _renew_threads()
    try:
        yield
    finally:
        torch.set_flush_denormal(was_on)
        _renew_threads()


def _renew_threads() -> None:
    """Let OpenMP's idle threads go: those that replace them inherit the mode of this one.

    The mode belongs to a thread, and torch sets it in the calling one alone. Where OpenMP is not
    GNU's, the threads keep what they have.
    """
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return
    loaded = {line.split()[-1] for line in maps.read_text().splitlines() if "libgomp" in line}
    for path in loaded:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(path).omp_pause_resource_all(1)


@contextlib.contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Use ``count`` CPU threads inside the block; 0 leaves torch's choice."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def decide(
    asked: PolicySpec,
    *,
    device: torch.device,
    steps: int,
    trial: Callable[[Precision, bool], Callable[[], None]] | None = None,
) -> Policy:
    """The policy for a run.

    Args:
        asked: The user's wishes.
        device: Where the run takes place.
        steps: How many optimiser steps it will make.
        trial: ``trial(precision, compiled)`` gives a function that makes one throw-away step on a
            copy of the model; None when the run has several players or processes.

    Returns:
        The decision; the same wishes on the same machine kind give the same rules, and a resumed
        run takes its decision from the checkpoint.
    """
    precision, why = _precision(asked, device)
    if asked.compile == "off":
        return Policy(precision, False, f"{why}; compile off as asked")
    if trial is None:
        several = "several players or processes"
        if asked.compile == "on":
            raise ConfigError(
                f"a run of {several} cannot be compiled",
                remedy="use --set training.speed.compile=auto",
            )
        return Policy(precision, False, f"{why}; not compiled: {several}")
    if asked.compile == "on":
        return Policy(precision, True, f"{why}; compile on as asked")
    if steps < FEWEST_STEPS:
        return Policy(
            precision, False, f"{why}; not compiled: the run is too short, {steps} steps"
        )
    eager = _seconds_per_step(trial(precision, False))
    if steps * eager < 2 * COMPILE_SECONDS:
        why += "; not compiled: the run is too short to pay it back"
        return Policy(precision, False, why)
    pays, verdict = _try_compiled(trial, precision, steps=steps, eager=eager)
    return Policy(precision, pays, f"{why}; {verdict}")


def _try_compiled(
    trial: Callable[[Precision, bool], Callable[[], None]],
    precision: Precision,
    *,
    steps: int,
    eager: float,
) -> tuple[bool, str]:
    """Whether compiling pays back within the run, and the reason in words."""
    start = time.perf_counter()
    try:
        step = trial(precision, True)
        step()
        spent = time.perf_counter() - start
        saved = steps * (eager - _seconds_per_step(step))
    except CANNOT_COMPILE as error:
        return False, f"not compiled: {str(error).splitlines()[0][:200]}"
    return saved > 2 * spent, f"compiling costs {spent:.0f} s and saves {saved:.0f} s over the run"


def _precision(asked: PolicySpec, device: torch.device) -> tuple[Precision, str]:
    if asked.precision != "auto":
        return asked.precision, f"{asked.precision} as asked"
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return "bf16-mixed", "bfloat16: the GPU has it in hardware"
    return "32-true", "float32: no bfloat16 units that are known to be faster"


def _seconds_per_step(step: Callable[[], None], repeats: int = 5) -> float:
    """The fastest of a few steps, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])

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

from vaekit.errors import ConfigError, first_line
from vaekit.spec import Spec, Within
from vaekit.training.costs import has_bfloat16, seconds_per_step, share_of_products

__all__ = ["Policy", "PolicySpec", "Precision", "cpu_threads", "decide", "flush_denormals"]

Precision = Literal["32-true", "bf16-mixed"]
TrialSteps = Callable[[Precision, bool], Callable[[], None]]
"""``trial(precision, compiled)`` gives a function that makes one throw-away step."""
CANNOT_COMPILE = (ConfigError, RuntimeError, TypeError, AttributeError, NotImplementedError)
"""What recording or compiling a step can raise when the model does not allow it."""
SHORT_RUN = 120.0
"""Seconds without any speed-up below which nothing is measured further."""
FEWEST_STEPS = 1_000
COMPILING = 30.0
"""Seconds that compiling is guessed to cost before it has been tried."""
SAVED = 0.5
"""Share of the time outside products that compiling may save."""
WORTH = 2.0
"""How many times its cost compiling must save."""
GAIN = 1.5
"""How many times as fast bfloat16 must be on a CPU to make up for its coarse rounding."""


class PolicySpec(Spec, kind="policy/speed"):
    """What the user asks for; ``auto`` lets rules and measurements decide.

    Args:
        precision: Arithmetic of the training step.
        compile: Whether the whole step but the optimiser (forward pass, loss, gradient) becomes
            one compiled function; ``record`` records the same function and runs it operation by
            operation, which needs no compiler, no warm-up, and is faster where layers are small.
        threads: CPU threads, 0 for torch's default.
    """

    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    compile: Literal["auto", "on", "off", "record"] = "auto"
    threads: Annotated[int, Within(0, 1024)] = 0


class Policy(Spec, kind="policy/decided"):
    """What was decided, and why; part of the checkpoint."""

    precision: Precision = "32-true"
    compile: bool = False
    reason: str = ""
    record: bool = False


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
    trial: TrialSteps | None = None,
) -> Policy:
    """The policy for a run.

    Args:
        asked: The user's wishes.
        device: Where the run takes place.
        steps: How many optimiser steps it will make.
        trial: Throw-away steps on a copy of the model; None when the run has several players or
            processes.

    Returns:
        The decision; the same wishes on the same machine kind give the same rules, and a resumed
        run takes its decision from the checkpoint.
    """
    precision, why = _precision(asked, device)
    if trial is None:
        several = "several players or processes"
        if asked.compile in ("on", "record"):
            raise ConfigError(
                f"a run of {several} cannot be compiled",
                remedy="use --set training.speed.compile=auto",
            )
        return Policy(precision, reason=f"{why}; not compiled: {several}")
    halved = asked.precision == "auto" and device.type == "cpu" and has_bfloat16()
    eager = None
    if steps >= FEWEST_STEPS and (halved or asked.compile == "auto"):
        eager = seconds_per_step(trial(precision, False))
        if steps * eager < SHORT_RUN:
            eager = None
    if eager is not None and halved:
        precision, eager, why = _try_bfloat16(trial, eager)
    if asked.compile != "auto":
        word = asked.compile
        said = f"{why}; compile {word} as asked"
        return Policy(precision, word == "on", said, word == "record")
    if eager is None:
        short = "not compiled: the run is too short to pay it back"
        return Policy(precision, reason=f"{why}; {short}")
    pays, verdict = _try_compiled(trial, precision, steps=steps, eager=eager)
    return Policy(precision, pays, reason=f"{why}; {verdict}")


def _precision(asked: PolicySpec, device: torch.device) -> tuple[Precision, str]:
    """What the rules say, and the reason in words."""
    if asked.precision != "auto":
        return asked.precision, f"{asked.precision} as asked"
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return "bf16-mixed", "bfloat16: the GPU has it in hardware"
    if device.type == "cpu" and has_bfloat16():
        return "32-true", "float32: bfloat16 was not tried"
    return "32-true", "float32: no bfloat16 units that are known to be faster"


def _try_bfloat16(trial: TrialSteps, single: float) -> tuple[Precision, float, str]:
    """The better precision, its seconds a step, and the reason in words."""
    half = seconds_per_step(trial("bf16-mixed", False))
    verdict = f"a step in bfloat16 takes {half:.2g} s, in float32 {single:.2g} s"
    if half * GAIN <= single:
        return "bf16-mixed", half, f"bfloat16: {verdict}"
    return "32-true", single, f"float32: {verdict}"


def _try_compiled(
    trial: TrialSteps, precision: Precision, *, steps: int, eager: float
) -> tuple[bool, str]:
    """Whether compiling pays back within the run, and the reason in words."""
    share = share_of_products(trial(precision, False))
    hoped = SAVED * (1 - share) * steps * eager
    if hoped <= WORTH * COMPILING:
        few = f"it could save about {hoped:.0f} s over the run"
        return False, f"not compiled: {share:.0%} of a step are products, so {few}"
    start = time.perf_counter()
    try:
        step = trial(precision, True)
        step()
        spent = time.perf_counter() - start
        saved = steps * (eager - seconds_per_step(step))
    except CANNOT_COMPILE as error:
        return False, f"not compiled: {first_line(error)[:200]}"
    verdict = f"compiling costs {spent:.0f} s and saves {saved:.0f} s over the run"
    return saved > WORTH * spent, verdict

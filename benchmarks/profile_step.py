"""Where the time of an eager training step goes: the worked example under torch's profiler.

python -m benchmarks.profile_step [--steps 200] [--data FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.record import default_mnist
from torch.profiler import ProfilerActivity, profile

from benchmarks.ours import Enough, Watch
from benchmarks.report import Report, words_of
from benchmarks.train_mlp import composition
from vaekit.tasks import DataSpec, build_model, prepare_data
from vaekit.training import PolicySpec, Trainer

WARM = 50
TOP = 15
PRODUCTS = ("aten::addmm", "aten::mm", "aten::bmm", "aten::matmul", "aten::linear")
OPTIMISER = ("aten::_fused_", "aten::_foreach_", "Optimizer.")
NODES = ("autograd::engine", "Backward0", "torch::autograd")
KINDS = ("matrix products", "element-wise and the rest", "optimiser", "autograd's nodes")


def kind_of(name: str) -> str:
    """What an operation counts as.

    Example:
        >>> kind_of("aten::addmm"), kind_of("AddmmBackward0"), kind_of("aten::_fused_adam_")
        ('matrix products', "autograd's nodes", 'optimiser')
    """
    if name in PRODUCTS:
        return KINDS[0]
    if name.startswith(OPTIMISER):
        return KINDS[2]
    if any(word in name for word in NODES):
        return KINDS[3]
    return KINDS[1]


class Span:
    """Runs between two steps: its time, and what else it is told to do at either end."""

    def __init__(
        self, steps: int, *, begin: Callable[[], Any], end: Callable[[], Any], warm: int
    ) -> None:
        self.steps, self.warm, self.done = steps, warm, 0
        self.begin, self.end = begin, end
        self.seconds = 0.0

    def step(self) -> None:
        """After each step."""
        self.done += 1
        if self.done == self.warm:
            self.begin()
            self.seconds = time.perf_counter()
        if self.done == self.warm + self.steps:
            self.seconds = time.perf_counter() - self.seconds
            self.end()
            raise Enough


def steps(source: str, span: Span) -> None:
    """Train the worked example until the span ends."""
    prepared = prepare_data(DataSpec(source=source))
    made = composition(epochs=1_000, seed=0, speed=PolicySpec(compile="off"))
    trainer = Trainer(
        build_model(made, prepared),
        {"train": prepared.part("train")},
        made.training,
        objective=made.objective,
        callbacks=[Watch(on_step=span.step)],
        accelerator="cpu",
    )
    with contextlib.suppress(Enough):
        trainer.fit()


def main(words: Sequence[str] | None = None) -> None:
    """Profile, print, and write ``benchmarks/results/profile_step``."""
    options_of = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options_of.add_argument("--small", action="store_true", help="a few seconds")
    options_of.add_argument("--data", default=None, help="another source of images")
    options_of.add_argument("--steps", type=int, default=200, help="to profile")
    options_of.add_argument("--out", type=Path, default=None, help="folder of the results")
    options = options_of.parse_args(words)
    warm = 2 if options.small else WARM
    n = 5 if options.small else options.steps
    source = options.data or ("digits" if options.small else default_mnist())
    plain = Span(n, begin=lambda: None, end=lambda: None, warm=warm)
    steps(source, plain)
    profiler = profile(activities=[ProfilerActivity.CPU])
    profiled = Span(n, begin=profiler.start, end=profiler.stop, warm=warm)
    steps(source, profiled)
    report = Report("profile_step", title="Where an eager step goes", words=words_of(words))
    write(report, profiler.key_averages(), n, plain=plain.seconds, profiled=profiled.seconds)
    report.write(options)


def write(report: Report, events: Any, n: int, *, plain: float, profiled: float) -> None:
    """Two tables: kinds of work, and the operations that take most."""
    of_kind = dict.fromkeys(KINDS, 0.0)
    calls = dict.fromkeys(KINDS, 0)
    for event in events:
        of_kind[kind_of(event.key)] += event.self_cpu_time_total
        calls[kind_of(event.key)] += event.count
    inside = sum(of_kind.values())
    outside = "Python and dispatch, outside every operation"
    rows: list[list[Any]] = [
        [kind, calls[kind] / n, micro / n, 100 * micro / (1e6 * profiled)]
        for kind, micro in of_kind.items()
    ]
    rest = max(0.0, 1e6 * profiled - inside)
    rows.append([outside, None, rest / n, 100 * rest / (1e6 * profiled)])
    report.text(
        f"{n} steps of 784-256-128-2, Bernoulli, batches of 64, in vaekit's trainer without "
        f"compilation: {1e6 * plain / n:,.0f} µs a step, {1e6 * profiled / n:,.0f} µs under the "
        "profiler. What the profiler itself costs lies on every operation, so that small ones and "
        "Python look dearer than they are and matrix products cheaper."
    )
    columns = ["kind", "calls a step", "µs a step", "% of the profiled step"]
    report.table("kinds", columns, rows)
    top = sorted(events, key=lambda event: -event.self_cpu_time_total)[:TOP]
    report.table(
        "operations",
        ["operation", "kind", "calls a step", "µs a step", "% of the profiled step"],
        [
            [
                f"`{event.key}`",
                kind_of(event.key),
                event.count / n,
                event.self_cpu_time_total / n,
                100 * event.self_cpu_time_total / (1e6 * profiled),
            ]
            for event in top
        ],
    )
    report.values |= {"step_us": 1e6 * plain / n, "profiled_step_us": 1e6 * profiled / n}


if __name__ == "__main__":
    main()

"""Hooks of the training loop, and the two most used: a progress display and TensorBoard."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vaekit.errors import MissingExtraError

__all__ = ["Callback", "Display", "TensorBoard"]

Record = Mapping[str, Any]


class Callback:
    """Base of hooks; every method does nothing. A hook must not change the run's numbers."""

    def on_start(self, *, step: int, total: int, note: str) -> None:
        """Before the first step; ``note`` says how the run will be computed."""

    def on_step(self, *, step: int) -> None:
        """After each optimiser step. Reading a tensor here would slow the run down."""

    def on_epoch(self, record: Record) -> None:
        """After each epoch, with its record as it goes into the history."""

    def on_end(self) -> None:
        """After the last step, also when an error ends the run."""


class Display(Callback):
    """A progress bar with the time that remains; plain lines where the output is no terminal.

    Args:
        stream: Where to write; standard error by default.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.console = Console(file=stream or sys.stderr, highlight=False)
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self._last_line = 0.0
        self._warned: set[str] = set()

    def on_start(self, *, step: int, total: int, note: str) -> None:
        """Show the bar, or say how the run will be computed."""
        self.console.print(note, style="dim", markup=False, soft_wrap=True)
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task("training", total=total, completed=step)
            self.bar.start()

    def on_step(self, *, step: int) -> None:
        """Move the bar."""
        if self.bar is not None and step % 10 == 0:
            self.bar.update(self.task, completed=step)

    def on_epoch(self, record: Record) -> None:
        """One line per epoch (at most one a second), and each warning once."""
        for warning in record.get("warnings", []):
            if warning not in self._warned:
                self._warned.add(warning)
                self.console.print(f"[yellow]warning:[/yellow] {escape(warning)}", soft_wrap=True)
        now = time.monotonic()
        if now - self._last_line >= 1.0 or record.get("last"):
            self._last_line = now
            self.console.print(describe_record(record), soft_wrap=True)

    def on_end(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def describe_record(record: Record) -> str:
    """One epoch in one line."""
    shown = {
        "loss": "loss",
        "distortion": "distortion",
        "rate": "rate",
        "valid_elbo": "held-out elbo",
        "valid_loss": "held-out loss",
    }
    if "valid_elbo" in record:
        shown.pop("valid_loss")
    numbers = [
        f"{label} {record[name]:.2f}"
        for name, label in shown.items()
        if isinstance(record.get(name), float)
    ]
    return f"epoch {record['epoch']:>3}  {'  '.join(numbers)}  {record['seconds']:.2f} s"


class TensorBoard(Callback):
    """Every scalar of the history as a TensorBoard curve.

    Args:
        folder: Where the event files go.

    Raises:
        MissingExtraError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "track", "logging to TensorBoard") from error
        self.writer = SummaryWriter(log_dir=str(folder))

    def on_epoch(self, record: Record) -> None:
        """Write the epoch's scalars, and the KL of each dimension."""
        for name, value in record.items():
            if isinstance(value, float):
                self.writer.add_scalar(name, value, record["step"])
        for dimension, value in enumerate(record.get("kl") or []):
            self.writer.add_scalar(f"kl/{dimension}", value, record["step"])

    def on_end(self) -> None:
        """Flush to disk."""
        self.writer.close()

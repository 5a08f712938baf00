"""One process or several that train the same model, each on its share of every batch.

Every process holds all weights and takes the same steps: gradients of the shares are summed in one
message a step, which carries the terms of the loss too. So no process is special but the first,
which alone writes files, and a checkpoint of any number of processes resumes on any other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from vaekit.data import Batch
from vaekit.distributions import drawing_from, sharing
from vaekit.errors import ConfigError, first_line
from vaekit.objectives import Loss
from vaekit.training.fabric import fabric
from vaekit.training.players import Player

__all__ = ["Processes", "Share"]

Value = TypeVar("Value")


class Processes:
    """The processes of a run, as one of them sees them.

    Args:
        accelerator: Lightning Fabric's word for the device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        devices: Processes on each node, one a device; on a CPU they share its cores.
        nodes: Machines; each starts the same command (with ``torchrun`` or a cluster's launcher).

    Raises:
        ConfigError: If there are not so many devices.

    Example:
        >>> alone = Processes(accelerator="cpu")
        >>> alone.count, alone.is_first, alone.share_of(10)
        (1, True, None)
    """

    def __init__(self, *, accelerator: str = "auto", devices: int = 1, nodes: int = 1) -> None:
        strategy = "auto" if devices * nodes == 1 else "ddp"
        try:
            self._fabric = fabric(
                accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy
            )
        except (RuntimeError, ValueError, TypeError, ImportError) as error:
            raise ConfigError(
                "these devices cannot be used",
                expected="no more than this machine has",
                got=f"accelerator={accelerator}, devices={devices}, nodes={nodes}",
                remedy=first_line(error),
            ) from error
        self.count = devices * nodes
        self._launched = self.count == 1

    def launch(self) -> Processes:
        """Start the other processes of this machine, each running this program from its start.

        Call it once, early: what a program does before it, every process does.
        """
        if not self._launched:
            self._fabric.launch()
            self.count = self._fabric.world_size
            self._launched = True
        return self

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self._fabric.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.count == 1 or self._fabric.global_rank == 0

    def share_of(self, rows: int) -> Share | None:
        """This process's share of a batch; None where it holds all of it."""
        if self.count == 1:
            return None
        return Share(self, rows, rank=self._fabric.global_rank)

    def sum_(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sum tensors over all processes, in one message."""
        if self.count == 1:
            return list(tensors)
        widest = max((t.dtype for t in tensors), key=lambda dtype: dtype.itemsize)
        packed = torch.cat([t.reshape(-1).to(widest) for t in tensors])
        torch.distributed.all_reduce(packed)
        pieces = packed.split([t.numel() for t in tensors])
        return [p.view(t.shape).to(t.dtype) for p, t in zip(pieces, tensors, strict=True)]

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What ``make`` gives in the first process, in every process."""
        if self.count == 1:
            return make()
        mine: Any = make() if self.is_first else None
        value: Value = self._fabric.broadcast(mine)
        return value

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            self._fabric.barrier()


class Share:
    """One process's part of a batch.

    Args:
        processes: All that hold a part.
        rows: Of the whole batch. Where there are fewer than processes, some hold one row that
            counts nothing.
        rank: Which process this is, from 0.
    """

    def __init__(self, processes: Processes, rows: int, *, rank: int) -> None:
        first, last = rows * rank // processes.count, rows * (rank + 1) // processes.count
        self._processes = processes
        self.rows = rows
        self.first, self.last = (first, last) if last > first else (0, 1)
        self.share = (last - first) / rows

    def part(self, batch: Batch) -> Batch:
        """The rows that this process holds."""
        return batch.part(self.first, self.last)

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw the noise of all rows and keep these rows'; take batch means over all rows."""

        def source(
            sampler: Callable[..., Tensor], size: tuple[int, ...], axis: int | None, like: Tensor
        ) -> Tensor:
            whole = size if axis is None else (*size[:axis], self.rows, *size[axis + 1 :])
            draws = sampler(whole, dtype=like.dtype, device=like.device)
            return (
                draws if axis is None else draws.narrow(axis, self.first, self.last - self.first)
            )

        with drawing_from(source), sharing(self.share, _summed_with_gradient):
            yield

    def agree(self, answer: bool) -> bool:
        """The first process's answer, in all."""
        return self._processes.from_first(lambda: answer)

    def reduce(self, player: Player, loss: Loss) -> Loss:
        """Sum a player's gradients, and its terms (means over rows) by their share, in place."""
        gradients = player.gradients()
        terms = [value * self.share for value in loss.terms.values()]
        summed = self._processes.sum_([*gradients, *terms])
        for gradient, total in zip(gradients, summed, strict=False):
            gradient.copy_(total)
        return Loss(loss.total, dict(zip(loss.terms, summed[len(gradients) :], strict=True)))


class _Sum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        total = mine.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


def _summed_with_gradient(mine: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(mine)
    return total

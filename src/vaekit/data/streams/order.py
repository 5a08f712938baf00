"""A shuffled order for files that can only be read forwards, planned without reading them.

Blocks of rows are taken in random order by a few *lanes* that read side by side. Equal shares of
all lanes make a *window*, which is small enough for memory and is permuted as a whole. A plan is
made of row numbers only; so whatever lies before the place to go on from need not be read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vaekit.data.streams.parts import CHUNK, Part

__all__ = ["LANES", "Block", "Planned", "Span", "plan"]

LANES = 4
"""Blocks that are read side by side; each holds its files' current pages in memory."""


class Block(NamedTuple):
    """Consecutive rows that are read from their beginning: row groups of one file.

    Attributes:
        start: Number of its first row within the source.
        stop: Number after its last row.
        file: Number of the file.
        groups: Numbers of the row groups within the file.
    """

    start: int
    stop: int
    file: int = 0
    groups: tuple[int, ...] = ()


class Span(NamedTuple):
    """Some rows of a block.

    Attributes:
        block: The block.
        rows: Their numbers within the source, int64, rising.
        last: Whether no row of the block comes later.
    """

    block: Block
    rows: np.ndarray
    last: bool


class Planned(NamedTuple):
    """A window before it is read.

    Attributes:
        start: How many rows of the pass come before it.
        size: Rows of the part in its spans.
        spans: What to read, in this order.
        order: Permutation of the rows.
    """

    start: int
    size: int
    spans: list[Span]
    order: np.ndarray


def plan(
    blocks: Sequence[Block], part: Part, *, seed: tuple[int, ...], rows: int, skip: int = 0
) -> Iterator[Planned]:
    """Windows that hold every row of a part once.

    Args:
        blocks: All blocks of the source.
        part: Which rows.
        seed: Determines the order of the blocks and of the rows in each window.
        rows: Rows of a window. The first one is smaller, by chance, where there are several, so
            that windows begin elsewhere in each epoch.
        skip: Rows of the order that are done; windows that hold only such rows are left out.

    Example:
        >>> blocks = [Block(0, 4), Block(4, 8)]
        >>> window = next(plan(blocks, Part(8), seed=(0, 1), rows=8))
        >>> window.size, sorted(span.rows.tolist() for span in window.spans)
        (8, [[0, 1], [2, 3], [4, 5], [6, 7]])
    """
    draw = np.random.default_rng((*seed, 0))
    queue = iter([blocks[i] for i in draw.permutation(len(blocks))])
    lanes = [_Lane(queue, part) for _ in range(LANES)]
    size = len(part) if len(part) <= rows else int(draw.integers(rows // 2 + 1, rows + 1))
    done = number = 0
    while done < len(part):
        count = min(size, len(part) - done)
        found = _shares(lanes, count)
        number += 1
        if done + count > skip:
            order = np.random.default_rng((*seed, number)).permutation(count)
            yield Planned(done, count, found, order)
        done, size = done + count, rows


def _shares(lanes: list[_Lane], count: int) -> list[Span]:
    """Spans with ``count`` rows, equal shares of all lanes; lanes at their end are left out."""
    found: list[Span] = []
    while count:
        share = -(-count // len(lanes))
        for lane in list(lanes):
            wanted = min(share, count)
            got = lane.take(wanted)
            found += got
            taken = sum(len(span.rows) for span in got)
            count -= taken
            if taken < wanted:
                lanes.remove(lane)
    return found


class _Lane:
    """A place in a block; at the block's end it goes on with the next of a common queue."""

    def __init__(self, queue: Iterator[Block], part: Part) -> None:
        self.queue = queue
        self.part = part
        self.block = Block(0, 0)
        self.at = 0
        self.ahead = np.empty(0, np.int64)

    def take(self, count: int) -> list[Span]:
        """The next ``count`` rows of the part, or fewer at the end of all blocks."""
        found: list[Span] = []
        while count and (len(self.ahead) or self._enter()):
            rows, self.ahead = self.ahead[:count], self.ahead[count:]
            last = not len(self.ahead) and not self._look_ahead()
            found.append(Span(self.block, rows, last))
            count -= len(rows)
        return found

    def _enter(self) -> bool:
        """Go on to the next block that has rows of the part, if there is one."""
        for block in self.queue:
            self.block, self.at = block, block.start
            if self._look_ahead():
                return True
        return False

    def _look_ahead(self) -> bool:
        """Find the next rows in this block, if there are any."""
        while self.at < self.block.stop and not len(self.ahead):
            stop = min(self.at + CHUNK, self.block.stop)
            self.ahead = self.at + np.flatnonzero(self.part.mask(self.at, stop))
            self.at = stop
        return bool(len(self.ahead))

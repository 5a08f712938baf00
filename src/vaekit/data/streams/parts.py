"""Which rows belong to which part: a pure function of the seed and a row's number.

Every row has a key, a 64-bit number that no other row has. The rows of the smallest keys are held
out. So a part needs no list of rows, and has exactly the size that it would have in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vaekit.data.raw import SPLITS
from vaekit.data.splits import check_fractions, share
from vaekit.errors import DataError

__all__ = ["CHUNK", "Part", "divide", "keys", "named_parts", "spans"]

Test = Callable[[int, int], np.ndarray]
"""``test(start, stop)``: which of these rows are meant, Boolean ``(stop − start,)``."""

CHUNK = 1 << 15
BINS = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


def keys(seed: int, start: int, stop: int) -> np.ndarray:
    """The keys of rows ``start`` to ``stop``, uint64; all keys of a seed differ.

    Args:
        seed: Any integer from 0.
        start: First row.
        stop: After the last row.

    References:
        | Fast splittable pseudorandom number generators (Steele, Lea & Flood, 2014)

    Example:
        >>> bool((keys(0, 0, 10)[4:] == keys(0, 4, 10)).all())
        True
    """
    origin = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    value = np.arange(start, stop, dtype=np.uint64) * _GOLDEN + origin
    for shift, factor in _MIX:
        value ^= value >> np.uint64(shift)
        value *= factor
    return value ^ (value >> np.uint64(31))


def spans(stop: int, size: int = CHUNK, start: int = 0) -> Iterator[tuple[int, int]]:
    """The row numbers from ``start`` to ``stop`` in runs of ``size``.

    Example:
        >>> list(spans(5, 2))
        [(0, 2), (2, 4), (4, 5)]
    """
    for low in range(start, stop, size):
        yield low, min(low + size, stop)


class Part:
    """Some rows of a source, known by a test of their numbers.

    Args:
        total: Rows of the source.
        test: Tells which rows are meant; None for all.
        rows: How many are meant; counted where it is not given.

    Example:
        >>> part = Part(10, lambda start, stop: np.arange(start, stop) % 2 == 0)
        >>> len(part), part.first(3).tolist(), len(part.sample(2))
        (5, [0, 2, 4], 2)
    """

    __slots__ = ("_rows", "_test", "total")

    def __init__(self, total: int, test: Test | None = None, rows: int | None = None) -> None:
        self.total = total
        self._test = test
        if rows is None:
            rows = total if test is None else sum(int(test(a, b).sum()) for a, b in spans(total))
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def mask(self, start: int, stop: int) -> np.ndarray:
        """Which of the rows from ``start`` to ``stop`` belong to the part."""
        return np.ones(stop - start, bool) if self._test is None else self._test(start, stop)

    def rows(self) -> np.ndarray:
        """The numbers of all its rows, int64; 8 bytes each."""
        return self.first(len(self))

    def first(self, n: int) -> np.ndarray:
        """The numbers of its first ``n`` rows, int64."""
        found = [np.empty(0, np.int64)]
        missing = n
        for start, stop in spans(self.total):
            found.append(start + np.flatnonzero(self.mask(start, stop))[:missing])
            missing -= len(found[-1])
            if missing <= 0:
                break
        return np.concatenate(found)

    def sample(self, n: int, seed: int = 1) -> Part:
        """``n`` of its rows, spread over it by their keys; the part itself if it has no more."""
        if n >= len(self):
            return self
        highest = _kth_key(self.total, n, seed, self.mask)

        def test(start: int, stop: int) -> np.ndarray:
            return self.mask(start, stop) & (keys(seed, start, stop) <= highest)

        return Part(self.total, test, n)


def named_parts(total: int, given: np.ndarray | None) -> dict[str, Part]:
    """All three parts as the source gives them; everything is for training where it says nothing.

    Args:
        total: Rows of the source.
        given: Part of each row, codes of ``SPLITS``.
    """
    if given is None:
        return {name: Part(total if name == "train" else 0) for name in SPLITS}

    def named(code: int) -> Part:
        return Part(total, lambda start, stop: given[start:stop] == code)

    return {name: named(code) for code, name in enumerate(SPLITS)}


def divide(
    total: int,
    given: np.ndarray | None = None,
    *,
    validation: float,
    test: float,
    seed: int,
    max_validation: int,
    where: str,
) -> dict[str, Part]:
    """The parts of a source, by the rules of :func:`vaekit.data.split`, those that have rows.

    Args:
        total: Rows of the source.
        given: Part of each row as the source says it, codes of ``SPLITS``.
        validation: Fraction of the rows to draw from, at most ``max_validation`` rows.
        test: Fraction of the rows to draw from.
        seed: Of the draw.
        max_validation: Upper bound of validation rows. Of a larger given part as many are taken,
            spread over it, and the others are left out.
        where: Name of the source, for messages.

    Raises:
        ConfigError: If the fractions make no sense.
        DataError: If there are too few rows.

    Example:
        >>> parts = divide(100, validation=0.1, test=0.2, seed=0, max_validation=50, where="a")
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 70, 'validation': 10, 'test': 20}
    """
    check_fractions(validation, test)
    own = named_parts(total, given)
    pool = own["train"]
    sizes = {
        "validation": min(share(len(pool), validation), max_validation),
        "test": share(len(pool), test),
    }
    drawn = {name: 0 if len(own[name]) else size for name, size in sizes.items()}
    if len(pool) <= sum(drawn.values()):
        raise DataError(
            "too little data to split",
            expected="at least one row for every part",
            got=f"{total} rows ({len(pool)} for training)",
            where=where,
            remedy="set validation=0 or test=0, or bring more rows",
        )
    own |= _drawn(pool, seed, drawn)
    own["validation"] = own["validation"].sample(max_validation)
    return {name: part for name, part in own.items() if len(part)}


def _drawn(pool: Part, seed: int, sizes: dict[str, int]) -> dict[str, Part]:
    """Parts of these sizes out of a pool in the order of its rows' keys, and the rest to train."""
    parts, done, low = {}, 0, None
    for name, size in sizes.items():
        if size:
            done += size
            high = _kth_key(pool.total, done, seed, pool.mask)
            parts[name] = _between(pool, seed, low, high, size)
            low = high
    return parts | {"train": _between(pool, seed, low, None, len(pool) - done)}


def _between(
    pool: Part, seed: int, low: np.uint64 | None, high: np.uint64 | None, rows: int
) -> Part:
    """The rows of a pool with a key above ``low`` and up to ``high``."""
    if low is None and high is None:
        return pool

    def test(start: int, stop: int) -> np.ndarray:
        key = keys(seed, start, stop)
        meant = pool.mask(start, stop)
        if low is not None:
            meant &= key > low
        if high is not None:
            meant &= key <= high
        return meant

    return Part(pool.total, test, rows)


def _kth_key(total: int, k: int, seed: int, test: Test) -> np.uint64:
    """The k-th smallest key, k from 1, of the rows meant; at most a few thousand are held."""
    counts = np.zeros(BINS, np.int64)
    for start, stop in spans(total):
        bins = keys(seed, start, stop)[test(start, stop)] >> np.uint64(48)
        counts += np.bincount(bins.astype(np.int64), minlength=BINS)
    reached = np.cumsum(counts)
    place = int(np.searchsorted(reached, k))
    inside = [np.empty(0, np.uint64)]
    for start, stop in spans(total):
        key = keys(seed, start, stop)[test(start, stop)]
        inside.append(key[key >> np.uint64(48) == place])
    rank = k - int(reached[place] - counts[place]) - 1
    return np.uint64(np.partition(np.concatenate(inside), rank)[rank])

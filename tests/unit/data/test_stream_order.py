"""The shuffled order of a stream, as a plan of row numbers."""

import itertools

import numpy as np
import pytest
import scipy.stats

from vaekit.data.streams import order as module
from vaekit.data.streams.order import Block, plan
from vaekit.data.streams.parts import Part


def blocks_of(*sizes):
    edges = np.cumsum([0, *sizes]).tolist()
    return [Block(a, b, file) for file, (a, b) in enumerate(itertools.pairwise(edges))]


def in_order(planned):
    """Row numbers of a window in the order in which they are wanted."""
    rows = np.concatenate([span.rows for span in planned.spans])
    assert len(rows) == planned.size
    return rows[planned.order].tolist()


def flat(blocks, part, **options):
    return [row for window in plan(blocks, part, **options) for row in in_order(window)]


SOME = blocks_of(40, 1, 300, 7, 90, 123)
TOTAL = 561


def every_third(start, stop):
    return np.arange(start, stop) % 3 == 0


def no_row_of_the_third_block(start, stop):
    rows = np.arange(start, stop)
    return (rows < 41) | (rows >= 341)


PARTS = [
    Part(TOTAL),
    Part(TOTAL, every_third),
    Part(TOTAL, no_row_of_the_third_block),
    Part(TOTAL, lambda start, stop: np.arange(start, stop) == 400),
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("rows", [1, 10, 64, 560, 10_000])
@pytest.mark.parametrize("chunk", [5, 1 << 15])
def test_every_row_once(monkeypatch, part, rows, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    windows = list(plan(SOME, part, seed=(0, 0), rows=rows))
    assert max(window.size for window in windows) <= rows
    assert [window.start for window in windows] == [
        sum(w.size for w in windows[:i]) for i in range(len(windows))
    ]
    found = [row for window in windows for row in in_order(window)]
    assert sorted(found) == part.rows().tolist()


@pytest.mark.parametrize("part", PARTS[:3])
def test_skipping_is_the_tail_of_the_same_order(part):
    options = {"seed": (1, 2), "rows": 50}
    whole = list(plan(SOME, part, **options))
    for skip in (0, 1, whole[0].size - 1, whole[0].size, whole[0].size + 1, len(part) - 1):
        rest = list(plan(SOME, part, **options, skip=skip))
        assert rest[0].start <= skip < rest[0].start + rest[0].size
        expected = [w for w in whole if w.start + w.size > skip]
        assert [in_order(w) for w in rest] == [in_order(w) for w in expected]
    assert list(plan(SOME, part, **options, skip=len(part))) == []


def test_the_seed_determines_the_order():
    first = flat(SOME, Part(TOTAL), seed=(0, 0), rows=50)
    assert flat(SOME, Part(TOTAL), seed=(0, 0), rows=50) == first
    assert flat(SOME, Part(TOTAL), seed=(0, 1), rows=50) != first
    assert flat(SOME, Part(TOTAL), seed=(1, 0), rows=50) != first


@pytest.mark.parametrize("part", PARTS)
def test_blocks_are_read_forwards_and_closed_after_their_last_row(part):
    at, closed = {}, set()
    for window in plan(SOME, part, seed=(3, 0), rows=25):
        for span in window.spans:
            assert span.block not in closed
            assert span.rows[0] > at.get(span.block, -1)
            assert (np.diff(span.rows) > 0).all()
            assert span.block.start <= span.rows[0]
            assert span.rows[-1] < span.block.stop
            at[span.block] = span.rows[-1]
            if span.last:
                closed.add(span.block)
    assert closed == set(at)


def test_only_a_few_blocks_are_open_at_a_time():
    is_open = set()
    for window in plan(blocks_of(*[30] * 40), Part(1200), seed=(0, 0), rows=64):
        for span in window.spans:
            is_open.add(span.block)
            assert len(is_open) <= module.LANES
            if span.last:
                is_open.remove(span.block)


def test_a_window_mixes_several_blocks():
    """Rows of a file for each class or day do not come one file after the other."""
    blocks = blocks_of(*[1000] * 8)
    windows = list(plan(blocks, Part(8000), seed=(0, 0), rows=400))
    several = [len({span.block for span in window.spans}) >= module.LANES for window in windows]
    assert sum(several) >= 0.7 * len(windows)  # towards the end fewer blocks are left


def test_data_that_fits_the_buffer_is_permuted_as_a_whole():
    """Where a row comes says nothing about where it was: no rank correlation, 4 deviations."""
    for epoch in range(3):
        found = flat(blocks_of(5000), Part(5000), seed=(0, epoch), rows=5000)
        tau = scipy.stats.spearmanr(np.arange(5000), found).statistic
        assert abs(tau) < 4 / np.sqrt(5000)


def test_within_a_window_order_is_uniform():
    """A sorted file of one block comes window by window, but each window is well mixed."""
    for window in plan(blocks_of(20_000), Part(20_000), seed=(0, 0), rows=4000):
        found = in_order(window)
        tau = scipy.stats.spearmanr(np.arange(len(found)), found).statistic
        assert abs(tau) < 4 / np.sqrt(len(found))


def test_windows_begin_elsewhere_in_each_epoch():
    firsts = {
        next(plan(blocks_of(900), Part(900), seed=(0, epoch), rows=100)).size
        for epoch in range(10)
    }
    assert len(firsts) > 3
    assert all(50 < first <= 100 for first in firsts)

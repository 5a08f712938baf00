"""Parts of a stream: pure functions of row numbers, with the sizes that they have in memory."""

import numpy as np
import pytest

from vaekit.data import RawData, split
from vaekit.data.streams import parts as module
from vaekit.data.streams.parts import Part, divide, keys, named_parts, spans
from vaekit.errors import ConfigError, DataError

SHARES = {"validation": 0.05, "test": 0.1, "seed": 0, "max_validation": 5000, "where": "table"}


def divided(total, given=None, **changes):
    return divide(total, given, **(SHARES | changes))


def rows(part):
    return part.rows().tolist()


def test_keys_are_those_of_a_plain_loop():
    """splitmix64 as published, in Python's unbounded integers."""
    mask = 2**64 - 1
    origin = int(np.random.SeedSequence(7).generate_state(1, np.uint64)[0])

    def key(row):
        z = (row * 0x9E3779B97F4A7C15 + origin) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    assert keys(7, 5, 25).tolist() == [key(row) for row in range(5, 25)]


def test_no_two_rows_share_a_key():
    assert len(np.unique(keys(3, 0, 200_000))) == 200_000


def test_spans_cover_everything_once():
    assert [n for low, high in spans(17, 5, 3) for n in range(low, high)] == list(range(3, 17))


@pytest.mark.parametrize("total", [3, 10, 41, 1000, 70_001])
@pytest.mark.parametrize(("validation", "test"), [(0.05, 0.1), (0.0, 0.3), (0.2, 0.0), (0.3, 0.6)])
def test_sizes_are_those_of_data_in_memory(total, validation, test):
    raw = RawData(np.zeros((total, 1)))
    try:
        expected = dict(split(raw, validation=validation, test=test, max_validation=700).items())
    except DataError:
        with pytest.raises(DataError, match="too little data to split"):
            divided(total, validation=validation, test=test, max_validation=700)
        return
    found = divided(total, validation=validation, test=test, max_validation=700)
    assert {n: len(p) for n, p in found.items()} == {n: len(r) for n, r in expected.items()}


def test_parts_hold_every_row_once():
    found = divided(70_001)
    held = np.concatenate([part.rows() for part in found.values()])
    assert sorted(held.tolist()) == list(range(70_001))
    assert {name: len(part.rows()) for name, part in found.items()} == {
        name: len(part) for name, part in found.items()
    }


def test_the_seed_determines_the_parts():
    assert rows(divided(500)["test"]) == rows(divided(500)["test"])
    assert rows(divided(500)["test"]) != rows(divided(500, seed=1)["test"])


def test_held_out_rows_are_spread_over_the_data():
    places = divided(100_000)["test"].rows() / 100_000
    assert abs(places.mean() - 0.5) < 4 * (1 / 12 / 10_000) ** 0.5  # 4 standard errors


def test_given_parts_stay_as_they_are():
    given = np.array([0, 2, 0, 1, 0, 2, 0, 0], np.uint8)
    found = divided(8, given, validation=0.4, test=0.4)
    assert [rows(found[n]) for n in ("train", "validation", "test")] == [
        [0, 2, 4, 6, 7],
        [3],
        [1, 5],
    ]


def test_what_is_not_given_is_drawn_from_the_training_rows():
    given = np.array([0, 2] * 50, np.uint8)
    found = divided(100, given, validation=0.2)
    assert rows(found["test"]) == list(range(1, 100, 2))
    assert len(found["validation"]) == 10
    assert sorted(rows(found["train"]) + rows(found["validation"])) == list(range(0, 100, 2))


def test_of_a_large_validation_part_only_some_rows_are_taken():
    given = np.array([0, 1] * 500, np.uint8)
    found = divided(1000, given, max_validation=20)
    assert len(found["validation"]) == 20
    assert set(rows(found["validation"])) <= set(range(1, 1000, 2))
    assert np.ptp(found["validation"].rows()) > 500
    assert sorted(rows(found["train"]) + rows(found["test"])) == list(range(0, 1000, 2))


def test_a_sample_is_exact_nested_and_fixed():
    part = named_parts(100_000, np.arange(100_000) % 3)["test"]
    small, large = part.sample(50), part.sample(5000)
    assert len(small.rows()) == len(small) == 50
    assert set(rows(small)) < set(rows(large)) < set(rows(part))
    assert rows(part.sample(50)) == rows(small)
    assert part.sample(10**6) is part


@pytest.mark.parametrize("size", [1, 7, 64])
def test_nothing_depends_on_how_rows_are_chunked(monkeypatch, size):
    whole = {name: rows(part) for name, part in divided(333).items()}
    monkeypatch.setattr(module.spans, "__defaults__", (size, 0))
    assert {name: rows(part) for name, part in divided(333).items()} == whole


def test_first_rows():
    part = Part(100_000, lambda start, stop: np.arange(start, stop) % 40_000 == 7)
    assert part.first(2).tolist() == [7, 40_007]
    assert part.first(9).tolist() == [7, 40_007, 80_007]


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"validation": -0.1}, {"test": 0.97}])
def test_fractions_that_leave_nothing_are_refused(shares):
    with pytest.raises(ConfigError):
        divided(100, **shares)

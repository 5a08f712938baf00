"""The splits that every detector on ADBench shares."""

import numpy as np
import pytest
from experiments.adbench_data import PROTOCOLS, divide, folder_of_sets, names, number, split


def rows(n, anomalies):
    """Rows that carry their own index, and their marks."""
    x = np.arange(n, dtype=np.float64)[:, None] * [1.0, -2.0]
    return x, (np.arange(n) < anomalies).astype(np.int64)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_row_is_in_both_parts_and_the_marks_go_along(protocol):
    x, y = rows(400, 40)
    data = divide(x, y, protocol, [3, 1, 0])
    back = {}
    for part, marks in ((data.train, data.train_anomalies), (data.test, data.test_anomalies)):
        assert len(part) == len(marks)
        for row, mark in zip(part, marks, strict=True):
            assert tuple(row) not in back
            back[tuple(row)] = mark
    order = sorted(back)
    assert [back[key] for key in order] == y.tolist()


def test_the_shares_of_each_protocol():
    x, y = rows(400, 40)
    mixed = divide(x, y, "contaminated", [3, 0, 0])
    assert (len(mixed.train), mixed.train_anomalies.sum()) == (280, 28)
    clean = divide(x, y, "normals-only", [3, 1, 0])
    assert (len(clean.train), clean.train_anomalies.sum()) == (180, 0)
    assert (len(clean.test), clean.test_anomalies.sum()) == (220, 40)


def test_columns_are_standardised_by_the_training_rows():
    data = divide(*rows(400, 40), "contaminated", [3, 0, 0])
    np.testing.assert_allclose(data.train.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(data.train.std(0), 1, rtol=1e-12)
    assert abs(data.test.mean(0)).min() > 1e-6


def test_a_large_set_keeps_ten_thousand_rows_and_its_share():
    x, y = rows(50_000, 500)
    data = divide(x, y, "contaminated", [3, 0, 0])
    assert len(data.train) + len(data.test) == 10_000
    assert data.train_anomalies.sum() + data.test_anomalies.sum() == 100


def test_a_split_is_a_function_of_set_protocol_and_seed():
    x, y = rows(200, 20)
    first, again = (divide(x, y, "contaminated", [3, 0, 0]) for _ in range(2))
    np.testing.assert_array_equal(first.test, again.test)
    others = [divide(x, y, "contaminated", entropy) for entropy in ([3, 0, 1], [4, 0, 0])]
    assert all(not np.array_equal(first.test, other.test) for other in others)


@pytest.mark.skipif(folder_of_sets() is None, reason="needs a local copy of ADBench")
def test_odd_and_even_share_out_the_sets():
    odd, even = names("odd"), names("even")
    assert sorted(odd + even, key=number) == names()
    assert {number(name) % 2 for name in odd} == {1}
    assert split("45_wine", "normals-only", 0).test_anomalies.sum() == 10

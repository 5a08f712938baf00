import hashlib

import numpy as np
import pytest

from vaekit.data import DataCodec, RawData, TensorData
from vaekit.data.batches import joined
from vaekit.errors import DataError


def test_shapes_and_kinds():
    assert RawData(np.zeros((4, 3))).kind == "array"
    assert RawData(np.zeros((4, 3, 2))).kind == "image"
    assert RawData(np.zeros((4, 3, 2, 1), np.uint8)).x.shape == (4, 3, 2)
    assert RawData(np.ones((4, 3, 2), bool)).x.dtype == np.uint8


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4, 5, 6)])
def test_wrong_number_of_axes_is_refused(shape):
    with pytest.raises(DataError, match=r"wrong number of axes.*got shape"):
        RawData(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 4, 4)])
def test_empty_data_is_refused(shape):
    with pytest.raises(DataError, match="there is no data"):
        RawData(np.zeros(shape))


def test_values_that_are_not_numbers_are_refused():
    with pytest.raises(DataError, match="not numbers"):
        RawData(np.array([["a", "b"]]))


def test_nan_names_column_rows_and_count():
    x = np.zeros((20, 3))
    x[[2, 5, 7, 8, 9, 11, 13], 1] = np.nan
    with pytest.raises(
        DataError, match=r"column 'b' holds 7 value.*rows 2, 5, 7, 8, 9 and 2 more.*got NaN"
    ):
        RawData(x, columns=("a", "b", "c"))


def test_infinite_pixel_is_named():
    x = np.zeros((5, 4, 4), np.float32)
    x[3, 1, 2] = np.inf
    with pytest.raises(DataError, match=r"pixel \(1, 2\).*row 3.*got infinity"):
        RawData(x)


@pytest.mark.parametrize("field", ["labels", "context", "split"])
def test_row_counts_must_agree(field):
    value = ["train"] * 3 if field == "split" else np.zeros(3)
    with pytest.raises(DataError, match=rf"{field} and x differ.*expected 4 .*got 3"):
        RawData(np.zeros((4, 2)), **{field: value})


def test_labels_become_whole_numbers_or_text():
    assert RawData(np.zeros((2, 1)), [1.0, 2.0]).labels.dtype == np.int64
    assert RawData(np.zeros((2, 1)), np.array(["a", "b"], object)).labels.tolist() == ["a", "b"]
    assert RawData(np.zeros((2, 1)), [[True], [False]]).labels.tolist() == [1, 0]


@pytest.mark.parametrize("labels", [[0.5, 1.0], [np.nan, 1.0]])
def test_fractional_and_missing_labels_are_refused(labels):
    with pytest.raises(DataError, match=r"labels must be classes, but row 0"):
        RawData(np.zeros((2, 1)), labels)


def test_mixed_labels_are_refused():
    with pytest.raises(DataError, match="row 0 is neither"):
        RawData(np.zeros((2, 1)), np.array([None, "a"], object))


def test_unknown_split_names_are_refused():
    with pytest.raises(DataError, match=r"unknown split names.*got 'holdout'"):
        RawData(np.zeros((2, 1)), split=["train", "holdout"])


def test_fingerprint_is_sha256_of_dtype_shape_and_bytes():
    x, y = np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.array([7])
    text = b"|u1(1, 2, 3);" + x.tobytes() + b"<i8(1,);" + y.tobytes()
    assert RawData(x, y).fingerprint == hashlib.sha256(text).hexdigest()
    assert RawData(x, y + 1).fingerprint != RawData(x, y).fingerprint
    assert RawData(x.transpose(0, 2, 1)).fingerprint != RawData(x).fingerprint


def test_subset_takes_every_field():
    raw = RawData(
        np.arange(8.0).reshape(4, 2),
        list("abcd"),
        context=np.arange(4.0),
        split=["train", "test", "train", "val"],
        columns=("u", "v"),
    )
    part = raw.subset(np.array([False, True, False, True]))
    assert part.x.tolist() == [[2, 3], [6, 7]]
    assert part.labels.tolist() == ["b", "d"]
    assert part.context.tolist() == [[1], [3]]
    assert part.split.tolist() == ["test", "validation"]
    assert part.columns == ("u", "v")


def test_factors_follow_their_rows():
    raw = RawData(np.zeros((4, 2)))
    assert (raw.factors, raw.factor_names) == (None, ())
    known = raw.with_factors([[0, 5], [1, 6], [2, 7], [3, 8]], ("size", "place"))
    part = known.subset([3, 0])
    assert part.factors.tolist() == [[3, 8], [0, 5]]
    assert part.factor_names == ("size", "place")
    assert raw.factors is None


def test_numbers_follow_their_rows():
    raw = RawData(np.arange(8.0).reshape(4, 2))
    assert (raw.numbers, raw.number_names) == (None, ())
    known = raw.with_numbers([[0.5], [1.5], [2.5], [3.5]], ("age",))
    part = known.subset([3, 0])
    assert (part.numbers.tolist(), part.number_names) == ([[3.5], [0.5]], ("age",))
    codec = DataCodec.fit(known)
    stored = TensorData.of(known, codec)
    assert stored.subset([2]).numbers.tolist() == [[2.5]]
    assert joined([stored, stored.head(1)]).numbers[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 0.5]
    with pytest.raises(DataError, match=r"numbers.*NaN|missing"):
        raw.with_numbers([[0.0], [np.nan], [1.0], [2.0]], ("age",))
    with pytest.raises(DataError, match=r"expected 4 .*got 3"):
        raw.with_numbers(np.zeros((3, 1)), ("age",))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.zeros((4, 2)), r"whole numbers of shape \(n, 2\), got shape \(4, 2\), dtype float64"),
        (np.zeros((4, 3), int), r"got shape \(4, 3\)"),
        (np.zeros(4, int), r"got shape \(4,\)"),
        (np.zeros((3, 2), int), r"factors and x differ.*expected 4 .*got 3"),
    ],
)
def test_factors_that_do_not_fit(factors, message):
    with pytest.raises(DataError, match=message):
        RawData(np.zeros((4, 2))).with_factors(factors, ("size", "place"))

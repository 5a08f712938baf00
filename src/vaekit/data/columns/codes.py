"""Values as codes: what text each distinct value has, and which of them each row holds.

Only distinct values are ever written as text, so a column of a million rows costs one pass of
Arrow's hashing. Numbers are written so that 1 and 1.0 are one category: a column of integers
becomes one of floating-point numbers as soon as a library marks a missing value by NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vaekit.data.columns.values import Values
from vaekit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Coded", "Scalar", "coded", "common_scalar", "decoded", "require_known", "written"]

Scalar = Literal["text", "integer", "number", "boolean"]
EXACT = 2.0**53
"""Whole numbers below are exact in double precision, and written as integers."""


class Coded(NamedTuple):
    """Values of a column by what they have in common.

    Attributes:
        texts: Text of each distinct value, an Arrow array; two may have the same.
        place: Which of them each row holds, int64 ``(n,)``; −1 where there is no value.
        scalar: What the raw values are.
    """

    texts: pyarrow.Array
    place: np.ndarray
    scalar: Scalar

    def counts(self) -> dict[str, int]:
        """How many rows hold each text."""
        found: dict[str, int] = {}
        tally = np.bincount(self.place[self.place >= 0], minlength=len(self.texts))
        for text, count in zip(self.texts.to_pylist(), tally.tolist(), strict=True):
            if count:
                found[text] = found.get(text, 0) + count
        return found

    def among(self, names: Sequence[str]) -> np.ndarray:
        """The place of each row's text among these names, int64; −1 without value, −2 unknown."""
        import pyarrow as pa
        import pyarrow.compute as pc

        among = pc.index_in(self.texts, value_set=pa.array(names, pa.large_string()))
        among = among.cast(pa.int64()).fill_null(-2).to_numpy(zero_copy_only=False)
        return np.append(among, -1)[self.place]


def coded(values: Values) -> Coded:
    """The values as codes.

    Raises:
        DataError: If they are lists, records, or something else that is no category.

    Example:
        >>> import pyarrow
        >>> found = coded(Values("c", pyarrow.array([2.0, None, 0.5, 2.0])))
        >>> found.texts.to_pylist(), found.place.tolist(), found.scalar
        (['2', '0.5'], [0, -1, 1, 0], 'number')
    """
    import pyarrow as pa

    array = values.array
    if isinstance(array, np.ndarray):
        array = pa.array(array, from_pandas=True)
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    try:
        if kind == pa.float16():  # which has no hashing
            array = array.cast(pa.float32())
        if not pa.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        texts = _texts(array.dictionary)
    except pa.ArrowException as error:
        raise DataError(
            "these values cannot be categories",
            expected="text, numbers, dates or Booleans",
            got=str(kind),
            where=values.place,
            remedy=f"turn them into text first, or column_types={{{values.name!r}: 'skip'}}",
        ) from error
    index = array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    if texts.null_count:
        gone = np.append(texts.is_null().to_numpy(zero_copy_only=False), True)
        index = np.where(gone[index], -1, index)
    return Coded(texts, index, _scalar(kind))


def _texts(distinct: pyarrow.Array) -> pyarrow.Array:
    """Text of each value; null for NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = distinct.type
    if pa.types.is_null(kind):
        return pa.array([None] * len(distinct), pa.large_string())
    if pa.types.is_floating(kind):
        numbers = distinct.to_numpy(zero_copy_only=False) + 0.0  # −0 becomes 0
        whole = (numbers == np.rint(numbers)) & (np.abs(numbers) < EXACT)
        as_float = pa.array(numbers, from_pandas=True).cast(pa.large_string())
        as_whole = pa.array(np.where(whole, numbers, 0).astype(np.int64)).cast(pa.large_string())
        return pc.if_else(pa.array(whole), as_whole, as_float)
    return distinct.cast(pa.large_string())


def _scalar(kind: Any) -> Scalar:
    import pyarrow as pa

    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number"
    return "boolean" if pa.types.is_boolean(kind) else "text"


def common_scalar(one: Scalar | None, other: Scalar) -> Scalar:
    """What the values of two batches are together.

    Example:
        >>> common_scalar(None, "integer"), common_scalar("integer", "number")
        ('integer', 'number')
    """
    if one is None or one == other:
        return other
    return "number" if {one, other} == {"integer", "number"} else "text"


def written(names: Sequence[str], scalar: Scalar, *, where: str) -> tuple[str, ...]:
    """Categories as a user writes them, in the way that :func:`coded` writes them.

    Raises:
        ConfigError: If one is no number though the values are, or two are the same.

    Example:
        >>> written(("1", "2.50"), "number", where="column 'grade'")
        ('1', '2.5')
    """
    import pyarrow as pa

    found = [str(name) for name in names]
    if scalar == "boolean":
        found = [name.lower() for name in found]
    elif scalar != "text":
        try:
            found = _texts(pa.array([float(name) for name in found])).to_pylist()
        except ValueError as error:
            raise ConfigError(
                "the values are numbers, and these categories are not",
                expected="numbers",
                got=", ".join(map(repr, names[:8])),
                where=where,
            ) from error
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ConfigError(f"the category {twice!r} is there twice", where=where)
    return tuple(found)


def require_known(values: Values, coded: Coded, place: np.ndarray, names: Sequence[str]) -> None:
    """Raise :class:`DataError` where a value is not among the names."""
    wrong = place == -2
    if not wrong.any():
        return
    shown = ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
    first = coded.texts[int(coded.place[wrong.argmax()])].as_py()
    values.refuse(
        wrong,
        "of no known category",
        expected=shown,
        got=repr(first),
        remedy="mend these cells, or choose unknown=missing for this column",
    )


def decoded(code: np.ndarray, names: Sequence[str], scalar: Scalar) -> pyarrow.Array:
    """The raw values of codes; null for NaN and for codes beyond the names."""
    import pyarrow as pa

    fine = (code > -0.5) & (code < len(names) - 0.5)
    index = pa.array(np.where(fine, np.rint(code), 0).astype(np.int32), mask=~fine)
    text = pa.array(names, pa.string())
    if scalar == "text":
        return pa.DictionaryArray.from_arrays(index, text)
    kinds = {
        "integer": (pa.int64(), pa.uint64()),
        "number": (pa.float64(),),
        "boolean": (pa.bool_(),),
    }
    for kind in kinds[scalar]:
        try:
            return text.cast(kind).take(index)
        except pa.ArrowInvalid:  # beyond 64 bits, or a category that the user named
            continue
    return pa.DictionaryArray.from_arrays(index, text)

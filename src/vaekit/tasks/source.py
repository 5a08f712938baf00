"""Which data a run reads, how it is divided and how it becomes tensors, as one spec."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd

from vaekit.data import DataCodec, RawData, Rows, load, prepare, split
from vaekit.data.codecs import Context
from vaekit.data.sources.parquet import is_parquet_folder
from vaekit.data.streams import (
    Source,
    StreamData,
    can_stream,
    decoded_bytes,
    open_stream,
    prepare_stream,
    split_stream,
)
from vaekit.data.unlabelled import hidden
from vaekit.errors import ConfigError, DataError
from vaekit.likelihoods import Gaussian
from vaekit.networks import default_network
from vaekit.spec import Spec, Within, spec_from_text
from vaekit.tasks.composition import Hint

__all__ = ["MEASURED_ROWS", "DataSpec", "Prepared", "hint_for", "prepare_data", "sample_of"]

STREAM_BYTES = 1 << 30
"""Data that would fill more memory than this is streamed."""
MEASURED_ROWS = 100_000
MEASURED_BYTES = 1 << 28
Fraction = Annotated[float, Within(0.0, 0.9)]


class DataSpec(Spec, kind="data/source"):
    """Where data comes from and how it is read; saved with the run so that it can be read again.

    Args:
        source: What :func:`vaekit.data.load` accepts as text.
        label: Tables: the column of classes.
        columns: Tables: the columns of x; None takes all that have no other use.
        context: What the model reads beside x: ``"labels"``, names of columns, or nothing.
        split: Tables: the column that says train, validation or test.
        numbers: Tables: columns that are no part of x, and that a linear regression is to read
            from the codes; such data is held in memory.
        size: Image folders: height and width to scale to.
        validation: Fraction held out to choose weights by.
        test: Fraction held out to report on, where the source does not give a test set.
        seed: Of the division and of fixed binarisation.
        padding: Images: pixels to add on each side.
        binarise: Images: ``fixed`` and ``dynamic`` draw from the grey values, once or every step.
        scaling: Tables: ``standard``, ``minmax`` or ``none``.
        stream: Whether Parquet files and image folders are read again in each pass instead of
            being held in memory; ``auto`` does so above 1 GiB.
        unlabelled: Whether rows without a label are refused, or kept for models that learn from
            them; such data is held in memory.
        labelled: How many training rows keep their label, evenly over the classes; all others are
            hidden, for experiments. None hides none.
    """

    source: str = "digits"
    label: str | None = None
    columns: tuple[str, ...] | None = None
    context: tuple[str, ...] = ()
    split: str | None = None
    numbers: tuple[str, ...] = ()
    size: tuple[Annotated[int, Within(1, 65_536)], ...] | None = None
    validation: Fraction = 0.05
    test: Fraction = 0.1
    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    padding: Annotated[int, Within(0, 512)] = 0
    binarise: Literal["none", "fixed", "dynamic", "threshold"] = "none"
    scaling: Literal["none", "standard", "minmax"] = "standard"
    stream: Literal["auto", "on", "off"] = "auto"
    unlabelled: Literal["refuse", "keep"] = "refuse"
    labelled: Annotated[int, Within(1, 2**31 - 1)] | None = None

    def validate(self) -> None:
        """Check that rows without labels are kept where there will be some, and in memory."""
        if self.unlabelled == "refuse" and self.labelled is not None:
            raise ConfigError(
                "rows whose labels are hidden must be kept",
                where=f"{self.kind}.labelled",
                remedy="add unlabelled=keep",
            )
        if self.unlabelled == "keep" and self.stream == "on":
            raise ConfigError(
                "rows without labels are kept in memory only",
                where=f"{self.kind}.stream",
                remedy="set stream=off, or unlabelled=refuse",
            )
        if self.numbers and self.stream == "on":
            raise ConfigError(
                "numbers beside x are kept in memory only",
                where=f"{self.kind}.stream",
                remedy="set stream=off, or leave numbers out",
            )

    @property
    def by_labels(self) -> bool:
        """Whether the context is the label."""
        return self.context == ("labels",)

    def load(self, source: Any = None) -> RawData:
        """The raw data, of this source or of another one that is read the same way."""
        source = self.source if source is None else source
        kept = self.label is not None and self.unlabelled == "keep" and _names_columns(source)
        numbers = self.numbers or None
        return load(source, **self._reading, numbers=numbers, unlabelled=kept or None)

    def open(self, source: Any = None) -> Source | None:
        """The data as a stream, or None where it is to be loaded into memory.

        Raises:
            ConfigError: If ``stream`` is on and the source cannot be streamed.
        """
        source = self.source if source is None else source
        if (
            self.stream == "off"
            or self.unlabelled == "keep"
            or self.numbers
            or (self.stream == "auto" and not can_stream(source))
        ):
            return None
        reading = self._reading
        if self.stream == "auto":
            wanted = self.columns and [*self.columns, *(reading["context"] or ())]
            if decoded_bytes(source, columns=wanted, size=reading["size"]) <= STREAM_BYTES:
                return None
        return open_stream(source, **reading)

    @property
    def _reading(self) -> dict[str, Any]:
        """Options of :func:`vaekit.data.load`."""
        return {
            "label": self.label,
            "columns": self.columns,
            "context": None if self.by_labels or not self.context else self.context,
            "split": self.split,
            "size": self.size[0] if self.size and len(self.size) == 1 else self.size,
        }

    def like(self, codec: DataCodec, source: Any = None) -> DataSpec:
        """Reads the columns of a codec by name, so that their order in a file does not matter."""
        names = getattr(codec.x, "columns", ())
        source = self.source if source is None else source
        return self.replace(columns=names) if names and _names_columns(source) else self

    def codec_options(self, raw: RawData | Source) -> dict[str, Any]:
        """The options that apply to this kind of data."""
        kept = {} if self.unlabelled == "refuse" else {"unlabelled": self.unlabelled}
        if raw.kind == "image":
            return kept | {"padding": self.padding, "binarise": self.binarise, "seed": self.seed}
        return kept | {"scaling": self.scaling}


def _names_columns(source: Any) -> bool:
    """Whether the columns of a source have names by which they can be chosen."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return path.suffix.lower() in (".csv", ".tsv", ".parquet") or is_parquet_folder(path)
    return isinstance(source, pd.DataFrame)


class Prepared:
    """Data that is ready for a model.

    Args:
        raw: All rows as the source gave them, or where to read them.
        codec: Fitted on the training rows.
        parts: ``train``, ``validation`` and ``test``, those that have rows.
    """

    __slots__ = ("codec", "parts", "raw")

    def __init__(self, raw: RawData | Source, codec: DataCodec, parts: Mapping[str, Rows]) -> None:
        self.raw = raw
        self.codec = codec
        self.parts = dict(parts)

    @property
    def streamed(self) -> bool:
        """Whether the rows are read again in each pass."""
        return not isinstance(self.raw, RawData)

    def part(self, name: str) -> Rows:
        """One part.

        Raises:
            DataError: If it has no rows.
        """
        if name not in self.parts:
            raise DataError(
                f"there is no {name} part",
                where=self.raw.name,
                remedy=f"give it a share: data.{name}=0.1",
            )
        return self.parts[name]

    @property
    def held_out(self) -> Rows:
        """What to report on: the test rows, else the validation rows, else the training rows."""
        return next(self.parts[n] for n in ("test", "validation", "train") if n in self.parts)


def prepare_data(
    spec: DataSpec, source: Any = None, *, codec: DataCodec | None = None
) -> Prepared:
    """Load, divide and encode; or, where the data is to be streamed, look at it once.

    Args:
        spec: How to read.
        source: Data in memory, or another source, to be read the same way.
        codec: Of a saved model; by default one is fitted on the training rows.
    """
    reading = spec if codec is None else spec.like(codec, source)
    shares: Any = {"validation": spec.validation, "test": spec.test, "seed": spec.seed}
    context: Context = "labels" if spec.by_labels else ("columns" if spec.context else "none")
    stream = reading.open(source)
    raw = reading.load(source) if stream is None else stream
    options: Any = {} if codec else {"context": context, **spec.codec_options(raw)}
    if isinstance(raw, RawData):
        splits = split(raw, **shares)
        if spec.labelled is not None and raw.labels is not None:
            labels = hidden(raw.labels, splits.train, spec.labelled, seed=spec.seed)
            raw = raw.with_labels(labels)
        return Prepared(raw, *prepare(raw, codec=codec, splits=splits, **options))
    division = split_stream(raw, **shares)
    return Prepared(raw, *prepare_stream(raw, codec=codec, parts=division, **options))


def sample_of(rows: Rows, most: int = MEASURED_ROWS, *, most_bytes: int = MEASURED_BYTES) -> Rows:
    """The rows themselves where they are in memory; of a stream so many, spread over it.

    Args:
        rows: The rows.
        most: Bound of the rows taken of a stream.
        most_bytes: Bound of their size as model input.
    """
    if not isinstance(rows, StreamData):
        return rows
    row = 4 * math.prod(rows.codec.event_shape)
    wanted = min(len(rows), most, max(1, most_bytes // row))
    return rows.sample(wanted).head(wanted)


def hint_for(codec: DataCodec) -> Hint:
    """What recipes may know about data with this codec."""
    name = codec.suggest()["likelihood"]
    likelihood = Gaussian() if name == "gaussian" else spec_from_text(name, role="likelihood")
    network = default_network(codec.event_shape)
    return Hint(codec.event_shape, codec.context_dim, likelihood, network)

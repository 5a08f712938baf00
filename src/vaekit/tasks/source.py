"""Which data a run reads, how it is divided and how it becomes tensors, as one spec."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd

from vaekit.data import DataCodec, RawData, TensorData, load, prepare, split
from vaekit.data.codecs import Context
from vaekit.errors import DataError
from vaekit.likelihoods import Gaussian
from vaekit.networks import default_network
from vaekit.spec import Spec, Within, spec_from_text
from vaekit.tasks.composition import Hint

__all__ = ["DataSpec", "Prepared", "hint_for", "prepare_data"]

Fraction = Annotated[float, Within(0.0, 0.9)]


class DataSpec(Spec, kind="data/source"):
    """Where data comes from and how it is read; saved with the run so that it can be read again.

    Args:
        source: What :func:`vaekit.data.load` accepts as text.
        label: Tables: the column of classes.
        columns: Tables: the columns of x; None takes all that have no other use.
        context: What the model reads beside x: ``"labels"``, names of columns, or nothing.
        split: Tables: the column that says train, validation or test.
        size: Image folders: height and width to scale to.
        validation: Fraction held out to choose weights by.
        test: Fraction held out to report on, where the source does not give a test set.
        seed: Of the division and of fixed binarisation.
        padding: Images: pixels to add on each side.
        binarise: Images: ``fixed`` and ``dynamic`` draw from the grey values, once or every step.
        scaling: Tables: ``standard``, ``minmax`` or ``none``.
    """

    source: str = "digits"
    label: str | None = None
    columns: tuple[str, ...] | None = None
    context: tuple[str, ...] = ()
    split: str | None = None
    size: tuple[Annotated[int, Within(1, 65_536)], ...] | None = None
    validation: Fraction = 0.05
    test: Fraction = 0.1
    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    padding: Annotated[int, Within(0, 512)] = 0
    binarise: Literal["none", "fixed", "dynamic", "threshold"] = "none"
    scaling: Literal["none", "standard", "minmax"] = "standard"

    @property
    def by_labels(self) -> bool:
        """Whether the context is the label."""
        return self.context == ("labels",)

    def load(self, source: Any = None) -> RawData:
        """The raw data, of this source or of another one that is read the same way."""
        return load(
            self.source if source is None else source,
            label=self.label,
            columns=self.columns,
            context=None if self.by_labels or not self.context else self.context,
            split=self.split,
            size=self.size[0] if self.size and len(self.size) == 1 else self.size,  # type: ignore[arg-type]
        )

    def like(self, codec: DataCodec, source: Any = None) -> DataSpec:
        """Reads the columns of a codec by name, so that their order in a file does not matter."""
        names = getattr(codec.x, "columns", ())
        source = self.source if source is None else source
        return self.replace(columns=names) if names and _names_columns(source) else self

    def codec_options(self, raw: RawData) -> dict[str, Any]:
        """The options that apply to this kind of data."""
        if raw.kind == "image":
            return {"padding": self.padding, "binarise": self.binarise, "seed": self.seed}
        return {"scaling": self.scaling}


def _names_columns(source: Any) -> bool:
    """Whether the columns of a source have names by which they can be chosen."""
    if isinstance(source, str | os.PathLike):
        return Path(source).suffix.lower() in (".csv", ".tsv", ".parquet")
    return isinstance(source, pd.DataFrame)


class Prepared:
    """Data that is ready for a model.

    Args:
        raw: All rows as the source gave them.
        codec: Fitted on the training rows.
        parts: ``train``, ``validation`` and ``test``, those that have rows.
    """

    __slots__ = ("codec", "parts", "raw")

    def __init__(self, raw: RawData, codec: DataCodec, parts: Mapping[str, TensorData]) -> None:
        self.raw = raw
        self.codec = codec
        self.parts = dict(parts)

    def part(self, name: str) -> TensorData:
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
    def held_out(self) -> TensorData:
        """What to report on: the test rows, else the validation rows, else the training rows."""
        return next(self.parts[n] for n in ("test", "validation", "train") if n in self.parts)


def prepare_data(
    spec: DataSpec, source: Any = None, *, codec: DataCodec | None = None
) -> Prepared:
    """Load, divide and encode.

    Args:
        spec: How to read.
        source: Data in memory, or another source, to be read the same way.
        codec: Of a saved model; by default one is fitted on the training rows.
    """
    raw = (spec if codec is None else spec.like(codec, source)).load(source)
    splits = split(raw, validation=spec.validation, test=spec.test, seed=spec.seed)
    if codec is not None:
        codec, parts = prepare(raw, codec=codec, splits=splits)
        return Prepared(raw, codec, parts)
    context: Context = "labels" if spec.by_labels else ("columns" if spec.context else "none")
    codec, parts = prepare(raw, splits=splits, context=context, **spec.codec_options(raw))
    return Prepared(raw, codec, parts)


def hint_for(codec: DataCodec) -> Hint:
    """What recipes may know about data with this codec."""
    name = codec.suggest()["likelihood"]
    likelihood = Gaussian() if name == "gaussian" else spec_from_text(name, role="likelihood")
    network = default_network(codec.event_shape)
    return Hint(codec.event_shape, codec.context_dim, likelihood, network)

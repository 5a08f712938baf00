"""The codec of a whole data set: x, labels and context together."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaekit.data.codecs.array import ArrayCodec
from vaekit.data.codecs.image import ImageCodec
from vaekit.data.codecs.labels import LabelCodec
from vaekit.data.codecs.table import TableCodec
from vaekit.data.codecs.windows import WindowCodec
from vaekit.data.raw import RawData
from vaekit.errors import ConfigError, DataError, did_you_mean
from vaekit.spec import Role, Spec

__all__ = ["Context", "DataCodec", "context_codec", "require_known"]

Context = Literal["labels", "columns", "none"]


class DataCodec(Spec, kind="codec/data"):
    """How the data a model was trained on becomes tensors, and tensors become such data.

    Args:
        x: An :class:`ImageCodec`, an :class:`ArrayCodec` or a :class:`TableCodec`.
        labels: A :class:`LabelCodec`, when there are labels.
        context: A :class:`LabelCodec` (one-hot) or an :class:`ArrayCodec` (standardised), when the
            model reads context.

    Example:
        >>> raw = RawData(np.eye(4), labels=[0, 0, 1, 1])
        >>> codec = DataCodec.fit(raw, scaling="none", context="labels")
        >>> codec.event_shape, codec.context_dim
        ((4,), 2)
    """

    x: Annotated[Any, Role("codec")]
    labels: Annotated[Any, Role("codec")] | None = None
    context: Annotated[Any, Role("codec")] | None = None

    def validate(self) -> None:
        """Check that every codec can do its part."""
        allowed: dict[str, tuple[type, ...]] = {
            "x": (ImageCodec, ArrayCodec, TableCodec, WindowCodec),
            "labels": (LabelCodec, type(None)),
            "context": (LabelCodec, ArrayCodec, type(None)),
        }
        for name, types in allowed.items():
            if not isinstance(getattr(self, name), types):
                raise ConfigError(
                    "the wrong sort of codec",
                    expected=" or ".join(t.__name__ for t in types if t is not type(None)),
                    got=type(getattr(self, name)).__name__,
                    where=f"{self.kind}.{name}",
                )

    @classmethod
    def fit(
        cls,
        raw: RawData,
        *,
        train: np.ndarray | None = None,
        context: Context | None = None,
        unlabelled: Literal["refuse", "keep"] = "refuse",
        **options: Any,
    ) -> DataCodec:
        """The codec for data like this.

        Args:
            raw: The data.
            train: Rows to measure ranges, means and scales on; all by default. The list of classes
                always comes from all rows.
            context: ``'labels'``, ``'columns'`` or ``'none'``; by default the context columns
                where the data has some.
            unlabelled: As of :class:`LabelCodec`.
            **options: Of :meth:`ImageCodec.fit` or :meth:`ArrayCodec.fit`.

        Raises:
            ConfigError: If an option is unknown.
            DataError: If the context asked for is not there, or a column cannot be scaled.
        """
        part: type[ImageCodec] | type[ArrayCodec] = (
            ImageCodec if raw.kind == "image" else ArrayCodec
        )
        require_known(options, part)
        rows = raw if train is None else raw.subset(train)
        labels = None if raw.labels is None else LabelCodec.fit(raw, unlabelled=unlabelled)

        def columns() -> ArrayCodec:
            assert rows.context is not None
            return ArrayCodec.fit(rows.context, columns=rows.context_columns)

        return cls(
            x=part.fit(rows, **options),
            labels=labels,
            context=context_codec(
                context, labels, None if raw.context is None else columns, where=raw.name
            ),
        )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one row of x for the model."""
        return tuple(self.x.event_shape)

    @property
    def context_dim(self) -> int:
        """Length of the context vector; 0 without context."""
        return 0 if self.context is None else int(self.context.event_shape[0])

    def encode(self, raw: Any) -> Tensor:
        """Rows of x (an array or :class:`RawData`) as stored tensors."""
        return self.x.encode(raw.x if isinstance(raw, RawData) else raw)

    def encode_labels(self, raw: RawData) -> Tensor | None:
        """Codes of the labels, or None where codec or data have none."""
        return (
            None if self.labels is None or raw.labels is None else self.labels.encode(raw.labels)
        )

    def encode_context(self, raw: RawData) -> Tensor | None:
        """Stored context, or None where the model reads none.

        Raises:
            DataError: If the model needs context that the data does not have.
        """
        if self.context is None:
            return None
        by_label = isinstance(self.context, LabelCodec)
        values = raw.labels if by_label else raw.context
        if values is None and by_label and self.context.unlabelled == "keep":
            return torch.full((len(raw),), -1)
        if values is None:
            raise DataError(
                f"the model reads {'labels' if by_label else 'context'}, which the data lacks",
                where=raw.name,
                remedy="load it with label='...'" if by_label else "load it with context=[...]",
            )
        return self.context.encode(values)

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """A batch of x for the model."""
        return self.x.to_model(stored, train=train)

    def decode(self, x: Any) -> np.ndarray:
        """Rows of x from the model in raw units."""
        return self.x.decode(x)

    def describe(self) -> str:
        """One line for each part, for people."""
        parts = (("x", self.x), ("labels", self.labels), ("context", self.context))
        return "\n".join(f"{name}: {part.describe()}" for name, part in parts if part is not None)

    def suggest(self) -> dict[str, str]:
        """Likelihood and network that usually suit x."""
        return self.x.suggest()


def require_known(options: dict[str, Any], part: type) -> None:
    """Refuse options that a codec's ``fit`` does not have."""
    known = set(inspect.signature(part.fit).parameters) - {"raw"}  # type: ignore[attr-defined]
    for name in options:
        if name not in known:
            raise ConfigError(
                f"unknown codec option {name!r}",
                where=part.__name__,
                remedy=did_you_mean(name, known),
            )


def context_codec(
    context: str | None,
    labels: LabelCodec | None,
    columns: Callable[[], ArrayCodec] | None,
    *,
    where: str,
) -> LabelCodec | ArrayCodec | None:
    """The codec of what the model reads beside x.

    Args:
        context: As of :meth:`DataCodec.fit`.
        labels: The codec of the labels, where there are some.
        columns: Fits a codec to the context columns, where there are some.
        where: Name of the data, for messages.
    """
    if context is None:
        context = "none" if columns is None else "columns"
    if context == "none":
        return None
    if context not in ("labels", "columns"):
        raise ConfigError("unknown context", expected="labels, columns or none", got=repr(context))
    if context == "labels" and labels is not None:
        return labels
    if context == "columns" and columns is not None:
        return columns()
    raise DataError(
        f"the data has no {context} to use as context",
        where=where,
        remedy="load it with label='...' or context=[...]",
    )

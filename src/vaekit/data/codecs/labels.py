"""Class labels to codes, one-hot vectors, and back."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaekit.data.checks import rows_text
from vaekit.data.raw import RawData, clean_labels
from vaekit.data.unlabelled import missing
from vaekit.errors import ConfigError, DataError, did_you_mean
from vaekit.spec import MAX_ITEMS, Spec

__all__ = ["LabelCodec"]


class LabelCodec(Spec, kind="codec/labels"):
    """Classes (text or whole numbers) as int64 codes, and as one-hot vectors for a model.

    Args:
        classes: The classes in the order of their codes.
        unlabelled: Whether a row without a label is refused; or kept, with the code −1 and a
            vector of zeros, and decoded, among the classes as text, as the empty text.

    Raises:
        ConfigError: If there is none, or one occurs twice.

    Example:
        >>> codec = LabelCodec.fit(np.array(["cat", "ant", "cat"]))
        >>> codec.classes, codec.encode(["cat"]), codec.to_model(torch.tensor([1]))
        (('ant', 'cat'), tensor([1]), tensor([[0., 1.]]))
    """

    classes: tuple[str | int, ...]
    unlabelled: Literal["refuse", "keep"] = "refuse"

    def validate(self) -> None:
        """Check that the classes are distinct."""
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ConfigError(
                "classes must be distinct, and at least one",
                got=len(self.classes),
                where=self.kind,
            )

    @classmethod
    def fit(
        cls, raw: RawData | np.ndarray, *, unlabelled: Literal["refuse", "keep"] = "refuse"
    ) -> LabelCodec:
        """The codec for the classes found, sorted."""
        labels = raw.labels if isinstance(raw, RawData) else raw
        if labels is None:
            raise DataError("there are no labels", remedy="say where they are, e.g. label='class'")
        found = np.unique(clean_labels(labels, where="labels"))
        classes = (found[~missing(found)] if unlabelled == "keep" else found).tolist()
        if not classes:
            raise DataError(
                "no row has a label",
                expected="at least one",
                got=f"{len(labels)} empty ones",
                where="labels",
                remedy="name another column of labels, or none",
            )
        if len(classes) > MAX_ITEMS:
            raise DataError(
                "too many classes",
                expected=f"at most {MAX_ITEMS}",
                got=len(classes),
                where="labels",
                remedy="is this an identifier rather than a label?",
            )
        return cls(tuple(classes), unlabelled)

    @property
    def event_shape(self) -> tuple[int]:
        """Shape ``(k,)`` of a one-hot vector."""
        return (len(self.classes),)

    def encode(self, labels: Any) -> Tensor:
        """Labels as int64 codes ``(n,)``.

        Raises:
            DataError: If a label is unknown; the message names its row and the closest class.
        """
        values = clean_labels(labels, where="labels")
        names, inverse = np.unique(values, return_inverse=True)
        code = {name: i for i, name in enumerate(self.classes)}
        known = np.array([code.get(name, -1) for name in names.tolist()], dtype=np.int64)
        codes = known[inverse.reshape(-1)]
        absent = self.unlabelled == "keep" and missing(values)
        unknown = np.flatnonzero((codes < 0) & ~np.asarray(absent))
        if len(unknown):
            label = values[unknown[0]].item()
            raise DataError(
                f"unknown label {label!r} in {rows_text(unknown, len(unknown))}",
                where="labels",
                remedy=did_you_mean(str(label), map(str, self.classes[:100])),
            )
        return torch.from_numpy(codes)

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """Codes as one-hot float32 ``(B, k)``; zeros for a row without a label."""
        one_hot = torch.nn.functional.one_hot(stored.clamp(min=0), len(self.classes))
        return (one_hot * (stored >= 0).unsqueeze(-1)).to(torch.float32)

    def decode(self, codes: Any) -> np.ndarray:
        """Codes ``(n,)``, or scores or one-hot vectors ``(n, k)``, as labels."""
        values = codes.detach().cpu().numpy() if isinstance(codes, Tensor) else np.asarray(codes)
        if values.ndim == 2 and values.shape[1] == len(self.classes):
            values = values.argmax(axis=1)
        if values.ndim != 1 or values.dtype.kind not in "ui":
            raise DataError(
                "not codes of this codec",
                expected=f"(n,) or (n, {len(self.classes)})",
                got=values.shape,
            )
        least = 0 if self.unlabelled == "refuse" else -1
        if values.size and not (values.min() >= least and values.max() < len(self.classes)):
            raise DataError(
                "codes out of range",
                expected=f"{least} .. {len(self.classes) - 1}",
                got=f"{values.min()} .. {values.max()}",
            )
        return self._class_array()[values]

    def _class_array(self) -> np.ndarray:
        if self.unlabelled == "keep":
            return np.array([*map(str, self.classes), ""])  # the code −1 is the last
        whole = all(isinstance(name, int) for name in self.classes)
        text = all(isinstance(name, str) for name in self.classes)
        return np.array(self.classes, dtype=np.int64 if whole else np.str_ if text else object)

    def describe(self) -> str:
        """One line for people."""
        shown = ", ".join(str(name) for name in self.classes[:10])
        return f"{len(self.classes)} classes: {shown}{' ...' if len(self.classes) > 10 else ''}"

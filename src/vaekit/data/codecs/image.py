"""Images to tensors and back: range, layout, padding, binarisation."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaekit.data.checks import require_finite, rows_text
from vaekit.data.codecs.noise import row_noise
from vaekit.data.raw import RawData
from vaekit.errors import ConfigError, DataError
from vaekit.spec import Spec, Within

__all__ = ["ImageCodec"]

Binarise = Literal["none", "fixed", "dynamic", "threshold"]
_MAX_SIZE = 1 << 28
_MAX_STEPS = 1 << 22  # whole numbers that survive float32 scaling with room to round
_ROWS_A_TIME = 4096


class ImageCodec(Spec, kind="codec/image"):
    r"""Images ``(n, H, W[, C])`` in raw units :math:`\leftrightarrow` ``(n, C, H, W)`` in [0, 1].

    .. math:: x = (raw - low) / (high - low)

    Args:
        height: Raw height in pixels.
        width: Raw width in pixels.
        channels: 1 for grey.
        dtype: NumPy dtype of the raw images, restored by :meth:`decode`.
        low: Raw value that becomes 0.
        high: Raw value that becomes 1.
        measured: The range is that of the training images rather than a convention, so images
            up to one range further out are accepted.
        two_valued: The training images hold two values only.
        padding: Pixels of value ``low`` added on every side.
        binarise: ``'none'``; ``'threshold'`` (1 where at least halfway up the range); ``'fixed'``
            (one Bernoulli draw a pixel, made at encoding); ``'dynamic'`` (drawn anew whenever a
            training batch is made; evaluation uses the draw that ``'fixed'`` would use).
        seed: Of the fixed draw, which depends on the seed and the image itself only.

    Raises:
        ConfigError: If the range is empty or does not fit the dtype.

    References:
        | On the quantitative analysis of deep belief networks (Salakhutdinov & Murray, 2008), for
          the binarised MNIST
        | Importance Weighted Autoencoders (Burda et al., 2015), for drawing anew in training
        | https://arxiv.org/abs/1509.00519

    Example:
        >>> images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) * 30
        >>> codec = ImageCodec.fit(images, padding=1)
        >>> codec.event_shape
        (1, 4, 4)
        >>> bool((codec.decode(codec.to_model(codec.encode(images))) == images).all())
        True
    """

    height: Annotated[int, Within(1, 16_384)]
    width: Annotated[int, Within(1, 16_384)]
    channels: Annotated[int, Within(1, 4_096)] = 1
    dtype: Literal[
        "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "float32", "float64"
    ] = "uint8"
    low: float = 0.0
    high: float = 255.0
    measured: bool = False
    two_valued: bool = False
    padding: Annotated[int, Within(0, 1_024)] = 0
    binarise: Binarise = "none"
    seed: Annotated[int, Within(0, 2**53)] = 0

    def validate(self) -> None:
        """Check the fields against each other."""
        if not self.low < self.high:
            raise ConfigError(
                "high must be above low", got=f"{self.low} .. {self.high}", where=self.kind
            )
        if not math.isfinite(self.high - self.low):
            raise ConfigError(
                "the range is too wide", got=f"{self.low} .. {self.high}", where=self.kind
            )
        if int(np.prod(self.event_shape, dtype=object)) > _MAX_SIZE:
            raise ConfigError(
                "images are too large",
                expected=f"at most {_MAX_SIZE} values an image",
                got=self.event_shape,
                where=self.kind,
            )
        if self.integer:
            self._validate_integer()

    def _validate_integer(self) -> None:
        bounds = np.iinfo(self.dtype)
        inside = bounds.min <= self.low and self.high <= bounds.max
        if not (inside and self.low.is_integer() and self.high.is_integer()):
            raise ConfigError(
                "the range does not fit the dtype",
                expected=f"whole numbers of {self.dtype}",
                got=f"{self.low} .. {self.high}",
                where=self.kind,
            )
        if self.high - self.low > _MAX_STEPS:
            raise ConfigError(
                "the range of whole numbers is too wide to be exact",
                expected=f"at most {_MAX_STEPS} steps",
                got=f"{self.low} .. {self.high}",
                where=self.kind,
                remedy="pass the images as floats",
            )

    @classmethod
    def fit(
        cls,
        raw: RawData | np.ndarray,
        *,
        padding: int = 0,
        binarise: Binarise = "none",
        seed: int = 0,
        low: float | None = None,
        high: float | None = None,
    ) -> ImageCodec:
        """The codec for images like these; the range is found from their values unless given.

        Whole numbers above 16 are taken to run to 255 (or the largest one found), floats within
        [0, 1], [-1, 1] or, above 16, [0, 255] to fill that range; other floats their own range.
        """
        images = raw.x if isinstance(raw, RawData) else RawData(raw, kind="image").x
        least, most = float(images.min()), float(images.max())
        natural, measured = _natural_range(least, most, integer=images.dtype.kind in "ui")
        bounds = (natural[0] if low is None else low, natural[1] if high is None else high)
        if least == most and None in (low, high):
            raise DataError(
                "all pixels have the same value",
                got=least,
                remedy="check the images, or give low and high",
            )
        return cls(
            height=images.shape[1],
            width=images.shape[2],
            channels=images.shape[3] if images.ndim == 4 else 1,
            dtype=images.dtype.name,  # type: ignore[arg-type]  # checked by Spec
            low=bounds[0],
            high=bounds[1],
            measured=measured and low is None and high is None,
            two_valued=bool(((images == least) | (images == most)).all()),
            padding=padding,
            binarise=binarise,
            seed=seed,
        )

    @property
    def integer(self) -> bool:
        """Whether raw pixels are whole numbers."""
        return "int" in self.dtype

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """Shape ``(C, H, W)`` of one image for the model, padding included."""
        return (self.channels, self.height + 2 * self.padding, self.width + 2 * self.padding)

    @property
    def _raw_shape(self) -> tuple[int, ...]:
        grey = (self.height, self.width)
        return grey if self.channels == 1 else (*grey, self.channels)

    @property
    def _compact(self) -> bool:
        """Whether images are kept as raw uint8; otherwise as float32 in [0, 1]."""
        return self.integer and self.low >= 0 and self.high <= 255

    # --- raw to stored ---------------------------------------------------------------------

    def encode(self, raw: Any) -> Tensor:
        """Images as a compact tensor ``(n, C, H, W)``: uint8 as it is, all else float32 in [0, 1].

        Raises:
            DataError: If shape, dtype or range differ from those that the codec knows; the
                message names the first such image.
        """
        images = self._checked(np.asarray(raw))
        images = images.reshape(len(images), self.height, self.width, self.channels)
        images = images.transpose(0, 3, 1, 2)
        if self._compact:
            stored = torch.from_numpy(np.array(images, dtype=np.uint8, order="C"))
        else:
            stored = torch.from_numpy(np.array(self._unit_array(images), np.float32, order="C"))
        if self.padding:
            blank = int(self.low) if self._compact else 0.0
            stored = torch.nn.functional.pad(stored, (self.padding,) * 4, value=blank)
        return self._binarised_once(stored) if self.binarise in ("fixed", "threshold") else stored

    def _unit_array(self, images: np.ndarray) -> np.ndarray:
        return (images.astype(np.float64) - self.low) / (self.high - self.low)

    def _checked(self, images: np.ndarray) -> np.ndarray:
        if images.ndim == 4 and self.channels == 1 and images.shape[-1] == 1:
            images = images[..., 0]
        if images.ndim < 3 or images.shape[1:] != self._raw_shape:
            raise DataError(
                "images of another shape",
                expected=("n", *self._raw_shape),
                got=images.shape,
                where="images",
                remedy="resize or crop them to the shape of the training images",
            )
        if images.dtype.kind == "b":
            images = images.astype(np.uint8)
        if images.dtype.kind not in ("ui" if self.integer else "uif"):
            raise DataError(
                "images of another dtype",
                expected=f"{self.dtype} like the training images",
                got=images.dtype,
                where="images",
                remedy=f"convert them to the units {self.low:g} .. {self.high:g}",
            )
        require_finite(images, where="images")
        self._check_range(images)
        return images

    def _check_range(self, images: np.ndarray) -> None:
        slack = self.high - self.low if self.measured and not self.integer else 0.0
        low, high = self.low - slack, self.high + slack
        if images.size == 0 or (images.min() >= low and images.max() <= high):
            return
        outside = ((images < low) | (images > high)).reshape(len(images), -1)
        rows = np.flatnonzero(outside.any(axis=1))
        worst = images.reshape(len(images), -1)[rows[0]][outside[rows[0]]][0]
        raise DataError(
            f"pixel values out of range in {rows_text(rows, len(rows))}",
            expected=f"values in {low:g} .. {high:g}",
            got=worst,
            where="images",
            remedy="bring them to the units of the training images, or fit with low= and high=",
        )

    def _binarised_once(self, stored: Tensor) -> Tensor:
        top = torch.tensor(int(self.high) if self._compact else 1.0, dtype=stored.dtype)
        blank = torch.tensor(int(self.low) if self._compact else 0.0, dtype=stored.dtype)
        for rows in stored.split(_ROWS_A_TIME):
            rows.copy_(torch.where(self._hit(rows, self.to_unit(rows)), top, blank))
        return stored

    def _hit(self, stored: Tensor, unit: Tensor) -> Tensor:
        if self.binarise == "threshold":
            return unit >= 0.5
        return row_noise(stored, self.seed) < unit

    # --- stored to model -------------------------------------------------------------------

    def to_unit(self, stored: Tensor) -> Tensor:
        """Stored images as float32 in [0, 1], before any drawing."""
        unit = stored.to(torch.float32, copy=True)
        if not self._compact:
            return unit
        if self.low:
            unit.sub_(self.low)
        return unit.div_(self.high - self.low)

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """A batch for the model, float32 ``(B, C, H, W)`` in [0, 1].

        With ``binarise='dynamic'`` training batches draw from torch's global generator, while
        evaluation is a function of each image alone.
        """
        unit = self.to_unit(stored)
        if self.binarise != "dynamic":
            return unit
        hit = torch.rand_like(unit) < unit if train else self._hit(stored, unit)
        return hit.to(torch.float32)

    # --- back ------------------------------------------------------------------------------

    def decode(self, x: Any) -> np.ndarray:
        """Images ``(n, C, H, W)`` of the model in raw units, dtype and layout, without padding."""
        values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
        if values.shape[1:] != self.event_shape:
            raise DataError(
                "not images of this codec", expected=("n", *self.event_shape), got=values.shape
            )
        p = self.padding
        values = values[:, :, p : p + self.height, p : p + self.width].transpose(0, 2, 3, 1)
        raw = values.astype(np.float64) * (self.high - self.low) + self.low
        if self.integer:
            raw = np.clip(np.rint(raw), self.low, self.high)
        return raw.astype(self.dtype).reshape(len(values), *self._raw_shape)

    def describe(self) -> str:
        """One line for people."""
        colour = {1: "grey", 3: "RGB", 4: "RGBA"}.get(self.channels, f"{self.channels}-channel")
        text = f"{colour} images {self.height} x {self.width}"
        text += f", {self.dtype} {self.low:g} .. {self.high:g} scaled to 0 .. 1"
        if self.padding:
            text += f", padded to {self.event_shape[1]} x {self.event_shape[2]}"
        drawn = {
            "fixed": "drawn once",
            "dynamic": "drawn at every step",
            "threshold": "at one half",
        }
        return text + (f", binarised ({drawn[self.binarise]})" if self.binarise != "none" else "")

    def suggest(self) -> dict[str, str]:
        """Likelihood and network that usually suit such images."""
        binary = self.two_valued or self.binarise != "none"
        small = min(self.event_shape[1:]) < 16
        return {
            "likelihood": "bernoulli" if binary else "gaussian",
            "network": "mlp" if small else "conv",
        }


def _natural_range(
    least: float, most: float, *, integer: bool
) -> tuple[tuple[float, float], bool]:
    """The conventional range that holds these values, and whether it had to be measured."""
    if integer:
        low = min(least, 0.0)
        return (low, max(most, 1.0) if most <= 16 or most > 255 or low < 0 else 255.0), False
    if least >= 0 and most <= 1:
        return (0.0, 1.0), False
    if least >= -1 and most <= 1:
        return (-1.0, 1.0), False
    if least >= 0 and 16 < most <= 255:
        return (0.0, 255.0), False
    return (least, most), True

"""Features: what samples are compared by, any function of a batch of observations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from vaekit.errors import ConfigError, ShapeError
from vaekit.spec import Spec, Within

__all__ = ["Features", "Pixels", "features_of", "name_of"]

Features = Callable[[Tensor], Any]
r"""``features(x)``: observations in model units, (B, \*event) → (B, F); a network, for example."""


class Pixels(Spec, kind="features/pixels"):
    r"""The observations themselves, flattened; large images are averaged down first.

    Args:
        most: Numbers to keep of each channel of an image.

    Example:
        >>> Pixels()(torch.zeros(4, 1, 8, 8)).shape
        torch.Size([4, 64])
        >>> Pixels(most=100)(torch.zeros(4, 1, 40, 20)).shape
        torch.Size([4, 98])
    """

    most: Annotated[int, Within(1, 2**20)] = 1024

    def __call__(self, x: Tensor) -> Tensor:
        """(B, *event) → (B, F)."""
        if x.dim() == 4 and math.prod(x.shape[2:]) > self.most:
            scale = math.sqrt(self.most / math.prod(x.shape[2:]))
            height, width = (max(1, int(scale * side)) for side in x.shape[2:])
            x = adaptive_avg_pool2d(x, (height, width))
        return x.flatten(1)


def features_of(features: Features, batches: Iterable[Tensor]) -> Tensor:
    """Features of all batches, float64 on the CPU, shape (n, F).

    Raises:
        ShapeError: If the function does not return one row of features for each observation.
        ConfigError: If it does not return a tensor.
    """
    found = []
    with torch.no_grad():
        for x in batches:
            values: Any = features(x)
            if not isinstance(values, Tensor):
                raise ConfigError(
                    "features must be a tensor", got=type(values).__name__, where=name_of(features)
                )
            if values.dim() != 2 or len(values) != len(x):
                raise ShapeError(
                    "not one row of features for each observation",
                    expected=f"({len(x)}, F)",
                    got=tuple(values.shape),
                    where=name_of(features),
                )
            found.append(values.cpu().double())
    return torch.cat(found)


def name_of(features: Features) -> str:
    """What tables call the features: the name of a spec, else that of the function or class."""
    kind = str(getattr(features, "kind", "")).partition("/")[2]
    name = getattr(features, "name", getattr(features, "__name__", type(features).__name__))
    return kind or str(name)

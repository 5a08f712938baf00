"""Codecs for estimators, which take any table that scikit-learn would take."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal, get_args

import numpy as np
import torch

from vaekit.data import ArrayCodec, DataCodec, ImageCodec, RawData
from vaekit.errors import ConfigError, DataError
from vaekit.likelihoods import Bernoulli, Categorical, DiscretisedLogistic

__all__ = ["MASSES", "Scaling", "fit_codec", "log_volume", "takes_any_number", "with_unit_noise"]

Scaling = Literal["auto", "standard", "common", "minmax", "none"]

MASSES = (Bernoulli, Categorical, DiscretisedLogistic)
"""Likelihoods of counts and codes: a mass does not change with the units of x."""


def takes_any_number(likelihood: Any) -> bool:
    """Whether a likelihood (a spec or a module) scores numbers outside [0, 1].

    Example:
        >>> from vaekit.likelihoods import Gaussian
        >>> takes_any_number(Gaussian()), takes_any_number(Bernoulli())
        (True, False)
    """
    module = likelihood.build(event_shape=(1,)) if hasattr(likelihood, "build") else likelihood
    return bool(module.supports(torch.tensor([[-0.5, 1.5]])).all())


def fit_codec(raw: RawData, scaling: str) -> DataCodec:
    """The codec for images, or for a table of which some columns may be constant.

    Args:
        raw: The data.
        scaling: ``"standard"`` (each column its own mean and deviation), ``"common"`` (each its
            own mean, all the same deviation), ``"minmax"`` or ``"none"``; images have their own.

    Raises:
        ConfigError: If there is no such scaling.
        DataError: If all rows are the same, or a column is too wide to scale.
    """
    if raw.kind == "image":
        if scaling != "auto":
            raise ConfigError(
                "images are scaled by their range", expected="'auto'", got=scaling, where="scaling"
            )
        return DataCodec.fit(raw)
    if scaling not in get_args(Scaling):
        raise ConfigError(
            "no such scaling",
            expected=", ".join(get_args(Scaling)),
            got=repr(scaling),
            where="scaling",
        )
    x = raw.x.astype(np.float64)
    varies = x.min(0) < x.max(0)
    if not varies.any():
        raise DataError("all rows are the same, so there is nothing to learn", where=raw.name)
    if scaling == "none":
        return DataCodec(ArrayCodec.fit(raw, scaling="none"))
    kind: Any = "minmax" if scaling == "minmax" else "standard"
    names = None if raw.columns is None else list(np.asarray(raw.columns, object)[varies])
    inner = ArrayCodec.fit(x[:, varies], columns=names, scaling=kind)
    loc, scale = x[0].copy(), np.ones(x.shape[1])
    loc[varies], scale[varies] = inner.loc, inner.scale
    if scaling == "common":
        scale[:] = math.sqrt(np.mean(np.square(inner.scale)))
    elif not varies.all():
        _warn_of_constant(raw, np.flatnonzero(~varies))
    shape, columns = raw.x.shape[1:], raw.columns or ()
    return DataCodec(ArrayCodec(shape, columns, kind, tuple(loc.tolist()), tuple(scale.tolist())))


def _warn_of_constant(raw: RawData, constant: np.ndarray) -> None:
    shown = ", ".join(repr(raw.columns[i]) if raw.columns else str(i) for i in constant[:5])
    more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
    warnings.warn(
        f"constant columns are centred but not scaled: {shown}{more}. They tell rows from each "
        "other in nothing, and count in the scale of the likelihood: drop them",
        UserWarning,
        stacklevel=4,
    )


def with_unit_noise(codec: DataCodec, raw: RawData, k: int) -> DataCodec:
    """The codec of a table, with one factor more for all columns, where it scales at all.

    What the first ``k`` principal components leave out then has variance 1, so that its scale is
    far from the floor of the likelihood, however much the variances of columns differ.

    Args:
        codec: Fitted on ``raw``.
        raw: The table.
        k: How many components are kept.

    Example:
        >>> raw = RawData(np.random.default_rng(0).normal(size=(50, 3)) * 1e-6)
        >>> codec = with_unit_noise(fit_codec(raw, "common"), raw, 1)
        >>> stored = codec.encode(raw).double()
        >>> round(float(torch.linalg.eigvalsh(stored.T.cov(correction=0))[:2].mean()), 5)
        1.0
    """
    part = codec.x
    if isinstance(part, ImageCodec) or part.scaling == "none":
        return codec
    x = (raw.x - np.array(part.loc)) / np.array(part.scale)
    n, dim = x.shape
    values = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2 / n
    rest = float(values[k:].sum())
    if k >= dim or rest <= np.finfo(float).eps * dim * values.sum():
        return codec  # the model refuses such data
    noise = math.sqrt(rest / (dim - k))
    return DataCodec(part.replace(scale=tuple(scale * noise for scale in part.scale)))


def log_volume(codec: DataCodec, likelihood: Any) -> float:
    """What to subtract from a log density of the model to have it in the units of the data.

    With x = (raw − loc) / scale, log p(raw) = log p(x) − Σ log scale over the elements of x.

    Args:
        codec: Raw data to tensors.
        likelihood: The likelihood's module; a mass has no units, so nothing is subtracted.

    Example:
        >>> from vaekit.likelihoods import Gaussian
        >>> codec = DataCodec(ArrayCodec((2,), (), "standard", (0.0, 0.0), (2.0, 0.5)))
        >>> log_volume(codec, Gaussian().build(event_shape=(2,)))
        0.0
    """
    if isinstance(getattr(likelihood, "spec", None), MASSES):
        return 0.0
    part = codec.x
    if isinstance(part, ImageCodec):
        return math.prod(part.event_shape) * math.log(part.high - part.low)
    return float(np.log(part.scale).sum()) if part.scaling != "none" else 0.0

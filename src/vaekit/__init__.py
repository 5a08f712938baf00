"""vaekit: variational autoencoders as products of prior, posterior, likelihood and networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vaekit.version import __version__

if TYPE_CHECKING:
    from vaekit.tasks.estimators import VAE, VAEReducer

__all__ = ["VAE", "VAEReducer", "__version__"]


def __getattr__(name: str) -> Any:
    """The estimators, imported when first asked for: ``import vaekit`` alone needs no torch."""
    if name in ("VAE", "VAEReducer"):
        return getattr(importlib.import_module("vaekit.tasks.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

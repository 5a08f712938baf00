"""vaekit: variational autoencoders as products of prior, posterior, likelihood and networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vaekit.version import __version__

if TYPE_CHECKING:
    from vaekit.tasks.detection import VAEDetector
    from vaekit.tasks.estimators import VAE, VAEReducer

__all__ = ["VAE", "VAEDetector", "VAEReducer", "__version__"]

HOMES = {
    "VAE": "vaekit.tasks.estimators",
    "VAEDetector": "vaekit.tasks.detection",
    "VAEReducer": "vaekit.tasks.estimators",
}


def __getattr__(name: str) -> Any:
    """The estimators, imported when first asked for: ``import vaekit`` alone needs no torch."""
    if name in HOMES:
        return getattr(importlib.import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Lightning Fabric, imported when something is trained: it takes longer to import than torch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["fabric"]


def fabric(**options: Any) -> Fabric:
    """A ``Fabric`` of these options, which keeps to itself what it chose."""
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return Fabric(**options)

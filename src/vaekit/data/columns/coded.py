"""What columns of categories, in order or not, have in common: values are among those known."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vaekit.data.columns.codes import Scalar, coded
from vaekit.data.columns.column import Column
from vaekit.data.columns.values import Values
from vaekit.errors import ConfigError

__all__ = ["MOST", "Coded"]

MOST = 65_535
"""Values beside the last code, of which a likelihood bears this many."""


class Coded(Column):
    """Base of columns whose values are some of a list.

    Args:
        scalar: What the raw values are.
    """

    scalar: Scalar = "text"

    plural: ClassVar[str] = ""

    @property
    def known(self) -> tuple[str, ...]:
        """The values as text, in the order of their codes."""
        raise NotImplementedError

    def validate(self) -> None:
        """Check that there are values, each once."""
        super().validate()
        distinct = len(set(self.known))
        if not 1 <= len(self.known) <= MOST or distinct < len(self.known):
            raise ConfigError(
                f"not the {self.plural} of a column",
                expected=f"1 to {MOST:,} that differ",
                got=f"{len(self.known):,}, {distinct:,} of them different",
                where=f"column {self.name!r}",
            )

    def unknown_rows(self, values: Values) -> np.ndarray:
        """Which rows hold a value that is not known."""
        return coded(values).among(self.known) == -2

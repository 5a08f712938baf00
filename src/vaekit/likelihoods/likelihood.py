"""What a likelihood is: it turns the decoder's output into a density of x."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from vaekit.distributions import Density
from vaekit.errors import DataError, ShapeError
from vaekit.spec import Spec

__all__ = ["Likelihood"]


class Likelihood(nn.Module):
    """Base of likelihood modules; decoders emit raw parameters, never sigmoids.

    Attributes:
        event_shape: Shape of one observation.
        params_shape: Shape of what the decoder must emit for one observation.
        support: The values that x may take, in words, for error messages.
        remedy: What to do about other values, for error messages.
        is_density: False for costs, which refuse likelihoods and bounds.
    """

    support = "finite numbers"
    remedy = (
        "rescale the data (for example a codec that maps to [0, 1]) or choose a likelihood that "
        "fits it"
    )
    is_density = True

    def __init__(self, spec: Spec, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.spec = spec
        self.event_shape = tuple(event_shape)

    @property
    def params_shape(self) -> tuple[int, ...]:
        """Shape of the decoder's output for one observation; by default that of x."""
        return self.event_shape

    @property
    def event_dims(self) -> int:
        """How many trailing axes one observation has."""
        return len(self.event_shape)

    @property
    def fits_x(self) -> bool:
        """Whether a parameter is fitted to the x that is scored (an optimal σ in training)."""
        return False

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> Density:
        """The density p(x|z).

        Args:
            params: The decoder's output, shape ``(*batch, *params_shape)``.
            x: The observation to be scored, shape broadcastable to ``(*batch, *event_shape)``,
                for likelihoods that fit a parameter to it in training (optimal σ).
        """
        raise NotImplementedError

    def mean(self, params: Tensor) -> Tensor:
        """E[x|z], the reconstruction, shape ``(*batch, *event_shape)``."""
        return self(params).mean

    def marginal(self, x: Tensor) -> Tensor:
        """Decoder output for which p(x|z) is about the distribution of each element by itself.

        Args:
            x: Training rows, shape ``(n, *event)``; NaN is missing.

        Returns:
            Shape ``params_shape``; zeros where nothing better is known.
        """
        return x.new_zeros(self.params_shape)

    def check(self, x: Tensor) -> None:
        """Raise when x is not an observation that this likelihood can score.

        Args:
            x: Observations, shape ``(n, *event_shape)``.

        Raises:
            ShapeError: If the shape of an observation is another one.
            DataError: If a value lies outside the support; names the first row.
        """
        if tuple(x.shape[1:]) != self.event_shape:
            raise ShapeError(
                f"observations do not fit the {self.spec.kind}",
                expected=f"shape (n, {', '.join(map(str, self.event_shape))})",
                got=tuple(x.shape),
            )
        supported = self.supports(x)
        if not bool(supported.all()):
            wrong = ~supported
            place = [int(i) for i in wrong.nonzero()[0]]
            value = x[tuple(place)].item()
            raise DataError(
                f"a value outside the support of the {self.spec.kind}",
                expected=self.support,
                got=f"{value:g}" if math.isfinite(value) else str(value),
                where=f"row {place[0]}, element {tuple(place[1:])}",
                remedy=self.remedy,
            )

    def supports(self, x: Tensor) -> Tensor:
        """Which values lie in the support, a Boolean tensor shaped like x."""
        return x - x == 0  # the same as isfinite, in fewer passes

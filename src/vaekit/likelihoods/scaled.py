"""Likelihoods with a location and a scale that is fixed, learned or emitted by the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaekit.likelihoods.floors import Floor, FlooredLikelihood
from vaekit.spec import Spec

__all__ = ["ScaledLikelihood"]

PACE = 10.0
"""How much faster than its parameter a shared scale is learned: Adam moves a parameter by its rate
a step, at 1e-3 a thousand steps for each factor e, while all weights learn at a scale of the past.
"""
LEAST_START = 1e-2
"""Smallest scale at which learning starts, for rows that are all alike."""
AT_FLOOR = math.log(1.05)
"""How far above its floor, in logarithms, a scale counts as being at it."""


class ScaledLikelihood(FlooredLikelihood):
    """Base of likelihoods with a scale; ``params_shape`` doubles its first axis per element scale.

    A learned scale starts at the spread of the training rows about their mean, where a decoder
    that knows nothing has it: from a larger one, codes collapse before the scale has come down.
    NaN in those rows counts as missing.

    Args:
        spec: What it is built from.
        event_shape: Shape of one observation.
        scale: A fixed scale, ``"shared"`` for one learned scale, ``"per-column"`` for one for each
            element of x, the same in all rows, ``"per-element"`` for scales that the decoder emits
            after all locations.
        floor: Smallest scale that can be learned; it is approached smoothly. A tuple has one for
            each element of x, in the order of its elements.
        start: Logarithm of the scale at which learning starts without training rows.

    Attributes:
        initialised: Whether a learned scale comes from training rows.

    Raises:
        ConfigError: If there are several floors, but not one for each element.
    """

    initialised: Tensor | bool
    scale_is_spread = True

    def __init__(
        self,
        spec: Spec,
        event_shape: Sequence[int],
        *,
        scale: float | str,
        floor: Floor,
        start: float = 0.0,
    ) -> None:
        super().__init__(spec, event_shape, floor=floor)
        self.scale = scale
        self.start = start
        self.pace = PACE
        learned = scale in ("shared", "per-column")
        if learned:
            size = self.event_shape if scale == "per-column" else ()
            self.paced_log_scale = nn.Parameter(torch.full(size, start / PACE))
        if learned and self.scale_is_spread:
            self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        else:
            self.initialised = True

    @property
    def raw_log_scale(self) -> Tensor:
        """Logarithm of the learned scale before its floor, shape () or that of x."""
        return self.pace * self.paced_log_scale

    def learn_slowly(self) -> None:
        """Come down from the start at the pace of all parameters, for a model without collapse."""
        start = self.raw_log_scale.detach()
        self.pace = 1.0
        self.set_raw_log_scale(start)

    @torch.no_grad()
    def set_raw_log_scale(self, raw: Tensor | float) -> None:
        """Set the logarithm of the learned scale before its floor; nothing else will start it."""
        self.paced_log_scale.copy_(torch.as_tensor(raw) / self.pace)
        if isinstance(self.initialised, Tensor):
            self.initialised.fill_(True)

    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Start a learned scale at the spread of these rows, unless that was done before.

        Where all rows have the same value, a scale for each element starts at its floor.

        Args:
            x: Training rows, shape ``(n, *event)``; NaN is missing.
            c: Not used.
        """
        if self.initialised:
            return
        square = (x - x.nanmean(0)).square()
        if self.scale == "shared":
            log_spread = square.nanmean().sqrt().clamp(min=LEAST_START).log()
            self.set_raw_log_scale(log_spread.nan_to_num(nan=self.start))
            return
        log_spread = square.nanmean(0).sqrt().log().nan_to_num(nan=self.start)
        above = (log_spread - self.log_floor).clamp(min=AT_FLOOR / 2)
        raw = self.log_floor + above + torch.log(-torch.expm1(-above))  # inverts softplus
        self.set_raw_log_scale(raw)

    @property
    def params_shape(self) -> tuple[int, ...]:
        """The shape of x, with the first axis doubled when the decoder emits scales."""
        first, *rest = self.event_shape
        return (2 * first, *rest) if self.scale == "per-element" else self.event_shape

    def loc_and_log_scale(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's output as locations and the logarithm of scales that broadcast to them."""
        if self.scale == "per-element":
            loc, raw = params.chunk(2, dim=-self.event_dims)
            return loc, self._above_floor(raw + self.start)
        if isinstance(self.scale, float):
            return params, params.new_full((), math.log(self.scale))
        return params, self._above_floor(self.raw_log_scale).to(params)

    @property
    def at_floor(self) -> bool:
        """Whether the one scale of the whole model has sunk to its floor (its noise collapsed)."""
        if self.scale != "shared":
            return False
        return bool(self._sunken())

    @property
    def columns_at_floor(self) -> list[int]:
        """Which elements of x have a learned scale of their own that has sunk to its floor."""
        if self.scale != "per-column":
            return []
        return [int(i) for i in self._sunken().flatten().nonzero().flatten()]

    def _sunken(self) -> Tensor:
        return self._above_floor(self.raw_log_scale) < self.log_floor + AT_FLOOR

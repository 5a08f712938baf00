"""Likelihoods with a location and a scale that is fixed, learned or emitted by the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec

__all__ = ["ScaledLikelihood"]

PACE = 10.0
"""How much faster than its parameter a shared scale is learned: Adam moves a parameter by its rate
a step, at 1e-3 a thousand steps for each factor e, while all weights learn at a scale of the past.
"""
LEAST_START = 1e-2
"""Smallest scale at which learning starts, for rows that are all alike."""


class ScaledLikelihood(Likelihood):
    """Base of likelihoods with a scale; ``params_shape`` doubles its first axis per element scale.

    A shared scale starts at the spread of the training rows about their mean, where a decoder that
    knows nothing has it: from a larger one, codes collapse before the scale has come down.

    Args:
        spec: What it is built from.
        event_shape: Shape of one observation.
        scale: A fixed scale, ``"shared"`` for one learned scale, ``"per-element"`` for scales that
            the decoder emits after all locations.
        floor: Smallest scale that can be learned; it is approached smoothly.
        start: Logarithm of the scale at which learning starts without training rows.

    Attributes:
        initialised: Whether a shared scale comes from training rows.
    """

    initialised: Tensor | bool
    scale_is_spread = True

    def __init__(
        self,
        spec: Spec,
        event_shape: Sequence[int],
        *,
        scale: float | str,
        floor: float,
        start: float = 0.0,
    ) -> None:
        super().__init__(spec, event_shape)
        self.scale = scale
        self.start = start
        self.log_floor = math.log(floor)
        self.pace = PACE
        if scale == "shared":
            self.paced_log_scale = nn.Parameter(torch.tensor(start / PACE))
        if scale == "shared" and self.scale_is_spread:
            self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        else:
            self.initialised = True

    @property
    def raw_log_scale(self) -> Tensor:
        """Logarithm of the shared scale before its floor."""
        return self.pace * self.paced_log_scale

    def learn_slowly(self) -> None:
        """Come down from the start at the pace of all parameters, for a model without collapse."""
        start = self.raw_log_scale.detach()
        self.pace = 1.0
        self.set_raw_log_scale(start)

    @torch.no_grad()
    def set_raw_log_scale(self, raw: Tensor | float) -> None:
        """Set the logarithm of the shared scale before its floor; nothing else will start it."""
        self.paced_log_scale.copy_(torch.as_tensor(raw) / self.pace)
        if isinstance(self.initialised, Tensor):
            self.initialised.fill_(True)

    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Start a shared scale at the spread of these rows, unless that was done before.

        Args:
            x: Training rows, shape ``(n, *event)``.
            c: Not used.
        """
        if not self.initialised:
            spread = (x - x.mean(0)).square().mean().sqrt()
            self.set_raw_log_scale(spread.clamp(min=LEAST_START).log())

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

    def _above_floor(self, raw: Tensor) -> Tensor:
        return self.log_floor + F.softplus(raw - self.log_floor)

    @property
    def at_floor(self) -> bool:
        """Whether the one scale of the whole model has sunk to its floor (its noise collapsed)."""
        if self.scale != "shared":
            return False
        return bool(self._above_floor(self.raw_log_scale) < self.log_floor + math.log(1.05))

"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    r"""A running average of all parameters; buffers are taken as they are.

    .. math:: \bar w \leftarrow d \, \bar w + (1 - d) \, w

    Args:
        model: Whose weights to average; the average starts at their present values.
        decay: d, in [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = list(model.parameters())
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights."""
        weights = [w.detach() for w in self._weights]
        torch._foreach_lerp_(list(self.average.values()), weights, 1.0 - self.decay)

    @torch.no_grad()
    def restore(self, average: Mapping[str, Tensor]) -> None:
        """Continue from the averages of an earlier run, by name."""
        for name, value in self.average.items():
            value.copy_(average[name])

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """The model's state with its parameters averaged, under each name that a weight has."""
        averages = self.average.values()
        of = {id(w): average for w, average in zip(self._weights, averages, strict=True)}
        state = model.state_dict(keep_vars=True)
        return {name: of.get(id(value), value.detach()) for name, value in state.items()}

"""Models of one structure that are computed as one: each operation serves all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from vaekit.distributions import stacked_noise
from vaekit.errors import ConfigError

__all__ = ["ModelStack", "StackedEvidence"]

Weights = dict[str, Tensor]


class StackedEvidence(NamedTuple):
    """What the models of a stack say about a batch, to be asked of all of them together.

    Attributes:
        stack: The models.
        x: One row for each model, shape ``(B, S, *event)``.
        samples: Codes per example.
    """

    stack: ModelStack
    x: Tensor
    samples: int

    def each(self, function: Callable[[Any, nn.Module], Any]) -> Any:
        """``function(evidence, model)`` for every model; its tensors get an axis S in front.

        Args:
            function: What is asked. It must not look at a tensor's values.
        """
        stack = self.stack

        def one(weights: Weights, buffers: Weights, x: Tensor, place: Tensor) -> Any:
            with stacked_noise(stack.size, place):
                call = _Call(stack.model[0], function, self.samples)
                state = {f"model.{name}": value for name, value in (weights | buffers).items()}
                return functional_call(call, state, (x,))

        places = torch.arange(stack.size, device=self.x.device)
        in_dims = (0, 0, 1, 0)
        return torch.vmap(one, in_dims=in_dims, randomness="same")(
            stack.weights, stack.state, self.x, places
        )


class ModelStack(nn.Module):
    """S models of one structure as one model, to train together at little more than one's cost.

    Small models spend their time on starting operations, not on arithmetic. Here each operation
    works on all models; they share nothing else, and each has noise of its own.

    Args:
        models: Of one structure: the same parts and shapes. They are not changed.

    Raises:
        ConfigError: If there is none, or one differs in structure.

    Example:
        >>> from vaekit.models import FlatVAE
        >>> models = [FlatVAE().build(event_shape=(3,)) for _ in range(2)]
        >>> stack = ModelStack(models)
        >>> x = torch.rand(5, 2, 3)
        >>> stack.evidence(x).each(lambda evidence, model: evidence.elbo.mean()).shape
        torch.Size([2])
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        shapes = [{n: v.shape for n, v in m.state_dict().items()} for m in models]
        if not shapes or any(shape != shapes[0] for shape in shapes):
            raise ConfigError(
                "only models of one structure can be stacked",
                expected="at least one, all with the same parts and shapes",
                got=f"{len(models)} models",
            )
        weights, buffers = stack_module_state(list(models))
        self.size = len(models)
        self.model = [copy.deepcopy(models[0]).requires_grad_(False)]  # hidden: no part of it
        self.names = {_flat(name): name for name in (*weights, *buffers)}
        for name, value in weights.items():
            self.register_parameter(_flat(name), nn.Parameter(value.detach()))
        for name, value in buffers.items():
            self.register_buffer(_flat(name), value)

    @property
    def weights(self) -> dict[str, Tensor]:
        """Parameters by the name that they have in one model, stacked."""
        return {self.names[name]: value for name, value in self.named_parameters()}

    @property
    def state(self) -> dict[str, Tensor]:
        """Buffers by the name that they have in one model, stacked."""
        return {self.names[name]: value for name, value in self.named_buffers()}

    def train(self, mode: bool = True) -> ModelStack:
        """Switch the mode of all models."""
        self.model[0].train(mode)
        return super().train(mode)

    def evidence(
        self,
        x: Tensor,
        c: Tensor | None = None,
        *,
        target: Tensor | None = None,
        observed: Tensor | None = None,
        samples: int = 1,
    ) -> StackedEvidence:
        """What the models say about a batch of shape ``(B, S, *event)``.

        Raises:
            ConfigError: If there is more than x.
        """
        if not (c is None and target is None and observed is None):
            raise ConfigError("stacked models read x alone")
        return StackedEvidence(self, x, samples)

    def unstacked(self, place: int) -> dict[str, Tensor]:
        """The state of one model, for its ``load_state_dict``."""
        kept = self.model[0].state_dict()
        return {
            n: v[place].detach().clone()
            for n, v in (self.weights | self.state).items()
            if n in kept
        }


class _Call(nn.Module):
    """Evidence of one model and a question about it, as a module with replaceable tensors."""

    def __init__(self, model: nn.Module, function: Callable[..., Any], samples: int) -> None:
        super().__init__()
        self.model = model
        self._function = [function]
        self.samples = samples

    def forward(self, x: Tensor) -> Any:
        evidence = self.model.evidence(x, samples=self.samples)  # type: ignore[operator]
        return self._function[0](evidence, self.model)


def _flat(name: str) -> str:
    """A name without dots, which parameters of a module must not have."""
    return name.replace(".", "__")

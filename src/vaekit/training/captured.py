"""A training step as one compiled function: forward pass, loss and gradient.

The step is recorded once by running it on tracing tensors, so a model may use any Python that does
not look at a tensor's values. What changes from step to step comes in as an input: weights and
buffers, the batch, the noise (drawn outside, from the same generator in the same order as without
compilation), and the values of schedules. So compiled and plain steps make the same numbers up to
rounding.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from vaekit.distributions import drawing_from
from vaekit.errors import ConfigError, first_line
from vaekit.objectives import Loss, Progress, Schedule
from vaekit.training.compiling import compiled
from vaekit.training.players import Player
from vaekit.training.thinning import thin

__all__ = ["CapturedStep"]

FIELDS = ("x", "y", "c", "target", "observed")
Arithmetic = Callable[[], contextlib.AbstractContextManager[Any]]
Draw = tuple[Callable[..., Tensor], tuple[int, ...], torch.dtype, torch.device]


class CapturedStep:
    """Loss terms and gradient of a single player, compiled for batches of one shape.

    Args:
        model: The model; in training mode.
        player: Who plays; its weights are flat.
        batch: A batch of the shape that all others will have.
        samples: Codes per example.
        arithmetic: Gives the context in which the step computes.
        fuse: Whether to compile what was recorded; else its operations run one by one, which needs
            no warm-up and saves what they cost in Python and in bookkeeping for gradients.

    Raises:
        ConfigError: If the step depends on something that a recording would freeze.
    """

    def __init__(
        self,
        model: nn.Module,
        player: Player,
        batch: Any,
        *,
        samples: int,
        arithmetic: Arithmetic,
        fuse: bool = True,
    ) -> None:
        self._step = _Step(model, player.loss, samples)
        self.bind(model, player)
        self._names: list[str] = []
        self._draws: list[Draw] = []
        self._schedules: list[Schedule] = []
        self._fields = [name for name in FIELDS if getattr(batch, name) is not None]
        self._like = [_Layout(getattr(batch, name)) for name in self._fields]
        with arithmetic():
            self._rehearse(batch)
            graph = self._record(batch)
        _require_no_noise_of_its_own(graph)
        self._graph = graph if fuse else thin(graph)
        self._function: Any = None if fuse else self._graph

    def bind(self, model: nn.Module, player: Player) -> None:
        """Use the weights of this model and player: the same ones, or those of a copy."""
        if player.flat is None:
            raise ConfigError("only a player with flat weights can be compiled")
        self._flat = player.flat
        names = {id(p): name for name, p in model.named_parameters()}
        self._weights = [p.detach() for p in player.flat.parameters]  # views: steps move them
        self._weight_names = [f"model.{names[id(p)]}" for p in player.flat.parameters]
        buffers = dict(model.named_buffers())
        self._buffers = list(buffers.values())
        self._buffer_names = [f"model.{name}" for name in buffers]

    def __call__(self, batch: Any, progress: Progress) -> Loss:
        """Make the player's gradient that of this batch.

        Draws the noise from torch's global generator, as the plain step does.
        """
        noise = [draw(size, dtype=t, device=d) for draw, size, t, d in self._draws]
        device = batch.x.device
        values = [
            torch.tensor(schedule(progress.fraction), dtype=torch.float32, device=device)
            for schedule in self._schedules
        ]
        data = self._data(batch)
        gradient, *terms = self._call(self._weights, self._buffers, data, noise, values)
        self._flat.weight.grad = gradient
        named = dict(zip(self._names, terms, strict=True))
        return Loss(named.pop("__total__"), named)

    def _data(self, batch: Any) -> list[Tensor]:
        """The tensors of a batch, laid out as those that the step was recorded with."""
        layouts = zip(self._fields, self._like, strict=True)
        return [like(getattr(batch, name), name) for name, like in layouts]

    @torch.no_grad()
    def _call(self, *inputs: list[Tensor]) -> Sequence[Tensor]:
        """The function of the step; a compiled one is compiled when it is first called."""
        values = list(itertools.chain.from_iterable(inputs))
        if self._function is not None:
            return self._function(*values)
        try:
            self._function = compiled(self._graph, values)
            return self._function(*values)
        except RuntimeError as error:
            self._function = None
            raise ConfigError(
                f"the training step cannot be compiled here ({first_line(error)[:200]})",
                remedy="--set training.speed.compile=off",
            ) from error

    # --- recording -----------------------------------------------------------------------------

    def _rehearse(self, batch: Any) -> None:
        """One plain pass that notes which noise and which schedules the step asks for."""

        def draw(
            sampler: Callable[..., Tensor], size: tuple[int, ...], row: int | None, like: Tensor
        ) -> Tensor:
            self._draws.append((sampler, size, like.dtype, like.device))
            return torch.zeros(size, dtype=like.dtype, device=like.device)

        def value_of(schedule: Schedule) -> Tensor:
            self._schedules.append(schedule)
            return torch.zeros((), device=batch.x.device)

        state = {
            n: b.detach().clone() for n, b in zip(self._buffer_names, self._buffers, strict=True)
        }
        with torch.no_grad(), torch.random.fork_rng(devices=[]), drawing_from(draw):
            loss = functional_call(self._step, state, (batch, _Symbolic(value_of)))
        self._names = ["__total__", *loss.terms]

    def _record(self, batch: Any) -> fx.GraphModule:
        def compute(
            weights: list[Tensor],
            buffers: list[Tensor],
            data: list[Tensor],
            noise: list[Tensor],
            values: list[Tensor],
        ) -> list[Tensor]:
            leaves = [weight.detach().requires_grad_() for weight in weights]
            state = dict(zip(self._weight_names, leaves, strict=True))
            state |= dict(zip(self._buffer_names, buffers, strict=True))
            draws, settings = iter(noise), iter(values)
            replayed = _Fields(self._fields, data)
            with drawing_from(lambda *_: next(draws)):
                loss = functional_call(
                    self._step, state, (replayed, _Symbolic(lambda _: next(settings)))
                )
            gradients = torch.autograd.grad(loss.total, leaves, allow_unused=True)
            return [self._flat.join(gradients), loss.total.detach(), *loss.terms.values()]

        device = batch.x.device
        example = (
            self._weights,
            [b.detach().clone() for b in self._buffers],
            self._data(batch),
            [torch.zeros(size, dtype=t, device=d) for _, size, t, d in self._draws],
            [torch.ones((), device=device) for _ in self._schedules],
        )
        graph: fx.GraphModule = make_fx(compute)(*example)
        graph.graph.set_codegen(fx.graph.CodeGen())  # takes the tensors one by one, without lists
        graph.recompile()
        return graph


class _Layout:
    """Type, shape and strides of a tensor: code that was compiled for them reads no others.

    The strides are those of the example where its numbers lie densely, else the usual ones.
    """

    def __init__(self, example: Tensor) -> None:
        self.dtype, self.shape = example.dtype, example.shape
        self.stride = torch.empty_like(example).stride()

    def __call__(self, value: Tensor | None, name: str) -> Tensor:
        """The same numbers in these strides.

        Raises:
            ConfigError: If the type or the shape is another one.
        """
        if value is None or (value.dtype, value.shape) != (self.dtype, self.shape):
            raise ConfigError(
                "a batch differs from the one that the step was recorded with",
                expected=f"{self.dtype} of shape {tuple(self.shape)}",
                got=None if value is None else f"{value.dtype} of shape {tuple(value.shape)}",
                where=f"batch.{name}",
                remedy="make all batches alike, or --set training.speed.compile=off",
            )
        if value.stride() == self.stride:
            return value
        strided = torch.empty_strided(
            self.shape, self.stride, dtype=self.dtype, device=value.device
        )
        return strided.copy_(value)


class _Step(nn.Module):
    """Forward pass and loss as a module, so that its tensors can be replaced by name."""

    def __init__(self, model: nn.Module, loss: Callable[..., Loss], samples: int) -> None:
        super().__init__()
        self.model = model
        self._loss = [loss]  # hidden: a loss that is a module is not part of the model
        self.samples = samples

    def forward(self, batch: Any, progress: Any) -> Loss:
        evidence = self.model.evidence(  # type: ignore[operator]
            batch.x, batch.c, target=batch.target, observed=batch.observed, samples=self.samples
        )
        return self._loss[0](evidence, batch=batch, model=self.model, progress=progress)


class _Fields:
    """The tensors of a batch while it is recorded."""

    index = None

    def __init__(self, names: Sequence[str], values: Sequence[Tensor]) -> None:
        for name in FIELDS:
            setattr(self, name, None)
        for name, value in zip(names, values, strict=True):
            setattr(self, name, value)

    def __len__(self) -> int:
        return len(self.x)  # type: ignore[attr-defined]


class _Symbolic:
    """Progress while a step is recorded: schedules become inputs, all else is refused."""

    def __init__(self, value_of: Callable[[Schedule], Tensor]) -> None:
        self.fraction = _Fraction(value_of)

    def __getattr__(self, name: str) -> Any:
        raise ConfigError(
            f"the loss reads progress.{name}, which a compiled step would freeze",
            remedy="use a schedule, or --set training.speed.compile=off",
        )


class _Fraction:
    """Answers :func:`~vaekit.objectives.value_at` only."""

    def __init__(self, value_of: Callable[[Schedule], Tensor]) -> None:
        self.value_of = value_of


def _require_no_noise_of_its_own(graph: fx.GraphModule) -> None:
    """Refuse dropout and the like, whose draws a compiled step would make differently."""
    for node in graph.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise ConfigError(
                "the model draws random numbers by itself, which a compiled step changes",
                got=str(node.target),
                remedy="--set training.speed.compile=off",
            )

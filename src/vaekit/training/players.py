"""Players: who minimises what, over which parameters.

A player owns a set of parameters that no other player touches, one optimiser, one loss and a gate.
Plain training has one player, a critic makes two, a VAE-GAN three. One *round* is one forward pass
shared by the players in it; a critic that steps more often than its opponent takes more rounds.
Losses reach only their own player's parameters, because ``backward`` is told which inputs it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives import Loss, Progress
from vaekit.training.flat import FlatWeights
from vaekit.training.optimizers import OptimizerSpec, advance

__all__ = ["Player", "check_players", "flat_player", "train_step"]

Backward = Callable[..., None]


class Team(Protocol):
    """What a step must know when other processes hold the other rows of its batch.

    Attributes:
        share: Which part of the batch's rows is here; losses are scaled by it.
    """

    share: float

    def agree(self, answer: bool) -> bool:
        """A single answer of all processes to the question of a gate."""

    def reduce(self, player: Player, loss: Loss) -> Loss:
        """Sum an active player's gradients and the terms of its loss over all processes."""


def always(evidence: Evidence) -> bool:
    """The gate of a player that steps in every round."""
    return True


class Player:
    """A disjoint set of parameters with its optimiser, its loss and its gate.

    Args:
        name: Prefix of its terms in the history.
        parameters: What it may change; nothing else.
        optimizer: Over exactly these parameters.
        loss: ``loss(evidence, *, batch, model, progress) -> Loss``; any objective is one.
        gate: ``gate(evidence) -> bool``: whether it steps this time.
        clip: Largest gradient norm; None for no clipping.
        flat: The parameters as one vector, where the optimiser holds that vector instead of them.

    Raises:
        ConfigError: If the optimiser holds other parameters than the player.
    """

    def __init__(
        self,
        name: str,
        parameters: Iterable[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        loss: Callable[..., Loss],
        *,
        gate: Callable[[Evidence], bool] = always,
        clip: float | None = None,
        flat: FlatWeights | None = None,
    ) -> None:
        self.name = name
        self.parameters = [p for p in parameters if p.requires_grad]
        self.optimizer = optimizer
        self.loss = loss
        self.gate = gate
        self.clip = clip
        self.flat = flat
        self._unclipped: Tensor | None = None
        self._updated = self.parameters if flat is None else [flat.weight]
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if held != {id(p) for p in self._updated}:
            raise ConfigError(
                "the optimiser must hold exactly the player's parameters", where=f"player {name!r}"
            )

    def forget_gradients(self) -> None:
        """Drop all its gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def gather(self) -> None:
        """After the backward pass: the optimiser's gradients are those of the parameters."""
        if self.flat is not None:
            self.flat.gather()

    def gradients(self) -> list[Tensor]:
        """The gradients that the optimiser will use."""
        return [p.grad for p in self._updated if p.grad is not None]

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of all its gradients as they were before clipping, a scalar."""
        return self._total_norm() if self._unclipped is None else self._unclipped

    def _total_norm(self) -> Tensor:
        gradients = self.gradients()
        if not gradients:
            return self.parameters[0].new_zeros(())
        return nn.utils.get_total_norm(gradients)

    def step(self) -> None:
        """Clip if asked to, then one optimiser step."""
        if self.clip is not None:
            self._unclipped = self._total_norm()
            nn.utils.clip_grads_with_norm_(self._updated, self.clip, self._unclipped)
        advance(self.optimizer)


def check_players(rounds: Sequence[Sequence[Player]]) -> list[Player]:
    """The distinct players of all rounds.

    Raises:
        ConfigError: If two share a name or a parameter, or there is none.
    """
    players = list({id(p): p for players in rounds for p in players}.values())
    owner: dict[int, str] = {}
    if not players:
        raise ConfigError("nobody plays", expected="at least one player")
    if len({p.name for p in players}) < len(players):
        raise ConfigError("players need distinct names", got=[p.name for p in players])
    for player in players:
        for parameter in player.parameters:
            other = owner.setdefault(id(parameter), player.name)
            if other != player.name:
                raise ConfigError(
                    "a parameter belongs to two players",
                    expected="disjoint sets",
                    got=f"shape {tuple(parameter.shape)} in {other!r} and {player.name!r}",
                )
    return players


def flat_player(
    name: str,
    parameters: Iterable[nn.Parameter],
    optimizer: OptimizerSpec,
    loss: Callable[..., Loss],
    *,
    gate: Callable[[Evidence], bool] | None = None,
    clip: float | None = None,
) -> Player:
    """A player whose parameters are one vector for the optimiser, where they allow it."""
    parameters = list(parameters)
    flat = FlatWeights(parameters) if FlatWeights.suits(parameters) else None
    updated = parameters if flat is None else [flat.weight]
    return Player(
        name,
        parameters,
        optimizer.build(updated),
        loss,
        gate=gate or always,
        clip=clip,
        flat=flat,
    )


def plain_backward(loss: Tensor, **kwargs: Any) -> None:
    """``loss.backward`` as a function; Fabric's ``backward`` has the same form."""
    loss.backward(**kwargs)


def plays(player: Player, evidence: Evidence, team: Team | None) -> bool:
    """Whether a player steps this time, in all processes or in none."""
    if player.gate is always:
        return True
    answer = player.gate(evidence)
    return answer if team is None else team.agree(answer)


def train_step(
    model: nn.Module,
    rounds: Sequence[Sequence[Player]],
    batch: Any,
    *,
    progress: Progress,
    samples: int = 1,
    backward: Backward = plain_backward,
    team: Team | None = None,
) -> dict[str, Loss]:
    """One step of every round: one forward pass, all backward passes, then all updates.

    Args:
        model: Anything with ``evidence``.
        rounds: Players by round.
        batch: Has ``x``, ``c``, ``target`` and ``observed``.
        progress: Given to the losses.
        samples: Codes per example.
        backward: Runs a backward pass (Fabric's, under its precision plugin).
        team: The other processes of the step, if there are any.

    Returns:
        The loss of each player that stepped, by name.
    """
    losses: dict[str, Loss] = {}
    for players in rounds:
        evidence = model.evidence(  # type: ignore[operator]
            batch.x, batch.c, target=batch.target, observed=batch.observed, samples=samples
        )
        active = [player for player in players if plays(player, evidence, team)]
        for player in active:
            player.forget_gradients()
            loss = player.loss(evidence, batch=batch, model=model, progress=progress)
            keep = player is not active[-1]
            total = loss.total if team is None else team.share * loss.total
            backward(total, inputs=player.parameters, retain_graph=keep)
            player.gather()
            losses[player.name] = loss
        for player in active:
            if team is not None:
                losses[player.name] = team.reduce(player, losses[player.name])
            player.step()
    return losses

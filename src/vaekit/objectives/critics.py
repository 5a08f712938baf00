r"""Objectives with a critic of codes: what the critic learns, and who plays against whom.

With codes z of data, drawn from q(z), and as many draws of another density r, the critic s learns
by the balanced cross-entropy

.. math::
    \tfrac12 E_q \log(1 + e^{-s(z)}) + \tfrac12 E_r \log(1 + e^{s(z)})

whose minimum is :math:`s = \log q - \log r`. Where the two cannot be told apart it is log 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node
from vaekit.networks import Critic
from vaekit.objectives.objective import Contest, Loss, Objective, Side
from vaekit.spec import Role, Within

__all__ = ["CodeCritic", "Score", "charged", "codes_of"]

Score = Callable[[Tensor], Tensor]
"""Codes of shape (…, d) to scores of shape (…)."""


class CodeCritic(Objective):
    """Base of objectives with a critic that tells codes of data from others.

    Both sides share one forward pass a step. Called, the objective is what remains without the
    critic, which is watched on held-out data.

    Args:
        critic: Widths of the critic's hidden layers.
        optimizer: Of the critic; None for a second one like the model's.
    """

    critic: tuple[Annotated[int, Within(1, 65_536)], ...] = (256, 256, 256)
    optimizer: Annotated[Any, Role("optimizer")] | None = None

    def contest(self, model: nn.Module) -> Contest:
        """The model against the critic, in one round.

        Raises:
            ConfigError: If the model does not say what shape its codes have.
        """
        shape = getattr(model, "latent_shape", None)
        if shape is None:
            raise ConfigError(
                "a critic needs to know the shape of the codes",
                expected="a model with a latent_shape",
                got=type(model).__name__,
                where=self.kind,
            )
        critic = Critic(math.prod(shape), self.critic)
        fool, tell = partial(self.fool, critic=critic), partial(self.tell, critic=critic)
        sides = [
            Side("model", model.parameters(), fool),
            Side("critic", critic.parameters(), tell, optimizer=self.optimizer),
        ]
        return Contest(nn.ModuleDict({"critic": critic}), [sides])

    def fool(self, evidence: Evidence, *, critic: Score, **context: Any) -> Loss:
        """The model's loss: the objective, and a charge for the scores of its codes."""
        raise NotImplementedError

    def others(self, node: Node) -> Tensor:
        """Draws of r as many as codes, of their shape ``(K, B, *latent)``."""
        raise NotImplementedError

    def tell(self, evidence: Evidence, *, critic: Score, **context: Any) -> Loss:
        """The critic's loss, the balanced cross-entropy; it has no gradient in the model."""
        z = codes_of(evidence).detach()
        others = self.others(evidence.nodes[0]).detach().flatten(2)
        ours, theirs = critic(torch.stack([z, others]))
        loss = (F.softplus(-ours).mean() + F.softplus(theirs).mean()) / 2
        return Loss(loss, {"loss": loss})


def codes_of(evidence: Evidence) -> Tensor:
    """The codes of the only latent group, shape (K, B, d).

    Raises:
        ConfigError: If there are several groups or none.
    """
    if len(evidence.nodes) != 1:
        raise ConfigError("the critic is of a single latent group", got=len(evidence.nodes))
    return evidence.nodes[0].z.flatten(2)


def charged(loss: Loss, weight: float, **charge: Tensor) -> Loss:
    """A loss plus the weight times a charge, which becomes a term."""
    total = sum((weight * value for value in charge.values()), loss.total)
    return Loss(total, loss.terms | charge | {"loss": total})

"""A composition: the model and its objective, with the training that suits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from vaekit.models import FlatVAE
from vaekit.objectives import ELBO, Cosine
from vaekit.spec import Role, Spec
from vaekit.training import Adam, Training

__all__ = ["Composition", "Hint", "Recipe"]


DEFAULT = Training(optimizer=Adam(lr=2e-3), lr_schedule=Cosine(warm_up=0.02))


class Composition(Spec, kind="composition/vae"):
    """What is trained, and how.

    Args:
        model: Parts of the model.
        objective: What is minimised.
        training: Epochs, optimiser and the like; by default Adam's rate rises to 2e-3 in the first
            steps and falls to 0 along half a cosine.
    """

    model: Annotated[Any, Role("model")] = FlatVAE()
    objective: Annotated[Any, Role("objective")] = ELBO()
    training: Annotated[Any, Role("training")] = DEFAULT


class Hint:
    """What a recipe may know about the data before it composes a model.

    Args:
        event_shape: Shape of one observation.
        context_dim: Size of the context, 0 for none.
        likelihood: The codec's proposal, a spec.
        network: The proposal for this shape, a spec.
    """

    __slots__ = ("context_dim", "event_shape", "likelihood", "network")

    def __init__(
        self, event_shape: tuple[int, ...], context_dim: int, likelihood: Spec, network: Spec
    ) -> None:
        self.event_shape = event_shape
        self.context_dim = context_dim
        self.likelihood = likelihood
        self.network = network


Recipe = Callable[[Hint], Composition]

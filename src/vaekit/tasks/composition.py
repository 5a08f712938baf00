"""A composition: the model and its objective, with the training that suits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from vaekit.models import FlatVAE
from vaekit.objectives import ELBO, Cosine
from vaekit.spec import Role, Spec
from vaekit.training import Training

__all__ = ["Composition", "Hint", "Recipe"]


class Composition(Spec, kind="composition/vae"):
    """What is trained, and how.

    Args:
        model: Parts of the model.
        objective: What is minimised.
        training: Epochs, optimiser and the like; by default the learning rate falls to 0 along
            half a cosine, which leaves less noise in the weights than a constant rate.
    """

    model: Annotated[Any, Role("model")] = FlatVAE()
    objective: Annotated[Any, Role("objective")] = ELBO()
    training: Annotated[Any, Role("training")] = Training(lr_schedule=Cosine())


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

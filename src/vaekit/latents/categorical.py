"""Discrete codes: groups of categorical variables as one-hot vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from vaekit.distributions import OneHot
from vaekit.errors import ConfigError
from vaekit.latents.posterior import Posterior
from vaekit.latents.prior import Prior
from vaekit.spec import Spec, Within

__all__ = ["Categorical", "CategoricalPosterior", "UniformCategorical", "UniformCategoricalPrior"]

Classes = Annotated[int, Within(2, 65_536)]


class Categorical(Spec, kind="posterior/categorical"):
    r"""Groups of K classes, :math:`q(z \mid x) = \prod_g \mathrm{softmax}(\ell_g(x))_{z_g}`.

    A code holds ``latent_dim / classes`` one-hot vectors one after the other. Training decodes
    vectors relaxed by Gumbel noise and a softmax at a temperature; its gradient is biased, less so
    at smaller temperatures. The rate is exact: KL(q‖p) of the masses, in closed form. Evaluation
    draws exact one-hot vectors, so that its bounds and importance-sampled likelihoods are valid.
    The log weights of *relaxed* codes bound nothing: what needs them in training (IWAE, a prior
    without a closed form) is refused, save with ``hard``.

    Args:
        classes: K; it divides ``latent_dim``.
        temperature: τ of the relaxation in training.
        hard: Whether training decodes exact one-hot vectors with the relaxed ones' gradient
            (straight through).

    References:
        | Categorical Reparameterization with Gumbel-Softmax (Jang, Gu & Poole, 2016),
          arXiv:1611.01144.
        | The Concrete Distribution (Maddison, Mnih & Teh, 2016), arXiv:1611.00712.

    Example:
        >>> posterior = Categorical(classes=3).build(features=8, latent_shape=(6,)).eval()
        >>> posterior(torch.zeros(4, 8)).rsample((2,)).sum(-1)[0]
        tensor([2., 2., 2., 2.])
    """

    classes: Classes = 10
    temperature: Annotated[float, Within(0.01, 100.0)] = 0.5
    hard: bool = False

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> CategoricalPosterior:
        """The module for an encoder that returns ``features`` numbers per example.

        Raises:
            ConfigError: If the code is not a whole number of groups.
        """
        _need_whole_groups(latent_shape, self.classes, self.kind)
        return CategoricalPosterior(self, features=features, latent_shape=latent_shape)


class CategoricalPosterior(Posterior):
    """The module of :class:`Categorical`: relaxed in training, exact in evaluation."""

    spec: Categorical

    def __init__(self, spec: Categorical, *, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, features=features, latent_shape=latent_shape, size=latent_shape[0])
        self.space = _space(spec.classes)

    def forward(self, h: Tensor, context: Tensor | None = None) -> OneHot:
        """q(z|x) with batch shape (B,)."""
        return OneHot(
            self.parameters_of(h),
            classes=self.spec.classes,
            temperature=self.spec.temperature if self.training else None,
            hard=self.spec.hard,
        )


class UniformCategorical(Spec, kind="prior/uniform-categorical"):
    """All classes equally likely in every group, for :class:`Categorical`.

    Args:
        classes: K; that of the posterior.

    Example:
        >>> UniformCategorical(classes=3).build(latent_shape=(6,))().sample((5,)).sum(-1)
        tensor([2., 2., 2., 2., 2.])
    """

    classes: Classes = 10

    def build(
        self, *, latent_shape: Sequence[int], context_dim: int = 0
    ) -> UniformCategoricalPrior:
        """The module for codes of ``latent_shape``.

        Raises:
            ConfigError: If the code is not a whole number of groups.
        """
        _need_whole_groups(latent_shape, self.classes, self.kind)
        return UniformCategoricalPrior(self, latent_shape)


class UniformCategoricalPrior(Prior):
    """The module of :class:`UniformCategorical`; it ignores the context."""

    spec: UniformCategorical
    logits: Tensor

    def __init__(self, spec: UniformCategorical, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, latent_shape)
        self.space = _space(spec.classes)
        self.register_buffer("logits", torch.zeros(self.latent_shape))

    def forward(self, context: Tensor | None = None) -> OneHot:
        """The uniform mass."""
        return OneHot(self.logits, classes=self.spec.classes)


def _space(classes: int) -> str:
    return f"one-hot vectors of {classes} classes"


def _need_whole_groups(latent_shape: Sequence[int], classes: int, kind: str) -> None:
    if latent_shape[0] % classes:
        raise ConfigError(
            "a code is a whole number of groups",
            expected=f"latent_dim a multiple of classes = {classes}",
            got=f"latent_dim = {latent_shape[0]}",
            where=kind,
            remedy="set latent_dim to groups times classes",
        )

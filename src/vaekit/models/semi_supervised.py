r"""The semi-supervised VAE: classes are a second latent variable, known for some rows.

.. math:: p(x, y, z) = p(y)\, p(z)\, p(x | y, z), \qquad q(y, z | x) = q(y | x)\, q(z | x, y)

A row without a label has :math:`\sum_y q(y|x) [\log p(x|y,z) - KL_z(y)] - KL(q(y|x) \| p(y))`.
For a row with one, q(y|x) gives way to the point mass at the label, and the same formula is the
bound of the conditional VAE plus log p(y).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from vaekit.distributions import Density, OneHot, widen
from vaekit.errors import ConfigError
from vaekit.likelihoods import Gaussian
from vaekit.models.enumerated import Enumerated
from vaekit.models.evidence import Evidence, Node
from vaekit.models.vae import FlatVAE, VAEModel, draw
from vaekit.networks import probe_features
from vaekit.spec import Role, Spec

__all__ = ["SemiSupervisedVAE", "SemiSupervisedVAEModel"]

NEVER = -1e4
"""Log mass of a class that a label rules out: its mass is exactly 0, and 0 · NEVER is too."""


class SemiSupervisedVAE(FlatVAE, kind="model/semi-supervised-vae"):
    """A flat VAE given the class, and a classifier q(y|x) for rows without one ("M2").

    Its context is the label, one-hot; a row of zeros stands for an unknown one. The other parts
    are those of :class:`FlatVAE`.

    Args:
        likelihood: p(x|y, z); no Gaussian of optimal scale, since classes are decoded one by one.
        classifier: A network spec, or any module (B, *event) → (B, features); None mirrors the
            encoder's spec.
        class_prior: p(y): all classes alike, or their frequencies learned.

    References:
        Semi-supervised Learning with Deep Generative Models (Kingma, Rezende, Mohamed & Welling,
        2014), arXiv:1406.5298.

    Example:
        >>> model = SemiSupervisedVAE().build(event_shape=(8,), context_dim=3)
        >>> x, c = torch.rand(2, 8), torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
        >>> model.evidence(x, c, samples=5).elbo.shape, model.classify(x).mean.shape
        (torch.Size([5, 2]), torch.Size([2, 3]))
    """

    likelihood: Annotated[Any, Role("likelihood")] = Gaussian(scale="shared")
    classifier: Annotated[Any, Role("network")] | None = None
    class_prior: Literal["uniform", "learned"] = "uniform"

    def build(self, *, event_shape: Sequence[int], context_dim: int = 0) -> SemiSupervisedVAEModel:
        """The model for observations of ``event_shape`` and ``context_dim`` classes.

        Raises:
            ConfigError: If there are fewer than two classes, or the likelihood fits a scale to x.
        """
        if context_dim == 1:
            raise ConfigError(
                "this model tells classes apart, and there is only one",
                expected="labels of at least two classes",
                got=context_dim,
                where=self.kind,
                remedy="label rows of another class too, or use --recipe vae",
            )
        if context_dim < 1:
            raise ConfigError(
                "this model reads labels",
                expected="at least two classes",
                got=context_dim,
                where=self.kind,
                remedy="add --label COLUMN --context labels",
            )
        network = self._classifier(event_shape)
        features = probe_features(network, event_shape, context_dim=0)
        classifier = nn.Sequential(network, nn.Linear(features, context_dim))
        return SemiSupervisedVAEModel(classifier, **self._parts(event_shape, context_dim))

    def _classifier(self, event_shape: Sequence[int]) -> nn.Module:
        part = self.encoder if self.classifier is None else self.classifier
        if part is self.classifier and isinstance(part, nn.Module):
            return part
        if not isinstance(part, Spec):
            raise ConfigError(
                "a classifier is needed beside an encoder of your own",
                where=f"{self.kind}.classifier",
            )
        network: nn.Module = part.encoder(event_shape)  # type: ignore[attr-defined]
        return network


class SemiSupervisedVAEModel(VAEModel):
    r"""The module of :class:`SemiSupervisedVAE`.

    Args:
        classifier: (B, \*event) → logits (B, C).
        **parts: Of :class:`VAEModel`, with its spec.
    """

    infers_labels = True
    spec: SemiSupervisedVAE

    def __init__(self, classifier: nn.Module, **parts: Any) -> None:
        super().__init__(**parts)
        if self.likelihood.fits_x:
            raise ConfigError(
                "an optimal scale is a statistic of one reconstruction of a batch, and here every "
                "class has its own",
                where=f"{self.spec.kind}.likelihood",
                remedy="use likelihood=gaussian:scale=shared",
            )
        self.classifier = classifier
        self.class_logits = nn.Parameter(
            torch.zeros(self.context_dim), requires_grad=self.spec.class_prior == "learned"
        )

    @property
    def class_prior(self) -> OneHot:
        """p(y), one-hot."""
        return OneHot(self.class_logits, classes=self.context_dim)

    def classify(self, x: Tensor) -> OneHot:
        """q(y|x), batch shape (B,): its ``mean`` holds the masses of the classes, (B, C)."""
        self._check(x, self.event_shape, "x")
        return OneHot(widen(self.classifier(x)), classes=self.context_dim)

    def encode(self, x: Tensor, c: Tensor | None = None) -> Density:
        """q(z|x, y) of the row's label or, where it has none, of its most probable class."""
        return super().encode(x, self.completed(x, c))

    def completed(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Labels, one-hot, with the most probable class where they are unknown, shape (B, C)."""
        guess = torch.eye(self.context_dim).to(x)[self.classify(x).mean.argmax(-1)]
        return guess if c is None else torch.where(_is_known(c), c, guess)

    def evidence(
        self,
        x: Tensor,
        c: Tensor | None = None,
        *,
        target: Tensor | None = None,
        observed: Tensor | None = None,
        samples: int = 1,
        given: Sequence[Tensor] = (),
    ) -> Enumerated:
        """The evidence of every class, weighted by q(y|x), or by the label where there is one.

        Arguments are those of :meth:`VAEModel.evidence`. Of a row with a label it is about
        log p(x, y), of others about log p(x).
        """
        target = x if target is None else target
        self._check(target, self.event_shape, "the target")
        x = self.corruption(x)
        guess = self.classify(x)
        labels = x.new_zeros(len(x), self.context_dim) if c is None else c
        self._check_context(labels, rows=len(x))
        logits = torch.where(_is_known(labels), NEVER * (1 - labels), guess.log_probs[:, 0])
        q = OneHot(logits, classes=self.context_dim)
        each = [
            self._evidence_of(y.expand_as(labels), x, target, samples, given, observed)
            for y in torch.eye(self.context_dim).to(labels)
        ]
        masses = q.mean.expand(len(each[0].log_px), -1, -1)
        return Enumerated(each, Node(masses, q, self.class_prior), guess=guess, labels=labels)

    def _evidence_of(
        self,
        y: Tensor,
        x: Tensor,
        target: Tensor,
        samples: int,
        given: Sequence[Tensor],
        observed: Tensor | None,
    ) -> Evidence:
        q = super().encode(x, y)
        z, log_q = (given[0], None) if given else draw(q, samples)
        return self.evidence_at(z, q, target, y, log_q=log_q, observed=observed)

    def reconstruct(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """E[x|y, z] at the posterior mean, of the label or the most probable class."""
        return super().reconstruct(x, self.completed(x, c))

    def sample(self, n: int, c: Tensor | None = None, *, temperature: float = 1.0) -> Density:
        """p(x|y, z) at codes from the prior, and classes from p(y) where c holds none."""
        drawn = self.class_prior.sample((n,))
        y = drawn if c is None else torch.where(_is_known(c), c, drawn)
        return super().sample(n, y, temperature=temperature)


def _is_known(labels: Tensor) -> Tensor:
    """Which rows have a label, shape (B, 1)."""
    return labels.sum(-1, keepdim=True) > 0

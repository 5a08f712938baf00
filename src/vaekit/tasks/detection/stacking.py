"""A stack of autoencoders or VAEs, trained greedily from the data inwards and then as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from vaekit.data import ArrayCodec, DataCodec, Rows, TensorData
from vaekit.likelihoods import Gaussian
from vaekit.metrics.scored import evaluating
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import Stack
from vaekit.tasks.detection.training import Effort, train

__all__ = ["pretrain", "stacked_network"]

CODED = 100_000
"""Rows whose codes the inner models learn from, at most, spread over the table."""
ROWS_A_TIME = 1 << 14


def stacked_network(outer: Any, inner: Any, widths: Sequence[int]) -> Any:
    """The network of a stack, the widths of its codes from the data inwards.

    Args:
        outer: The network that reads rows.
        inner: The network that reads codes.
        widths: Of the codes between the networks; none gives ``outer``.

    Example:
        >>> from vaekit.networks import MLP
        >>> stack = stacked_network(MLP(hidden=(32,)), MLP(hidden=(16,)), (8, 4))
        >>> stack.width, stack.inner.width
        (8, 4)
    """
    if not widths:
        return outer
    rest = stacked_network(inner, inner, widths[1:])
    return Stack(outer=outer, inner=rest, width=widths[0])


def pretrain(
    model: VAEModel,
    rows: Rows,
    objective: Callable[..., Any],
    effort: Effort,
    *,
    seed: int,
) -> None:
    """Give a stacked model the weights of models that are trained one after the other.

    The outermost has the likelihood of the rows and codes of the stack's width; each of the others
    models the codes of the one before, their posterior means, with a Gaussian. All have the kind
    of posterior that the whole has.

    Args:
        model: With a :class:`~vaekit.networks.Stack` as network; changed in place.
        rows: What to train on.
        objective: What each model minimises.
        effort: How each is trained.
        seed: Of everything random.
    """
    spec: Any = model.spec
    if not isinstance(spec.encoder, Stack):
        return
    stack, likelihood = spec.encoder, spec.likelihood
    encoder: Any = model.encoder
    decoder: Any = model.decoder
    while True:
        outer = FlatVAE(
            latent_dim=stack.width,
            encoder=stack.outer,
            posterior=spec.posterior,
            likelihood=likelihood,
        )
        trained = _trained(outer, rows, objective, effort, seed)
        _copy(trained, encoder, decoder)
        if likelihood is spec.likelihood:
            model.likelihood.load_state_dict(trained.likelihood.state_dict())
        rows = _codes(trained, rows)
        likelihood = Gaussian(scale="per-column")
        encoder, decoder = encoder.inner, decoder.inner
        if not isinstance(stack.inner, Stack):
            break
        stack = stack.inner
    innermost = FlatVAE(
        latent_dim=spec.latent_dim,
        encoder=stack.inner,
        prior=spec.prior,
        posterior=spec.posterior,
        likelihood=likelihood,
    )
    trained = _trained(innermost, rows, objective, effort, seed)
    encoder.load_state_dict(trained.encoder.state_dict())
    decoder.load_state_dict(trained.decoder.state_dict())
    model.posterior.load_state_dict(trained.posterior.state_dict())
    model.prior.load_state_dict(trained.prior.state_dict())


def _trained(
    spec: FlatVAE, rows: Rows, objective: Callable[..., Any], effort: Effort, seed: int
) -> VAEModel:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = spec.build(event_shape=rows.codec.event_shape)
    train(model, rows, objective, effort, seed=seed)
    return model


@torch.no_grad()
def _copy(trained: VAEModel, encoder: Any, decoder: Any) -> None:
    """The outer halves of a stack from a model whose posterior's mean is the stack's code."""
    encoder.outer.load_state_dict(trained.encoder.state_dict())
    decoder.outer.load_state_dict(trained.decoder.state_dict())
    head, code = trained.posterior.head, encoder.code
    width = code.out_features
    code.weight.copy_(head.weight[:width])
    code.bias.copy_(head.bias[:width])


def _codes(model: VAEModel, rows: Rows) -> TensorData:
    with evaluating(model):
        found = [model.encode(b.x).mean for b in rows.sample(CODED).batches(ROWS_A_TIME)]
    codes = torch.cat(found)
    return TensorData(DataCodec(ArrayCodec(shape=tuple(codes.shape[1:]))), codes)

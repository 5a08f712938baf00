"""vaekit as a contestant: the other contestants' layers in its models, and its measured loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.plain import Net, mean_loss
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE, VAEModel
from vaekit.training import Callback

__all__ = ["Enough", "Watch", "as_vaekit", "conv_as_vaekit", "loss_of_vaekit", "set_head"]


class Enough(Exception):  # noqa: N818  not an error: the wanted steps are done
    """Ends a run after the wanted number of steps."""


class Watch(Callback):
    """Calls a stopwatch after each step or epoch, and keeps how the run was computed."""

    def __init__(
        self,
        *,
        on_step: Callable[[], Any] | None = None,
        on_epoch: Callable[[], Any] | None = None,
    ) -> None:
        self.note = ""
        self._on_step = on_step
        self._on_epoch = on_epoch

    def on_start(self, *, step: int, total: int, note: str) -> None:
        """Keep the note."""
        self.note = note

    def on_step(self, *, step: int) -> None:
        """The end of a step."""
        if self._on_step is not None:
            self._on_step()

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """The end of an epoch, its record included."""
        if self._on_epoch is not None:
            self._on_epoch()


def as_vaekit(net: Net) -> VAEModel:
    """The layers of a plain network in a model of vaekit; it must bound log σ as vaekit does."""
    model = FlatVAE(
        latent_dim=net.latent,
        encoder=net.encoder,
        decoder=net.decoder,
        likelihood=Bernoulli() if net.bernoulli else Gaussian(scale=1.0),
    ).build(event_shape=(net.sizes[0],))
    loc, log_var = net.head.weight.chunk(2), net.head.bias.chunk(2)
    set_head(model, loc=(loc[0], log_var[0]), log_var=(loc[1], log_var[1]))
    return model.eval()


@torch.no_grad()
def set_head(
    model: VAEModel, *, loc: tuple[Tensor, Tensor], log_var: tuple[Tensor, Tensor]
) -> None:
    """Give the posterior's head weights and biases: it emits log σ where others emit log σ²."""
    head: Any = model.posterior.head
    head.weight.copy_(torch.cat([loc[0], 0.5 * log_var[0]]))
    head.bias.copy_(torch.cat([loc[1], 0.5 * log_var[1]]))


class Trunk(nn.Module):
    """Pythae's encoder without its two heads: in vaekit the posterior has the head."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.layers = encoder.layers

    def forward(self, x: Tensor) -> Tensor:
        """Features of shape (B, 1024)."""
        for layer in self.layers:
            x = layer(x)
        return x.flatten(1)


class Reconstruction(nn.Module):
    """Pythae's decoder as a function from codes to images."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, z: Tensor) -> Tensor:
        """Means of shape (N, 1, 28, 28)."""
        means: Tensor = self.decoder(z)["reconstruction"]
        return means


def conv_as_vaekit(peer: Any) -> VAEModel:
    """The modules of Pythae's convolutional VAE, with the same first weights, in one of vaekit."""
    model = FlatVAE(
        latent_dim=peer.latent_dim,
        encoder=Trunk(peer.encoder),
        decoder=Reconstruction(peer.decoder),
        likelihood=Gaussian(scale=1.0),
    ).build(event_shape=peer.input_dim)
    loc, log_var = peer.encoder.embedding, peer.encoder.log_var
    set_head(model, loc=(loc.weight, loc.bias), log_var=(log_var.weight, log_var.bias))
    return model


def loss_of_vaekit(model: VAEModel, x: Tensor, *, bernoulli: bool, chunk: int = 1_000) -> float:
    """The loss of a trained model by the formula that all contestants share."""
    model.eval()

    def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
        q = model.encode(x)
        return q.mean, q.stddev

    return mean_loss(
        posterior, lambda z: model.decode(z).mean, x, bernoulli=bernoulli, chunk=chunk
    )

"""The same network without a library: its loop, and its matrix products alone (the limit)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Net", "Products", "fit_plain", "mean_loss"]

LR = 1e-3


class Net(nn.Module):
    """A dense VAE of flat rows with a diagonal normal posterior.

    Args:
        features: Numbers in a row.
        hidden: Widths from the data's side to the code's.
        latent: Dimension of the code.
        bound: Smooth bound of log σ, as vaekit's posterior has one; None for none.
        bernoulli: Whether the decoder emits logits; else the mean of a normal with σ = 1.
    """

    def __init__(
        self,
        features: int,
        *,
        hidden: Sequence[int] = (256, 128),
        latent: int = 2,
        bound: float | None = None,
        bernoulli: bool = True,
    ) -> None:
        super().__init__()
        self.sizes = (features, *hidden)
        self.latent = latent
        self.bound = bound
        self.bernoulli = bernoulli
        self.encoder = _dense(self.sizes, last=True)
        self.head = nn.Linear(hidden[-1], 2 * latent)
        self.decoder = _dense((latent, *reversed(self.sizes)), last=False)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each of shape (B, latent)."""
        loc, log_var = self.head(self.encoder(x)).chunk(2, -1)
        if self.bound is not None:
            log_var = 2 * self.bound * torch.tanh(log_var / (2 * self.bound))
        return loc, log_var

    def loss(self, x: Tensor) -> Tensor:
        """Minus the ELBO with one sample, nats a row (without the constant of the normal)."""
        loc, log_var = self.encode(x)
        z = loc + (0.5 * log_var).exp() * torch.randn_like(loc)
        params = self.decoder(z)
        if self.bernoulli:
            distortion = F.binary_cross_entropy_with_logits(params, x, reduction="sum")
        else:
            distortion = 0.5 * (params - x).square().sum()
        rate = 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum()
        return (distortion + rate) / len(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|x)."""
        loc, log_var = self.encode(x)
        return loc, (0.5 * log_var).exp()

    def mean(self, z: Tensor) -> Tensor:
        """E[x|z]."""
        params = self.decoder(z)
        return params.sigmoid() if self.bernoulli else params


def _dense(sizes: Sequence[int], *, last: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*(layers if last else layers[:-1]))


def fit_plain(net: Net, x: Tensor, *, batch: int, epochs: int, mark: Callable[[], Any]) -> None:
    """The loop that one would write without a library; ``mark`` is called after each epoch."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            net.loss(x[index]).backward()
            optimizer.step()
        mark()


class Products:
    """The matrix products of a training step and one fused Adam over all weights, nothing else.

    Inputs, results, weights and gradients have their memory from the start; there are no biases to
    add, no activations, no noise, no loss and no data to fetch. Adam holds the biases too. Its
    rate is 0, so that the numbers stay where they are: the arithmetic is the same.

    Args:
        net: Whose shapes to take.
        batch: Rows of a step.
    """

    def __init__(self, net: Net, batch: int) -> None:
        encoder = [(n_out, n_in) for n_in, n_out in pairwise(net.sizes)]
        sizes = (net.latent, *reversed(net.sizes))
        decoder = [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
        head = (2 * net.latent, net.sizes[-1])
        total = sum(weights.numel() for weights in net.parameters())
        self.weights = torch.randn(total) * 0.05
        self.weights.grad = torch.randn(total)
        self.optimizer = torch.optim.Adam([self.weights], lr=0.0, fused=True)
        self._used = 0
        self.chains = [
            self._chain([*encoder, head], batch, first=True),
            self._chain(decoder, batch, first=False),
        ]

    def _chain(
        self, shapes: Sequence[tuple[int, int]], batch: int, *, first: bool
    ) -> list[dict[str, Any]]:
        """Consecutive layers: each reads what the one before wrote."""
        layers: list[dict[str, Any]] = []
        x = torch.randn(batch, shapes[0][1])
        for number, (n_out, n_in) in enumerate(shapes):
            span = slice(self._used, self._used + n_out * n_in)
            self._used = span.stop
            assert self.weights.grad is not None
            layer: dict[str, Any] = {
                "x": x,
                "weight": self.weights[span].view(n_out, n_in),
                "weight_grad": self.weights.grad[span].view(n_out, n_in),
                "y": torch.empty(batch, n_out),
                "y_grad": torch.randn(batch, n_out),
                "x_grad": None if first and number == 0 else torch.empty(batch, n_in),
            }
            if layers:
                layer["x_grad"] = layers[-1]["y_grad"]
            layers.append(layer)
            x = layer["y"]
        return layers

    @torch.no_grad()
    def step(self) -> None:
        """One training step."""
        self.forward()
        for layers in reversed(self.chains):
            for layer in reversed(layers):
                torch.mm(layer["y_grad"].t(), layer["x"], out=layer["weight_grad"])
                if layer["x_grad"] is not None:
                    torch.mm(layer["y_grad"], layer["weight"], out=layer["x_grad"])
        self.optimizer.step()

    @torch.no_grad()
    def forward(self, *, encode: bool = True, decode: bool = True) -> None:
        """The products of the forward pass, or of one direction."""
        for wanted, layers in zip((encode, decode), self.chains, strict=True):
            for layer in layers if wanted else ():
                torch.mm(layer["x"], layer["weight"].t(), out=layer["y"])


@torch.no_grad()
def mean_loss(
    posterior: Callable[[Tensor], tuple[Tensor, Tensor]],
    mean: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    bernoulli: bool,
    chunk: int = 1_000,
) -> float:
    """Minus the mean ELBO in nats with the same noise for everybody, by one formula for all.

    Args:
        posterior: x → mean and standard deviation of q(z|x).
        mean: z → E[x|z], flat or in the shape of x.
        x: Rows to measure.
        bernoulli: Cross-entropy, else half the squared error (the normal with σ = 1 without its
            constant).
        chunk: Rows at a time.
    """
    generator, total = torch.Generator().manual_seed(0), 0.0
    for rows in x.split(chunk):
        loc, scale = (part.double() for part in posterior(rows))
        noise = torch.randn(loc.shape, generator=generator, dtype=torch.float64)
        seen = rows.flatten(1).double()
        means = mean((loc + scale * noise).float()).flatten(1).double()
        if bernoulli:
            means = means.clamp(1e-12, 1 - 1e-12)
            distortion = F.binary_cross_entropy(means, seen, reduction="sum")
        else:
            distortion = 0.5 * (means - seen).square().sum()
        rate = (0.5 * (scale.square() + loc.square() - 1) - scale.log()).sum()
        total += float(distortion + rate)
    return total / len(x)

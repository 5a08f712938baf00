"""A stack of restricted Boltzmann machines: deep belief before variational autoencoders."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from vaekit.baselines.autoencoders import NeuralRepresentation
from vaekit.baselines.flat import Floats, resampled
from vaekit.baselines.rbm import BINARY, NORMAL, RBM, Units
from vaekit.errors import ConfigError, DataError
from vaekit.latents import Point
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE, VAEModel
from vaekit.objectives import Autoencoding
from vaekit.spec import Role, Spec, Within

__all__ = ["DBN", "DeepBelief"]

Width = Annotated[int, Within(1, 65_536)]


class DBN(Spec, kind="baseline/dbn"):
    """Restricted Boltzmann machines, each trained by CD-1 on the means of the one below.

    Hidden layers are binary; the code is linear with unit normal noise. The way up gives the code,
    the way down the reconstruction, both with means in place of samples.

    Args:
        latent_dim: Units of the code, k.
        hidden: Units of the layers below it, from the data up.
        visible: ``binary`` takes numbers in [0, 1] for probabilities, ``normal`` standardises
            every element; ``auto`` is binary where all training rows lie in [0, 1].
        epochs: Passes over the data for each machine.
        batch_size: Rows per step.
        rate: Adam's rate.
        seed: Of everything random.
        fine_tuning: How to train the unrolled stack as an autoencoder afterwards; None leaves it
            as it is.

    References:
        Reducing the Dimensionality of Data with Neural Networks (Hinton & Salakhutdinov, 2006).

    Example:
        >>> rows = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> DBN(latent_dim=2, hidden=(8,), epochs=2).build().fit(rows).reconstruct(rows).shape
        (60, 1, 4, 4)
    """

    latent_dim: Width = 2
    hidden: tuple[Width, ...] = (256, 64)
    visible: Literal["auto", "binary", "normal"] = "auto"
    epochs: Annotated[int, Within(1, 1_000_000)] = 10
    batch_size: Annotated[int, Within(1, 1_000_000)] = 32
    rate: Annotated[float, Within(1e-9, 1.0)] = 5e-3
    seed: Annotated[int, Within(0, 2**53)] = 0
    fine_tuning: Annotated[Any, Role("training")] | None = None

    def validate(self) -> None:
        """A linear code on normal elements alone has no distribution."""
        if not self.hidden:
            raise ConfigError("a stack needs a binary layer below its code", where=self.kind)

    def build(self) -> DeepBelief:
        """The representation, to be fitted."""
        return DeepBelief(self)


class DeepBelief(NeuralRepresentation):
    """The representation of :class:`DBN`, in model units.

    Attributes:
        machines: From the data up; what they were before any fine-tuning.
        codes: Of the training rows, shape (n, k).
    """

    machines: list[RBM]
    codes: Floats

    def __init__(self, spec: DBN) -> None:
        super().__init__("deep belief network", spec, spec.fine_tuning, Autoencoding())

    def fit(self, x: ArrayLike) -> Self:
        """Train one machine after the other, then unroll them.

        Raises:
            DataError: If rows are fewer than two, or a value is not finite or not in [0, 1] where
                elements are binary.
            NumericalError: If training diverges.
        """
        super().fit(x)
        self.codes = self.encode(x)
        return self

    def sample(self, n: int, *, seed: int) -> Floats:
        """Decoded codes, each number drawn on its own from those of the training rows."""
        self._fitted()
        return self.decode(resampled(self.codes, n, seed=seed))

    def _initial(self, rows: Floats) -> VAEModel:
        flat = torch.from_numpy(rows.reshape(len(rows), -1)).float()
        binary = self._is_binary(flat)
        shift, scale = _standard(flat, binary=binary)
        self._pretrain((flat - shift) / scale, BINARY if binary else NORMAL)
        return self._unrolled(rows.shape[1:], shift, scale, binary=binary)

    def _is_binary(self, flat: Tensor) -> bool:
        fits = bool(((flat >= 0) & (flat <= 1)).all())
        if self.spec.visible == "binary" and not fits:
            raise DataError(
                "binary elements are probabilities",
                expected="rows in [0, 1]",
                got=f"values from {flat.min():g} to {flat.max():g}",
                remedy="scale the data, or choose DBN(visible='normal')",
            )
        return fits and self.spec.visible != "normal"

    def _pretrain(self, rows: Tensor, visible: Units) -> None:
        spec = self.spec
        generator = torch.Generator().manual_seed(spec.seed)
        self.machines = []
        for size, hidden in [*((size, BINARY) for size in spec.hidden), (spec.latent_dim, NORMAL)]:
            machine = RBM(rows, size, visible=visible, hidden=hidden, generator=generator)
            machine.fit(rows, epochs=spec.epochs, batch_size=spec.batch_size, rate=spec.rate)
            self.machines.append(machine)
            rows, visible = machine.up(rows), hidden

    def _unrolled(
        self, event_shape: tuple[int, ...], shift: Tensor, scale: Tensor, *, binary: bool
    ) -> VAEModel:
        """The machines as encoder and decoder of one model, with the scaling in their weights."""
        first, *_, top = self.machines
        up = [_linear(m.weight.T, m.hidden_bias) for m in self.machines[:-1]]
        down = [_linear(m.weight, m.visible_bias) for m in reversed(self.machines)]
        up[0] = _linear(first.weight.T / scale, first.hidden_bias - (shift / scale) @ first.weight)
        down[-1] = _linear(scale[:, None] * first.weight, shift + scale * first.visible_bias)
        parts = FlatVAE(
            latent_dim=self.latent_dim,
            encoder=nn.Sequential(nn.Flatten(), *_activated(up)),
            decoder=nn.Sequential(*_activated(down[:-1]), down[-1], nn.Unflatten(1, event_shape)),
            posterior=Point(),
            likelihood=Bernoulli() if binary else Gaussian(scale=1.0),
        )
        with torch.random.fork_rng(devices=[]):
            model = parts.build(event_shape=event_shape)
        model.posterior.head = _linear(top.weight.T, top.hidden_bias)
        return model


def _standard(flat: Tensor, *, binary: bool) -> tuple[Tensor, Tensor]:
    """What to subtract and to divide by, each of shape (D,); constant elements keep their unit."""
    if binary:
        return torch.zeros_like(flat[0]), torch.ones_like(flat[0])
    scale = flat.std(0)
    return flat.mean(0), torch.where(scale > 0, scale, 1.0)


def _activated(layers: list[nn.Linear]) -> list[nn.Module]:
    return [module for layer in layers for module in (layer, nn.Sigmoid())]


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A layer with these weights, shape (out, in)."""
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer

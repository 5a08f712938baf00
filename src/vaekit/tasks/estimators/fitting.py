"""One training run from an estimator's parameters, and what is measured of its result."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from torch import Tensor, nn

from vaekit.data import RawData, Rows, TensorData, split
from vaekit.distributions import shared_noise
from vaekit.errors import ConfigError
from vaekit.metrics.scored import evaluating
from vaekit.models import Node, VAEModel
from vaekit.tasks.estimators.parts import number, whole
from vaekit.tasks.estimators.passes import Passes
from vaekit.training import Adam, Display, PolicySpec, Trainer, Training

__all__ = [
    "ROWS_A_TIME",
    "Pace",
    "Settings",
    "build",
    "codes_and_rates",
    "in_chunks",
    "require_same_parts",
    "seed_from",
    "train",
    "unchanged_if_it_fails",
    "warn_of_collapse",
]

ROWS_A_TIME = 4_096
AVERAGE = 0.95
"""Decay of the moving average of the weights, which takes the place of a falling learning rate."""
MIN_DELTA = 0.01
"""By how many nats a row the bound must rise for patience to begin anew."""
INACTIVE = 0.01
"""Nats below which a latent dimension carries nothing."""


@dataclasses.dataclass(frozen=True)
class Pace:
    """The parameters that every estimator trains by, checked."""

    learning_rate: float
    batch_size: int
    device: str
    verbose: bool

    @staticmethod
    def common(params: Mapping[str, Any]) -> dict[str, Any]:
        """The values of these fields among the parameters of an estimator.

        Raises:
            ConfigError: If a value makes no sense; the message names the parameter.
        """
        return {
            "learning_rate": number("learning_rate", params["learning_rate"], 0.0, 1e3),
            "batch_size": whole("batch_size", params["batch_size"], 1),
            "device": str(params["device"]),
            "verbose": bool(params["verbose"]),
        }

    def run(
        self, model: nn.Module, parts: Mapping[str, Rows], training: Training, objective: Any
    ) -> list[dict[str, Any]]:
        """Train in place; the model is then on the CPU, torch's generators as they were.

        Returns:
            One record for each epoch.
        """
        with torch.random.fork_rng(devices=[] if self.device == "cpu" else None):
            trainer = Trainer(
                model,
                parts,
                training,
                objective=objective,
                callbacks=[Display()] if self.verbose else [],
                accelerator=self.device,
            )
            try:
                history = trainer.fit()
            finally:
                model.cpu().eval()
        return [dict(record) for record in history.records]


@dataclasses.dataclass(frozen=True)
class Settings(Pace):
    """The parameters of an estimator that say how to train until a bound no longer rises."""

    max_epochs: int
    patience: int | None
    validation_fraction: float

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Settings:
        """The settings among the parameters of an estimator.

        Raises:
            ConfigError: If a value makes no sense; the message names the parameter.
        """
        patience = params["patience"]
        return cls(
            **cls.common(params),
            max_epochs=whole("max_epochs", params["max_epochs"], 1),
            patience=None if patience is None else whole("patience", patience, 1),
            validation_fraction=number(
                "validation_fraction", params["validation_fraction"], 0.0, 1.0
            ),
        )


@contextlib.contextmanager
def unchanged_if_it_fails(estimator: Any) -> Iterator[None]:
    """What an estimator has learned is as before where the block raises an error."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def seed_from(random_state: Any) -> int:
    """A seed from what scikit-learn calls a random state: an integer, a generator or None.

    Example:
        >>> seed_from(0) == seed_from(0), 0 <= seed_from(None) < 2**31
        (True, True)
    """
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def build(spec: Any, event_shape: Sequence[int], seed: int) -> VAEModel:
    """The untrained model; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model: VAEModel = spec.build(event_shape=tuple(event_shape))
    return model


def train(
    model: VAEModel,
    raw: RawData,
    data: TensorData,
    objective: Callable[..., Any],
    settings: Settings,
    *,
    seeds: tuple[int, int],
) -> list[dict[str, Any]]:
    """Train in place, until the bound on held-out rows no longer rises.

    Args:
        model: What to train; it ends on the CPU with the best weights.
        raw: The rows as they were given.
        data: The same rows as tensors.
        objective: What to minimise.
        settings: How.
        seeds: Of the division of the rows, and of everything else.

    Returns:
        One record for each epoch.
    """
    rows = split(raw, validation=settings.validation_fraction, test=0.0, seed=seeds[0])
    some = data.subset(rows.train)
    batch_size = min(settings.batch_size, len(some))
    parts: dict[str, TensorData] = {"train": Passes.of_steps(some, batch_size)}
    if settings.validation_fraction or settings.patience is not None:
        parts["validation"] = data.subset(rows.validation) if len(rows.validation) else some
    training = Training(
        epochs=settings.max_epochs,
        batch_size=batch_size,
        optimizer=Adam(lr=settings.learning_rate),
        average=AVERAGE,
        patience=settings.patience,
        min_delta=MIN_DELTA,
        seed=seeds[1],
        speed=PolicySpec(compile="off"),  # whether it pays is measured: results would differ
    )
    records = settings.run(model, parts, training, objective)
    if settings.patience is not None and any(r["best"] for r in records[-settings.patience :]):
        warnings.warn(
            f"stopped after max_epochs={settings.max_epochs} epochs, while the bound was still "
            "rising: allow more, or set patience=None to train for that long",
            ConvergenceWarning,
            stacklevel=4,
        )
    return records


def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``function`` of some rows at a time, in float64, joined."""
    return torch.cat([function(rows.double()) for rows in x.split(ROWS_A_TIME)])


def codes_and_rates(model: VAEModel, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means, shape (n, k), and the mean KL of each latent dimension in nats, shape (k,).

    The rate is NaN where the posterior has no density.

    Args:
        model: In float64.
        x: Rows in model units.
    """
    codes, rates = [], []
    with evaluating(model), shared_noise(0):
        p = model.prior(None)
        for rows in x.split(ROWS_A_TIME):
            q = model.encode(rows.double())
            codes.append(q.mean)
            node = Node(q.rsample((1,)), q, p)
            rates.append(node.kl_elements.double().sum((0, 1)))
    total = torch.stack(rates).sum(0).flatten() / len(x)
    if not model.posterior.has_density:
        total = torch.full_like(total, math.nan)
    return torch.cat(codes).double().numpy(), total.numpy()


def warn_of_collapse(rates: np.ndarray, *, most: int) -> None:
    """Say so when more than ``most`` latent dimensions carry nothing."""
    idle = int((rates < INACTIVE).sum())
    if idle > most:
        warnings.warn(
            f"latent collapse: {idle} of {len(rates)} latent dimensions carry less than "
            f"{INACTIVE} nats; usual remedies: fewer dimensions, a lower beta "
            "(objective='elbo:beta=0.5'), or free bits (objective='elbo:free_bits=0.1')",
            UserWarning,
            stacklevel=4,
        )


def require_same_parts(given: Any, fitted: Any) -> None:
    """Refuse to go on from weights of other parts; modules of the user's own are not compared.

    Args:
        given: The spec that the parameters ask for.
        fitted: The spec of the fitted model.

    Raises:
        ConfigError: If they differ.
    """
    same = type(given) is type(fitted)
    fields = [(n, getattr(given, n), getattr(fitted, n)) for n in _fields(given)] if same else []
    for name, new, old in fields or [("model", given, fitted)]:
        if new != old and not (isinstance(new, nn.Module) and isinstance(old, nn.Module)):
            raise ConfigError(
                "warm_start goes on from the fitted model, which has other parts",
                expected=str(old),
                got=str(new),
                where=name,
                remedy="keep the parts, or fit with warm_start=False",
            )


def _fields(spec: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(spec)]

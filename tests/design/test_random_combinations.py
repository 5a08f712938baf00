"""Combinations that nobody named train too, or are refused by an error that says why.

Parts are drawn from all that the package registers, so a new part takes part by being registered.
"""

import random

import pytest
import torch

import vaekit.recipes  # noqa: F401  registers everything
from vaekit.data import TensorData
from vaekit.errors import ConfigError
from vaekit.likelihoods import ColumnGroup, Laplace
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.spec import lookup, registered
from vaekit.training import Adam, PolicySpec, Trainer, Training

EVENT = (1, 6, 6)
ROWS, STEPS, DRAWS, TRAINED = 24, 3, 180, 20  # images: two parts are for vectors alone
CLASSES = 3
NETWORKS = {
    "mlp": {"hidden": (8,)},
    "conv": {"channels": (4, 4)},
    "resnet": {"channels": (4, 4)},
    "columns": {"reals": (0,)},
    "stack": {"outer": MLP(hidden=(8,)), "inner": MLP(hidden=(8,)), "width": 3},
}
SMALL = {
    "likelihood/categorical": {"categories": 4},
    "likelihood/ordinal": {"levels": 4},
    "likelihood/table": {"groups": (ColumnGroup((0,), Laplace()),)},
    "likelihood/cost": {"loss": torch.nn.L1Loss(reduction="none")},
    "prior/vamp": {"components": 4},
    "prior/uniform-categorical": {"classes": 2},
    "posterior/categorical": {"classes": 2},
    "objective/iwae": {"samples": 3},
}
"""Fields that make a part small; everything else is as it comes."""


def part(role, name):
    """The part with its default fields, but small."""
    cls = lookup(name, role=role)
    return cls(**SMALL.get(cls.kind, {}), **(NETWORKS[name] if role == "network" else {}))


def own(role):
    """Names of the package's parts, without those that other tests register."""
    parts = registered(role).items()
    return sorted(name for name, part in parts if part.__module__.startswith("vaekit."))


def drawn(generator):
    """One composition at random, whether it makes sense or not."""
    chosen = {
        role: generator.choice(own(role))
        for role in ("prior", "posterior", "likelihood", "network", "objective")
    }
    return chosen, generator.random() < 0.5


def rows(likelihood, context):
    """Observations that the likelihood can score: draws from itself."""
    torch.manual_seed(0)
    module = likelihood.build(event_shape=EVENT)
    params = torch.randn(ROWS, *module.params_shape)
    x = module(params).sample() if module.is_density else params
    c = torch.nn.functional.one_hot(torch.arange(ROWS) % CLASSES, CLASSES).float()
    return TensorData(AsIs(), x.float(), torch.arange(ROWS) % CLASSES, c if context else None)


class AsIs:
    """The codec of rows and contexts that are in model units already."""

    @property
    def x(self):
        return self

    @property
    def context(self):
        return self

    def to_model(self, stored, *, train=False):
        return stored


def train(chosen, context):
    """A few steps; returns the trainer."""
    made = {role: part(role, name) for role, name in chosen.items()}
    network, objective = made.pop("network"), made.pop("objective")
    torch.manual_seed(0)
    model = FlatVAE(latent_dim=4, encoder=network, **made).build(
        event_shape=EVENT, context_dim=CLASSES if context else 0
    )
    training = Training(
        epochs=1,
        batch_size=ROWS // STEPS,
        optimizer=Adam(lr=1e-3),
        speed=PolicySpec(compile="off", threads=1),
    )
    data = {"train": rows(made["likelihood"], context)}
    trainer = Trainer(model, data, training, objective=objective, accelerator="cpu")
    trainer.fit()
    return trainer


def test_random_combinations_train_or_say_why_not():
    generator, trained, refused = random.Random(0), [], []
    for _ in range(DRAWS):
        chosen, context = drawn(generator)
        try:
            trainer = train(chosen, context)
        except ConfigError as error:  # any other error is a defect
            refused.append((chosen, str(error)))
            continue
        assert trainer.history.last["loss"] is not None, chosen  # None: it was not finite
        trained.append(chosen)
    assert len(trained) >= TRAINED, refused
    for role in ("prior", "posterior", "likelihood", "network", "objective"):
        names = {chosen[role] for chosen in trained}
        assert len(names) > len(own(role)) // 2, f"hardly any {role} was trained: {names}"


@pytest.mark.parametrize(
    "parts",
    [
        ("vamp", "iaf", "gaussian", "mlp", "info"),  # a σ-IAF-InfoVAE with a VampPrior
        ("flow", "full", "student-t", "conv", "iwae"),
        ("mixture", "planar", "negative-binomial", "resnet", "elbo"),
        ("uniform-sphere", "von-mises-fisher", "laplace", "mlp", "wae"),
    ],
    ids=":".join,
)
def test_a_model_that_nobody_named(parts):
    roles = ("prior", "posterior", "likelihood", "network", "objective")
    trainer = train(dict(zip(roles, parts, strict=True)), context=False)
    assert trainer.history.last["loss"] is not None
    silent = [n for n, w in trainer.model.named_parameters() if w.grad is None or not w.grad.any()]
    assert not silent

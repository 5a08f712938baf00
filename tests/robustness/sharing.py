"""Small runs in one process or several: python sharing.py FOLDER DEVICES CASES [STOP_AFTER]."""

import sys
from pathlib import Path

import numpy as np

from vaekit.data import RawData
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE, SemiSupervisedVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Linear, SemiSupervised
from vaekit.tasks import Composition, DataSpec, Run, prepare_data, resume_run, start_run
from vaekit.training import Adam, Callback, Processes, Training

CASES = {
    "shared": (FlatVAE, Gaussian(scale="shared"), ELBO(beta=Linear()), {}),
    "optimal": (FlatVAE, Gaussian(scale="optimal"), ELBO(free_bits=0.3), {}),
    "dynamic": (FlatVAE, Bernoulli(), ELBO(), {"binarise": "dynamic"}),
    "labels": (
        SemiSupervisedVAE,
        Gaussian(scale="shared"),
        SemiSupervised(alpha=1.0),
        {"context": ("labels",), "unlabelled": "keep", "labelled": 12},
    ),
}


class StopAfter(Callback):
    """Ends the program after some steps, as Ctrl-C would."""

    def __init__(self, steps):
        self.steps = steps

    def on_step(self, *, step):
        if step == self.steps:
            raise KeyboardInterrupt


def raw():
    """69 images of 4 x 4 in a few shapes: the last batch of 8 holds one row for two processes."""
    rng = np.random.default_rng(0)
    shapes = rng.integers(0, 256, (4, 4, 4))
    noise = rng.integers(0, 40, (69, 4, 4))
    which = rng.integers(0, 4, 69)
    x = np.minimum(shapes[which] + noise, 255).astype(np.uint8)
    return RawData(x, labels=np.array(list("abcd"))[which])


def main(folder, devices, cases, stop=None):
    processes = Processes(accelerator="cpu", devices=int(devices)).launch()
    for case in cases.split(","):
        train(Path(folder) / case, case, processes, stop)


def train(folder, case, processes, stop):
    model, likelihood, objective, reading = CASES[case]
    callbacks = [] if stop is None else [StopAfter(int(stop))]
    data = DataSpec(validation=0.06, test=0.0, **reading)
    composition = Composition(
        model(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=likelihood),
        objective,
        Training(
            epochs=4, batch_size=8, optimizer=Adam(lr=1e-2), checkpoint_seconds=0.0, patience=9
        ),
    )
    prepared = prepare_data(data, raw())
    if (folder / "run.json").exists():
        resume_run(folder, prepared=prepared, processes=processes)
    else:
        run = Run(data, composition)
        start_run(run, folder, prepared=prepared, callbacks=callbacks, processes=processes)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Small runs in one process or several: python sharing.py FOLDER DEVICES CASES [STOP_AFTER]."""

import sys
from pathlib import Path

import numpy as np

from vaekit.data import RawData
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Linear
from vaekit.tasks import Composition, DataSpec, Run, prepare_data, resume_run, start_run
from vaekit.training import Adam, Callback, Processes, Training

CASES = {
    "shared": (Gaussian(scale="shared"), ELBO(beta=Linear()), "none"),
    "optimal": (Gaussian(scale="optimal"), ELBO(free_bits=0.3), "none"),
    "dynamic": (Bernoulli(), ELBO(), "dynamic"),
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
    return RawData(np.minimum(shapes[rng.integers(0, 4, 69)] + noise, 255).astype(np.uint8))


def main(folder, devices, cases, stop=None):
    processes = Processes(accelerator="cpu", devices=int(devices)).launch()
    for case in cases.split(","):
        train(Path(folder) / case, case, processes, stop)


def train(folder, case, processes, stop):
    likelihood, objective, binarise = CASES[case]
    callbacks = [] if stop is None else [StopAfter(int(stop))]
    data = DataSpec(binarise=binarise, validation=0.06, test=0.0)
    composition = Composition(
        FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), likelihood=likelihood),
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

"""Train in child processes that are killed at random moments and resumed until they are done.

Run as a program: ``python killing.py FOLDER CASE SEED KILLS``. It prints one JSON object: the step
of the checkpoint that each kill left behind, and for each run that was brought to its end in spite
of them whether weights, history and names of files are those of the uninterrupted run. The program
imports torch once and forks a child for each attempt, so that a kill costs milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import lightning_fabric  # noqa: F401  a child that imports it is mostly killed while it does
import torch

from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Cosine, Linear
from vaekit.tasks import Composition, DataSpec, Prepared, Run, prepare_data, train_run
from vaekit.training import CHECKPOINT, HISTORY, Adam, PolicySpec, Training, read_history
from vaekit.training.checkpoint import load_checkpoint

SPEED = PolicySpec(precision="32-true", compile="off", threads=1)


def case(name: str) -> Run:
    """The runs to kill: plain, with everything that has a state, and with random data."""
    training = Training(epochs=4, batch_size=200, checkpoint_seconds=0.0, speed=SPEED)
    network = MLP(hidden=(16,))
    if name == "plain":
        model = FlatVAE(encoder=network, likelihood=Gaussian(scale=1.0))
        return Run(DataSpec(), Composition(model, ELBO(), training))
    if name == "stateful":
        model = FlatVAE(encoder=network, likelihood=Gaussian(scale="optimal"))
        training = training.replace(
            average=0.9, lr_schedule=Cosine(warm_up=0.2), optimizer=Adam(lr=3e-3), clip=1.0
        )
        return Run(DataSpec(), Composition(model, ELBO(beta=Linear(over=0.8)), training))
    model = FlatVAE(encoder=network, likelihood=Bernoulli())
    return Run(DataSpec(binarise="dynamic"), Composition(model, ELBO(), training))


def start(run: Run, folder: Path, prepared: Prepared) -> int:
    """A child process that trains (on) to the end; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        train_run(run, folder, prepared=prepared)
        code = 0
    finally:
        os._exit(code)


def ended(child: int, after: float) -> int | None:
    """The exit status of a child within this time, else None."""
    until = time.monotonic() + after
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.001)


def kill_until_done(
    run: Run, folder: Path, prepared: Prepared, *, draw: random.Random, longest: float
) -> list[int]:
    """Kill and resume; the step of the checkpoint that each kill left (-1 for none)."""
    found = []
    while True:
        child = start(run, folder, prepared)
        status = ended(child, after=draw.uniform(0.0, longest))
        if status is None:
            os.kill(child, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return found
        if status != -signal.SIGKILL:
            raise SystemExit(f"a child failed with status {status}")
        path = folder / CHECKPOINT
        found.append(load_checkpoint(path)[1]["step"] if path.exists() else -1)


def outcome(folder: Path) -> tuple[bytes, list[dict[str, object]], list[str]]:
    """What must not depend on how often a run was stopped."""
    records = [
        {name: value for name, value in record.items() if not name.endswith("seconds")}
        for record in read_history(folder / HISTORY)
    ]
    files = sorted(path.name for path in folder.iterdir())
    return (folder / "weights.safetensors").read_bytes(), records, files


def main(folder: Path, name: str, seed: int, enough: int) -> None:
    """Compare a run that is killed with one that is not."""
    run = case(name)
    prepared = prepare_data(run.data)
    begun = time.monotonic()
    if ended(start(run, folder / "whole", prepared), after=120.0) != 0:
        raise SystemExit("the uninterrupted run failed")
    longest = 0.5 * (time.monotonic() - begun)
    whole, draw, steps, same = outcome(folder / "whole"), random.Random(seed), [], []
    while len(steps) < enough:
        killed = folder / f"killed-{len(steps)}"
        steps += kill_until_done(run, killed, prepared, draw=draw, longest=longest)
        same.append([one == other for one, other in zip(whole, outcome(killed), strict=True)])
    print(json.dumps({"steps": steps, "same": same}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

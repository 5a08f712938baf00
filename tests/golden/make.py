"""Make the artifact that later versions must still read: ``python tests/golden/make.py``.

Run it only when a new file format is introduced, and then into a new folder: the folders that are
here stay as they were written.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from vaekit.artifacts import load
from vaekit.data import load as load_data
from vaekit.likelihoods import Bernoulli
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, Run, start_run
from vaekit.training import Training

HERE = Path(__file__).resolve().parent
FILES = ("model.json", "weights.safetensors", "codec.json", "history.jsonl")
ROWS = 3


def run():
    """A run whose artifact is a few kilobytes."""
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(4,)), likelihood=Bernoulli())
    return Run(DataSpec(source="digits"), Composition(model, ELBO(), Training(epochs=3)))


def outputs(artifact, images):
    """What the model says about raw images, as nested lists."""
    x = artifact.codec.to_model(artifact.codec.encode(images))
    with torch.no_grad():
        q = artifact.model.encode(x)
        px = artifact.model.decode(q.mean)
        found = {
            "mean": q.mean,
            "scale": q.stddev,
            "reconstruction": px.mean,
            "log_prob": px.log_prob(x),
        }
    return {name: value.double().tolist() for name, value in found.items()}


def main():
    """Train, keep the files of the artifact, write down what it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "format-1")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        start_run(run(), Path(scratch) / "run")
        for name in FILES:
            shutil.copy(Path(scratch) / "run" / name, folder / name)
    images = np.asarray(load_data("digits").x[:ROWS])
    expected = {"images": images.tolist(), **outputs(load(folder), images)}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()

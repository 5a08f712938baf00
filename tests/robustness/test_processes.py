"""Several processes train as one: the same loss curve, and checkpoints that either continues."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vaekit.artifacts import load
from vaekit.training import read_history

SCRIPT = Path(__file__).with_name("sharing.py")
CASES = ("shared", "optimal", "dynamic", "labels")
COLUMNS = ("loss", "distortion", "rate", "valid_loss", "valid_elbo", "gradient_norm")
SECONDS = 200


def run(*command, fails=False):
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done.stdout


def train(folder, devices, cases, *more, fails=False):
    run(sys.executable, SCRIPT, folder, devices, ",".join(cases), *more, fails=fails)
    return folder


def curve(folder):
    return [[record[c] for c in COLUMNS] for record in read_history(folder / "history.jsonl")]


def assert_the_same_run(one, other):
    assert len(curve(one)) == len(curve(other)) == 4
    for found, expected in zip(curve(one), curve(other), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-4, atol=1e-5)


def weights(folder):
    return torch.cat([w.flatten() for w in load(folder).model.state_dict().values()])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """All cases in one process."""
    return train(tmp_path_factory.mktemp("alone"), 1, CASES)


def test_two_processes_make_the_loss_curve_of_one(alone, tmp_path):
    """With a learned σ and a rising β, batch statistics, data drawn anew, and few labels."""
    train(tmp_path, 2, CASES)
    for case in CASES:
        assert_the_same_run(tmp_path / case, alone / case)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_checkpoint_of_one_number_of_processes_resumes_on_another(
    alone, tmp_path, before, after
):
    train(tmp_path, before, ["optimal"], 13, fails=True)
    assert len(curve(tmp_path / "optimal")) == 1
    train(tmp_path, after, ["optimal"])
    assert_the_same_run(tmp_path / "optimal", alone / "optimal")


def test_two_processes_through_the_command_line(tmp_path):
    command = [Path(sys.executable).with_name("vaekit"), "train", "digits", "--epochs", "1"]
    command += ["--samples", "2", "--accelerator", "cpu", "--devices", "2"]
    out = run(*command, "--out", tmp_path / "run", "--json")
    assert out.count("{") == 1, "only the first process speaks"
    assert (tmp_path / "run" / "report.html").is_file()

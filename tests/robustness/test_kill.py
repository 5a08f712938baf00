"""kill -9 at random moments: whatever was left is resumed to the end of the uninterrupted run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaekit.training import CHECKPOINT, HISTORY, read_history
from vaekit.training.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
KILLS = 7
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
LAST_STEP = 32

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")


@pytest.mark.parametrize("name", ["plain", "stateful", "dynamic"])
def test_random_kills_do_not_change_the_result(name, tmp_path):
    """Three cases, at least seven kills in each."""
    program = [sys.executable, str(Path(__file__).parent / "killing.py")]
    done = subprocess.run(
        [*program, str(tmp_path), name, "0", str(KILLS)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["steps"]) >= KILLS
    in_the_middle = {step for step in found["steps"] if 0 < step < LAST_STEP}
    assert len(in_the_middle) >= 2, f"the kills all landed at an end: {found['steps']}"
    assert found["same"]
    assert all(same == [True, True, True] for same in found["same"]), found


def vaekit(*words, **options):
    program = [sys.executable, "-c", "from vaekit.cli import main; main()", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        program, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True, **options
    )


def wait_for_step(process, folder, step):
    """Until the checkpoint has come this far; the process must still be running."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[1]
        path = folder / CHECKPOINT
        if path.exists() and load_checkpoint(path)[1]["step"] >= step:
            return
        time.sleep(0.005)
    pytest.fail("the run did not get anywhere")


def without_seconds(folder):
    return [
        {name: value for name, value in record.items() if not name.endswith("seconds")}
        for record in read_history(folder / HISTORY)
    ]


@pytest.mark.slow
def test_the_command_survives_kill_and_ctrl_c(tmp_path):
    """Killed, resumed, interrupted, resumed: the model is that of the run nobody disturbed."""
    words = ["train", "digits", "--hidden", "8", "--epochs", "8", "--samples", "2"]
    words += ["--set", "training.checkpoint_seconds=0", "--set", "training.speed.compile=off"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    undisturbed = vaekit(*words, "--out", whole)
    first = vaekit(*words, "--out", broken)
    wait_for_step(first, broken, 5)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert not (broken / "model.json").exists()
    second = vaekit("train", "--resume", broken)
    wait_for_step(second, broken, load_checkpoint(broken / CHECKPOINT)[1]["step"] + 20)
    second.send_signal(signal.SIGINT)
    _, text = second.communicate(timeout=120)
    assert second.returncode == 130, text
    assert "continue with: vaekit train --resume" in text
    assert not (broken / "model.json").exists()
    third = vaekit("train", "--resume", broken)
    assert [process.communicate(timeout=300)[1] for process in (undisturbed, third)]
    assert (undisturbed.returncode, third.returncode) == (0, 0)
    assert without_seconds(broken) == without_seconds(whole)
    names = ["weights.safetensors", "model.json", "codec.json"]
    for name in names:
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(broken.glob(".*tmp*"))

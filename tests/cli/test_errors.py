"""What users get wrong: a message that helps, no traceback, an honest exit code."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import vaekit.cli.train
from vaekit import cli
from vaekit.artifacts import load
from vaekit.training import CHECKPOINT, Callback

SOURCE = Path(cli.__file__).parents[2]
FAST = ("--hidden", "8", "--samples", "2")


def shell(*words, cwd=None, **kwargs):
    """A real process, as users start it."""
    code = "import sys; from vaekit.cli import main; sys.argv[0] = 'vaekit'; main()"
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=cwd,
        **kwargs,
    )


@pytest.fixture
def refused(vaekit, tmp_path, monkeypatch):
    """A command that must fail with a code, a message, and one JSON object where asked."""
    monkeypatch.chdir(tmp_path)

    def check(*words, code=2, says):
        result = vaekit(*words, "--json")
        assert result.exit_code == code, result.stderr
        assert "Traceback" not in result.output
        for text in says if isinstance(says, tuple) else (says,):
            assert text in result.stderr
        error = json.loads(result.stdout)
        assert error["error"].endswith("Error")
        assert error["message"] in result.stderr

    return check


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no data"),
        (["--latent-dim", "0"], ("latent_dim", "between 1 and 65536", "got 0")),
        (["--epochs", "0"], ("training/loop.epochs", "between 1", "got 0")),
        (["--batch-size", "0"], ("batch_size", "got 0")),
        (["--lr", "-1"], ("optimizer/adam.lr", "got -1")),
        (["--lr", "nan"], ("optimizer/adam.lr", "not a finite number")),
        (["--seed", "-3"], ("seed", "got -3")),
        (["--patience", "0"], ("patience", "got 0")),
        (["--hidden", "abc"], ("network/mlp.hidden[0]", "wrong type", "'abc'")),
        (["--hidden", "8,-1"], ("network/mlp.hidden[1]", "got -1")),
        (["--hidden", "1000000000"], ("network/mlp.hidden[0]", "between 1 and 65536")),
        (["--beta", "-1"], ("objective/elbo.beta", "-1")),
        (["--beta", "lots"], ("unknown schedule 'lots'",)),
        (["--likelihood", "gausian"], "Did you mean 'gaussian'"),
        (["--likelihood", "categorical"], "likelihood/categorical needs categories"),
        (["--likelihood", "categorical:categories=5"], ("row ", "outside the support", "codes")),
        (["--likelihood", "gaussian:sale=1"], "Did you mean 'scale'"),
        (["--likelihood", "gaussian:scale"], "is not field=value"),
        (["--likelihood", "gaussian:scale=-1"], "likelihood/gaussian.scale"),
        (["--recipe", "betavae"], "Did you mean 'beta-vae'"),
        (["--recipe", "conditional-vae"], "--context labels"),
        (["--recipe", "linear-vae", "--hidden", "8"], "unknown setting"),
        (["--recipe", "autoencoder", "--beta", "2"], ("unknown setting 'beta'", "contraction")),
        (["--context", "colour"], "context= does not apply"),
        (["--label", "kind"], "label= does not apply to this source"),
        (["--set", "epochs"], ("--set: not a setting", "expected key=value")),
        (["--set", "=3"], "not a setting"),
        (["--set", "likelihod=bernoulli"], "Did you mean 'likelihood'"),
        (["--set", "epoch=3"], "Did you mean 'epochs'"),
        (["--set", "training.epoch=3"], "Did you mean 'epochs'"),
        (["--set", "likelihood.sclae=1"], "Did you mean 'scale'"),
        (["--set", "data.paddng=1"], "Did you mean 'padding'"),
        (["--set", "data.test=2"], "between 0 and 0.9"),
        (["--set", "data.binarise=often"], "not one of the choices"),
        (["--set", "replace=1"], "unknown setting 'replace'"),
        (["--set", "latent_dim.x=1"], "has no settings of its own"),
        (["--set", "encoder=conv:kernel=2"], "an odd number"),
        (["--set", "training.optimizer=sdg"], "unknown optimizer 'sdg'"),
    ],
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "",
)
def test_train_with_words_that_make_no_sense(refused, words, says):
    data = ["digits"] if words else []
    refused("train", *data, *words, says=says)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "nothing/here.npz"], ("nothing/here.npz", "path not found", "Known sources")),
        (["train", "digit"], "Did you mean 'digits'"),
        (["train", "empty"], "empty"),
        (["train", "thing.txt"], ("thing.txt", "this sort of file is not read", ".npz")),
        (["train", "digits", "--resume", "here"], "--resume continues a run as it was begun"),
        (["train", "--resume", "here", "--epochs", "9"], "--resume continues a run as it was"),
        (["train", "--resume", "here", "--lr", "1"], "--resume continues a run as it was begun"),
        (["train", "--resume", "here", "--seeds", "1"], "--resume continues a run as it was"),
        (["train", "digits", "--seeds", "1,x"], "different whole numbers by comma"),
        (["train", "digits", "--seeds", "1,1"], "different whole numbers by comma"),
        (["train", "digits", "--seeds", "1", "--seed", "2"], "exclude each other"),
        (["train", "--resume", "here"], "run.json: no such file"),
        (["evaluate", "here"], ("run.json: no such file", "Is this a vaekit run folder")),
        (["sample", "here"], "no model here"),
        (["encode", "here"], "no model here"),
        (["reconstruct", "here"], "no model here"),
        (["inspect", "here"], "no model here"),
        (["compare", "here"], "no such file"),
        (["compare", "here", "--baselines", "pac"], "Did you mean 'pca'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_places_where_nothing_is(refused, words, says):
    Path("empty").mkdir()
    Path("thing.txt").write_text("words")
    refused(*words, says=says)


@pytest.mark.parametrize(
    "words",
    [
        ["train", "digits", "--epochs", "many"],
        ["train", "digits", "--samples", "0"],
        ["train", "digits", "--colour", "red"],
        ["evaluate"],
        ["evaluate", "run", "--samples", "0"],
        ["evaluate", "run", "--seed", "-1"],
        ["sample", "run", "-n", "0"],
        ["compare"],
        ["trian", "digits"],
    ],
    ids=" ".join,
)
def test_words_of_the_wrong_form(vaekit, words):
    result = vaekit(*words)
    assert result.exit_code == 2
    assert "Usage" in result.stderr
    assert result.stdout == ""


def test_files_that_cannot_be_written(refused, trained, table, conditional, tmp_path):
    folder, _ = trained
    refused("encode", folder, "--out", tmp_path / "a.txt", says=("--out", ".csv or .parquet"))
    refused("sample", folder, "--out", tmp_path / "a.csv", says="cannot write this as such")
    refused("sample", folder, "--label", "3", says="this model is not conditional")
    refused("sample", table[1], "--out", tmp_path / "a.png", says="only images")
    refused("compare", folder, "--baselines", "", "--out", tmp_path / "a.md", says="is a folder")
    (tmp_path / "file").write_text("")
    refused("sample", folder, "--out", tmp_path / "file" / "a.npz", code=1, says="file")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_data_that_does_not_fit_the_model(refused, trained, table, tmp_path):
    folder, _ = trained
    np.savez(tmp_path / "other.npz", x=np.zeros((5, 9, 9), np.uint8))
    for command in ("evaluate", "encode", "reconstruct"):
        refused(command, folder, tmp_path / "other.npz", says="images of another shape")
    (tmp_path / "other.csv").write_text("length,wdth,kind\n1,2,k0\n")
    refused("evaluate", table[1], tmp_path / "other.csv", says="wdth")


def test_columns_are_found_by_their_names(answer, table, tmp_path):
    path, folder, _ = table
    lines = [line.split(",") for line in path.read_text().splitlines()]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("\n".join(f"{b},{c},{a},{c}-note" for a, b, c in lines) + "\n")
    found = [answer("evaluate", folder, file, "--samples", "2") for file in (path, swapped)]
    assert found[0]["mse"] == found[1]["mse"]
    assert found[0]["elbo"] == found[1]["elbo"]


# --- what goes wrong on the way -----------------------------------------------------------------


def test_a_loss_that_is_no_number(vaekit, tmp_path):
    words = ("--lr", "1000", "--likelihood", "gaussian:scale=1", "--epochs", "3")
    result = vaekit("train", "digits", *FAST, *words, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 1
    assert "the loss is no longer a finite number" in result.stderr
    assert "clip gradients (--set training.clip=1)" in result.stderr
    assert json.loads(result.stdout)["error"] == "NumericalError"
    artifact = load(tmp_path / "run")  # refuses weights that are not finite
    assert artifact.provenance["diverged"] is True
    assert vaekit("evaluate", tmp_path / "run", "--samples", "2").exit_code == 0


class Interrupt(Callback):
    def on_step(self, *, step):
        if step == 30:
            raise KeyboardInterrupt


def test_control_c_and_resume(vaekit, answer, tmp_path, monkeypatch):
    words = ("train", "digits", *FAST, "--epochs", "2", "--out")
    straight = answer(*words, tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(vaekit_train(), "_callbacks", lambda *_: [Interrupt()])
        result = vaekit(*words, tmp_path / "cut")
    assert result.exit_code == 130
    assert "--resume" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "cut" / "model.json").exists()
    resumed = answer("train", "--resume", tmp_path / "cut", "--samples", "2")
    files = [tmp_path / name / "weights.safetensors" for name in ("straight", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert resumed["elbo"] == straight["elbo"]


def vaekit_train():
    return sys.modules[vaekit.cli.train.__module__]


def test_a_real_control_c(tmp_path):
    process = shell("train", "digits", *FAST, "--epochs", "100000", "--out", "run", cwd=tmp_path)
    history = tmp_path / "run" / "history.jsonl"
    deadline = time.monotonic() + 60
    while not history.is_file() or not history.read_bytes():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted; continue with: vaekit train --resume" in err
    assert "Traceback" not in err
    assert (tmp_path / "run" / CHECKPOINT).is_file()


def test_a_real_process_prints_one_object_and_logs_elsewhere(tmp_path):
    process = shell("train", "digits", *FAST, "--epochs", "1", "--json", cwd=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    said = json.loads(out)
    assert (tmp_path / said["report"]).is_file()
    assert (tmp_path / "runs" / "latest" / "report.html").is_file()
    assert Path(said["run"]).name.startswith("digits-vae-")
    assert "epoch   1" in err


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_checkpoint(vaekit, tmp_path, monkeypatch, broken):
    words = ("--epochs", "4", "--set", "training.checkpoint_seconds=0", "--out", tmp_path / "run")
    checkpoint, kept = tmp_path / "run" / CHECKPOINT, []

    def full(real):
        def call(*args):
            if checkpoint.exists() and len(json_lines(tmp_path / "run" / "history.jsonl")) == 2:
                kept.append(checkpoint.read_bytes())
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(checkpoint))
            return real(*args)

        return call

    with monkeypatch.context() as patch:
        if broken == "fsync":
            patch.setattr(os, "fsync", full(os.fsync))
        else:
            patch.setattr(Path, "replace", full(Path.replace))
        result = vaekit("train", "digits", *FAST, *words, "--json")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert json.loads(result.stdout)["message"].startswith("No space left on device")
    assert kept
    assert checkpoint.read_bytes() == kept[0]
    assert not list((tmp_path / "run").glob(".*"))
    resumed = vaekit("train", "--resume", tmp_path / "run", "--samples", "2")
    assert resumed.exit_code == 0, resumed.stderr
    assert [r["epoch"] for r in load(tmp_path / "run").history] == [1, 2, 3, 4]


def json_lines(path):
    return path.read_text().splitlines() if path.exists() else []


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from vaekit.cli import main
sys.argv[0] = "vaekit"
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_disk_that_takes_no_large_file(tmp_path):
    """The limit strikes inside the writer of safetensors, which reports it in words of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "train", "digits", "--epochs", "1", "--out", "run"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"error: {os.strerror(errno.EFBIG)}: run/{CHECKPOINT}" in done.stderr
    assert not list((tmp_path / "run").glob("*.safetensors"))

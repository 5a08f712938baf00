"""Each benchmark runs in its small form without the peers, and its machinery does what it says."""

import argparse
import fcntl
import importlib
import json
import math
import subprocess
import sys
import time

import pytest
import torch
from benchmarks import harness, startup, train_mlp
from benchmarks.harness import Contestant
from benchmarks.ours import as_vaekit, loss_of_vaekit
from benchmarks.plain import Net, Products, mean_loss
from benchmarks.profile_step import kind_of
from benchmarks.report import Report

RACES = {
    "train_mlp": ("epochs", "steady epoch (s)"),
    "train_conv": ("steps", "step (s)"),
    "likelihood": ("scores", "ms an image"),
    "score_rows": ("rows", "encoded rows/s"),
    "test_set": ("test_set", "seconds"),
}


def run(name, folder, *words):
    """The results of a benchmark's small form, without peers."""
    module = importlib.import_module(f"benchmarks.{name}")
    module.main(["--small", "--no-peers", "--out", str(folder), *words])
    page = (folder / f"{name}.md").read_text()
    assert str(folder) not in page
    return json.loads((folder / f"{name}.json").read_text()), page


@pytest.mark.parametrize("name", RACES)
def test_small_form_without_peers(name, tmp_path):
    results, page = run(name, tmp_path)
    table, column = RACES[name]
    everybody = importlib.import_module(f"benchmarks.{name}").CONTESTANTS
    rows = {row["contestant"]: row for row in results[table]}
    for contestant, entry in everybody.items():
        if entry.slow:
            continue
        if entry.needs is None:
            assert rows[contestant][column] > 0
            assert results["runs"][contestant]
        else:
            assert rows[f"{contestant} (left out)"][column] is None
            assert results["runs"][contestant] == "left out"
            assert f"{contestant} (left out)" in page
    assert results["threads"] >= 1
    assert results["versions"]["torch"] == torch.__version__


def test_startup(tmp_path):
    results, _ = run("startup", tmp_path, "--only", "python, nothing else", "vaekit --help")
    took = {row["command"]: row["median (s)"] for row in results["seconds"]}
    assert 0 < took["python, nothing else"] < took["vaekit --help"]


def test_first_step_ends_the_process_after_a_step():
    command = startup.COMMANDS["vaekit train digits: first step, eager"]
    assert startup.seconds(command, "") > 0


def test_profile(tmp_path, capsys):
    module = importlib.import_module("benchmarks.profile_step")
    module.main(["--small", "--out", str(tmp_path)])
    results = json.loads((tmp_path / "profile_step.json").read_text())
    shares = [row["% of the profiled step"] for row in results["kinds"]]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert results["kinds"][0]["calls a step"] >= 17  # 6 forward, 11 backward
    assert "matrix products" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mm", "matrix products"),
        ("aten::mul", "element-wise and the rest"),
        ("Optimizer.step#Adam.step", "optimiser"),
        ("autograd::engine::evaluate_function: AddmmBackward0", "autograd's nodes"),
    ],
)
def test_kinds_of_operations(operation, kind):
    assert kind_of(operation) == kind


# --- the machinery ----------------------------------------------------------------------------


def options(**changes):
    return argparse.Namespace(
        **{"rounds": 2, "small": False, "no_peers": False, "only": None, **changes}
    )


def test_contestants_take_turns(monkeypatch):
    order = []
    monkeypatch.setattr(
        harness, "run_child", lambda module, name, settings: order.append(name) or {"s": 1.0}
    )
    entries = {"a": Contestant(dict), "b": Contestant(dict)}
    outcomes = harness.race("none", entries, {}, options(rounds=3))
    assert order == ["a", "b"] * 3
    assert outcomes["a"].values("s") == [1.0] * 3


def test_a_child_measures_and_reports():
    settings = {"rows": 64, "seed": 0}
    found = harness.run_child("score_rows", "plain loop", settings)
    assert found["encode"] > 0
    assert found["threads"] >= 1


def test_a_child_that_fails_does_not_end_the_race(capsys):
    entries = {"nobody": Contestant(dict)}
    outcomes = harness.race("startup", entries, {}, options(rounds=2))
    assert outcomes["nobody"].absent.startswith("failed: AttributeError")
    assert outcomes["nobody"].median("seconds") is None
    assert "no attribute 'CONTESTANTS'" in capsys.readouterr().err


SLEEPER = """
import fcntl, subprocess, sys, time, types
from benchmarks import harness

def sleep(settings):
    lock = open("lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    subprocess.Popen(["sleep", "600"], pass_fds=[lock.fileno()])
    open("asleep", "w").close()
    time.sleep(600)

contestants = {"sleeper": harness.Contestant(sleep)}
sys.modules["benchmarks.sleeper"] = types.SimpleNamespace(CONTESTANTS=contestants)
harness.main(["sleeper", "sleeper", "."])
"""
PARENT = """
import pathlib, sys
from benchmarks import harness

harness.LONGEST = float(sys.argv[2])
harness._run_group([sys.executable, "-c", sys.argv[1]], pathlib.Path())
"""


@pytest.mark.parametrize("longest", ["600", "8"], ids=["killed", "too slow"])
def test_what_a_child_started_ends_with_the_parent_and_the_limit(longest, tmp_path):
    """The lock of the child and of its own child becomes free when both have ended."""
    (tmp_path / "settings.json").write_text("{}")
    command = [sys.executable, "-c", PARENT, SLEEPER, longest]
    with subprocess.Popen(
        command, cwd=tmp_path, env=harness.environment(""), stderr=subprocess.DEVNULL
    ) as parent:
        await_that((tmp_path / "asleep").exists)
        if longest == "600":
            parent.kill()
    with (tmp_path / "lock").open() as lock:
        await_that(lambda: is_free(lock))


def await_that(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_free(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_peer_that_is_not_installed_has_an_empty_row():
    entries = {"peer": Contestant(dict, needs="no_such_module")}
    outcomes = harness.race("none", entries, {}, options())
    assert outcomes["peer"].absent == "not installed"
    assert harness.label("peer", outcomes["peer"]) == "peer (not installed)"


def test_an_unknown_contestant_is_refused():
    with pytest.raises(SystemExit, match="no contestant \\['fast'\\]"):
        harness.select(train_mlp.CONTESTANTS, options(only=["fast"]))


def test_paths_stay_out_of_the_command():
    words = ["--data", "/here/x.npz", "--rounds", "3", "--only", "vaekit, eager"]
    report = Report("train_mlp", title="", words=words)
    expected = 'python -m benchmarks.train_mlp --rounds 3 --only "vaekit, eager"'
    assert report.facts["command"] == expected


def test_the_limit_makes_the_products_of_a_step():
    net, rows = Net(12, hidden=(7, 5), latent=3), 4
    products = Products(net, rows)
    before = products.weights.clone()
    products.weights.grad.fill_(math.nan)
    products.step()
    linears = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    weights = sum(m.weight.numel() for m in linears)
    assert products.weights.grad[:weights].isfinite().all()  # each weight's gradient was written
    assert products.weights.grad[weights:].isnan().all()  # biases have none
    shapes = sorted(tuple(layer["weight"].shape) for chain in products.chains for layer in chain)
    assert shapes == sorted(tuple(m.weight.shape) for m in linears)
    assert torch.equal(products.weights[:weights], before[:weights])  # the rate is 0


@pytest.mark.parametrize("bernoulli", [True, False])
def test_everybody_is_measured_by_the_same_formula(bernoulli):
    net = Net(6, hidden=(8,), latent=2, bound=10.0, bernoulli=bernoulli)
    x = torch.rand(5_000, 6)
    plain = mean_loss(net.posterior, net.mean, x, bernoulli=bernoulli)
    assert float(net.loss(x).detach()) == pytest.approx(plain, rel=0.02)  # other draws
    model = as_vaekit(net)
    assert loss_of_vaekit(model, x, bernoulli=bernoulli) == pytest.approx(plain, rel=1e-5)
    constant = 0 if bernoulli else 3 * math.log(2 * math.pi)
    bound = -float(model.evidence(x).elbo.mean().detach()) - constant
    assert bound == pytest.approx(plain, rel=0.02)

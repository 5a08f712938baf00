"""Runs that the tests of the command line share."""

import json

import pytest
from typer.testing import CliRunner

from vaekit.cli import app

QUICK = ("--hidden", "8", "--epochs", "1", "--samples", "5")


def invoke(*words):
    """A command in this process; tracebacks are failures of the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="session")
def vaekit():
    return invoke


@pytest.fixture(scope="session")
def answer():
    """A command with --json: the one object on its standard output."""

    def ask(*words, code=0):
        result = invoke(*words, "--json")
        assert result.exit_code == code, result.stderr
        assert result.stdout.count("\n") == 1
        value = json.loads(result.stdout)
        assert isinstance(value, dict)
        return value

    return ask


@pytest.fixture(scope="session")
def trained(tmp_path_factory, answer):
    """A run on digits and what the command said."""
    folder = tmp_path_factory.mktemp("cli") / "digits run"
    said = answer("train", "digits", *QUICK, "--likelihood", "bernoulli", "--out", folder)
    return folder, said


@pytest.fixture(scope="session")
def conditional(tmp_path_factory, answer):
    """A run on digits that reads the label."""
    folder = tmp_path_factory.mktemp("cli") / "conditional"
    words = ("--recipe", "conditional-vae", "--context", "labels", "--latent-dim", "3")
    answer("train", "digits", *QUICK, *words, "--out", folder)
    return folder


@pytest.fixture(scope="session")
def table(tmp_path_factory, answer):
    """A CSV file, and a run on it with a code of one number."""
    folder = tmp_path_factory.mktemp("cli")
    path = folder / "flowers.csv"
    rows = ["length,width,kind"]
    rows += [
        f"{i % 7 + 0.1 * (i % 3):.1f},{i % 5 - 0.2 * (i % 4):.1f},k{i % 2}" for i in range(80)
    ]
    path.write_text("\n".join(rows) + "\n")
    words = ("--label", "kind", "--latent-dim", "1")
    said = answer("train", path, *QUICK, *words, "--out", folder / "run")
    return path, folder / "run", said

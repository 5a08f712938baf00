"""``vaekit tune``: words in, a search and its best run out."""

import json
import sys

import pytest

from vaekit.tasks import open_run

QUICK = ("--epochs", "1", "--samples", "2", "--set", "encoder.hidden=8")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, answer):
    folder = tmp_path_factory.mktemp("tune") / "search"
    space = ("--space", "latent_dim=1..3", "--space", "likelihood.scale=shared|optimal")
    said = answer("tune", "digits", *QUICK, *space, "--trials", "2", "--out", folder)
    return folder, space, said


def test_what_a_search_leaves(tuned, answer):
    folder, _, said = tuned
    assert set(said["space"]) == {
        *("model.latent_dim", "training.optimizer.lr", "objective.beta", "model.likelihood.scale")
    }
    assert [trial["number"] for trial in said["trials"]] == [0, 1]
    assert said["report"] == str(folder / "report.html")
    trials = json.loads((folder / "trials.json").read_text())
    assert trials["trials"] == said["trials"]
    run, command = open_run(folder / "best")
    params = said["best"]["params"]
    assert run.composition.model.latent_dim == params["model.latent_dim"]
    assert run.composition.model.likelihood.scale == params["model.likelihood.scale"]
    assert run.composition.model.encoder.hidden == (8,)
    assert said["run"]["n"] == 180
    assert answer("evaluate", folder / "best", "--samples", "2")["elbo"] == said["run"]["elbo"]
    assert command.split()[0] == "vaekit"


def test_the_same_command_goes_on(tuned, answer):
    folder, space, said = tuned
    more = answer("tune", "digits", *QUICK, *space, "--trials", "3", "--out", folder)
    assert more["trials"][:2] == said["trials"]
    assert len(more["trials"]) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--space", "latent_dim"], "not a part of the space"),
        (["--space", "data.test=0.1..0.2"], "not a part of the space"),
        (["--space", "latent_dim=3"], "neither a range nor a choice"),
        (["--space", "latent_din=1..3"], ("--space", "Did you mean 'latent_dim'")),
        (["--space", "beta=1..2", "--set", "objective.beta=1"], "both --set and --space"),
        (["--metric", "rate"], "no metric that can be best"),
        (["--recipe", "autoencoder", "--metric", "elbo"], "no density, so no elbo"),
        (["--storage", "nosuch://me:secret@host/db"], "nosuch://me:***@host/db"),
        (["--storage", "nosuch://me@host/db?password=secret"], "nosuch://me@host/db?password=***"),
        (["--metric", "frechet"], "compares samples by features"),
        (["--metric", "label_accuracy"], ("no classifier of its own", "semi-supervised-vae")),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_words_that_make_no_sense(vaekit, words, says, tmp_path):
    result = vaekit("tune", "digits", *words, "--trials", "1", "--out", tmp_path / "new")
    assert result.exit_code == 2
    for text in [says] if isinstance(says, str) else says:
        assert text in result.stderr
    assert "secret" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_password_is_not_written_down(answer, tmp_path, monkeypatch):
    database = f"sqlite:///file:{tmp_path / 'study.db'}?uri=true&mode=rwc&password=secret"
    words = ("tune", "digits", *QUICK, "--trials", "1", "--out", str(tmp_path / "search"))
    words = (*words, "--storage", database, "--study", "one")
    monkeypatch.setattr(sys, "argv", ["vaekit", *words])
    answer(*words)
    assert "password=***" in open_run(tmp_path / "search" / "best")[1]
    for path in (tmp_path / "search").rglob("*.*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path
    assert "password=***" in (tmp_path / "search" / "report.html").read_text()


def test_without_optuna(vaekit, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = vaekit("tune", "digits", "--out", tmp_path / "new")
    assert result.exit_code == 2
    assert "pip install 'vaekit[tune]'" in result.stderr

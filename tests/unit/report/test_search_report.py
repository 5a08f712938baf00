"""The page of a search."""

import dataclasses
import json

import pytest

from vaekit.metrics import MEASURES
from vaekit.report import report_search
from vaekit.tasks import Run
from vaekit.tasks.tuning import Choice, Range, TrialRow, Tuned

SPACE = {
    "training.optimizer.lr": Range(1e-3, 1.0, log=True),
    "model.encoder.hidden": Choice(("8", "8,4")),
}


def row(number, state, value, hidden="8"):
    params = {"training.optimizer.lr": 10.0 ** -(number % 4), "model.encoder.hidden": hidden}
    return TrialRow(number, state, value, params, epochs=3, seconds=1.26)


ROWS = [
    row(0, "complete", -3.0),
    row(1, "pruned", -9.0),
    row(2, "complete", -1.25, hidden="8,4"),
    row(3, "diverged", None),
]


def tuned(importances=()):
    return Tuned(MEASURES[0], SPACE, ROWS, dict(importances), ROWS[2], Run())


@pytest.mark.parametrize("importances", [{}, {"training.optimizer.lr": 1.0}], ids=len)
def test_page(tmp_path, importances):
    page = report_search(tuned(importances), tmp_path, title="digits, tuned", commands=["again"])
    text = page.read_text()
    assert "4 trials, 2 to their end; ELBO (nats) on the validation rows" in text
    assert "first trial −3" in text
    assert '<td class="best num">−1.25</td>' in text
    assert "0.001..1:log" in text
    assert "Comparison" not in text  # of one metric, which is on the card
    assert "Remarks" not in text
    assert text.count("data:image/png;base64,") == (3 if importances else 2)
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {"history", "slices", *(["importances"] if importances else [])}


def test_what_must_be_known_is_among_the_remarks(tmp_path):
    found = dataclasses.replace(tuned(), notes=("no trial is pruned: as it is",))
    text = report_search(found, tmp_path, title="t").read_text()
    assert "<h2>Remarks</h2><ul><li>no trial is pruned: as it is</li></ul>" in text


def test_trials_are_ranked(tmp_path):
    text = report_search(tuned(), tmp_path, title="t").read_text()
    table = text[text.index("<h2>Trials</h2>") :]
    states = [state for state in ("complete", "pruned", "diverged") if state in table]
    assert sorted(states, key=table.index) == ["complete", "pruned", "diverged"]
    assert table.index("−1.25") < table.index("−3<")
    found = json.loads((tmp_path / "trials.json").read_text())
    assert found["best"]["number"] == 2
    assert found["space"]["model.encoder.hidden"] == "8|8,4"
    assert [trial["state"] for trial in found["trials"]] == [trial.state for trial in ROWS]

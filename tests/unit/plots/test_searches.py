"""Pictures of a search."""

import numpy as np
import pytest

from vaekit.errors import DataError, ShapeError
from vaekit.plots import parameter_importances, parameter_slices, search_history


@pytest.mark.parametrize(
    ("better", "best"), [("higher", [1.0, 1.0, 4.0, 4.0]), ("lower", [1.0, 1.0, 1.0, 0.5])]
)
def test_the_best_so_far_comes_from_complete_trials(better, best):
    values, complete = (
        [1.0, -9.0 if better == "lower" else 9.0, 4.0, 0.5],
        [True, False, True, True],
    )
    ax = search_history(values, complete, better=better, ylabel="ELBO").axes[0]
    early, done, line = ax.lines
    assert list(early.get_xdata()) == [1]
    assert list(done.get_ydata()) == [1.0, 4.0, 0.5]
    assert list(line.get_ydata()) == best
    assert ax.get_ylabel() == "ELBO"


def test_very_poor_trials_do_not_press_the_others_together():
    ax = search_history([-1e9, -3.0, -2.0, -1.0, None], [True] * 5, better="higher").axes[0]
    low, high = ax.get_ylim()
    assert -1e9 < low < -3.0 < -1.0 < high
    assert "1 poor trial lies outside" in [text.get_text() for text in ax.texts]


def test_a_history_needs_a_complete_trial():
    with pytest.raises(DataError, match="no trial came to its end"):
        search_history([1.0, None], [False, True], better="higher")
    with pytest.raises(ShapeError, match="expected 1, got 2"):
        search_history([1.0], [True, True], better="higher")


def test_importances_are_sorted():
    ax = parameter_importances({"lr": 0.2, "beta": 0.7, "hidden": 0.1}).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [0.7, 0.2, 0.1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["beta", "lr", "hidden"]
    with pytest.raises(DataError, match="no importances"):
        parameter_importances({})


def test_slices():
    trials = [
        {"lr": 10.0**-n, "hidden": "8" if n % 2 else "8,4", "clip": n, "k": 1} for n in range(1, 5)
    ]
    values = [1.0, 3.0, 2.0, 2.5]
    picture = parameter_slices(trials, values, better="higher", logarithmic=["lr"])
    lr, hidden, clip, _ = picture.axes
    assert [ax.get_xlabel() for ax in picture.axes] == ["lr", "hidden", "clip", "k"]
    assert (lr.get_xscale(), clip.get_xscale()) == ("log", "linear")
    points = np.asarray(lr.collections[0].get_offsets())
    assert points[:, 0] == pytest.approx([0.1, 0.01, 0.001, 0.0001])
    assert [label.get_text() for label in hidden.get_xticklabels()] == ["8", "8,4"]
    assert list(np.asarray(hidden.collections[0].get_offsets())[:, 0]) == [0, 1, 0, 1]
    ring = lr.lines[0]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (pytest.approx(0.01), 3.0)
    with pytest.raises(ShapeError):
        parameter_slices(trials, [1.0], better="higher")

"""The plane of rate and distortion: which models the line joins, and where the diagonals lie."""

import numpy as np
import pytest

from vaekit.errors import DataError, ShapeError
from vaekit.plots import rate_distortion_plane, to_png

RATES, DISTORTIONS = [6.0, 0.0, 9.0, 5.0], [95.0, 100.0, 88.0, 90.0]


def test_the_line_joins_the_frontier_from_low_rate_to_high():
    figure = rate_distortion_plane(RATES, DISTORTIONS, labels=["a", "b", "c", "d"])
    ax = figure.axes[0]
    others, best = ax.lines[:2]
    np.testing.assert_array_equal(others.get_xydata(), [[6, 95]])
    np.testing.assert_array_equal(best.get_xydata(), [[0, 100], [5, 90], [9, 88]])
    assert [t.get_text() for t in ax.texts] == ["a", "b", "c", "d"]
    assert to_png(figure).startswith(b"\x89PNG")


def test_a_diagonal_has_one_elbo():
    diagonals = rate_distortion_plane(RATES, DISTORTIONS).axes[0].lines[2:]
    totals = [line.get_xy1()[1] for line in diagonals]
    assert {line.get_slope() for line in diagonals} == {-1}
    assert (min(totals), max(totals)) == (95, 101)


def test_wrong_inputs_are_refused():
    with pytest.raises(DataError, match="rates"):
        rate_distortion_plane([np.nan], [1.0])
    with pytest.raises(ShapeError, match="distortions"):
        rate_distortion_plane([1.0, 2.0], [1.0])
    with pytest.raises(ShapeError, match="one label for each model; expected 4, got 1"):
        rate_distortion_plane(RATES, DISTORTIONS, labels=["a"])

"""Panels of lines: what is drawn is what was given."""

import numpy as np
import pytest

from vaekit import plots
from vaekit.errors import DataError, ShapeError


def test_lines_are_the_values():
    ys = {"mse": {"a": [3.0, 2.0, 1.0], "b": [1.0, None, 4.0]}, "R²": {"b": [0.1, 0.2, 0.3]}}
    made = plots.panels([2, 4, 8], ys, xlabel="k")
    first, second = made.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [3, 2, 1])
    np.testing.assert_array_equal(first.lines[1].get_xdata(), [2, 8])
    np.testing.assert_array_equal(first.lines[1].get_ydata(), [1, 4])
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["a", "b"]
    assert [tick.get_text() for tick in second.get_xticklabels()] == ["2", "4", "8"]
    assert first.get_xlabel() == "k"


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="no panels to draw"):
        plots.panels([2], {})
    with pytest.raises(ShapeError, match="mse of a"):
        plots.panels([2, 4], {"mse": {"a": [1.0]}})
    with pytest.raises(DataError):
        plots.panels([2, np.nan], {"mse": {"a": [1.0, 2.0]}})

"""Curves and sweeps: lines hold the values, regimes and markers stand where they should."""

import numpy as np
import pytest

from vaekit.errors import DataError, ShapeError
from vaekit.plots import curve, sweep, to_png

X = np.logspace(-5, 0, 6)


def test_curve_holds_the_values_in_order_of_x():
    ax = curve([3, 1, 2], {"a": [9, 1, 4], "b": [0, 0, 1]}, xlabel="n", ylabel="nats").axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 1], [2, 4], [3, 9]])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [0, 1, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("n", "nats")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


def test_sweep_shades_regimes_and_marks_places():
    figure = sweep(
        X,
        {"rate": X, "distortion": -X},
        regions=[(1e-9, 1e-4, "low"), (1e-4, 1, "high"), (50, 60, "outside")],
        markers=[(8e-4, "here"), (1e-8, "far")],
    )
    ax, strip = figure.axes
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.texts] == ["low", "high"]
    low, high = ax.get_xlim()
    assert low < 1e-8 < 1 < high
    assert [p.get_x() for p in ax.patches] == [pytest.approx(low), 1e-4]
    assert ax.patches[1].get_x() + ax.patches[1].get_width() == pytest.approx(1)
    assert {t.get_text(): t.xy[0] for t in strip.texts} == {"here": 8e-4, "far": 1e-8}
    upright = [line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 1]
    assert upright == [8e-4, 1e-8]


def test_stacked_sweep_has_a_panel_for_each_line():
    figure = sweep(X, {"rate (nats)": X, "MSE": 2 * X}, stacked=True)
    assert [ax.get_ylabel() for ax in figure.axes] == ["rate (nats)", "MSE"]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), 2 * X)


def test_labels_of_near_markers_do_not_overlap():
    near = [
        (8e-4, "one long label"),
        (9e-4, "another long label"),
        (1.0, "at the end"),
        (7e-4, "x"),
    ]
    figure = sweep(X, {"rate": X}, markers=near)
    to_png(figure)
    strip = figure.axes[1]
    boxes = [t.get_window_extent() for t in strip.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    frame = strip.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 + 1 for box in boxes)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        (([0.0, 1.0], {"a": [1, 2]}), {}, DataError, "a logarithm needs positions above zero"),
        (([1.0, 2.0], {"a": [1, 2]}), {"markers": [(-1, "m")]}, DataError, "above zero"),
        (([1.0, 2.0], {"a": [1, 2, 3]}), {}, ShapeError, "a: wrong number of items"),
        (([1.0, 2.0], {}), {}, ShapeError, "no lines to draw"),
        (([1.0, 2.0], {"a": [1, np.nan]}), {}, DataError, "a: 1 value"),
    ],
)
def test_bad_sweeps(arguments, options, error, match):
    with pytest.raises(error, match=match):
        sweep(*arguments, **options)

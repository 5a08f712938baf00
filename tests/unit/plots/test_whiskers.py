"""Dots with whiskers: every method a line, every metric a panel."""

import pytest

from vaekit.errors import DataError
from vaekit.plots import Metric, dots_and_whiskers
from vaekit.plots.style import BLUE, GREY

MSE = Metric(
    "MSE",
    {"vae": 0.04, "pca": 0.06, "none": None},
    better="lower",
    errors={"vae": 0.01},
    each={"vae": [0.03, 0.05]},
)
RATE = Metric("rate", {"vae": 3.0, "pca": None}, "nats", None)


def test_each_metric_has_a_panel_and_each_method_a_line():
    mse, rate = dots_and_whiskers([MSE, RATE], ours=["vae"]).axes
    assert [label.get_text() for label in mse.get_yticklabels()] == ["vae", "pca", "none"]
    assert [label.get_text() for label in rate.get_yticklabels()] == ["", "", ""]
    assert mse.get_xlabel() == "lower is better"
    assert rate.get_xlabel() == "nats"
    means = [bar.lines[0] for bar in mse.containers]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in means] == [(0.04, 0), (0.06, 1)]
    assert [line.get_color() for line in means] == [BLUE, GREY]
    low, high = mse.containers[0].lines[2][0].get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((0.03, 0.05))
    assert list(mse.lines[0].get_xdata()) == [0.03, 0.05]


def test_no_metrics():
    with pytest.raises(DataError, match="no metrics to draw"):
        dots_and_whiskers([])

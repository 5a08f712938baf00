"""Pictures of training: lines hold the records, bars the rates."""

import numpy as np
import pytest

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.plots import kl_per_dimension, rate_distortion_curves, to_png

RECORDS = [
    {
        "epoch": e,
        "rate": float(e),
        "distortion": 100.0 - e,
        "elbo": -100.0,
        "valid_elbo": -150.0 + v,
    }
    for e, v in zip(range(1, 5), (1, 5, 9, 3), strict=True)
]


def axes_by_title(figure):
    return {ax.get_title(loc="left"): ax for ax in figure.axes}


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_lines_hold_the_records():
    axes = axes_by_title(rate_distortion_curves(RECORDS))
    assert set(axes) == {"Distortion", "Rate", "Bound on log p(x)"}
    epochs = [1, 2, 3, 4]
    rate = lines(axes["Rate"])["training"]
    np.testing.assert_array_equal(rate, np.c_[epochs, epochs])
    distortion = lines(axes["Distortion"])["training"]
    np.testing.assert_array_equal(distortion, np.c_[epochs, [99, 98, 97, 96]])
    held = lines(axes["Bound on log p(x)"])["held out"]
    np.testing.assert_array_equal(held, np.c_[epochs, [-149, -145, -141, -147]])


def test_units_and_best_epoch_are_named():
    axes = axes_by_title(rate_distortion_curves(RECORDS))
    bound = axes["Bound on log p(x)"]
    np.testing.assert_array_equal(lines(bound)["best"], [[3, -141]])
    assert [t.get_text() for t in bound.texts] == ["−141"]
    assert bound.get_ylabel() == "nats, higher is better"
    assert axes["Rate"].get_ylabel() == "nats"
    assert axes["Rate"].get_xlabel() == "epoch"


@pytest.mark.parametrize("missing", ["epoch", "rate", "distortion", "elbo", "valid_elbo"])
def test_missing_keys_are_tolerated(missing):
    records = [{k: v for k, v in record.items() if k != missing} for record in RECORDS]
    figure = rate_distortion_curves(records)
    texts = [t.get_text() for ax in figure.axes for t in ax.texts]
    assert (f"{missing} was not recorded" in texts) == (missing in {"rate", "distortion"})
    to_png(figure)


def test_nothing_known_says_so():
    figure = rate_distortion_curves([{}, {}])
    texts = sorted(t.get_text() for ax in figure.axes for t in ax.texts)
    assert texts == [
        "bound was not recorded",
        "distortion was not recorded",
        "rate was not recorded",
    ]


def test_a_nan_or_none_breaks_the_line_only_there():
    records = [{"rate": 1.0}, {"rate": float("nan")}, {"rate": None}, {"rate": 4.0}]
    axes = axes_by_title(rate_distortion_curves(records))
    data = lines(axes["Rate"])["training"]
    np.testing.assert_array_equal(data, [[1, 1], [2, np.nan], [3, np.nan], [4, 4]])


def test_a_changing_beta_is_said():
    records = [{"rate": 1.0, "beta": b} for b in (0.0, 0.5, 1.0)]
    axes = axes_by_title(rate_distortion_curves(records))
    assert [t.get_text() for t in axes["Rate"].texts] == ["β from 0 to 1"]
    steady = axes_by_title(rate_distortion_curves([{"rate": 1.0, "beta": 1.0}] * 3))
    assert len(steady["Rate"].texts) == 0


def test_no_records():
    with pytest.raises(DataError, match="no history to draw"):
        rate_distortion_curves([])


def test_groups_are_not_called_dimensions():
    ax = kl_per_dimension([0.5, 2.0], part="group").axes[0]
    assert ax.get_xlabel() == "latent group, by rate"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "1"]


def test_bars_are_sorted_and_named_by_dimension():
    ax = kl_per_dimension([0.001, 2.0, 0.5], threshold=0.01).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [2.0, 0.5, 0.001]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["z2", "z3", "z1"]
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[0] == colours[1] != colours[2]
    assert ax.lines[0].get_ydata()[0] == 0.01
    assert ax.texts[0].get_text() == "2 of 3 active (above 0.01 nats, dashed)"


@pytest.mark.parametrize(
    ("kl", "error", "match"),
    [
        ([1.0, np.nan], DataError, r"kl: 1 value\(s\) are not finite.*nan at index \(1,\)"),
        ([[1.0]], ShapeError, "kl: wrong shape"),
        ([], ShapeError, "nothing to draw"),
        (["a"], DataError, "not numbers"),
    ],
)
def test_bad_rates(kl, error, match):
    with pytest.raises(error, match=match):
        kl_per_dimension(kl)


def test_negative_threshold():
    with pytest.raises(ConfigError, match="negative threshold"):
        kl_per_dimension([1.0], threshold=-1)

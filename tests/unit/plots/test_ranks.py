"""The critical-difference picture: where methods, bars and the ruler are, and no overlaps."""

import itertools

import numpy as np
import pandas as pd
import pytest

from vaekit.errors import ConfigError
from vaekit.metrics import rank_methods
from vaekit.plots import critical_difference_diagram, to_png
from vaekit.plots.style import BLUE, INK

NAMES = [
    "isolation forest (100 trees, 256 rows)",
    "one-class SVM, RBF",
    "VAE, Student-t",
    "local outlier factor",
    "probabilistic PCA",
    "ECOD",
    "deep SVDD",
    "copula-based outlier detection",
]


def ranked(k=8, n=40):
    shift = np.array([0.9, 0.2, 1.4, 0, 0.8, 0.7, -0.6, 0.65])[:k]
    values = np.random.default_rng(0).normal(size=(n, k)) + shift
    return rank_methods(pd.DataFrame(values, columns=NAMES[:k]))


def bars(figure):
    lines = [line for line in figure.axes[0].lines if line.get_color() == INK]
    return [tuple(line.get_xdata()) for line in lines], [line.get_ydata()[0] for line in lines]


def test_a_dot_for_each_method_and_colour_for_ours():
    ranks = ranked()
    dots = [
        line
        for line in critical_difference_diagram(ranks, ours=["VAE, Student-t"]).axes[0].lines
        if line.get_marker() == "o"
    ]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx(list(ranks.mean_ranks))
    blue = [line.get_xdata()[0] for line in dots if line.get_color() == BLUE]
    assert blue == [ranks.mean_ranks[ranks.methods.index("VAE, Student-t")]]


@pytest.mark.parametrize("test", ["nemenyi", "wilcoxon"])
def test_a_bar_for_each_group(test):
    ranks = ranked()
    groups = ranks.groups if test == "nemenyi" else ranks.holm_groups
    found, _ = bars(critical_difference_diagram(ranks, test=test))
    assert len(found) == len(groups) > 1
    for (low, high), (first, last) in zip(found, groups, strict=True):
        assert low == pytest.approx(ranks.mean_ranks[first], abs=0.06)
        assert high == pytest.approx(ranks.mean_ranks[last], abs=0.06)


def test_bars_on_one_line_do_not_touch():
    found, lines = bars(critical_difference_diagram(ranked(n=400)))
    assert len(found) > 1
    for (a, ya), (b, yb) in itertools.combinations(zip(found, lines, strict=True), 2):
        assert ya != yb or a[1] < b[0] or b[1] < a[0]


def test_the_ruler_is_as_long_as_the_critical_difference():
    ranks = ranked()
    ax = critical_difference_diagram(ranks).axes[0]
    rulers = [line for line in ax.lines if line.get_color() == BLUE]
    assert np.ptp(rulers[0].get_xdata()) == pytest.approx(ranks.critical_difference)
    assert any("critical difference 1.66" in text.get_text() for text in ax.texts)
    none = critical_difference_diagram(ranks, test="wilcoxon").axes[0]
    assert not [line for line in none.lines if line.get_color() == BLUE]


@pytest.mark.parametrize("test", ["nemenyi", "wilcoxon"])
@pytest.mark.parametrize("k", [2, 3, 7, 8])
def test_no_words_overlap_or_leave_the_picture(k, test):
    figure = critical_difference_diagram(ranked(k, 12), test=test)
    assert to_png(figure).startswith(b"\x89PNG")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    width, height = figure.bbox.size
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height


def test_there_are_two_tests():
    with pytest.raises(ConfigError, match="expected 'nemenyi' or 'wilcoxon', got 'tukey'"):
        critical_difference_diagram(ranked(), test="tukey")

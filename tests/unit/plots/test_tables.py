"""Pictures of tables: histograms count what NumPy counts, profiles hold the rows."""

import numpy as np
import pytest

from vaekit.errors import DataError, ShapeError
from vaekit.plots import marginals, profile, to_png

RNG = np.random.default_rng(5)


def test_histograms_are_shares_on_common_bins():
    real, fake = RNG.normal(size=(200, 2)), RNG.normal(size=(90, 2)) + 1
    figure = marginals(real, fake, ["a", "b"])
    for i, ax in enumerate(figure.axes):
        stairs = {patch.get_label(): patch.get_data() for patch in ax.patches}
        edges = stairs["original"].edges
        np.testing.assert_array_equal(edges, stairs["sampled"].edges)
        assert edges[0] == min(real[:, i].min(), fake[:, i].min())
        for name, data in (("original", real), ("sampled", fake)):
            counts = np.histogram(data[:, i], edges)[0]
            np.testing.assert_allclose(stairs[name].values * len(data), counts)
            assert stairs[name].values.sum() == pytest.approx(1)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["original", "sampled"]


def test_whole_numbers_have_a_bin_each():
    real = np.array([[0.0], [1], [1], [3]])
    ax = marginals(real, np.array([[2.0]])).axes[0]
    data = ax.patches[0].get_data()
    np.testing.assert_array_equal(data.edges, [-0.5, 0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(data.values, [0.25, 0.5, 0, 0.25])


def test_a_constant_column_is_drawn():
    to_png(marginals(np.full((5, 1), 0.3), np.full((5, 1), 0.3)))


def test_twelve_columns_at_most_and_it_is_said():
    figure = marginals(RNG.normal(size=(9, 15)), RNG.normal(size=(9, 15)))
    assert len(figure.axes) == 12
    assert figure.get_supxlabel() == "first 12 of 15 columns"


def test_profiles_hold_rows_and_reconstructions():
    x, y = RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5))
    figure = profile(x, y, list("abcde"))
    assert len(figure.axes) == 4
    for i, ax in enumerate(figure.axes):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), x[i])
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), y[i])
    assert [t.get_text() for t in figure.axes[-1].get_xticklabels()] == list("abcde")
    assert [t.get_text() for t in figure.axes[0].texts] == ["first 4 of 6 rows"]


@pytest.mark.parametrize("draw", [marginals, profile])
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((np.zeros(3), np.zeros((3, 1))), ShapeError, "wrong shape; expected 2 axes"),
        ((np.zeros((3, 2)), np.zeros((3, 1))), ShapeError, "differ"),
        ((np.zeros((1, 2)), np.array([[1.0, np.nan]])), DataError, r"nan at index \(0, 1\)"),
        ((np.zeros((1, 2)), np.zeros((1, 2)), ["a"]), ShapeError, "columns: wrong number"),
    ],
)
def test_bad_tables(draw, arguments, error, match):
    with pytest.raises(error, match=match):
        draw(*arguments)

"""Pictures of the latent space: points where the codes are, canvases that equal the tiles."""

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection, PathCollection
from matplotlib.colors import to_rgba

from vaekit.errors import DataError, ShapeError
from vaekit.plots import latent_grid, latent_scatter, to_png, traversals
from vaekit.plots.style import CLASS_COLOURS

RNG = np.random.default_rng(3)


def offsets(ax):
    found = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    return np.concatenate(found)


def rows(array):
    return sorted(map(tuple, np.asarray(array)))


def test_points_are_the_codes():
    codes = RNG.normal(size=(40, 2))
    ax = latent_scatter(codes).axes[0]
    assert rows(offsets(ax)) == rows(codes)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z1", "z2")
    assert ax.get_legend() is None


def test_each_point_has_the_colour_of_its_class():
    codes = RNG.normal(size=(30, 2))
    labels = np.arange(30) % 3
    ax = latent_scatter(codes, labels).axes[0]
    points = ax.collections[0]
    colour = dict(zip(map(tuple, points.get_offsets()), points.get_facecolors(), strict=True))
    for code, label in zip(codes, labels, strict=True):
        np.testing.assert_allclose(colour[tuple(code)][:3], to_rgba(CLASS_COLOURS[label])[:3])


def test_classes_are_named_at_their_medians_and_in_the_legend():
    codes = np.r_[RNG.normal(size=(20, 2)), RNG.normal(size=(20, 2)) + 10]
    labels = np.repeat(["cat", "dog"], 20)
    ax = latent_scatter(codes, labels).axes[0]
    named = {t.get_text(): t.get_position() for t in ax.texts}
    np.testing.assert_allclose(named["cat"], np.median(codes[:20], axis=0))
    np.testing.assert_allclose(named["dog"], np.median(codes[20:], axis=0))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["cat", "dog"]


def test_names_of_crowded_classes_do_not_overlap():
    codes = np.tile(RNG.normal(size=(1, 2)), (40, 1)) + 1e-3 * RNG.normal(size=(40, 2))
    codes[0] = 50.0
    figure = latent_scatter(codes, np.arange(40) % 20)
    to_png(figure)
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert 1 <= len(boxes) < 20
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_more_than_ten_classes_get_other_markers():
    ax = latent_scatter(RNG.normal(size=(60, 2)), np.arange(60) % 12).axes[0]
    assert [len(c.get_offsets()) for c in ax.collections] == [50, 10]
    assert len(ax.get_legend().get_texts()) == 12


@pytest.mark.parametrize(
    ("labels", "title"),
    [
        (np.linspace(0, 1, 60), "label"),
        ([f"name {i:02}" for i in range(60)], "60 classes, in sorted order"),
    ],
)
def test_many_labels_are_a_continuous_colour(labels, title):
    codes = RNG.normal(size=(60, 2))
    figure = latent_scatter(codes, labels)
    ax, bar = figure.axes
    assert bar.get_ylabel() == title
    assert ax.get_legend() is None
    value = dict(zip(rows(codes), [None] * 60, strict=True))
    points = ax.collections[0]
    value = dict(zip(map(tuple, points.get_offsets()), points.get_array(), strict=True))
    found = np.array([value[tuple(code)] for code in codes])
    assert (np.diff(found) > 0).all()


def test_more_dimensions_are_said():
    ax = latent_scatter(RNG.normal(size=(5, 8)), names=["z7", "z2"]).axes[0]
    assert ax.get_xlabel() == "z7 (first of 8 dimensions)"
    assert ax.get_ylabel() == "z2 (second of 8 dimensions)"


def test_huge_data_are_subsampled_and_it_is_said():
    codes = RNG.normal(size=(12_000, 2))
    ax = latent_scatter(codes, np.arange(12_000) % 2).axes[0]
    shown = offsets(ax)
    assert shown.shape == (10_000, 2)
    assert set(map(tuple, shown)) < set(map(tuple, codes))
    assert "10,000 of 12,000 points, chosen at random" in [t.get_text() for t in ax.texts]


def test_scales_are_ellipses_of_one_standard_deviation():
    codes, scale = RNG.normal(size=(20, 2)), RNG.uniform(0.1, 1, size=(20, 2))
    ax = latent_scatter(codes, scale=scale).axes[0]
    (ellipses,) = [c for c in ax.collections if isinstance(c, EllipseCollection)]
    drawn = np.c_[ellipses.get_offsets(), ellipses.get_widths() / 2, ellipses.get_heights() / 2]
    np.testing.assert_allclose(rows(drawn), rows(np.c_[codes, scale]))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([1.0, 2.0],), ShapeError, "codes: wrong shape; expected 2 axes"),
        (([[1.0], [2.0]],), ShapeError, "a plane has two axes"),
        (([[1.0, np.inf]],), DataError, r"inf at index \(0, 1\)"),
        (([[1.0, 2.0]], [1, 2]), ShapeError, "labels: wrong number of items; expected 1, got 2"),
        (([[1.0, 2.0]], [np.nan]), DataError, "a label is not finite.*row 0"),
        (([[1.0, 2.0]], [[1]]), ShapeError, r"expected \(n,\)"),
        (([[1.0, 2.0]], None, [[1.0, -1.0]]), DataError, "scale: negative value"),
        (([[1.0, 2.0]], None, [[1.0, 1.0, 1.0]]), ShapeError, "scale: shapes differ"),
    ],
)
def test_bad_codes(arguments, error, match):
    with pytest.raises(error, match=match):
        latent_scatter(*arguments)


def test_grid_is_the_tiled_images():
    images = RNG.random((2, 3, 4, 5))
    ax = latent_grid(images, (-1, 1, 0, 3)).axes[0]
    expected = np.block([[images[r, c] for c in range(3)] for r in range(2)])
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert ax.images[0].get_extent() == [-1.5, 1.5, -1.5, 4.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z1", "z2")
    assert ax.get_xlim() == (-1.5, 1.5)
    assert ax.get_ylim() == (-1.5, 4.5)


def test_colour_grid():
    images = RNG.random((2, 2, 3, 3, 3))
    canvas = latent_grid(images, (0, 1, 0, 1)).axes[0].images[0].get_array()
    assert canvas.shape == (6, 6, 3)
    np.testing.assert_array_equal(canvas[3:, :3], images[1, 0])


@pytest.mark.parametrize("extent", [(1, -1, 0, 1), (0, 1, 2, 2), (0, np.nan, 0, 1)])
def test_bad_extent(extent):
    with pytest.raises(ShapeError, match="extent is not increasing"):
        latent_grid(np.zeros((2, 2, 3, 3)), extent)


def test_traversals_are_tiled_and_named():
    images = RNG.random((3, 5, 4, 4, 1))
    ax = traversals(images, ["a", "b", "c"], [-2, -1, 0, 1, 2]).axes[0]
    expected = np.block([[images[d, s, ..., 0] for s in range(5)] for d in range(3)])
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["−2", "−1", "0", "1", "2"]
    np.testing.assert_array_equal(ax.get_yticks(), [1.5, 5.5, 9.5])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.zeros((2, 3, 4)),), "images: wrong shape; expected 4 axes or 5 axes"),
        ((np.zeros((2, 3, 4, 4, 2)),), "wrong number of channels.*np.moveaxis"),
        ((np.zeros((2, 3, 4, 4)), ["a"]), "names: wrong number of items"),
        ((np.zeros((2, 3, 4, 4)), None, [1, 2]), "values: wrong number of items"),
    ],
)
def test_bad_traversals(arguments, match):
    with pytest.raises(ShapeError, match=match):
        traversals(*arguments)

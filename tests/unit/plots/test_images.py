"""Pictures of images: every canvas is exactly the tiled input."""

import numpy as np
import pytest

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.plots import image_grid, reconstructions, samples

RNG = np.random.default_rng(4)


def canvas(ax):
    return np.ma.getdata(ax.images[0].get_array())


def test_grid_is_in_reading_order():
    images = RNG.random((6, 4, 5))
    ax = image_grid(images, columns=3).axes[0]
    expected = np.block([[images[3 * r + c] for c in range(3)] for r in range(2)])
    np.testing.assert_array_equal(canvas(ax), expected)
    assert ax.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_missing_images_of_the_last_row_are_white(channels):
    images = RNG.random((5, 2, 2, *channels))
    found = canvas(image_grid(images, columns=3).axes[0])
    assert (found[2:, 4:] == 1).all()
    assert (found[2:, :4] < 1).all()


@pytest.mark.parametrize(
    ("images", "limits"),
    [
        (np.full((2, 3, 3), 7, np.uint8), (0, 255)),
        (np.linspace(-2, 6, 18).reshape(2, 3, 3), (-2, 6)),
        (np.full((2, 3, 3), 5.0), (5, 6)),
        (np.zeros((2, 3, 3)), (0, 1)),
    ],
)
def test_brightness(images, limits):
    assert image_grid(images).axes[0].images[0].get_clim() == limits


def test_brightness_as_asked():
    images = np.full((2, 3, 3), 16, np.uint8)
    ax = image_grid(images, 3, limits=(0, 16)).axes[0]
    assert ax.images[0].get_clim() == (0, 16)
    colours = np.full((1, 3, 3, 3), 4, np.uint8)
    np.testing.assert_allclose(canvas(image_grid(colours, limits=(0, 16)).axes[0]), 0.25)


def test_colours_in_bytes_are_scaled():
    images = RNG.integers(0, 256, (4, 3, 3, 3), dtype=np.uint8)
    np.testing.assert_allclose(canvas(image_grid(images, 4).axes[0])[:, :3], images[0] / 255)


def test_samples_are_nearly_square():
    assert canvas(samples(RNG.random((16, 3, 5))).axes[0]).shape == (12, 20)


def test_reconstructions_stand_below_their_originals():
    x, y = RNG.random((4, 5, 5)), RNG.random((4, 5, 5))
    top, middle, bottom = reconstructions(x, y, errors=[0.1, 0.2, 0.3, 0.4]).axes
    np.testing.assert_array_equal(canvas(top), np.hstack(x))
    np.testing.assert_array_equal(canvas(middle), np.hstack(y))
    np.testing.assert_array_equal(canvas(bottom), np.hstack(abs(x - y)))
    assert bottom.images[0].get_clim() == (0, abs(x - y).max())
    assert [t.get_text() for t in bottom.get_xticklabels()] == ["0.1", "0.2", "0.3", "0.4"]
    labels = [ax.get_ylabel().split("\n")[0] for ax in (top, middle, bottom)]
    assert labels == ["original", "reconstruction", "difference"]


def test_reconstructions_share_the_brightness_of_the_originals():
    x = RNG.random((2, 4, 4))
    figure = reconstructions(x, 3 * x - 1)
    assert [ax.images[0].get_clim() for ax in figure.axes[:2]] == [(0, 1), (0, 1)]


def test_only_the_first_twelve_are_shown_and_it_is_said():
    x = RNG.random((20, 4, 4))
    top = reconstructions(x, x).axes[0]
    np.testing.assert_array_equal(canvas(top), np.hstack(x[:12]))
    assert [t.get_text() for t in top.texts] == ["first 12 of 20"]


def test_colour_difference_is_the_mean_over_channels():
    x, y = RNG.random((2, 4, 4, 3)), RNG.random((2, 4, 4, 3))
    bottom = reconstructions(x, y).axes[2]
    np.testing.assert_allclose(canvas(bottom)[:, 4:], abs(x[1] - y[1]).mean(axis=-1))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: image_grid(np.zeros((3, 4))), ShapeError, "images: wrong shape"),
        (lambda: image_grid(np.zeros((3, 1, 28, 28))), ShapeError, "wrong number of channels"),
        (lambda: image_grid(np.zeros((0, 4, 4))), ShapeError, "nothing to draw"),
        (lambda: image_grid(np.full((1, 2, 2), np.nan)), DataError, r"images: 4 value\(s\)"),
        (lambda: image_grid(np.zeros((1, 2, 2)), 0), ConfigError, "no columns"),
        (lambda: image_grid(np.zeros((1, 2, 2), complex)), DataError, "not numbers"),
        (
            lambda: reconstructions(np.zeros((1, 2, 2)), np.zeros((2, 2, 2))),
            ShapeError,
            "recons: shapes differ",
        ),
        (
            lambda: reconstructions(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), [1, 2]),
            ShapeError,
            "errors: wrong number of items",
        ),
    ],
)
def test_bad_images(call, error, match):
    with pytest.raises(error, match=match):
        call()

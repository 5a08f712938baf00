"""The sprites against areas, moments and symmetries known by hand."""

import numpy as np
import pytest

from vaekit.data import load
from vaekit.data.sources.shapes import FACTORS, SHAPES, load_shapes
from vaekit.errors import ConfigError

SIZES = (3, 4, 8, 8, 8)


@pytest.fixture(scope="module")
def raw():
    return load("shapes")


@pytest.fixture(scope="module")
def grid(raw):
    """Coverage of each pixel, shape × scale × rotation × x × y × row × column."""
    return raw.x.reshape(*SIZES, 32, 32) / 255.0


def test_every_combination_once(raw):
    assert raw.x.shape == (6144, 32, 32)
    assert raw.factor_names == FACTORS
    assert len(np.unique(raw.factors, axis=0)) == 6144
    assert (raw.factors.max(0) + 1).tolist() == list(SIZES)
    assert raw.labels.tolist() == [SHAPES[shape] for shape in raw.factors[:, 0]]
    assert load("shapes").fingerprint == raw.fingerprint


def test_areas_are_those_of_the_curves(grid):
    radius = 8 * np.linspace(0.5, 1, 4)[:, None]
    area = grid.sum((-1, -2))[:, :, :, 0, 0]
    assert area[0] == pytest.approx(np.broadcast_to(2 * radius**2, (4, 8)), rel=0.02)
    assert area[1] == pytest.approx(np.broadcast_to(np.pi / 2 * radius**2, (4, 8)), rel=0.02)
    u = np.linspace(-1.5, 1.5, 1201)
    x, y = np.meshgrid(u, u)
    heart = 9 * ((x**2 + y**2 - 1) ** 3 - x**2 * y**3 <= 0).mean()
    assert area[2] == pytest.approx(
        np.broadcast_to(heart * (radius / 1.25) ** 2, (4, 8)), rel=0.02
    )


def test_position_moves_the_image_by_whole_pixels(grid):
    column = (grid * np.arange(32)).sum((-1, -2)) / grid.sum((-1, -2))
    row = (grid * np.arange(32)[:, None]).sum((-1, -2)) / grid.sum((-1, -2))
    for centre, axis in ((column, 3), (row, 4)):
        steps = np.diff(centre, axis=axis)
        assert steps == pytest.approx(np.full(steps.shape, 2.0), abs=1e-9)
        assert np.ptp(centre, axis=7 - axis) == pytest.approx(0.0, abs=1e-9)
    squares = [centre[0].mean((0, 1)) for centre in (column, row)]
    assert np.mean(squares) == pytest.approx(15.5, abs=1e-3)


def test_the_ellipse_turns_anticlockwise_by_equal_steps(grid):
    turned = grid[1, -1, :, 0, 0]
    at = np.stack([np.arange(32) + np.zeros((32, 1)), -np.arange(32)[:, None] + np.zeros(32)])
    mass = turned.sum((-1, -2))
    mean = np.einsum("rhw,khw->rk", turned, at) / mass[:, None]
    second = np.einsum("rhw,khw,lhw->rkl", turned, at, at) / mass[:, None, None]
    spread = second - mean[:, :, None] * mean[:, None, :]
    angle = np.rad2deg(0.5 * np.arctan2(2 * spread[:, 0, 1], spread[:, 0, 0] - spread[:, 1, 1]))
    assert angle == pytest.approx(np.arange(8) * 11.25, abs=1.0)


def test_each_image_has_one_set_of_factors(grid):
    sprites = grid[:, :, :, 3, 3].reshape(96, -1)
    apart = np.linalg.norm(sprites[:, None] - sprites[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 0.5  # in pixels from black to white; the nearest are small squares


def test_a_wider_range_would_show_the_square_twice():
    quarter = load_shapes(scales=2, positions=2).x.reshape(3, 2, 8, 2, 2, 32, 32)
    turned = np.rot90(quarter, axes=(-2, -1))
    assert np.array_equal(turned[0, :, 0, 0, 0], quarter[0, :, 0, 0, 1])
    assert not np.array_equal(turned[2, :, 0, 0, 0], quarter[2, :, 0, 0, 1])


def test_other_grids():
    small = load_shapes(16, scales=2, rotations=3, positions=4)
    assert small.x.shape == (3 * 2 * 3 * 16, 16, 16)
    assert len(np.unique(small.x, axis=0)) == len(small.x)
    with pytest.raises(ConfigError, match=r"rotations: a factor needs two values.*got 1"):
        load_shapes(rotations=1)
    with pytest.raises(ConfigError, match=r"too small for so many positions.*at least 20 pixels"):
        load_shapes(16, positions=10)

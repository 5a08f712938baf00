"""Walks stay in the space of the codes, and each step changes what its row says."""

import numpy as np
import pytest
import torch

from vaekit.distributions import Normal, OneHot, VonMisesFisher
from vaekit.report.walks import walk


def sphere(k, rows=50):
    means = np.random.default_rng(0).normal(size=(rows, k)) + np.arange(k)
    q = VonMisesFisher(torch.nn.functional.normalize(torch.ones(1, k), dim=-1), torch.ones(1))
    return q, means


def test_real_codes_move_along_one_coordinate():
    q, order = Normal(torch.zeros(1, 3), torch.zeros(1, 3)), np.array([2, 0, 1])
    codes, names, values, _ = walk(q, np.zeros((5, 3)), order)
    assert names == ["z3", "z1", "z2"]
    for row, coordinate in enumerate(order):
        np.testing.assert_array_equal(codes[row, :, coordinate], values)
        np.testing.assert_array_equal(np.delete(codes[row], coordinate, axis=1), 0)


@pytest.mark.parametrize("k", [2, 3, 15])
def test_codes_on_the_sphere_stay_there(k):
    q, means = sphere(k)
    order = np.arange(k)[::-1]
    codes, names, degrees, _ = walk(q, means, order)
    assert codes.shape == (min(10, k - 1), 13, k)
    assert names == [f"z{i + 1}" for i in order[: len(codes)]]
    np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), 1, rtol=1e-12)
    centre = means.mean(0) / np.linalg.norm(means.mean(0))
    wanted = np.broadcast_to(np.cos(np.radians(degrees)), codes.shape[:2])
    np.testing.assert_allclose(codes @ centre, wanted, atol=1e-12)
    quarter = int(np.flatnonzero(degrees == 90)[0])
    for row, coordinate in enumerate(order[: len(codes)]):
        assert codes[row, quarter, coordinate] > 0


def test_a_mean_direction_along_a_coordinate_or_of_no_length_is_no_trouble():
    q, _ = sphere(3)
    for mean in ([1.0, 0.0, 0.0], [0.0, 0.0, 0.0]):
        codes = walk(q, np.array([mean]), np.arange(3)).codes
        np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), 1, rtol=1e-12)


def test_one_hot_codes_go_through_the_classes_of_one_group():
    """Group 2 varies, so it comes first; group 1 keeps class 3 meanwhile."""
    means = np.array([[0.1, 0.1, 0.8, 1, 0, 0], [0.1, 0.1, 0.8, 0, 1, 0]])
    codes, names, values, _ = walk(OneHot(torch.zeros(1, 6), classes=3), means, np.arange(6))
    assert names == ["group 2", "group 1"]
    assert values.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(codes[0, :, :3], [[0, 0, 1]] * 3)
    np.testing.assert_array_equal(codes[0, :, 3:], np.eye(3))
    np.testing.assert_array_equal(codes[1, :, :3], np.eye(3))
    assert (codes.reshape(2, 3, 2, 3).sum(-1) == 1).all()

"""Structural similarity: whether an image kept its local brightness, contrast and pattern."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from vaekit.errors import ConfigError, ShapeError

__all__ = ["ssim", "structural_similarity"]

SIDE = 11
SPREAD = 1.5
K1, K2 = 0.01, 0.03


def structural_similarity(x: Tensor, reconstruction: Tensor, *, peak: float = 1.0) -> Tensor:
    r"""SSIM of each image, averaged over its channels and all windows inside it, shape (n,).

    .. math::
        \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}
             {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}, \qquad
        c_i = (K_i \, \mathrm{peak})^2

    with moments under a Gaussian window of 11 × 11 pixels and σ = 1.5, K₁ = 0.01, K₂ = 0.03.

    Args:
        x: Images, shape (n, C, H, W).
        reconstruction: What came back, of the same shape.
        peak: The range of x: 1 for images in [0, 1], 255 for bytes.

    Returns:
        Float64 on the CPU, between -1 and 1; 1 for an image that came back unchanged.

    Raises:
        ShapeError: If the shapes differ, are not those of images, or a side is below 11.
        ConfigError: If the peak is not above 0.

    References:
        Image Quality Assessment: From Error Visibility to Structural Similarity (Wang, Bovik,
        Sheikh & Simoncelli, 2004), IEEE Transactions on Image Processing 13(4).
    """
    if x.shape != reconstruction.shape or x.dim() != 4:
        raise ShapeError(
            "two sets of images of one shape are compared",
            expected="(n, C, H, W) twice",
            got=f"{tuple(x.shape)} and {tuple(reconstruction.shape)}",
        )
    if min(x.shape[2:]) < SIDE:
        raise ShapeError(
            "images smaller than the window of SSIM",
            expected=f"sides of at least {SIDE}",
            got=tuple(x.shape[2:]),
            remedy="compare them by mean squared error",
        )
    if not peak > 0:
        raise ConfigError("the peak is the range of x", expected="above 0", got=peak)
    a, b = (images.cpu().double().flatten(0, 1).unsqueeze(1) for images in (x, reconstruction))
    mean_a, mean_b = _local_mean(a), _local_mean(b)
    variances = _local_mean(a * a + b * b) - mean_a.square() - mean_b.square()
    covariance = _local_mean(a * b) - mean_a * mean_b
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a.square() + mean_b.square() + c1) * (variances + c2)
    return similarity.reshape(len(x), -1).mean(1)


def ssim(x: Tensor, reconstruction: Tensor, *, peak: float = 1.0) -> float:
    """:func:`structural_similarity` averaged over images.

    Example:
        >>> image = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
        >>> ssim(image, image), ssim(image, 1 - image) < 0
        (1.0, True)
    """
    return float(structural_similarity(x, reconstruction, peak=peak).mean())


def _local_mean(images: Tensor) -> Tensor:
    """Means under every window that lies inside, (m, 1, H, W) → (m, 1, H − 10, W − 10)."""
    offset = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    window = torch.softmax(-offset.square() / (2 * SPREAD**2), 0)
    down = conv2d(images, window.reshape(1, 1, SIDE, 1))
    return conv2d(down, window.reshape(1, 1, 1, SIDE))

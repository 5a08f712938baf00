"""Densities on the unit sphere: uniform, and von Mises-Fisher."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.bessel import log_bessel
from vaekit.distributions.density import JointDensity, register_kl
from vaekit.distributions.noise import standard_normal, uniform

__all__ = ["UniformSphere", "VonMisesFisher", "polar_quantile"]

CELLS = 256
REACH = 12.0
NEWTON = 4
TINY = 1e-300


def log_area(n: int) -> float:
    r"""log of the area :math:`2\pi^{n/2} / \Gamma(n/2)` of the unit sphere in n dimensions."""
    return math.log(2) + 0.5 * n * math.log(math.pi) - math.lgamma(0.5 * n)


class UniformSphere(JointDensity):
    r"""The uniform density on the unit sphere of n-vectors, with respect to its area, in nats.

    Args:
        like: A tensor of shape (n,) that fixes dtype and device; its values are not used.

    Example:
        >>> UniformSphere(torch.zeros(3)).log_prob(torch.tensor([0.0, 0.0, 1.0]))
        tensor(-2.5310)
    """

    __slots__ = ("like",)

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.event_dims = 1

    def log_prob(self, value: Tensor) -> Tensor:  # noqa: D102
        return value.new_full(value.shape[:-1], -log_area(value.shape[-1]))

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        return F.normalize(standard_normal(shape, like=self.like, event_dims=1), dim=-1)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return torch.zeros_like(self.like)

    @property
    def stddev(self) -> Tensor:
        """1 / √n, shape (n,)."""
        return torch.full_like(self.like, self.like.shape[-1] ** -0.5)


class VonMisesFisher(JointDensity):
    r"""A normal's likeness on the sphere, :math:`p(z) = C_n(\kappa)\, e^{\kappa \mu^\top z}`.

    .. math:: \log C_n(\kappa) = \nu \log\kappa - \tfrac n2 \log 2\pi - \log I_\nu(\kappa),
              \qquad \nu = \tfrac n2 - 1

    A draw is :math:`w \mu + \sqrt{1 - w^2}\, v` with v uniform on the sphere about μ and w from
    its marginal, by inverting the distribution function of w. So a draw is a smooth function of μ,
    κ and noise of a fixed size, and its gradient that of the distribution; rejection sampling
    gives neither. As μ moves, v turns with it; the projection of fixed noise would have the same
    mean gradient, but for n = 3 of infinite variance.

    The function is integrated by Simpson's rule in the angle φ of
    :math:`\tan\frac\theta2 = \sqrt b \tan\frac\varphi2`, w = cos θ, where with Wood's b(κ) the
    density is about as wide for every κ. Its error is below 1e-7.

    κ and what follows from it are held in double precision.

    Args:
        loc: Mean directions μ, unit vectors, shape ``(*batch, n)`` with n ≥ 2.
        concentration: κ > 0, shape ``(*batch,)``.

    References:
        | Hyperspherical Variational Auto-Encoders (Davidson et al., 2018), arXiv:1804.00891.
        | Simulation of the von Mises Fisher Distribution (Wood, 1994), Communications in
          Statistics 23, for b.
        | Implicit Reparameterization Gradients (Figurnov, Mohamed & Mnih, 2018), arXiv:1805.08498.

    Example:
        >>> q = VonMisesFisher(torch.tensor([[0.0, 1.0]]), torch.tensor([5.0]))
        >>> q.rsample((3,)).norm(dim=-1).flatten()
        tensor([1.0000, 1.0000, 1.0000])
    """

    __slots__ = ("concentration", "loc", "log_peak", "resultant")

    def __init__(self, loc: Tensor, concentration: Tensor) -> None:
        self.loc = loc
        self.event_dims = 1
        n, kappa = loc.shape[-1], concentration.double()
        nu = 0.5 * n - 1
        log_i, ratio = log_bessel(nu, kappa)
        self.concentration = kappa
        self.resultant = ratio
        self.log_peak = nu * kappa.log() - 0.5 * n * math.log(2 * math.pi) - log_i + kappa

    def log_prob(self, value: Tensor) -> Tensor:  # noqa: D102
        below_one = 0.5 * (value - self.loc).square().sum(-1)
        return (self.log_peak - self.concentration * below_one).to(value)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        u = uniform(shape, like=self.loc[..., :1], event_dims=1).squeeze(-1)
        w, sine = (part.to(self.loc).unsqueeze(-1) for part in self._polar(u.double()))
        v = standard_normal(shape, like=self.loc, event_dims=1)
        mu = self.loc.detach()
        v = F.normalize(v - (v * mu).sum(-1, keepdim=True) * mu, dim=-1)
        v = v - (v * self.loc).sum(-1, keepdim=True) * mu  # turned with μ, by the shortest way
        return w * self.loc + sine * v

    @property
    def mean(self) -> Tensor:
        """κ-dependent length times direction, within the sphere, shape ``(*batch, n)``."""
        return self.resultant.unsqueeze(-1).to(self.loc) * self.loc

    @property
    def stddev(self) -> Tensor:
        """Standard deviations of the coordinates, shape ``(*batch, n)``."""
        across = (self.resultant / self.concentration).unsqueeze(-1)
        a = self.resultant.unsqueeze(-1)
        along = 1 - (self.loc.shape[-1] - 1) * across - a.square()
        square = self.loc.double().square()
        return (across * (1 - square) + along * square).clamp(min=0).sqrt().to(self.loc)

    def _polar(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return polar_quantile(self.loc.shape[-1], self.concentration, u)


def polar_quantile(n: int, kappa: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """w = cos θ and √(1 − w²) = sin θ, where u is the mass of smaller angles θ to the mean.

    Args:
        n: Of the vectors on the sphere.
        kappa: Concentrations of a :class:`VonMisesFisher`, shape ``(*batch,)``, double precision.
        u: In [0, 1), shape ``(*shape, *batch)``, double precision.
    """
    b = (n - 1) / (2 * kappa + (4 * kappa.square() + (n - 1) ** 2).sqrt())
    half = min(0.5 * math.pi, REACH / math.sqrt(n))
    phi = torch.linspace(-half, half, 2 * CELLS + 1, dtype=u.dtype, device=u.device)
    phi = 0.5 * math.pi + phi
    s = 0.5 * (1 - phi.cos())
    scale = 1 - (1 - b.unsqueeze(-1)) * s
    log_density = (
        torch.special.xlogy(n - 2, phi.sin().clamp(min=0))
        - 2 * (kappa * b).unsqueeze(-1) * s / scale
        - (n - 1) * scale.log()
    )
    angle = phi[0] + 2 * half * _quantile(log_density.softmax(-1), u)
    s = 0.5 * (1 - angle.cos())
    scale = 1 - (1 - b) * s
    return 1 - 2 * b * s / scale, b.sqrt() * angle.sin() / scale


def _quantile(density: Tensor, u: Tensor) -> Tensor:
    """Where in [0, 1] the distribution function of a tabulated density is u.

    The density is a parabola on each cell. The place is found without gradients; one more Newton
    step at it has the gradient of the implicit function.

    Args:
        density: Up to a factor, at the ends and middles of cells, ``(*batch, 2 cells + 1)``.
        u: Shape ``(*shape, *batch)``.
    """
    left, middle, right = density[..., :-2:2], density[..., 1::2], density[..., 2::2]
    mass = left + 4 * middle + right
    whole = mass.sum(-1, keepdim=True)
    ends = F.pad(mass.cumsum(-1) / whole, (1, 0))
    lead = u.shape[: u.dim() - whole.dim() + 1]
    wanted = u.reshape(lead.numel(), *whole.shape[:-1]).movedim(0, -1).contiguous()
    cell = torch.searchsorted(ends.detach(), wanted, right=True) - 1
    cell = cell.clamp(0, mass.shape[-1] - 1)
    start = ends.gather(-1, cell)
    a, b, c = ((6 * part / whole).gather(-1, cell) for part in (left, middle, right))

    linear, square = 4 * b - 3 * a - c, 2 * (a - 2 * b + c)

    def newton(t: Tensor) -> Tensor:
        rise = t * (a + t * (linear / 2 + t * square / 3))
        slope = (a + t * (linear + t * square)).detach().clamp(min=TINY)
        return t - (start + rise - wanted) / slope

    with torch.no_grad():
        t = (wanted - start) / (ends.gather(-1, cell + 1) - start).clamp(min=TINY)
        for _ in range(NEWTON):
            t = newton(t).clamp(0, 1)
    place = (cell + newton(t)) / mass.shape[-1]
    return place.movedim(-1, 0).reshape(u.shape)


@register_kl(VonMisesFisher, UniformSphere)
def _(q: VonMisesFisher, p: UniformSphere) -> Tensor:
    kl = q.log_peak - q.concentration * (1 - q.resultant) + log_area(q.loc.shape[-1])
    return kl.clamp(min=0).to(q.loc).unsqueeze(-1)

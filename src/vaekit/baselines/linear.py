"""What the linear baselines share: x ≈ mean + Wz."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vaekit.baselines.flat import FlatRepresentation, Floats

__all__ = ["LinearRepresentation"]


class LinearRepresentation(FlatRepresentation):
    """Base of the linear baselines: x ≈ mean + Wz, over rows of any shape.

    Subclasses set the ``loading`` W of shape (D, k); :meth:`_encode` and :meth:`_log_prob` get
    offsets from the mean. Where p(x|z) is normal they implement :meth:`_noise_scale`, else
    :meth:`sample`.

    Attributes:
        loading: W, shape (D, k).
    """

    loading: Floats

    def sample(self, n: int, *, seed: int) -> Floats:
        """Observations mean + Wz + noise at standard normal codes, shape ``(n, *event)``."""
        self._check_fitted()
        generator = np.random.default_rng(seed)
        codes = generator.standard_normal((n, self.latent_dim))
        noise = generator.standard_normal((n, len(self.mean))) * self._noise_scale()
        return self._shaped(self._decode(codes) + noise)

    def _decode(self, codes: Floats) -> Floats:
        return self.mean + codes @ self.loading.T

    def _noise_scale(self) -> Floats:
        """Standard deviations of the noise, broadcastable to (D,)."""
        raise NotImplementedError

    def _flat(self, x: ArrayLike) -> Floats:
        return super()._flat(x) - self.mean

"""What is measured of a run's model beside its likelihoods, decided by its data."""

from __future__ import annotations

from vaekit.data import DataCodec, ImageCodec
from vaekit.metrics import Features, Instruments

__all__ = ["instruments_for"]


def instruments_for(codec: DataCodec, features: Features | None = None) -> Instruments:
    """The instruments for data with this codec: models and baselines get the same.

    Images come as [0, 1], so PSNR and SSIM have a range; their samples are E[x|z], as images are
    shown. Samples of other data are draws from p(x|z), noise included.

    Args:
        codec: Of the data.
        features: What samples are compared by; None leaves samples out.
    """
    is_image = isinstance(codec.x, ImageCodec)
    return Instruments(peak=1.0 if is_image else None, features=features, draw=not is_image)

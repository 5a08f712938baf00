"""vaekit: variational autoencoders as products of prior, posterior, likelihood and networks."""

from vaekit.version import __version__

__all__ = ["__version__"]

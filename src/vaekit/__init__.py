"""vaekit: variational autoencoders as compositions of prior, posterior, likelihood, network, objective."""

from vaekit.version import __version__

__all__ = ["__version__"]

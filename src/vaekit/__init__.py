"""vaekit: variational autoencoders as compositions of prior, posterior, likelihood, network, objective."""

__version__ = "0.1.0"

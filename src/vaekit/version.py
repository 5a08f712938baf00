"""The version of vaekit, in one place."""

__version__ = "0.1.0"

"""Models as folders of open files."""

from vaekit.artifacts.artifact import Artifact, describe, load, provenance, save

__all__ = ["Artifact", "describe", "load", "provenance", "save"]

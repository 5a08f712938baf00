"""Anomalies in tables: scores of a variational autoencoder, where to draw the line, and why."""

from vaekit.tasks.detection.detector import VAEDetector
from vaekit.tasks.detection.engines import ScoredFile, score_file
from vaekit.tasks.detection.explanation import LATENT, Explanation
from vaekit.tasks.detection.ranking import Ranking, explain_file
from vaekit.tasks.detection.scorer import DetectorScorer
from vaekit.tasks.detection.session import Detection, train_detector
from vaekit.tasks.detection.together import fit_together

__all__ = [
    "LATENT",
    "Detection",
    "DetectorScorer",
    "Explanation",
    "Ranking",
    "ScoredFile",
    "VAEDetector",
    "explain_file",
    "fit_together",
    "score_file",
    "train_detector",
]

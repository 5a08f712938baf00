"""What is measured of a model: keys, names, units, and which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["KEYS", "MEASURES", "Measure"]


class Measure(NamedTuple):
    """One quantity of a table of metrics.

    Attributes:
        key: Its key in the table.
        name: What people read.
        unit: Of its value.
        better: Which way is better, or None where neither is.
        error: Whether the table holds a standard error over rows beside it, ``{key}_error``.
    """

    key: str
    name: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    error: bool = False

    @property
    def title(self) -> str:
        """The name with its unit.

        Example:
            >>> Measure("rate", "rate", "nats").title
            'rate (nats)'
        """
        return f"{self.name} ({self.unit})" if self.unit else self.name


MEASURES = (
    Measure("elbo", "ELBO", "nats", "higher", error=True),
    Measure("log_marginal", "log p(x)", "nats", "higher", error=True),
    Measure("rate", "Rate", "nats", error=True),
    Measure("mutual_information", "Mutual information I(x; z)", "nats", error=True),
    Measure("marginal_kl", "Marginal KL(q(z)‖p(z))", "nats", "lower", error=True),
    Measure("distortion", "Distortion", "nats", "lower", error=True),
    Measure("active_units", "Active units"),
    Measure("mse", "Mean squared error", "", "lower", error=True),
    Measure("psnr", "PSNR", "dB", "higher", error=True),
    Measure("ssim", "SSIM", "", "higher", error=True),
    Measure("knn_accuracy", "5-NN accuracy of the codes", "", "higher"),
    Measure("logistic_accuracy", "Logistic accuracy of the codes", "", "higher"),
    Measure("linear_r2", "Linear R² of the codes", "", "higher"),
    Measure("label_accuracy", "Accuracy of the model's classifier", "", "higher", error=True),
    Measure("ari", "ARI of clusters and classes", "", "higher"),
    Measure("nmi", "NMI of clusters and classes", "", "higher"),
    Measure("trustworthiness", "Trustworthiness of the codes", "", "higher"),
    Measure("mig", "Mutual information gap", "", "higher", error=True),
    Measure("sap", "Separated attribute predictability", "", "higher", error=True),
    Measure("dci_disentanglement", "DCI disentanglement", "", "higher", error=True),
    Measure("dci_completeness", "DCI completeness", "", "higher", error=True),
    Measure("dci_informativeness", "DCI informativeness", "", "higher", error=True),
    Measure("factor_vae_score", "FactorVAE score", "", "higher", error=True),
    Measure("frechet", "Fréchet distance of samples", "", "lower", error=True),
    Measure("kernel_distance", "Kernel distance of samples", "", "lower", error=True),
    Measure("precision", "Precision of samples", "", "higher", error=True),
    Measure("recall", "Recall of samples", "", "higher", error=True),
    Measure("density", "Density of samples", "", "higher", error=True),
    Measure("coverage", "Coverage of samples", "", "higher", error=True),
)
"""All that tables, reports, comparisons and tuning know of the metrics: add a metric here."""

KEYS = (
    "n",
    "samples",
    *(key for m in MEASURES for key in ((m.key, f"{m.key}_error") if m.error else (m.key,))),
    "kl",
    "surgery_rows",
    "features",
    "generated",
)
"""Keys of every table of metrics, models' and baselines' alike; ``notes`` comes last.

The last four say of what the others are: the rate of each latent dimension, the N whose logarithm
bounds the mutual information, and by which features how many generated rows were compared.
"""

"""What is measured of a model: keys, names, units, and which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["KEYS", "MEASURES", "Measure", "Part"]

Part = Literal[
    "bounds",
    "surgery",
    "errors",
    "probes",
    "numbers",
    "classifier",
    "neighbours",
    "factors",
    "samples",
]
"""What is measured at one go: quantities that share their work, and what they need of the data."""


class Measure(NamedTuple):
    """One quantity of a table of metrics.

    Attributes:
        key: Its key in the table.
        name: What people read.
        unit: Of its value.
        better: Which way is better, or None where neither is.
        error: Whether the table holds a standard error beside it, ``{key}_error``: of other
            measured rows, the model being what it is; of the FactorVAE score and those of DCI,
            of other seeds on the same rows.
        part: What it is measured with.
    """

    key: str
    name: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    error: bool = True
    part: Part = "bounds"

    @property
    def title(self) -> str:
        """The name with its unit.

        Example:
            >>> Measure("rate", "rate", "nats").title
            'rate (nats)'
        """
        return f"{self.name} ({self.unit})" if self.unit else self.name


MEASURES = (
    Measure("elbo", "ELBO", "nats", "higher"),
    Measure("log_marginal", "log p(x)", "nats", "higher"),
    Measure("rate", "Rate", "nats"),
    Measure("mutual_information", "Mutual information I(x; z)", "nats", part="surgery"),
    Measure("marginal_kl", "Marginal KL(q(z)‖p(z))", "nats", "lower", part="surgery"),
    Measure("distortion", "Distortion", "nats", "lower"),
    Measure("active_units", "Active units", error=False),
    Measure("mse", "Mean squared error", "", "lower", part="errors"),
    Measure("psnr", "PSNR", "dB", "higher", part="errors"),
    Measure("ssim", "SSIM", "", "higher", part="errors"),
    Measure("knn_accuracy", "5-NN accuracy of the codes", "", "higher", part="probes"),
    Measure("logistic_accuracy", "Logistic accuracy of the codes", "", "higher", part="probes"),
    Measure("linear_r2", "Linear R² of the codes", "", "higher", part="numbers"),
    Measure(
        "label_accuracy", "Accuracy of the model's classifier", "", "higher", part="classifier"
    ),
    Measure("ari", "ARI of clusters and classes", "", "higher", part="probes"),
    Measure("nmi", "NMI of clusters and classes", "", "higher", part="probes"),
    Measure("trustworthiness", "Trustworthiness of the codes", "", "higher", part="neighbours"),
    Measure("mig", "Mutual information gap", "", "higher", part="factors"),
    Measure("sap", "Separated attribute predictability", "", "higher", part="factors"),
    Measure("dci_disentanglement", "DCI disentanglement", "", "higher", part="factors"),
    Measure("dci_completeness", "DCI completeness", "", "higher", part="factors"),
    Measure("dci_informativeness", "DCI informativeness", "", "higher", part="factors"),
    Measure("factor_vae_score", "FactorVAE score", "", "higher", part="factors"),
    Measure("frechet", "Fréchet distance of samples", "", "lower", part="samples"),
    Measure("kernel_distance", "Kernel distance of samples", "", "lower", part="samples"),
    Measure("precision", "Precision of samples", "", "higher", part="samples"),
    Measure("recall", "Recall of samples", "", "higher", part="samples"),
    Measure("density", "Density of samples", "", "higher", part="samples"),
    Measure("coverage", "Coverage of samples", "", "higher", part="samples"),
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

"""A fitted estimator in a notebook: scikit-learn's diagram, and a summary below it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from sklearn.utils import estimator_html_repr

__all__ = ["estimator_html", "summary"]

STYLE = "font-family: monospace; font-size: 0.9em; border-collapse: collapse; margin: 0.5em 0"
CELL = "text-align: left; padding: 0.1em 1.2em 0.1em 0; border: none; background: none"


def estimator_html(estimator: Any, summary: Mapping[str, str]) -> str:
    """The diagram of an estimator, followed by a table of what was fitted, if it was.

    Args:
        estimator: The estimator.
        summary: Names and values; empty for one that is not fitted.
    """
    diagram: str = estimator_html_repr(estimator)
    if not summary:
        return diagram
    rows = "".join(
        f'<tr><th style="{CELL}">{escape(name)}</th><td style="{CELL}">{escape(value)}</td></tr>'
        for name, value in summary.items()
    )
    return f'{diagram}<table style="{STYLE}">{rows}</table>'


def summary(estimator: Any) -> dict[str, str]:
    """What a fitted estimator has learned, for people: parts, data, epochs, bound and rates."""
    spec = estimator.model_.spec
    parts = {
        name: repr(part)
        for name in ("encoder", "prior", "posterior", "likelihood")
        if (part := getattr(spec, name, None)) is not None
    }
    elbo = getattr(estimator, "elbo_", math.nan)
    bound = {"held-out bound": f"{elbo:.4g} nats per row"}
    return {
        "model": getattr(spec, "kind", type(spec).__name__),
        **parts,
        "data": estimator.codec_.x.describe(),
        "epochs": str(len(estimator.history_)),
        **({} if math.isnan(elbo) else bound),
        "rate of each dimension": ", ".join(f"{v:.3g}" for v in estimator.kl_) + " nats",
    }

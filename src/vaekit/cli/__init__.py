"""The command ``vaekit``; one file for each group of commands."""

from __future__ import annotations

import typer

from vaekit.cli.codes import encode, reconstruct, sample
from vaekit.cli.compare import compare
from vaekit.cli.detect import app as detect
from vaekit.cli.evaluate import evaluate
from vaekit.cli.fit_prior import fit_prior
from vaekit.cli.inspect import inspect
from vaekit.cli.recipes import recipes
from vaekit.cli.score import score
from vaekit.cli.train import train
from vaekit.cli.tune import tune

__all__ = ["app", "main"]

app = typer.Typer(
    name="vaekit",
    help="Variational autoencoders: train, measure, sample, compare, tune, detect.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
)
for command in (
    train,
    evaluate,
    fit_prior,
    score,
    sample,
    encode,
    reconstruct,
    inspect,
    recipes,
    compare,
    tune,
):
    app.command()(command)
app.add_typer(detect, name="detect")


def main() -> None:
    """Entry point of the console script."""
    app()

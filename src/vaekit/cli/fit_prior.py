"""``vaekit fit-prior``: a finished model with a prior that suits its codes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vaekit.cli.console import Json, emit, handled

__all__ = ["fit_prior"]


def fit_prior(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    prior: Annotated[
        str, typer.Option(help="p(z), e.g. mixture:components=10, flow or vamp.")
    ] = "mixture",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the codes.")] = 50,
    draws: Annotated[int, typer.Option(min=1, help="Codes of each training row.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the new model.")] = None,
    as_json: Json = False,
) -> None:
    """Fit a prior to the codes of a trained model, and save the model with it.

    Encoder and decoder stay as they are. An autoencoder gets samples in this way.
    """
    with handled(as_json=as_json):
        from vaekit.spec import spec_from_text
        from vaekit.tasks import fit_prior as fit
        from vaekit.tasks.ex_post import DEFAULT
        from vaekit.training import Display

        spec = spec_from_text(prior, role="prior")
        folder = out or run.with_name(f"{run.name}-{spec.kind.partition('/')[2]}")
        training = DEFAULT.replace(epochs=epochs, seed=seed)
        command = shlex.join(["vaekit", *sys.argv[1:]])
        artifact = fit(
            run,
            spec,
            folder,
            training=training,
            draws=draws,
            callbacks=[Display()],
            command=command,
        )
        losses = [record.get("valid_loss", record["loss"]) for record in artifact.history]
        result = {"run": str(folder), "prior": spec.kind, "log_p": -min(losses)}
        text = f"{spec.kind} in {folder}: log p(z) of held-out codes {-min(losses):.4f} nats"
        emit(result, text, as_json=as_json)

"""``vaekit fit-prior``: a finished model with a prior that suits its codes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled

__all__ = ["fit_prior"]


def fit_prior(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    prior: Annotated[
        str, typer.Option(help="p(z): mixture:components=10, flow, vamp, vae:latent_dim=8.")
    ] = "mixture",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the codes.")] = 50,
    draws: Annotated[int, typer.Option(min=1, help="Codes of each training row.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, e.g. training.clip=1 or prior.samples=64."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the new model.")] = None,
    as_json: Json = False,
) -> None:
    """Fit a prior to the codes of a trained model, and save the model with it.

    Encoder and decoder stay as they are. An autoencoder gets samples in this way.
    """
    with handled(as_json=as_json):
        from vaekit.cli.settings import parse_settings, with_settings
        from vaekit.spec import spec_from_text
        from vaekit.tasks import PriorFit
        from vaekit.tasks import fit_prior as fit
        from vaekit.tasks.ex_post import DEFAULT
        from vaekit.training import Display

        spec = spec_from_text(prior, role="prior")
        folder = out or run.with_name(f"{run.name}-{spec.kind.partition('/')[2]}")
        asked: Any = PriorFit(spec, DEFAULT.replace(epochs=epochs, seed=seed))
        asked = with_settings(asked, parse_settings(settings or []))
        command = shlex.join(["vaekit", *sys.argv[1:]])
        artifact = fit(
            run,
            asked.prior,
            folder,
            training=asked.training,
            draws=draws,
            callbacks=[Display()],
            command=command,
        )
        losses = [record.get("valid_loss", record["loss"]) for record in artifact.history]
        result = {"run": str(folder), "prior": spec.kind, "log_p": -min(losses)}
        what = "log p(z)" if artifact.model.prior.is_exact else "a bound on log p(z)"
        text = f"{spec.kind} in {folder}: {what} of held-out codes {-min(losses):.4f} nats"
        emit(result, text, as_json=as_json)

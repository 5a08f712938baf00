"""``vaekit inspect``: what a saved model is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vaekit.cli.console import Json, emit, handled

__all__ = ["inspect"]


def inspect(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")], as_json: Json = False
) -> None:
    """Show a model's parts, sizes, codec, metrics and provenance."""
    with handled(as_json=as_json):
        from vaekit.artifacts import describe

        described = describe(run)
        emit(described, json.dumps(described, indent=2), as_json=as_json)

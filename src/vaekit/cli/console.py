"""What all commands share: results on standard output, everything else on standard error, exit codes.

Exit codes: 0 done, 1 the computation failed, 2 the request cannot be carried out as it is,
130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from vaekit.errors import NumericalError, VaekitError

__all__ = ["Json", "emit", "handled", "say"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def emit(value: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """The result: one JSON object, or text for people."""
    print(json.dumps(value, allow_nan=False) if as_json else text, flush=True)


@contextmanager
def handled(*, as_json: bool) -> Iterator[None]:
    """Turn typed errors and interruptions into a message and an exit code."""
    try:
        yield
    except VaekitError as error:
        if as_json:
            print(json.dumps(error.to_dict()), flush=True)
        say(f"error: {error}")
        raise typer.Exit(1 if isinstance(error, NumericalError) else 2) from error
    except KeyboardInterrupt as error:
        say("interrupted; continue with: vaekit train --resume DIR")
        raise typer.Exit(130) from error
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        if as_json:
            print(json.dumps({"error": type(error).__name__, "message": message}), flush=True)
        say(f"error: {message}")
        raise typer.Exit(1) from error


def table(rows: Mapping[str, Any]) -> str:
    """Names and values in two columns."""
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in rows.items())


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return "not defined" if value is None else str(value)

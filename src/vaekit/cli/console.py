"""What all commands share: results on standard output, the rest on standard error, exit codes.

Exit codes: 0 done, 1 the computation failed, 2 the request cannot be carried out as it is,
130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from vaekit.errors import NumericalError, VaekitError

__all__ = ["Json", "emit", "handled", "say", "say_notes", "summary"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def say_notes(result: Mapping[str, Any]) -> None:
    """What is missing from a table of metrics, or needs care, on standard error."""
    for note in result["notes"]:
        say(f"note: {note}")


def emit(value: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """The result: one JSON object, or text for people."""
    print(json.dumps(value, allow_nan=False) if as_json else text, flush=True)


@contextmanager
def handled(*, as_json: bool, interrupted: str = "interrupted") -> Iterator[None]:
    """Turn typed errors and interruptions into a message and an exit code."""
    try:
        yield
    except VaekitError as error:
        if as_json:
            print(json.dumps(error.to_dict()), flush=True)
        say(f"error: {error}")
        raise typer.Exit(1 if isinstance(error, NumericalError) else 2) from error
    except KeyboardInterrupt as error:
        if as_json:
            print(json.dumps({"error": "Interrupted", "message": "interrupted"}), flush=True)
        say(interrupted)
        raise typer.Exit(130) from error
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        raise typer.Exit(0) from error
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        if as_json:
            print(json.dumps({"error": type(error).__name__, "message": message}), flush=True)
        say(f"error: {message}")
        raise typer.Exit(1) from error


def summary(result: Mapping[str, Any]) -> str:
    """The main figures of a run in two columns, standard errors beside them."""
    from vaekit.metrics import MEASURES

    names = {"n": "held-out rows", "samples": "importance samples K"}
    names |= {measure.key: measure.title for measure in MEASURES} | {"report": "report"}
    rows = {
        name: _shown(result, key) for key, name in names.items() if result.get(key) is not None
    }
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def _shown(result: Mapping[str, Any], key: str) -> str:
    value, error = result[key], result.get(f"{key}_error")
    if not isinstance(value, float):
        return str(value)
    digits = 2 if abs(value) >= 10 else 4
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None else "")

"""Typed errors: what was expected, what was got, where, and what to do about it.

Every error that a user can cause is a :class:`VaekitError`. Each also derives from the built-in
exception that a caller would expect (``ValueError``, ``ImportError`` …), so that code which knows
nothing of vaekit can still catch it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "MissingExtraError",
    "NotFittedError",
    "NumericalError",
    "ShapeError",
    "VaekitError",
    "did_you_mean",
    "first_line",
]


class VaekitError(Exception):
    """Base of every error that vaekit raises on purpose.

    Args:
        message: What is wrong, in one sentence.
        expected: What would have been right.
        got: What was there instead.
        where: The place: a column, a row, a file, a field.
        remedy: What the user can do now.

    Example:
        >>> str(VaekitError("bad width", expected="at least 1", got=0, where="encoder.hidden[0]"))
        'encoder.hidden[0]: bad width; expected at least 1, got 0'
    """

    def __init__(
        self,
        message: str,
        *,
        expected: object = None,
        got: object = None,
        where: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = message
        self.expected = None if expected is None else str(expected)
        self.got = None if got is None else str(got)
        self.where = where
        self.remedy = remedy
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        facts = [
            f"{name} {value}"
            for name, value in (("expected", self.expected), ("got", self.got))
            if value is not None
        ]
        if facts:
            text += "; " + ", ".join(facts)
        if self.remedy:
            text += f". {self.remedy[0].upper()}{self.remedy[1:]}"
        return text

    def to_dict(self) -> dict[str, str]:
        """The error as JSON-ready fields, for ``--json`` output."""
        fields = {
            "error": type(self).__name__,
            "message": self.message,
            "expected": self.expected,
            "got": self.got,
            "where": self.where,
            "remedy": self.remedy,
        }
        return {name: value for name, value in fields.items() if value is not None}


def first_line(error: BaseException) -> str:
    r"""The first line of what an error of another library says, or its kind where it says nothing.

    Example:
        >>> first_line(ValueError("no\nmore")), first_line(KeyError())
        ('no', 'KeyError')
    """
    return next(iter(str(error).splitlines()), type(error).__name__)


class ConfigError(VaekitError, ValueError):
    """A choice of parts or hyper-parameters that does not make sense."""


class ShapeError(VaekitError, ValueError):
    """Tensors whose shapes do not fit each other."""


class DataError(VaekitError, ValueError):
    """Input data that cannot be used as it is."""


class ArtifactError(VaekitError):
    """A saved model or checkpoint that is corrupt, foreign or unsafe."""


class NotFittedError(VaekitError, ValueError, AttributeError):
    """Something that needs training or calibration was used before it."""


class NumericalError(VaekitError, ArithmeticError):
    """A computation that left the real numbers (NaN or infinite loss)."""


class MissingExtraError(VaekitError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            remedy=f"install it with: pip install 'vaekit[{extra}]'",
        )
        self._given = package, extra, purpose

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), self._given


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the closest known words, or all of them when none is close.

    Example:
        >>> did_you_mean("gausian", ["bernoulli", "gaussian"])
        "did you mean 'gaussian'? Known: bernoulli, gaussian"
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(known) if known else '(none)'}"

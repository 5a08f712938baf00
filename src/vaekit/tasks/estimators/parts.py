"""Parts as plain parameters: specs, their text or nothing, and single fields by name."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping
from typing import Any, Self

from torch import nn

from vaekit.errors import ConfigError
from vaekit.spec import Spec, replace_at, spec_from_text

__all__ = ["ROLES", "PartParameters", "as_part", "number", "whole"]

ROLES = {
    "encoder": "network",
    "decoder": "network",
    "prior": "prior",
    "posterior": "posterior",
    "likelihood": "likelihood",
    "objective": "objective",
}
"""The parameters that hold parts, and which part each is."""


def as_part(value: Any, role: str) -> Any:
    """A part from a parameter: None where the data shall decide, text read, modules copied.

    Args:
        value: A spec, text such as ``"gaussian:scale=shared"``, a module, ``"auto"`` or None.
        role: What the part must be.

    Raises:
        ConfigError: If the text names no such part, or the value is a class.

    Example:
        >>> from vaekit.objectives import ELBO
        >>> as_part("elbo:beta=4", "objective") == ELBO(beta=4.0)
        True
    """
    if value is None or (isinstance(value, str) and value == "auto"):
        return None
    if isinstance(value, str):
        return spec_from_text(value, role=role)
    if isinstance(value, type):
        raise ConfigError(
            f"a class is no {role}", got=value.__name__, remedy=f"write {value.__name__}()"
        )
    return copy.deepcopy(value) if isinstance(value, nn.Module) else value


def whole(name: str, value: Any, low: int = 0) -> int:
    """A parameter that must be a whole number, NumPy's included.

    Raises:
        ConfigError: If it is none, or below ``low``.
    """
    try:
        found = operator.index(value)
    except TypeError:
        found = low - 1
    if isinstance(value, bool) or found < low:
        raise ConfigError(
            "not a fitting value",
            expected=f"a whole number of at least {low}",
            got=repr(value),
            where=name,
        )
    return found


def number(name: str, value: Any, low: float, high: float) -> float:
    """A parameter that must be a number in [low, high).

    Raises:
        ConfigError: If it is none, or lies outside.
    """
    try:
        fits = not isinstance(value, str | bool) and low <= float(value) < high
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigError(
            "not a fitting value",
            expected=f"a number from {low:g} to below {high:g}",
            got=repr(value),
            where=name,
        )
    return float(value)


class PartParameters:
    """Lets ``get_params`` and ``set_params`` reach into parts: ``objective__beta=4``.

    For classes that stand before ``sklearn.base.BaseEstimator`` in the order of bases.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name.

        Args:
            deep: Whether to list the fields of parts too, as ``part__field``.
        """
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        if deep:
            for name in ROLES:
                params |= _fields(name, params.get(name))
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or single fields of parts as ``part__field``.

        Returns:
            The estimator.

        Raises:
            ValueError: If there is no such parameter or field.
        """
        inner = {name: value for name, value in params.items() if _part_of(name)}
        super().set_params(**{k: v for k, v in params.items() if k not in inner})  # type: ignore[misc]
        for name, value in inner.items():
            part, _, path = name.partition("__")
            setattr(self, part, self._with_field(part, path.replace("__", "."), value))
        return self

    def _with_field(self, name: str, path: str, value: Any) -> Spec:
        part = as_part(getattr(self, name, None), ROLES[name])
        if not isinstance(part, Spec):
            raise ConfigError(
                f"{name} has no field {path!r} to set",
                got=repr(part),
                where=f"{name}__{path.replace('.', '__')}",
                remedy=f"choose the part first, for example {name}='NAME'",
            )
        return replace_at(part, path, value)


def _part_of(name: str) -> bool:
    part, found, _ = name.partition("__")
    return bool(found) and part in ROLES


def _fields(name: str, part: Any) -> Mapping[str, Any]:
    """All fields of a spec and of the specs in it, by names joined with ``__``."""
    if not isinstance(part, Spec):
        return {}
    found: dict[str, Any] = {}
    for field in part.__dataclass_fields__:  # type: ignore[attr-defined]
        inner = getattr(part, field)
        found[f"{name}__{field}"] = inner
        found |= _fields(f"{name}__{field}", inner)
    return found

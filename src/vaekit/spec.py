"""Specs: small frozen values that say which part to build, and with which hyper-parameters.

A *spec* knows everything about a part except the sizes that only the data can tell. It is cheap,
hashable, comparable, safe to copy, and turns into JSON and back. Calling ``build`` with the sizes
gives the module. Declaring a spec class with a ``kind`` registers it:

    >>> from typing import Annotated
    >>> class Smooth(Spec, kind="demo/smooth"):
    ...     width: Annotated[int, Within(1, 100)] = 3
    >>> spec = Smooth(width=5)
    >>> to_json(spec)
    {'kind': 'demo/smooth', 'width': 5}
    >>> from_json({"kind": "demo/smooth", "width": 5}) == spec
    True

Every value is checked against its annotation when the spec is made, wherever it comes from:
Python, the command line, or a file written by a stranger. This module needs no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Union, cast, dataclass_transform

from vaekit.errors import ConfigError, did_you_mean

__all__ = [
    "Part",
    "Ref",
    "Role",
    "Spec",
    "Within",
    "from_json",
    "lookup",
    "parse_value",
    "references",
    "registered",
    "replace_at",
    "spec_from_text",
    "spec_of",
    "to_json",
]

MAX_ITEMS = 100_000
MAX_DEPTH = 16
NAMED = re.compile(r"[A-Za-z][\w/-]*:\w+=")
"""How text begins that names a part with its fields, in which commas belong to the fields."""
_registry: dict[str, type[Spec]] = {}


@dataclasses.dataclass(frozen=True)
class Within:
    """Closed bounds of a number: ``Annotated[int, Within(1, 65_536)]``."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"at least {self.low:g}"
        if self.low == -math.inf:
            return f"at most {self.high:g}"
        return f"between {self.low:g} and {self.high:g}"


@dataclasses.dataclass(frozen=True)
class Role:
    """What a part must be: a spec whose kind begins with ``name/``, or a module of the user's."""

    name: str


@dataclasses.dataclass(frozen=True)
class Ref:
    """Another part of the same model, by name: it is shared, not copied, and stored once.

    Whoever builds the model hands the part itself to ``build``, under the name of the field.

    Args:
        name: Of the part, as the model's spec calls it.

    Example:
        >>> class Echo(Spec, kind="demo/echo"):
        ...     voice: Ref = Ref("encoder")
        >>> to_json(Echo())
        {'kind': 'demo/echo', 'voice': {'$ref': 'encoder'}}
        >>> references(Echo(), {"encoder": "the module"})
        {'voice': 'the module'}
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier() or len(self.name) > 64:
            raise ConfigError(
                "not a reference", expected="the name of a part", got=_brief(self.name)
            )


@dataclass_transform(frozen_default=True)
class Spec:
    """Base of all specs: subclass it with a ``kind`` and annotated fields.

    Subclasses become frozen dataclasses. ``kind`` is ``"role/name"`` and registers the class;
    leave it out for an abstract base. Override :meth:`validate` for checks across fields.
    """

    kind: ClassVar[str] = ""

    def __init_subclass__(cls, *, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = kind
        dataclasses.dataclass(frozen=True)(cls)
        if kind:
            _register(kind, cls)

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            value = _check(getattr(self, name), hint, where=f"{self._name()}.{name}")
            object.__setattr__(self, name, value)
        self.validate()

    def validate(self) -> None:
        """Raise :class:`ConfigError` when the fields do not fit each other."""

    def replace(self, **changes: Any) -> typing.Self:
        """A copy with some fields changed."""
        known = _hints(type(self))
        for name in changes:
            if name not in known:
                raise ConfigError(
                    f"no field {name!r}", where=self._name(), remedy=did_you_mean(name, known)
                )
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    @classmethod
    def _name(cls) -> str:
        return cls.kind or cls.__name__


Part = Annotated[Any, Role("")]
"""Annotation of a field that holds another spec; ``Annotated[Any, Role("prior")]`` narrows it."""


def _register(kind: str, cls: type[Spec]) -> None:
    role, _, name = kind.partition("/")
    if not role or not name:
        raise ConfigError("a kind is 'role/name'", got=kind, where=cls.__qualname__)
    other = _registry.get(kind)
    if other is not None and (other.__module__, other.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise ConfigError(
            f"the kind {kind!r} is taken by {other.__module__}.{other.__qualname__}",
            where=f"{cls.__module__}.{cls.__qualname__}",
            remedy="choose another name",
        )
    _registry[kind] = cls


def registered(role: str = "") -> dict[str, type[Spec]]:
    """The registered spec classes by kind, or by bare name when a role is given."""
    if not role:
        return dict(sorted(_registry.items()))
    prefix = f"{role}/"
    return {k[len(prefix) :]: c for k, c in sorted(_registry.items()) if k.startswith(prefix)}


def lookup(kind: str, *, role: str = "") -> type[Spec]:
    """The spec class of ``kind``; with a role, the bare name is enough."""
    full = f"{role}/{kind}" if role and "/" not in kind else kind
    cls = _registry.get(full)
    if cls is None or (role and not full.startswith(f"{role}/")):
        known = registered(role) if role and "/" not in kind else registered()
        what = f"{role} " if role else "part "
        raise ConfigError(f"unknown {what}{kind!r}", remedy=did_you_mean(kind, known))
    return cls


def spec_of(part: Any) -> Spec:
    """The spec from which a part was built (the part itself when it is a spec).

    Raises:
        ConfigError: If the part is a module that was not built from a registered spec.
    """
    if isinstance(part, Spec):
        return part
    spec = getattr(part, "spec", None)
    if isinstance(spec, Spec) and spec.kind:
        return spec
    raise ConfigError(
        f"{type(part).__name__} was not built from a registered spec, so it cannot be described",
        remedy="it can be trained as it is; to save it, give it a Spec subclass with a kind "
        "whose build() returns it, and pass that spec instead",
    )


def references(spec: Any, parts: Mapping[str, Any]) -> dict[str, Any]:
    """What the :class:`Ref` fields of a spec stand for, by the field's name.

    Raises:
        ConfigError: If there is no such part.
    """
    found = {}
    for field in _hints(type(spec)) if isinstance(spec, Spec) else ():
        ref = getattr(spec, field)
        if not isinstance(ref, Ref):
            continue
        if ref.name not in parts:
            raise ConfigError(
                f"no part {ref.name!r} to refer to",
                where=f"{spec.kind}.{field}",
                remedy=did_you_mean(ref.name, parts),
            )
        found[field] = parts[ref.name]
    return found


# --- JSON both ways ---------------------------------------------------------------------------


def to_json(spec: Any) -> dict[str, Any]:
    """The spec as JSON-ready values, every field written out."""
    spec = spec_of(spec)
    fields = {name: _value_to_json(getattr(spec, name)) for name in _hints(type(spec))}
    return {"kind": spec.kind, **fields}


def _value_to_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_value_to_json(item) for item in value]
    if isinstance(value, Ref):
        return {"$ref": value.name}
    return to_json(value)


def from_json(value: Any, *, role: str = "", where: str = "spec", depth: int = 0) -> Spec:
    """The spec that ``to_json`` wrote; builds registered names with checked values only."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"nested more than {MAX_DEPTH} deep", where=where)
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        raise ConfigError(
            "not a spec", expected="an object with a 'kind'", got=_brief(value), where=where
        )
    cls = lookup(value["kind"], role=role)
    known = _hints(cls)
    fields = {}
    for name, item in value.items():
        if name == "kind":
            continue
        if name not in known:
            raise ConfigError(
                f"unknown field {name!r} of {cls.kind}",
                where=where,
                remedy=did_you_mean(name, known),
            )
        fields[name] = _value_from_json(item, where=f"{where}.{name}", depth=depth + 1)
    return _construct(cls, fields)


def _construct(cls: type[Spec], fields: dict[str, Any]) -> Spec:
    missing = [
        f.name
        for f in dataclasses.fields(cls)  # type: ignore[arg-type]
        if f.name not in fields
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{cls.kind} needs {', '.join(missing)}")
    return cls(**fields)


def _value_from_json(value: Any, *, where: str, depth: int) -> Any:
    if isinstance(value, Mapping) and set(value) == {"$ref"}:
        return Ref(value["$ref"])
    if isinstance(value, Mapping):
        return from_json(value, where=where, depth=depth)
    if isinstance(value, list):
        if depth > MAX_DEPTH:
            raise ConfigError(f"nested more than {MAX_DEPTH} deep", where=where)
        if len(value) > MAX_ITEMS:
            raise ConfigError(
                "too many items", expected=f"at most {MAX_ITEMS}", got=len(value), where=where
            )
        return tuple(
            _value_from_json(v, where=f"{where}[{i}]", depth=depth + 1)
            for i, v in enumerate(value)
        )
    return value


# --- text, for the command line ----------------------------------------------------------------


def parse_value(text: str) -> Any:
    """A command-line word as a value: ``none``, ``true``, ``3``, ``0.5``, ``8,4`` or itself.

    Example:
        >>> parse_value("8,4"), parse_value("mlp:hidden=8,4")
        ((8, 4), 'mlp:hidden=8,4')
    """
    word = text.strip()
    if word.lower() in {"none", "null"}:
        return None
    if word.lower() in {"true", "false"}:
        return word.lower() == "true"
    if "," in word and not NAMED.match(word):
        return tuple(parse_value(item) for item in word.split(",") if item.strip())
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word


def spec_from_text(text: str, *, role: str) -> Spec:
    """A spec from ``name`` or ``name:field=value:field=value``.

    Example:
        >>> class Rough(Spec, kind="demo/rough"):
        ...     grain: float = 1.0
        >>> spec_from_text("rough:grain=2", role="demo")
        Rough(grain=2.0)
    """
    name, *settings = text.split(":")
    cls = lookup(name.strip(), role=role)
    fields = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"{setting!r} is not field=value", where=text)
        if key not in _hints(cls):
            raise ConfigError(
                f"unknown field {key!r} of {cls.kind}",
                where=text,
                remedy=did_you_mean(key, _hints(cls)),
            )
        fields[key] = _or_word_none(parse_value(value), _hints(cls)[key])
    return _construct(cls, fields)


def replace_at(spec: Spec, path: str, value: Any) -> Spec:
    """A copy with the field at a dotted path changed, e.g. ``encoder.hidden``.

    A string given for a part is read as :func:`spec_from_text` reads it.
    """
    head, _, rest = path.partition(".")
    known = _hints(type(spec))
    if head not in known:
        raise ConfigError(
            f"unknown setting {path!r}", where=spec.kind, remedy=did_you_mean(head, known)
        )
    if rest:
        inner = getattr(spec, head)
        if not isinstance(inner, Spec):
            raise ConfigError(
                f"{head!r} is {inner!r}, which has no settings of its own",
                where=spec.kind,
                remedy=f"choose it first, e.g. {head}=NAME",
            )
        return spec.replace(**{head: replace_at(inner, rest, value)})
    role = _role_of(known[head])
    if role and isinstance(value, str):
        value = spec_from_text(value, role=role)
    return spec.replace(**{head: _or_word_none(value, known[head])})


def _or_word_none(value: Any, hint: Any) -> Any:
    """The word ``none`` is read as None, but for some fields it is one of the choices."""
    chosen = value is None and typing.get_origin(hint) is Literal
    return "none" if chosen and "none" in typing.get_args(hint) else value


# --- checking values against annotations --------------------------------------------------------


def _read_hints(cls: type[Spec]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}  # type: ignore[arg-type]


_hints = cast("Callable[[type[Spec]], dict[str, Any]]", functools.cache(_read_hints))


def _role_of(hint: Any) -> str:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return next((role for arg in typing.get_args(hint) if (role := _role_of(arg))), "")
    return next((m.name for m in getattr(hint, "__metadata__", ()) if isinstance(m, Role)), "")


def _check(value: Any, hint: Any, *, where: str) -> Any:
    """``value`` converted to what ``hint`` asks for, or a ConfigError that says why not."""
    if hint is Any:
        return value
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _check_annotated(value, hint, where=where)
    if origin in (Union, types.UnionType):
        return _check_union(value, hint, where=where)
    if origin is Literal:
        if value in typing.get_args(hint):
            return value
        raise ConfigError(
            "not one of the choices", expected=_describe(hint), got=repr(value), where=where
        )
    if origin is tuple:
        return _check_tuple(value, hint, where=where)
    return _check_plain(value, hint, where=where)


def _check_annotated(value: Any, hint: Any, *, where: str) -> Any:
    base, *notes = typing.get_args(hint)
    value = _check(value, base, where=where)
    for note in notes:
        if isinstance(note, Within) and not note.low <= value <= note.high:
            raise ConfigError("out of bounds", expected=str(note), got=value, where=where)
        if isinstance(note, Role) and isinstance(value, Spec):
            if note.name and not value.kind.startswith(f"{note.name}/"):
                raise ConfigError(f"not a {note.name}", got=value.kind or repr(value), where=where)
        elif isinstance(note, Role) and not callable(value):
            raise ConfigError(
                f"not a {note.name or 'part'}",
                expected=_describe(hint),
                got=_brief(value),
                where=where,
            )
    return value


def _check_union(value: Any, hint: Any, *, where: str) -> Any:
    first: ConfigError | None = None
    options = typing.get_args(hint)
    exact = [o for o in options if isinstance(o, type) and type(value) is o]
    for option in exact or options:
        try:
            return _check(value, option, where=where)
        except ConfigError as error:
            first = first or error
    if first is not None and len([o for o in options if o is not type(None)]) == 1:
        raise first
    raise ConfigError("wrong value", expected=_describe(hint), got=_brief(value), where=where)


def _check_tuple(value: Any, hint: Any, *, where: str) -> tuple[Any, ...]:
    item = typing.get_args(hint)[0]
    if isinstance(value, list):
        value = tuple(value)
    if not isinstance(value, tuple):
        value = (value,)
    if len(value) > MAX_ITEMS:
        raise ConfigError(
            "too many items", expected=f"at most {MAX_ITEMS}", got=len(value), where=where
        )
    return tuple(_check(v, item, where=f"{where}[{i}]") for i, v in enumerate(value))


def _check_plain(value: Any, hint: Any, *, where: str) -> Any:
    if hint is type(None) and value is None:
        return None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        raise ConfigError("not a finite number", got=value, where=where)
    wrong_bool = isinstance(value, bool) and hint is not bool
    if wrong_bool or not isinstance(hint, type) or not isinstance(value, hint):
        raise ConfigError("wrong type", expected=_describe(hint), got=_brief(value), where=where)
    return value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def _describe(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        base, *notes = typing.get_args(hint)
        role = next((n.name for n in notes if isinstance(n, Role)), None)
        if role == "":
            return "a spec or module"
        if role:
            names = ", ".join(registered(role))
            return f"a {role} spec or module" + (f" ({names})" if names else "")
        return " ".join([_describe(base), *(str(n) for n in notes if isinstance(n, Within))])
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in typing.get_args(hint))
    if origin is Literal:
        return " or ".join(repr(option) for option in typing.get_args(hint))
    if origin is tuple:
        return f"a sequence of {_describe(typing.get_args(hint)[0])}"
    if hint is type(None):
        return "none"
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

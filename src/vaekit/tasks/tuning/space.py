"""What is searched: ranges and choices for the fields of a composition."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from vaekit.errors import ConfigError, VaekitError
from vaekit.spec import Spec, parse_value, replace_at
from vaekit.tasks.composition import Composition

if TYPE_CHECKING:
    from optuna import Trial

__all__ = [
    "Axis",
    "Choice",
    "Range",
    "apply",
    "default_space",
    "own_values",
    "parse_axis",
    "short_names",
]

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*((?::[^:]*)*)")
LARGE = 64
GRAMMAR = "LOW..HIGH, LOW..HIGH:log, LOW..HIGH:step=S or A|B|…"


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Args:
        low: The smallest.
        high: The largest.
        log: Whether they are spread evenly in the logarithm.
        step: Distance between neighbours; None for any number.
        whole: Whether they are whole numbers.

    Raises:
        ConfigError: If the range is empty, or a logarithm has a step or does not start above 0.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError("an empty range", expected="LOW below HIGH", got=str(self))
        if self.log and self.low <= 0:
            raise ConfigError("a logarithm needs numbers above 0", got=str(self))
        if self.step is not None and (self.log or self.step <= 0):
            raise ConfigError("a step is above 0 and goes without log", got=str(self))
        if self.whole and any(number % 1 for number in (self.low, self.high, self.step or 1)):
            raise ConfigError("not whole numbers", expected="a range of them", got=str(self))

    def __str__(self) -> str:
        options = (":log" if self.log else "") + (f":step={self.step:g}" if self.step else "")
        return f"{self.low:g}..{self.high:g}{options}"

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range, on its grid."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)

    def suggest(self, trial: Trial, key: str) -> Any:
        """A value for a trial."""
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(key, low, high, log=self.log, step=step)
        return trial.suggest_float(key, self.low, self.high, log=self.log, step=self.step)

    def read(self, value: Any) -> Any:
        """What a trial holds as the value of a field."""
        return value


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several words, each read as ``--set`` reads it.

    Raises:
        ConfigError: If there are fewer than two different ones.
    """

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) < max(2, len(self.options)) or not all(self.options):
            raise ConfigError("not a choice", expected="different words A|B|…", got=str(self))

    def __str__(self) -> str:
        return "|".join(self.options)

    def suggest(self, trial: Trial, key: str) -> Any:
        """A value for a trial, as text: Optuna's categories hold no tuples."""
        return trial.suggest_categorical(key, self.options)

    def read(self, value: Any) -> Any:
        """What a trial holds as the value of a field."""
        return parse_value(value)


Axis = Range | Choice


def parse_axis(key: str, text: str, composition: Composition) -> Axis:
    """A range or a choice from command-line text.

    Args:
        key: The dotted path of the field, e.g. ``model.latent_dim``.
        text: ``LOW..HIGH`` for numbers, with ``:log`` for an even spread of the logarithm or
            ``:step=S``; or ``A|B|…``. A range over a field of whole numbers has whole numbers.
        composition: Whose field it is.

    Raises:
        ConfigError: If the text is neither, or the field cannot have a value of it.

    Example:
        >>> parse_axis("model.latent_dim", "2..64:log", Composition())
        Range(low=2.0, high=64.0, log=True, step=None, whole=True)
        >>> parse_axis("model.encoder.hidden", "256,128|512", Composition()).options
        ('256,128', '512')
    """
    where = f"--space {key}"
    try:
        found = RANGE.fullmatch(text)
        axis = _range(key, composition, *found.groups()) if found else _choice(text)
        ends = axis.options if isinstance(axis, Choice) else (axis.low, axis.high)
        for value in ends:
            _try(composition, key, axis.read(int(value) if _is_whole(axis) else value))
    except VaekitError as error:
        raise ConfigError(f"{where}={text}: {error}") from error
    return axis


def _choice(text: str) -> Choice:
    if "|" not in text:
        raise ConfigError("neither a range nor a choice", expected=GRAMMAR, got=text)
    return Choice(tuple(word.strip() for word in text.split("|")))


def _range(key: str, composition: Composition, low: str, high: str, words: str) -> Range:
    log, step = False, None
    for word in filter(None, words.split(":")):
        name, _, number = word.partition("=")
        if word == "log":
            log = True
        elif name == "step" and re.fullmatch(NUMBER, number):
            step = float(number)
        else:
            raise ConfigError("unknown option of a range", expected=GRAMMAR, got=f":{word}")
    start, stop = float(low), float(high)
    whole = not _takes(composition, key, start + (stop - start) / math.pi)
    return Range(start, stop, log, step, whole)


def _takes(composition: Composition, key: str, value: float) -> bool:
    """Whether the field takes a number that is not whole."""
    try:
        _try(composition, key, value)
    except ConfigError:
        return False
    return True


def _is_whole(axis: Axis) -> bool:
    return isinstance(axis, Range) and axis.whole


def _try(composition: Composition, key: str, value: Any) -> None:
    replace_at(composition, key, value)


def apply(composition: Composition, space: Mapping[str, Axis], params: Mapping[str, Any]) -> Any:
    """The composition with the values of a trial."""
    changed: Spec = composition
    for key, axis in space.items():
        changed = replace_at(changed, key, axis.read(params[key]))
    return changed


def default_space(
    composition: Composition, *, most: int = LARGE, fixed: Collection[str] = ()
) -> dict[str, Axis]:
    """Ranges around a recipe's own values, for the fields that it has.

    The latent dimension from 2 to 64, or from half to twice the recipe's where that is larger; the
    learning rate from a tenth to five times the recipe's; β from a quarter to four times where the
    objective has a constant one; and the widths halved, as they are, and doubled.

    Args:
        composition: Of the recipe.
        most: Numbers in one row of data, above which no code is tried.
        fixed: Dotted paths that are not searched.

    Example:
        >>> {key: str(axis) for key, axis in default_space(Composition()).items()}
        {'model.latent_dim': '2..64:log', 'training.optimizer.lr': '0.0002..0.01:log',
         'objective.beta': '0.25..4:log', 'model.encoder.hidden': '128,64|256,128|512,256'}
    """
    model, beta = composition.model, getattr(composition.objective, "beta", None)
    space: dict[str, Axis] = {}
    size = getattr(model, "latent_dim", 0)
    if size > LARGE:  # of parts of which each has several numbers: keep to multiples
        space["model.latent_dim"] = Range(size // 2, size * 2, step=size // 2, whole=True)
    elif size and most > 2:
        space["model.latent_dim"] = Range(2, min(LARGE, most), log=True, whole=True)
    lr = composition.training.optimizer.lr
    space["training.optimizer.lr"] = Range(lr / 10, min(1.0, lr * 5), log=True)
    if isinstance(beta, float) and beta > 0:
        space["objective.beta"] = Range(beta / 4, beta * 4, log=True)
    hidden = getattr(getattr(model, "encoder", None), "hidden", ())
    if hidden:
        widths = [[max(1, round(width * scale)) for width in hidden] for scale in (0.5, 1, 2)]
        space["model.encoder.hidden"] = Choice(tuple(",".join(map(str, w)) for w in widths))
    return {key: axis for key, axis in space.items() if not _covers(fixed, key)}


def _covers(fixed: Collection[str], key: str) -> bool:
    """Whether a path, or a part that it lies in, is fixed."""
    return any(key == path or key.startswith(f"{path}.") for path in fixed)


def short_names(keys: Collection[str]) -> dict[str, str]:
    """The last words of dotted paths, as few as tell them apart.

    Example:
        >>> short_names(["model.encoder.hidden", "model.decoder.hidden", "objective.beta"])
        {'model.encoder.hidden': 'encoder.hidden', 'model.decoder.hidden': 'decoder.hidden',
         'objective.beta': 'beta'}
    """

    def endings(key: str) -> list[str]:
        words = key.split(".")
        return [".".join(words[i:]) for i in reversed(range(len(words)))]

    count = Counter(ending for key in keys for ending in endings(key))
    return {key: next(e for e in endings(key) if count[e] == 1 or e == key) for key in keys}


def own_values(composition: Composition, space: Mapping[str, Axis]) -> dict[str, Any] | None:
    """The composition's own values as a trial holds them; None where one lies outside."""
    params = {key: _own_value(composition, key, axis) for key, axis in space.items()}
    return None if None in params.values() else params


def _own_value(composition: Composition, key: str, axis: Axis) -> Any:
    if isinstance(axis, Range):
        value = functools.reduce(getattr, key.split("."), composition)
        return value if axis.holds(value) else None
    tried = {option: apply(composition, {key: axis}, {key: option}) for option in axis.options}
    return next((option for option, made in tried.items() if made == composition), None)

"""Options of a column type, as a user writes them in text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from vaekit.errors import ConfigError, did_you_mean
from vaekit.spec import Spec, parse_value

__all__ = ["NoOptions", "read_options"]

Options = TypeVar("Options", bound=Spec)


class NoOptions(Spec):
    """Of a column type without options."""


def read_options(cls: type[Options], given: Mapping[str, str], name: str) -> Options:
    """Options as a spec, whose annotations are the checks; lists stay text between commas.

    Args:
        cls: The spec of the options; a field whose default is a tuple is a list.
        given: Text of each option.
        name: Of the column, for messages.

    Raises:
        ConfigError: If an option is unknown or its value is wrong.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    made = {}
    for option, text in given.items():
        if option not in fields:
            known = did_you_mean(option, fields) if fields else "this type has no options"
            raise ConfigError(
                f"unknown option {option!r} of this column type",
                where=f"column {name!r}",
                remedy=known,
            )
        listed = isinstance(fields[option].default, tuple)
        made[option] = tuple(text.split(",")) if listed else parse_value(text)
    try:
        return cls(**made)
    except ConfigError as error:
        raise ConfigError(
            error.message,
            expected=error.expected,
            got=error.got,
            where=f"column {name!r}, option {(error.where or '').rpartition('.')[2]}",
            remedy=error.remedy,
        ) from error

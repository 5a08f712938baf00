"""Columns of tables: what kinds there are, and how their values become numbers and back."""

from vaekit.data.columns.boolean import Boolean
from vaekit.data.columns.categories import OTHER, Categorical
from vaekit.data.columns.coded import Coded
from vaekit.data.columns.column import Column, Field, FieldKind, Summary
from vaekit.data.columns.counts import Counts
from vaekit.data.columns.datetimes import DateTime
from vaekit.data.columns.numeric import Numeric
from vaekit.data.columns.ordinal import Ordinal
from vaekit.data.columns.positive import Positive, ZeroInflated
from vaekit.data.columns.strays import Strays
from vaekit.data.columns.values import Values

__all__ = [
    "OTHER",
    "Boolean",
    "Categorical",
    "Coded",
    "Column",
    "Counts",
    "DateTime",
    "Field",
    "FieldKind",
    "Numeric",
    "Ordinal",
    "Positive",
    "Strays",
    "Summary",
    "Values",
    "ZeroInflated",
]

"""Likelihood and network of a table, from its schema."""

from __future__ import annotations

from collections.abc import Sequence

from vaekit.data import TableCodec, WindowCodec
from vaekit.data.columns import Counts, Field, FieldKind
from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    Circular,
    ColumnGroup,
    Gaussian,
    Missing,
    NegativeBinomial,
    Ordinal,
    Table,
)
from vaekit.networks import MLP, Columns
from vaekit.spec import Spec

__all__ = ["table_likelihood", "table_network"]

NUMERIC = Gaussian(scale="per-column", floor=0.3)
"""A scale of at least 0.3 deviations of a column: what is finer is often that of rows that repeat,
and where training rows hold anomalies, of these."""
NETWORK = MLP(hidden=(64, 64), activation="silu")


def table_likelihood(codec: TableCodec | WindowCodec, numeric: Spec = NUMERIC) -> Table:
    """The likelihood whose columns have the kinds that the schema says.

    Args:
        codec: The schema.
        numeric: Likelihood of real numbers, which are about standardised; its floor is raised to
            the spacing of each column, if it has one floor for each.

    Example:
        >>> import pandas
        >>> from vaekit.data import fit_table
        >>> codec = fit_table(pandas.DataFrame({"a": [0.5, 1.25], "b": [True, False]}))
        >>> [group.likelihood.kind for group in table_likelihood(codec).groups]
        ['likelihood/gaussian', 'likelihood/bernoulli']
    """
    fields = codec.fields
    groups = []
    for kind, size in dict.fromkeys((f.kind, f.size) for f in fields):
        held = [i for i, f in enumerate(fields) if (f.kind, f.size) == (kind, size)]
        likelihood = _likelihood(kind, size, numeric, [fields[i] for i in held])
        groups.append(ColumnGroup(tuple(held), likelihood))
    return Table(tuple(groups), _missing(fields))


def _likelihood(kind: FieldKind, size: int, numeric: Spec, fields: Sequence[Field]) -> Spec:
    if kind == "real":
        return _with_floors(numeric, [field.floor for field in fields])
    if kind == "count":
        return NegativeBinomial(dispersion="per-column")
    if kind == "bit":
        return Bernoulli()
    if kind == "code":
        return Categorical(categories=size)
    return Ordinal(levels=size) if kind == "level" else Circular()


def _with_floors(numeric: Spec, floors: Sequence[float]) -> Spec:
    """The likelihood with the floor of each column, where it learns a scale for each."""
    least = getattr(numeric, "floor", None)
    scale = getattr(numeric, "scale", "per-element")
    if not isinstance(least, float) or scale not in ("per-column", "per-element"):
        return numeric
    return numeric.replace(floor=tuple(min(max(least, floor), 1e3) for floor in floors))


def _missing(fields: Sequence[Field]) -> Missing:
    """Rates by Laplace's rule of succession: a value that was never missing is not always there.

    Odds are predicted where training rows tell something of them.
    """
    odds = [field.missing or (0, 0) for field in fields]
    return Missing(
        rates=tuple((absent + 1) / (rows + 2) for absent, rows in odds),
        predicted=tuple(i for i, (absent, rows) in enumerate(odds) if 0 < absent < rows),
        void=tuple(i for i, field in enumerate(fields) if field.missing is None),
    )


def table_network(codec: TableCodec | WindowCodec, inner: Spec = NETWORK) -> Columns:
    """The network that reads rows of this schema; ``inner`` reads what it makes of them."""
    fields = codec.fields
    places: dict[str, tuple[int, ...]] = {
        kind: tuple(i for i, field in enumerate(fields) if field.kind == kind)
        for kind in ("real", "bit", "count", "level", "code", "circle")
    }
    columns = [codec.columns[owner] for owner in codec.owners]
    counts = [column for column in columns if isinstance(column, Counts)]
    return Columns(
        inner=inner,
        reals=places["real"],
        bits=places["bit"],
        counts=places["count"],
        count_locs=tuple(column.log_loc for column in counts),
        count_scales=tuple(column.log_scale for column in counts),
        levels=places["level"],
        level_sizes=tuple(fields[i].size for i in places["level"]),
        codes=places["code"],
        code_sizes=tuple(fields[i].size for i in places["code"]),
        circles=places["circle"],
        flags=tuple(i for i, field in enumerate(fields) if field.missing and field.missing[0]),
    )

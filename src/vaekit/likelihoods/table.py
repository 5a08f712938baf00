"""The likelihood of table rows: a product of likelihoods over groups of columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, cast

import torch
from torch import Tensor, nn

from vaekit.distributions import TableDensity
from vaekit.errors import ConfigError
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Role, Spec, Within

__all__ = ["ColumnGroup", "Missing", "Table", "TableLikelihood"]

Place = Annotated[int, Within(0, 100_000)]


class ColumnGroup(Spec, kind="table/group"):
    """Columns that share a likelihood.

    Args:
        columns: Which, by their place in x.
        likelihood: Of a vector of so many elements.
    """

    columns: tuple[Place, ...]
    likelihood: Annotated[Any, Role("likelihood")]


class Missing(Spec, kind="table/missing"):
    """How missing values are scored.

    Args:
        rates: Probability of being missing, one for each column, as training rows have it.
        predicted: Columns whose odds the decoder predicts; those of others are constant.
        void: Columns whose absence is no event: another column says it already.
    """

    rates: tuple[Annotated[float, Within(1e-12, 1 - 1e-12)], ...]
    predicted: tuple[Place, ...] = ()
    void: tuple[Place, ...] = ()


class Table(Spec, kind="likelihood/table"):
    r"""A product over columns, :math:`\log p(x \mid z) = \sum_i \log p_i(x_i \mid z)`.

    Each group of columns has a likelihood of its own, any that is registered; densities and masses
    add up, so the sum is a density with respect to the product of their measures, in nats. A value
    that is missing (NaN) is an event with a probability: see
    :class:`~vaekit.distributions.TableDensity`.

    The decoder's output is counted from the marginal distribution of the training rows, so that a
    decoder that emits zeros knows how frequent each category is.

    Args:
        groups: They hold each column once.
        missing: How missing values are scored; None where there cannot be any.

    Example:
        >>> from vaekit.likelihoods import Categorical, Gaussian
        >>> table = Table(
        ...     (
        ...         ColumnGroup((0, 2), Gaussian(scale=1.0)),
        ...         ColumnGroup((1,), Categorical(categories=3)),
        ...     )
        ... )
        >>> px = table.build(event_shape=(3,))(torch.zeros(5, 5))
        >>> px.log_prob_elements(torch.tensor([0.0, 2.0, 0.0]))[0]
        tensor([-0.9189, -1.0986, -0.9189])
    """

    groups: tuple[Annotated[Any, Role("table")], ...]
    missing: Annotated[Any, Role("table")] | None = None

    def validate(self) -> None:
        """Check that the groups hold each column once."""
        if not all(isinstance(group, ColumnGroup) for group in self.groups):
            raise ConfigError("not groups of columns", where=f"{self.kind}.groups")
        held = sorted(column for group in self.groups for column in group.columns)
        if not held or held != [*range(len(held))]:
            raise ConfigError(
                "the groups of a table hold each column once",
                expected="columns 0, 1, 2, … without gap or repetition",
                got=held[:10],
                where=f"{self.kind}.groups",
            )
        if self.missing is not None:
            self._check_missing(self.missing, len(held))

    def _check_missing(self, missing: Any, dim: int) -> None:
        where = f"{self.kind}.missing"
        if not isinstance(missing, Missing):
            raise ConfigError("not how missing values are scored", where=where)
        if len(missing.rates) != dim:
            raise ConfigError(
                "one rate for each column", expected=dim, got=len(missing.rates), where=where
            )
        named = {*missing.predicted, *missing.void}
        twice = len(set(missing.predicted)) < len(missing.predicted)
        if twice or not named <= {*range(dim)} or {*missing.predicted} & {*missing.void}:
            raise ConfigError(
                "a column is predicted, or void, or neither",
                expected=f"columns 0 to {dim - 1}, each once at most",
                got=f"predicted {missing.predicted[:5]}, void {missing.void[:5]}",
                where=where,
            )

    def build(self, *, event_shape: Sequence[int]) -> TableLikelihood:
        """The module for rows of shape ``(D,)``."""
        return TableLikelihood(self, event_shape)


class TableLikelihood(Likelihood):
    """The module of :class:`Table`; the decoder emits the parameters group by group."""

    spec: Table
    start: Tensor
    initialised: Tensor
    order: Tensor
    log_odds: Tensor
    predicted: Tensor
    void: Tensor
    remedy = "look at how the codec of the table was fitted"

    def __init__(self, spec: Table, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape)
        columns = [column for group in spec.groups for column in group.columns]
        if tuple(event_shape) != (len(columns),):
            raise ConfigError(
                "the likelihood is of rows of another length",
                expected=f"({len(columns)},)",
                got=tuple(event_shape),
                where=spec.kind,
            )
        heads = [
            group.likelihood.build(event_shape=(len(group.columns),)) for group in spec.groups
        ]
        for head in heads:
            _require_head(head)
        self.heads = nn.ModuleList(heads)
        self.sizes = [math.prod(head.params_shape) for head in heads]
        odds = len(spec.missing.predicted) if spec.missing is not None else 0
        self.sizes.append(odds)
        order = torch.tensor(columns).argsort()
        self.register_buffer("order", order, persistent=False)
        for number, group in enumerate(spec.groups):
            place = torch.tensor(group.columns)
            self.register_buffer(f"place_{number}", place, persistent=False)
        self.register_buffer("start", torch.zeros(sum(self.sizes)))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        if spec.missing is not None:
            self._prepare_missing(spec.missing, len(columns))

    def _prepare_missing(self, missing: Missing, dim: int) -> None:
        rates = torch.tensor(missing.rates, dtype=torch.float64)
        self.register_buffer("log_odds", rates.logit().float(), persistent=False)
        predicted = torch.tensor(missing.predicted, dtype=torch.long)
        self.register_buffer("predicted", predicted, persistent=False)
        void = torch.zeros(dim, dtype=torch.bool)
        void[list(missing.void)] = True
        self.register_buffer("void", void, persistent=False)

    @property
    def params_shape(self) -> tuple[int, ...]:
        """All parameters of all groups, and the odds that are predicted."""
        return (sum(self.sizes),)

    @property
    def _heads(self) -> Iterator[tuple[Likelihood, Tensor]]:
        """The likelihood of each group with its columns."""
        return zip(cast("Iterable[Likelihood]", self.heads), self.places, strict=True)

    @property
    def places(self) -> list[Tensor]:
        """The columns of each group."""
        return [getattr(self, f"place_{n}") for n in range(len(self.heads))]

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> TableDensity:
        """The density p(x|z); see :class:`Likelihood`."""
        *pieces, odds = (params + self.start.to(params)).split(self.sizes, -1)
        parts = [
            head(piece.unflatten(-1, head.params_shape))
            for (head, _), piece in zip(self._heads, pieces, strict=True)
        ]
        return TableDensity(parts, self.order, self._odds(odds), self._void, self.places)

    def _odds(self, predicted: Tensor) -> Tensor | None:
        """Log odds of missing values, or None where there cannot be any."""
        if self.spec.missing is None:
            return None
        constant = self.log_odds.to(predicted)
        if not self.sizes[-1]:
            return constant
        shape = (*predicted.shape[:-1], len(constant))
        return constant.expand(shape).index_add(-1, self.predicted, predicted)

    @property
    def _void(self) -> Tensor | None:
        missing = self.spec.missing
        return self.void if missing is not None and missing.void else None

    def supports(self, x: Tensor) -> Tensor:
        """Which values their columns can have; NaN where values may be missing."""
        missing = x.isnan()
        safe = torch.where(missing, 0.0, x)
        fine = torch.empty_like(missing)
        for head, place in self._heads:
            fine[..., place] = head.supports(safe[..., place])
        return fine | missing if self.spec.missing is not None else fine & ~missing

    @torch.no_grad()
    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Start scales, and the parameters that stand for zeros, at the marginals of some rows.

        Args:
            x: Training rows, shape ``(n, D)``, NaN where values are missing.
            c: Not used.
        """
        starts = []
        for head, place in self._heads:
            some = x[:, place]
            initialise = getattr(head, "initialise", None)
            if initialise is not None:
                initialise(some)
            starts.append(head.marginal(some).flatten())
        starts.append(x.new_zeros(self.sizes[-1]))
        self.start.copy_(torch.cat(starts))
        self.initialised.fill_(True)

    @property
    def at_floor(self) -> bool:
        """False: a column at its floor is told by the codec's spacing, and no collapse."""
        return False


def _require_head(head: Likelihood) -> None:
    if head.fits_x or not head.is_density:
        raise ConfigError(
            "this likelihood cannot be that of some columns",
            expected="one with a term for each element, whose parameters do not depend on x",
            got=repr(head.spec.kind),
            where="likelihood/table",
        )

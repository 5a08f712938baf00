"""Dense networks over mixed columns: codes are embedded, circles unrolled, missing values told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.networks.mlp import MLP
from vaekit.spec import Role, Spec, Within

__all__ = ["ColumnEncoder", "Columns", "embedding_dim"]

Place = Annotated[int, Within(0, 100_000)]


def embedding_dim(size: int) -> int:
    """Numbers that stand for one of ``size`` codes: about 1.6 size^0.56, at most 32.

    Example:
        >>> [embedding_dim(size) for size in (2, 10, 256)]
        [2, 6, 32]
    """
    return int(min(32, max(2, round(1.6 * size**0.56))))


class Columns(Spec, kind="network/columns"):
    r"""Reads rows whose columns are of several kinds, and hands features to another network.

    Each column is in one of the lists, by its place in x. A missing value (NaN) becomes 0, for
    codes a vector of its own, and columns in ``flags`` say so in one feature more. The decoder is
    that of the inner network: likelihoods tell what its output means.

    Args:
        inner: The network of the features.
        reals: Numbers about 0, as they are.
        bits: 0 or 1, as −1 or 1.
        counts: Counts, as ``(log(1 + x) − loc) / scale``.
        count_locs: loc of each.
        count_scales: scale of each.
        levels: Ranks from 0 to size − 1, scaled to −1 … 1.
        level_sizes: How many ranks each has.
        codes: Codes from 0 to size − 1, as learned vectors.
        code_sizes: How many codes each has.
        circles: Fractions of a cycle, as sine and cosine.
        flags: Columns that may be missing.

    Example:
        >>> spec = Columns(MLP(hidden=(8,)), reals=(0,), codes=(1,), code_sizes=(3,), flags=(0,))
        >>> spec.encoder((2,))(torch.tensor([[0.5, 2.0], [torch.nan, 0.0]])).shape
        torch.Size([2, 8])
    """

    inner: Annotated[Any, Role("network")] = MLP(hidden=(64, 64))
    reals: tuple[Place, ...] = ()
    bits: tuple[Place, ...] = ()
    counts: tuple[Place, ...] = ()
    count_locs: tuple[float, ...] = ()
    count_scales: tuple[Annotated[float, Within(5e-324)], ...] = ()
    levels: tuple[Place, ...] = ()
    level_sizes: tuple[Annotated[int, Within(2, 100_000)], ...] = ()
    codes: tuple[Place, ...] = ()
    code_sizes: tuple[Annotated[int, Within(2, 100_000)], ...] = ()
    circles: tuple[Place, ...] = ()
    flags: tuple[Place, ...] = ()

    def validate(self) -> None:
        """Check that each column is in one list, and that lists in pairs fit each other."""
        pairs = (
            ("counts", "count_locs"),
            ("counts", "count_scales"),
            ("levels", "level_sizes"),
            ("codes", "code_sizes"),
        )
        for name, other in pairs:
            if len(getattr(self, name)) != len(getattr(self, other)):
                raise ConfigError(
                    f"one of {other} for each of {name}",
                    expected=len(getattr(self, name)),
                    got=len(getattr(self, other)),
                    where=f"{self.kind}.{other}",
                )
        held = sorted(self.held)
        if not held or held != [*range(len(held))] or not set(self.flags) <= set(held):
            raise ConfigError(
                "each column belongs to one of the lists",
                expected="columns 0, 1, 2, … without gap or repetition",
                got=held[:10],
                where=self.kind,
            )

    @property
    def held(self) -> tuple[int, ...]:
        """The columns of all lists."""
        return (
            *self.reals, *self.bits, *self.counts, *self.levels, *self.codes, *self.circles
        )  # fmt: skip

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> ColumnEncoder:
        """A module (B, D) → (B, features)."""
        if tuple(event_shape) != (len(self.held),):
            raise ConfigError(
                "the network is of rows of another length",
                expected=f"({len(self.held)},)",
                got=tuple(event_shape),
                where=self.kind,
            )
        return ColumnEncoder(self, context_dim)

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> nn.Module:
        r"""The decoder of the inner network, (N, \*latent) → (N, \*params)."""
        module: nn.Module = self.inner.decoder(latent_shape, params_shape, context_dim=context_dim)
        return module


def _embedding(size: int) -> nn.Embedding:
    """Vectors of codes, and one more for a missing code, which says nothing until it learns to."""
    table = nn.Embedding(size + 1, embedding_dim(size))
    with torch.no_grad():
        table.weight[size].zero_()
    return table


class ColumnEncoder(nn.Module):
    """The encoder of :class:`Columns`."""

    reals: Tensor
    bits: Tensor
    counts: Tensor
    levels: Tensor
    circles: Tensor
    flags: Tensor
    count_loc: Tensor
    count_scale: Tensor
    top_level: Tensor

    def __init__(self, spec: Columns, context_dim: int) -> None:
        super().__init__()
        self.spec = spec
        self.only_reals = spec.reals == tuple(range(len(spec.held))) and not spec.flags
        for name in ("reals", "bits", "counts", "levels", "circles", "flags"):
            self._constant(name, torch.tensor(getattr(spec, name), dtype=torch.long))
        self._constant("count_loc", torch.tensor(spec.count_locs))
        self._constant("count_scale", torch.tensor(spec.count_scales))
        self._constant("top_level", torch.tensor(spec.level_sizes, dtype=torch.float) - 1)
        self.embeddings = nn.ModuleList(_embedding(size) for size in spec.code_sizes)
        width = len(spec.reals) + len(spec.bits) + len(spec.counts) + len(spec.levels)
        width += 2 * len(spec.circles) + len(spec.flags)
        width += sum(embedding_dim(size) for size in spec.code_sizes)
        self.inner = spec.inner.encoder((width,), context_dim=context_dim)

    def _constant(self, name: str, value: Tensor) -> None:
        """What the spec tells when the model is loaded."""
        self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features of shape (B, features)."""
        h = x.nan_to_num(nan=0.0) if self.only_reals else self.features(x)
        return self.inner(h) if c is None else self.inner(h, c)

    def features(self, x: Tensor) -> Tensor:
        """What the inner network sees, shape (B, width)."""
        missing = x.isnan()
        safe = torch.where(missing, 0.0, x)
        there = (~missing).to(x)
        found = [safe[:, self.reals]]
        found += [self._bits(safe, there), self._counts(safe, there), self._levels(safe, there)]
        angle = 2 * torch.pi * safe[:, self.circles]
        known = there[:, self.circles]
        found += [angle.sin() * known, angle.cos() * known]
        for place, size, table in zip(
            self.spec.codes, self.spec.code_sizes, self.embeddings, strict=True
        ):
            code = torch.where(missing[:, place], float(size), safe[:, place])
            found.append(table(code.long().clamp(0, size)))
        found.append(1 - there[:, self.flags])
        return torch.cat([part for part in found if part.shape[1]], 1)

    def _bits(self, safe: Tensor, there: Tensor) -> Tensor:
        return (2 * safe[:, self.bits] - 1) * there[:, self.bits]

    def _counts(self, safe: Tensor, there: Tensor) -> Tensor:
        logs = safe[:, self.counts].clamp(min=0).log1p()
        return (logs - self.count_loc) / self.count_scale * there[:, self.counts]

    def _levels(self, safe: Tensor, there: Tensor) -> Tensor:
        return (2 * safe[:, self.levels] / self.top_level - 1) * there[:, self.levels]

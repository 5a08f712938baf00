"""The record of a run: one line of JSON per epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaekit.errors import ArtifactError
from vaekit.files import write_bytes

__all__ = ["History", "Means", "read_history"]


class Means:
    """Running means of named tensors, kept on the device: no value is read before :meth:`read`."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, terms: Mapping[str, Tensor], weight: int = 1) -> None:
        """Add one batch's terms, each a mean over ``weight`` examples."""
        for name, value in terms.items():
            total = self.sums.get(name)
            if total is None:
                self.sums[name] = value.detach().double() * weight
                self.counts[name] = weight
            else:
                total.add_(value.detach(), alpha=weight)
                self.counts[name] += weight

    def read(self) -> dict[str, Any]:
        """The means as numbers and lists, in one transfer."""
        if not self.sums:
            return {}
        means = [value.reshape(-1) / self.counts[name] for name, value in self.sums.items()]
        numbers = iter(torch.cat(means).tolist())
        return {
            name: next(numbers)
            if value.dim() == 0
            else [next(numbers) for _ in range(value.numel())]
            for name, value in self.sums.items()
        }

    def is_finite(self) -> bool:
        """Whether no batch so far had a NaN or an infinity."""
        return all(bool(value.isfinite().all()) for value in self.sums.values())


class History:
    """Records of a run, in memory and as JSON lines on disk.

    Args:
        path: The file; None keeps the records in memory only.

    Example:
        >>> history = History()
        >>> history.append({"epoch": 1, "rate": 2.5})
        >>> history.last["rate"]
        2.5
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []

    @property
    def last(self) -> dict[str, Any]:
        """The newest record."""
        return self.records[-1]

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record and write it out. Numbers that are not finite become null."""
        clean = {name: _finite(value) for name, value in record.items()}
        self.records.append(clean)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(clean, allow_nan=False) + "\n")

    def rewind(self, length: int) -> None:
        """Keep the first ``length`` records, on disk too; what came later is redone."""
        if self.path is not None and length:
            self.records = read_history(self.path) if self.path.exists() else []
        self.records = self.records[:length]
        if len(self.records) < length:
            raise ArtifactError(
                "the history is shorter than its checkpoint",
                expected=f"at least {length} records",
                got=len(self.records),
                where=str(self.path),
            )
        if self.path is None:
            return
        text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in self.records)
        write_bytes(self.path, text.encode())


def read_history(path: Path) -> list[dict[str, Any]]:
    """The records of a history file; a last line that was cut off while being written is left out.

    Raises:
        ArtifactError: If a line before the last is not a JSON object.
    """
    records: list[dict[str, Any]] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise ArtifactError("not a line of JSON", where=f"{path}:{number}") from error
        if not isinstance(record, dict):
            raise ArtifactError("not a JSON object", where=f"{path}:{number}")
        records.append(record)
    return records


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value

"""Sets of ADBench and the two ways to split them that ``adbench`` and its peers share.

``contaminated`` trains on what comes: 70 % of the rows, stratified, with their anomalies; the
other 30 % are the test. ``normals-only`` trains on a random half of the normal rows; the other
half and all anomalies are the test. Large sets keep 10,000 rows at their own share of anomalies
(3 of SMTP's 30 remain). Columns are standardised by the training rows. A split depends on the
set, the protocol and the seed alone, so every method sees the same rows.

Files with an odd number are for choosing, those with an even number for confirming the choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

__all__ = ["PROTOCOLS", "SEEDS", "Split", "folder_of_sets", "names", "number", "read", "split"]

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "tabular" / "adbench"
PROTOCOLS = ("contaminated", "normals-only")
SEEDS = range(5)
ROWS = 10_000
TEST = 0.3


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on, standardised; 1 marks an anomaly.

    Attributes:
        train: ``(n, p)``, float64.
        test: ``(m, p)``, float64.
        train_anomalies: ``(n,)``; a detector never sees it.
        test_anomalies: ``(m,)``.
    """

    train: np.ndarray
    test: np.ndarray
    train_anomalies: np.ndarray
    test_anomalies: np.ndarray


def folder_of_sets() -> Path | None:
    """Where the sets lie, or ``None`` where there is no local copy."""
    return FOLDER if FOLDER.is_dir() else None


def number(name: str) -> int:
    """The number at the start of a file's name.

    >>> number("19_landsat")
    19
    """
    return int(name.partition("_")[0])


def names(half: str = "all", folder: Path = FOLDER) -> list[str]:
    """Names of the sets in the order of their numbers.

    Args:
        half: ``"odd"`` to choose on, ``"even"`` to confirm on, or ``"all"``.
        folder: Of the ``.npz`` files.

    Raises:
        KeyError: For another half.
    """
    keep = {"all": (0, 1), "odd": (1,), "even": (0,)}[half]
    found = [path.stem for path in folder.glob("*.npz")]
    return sorted((name for name in found if number(name) % 2 in keep), key=number)


def read(name: str, folder: Path = FOLDER) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``(n, p)`` as float64 and their marks ``(n,)``: 1 = anomaly."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return stored["X"].astype(np.float64), stored["y"].astype(np.int64)


def split(name: str, protocol: str, seed: int, folder: Path = FOLDER) -> Split:
    """The rows of one set under one protocol and seed.

    Raises:
        ValueError: For an unknown protocol.
    """
    x, y = read(name, folder)
    return divide(x, y, protocol, [number(name), PROTOCOLS.index(protocol), seed])


def divide(x: np.ndarray, y: np.ndarray, protocol: str, entropy: list[int]) -> Split:
    """Subsample, split and standardise rows; ``entropy`` makes the draw."""
    draw = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(entropy)))
    rows = np.arange(len(y))
    if len(rows) > ROWS:
        rows, _ = train_test_split(rows, train_size=ROWS, stratify=y, random_state=draw)
    if protocol == "contaminated":
        train, test = train_test_split(rows, test_size=TEST, stratify=y[rows], random_state=draw)
    else:
        normal = draw.permutation(rows[y[rows] == 0])
        half = len(normal) // 2
        train, test = normal[:half], np.concatenate([normal[half:], rows[y[rows] == 1]])
    scaler = StandardScaler().fit(x[train])
    return Split(scaler.transform(x[train]), scaler.transform(x[test]), y[train], y[test])


def splits(sets: list[str], seeds: range = SEEDS) -> Iterator[tuple[str, str, int]]:
    """Every (set, protocol, seed), the seed outermost: a part of them is balanced."""
    for seed in seeds:
        for name in sets:
            for protocol in PROTOCOLS:
                yield name, protocol, seed

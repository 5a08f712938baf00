"""Image folders as a stream: files are decoded when their turn comes."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vaekit.data.raw import SPLITS, Kind, clean_labels, clean_split
from vaekit.data.sources.images import survey_images
from vaekit.data.streams.checksum import checksum
from vaekit.data.streams.parts import Part
from vaekit.data.streams.pieces import Piece, Place, Window, Windows

__all__ = ["ImageRows"]

WINDOW_BYTES = 1 << 24
WINDOW_ROWS = 1 << 9
THREADS = 8


class ImageRows:
    """The images of a folder in the order of their names.

    Files can be opened in any order, so a shuffled pass is a permutation of all of them, and
    windows are small.

    Args:
        folder: As for :func:`vaekit.data.sources.images.load_images`.
        size: Resize to this ``(height, width)``.

    Raises:
        DataError: If an image is corrupt, absurdly large, of another size or mode, or a link;
            the message names the file.
    """

    kind: Kind = "image"
    columns = None
    context_columns = None

    def __init__(self, folder: Path, *, size: int | tuple[int, int] | None = None) -> None:
        self.name = folder.name
        self.folder = survey_images(folder, size=size)

    def __len__(self) -> int:
        return len(self.folder.names)

    @property
    def image_bytes(self) -> int:
        """Bytes of one decoded image."""
        return int(np.prod(self.folder.shape)) * self.folder.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all images, decoded."""
        return len(self) * self.image_bytes

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the names and bytes of the files."""
        return checksum([(name, self.folder.path / name) for name in self.folder.names])

    def place(self, row: int) -> Place:
        """The file of a row."""
        return Place(self.folder.names[row])

    def same_file(self, row: int) -> Iterator[Piece]:
        """The row alone."""
        yield self._piece(np.array([row]), [self.folder.read(row)])

    @functools.cached_property
    def _labels(self) -> np.ndarray | None:
        names = self.folder.labels
        return None if names is None else clean_labels(names, where=f"{self.name} labels")

    def classes(self) -> np.ndarray | None:
        """All different names of class folders."""
        return None if self._labels is None else np.unique(self._labels)

    def given_split(self) -> np.ndarray | None:
        """Part of each image as its folder says it, codes of ``SPLITS``."""
        if self.folder.split is None:
            return None
        names = clean_split(self.folder.split, where=f"{self.name} split")
        codes = [names == name for name in SPLITS]
        return np.argmax(codes, axis=0).astype(np.uint8)

    def ordered(self, part: Part) -> Windows:
        """All images of a part in the order of their names."""
        return self._windows(part.rows(), 0)

    def shuffled(self, part: Part, *, seed: tuple[int, ...], rows: int, skip: int) -> Windows:
        """All images of a part in an order that ``seed`` determines; ``skip`` costs nothing."""
        return self._windows(np.random.default_rng(seed).permutation(part.rows()), skip)

    def _windows(self, order: np.ndarray, start: int) -> Windows:
        size = max(1, min(WINDOW_ROWS, WINDOW_BYTES // self.image_bytes))
        with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "vaekit images") as pool:
            for at in range(start, len(order), size):
                rows = order[at : at + size]

                def read(rows: np.ndarray = rows) -> Iterator[Piece]:
                    yield self._piece(rows, list(pool.map(self.folder.read, rows)))

                yield Window(at, len(rows), None, read())

    def _piece(self, rows: np.ndarray, images: list[np.ndarray]) -> Piece:
        labels = None if self._labels is None else self._labels[rows]
        return Piece(rows, np.stack(images), labels)

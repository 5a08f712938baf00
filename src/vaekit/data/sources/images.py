"""Image folders: sub-folders are labels, and train/validation/test folders are splits."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vaekit.data.raw import RawData
from vaekit.data.sources.paths import require_size
from vaekit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["ImageFolder", "image_paths", "load_images", "rough_bytes", "survey_images"]

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test", "testing"}
_MAX_PIXELS = 1 << 26
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, struct.error)
_BYTES = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 2, "I": 4, "F": 4}
_DTYPES = {"I;16": np.uint16, "I": np.int32, "F": np.float32}


class _Found(NamedTuple):
    path: Path
    name: str
    size: tuple[int, int]
    mode: str


def load_images(folder: Path, *, size: int | tuple[int, int] | None = None) -> RawData:
    """All images of a folder, in the order of their names.

    Grey stays grey; grey beside colour becomes RGB; palettes become RGB; transparency is kept when
    every image has it. Nothing else is changed.

    Args:
        folder: Images, or one sub-folder a class, or ``train``/``test`` (and ``validation``)
            folders of either.
        size: Resize to this ``(height, width)``; by default all images must have one size.

    Raises:
        DataError: If an image is corrupt, absurdly large, of another size or mode, or a link;
            the message names the file.
    """
    found = survey_images(folder, size=size)
    require_size((len(found.names), *found.size), _BYTES[found.mode], where=folder.name)
    x = np.empty((len(found.names), *found.shape), found.dtype)
    for row in range(len(x)):
        x[row] = found.read(row)
    return RawData(x, found.labels, split=found.split, kind="image", name=folder.name)


class ImageFolder(NamedTuple):
    """The images of a folder, looked at but not decoded.

    Attributes:
        path: The folder.
        names: Paths of the images below it.
        labels: Class of each image, where sub-folders name classes.
        split: Part of each image, where folders name parts.
        size: Common ``(height, width)``.
        mode: Common colour mode.
        resize: Whether images of another size are brought to this one.
    """

    path: Path
    names: list[str]
    labels: list[str] | None
    split: list[str] | None
    size: tuple[int, int]
    mode: str
    resize: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ``(H, W)`` or ``(H, W, C)`` of one decoded image."""
        return (*self.size, len(self.mode)) if self.mode in ("RGB", "RGBA") else self.size

    @property
    def dtype(self) -> np.dtype:
        """Of a decoded image."""
        return np.dtype(_DTYPES.get(self.mode, np.uint8))

    def read(self, row: int) -> np.ndarray:
        """One image, decoded.

        Raises:
            DataError: If it cannot be read, or is no longer what it was when it was looked at.
        """
        return _read(self, self.names[row])


def survey_images(folder: Path, *, size: int | tuple[int, int] | None = None) -> ImageFolder:
    """Look at the headers of all images of a folder; see :func:`load_images`."""
    paths = image_paths(folder)
    labels, split = _labels_and_split(folder, paths)
    kinds: dict[tuple[tuple[int, int], str], _Found] = {}
    for path in paths:
        found = _inspect(folder, path)
        kinds.setdefault((found.size, found.mode), found)
    some = list(kinds.values())
    target = _common_size(some, size, where=folder.name)
    mode = _common_mode(some, where=folder.name)
    names = [path.relative_to(folder).as_posix() for path in paths]
    return ImageFolder(folder, names, labels, split, target, mode, size is not None)


def rough_bytes(folder: Path, *, size: int | tuple[int, int] | None = None) -> int:
    """Bytes of all images of a folder, decoded, if they are like the first."""
    paths = image_paths(folder)
    found = _inspect(folder, paths[0])
    height, width = _common_size([found], size, where=folder.name)
    return len(paths) * height * width * _BYTES[found.mode]


# --- the folder -------------------------------------------------------------------------------


def image_paths(folder: Path) -> list[Path]:
    """The images of a folder and its sub-folders, sorted; links are refused."""
    paths = []
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(base) / name
            if path.is_symlink():
                raise DataError(
                    "links are not followed",
                    where=str(path.relative_to(folder)),
                    remedy="copy the files into the folder",
                )
        folders[:] = [name for name in folders if not _is_hidden(name)]
        paths += [Path(base) / n for n in sorted(files) if _is_image(n)]
    if not paths:
        raise DataError(
            "no images in the folder", expected=", ".join(sorted(_SUFFIXES)), where=str(folder)
        )
    return sorted(paths)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_image(name: str) -> bool:
    return not _is_hidden(name) and Path(name).suffix.lower() in _SUFFIXES


def _labels_and_split(
    folder: Path, paths: list[Path]
) -> tuple[list[str] | None, list[str] | None]:
    places = [path.parent.relative_to(folder).parts for path in paths]
    tops = {place[0].lower() if place else "" for place in places}
    split = None
    if tops <= _SPLITS and len(tops) > 1 and tops & {"train", "training"}:
        split = [place[0] for place in places]
        places = [place[1:] for place in places]
    loose = [path for path, place in zip(paths, places, strict=True) if not place]
    if loose and len(loose) < len(paths):
        raise DataError(
            "some images lie in class folders and some outside",
            got=loose[0].name,
            where=folder.name,
            remedy="give every image a class folder, or none",
        )
    return (None if loose else ["/".join(place) for place in places]), split


# --- one file ---------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path, name: str) -> Iterator[PIL.Image.Image]:
    """The image, opened but not yet decoded; whatever goes wrong inside names the file."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            yield image
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"not a readable image ({type(error).__name__})",
            where=name,
            remedy="repair or remove this file",
        ) from error


@contextmanager
def _bombs_refused() -> Iterator[None]:
    """Pillow's warning about absurd sizes is an error; not for threads, which share filters."""
    import PIL.Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        yield


def _too_large(name: str) -> DataError:
    return DataError(
        "the image declares an absurd number of pixels",
        expected=f"at most {_MAX_PIXELS}",
        where=name,
        remedy="scale it down, or remove it",
    )


def _inspect(folder: Path, path: Path) -> _Found:
    name = path.relative_to(folder).as_posix()
    with _bombs_refused(), _opened(path, name) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise _too_large(name)
        if getattr(image, "n_frames", 1) > 1:
            raise DataError(
                "the file holds several pictures",
                where=name,
                remedy="save each as a file of its own",
            )
        return _Found(path, name, (image.height, image.width), _plain_mode(image, name))


def _plain_mode(image: PIL.Image.Image, name: str) -> str:
    modes = {"1": "L", "P": "RGB", "LA": "RGBA", "PA": "RGBA"}
    mode = modes.get(image.mode, image.mode)
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode = "RGBA"
    mode = "I;16" if mode.startswith("I;16") else mode
    if mode not in _BYTES:
        raise DataError(
            f"colour mode {image.mode!r} is not supported",
            expected="grey, RGB or RGBA",
            where=name,
            remedy="convert the file to RGB",
        )
    return mode


def _read(folder: ImageFolder, name: str) -> np.ndarray:
    import PIL.Image

    with _opened(folder.path / name, name) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise _too_large(name)
        if image.mode != folder.mode and not image.mode.startswith("I;16"):
            image = image.convert(folder.mode)
        height, width = folder.size
        if image.size != (width, height):
            if not folder.resize:
                raise DataError(
                    "the image has changed its size",
                    expected=folder.size,
                    got=(image.height, image.width),
                    where=name,
                )
            image = image.resize((width, height), PIL.Image.Resampling.LANCZOS)
        return np.asarray(image)


# --- what the files have in common --------------------------------------------------------------


def _common_size(
    found: list[_Found], size: int | tuple[int, int] | None, *, where: str
) -> tuple[int, int]:
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        if not (height >= 1 and width >= 1 and height * width <= _MAX_PIXELS):
            raise ConfigError(
                "not an image size", expected="(height, width)", got=size, where="size"
            )
        return height, width
    first = found[0]
    other = next((image for image in found if image.size != first.size), None)
    if other is not None:
        raise DataError(
            f"images differ in size: {first.name} is {first.size[0]} x {first.size[1]}, "
            f"{other.name} is {other.size[0]} x {other.size[1]} (height x width)",
            where=where,
            remedy="give size=(height, width) to resize them all, or crop them first",
        )
    return first.size


def _common_mode(found: list[_Found], *, where: str) -> str:
    modes = {image.mode: image for image in reversed(found)}
    if len(modes) == 1:
        return found[0].mode
    if set(modes) == {"L", "RGB"}:
        return "RGB"
    listed = ", ".join(f"{mode} in {modes[mode].name}" for mode in sorted(modes))
    raise DataError(
        "images differ in colour mode",
        expected="one mode (grey and RGB may mix)",
        got=listed,
        where=where,
        remedy="convert them to one mode (this changes pictures, so it is yours to decide)",
    )

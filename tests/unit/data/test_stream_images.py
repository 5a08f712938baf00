"""Image folders as a stream give what the same images give in memory, once each."""

import numpy as np
import PIL.Image
import pytest
import torch

from vaekit.data import DataCodec, TensorData, load
from vaekit.data.streams import ImageRows, StreamData, fit_codec, prepare_stream, split_stream
from vaekit.data.streams import images as module
from vaekit.errors import DataError


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(module, "WINDOW_ROWS", 7)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def grey(rows, seed=0, high=256):
    return np.random.default_rng(seed).integers(0, high, (rows, 5, 4), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """60 grey images of two classes."""
    for number, pixels in enumerate(grey(60)):
        save(tmp_path / "scans" / "ab"[number % 2] / f"{number:02}.png", pixels)
    return tmp_path / "scans"


def index_of(batches):
    return torch.cat([batch.index for batch in batches]).tolist()


@pytest.mark.parametrize("options", [{}, {"binarise": "fixed", "seed": 3}, {"padding": 2}])
def test_batches_are_those_of_images_in_memory(folder, options):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows, **options))
    raw = load(folder)
    assert stream.codec == DataCodec.fit(raw, **options)
    memory = TensorData.of(raw, stream.codec)
    for size in (1, 13, 60, 100):
        ours, theirs = list(stream.batches(size)), list(memory.batches(size))
        assert len(ours) == len(theirs)
        for batch, other in zip(ours, theirs, strict=True):
            assert torch.equal(batch.x, other.x)
            assert torch.equal(batch.y, other.y)
            assert torch.equal(batch.index, other.index)


def test_a_pass_holds_every_image_once_with_its_own_pixels(folder):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows))
    memory = TensorData.of(load(folder), stream.codec)
    orders = []
    for epoch in (0, 1, 0):
        batches = list(stream.epoch(16, seed=5, epoch=epoch))
        assert [len(batch) for batch in batches] == [16, 16, 16, 12]
        for batch in batches:
            assert torch.equal(batch.x, memory.batch(batch.index).x)
        orders.append(index_of(batches))
    assert all(sorted(order) == list(range(60)) for order in orders)
    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize("skip", [0, 1, 3, 4])
def test_skipping_reads_nothing_that_is_done(folder, skip, monkeypatch):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows))
    whole = list(stream.epoch(16, seed=0, epoch=0))
    read = []
    piece = ImageRows._piece
    monkeypatch.setattr(
        ImageRows, "_piece", lambda self, r, images: (read.extend(r), piece(self, r, images))[1]
    )
    rest = list(stream.epoch(16, seed=0, epoch=0, skip=skip))
    assert index_of(whole)[16 * skip :] == (index_of(rest) if rest else [])
    assert all(torch.equal(a.x, b.x) for a, b in zip(rest, whole[skip:], strict=True))
    assert len(read) == max(0, 60 - 16 * skip)


def test_dynamic_noise_is_that_of_the_callers_generator(folder):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows, binarise="dynamic"))
    memory = TensorData.of(load(folder), stream.codec)
    batches = stream.epoch(16, seed=0, epoch=0)
    for step in range(4):
        torch.manual_seed(step)
        batch = next(batches)
        torch.manual_seed(step)
        assert torch.equal(batch.x, memory.batch(batch.index, train=True).x)


def test_parts_given_by_folders(tmp_path):
    for part, pixels in {"train": grey(12), "val": grey(5, 1), "test": grey(7, 2)}.items():
        for number, image in enumerate(pixels):
            save(tmp_path / "scans" / part / "x" / f"{number}.png", image)
    rows = ImageRows(tmp_path / "scans")
    raw = load(tmp_path / "scans")
    codec, parts = prepare_stream(rows)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 12,
        "validation": 5,
        "test": 7,
    }
    for name, part in parts.items():
        memory = TensorData.of(raw.subset(raw.split == name), codec)
        assert torch.equal(next(part.batches(50)).x, next(memory.batches(50)).x)
    assert isinstance(parts["validation"], TensorData)


@pytest.mark.parametrize("high", [2, 3, 16, 17, 200])
@pytest.mark.parametrize("rare", [0, 1, 255])
def test_the_codec_is_that_of_images_in_memory(tmp_path, high, rare):
    """Whatever the range is, and even where one image late in the folder decides it."""
    for number, pixels in enumerate(grey(30, high=high)):
        if number == 29:
            pixels[0, 0] = rare
        save(tmp_path / "scans" / f"{number:02}.png", pixels)
    rows = ImageRows(tmp_path / "scans")
    raw = load(tmp_path / "scans")
    assert fit_codec(rows) == DataCodec.fit(raw)
    train = split_stream(rows)["train"]
    assert fit_codec(rows, train) == DataCodec.fit(raw, train=train.rows())


def test_images_that_are_two_valued_one_by_one_only(tmp_path):
    for number in range(8):
        pixels = np.zeros((5, 4), np.uint8)
        pixels[number % 5] = 100 + number
        save(tmp_path / "scans" / f"{number}.png", pixels)
    rows = ImageRows(tmp_path / "scans")
    assert not fit_codec(rows).x.two_valued
    assert fit_codec(rows) == DataCodec.fit(load(tmp_path / "scans"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "float", "I;16"])
def test_other_modes(tmp_path, mode):
    rng = np.random.default_rng(0)
    for number in range(10):
        shape = (5, 4, len(mode)) if mode in ("RGB", "RGBA") else (5, 4)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        if mode == "float":
            pixels = rng.normal(size=shape).astype(np.float32)
        if mode == "I;16":
            pixels = rng.integers(0, 60_000, shape).astype(np.uint16)
        save(tmp_path / "scans" / f"{number}.tiff", pixels)
    rows = ImageRows(tmp_path / "scans")
    codec = fit_codec(rows)
    raw = load(tmp_path / "scans")
    assert codec == DataCodec.fit(raw)
    stored = next(StreamData(rows, codec).batches(10)).x
    assert torch.equal(stored, next(TensorData.of(raw, codec).batches(10)).x)


def test_photographs_are_fitted_without_reading_them_all(folder, monkeypatch):
    rows = ImageRows(folder)
    read = []
    windows = ImageRows._piece
    monkeypatch.setattr(
        ImageRows, "_piece", lambda self, r, images: (read.extend(r), windows(self, r, images))[1]
    )
    fit_codec(rows)
    assert len(read) == 7


def test_resizing(tmp_path):
    for number, side in enumerate([4, 6, 9]):
        save(tmp_path / "scans" / f"{number}.png", np.full((side, side), 20 * side, np.uint8))
    rows = ImageRows(tmp_path / "scans", size=(5, 3))
    raw = load(tmp_path / "scans", size=(5, 3))
    assert fit_codec(rows) == DataCodec.fit(raw)
    with pytest.raises(DataError, match=r"images differ in size: 0.png .* 1.png"):
        ImageRows(tmp_path / "scans")


def test_an_image_that_is_damaged_is_named(folder):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows))
    path = folder / "b" / "33.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"b/33.png: not a readable image"):
        list(stream.epoch(16, seed=0, epoch=0))


@pytest.mark.parametrize("change", ["other size", "gone"])
def test_an_image_that_changes_is_named(folder, change):
    rows = ImageRows(folder)
    stream = StreamData(rows, fit_codec(rows))
    (folder / "a" / "32.png").unlink()
    if change == "other size":
        save(folder / "a" / "32.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match=r"a/32.png"):
        list(stream.batches(16))


def test_a_pixel_that_is_not_finite_is_named(tmp_path):
    for number in range(20):
        pixels = np.random.default_rng(number).normal(size=(5, 4)).astype(np.float32)
        pixels[2, 3] = np.nan if number == 13 else 0.0
        save(tmp_path / "scans" / f"{number:02}.tiff", pixels)
    with pytest.raises(DataError, match=r"13.tiff: pixel \(2, 3\) holds .* not finite"):
        fit_codec(ImageRows(tmp_path / "scans"))


def test_a_pixel_out_of_range_is_named(tmp_path):
    for number in range(20):
        save(tmp_path / "scans" / f"{number:02}.tiff", grey(1, number)[0].astype(np.float32))
    rows = ImageRows(tmp_path / "scans")
    stream = StreamData(rows, fit_codec(rows))
    save(tmp_path / "scans" / "11.tiff", np.full((5, 4), 300, np.float32))
    with pytest.raises(DataError, match=r"11.tiff: pixel values out of range"):
        list(stream.batches(16))


def test_the_fingerprint_is_of_names_and_bytes(folder):
    first = ImageRows(folder).fingerprint
    assert ImageRows(folder).fingerprint == first
    path = folder / "a" / "00.png"
    path.rename(folder / "a" / "000.png")
    renamed = ImageRows(folder).fingerprint
    save(folder / "a" / "000.png", np.zeros((5, 4), np.uint8))
    assert len({first, renamed, ImageRows(folder).fingerprint}) == 3

import gzip
import io
import struct
import urllib.error
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import sklearn.datasets
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from vaekit.data import RawData, load
from vaekit.errors import ConfigError, DataError

X = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
Y = np.array([0, 1, 2, 0, 1, 2])


# --- names --------------------------------


def test_digits():
    raw = load("digits")
    bundled = sklearn.datasets.load_digits()
    np.testing.assert_array_equal(raw.x, bundled.images)
    np.testing.assert_array_equal(raw.labels, bundled.target)
    assert (raw.x.dtype, raw.kind) == (np.uint8, "image")


def test_unknown_sources():
    with pytest.raises(DataError, match=r"unknown source 'digist'.*id you mean 'digits'"):
        load("digist")
    with pytest.raises(DataError, match="path not found"):
        load("no/such/file.npz")
    with pytest.raises(DataError, match=r"not a source of data.*got int"):
        load(3)


def test_unknown_suffix(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.xlsx: this sort of file is not read.*Save it as"):
        load(tmp_path / "a.xlsx")


def test_options_that_do_not_apply():
    with pytest.raises(ConfigError, match="label= does not apply to this source"):
        load("digits", label="y")


# --- NumPy files --------------------------------


def saved(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("x", "y"), [("X", "y"), ("images", "labels"), ("x", "Y"), ("data", "target")]
)
def test_npz_with_data_and_labels(tmp_path, x, y):
    raw = load(saved(tmp_path / "a.npz", **{x: X, y: Y, "other": Y}))
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.labels, Y)


def test_npz_with_splits(tmp_path):
    raw = load(
        saved(
            tmp_path / "a.npz",
            x_test=X[4:],
            y_test=Y[4:],
            x_train=X[:3],
            y_train=Y[:3],
            x_val=X[3:4],
            y_val=Y[3:4],
        )
    )
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.labels, Y)
    assert raw.split.tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2


def test_npz_with_named_labels_or_a_single_array(tmp_path):
    path = saved(tmp_path / "a.npz", images=X, subject=Y + 5)
    assert load(path).labels is None
    np.testing.assert_array_equal(load(path, label="subject").labels, Y + 5)
    with pytest.raises(DataError, match=r"no array 'subjct'.*'subject'"):
        load(path, label="subjct")
    np.testing.assert_array_equal(load(saved(tmp_path / "b.npz", anything=X)).x, X)


def test_npz_that_cannot_be_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"cannot tell which array is the data.*got left, right"):
        load(saved(tmp_path / "a.npz", left=X, right=X))


def test_npz_row_mismatch_and_half_labels(tmp_path):
    with pytest.raises(DataError, match=r"labels and x differ.*expected 6.*got 5"):
        load(saved(tmp_path / "a.npz", X=X, y=Y[:5]))
    with pytest.raises(DataError, match="some splits have labels and some have none"):
        load(saved(tmp_path / "b.npz", x_train=X, y_train=Y, x_test=X))


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", X / 255.0)
    np.testing.assert_array_equal(load(tmp_path / "a.npy").x, X / 255.0)


def test_object_arrays_are_never_unpickled(tmp_path):
    bomb = np.array([{"a": 1}, None], dtype=object)
    np.savez(tmp_path / "a.npz", X=bomb)
    np.save(tmp_path / "a.npy", bomb)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(DataError, match="Python objects, stored as pickle"):
            load(tmp_path / name)


def npy_bytes(shape, content=b"", descr="|u1"):
    buffer = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + content


def zipped(path, content, name="X.npy"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**12,), "declares an absurd size"),
        ((-4, 2), "declares an absurd size"),
        ((100, 4), "the header does not fit the content"),
    ],
)
def test_npy_headers_that_lie(tmp_path, shape, message):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes(shape, b"12345678"))
    with pytest.raises(DataError, match=message):
        load(path)
    with pytest.raises(DataError, match=message):
        load(zipped(tmp_path / "a.npz", npy_bytes(shape, b"12345678")))


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    size = (1 << 30) + 4096
    head = npy_bytes((size // 4096, 4096))
    path = zipped(tmp_path / "a.npz", head)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")  # the directory's entry, which says how long the member is
    assert struct.unpack_from("<I", content, entry + 24) == (len(head),)
    struct.pack_into("<I", content, entry + 24, len(head) + size)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"\[X\]: the array unpacks to far more than it should"):
        load(path)


def test_honest_arrays_may_pack_well(tmp_path):
    zeros = np.zeros((50_000, 784), np.uint8)
    path = saved(tmp_path / "a.npz", X=zeros)
    assert path.stat().st_size < zeros.nbytes / 900
    assert load(path).x.shape == zeros.shape


def test_damaged_headers_are_refused(tmp_path):
    good = npy_bytes((2, 4), b"12345678")
    (tmp_path / "a.npy").write_bytes(good.replace(b"}", b"{"))
    with pytest.raises(DataError, match=r"not a readable \.npy array"):
        load(tmp_path / "a.npy")
    path = zipped(tmp_path / "a.npz", good)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 6] = 250  # needs a zip version that does not exist
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npz file"):
        load(path)


def test_corrupt_and_foreign_npz(tmp_path):
    good = saved(tmp_path / "a.npz", X=np.random.default_rng(0).random((50, 50))).read_bytes()
    (tmp_path / "cut.npz").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"cut\.npz: not a readable \.npz file"):
        load(tmp_path / "cut.npz")
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    (tmp_path / "flip.npz").write_bytes(flipped)
    with pytest.raises(DataError, match=r"flip\.npz\[X\]: (the array is corrupt|cannot be read)"):
        load(tmp_path / "flip.npz")
    with pytest.raises(DataError, match=r"unexpected member '\.\./evil\.txt'"):
        load(zipped(tmp_path / "b.npz", b"hello", name="../evil.txt"))
    with pytest.raises(DataError, match=r"not a readable .npy array"):
        load(zipped(tmp_path / "c.npz", b"hello"))
    with pytest.raises(DataError, match="holds no arrays"):
        load(saved(tmp_path / "d.npz"))


# --- IDX --------------------------------


def idx(array, code=8):
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def test_idx_file_plain_and_gzipped(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(X))
    (tmp_path / "more-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(X)))
    for name in ("train-images-idx3-ubyte", "more-images-idx3-ubyte.gz"):
        np.testing.assert_array_equal(load(tmp_path / name).x, X)


def test_idx_big_endian_floats(tmp_path):
    values = np.linspace(-1, 1, 12).reshape(3, 4)
    (tmp_path / "a.idx").write_bytes(idx(values.astype(">f8"), code=0x0E))
    np.testing.assert_array_equal(load(tmp_path / "a.idx").x, values)


def mnist_folder(folder, suffix=".gz"):
    pack = gzip.compress if suffix else bytes
    for part, rows in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(X[rows])))
        labels = Y[rows].astype(np.uint8)
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_folder(tmp_path, suffix):
    raw = load(mnist_folder(tmp_path, suffix))
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.labels, Y)
    assert raw.split.tolist() == ["train"] * 4 + ["test"] * 2


def test_idx_folder_with_a_file_missing(tmp_path):
    (mnist_folder(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="the t10k labels are missing; expected t10k-labels-idx1"):
        load(tmp_path)


HUGE = struct.pack(">HBB3I", 0, 8, 3, 10**6, 1000, 1000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(X)[:-7], "does not fit the content.*expected 120 bytes.*got 113 bytes"),
        (idx(X) + b"!", "does not fit the content.*got at least 121 bytes"),
        (HUGE, "declares an absurd size.*1e.12 bytes"),
        (b"\x89PNG\r\n", "not an IDX file.*got 89 50 4e 47"),
        (b"", "not an IDX file.*an empty file"),
        (idx(X)[:9], "the header is truncated"),
    ],
)
def test_idx_that_lies(tmp_path, content, message):
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a-idx3-ubyte.gz")


def test_plain_idx_declaring_more_than_the_file_holds(tmp_path):
    (tmp_path / "a-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, 2**31))
    with pytest.raises(DataError, match="declares more than the file can hold"):
        load(tmp_path / "a-idx1-ubyte")


def test_idx_gz_that_is_no_gz_or_cut(tmp_path):
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(b"plain text")
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "a-idx3-ubyte.gz")
    (tmp_path / "b-idx3-ubyte.gz").write_bytes(gzip.compress(idx(X))[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "b-idx3-ubyte.gz")


# --- tables --------------------------------


FRAME = pd.DataFrame(
    {
        "a": [1.5, 2.5, 3.5, 4.5],
        "b": [1, 2, 3, 4],
        "age": [30.0, 40.0, 50.0, 60.0],
        "part": ["train", "train", "val", "test"],
        "kind": ["u", "v", "u", "v"],
    }
)
ROLES = {"label": "kind", "context": ["age"], "split": "part"}


@pytest.fixture(params=["csv", "tsv", "parquet", "frame"])
def stored(request, tmp_path):
    def store(frame):
        path = tmp_path / f"a.{request.param}"
        if request.param == "frame":
            return frame
        if request.param == "parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False, sep="\t" if request.param == "tsv" else ",")
        return path

    return store


def test_table(stored):
    raw = load(stored(FRAME), **ROLES)
    np.testing.assert_array_equal(raw.x, FRAME[["a", "b"]].to_numpy())
    assert raw.labels.tolist() == ["u", "v", "u", "v"]
    assert raw.context.tolist() == [[30], [40], [50], [60]]
    assert raw.split.tolist() == ["train", "train", "validation", "test"]
    assert (raw.columns, raw.context_columns, raw.kind) == (("a", "b"), ("age",), "array")


def test_table_columns_are_selected_in_order(stored):
    raw = load(stored(FRAME), columns=["age", "a"])
    np.testing.assert_array_equal(raw.x, FRAME[["age", "a"]].to_numpy())


def test_text_columns_are_named(stored):
    with pytest.raises(
        DataError,
        match=r"2 column\(s\) are not numeric: 'part', 'kind'.*'train' in row 0 in 'part'",
    ):
        load(stored(FRAME))


def test_missing_and_infinite_cells_are_named(stored):
    frame = FRAME.assign(b=[1.0, None, 3.0, None])
    with pytest.raises(DataError, match=r"column 'b' holds 2 value.*rows 1, 3.*got NaN"):
        load(stored(frame), columns=["a", "b"])
    frame = FRAME.assign(b=[1.0, 2.0, np.inf, 4.0])
    with pytest.raises(DataError, match=r"column 'b' holds 1 value.*row 2.*got infinity"):
        load(stored(frame), columns=["a", "b"])
    frame = FRAME.assign(kind=["u", None, "u", "v"])
    with pytest.raises(DataError, match="label column 'kind' is empty in row 1"):
        load(stored(frame), **ROLES)


def test_unknown_and_doubled_columns(stored):
    with pytest.raises(ConfigError, match=r"no column 'knd'.*'kind'"):
        load(stored(FRAME), label="knd")
    with pytest.raises(ConfigError, match="column 'a' has two uses"):
        load(stored(FRAME), label="a", columns=["a", "b"])
    with pytest.raises(DataError, match="unknown split names"):
        load(stored(FRAME), columns=["a"], split="kind")


def test_a_cell_of_text_in_a_numeric_column_is_found(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,?\n")
    with pytest.raises(DataError, match=r"not numeric: 'b'.*got '\?' in row 1"):
        load(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable table"),
        (b"a,b\n1,2,3,4\n1,2\n5\n1,2,3,4,5,6\n", "not a readable table"),
        (b"a,b\n\xff\xfe,1\n", "not a readable table"),
        (b"a,b\n", "there is no data"),
        (b"1,2\n3,4\n", "numbers, not column names"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.csv")


def test_row_labels_of_parquet_are_no_column(tmp_path):
    FRAME.iloc[[2, 0]].to_parquet(tmp_path / "a.parquet")
    raw = load(tmp_path / "a.parquet", **ROLES)
    assert raw.columns == ("a", "b")
    assert raw.x.tolist() == [[3.5, 3], [1.5, 1]]


def test_corrupt_parquet(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load(tmp_path / "a.parquet")


# --- image folders --------------------------------


def png(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path, **options)


def test_flat_image_folder(tmp_path):
    for i, image in enumerate(X):
        png(tmp_path / f"{i}.png", image)
    (tmp_path / "notes.txt").write_text("not an image")
    raw = load(tmp_path)
    np.testing.assert_array_equal(raw.x, X)
    assert (raw.labels, raw.split) == (None, None)


def test_class_folders_and_splits(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            png(tmp_path / part / name / "0.png", X[len(part + name) - 7])
    raw = load(tmp_path)
    assert raw.labels.tolist() == ["cat", "dog", "cat", "dog"]
    assert raw.split.tolist() == ["test", "test", "train", "train"]
    assert load(tmp_path / "train").labels.tolist() == ["cat", "dog"]


def test_colour_modes(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    png(tmp_path / "rgb" / "a.png", colour)
    png(tmp_path / "rgb" / "b.png", X[0])
    raw = load(tmp_path / "rgb")
    np.testing.assert_array_equal(raw.x[0], colour)
    np.testing.assert_array_equal(raw.x[1], X[0][..., None].repeat(3, -1))
    PIL.Image.fromarray(colour).quantize(8).save(tmp_path / "palette.png")
    (tmp_path / "palette").mkdir()
    (tmp_path / "palette.png").rename(tmp_path / "palette" / "a.png")
    assert load(tmp_path / "palette").x.shape == (1, 5, 4, 3)
    png(tmp_path / "deep" / "a.png", X[0].astype(np.uint16) * 257)
    np.testing.assert_array_equal(load(tmp_path / "deep").x[0], X[0].astype(np.uint16) * 257)


def test_transparency_is_never_dropped(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 256, (5, 4, 4), dtype=np.uint8)
    png(tmp_path / "a.png", rgba)
    np.testing.assert_array_equal(load(tmp_path).x[0], rgba)
    png(tmp_path / "b.png", rgba[..., :3].copy())
    with pytest.raises(DataError, match=r"differ in colour mode.*RGB in b\.png, RGBA in a\.png"):
        load(tmp_path)


@pytest.mark.parametrize("array", [X[0], np.stack([X[0]] * 3, -1)])
def test_a_transparent_colour_is_transparency(tmp_path, array):
    png(tmp_path / "a.png", array, transparency=0 if array.ndim == 2 else (1, 2, 3))
    raw = load(tmp_path)
    assert raw.x.shape == (1, 5, 4, 4)
    np.testing.assert_array_equal(raw.x[0, ..., 0], X[0])


def test_sizes_must_agree_or_be_given(tmp_path):
    png(tmp_path / "a.png", X[0])
    png(tmp_path / "b.png", X[1][:3])
    with pytest.raises(DataError, match=r"a\.png is 5 x 4, b\.png is 3 x 4.*Give size="):
        load(tmp_path)
    assert load(tmp_path, size=(6, 7)).x.shape == (2, 6, 7)
    assert load(tmp_path, size=8).x.shape == (2, 8, 8)
    with pytest.raises(ConfigError, match="not an image size"):
        load(tmp_path, size=0)


def test_broken_images_are_named(tmp_path):
    png(tmp_path / "a.png", X[0])
    good = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(good[:-30])
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        load(tmp_path)
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        load(tmp_path)


def chunk(tag, content):
    check = struct.pack(">I", zlib.crc32(tag + content))
    return struct.pack(">I", len(content)) + tag + content + check


@pytest.mark.parametrize("side", [9_000, 12_000, 100_000])
def test_image_bombs_are_refused_unopened(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))
    with pytest.raises(
        DataError, match=r"bomb\.png: the image declares an absurd number of pixels"
    ):
        load(tmp_path)


def test_links_are_refused(tmp_path):
    png(tmp_path / "outside.png", X[0])
    png(tmp_path / "in" / "a.png", X[0])
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match=r"b\.png: links are not followed"):
        load(tmp_path / "in")


def test_mixed_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match="no images in the folder"):
        load(tmp_path)
    png(tmp_path / "a.png", X[0])
    png(tmp_path / "cat" / "b.png", X[1])
    with pytest.raises(DataError, match=r"some outside; got a\.png"):
        load(tmp_path)


def test_animations_are_refused(tmp_path):
    frames = [PIL.Image.fromarray(x) for x in X[:2]]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"a\.tif: the file holds several pictures"):
        load(tmp_path)


# --- OpenML --------------------------------


def openml(monkeypatch, result):
    asked = {}

    def fetch(**options):
        asked.update(options)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    return asked


def bunch(x, y):
    return SimpleNamespace(data=x, target=y, feature_names=[f"f{i}" for i in range(x.shape[1])])


def test_openml_pixels_become_images(monkeypatch):
    table = np.random.default_rng(0).integers(0, 256, (5, 784)).astype(float)
    asked = openml(monkeypatch, bunch(table, np.array(list("50419"), object)))
    raw = load("openml:mnist_784")
    np.testing.assert_array_equal(raw.x.reshape(5, -1), table)
    assert (raw.x.dtype, raw.labels.tolist()) == (np.uint8, [5, 0, 4, 1, 9])
    assert asked["name"] == "mnist_784"
    assert asked["as_frame"] is False


def test_openml_tables_stay_tables(monkeypatch):
    asked = openml(monkeypatch, bunch(np.eye(4), np.array([0.5, 1, 2, 3])))
    raw = load("openml:wine:2")
    assert (raw.kind, raw.columns, raw.labels) == ("array", ("f0", "f1", "f2", "f3"), None)
    assert asked["version"] == 2
    openml(monkeypatch, bunch(np.array([["a"]], object), None))
    with pytest.raises(DataError, match="not a dense numeric table"):
        load("openml:words")


def test_openml_errors(monkeypatch):
    openml(monkeypatch, urllib.error.URLError("no route"))
    with pytest.raises(DataError, match=r"cannot be reached.*download the data elsewhere"):
        load("openml:mnist_784")
    openml(monkeypatch, ValueError("No active dataset mnst found"))
    with pytest.raises(DataError, match="OpenML refused: No active dataset mnst"):
        load("openml:mnst")


# --- in memory --------------------------------


@pytest.mark.parametrize(
    ("source", "kind", "shape"),
    [
        (np.zeros((5, 3)), "array", (5, 3)),
        (torch.zeros(5, 3), "array", (5, 3)),
        (X, "image", (6, 5, 4)),
        (np.zeros((5, 1, 8, 9), np.uint8), "image", (5, 8, 9)),
        (np.zeros((5, 8, 9, 3), np.uint8), "image", (5, 8, 9, 3)),
        (torch.zeros(5, 3, 8, 9), "image", (5, 8, 9, 3)),
        (np.zeros((5, 8, 9, 7)), "image", (5, 8, 9, 7)),
    ],
)
def test_arrays(source, kind, shape):
    raw = load(source)
    assert (raw.kind, raw.x.shape) == (kind, shape)


def test_arrays_that_fit_nothing():
    with pytest.raises(DataError, match="which axis holds the channels"):
        load(np.zeros((5, 8, 9, 7), np.uint8))
    with pytest.raises(DataError, match=r"wrong number of axes.*Reshape one column"):
        load(np.zeros(5))


def test_pairs():
    np.testing.assert_array_equal(load((X, Y)).labels, Y)
    raw = load((FRAME[["a", "b"]], FRAME["kind"]))
    assert (raw.columns, raw.labels.tolist()) == (("a", "b"), ["u", "v", "u", "v"])
    with pytest.raises(DataError, match="labels and x differ"):
        load((X, Y[:3]))


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


@pytest.mark.parametrize(
    "item",
    [
        lambda x, y: (torch.tensor(x), int(y)),
        lambda x, y: {"image": x, "label": torch.tensor(y)},
        lambda x, y: [PIL.Image.fromarray(x), y],
    ],
)
def test_datasets(item):
    raw = load(Items([item(x, y) for x, y in zip(X, Y, strict=True)]))
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.labels, Y)


def test_datasets_without_labels_and_tensor_datasets():
    assert load(Items(list(X))).labels is None
    raw = load(TensorDataset(torch.tensor(X), torch.tensor(Y)))
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.labels, Y)


def test_loaders_keep_every_row_in_order():
    data = TensorDataset(torch.tensor(X), torch.tensor(Y))
    for loader in (DataLoader(data, 4), DataLoader(data, 4, shuffle=True), DataLoader(data, None)):
        raw = load(loader)
        np.testing.assert_array_equal(raw.x, X)
        np.testing.assert_array_equal(raw.labels, Y)
    with pytest.raises(DataError, match="drops its last batch"):
        load(DataLoader(data, 4, drop_last=True))


def test_datasets_that_cannot_be_used():
    with pytest.raises(
        DataError, match=r"Items item 1: items differ in shape.*\(5, 4\).*\(3, 4\)"
    ):
        load(Items([X[0], X[1][:3]]))
    with pytest.raises(DataError, match="item 1: some items have a label"):
        load(Items([(X[0], 1), (X[1],)]))
    with pytest.raises(DataError, match=r"no data in the item.*got picture"):
        load(Items([{"picture": X[0]}]))
    with pytest.raises(DataError, match=r"expected x or \(x, y\), got 3 values"):
        load(Items([(1, 2, 3)]))
    with pytest.raises(DataError, match="at least one item"):
        load(Items([]))


def test_raw_data_passes_through():
    raw = RawData(X)
    assert load(raw) is raw


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_of_numbers_are_no_part_of_x(tmp_path, suffix):
    frame = pd.DataFrame({"a": [1.0, 2.0], "age": [30.5, 41.0], "b": [3.0, 4.0]})
    path = tmp_path / f"t{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    raw = load(path, numbers=["age"])
    assert (raw.columns, raw.number_names) == (("a", "b"), ("age",))
    assert raw.numbers.tolist() == [[30.5], [41.0]]
    chosen = load(path, numbers=["age"], columns=["b"])
    assert (chosen.columns, chosen.numbers.tolist()) == (("b",), [[30.5], [41.0]])
    with pytest.raises(ConfigError, match="column 'age' has two uses"):
        load(path, numbers=["age"], columns=["age"])
    with pytest.raises(ConfigError, match=r"no column 'agee'.*Did you mean 'age'"):
        load(path, numbers=["agee"])

"""DESIGN's table of bad input, cell by cell, through the command line: exit code and message."""

import gzip
import io
import json
import os
import pickle  # noqa: TID251 - hostile files are made with it
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from vaekit.artifacts import load
from vaekit.cli import app
from vaekit.spec import MAX_ITEMS

FAST = ("--hidden", "8", "--epochs", "1", "--samples", "2")


def command(*words):
    """A command in this process; tracebacks are failures of the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Exit code 2, a message with all these texts, and no run folder."""
    monkeypatch.chdir(tmp_path)

    def check(*words, says):
        result = command(*words)
        assert result.exit_code == 2, result.stderr
        assert result.stdout == ""
        assert "error: " in result.stderr
        for text in says:
            assert text.lower() in result.stderr.lower()
        assert not Path("runs").exists()

    return check


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small finished run on digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    words = ("--likelihood", "bernoulli", *FAST, "--out", folder)
    assert command("train", "digits", *words).exit_code == 0
    return folder


@pytest.fixture
def copy(run, tmp_path):
    """The run in a folder of its own, to be spoiled."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def csv(text, name="data.csv"):
    Path(name).write_text(text)
    return name


# --- row 1: values, shapes, types, ranges -------------------------------------------------------

ROWS = "\n".join(f"{i},{i % 3}.5,{(7 * i) % 11}" for i in range(30))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"a,b,c\n{ROWS}\n1,nan,2\n", ["column 'b'", "not finite", "row 30", "got NaN"]),
        (f"a,b,c\n{ROWS}\n1,,2\n", ["column 'b'", "not finite", "row 30", "fill these cells"]),
        (f"a,b,c\n{ROWS}\ninf,1,2\n", ["column 'a'", "row 30", "got infinity"]),
        (f"a,b,c\n{ROWS}\n1,two,2\n", ["not numeric: 'b'", "'two' in row 30", "label"]),
        ("a,b,c\n", ["there is no data", "0 rows"]),
        ("", ["not a readable table"]),
        ("a,b\n" + "1,2\n1,3\n" * 10, ["constant column 'a'", "scaling='none'"]),
        ("1,2\n3,4\n", ["first line holds numbers", "add a line of names"]),
        ("a,b\n1,2\n", ["too little data to split", "bring more rows"]),
        (f"a,b,c\n{ROWS}\n1,2,3,4\n", ["not a readable table"]),
        ("a,b\n" + "1e307,1\n-1e307,2\n" * 10, ["'a'", "too large"]),
    ],
    ids=[
        "nan",
        "missing",
        "inf",
        "text",
        "no-rows",
        "empty",
        "constant",
        "no-names",
        "one-row",
        "ragged",
        "huge",
    ],
)
def test_tables(refused, text, says):
    path = csv(text)
    refused("train", path, "--out", "x", says=says)
    assert not Path("x").exists()


def npz(x, name="data.npz", **more):
    np.savez(name, x=x, **more)
    return name


IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6)).astype(np.uint8)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.where(np.arange(40)[:, None, None] == 7, np.nan, IMAGES), ["pixel (0, 0)", "row 7"]),
        (np.where(np.arange(40)[:, None, None] == 7, np.inf, IMAGES), ["row 7", "infinity"]),
        (IMAGES[:0], ["there is no data"]),
        (np.zeros((40, 0, 6)), ["there is no data"]),
        (np.zeros((40, 6, 6), np.uint8), ["all pixels have the same value"]),
        (np.zeros((40, 2, 2, 2, 2)), ["wrong number of axes", "(n, H, W)"]),
        (np.zeros(40), ["wrong number of axes", "reshape one column to (n, 1)"]),
        (np.array(["a", "b"] * 20)[:, None], ["not numbers"]),
        (np.zeros((40, 3), complex), ["not numbers"]),
    ],
    ids=lambda v: str(getattr(v, "shape", "")),
)
def test_arrays(refused, x, says):
    refused("train", npz(x), "--out", "x", says=says)


@pytest.mark.parametrize(
    ("likelihood", "expected"),
    [
        ("bernoulli", "numbers in [0, 1]"),
        ("continuous-bernoulli", "numbers in [0, 1]"),
        ("discretised-logistic", "levels k / 255 with k = 0..255"),
        ("categorical:categories=256", "codes 0..255"),
    ],
)
def test_ranges_that_do_not_fit_the_likelihood(refused, likelihood, expected):
    grey = IMAGES.reshape(40, -1).astype(float) + 0.25
    words = ("--likelihood", likelihood, "--set", "data.scaling=none")
    says = ["row 0, element (0,)", "outside the support", f"expected {expected}", "got "]
    refused("train", npz(grey), *words, says=says)


# --- row 2: categories and missing values -------------------------------------------------------


def test_a_class_that_was_not_there_in_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{i % 5},k{i % 2}" for i in range(40)]
    path = csv("a,b,kind\n" + "\n".join(rows) + "\n")
    words = ("--label", "kind", "--context", "labels", *FAST, "--out", "run")
    assert command("train", path, *words).exit_code == 0
    other = csv("a,b,kind\n1,2,k0\n3,4,k7\n", "other.csv")
    result = command("evaluate", "run", other, "--samples", "2")
    assert result.exit_code == 2
    for text in ("k7", "row 1", "k0"):
        assert text in result.stderr


def test_a_label_that_is_missing(refused):
    path = csv("a,b,kind\n" + "1,2,u\n2,1,v\n" * 10 + "3,3,\n")
    refused("train", path, "--label", "kind", says=["'kind' is empty in row 20", "fill these"])


# --- row 3: files of strangers ------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def not_exploded():
    assert not Path("exploded").exists()


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "data.csv", "data.parquet", "d.idx"])
def test_pickles_under_other_names(refused, name):
    Path(name).write_bytes(pickle.dumps(Bomb()))
    refused("train", name, says=[name])
    not_exploded()


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickles_inside_arrays(refused, suffix):
    array = np.array([Bomb()] * 3, dtype=object)
    if suffix == "npy":
        np.save("data.npy", array, allow_pickle=True)
    else:
        np.savez("data.npz", x=array)
    refused("train", f"data.{suffix}", says=["object"])
    not_exploded()


def npy_header(shape):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n"


def test_a_zip_bomb(refused):
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        head = npy_header((1, 5_000_000))
        file.writestr("x.npy", head + bytes(40_000_000))
    assert Path("bomb.npz").stat().st_size < 100_000
    refused("train", "bomb.npz", says=["bomb.npz"])


@pytest.mark.parametrize("shape", [(2**62,), (2**40, 2**40), (10**12, 3), (-1, 3)])
def test_arrays_of_absurd_shape(refused, shape):
    Path("data.npy").write_bytes(npy_header(shape) + bytes(64))
    refused("train", "data.npy", says=["data.npy"])


def test_a_gzip_bomb(refused):
    head = struct.pack(">IIII", 0x00000803, 10**6, 1000, 1000)
    with gzip.open("train-images-idx3-ubyte.gz", "wb", compresslevel=9) as file:
        file.write(head)
        for _ in range(20):
            file.write(bytes(2**20))
    refused("train", "train-images-idx3-ubyte.gz", says=["train-images-idx3-ubyte.gz"])


def png_claiming(width, height):
    def chunk(kind, body):
        packed = kind + body
        return struct.pack(">I", len(body)) + packed + struct.pack(">I", zlib.crc32(packed))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_an_image_bomb(refused):
    Path("pictures").mkdir()
    for name in "ab":
        Path("pictures", f"{name}.png").write_bytes(png_claiming(60_000, 60_000))
    refused("train", "pictures", says=["a.png"])


def test_pictures_that_are_none(refused):
    Path("pictures").mkdir()
    Path("pictures", "a.png").write_bytes(b"no picture")
    refused("train", "pictures", says=["a.png"])
    Path("pictures", "a.png").unlink()
    refused("train", "pictures", says=["pictures"])


def test_pictures_of_different_sizes(refused):
    Path("pictures").mkdir()
    for i in (8, 9):
        Image.fromarray(np.eye(i, dtype=np.uint8) * 255).save(Path("pictures", f"{i}.png"))
    refused("train", "pictures", says=["pictures", "size"])


def test_archives_that_climb_out(refused):
    """No archive is ever unpacked to disk, so a path in it leads nowhere."""
    with tarfile.open("data.tar", "w") as file:
        info = tarfile.TarInfo("../../escaped.txt")
        info.size = 2
        file.addfile(info, io.BytesIO(b"hi"))
    refused("train", "data.tar", says=["data.tar", "this sort of file is not read"])
    with zipfile.ZipFile("data.npz", "w") as file:
        file.writestr("../../escaped.npy", b"hi")
    refused("train", "data.npz", says=["data.npz"])
    assert not Path("../../escaped.txt").exists()


@pytest.mark.parametrize("name", ["evaluate", "sample", "encode", "reconstruct", "inspect"])
@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.json", b"{}", "a foreign file"),
        ("model.json", b"[" * 10_000, "not valid JSON"),
        ("weights.safetensors", pickle.dumps([1]), "cannot read the weights"),
        ("weights.safetensors", b"", "cannot read the weights"),
        ("codec.json", b'{"format": "vaekit-codec-1"}', "the field 'codec' is missing"),
    ],
    ids=["foreign", "nested", "pickle", "truncated", "no-codec"],
)
def test_spoiled_artifacts(copy, name, file, content, says):
    (copy / file).write_bytes(content)
    result = command(name, copy)
    assert result.exit_code == 2
    assert says in result.stderr
    assert file in result.stderr


@pytest.mark.parametrize("name", ["evaluate", "encode", "reconstruct", "compare", "train"])
def test_a_spoiled_run_file(copy, name):
    (copy / "run.json").write_text('{"run": {"kind": "run/vae", "data": 3}}')
    words = ("--resume", copy) if name == "train" else (copy,)
    result = command(name, *words)
    assert result.exit_code == 2
    assert "run.json" in result.stderr


def test_absurd_sizes_in_json(copy):
    model = json.loads((copy / "model.json").read_text())
    for shape, says in (([2**40], "not a shape of data"), ([1, 8, 9], "another shape")):
        (copy / "model.json").write_text(json.dumps({**model, "event_shape": shape}))
        result = command("inspect", copy)
        assert result.exit_code == 2
        assert says in result.stderr
    many = {**model, "model": {**model["model"], "encoder": {"kind": "network/mlp"}}}
    many["model"]["encoder"]["hidden"] = [1] * (MAX_ITEMS + 1)
    (copy / "model.json").write_text(json.dumps(many))
    assert "too many items" in command("inspect", copy).stderr


def test_a_spoiled_history_and_checkpoint(copy):
    (copy / "history.jsonl").write_bytes(b"\xff\xfe\n{}\n")
    result = command("inspect", copy)
    assert result.exit_code == 2
    assert "history.jsonl:1" in result.stderr
    (copy / "checkpoint.safetensors").write_bytes(pickle.dumps(Bomb()))
    result = command("train", "--resume", copy)
    assert result.exit_code == 2
    assert "checkpoint" in result.stderr
    not_exploded()


def test_hostile_words_in_an_artifact_reach_the_report_escaped(copy):
    path = copy / "provenance.json"
    value = {**json.loads(path.read_text()), "data": "<script>alert(1)</script>"}
    path.write_text(json.dumps(value))
    assert command("evaluate", copy, "--samples", "2").exit_code == 0
    page = (copy / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


# --- rows 4 and 5: what goes wrong in training (see also tests/cli/test_errors.py) ---------------


def test_a_collapsed_code_is_reported_everywhere(tmp_path):
    folder = tmp_path / "run"
    words = ("--beta", "1000", "--hidden", "8", "--epochs", "8", "--lr", "0.01", "--samples", "2")
    result = command("train", "digits", *words, "--out", folder)
    assert result.exit_code == 0
    assert "warning: latent collapse: only 0 of 2 dimensions" in result.stderr
    assert result.stderr.count("warning: latent collapse") == 1
    warnings = load(folder).history[-1]["warnings"]
    assert any("latent collapse" in w and "beta warm-up" in w for w in warnings)
    page = (folder / "report.html").read_text()
    assert "latent collapse: only 0 of 2 dimensions" in page


def test_a_scale_at_its_floor_is_reported_everywhere(tmp_path):
    folder = tmp_path / "run"
    words = ("--likelihood", "gaussian:scale=optimal:floor=100", "--hidden", "8", "--samples", "2")
    result = command("train", "digits", *words, "--epochs", "1", "--out", folder)
    assert result.exit_code == 0
    for text in (result.stderr, (folder / "report.html").read_text()):
        assert "scale is at its floor" in text.replace("&#x27;", "'")

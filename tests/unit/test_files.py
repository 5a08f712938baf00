"""Files that are whole or absent, and JSON that is read with care."""

import json
import os
import stat
import threading

import pytest

from vaekit.errors import ArtifactError
from vaekit.files import read_json, sweep, write_atomically, write_bytes, write_json


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "folder" / "file.json"


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_folders_are_made_and_the_path_is_returned(path):
    assert write_bytes(path, b"content") == path
    assert path.read_bytes() == b"content"
    assert names(path.parent) == ["file.json"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, error):
    write_bytes(path, b"old")

    def fail(temporary):
        temporary.write_bytes(b"half of the ne")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert names(path.parent) == ["file.json"]


def test_a_failure_before_anything_is_written_is_passed_on(path):
    def fail(temporary):
        raise PermissionError("no")

    with pytest.raises(PermissionError, match="no"):
        write_atomically(path, fail)
    assert names(path.parent) == []


def test_a_writer_that_writes_nothing_is_an_error(path):
    with pytest.raises(FileNotFoundError):
        write_atomically(path, lambda temporary: None)
    assert not path.exists()


def test_readers_see_the_old_or_the_new_file_and_never_a_mixture(path):
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    write_bytes(path, contents[0])
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        write_bytes(path, contents[turn % 3])
    done.set()
    reader.join()
    assert seen <= set(contents)


@pytest.mark.skipif(os.name != "posix", reason="permissions are a POSIX notion")
@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_permissions_of_new_files(path, mask, expected):
    before = os.umask(mask)
    try:
        write_bytes(path, b"")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == expected


def test_sweeping_removes_half_written_files_and_nothing_else(tmp_path):
    kept = [".other.tmp", "x.4711.tmp", ".tmp", ".tmpfile", ".tmpAb-9Z0", "model.json", ".a.b.tmp"]
    for name in (*kept, ".model.json.4711.tmp", ".tmpjU1CRC"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".folder.1.tmp").mkdir()
    sweep(tmp_path)
    assert names(tmp_path) == sorted([*kept, ".folder.1.tmp"])


def test_the_names_of_half_written_files_are_those_that_sweeping_removes(path, monkeypatch):
    def hang(temporary):
        temporary.write_bytes(b"half")
        monkeypatch.setattr("pathlib.Path.unlink", lambda *args, **kwargs: None)
        raise SystemExit

    with pytest.raises(SystemExit):
        write_atomically(path, hang)
    monkeypatch.undo()
    assert len(names(path.parent)) == 1
    sweep(path.parent)
    assert names(path.parent) == []


def test_json_survives_the_round_trip(path):
    value = {"text": "été ☃", "numbers": [0.1, -3, 1e300], "nothing": None, "nested": {"a": [{}]}}
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_refused_and_the_old_file_stays(path, bad):
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": bad})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_missing_file_is_said(path):
    with pytest.raises(ArtifactError, match=r"file\.json: no such file"):
        read_json(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ArtifactError, match="no such file"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": 1} more', b"\xff\xfe\x00", b"\x00" * 10, b"[" * 200_000]
)
def test_what_is_no_json_is_refused(path, content):
    write_bytes(path, content)
    with pytest.raises(ArtifactError, match=r"file\.json: not valid JSON"):
        read_json(path)


def test_files_of_absurd_size_are_not_read(path):
    write_bytes(path, b"[" + b" " * 100 + b"]")
    with pytest.raises(ArtifactError, match="too large; expected at most 50 bytes, got 102"):
        read_json(path, max_bytes=50)
    assert read_json(path, max_bytes=102) == []

"""Parquet as a stream gives what the same rows give in memory, once each, in bounded memory."""

import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from vaekit.data import DataCodec, TensorData, load
from vaekit.data.streams import (
    ParquetRows,
    Part,
    StreamData,
    fit_codec,
    open_stream,
    prepare_stream,
    split_stream,
)
from vaekit.data.streams import order as order_module
from vaekit.data.streams import parquet as parquet_module
from vaekit.errors import ConfigError, DataError

ROLES = {"label": "kind", "context": ["age"]}


def frame_of(rows, seed=0):
    """Columns of several types; ``id`` is the number of the row."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(rows, dtype=np.int64),
            "a": rng.normal(5.0, 0.01, rows).astype(np.float32),
            "b": rng.normal(size=rows) * 1e6,
            "flag": rng.random(rows) > 0.5,
            "age": rng.integers(20, 80, rows).astype(np.int16),
            "kind": rng.choice(["ant", "bee", "cat"], rows),
        }
    )


@pytest.fixture
def small_blocks(monkeypatch):
    """Row groups are blocks, and pieces and look-ahead are small, so that few rows are many."""
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 1)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 21)
    monkeypatch.setattr(order_module, "CHUNK", 25)


@pytest.fixture(params=["one file", "one group", "folder"])
def path(request, tmp_path, small_blocks):
    """The same 500 rows in one file of many groups, in one of a single group, in many files."""
    frame = frame_of(500)
    if request.param == "folder":
        folder = tmp_path / "table"
        folder.mkdir()
        for number, start in enumerate(range(0, 500, 90)):
            frame[start : start + 90].to_parquet(folder / f"part-{number}.parquet", index=False)
        return folder
    rows = 500 if request.param == "one group" else 90
    frame.to_parquet(tmp_path / "table.parquet", index=False, row_group_size=rows)
    return tmp_path / "table.parquet"


def stream_of(path, part=None, buffer=64, **roles):
    rows = ParquetRows(path, **(roles or ROLES))
    return StreamData(rows, fit_codec(rows), part, buffer=buffer)


def same(batch, other):
    assert torch.equal(batch.x, other.x)
    assert torch.equal(batch.y, other.y)
    assert torch.equal(batch.c, other.c)


def index_of(batches):
    return torch.cat([batch.index for batch in batches]).tolist()


# --- the same as in memory -------------------------------------------------------------------


def test_batches_are_those_of_data_in_memory(path):
    stream, memory = stream_of(path), TensorData.of(load(path, **ROLES), stream_of(path).codec)
    for size in (9, 500, 1000):
        ours, theirs = list(stream.batches(size)), list(memory.batches(size))
        assert [len(batch) for batch in ours] == [len(batch) for batch in theirs]
        for batch, other in zip(ours, theirs, strict=True):
            same(batch, other)
            assert torch.equal(batch.index, other.index)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
@pytest.mark.parametrize("context", [None, "labels", "columns", "none"])
def test_the_codec_is_that_of_data_in_memory(path, scaling, context):
    rows = ParquetRows(path, **ROLES)
    train = split_stream(rows)["train"]
    ours = fit_codec(rows, train, scaling=scaling, context=context)
    theirs = DataCodec.fit(
        load(path, **ROLES), train=train.rows(), scaling=scaling, context=context
    )
    assert ours.labels == theirs.labels
    assert (ours.x.columns, ours.x.scaling) == (theirs.x.columns, theirs.x.scaling)
    np.testing.assert_allclose(ours.x.loc, theirs.x.loc, rtol=1e-10)
    np.testing.assert_allclose(ours.x.scale, theirs.x.scale, rtol=1e-10)
    assert type(ours.context) is type(theirs.context)
    if context == "columns":
        np.testing.assert_allclose(ours.context.loc, theirs.context.loc, rtol=1e-10)


def test_moments_of_ill_conditioned_columns(tmp_path, small_blocks):
    """A mean a million times the deviation; the two-pass formula in extended precision."""
    rng = np.random.default_rng(0)
    x = 1e6 + rng.normal(size=(3000, 2)) * [1.0, 1e-3]
    pd.DataFrame(x, columns=["a", "b"]).to_parquet(tmp_path / "a.parquet")
    codec = fit_codec(ParquetRows(tmp_path / "a.parquet"))
    exact = x.astype(np.longdouble)
    np.testing.assert_allclose(codec.x.loc, exact.mean(0).astype(float), rtol=1e-14)
    np.testing.assert_allclose(codec.x.scale, exact.std(0).astype(float), rtol=1e-9)


def test_validation_is_in_memory_and_the_rest_streams(path):
    rows = ParquetRows(path, **ROLES)
    parts = split_stream(rows, max_validation=10)
    codec, found = prepare_stream(rows, parts=parts)
    raw = load(path, **ROLES)
    assert {name: (type(part), len(part)) for name, part in found.items()} == {
        "train": (StreamData, 440),
        "validation": (TensorData, 10),
        "test": (StreamData, 50),
    }
    for name, part in found.items():
        memory = TensorData.of(raw.subset(parts[name].rows()), codec)
        same(next(part.batches(500)), next(memory.batches(500)))


def test_with_a_fitted_codec_nothing_is_fitted(path):
    rows = ParquetRows(path, **ROLES)
    codec, _ = prepare_stream(rows)
    again, found = prepare_stream(rows, codec=codec)
    assert again is codec
    assert index_of(found["validation"].batches(7)) == found["validation"].part.rows().tolist()
    with pytest.raises(ConfigError, match="fitted already"):
        prepare_stream(rows, codec=codec, scaling="none")


def test_a_split_column_decides(tmp_path):
    frame = frame_of(60).assign(use=["train", "val", "Testing"] * 20)
    frame.to_parquet(tmp_path / "a.parquet")
    rows = ParquetRows(tmp_path / "a.parquet", split="use", **ROLES)
    parts = split_stream(rows)
    assert [parts[name].rows().tolist() for name in ("train", "validation", "test")] == [
        list(range(start, 60, 3)) for start in range(3)
    ]
    assert "use" not in rows.columns


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint16", "int64", "bool"])
def test_types_of_numbers(tmp_path, dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    pd.DataFrame(x, columns=["a", "b"]).to_parquet(tmp_path / "a.parquet")
    rows = ParquetRows(tmp_path / "a.parquet")
    batch = next(StreamData(rows, fit_codec(rows, scaling="none")).batches(3))
    assert batch.x.dtype == torch.float32
    assert batch.x.tolist() == [[0, 1], [1, 0], [1, 1]]


def test_single_precision_columns_stay_so(tmp_path, monkeypatch):
    pd.DataFrame(np.eye(4, dtype=np.float32), columns=list("abcd")).to_parquet(
        tmp_path / "a.parquet"
    )
    rows = ParquetRows(tmp_path / "a.parquet")
    window = next(rows.ordered(Part(4)))
    assert next(window.pieces).x.dtype == np.float32


@pytest.mark.parametrize(
    "labels", [[3, 1, 3, 2], ["x", "yy", "x", "zzz"], [True, False, True, True]]
)
@pytest.mark.parametrize("categorical", [False, True])
def test_labels_of_all_sorts(tmp_path, labels, categorical):
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "y": labels})
    if categorical:
        frame["y"] = frame["y"].astype("category")
    frame.to_parquet(tmp_path / "a.parquet")
    rows = ParquetRows(tmp_path / "a.parquet", label="y")
    codec = fit_codec(rows)
    memory = load(tmp_path / "a.parquet", label="y")
    assert codec.labels == DataCodec.fit(memory).labels
    assert torch.equal(next(StreamData(rows, codec).batches(4)).y, TensorData.of(memory, codec).y)


def test_too_many_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_module, "MAX_ITEMS", 10)
    monkeypatch.setattr("vaekit.data.codecs.labels.MAX_ITEMS", 10)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 9)
    frame_of(100).assign(kind=[f"id{i}" for i in range(100)]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"too many classes.*at most 10.*identifier"):
        fit_codec(ParquetRows(tmp_path / "a.parquet", label="kind"))


# --- the shuffled pass -----------------------------------------------------------------------


def test_a_pass_holds_every_row_once_with_its_own_values(path):
    stream = stream_of(path)
    memory = TensorData.of(load(path, **ROLES), stream.codec)
    batches = list(stream.epoch(16, seed=0, epoch=0))
    assert [len(batch) for batch in batches] == [16] * 31 + [4]
    assert stream.steps_per_epoch(16) == 32
    assert sorted(index_of(batches)) == list(range(500))
    for batch in batches:
        same(batch, memory.batch(batch.index))


def test_only_rows_of_the_part_come(path):
    rows = ParquetRows(path, **ROLES)
    parts = split_stream(rows, validation=0.3, test=0.3)
    _, found = prepare_stream(rows, parts=parts)
    for epoch in range(2):
        index = index_of(found["train"].epoch(7, seed=0, epoch=epoch))
        assert sorted(index) == parts["train"].rows().tolist()


def test_seed_and_epoch_determine_the_order(path):
    stream = stream_of(path)
    first, second, other = (
        index_of(stream.epoch(50, seed=seed, epoch=epoch))
        for seed, epoch in [(0, 0), (0, 1), (1, 0)]
    )
    again = stream_of(path)  # in which nothing was read before
    assert index_of(again.epoch(50, seed=0, epoch=1)) == second
    assert first not in (second, other)
    assert second != other


@pytest.mark.parametrize("size", [7, 64, 600])
def test_skipping_gives_the_same_batches_to_the_last_bit(path, size):
    stream = stream_of(path)
    whole = list(stream.epoch(size, seed=3, epoch=2))
    for skip in sorted({0, 1, len(whole) // 2, len(whole) - 1, len(whole)}):
        rest = list(stream.epoch(size, seed=3, epoch=2, skip=skip))
        assert len(rest) == len(whole) - skip
        for batch, other in zip(rest, whole[skip:], strict=True):
            same(batch, other)
            assert torch.equal(batch.index, other.index)


def test_rows_that_are_done_are_not_read_again(tmp_path, monkeypatch, small_blocks):
    frame_of(500).to_parquet(tmp_path / "a.parquet", index=False, row_group_size=20)
    stream = stream_of(tmp_path / "a.parquet", buffer=50)
    read = []
    piece = ParquetRows._piece
    monkeypatch.setattr(
        ParquetRows, "_piece", lambda *args: (read.append(args[1].num_rows), piece(*args))[1]
    )
    assert sum(len(batch) for batch in stream.epoch(50, seed=0, epoch=0, skip=8)) == 100
    assert sum(read) < 250


def test_dynamic_noise_is_drawn_where_batches_are_asked_for(path):
    """Training seeds torch's generator before each batch; the reading thread must not draw."""
    stream = stream_of(path)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(stream.epoch(16, seed=0, epoch=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_is_bounded_by_the_buffer(tmp_path, monkeypatch):
    """Rows that were read and not yet handed out, counted; the whole file is one row group."""
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 10)
    frame_of(4000).to_parquet(tmp_path / "a.parquet", index=False)
    stream = stream_of(tmp_path / "a.parquet", buffer=100)
    lock, read, most = threading.Lock(), 0, 0
    piece = ParquetRows._piece

    def counted(self, batch, start):
        nonlocal read
        assert batch.num_rows <= 10
        with lock:
            read += batch.num_rows
        return piece(self, batch, start)

    monkeypatch.setattr(ParquetRows, "_piece", counted)
    given = 0
    for batch in stream.epoch(8, seed=0, epoch=0):
        with lock:
            most = max(most, read - given)
        given += len(batch)
    assert given == read == 4000
    assert most <= 2 * 100 + 8 + 10  # two windows, a begun batch, a piece


# --- protocol --------------------------------------------------------------------------------


def test_head_is_in_memory_and_kept(path, monkeypatch):
    stream = stream_of(path)
    memory = TensorData.of(load(path, **ROLES), stream.codec)
    for n in (30, 10, 30, 700):
        head = stream.head(n)
        assert isinstance(head, TensorData)
        assert len(head) == min(n, 500)
        same(next(head.batches(1000)), next(memory.head(n).batches(1000)))
    monkeypatch.setattr(ParquetRows, "ordered", None)
    assert len(stream.head(400)) == 400


def test_a_sample_streams_rows_spread_over_the_data(path):
    stream = stream_of(path)
    sample = stream.sample(40)
    index = index_of(sample.batches(7))
    assert len(sample) == 40
    assert index == stream.part.sample(40).rows().tolist()
    assert stream.sample(1000).part is stream.part


def test_to_a_device(path):
    stream = stream_of(path)
    moved = stream.to("meta")
    assert (len(moved), moved.buffer, moved.source) == (500, 64, stream.source)
    assert all(batch.x.device.type == "meta" for batch in moved.epoch(100, seed=0, epoch=0))


def test_the_digest_tells_data_apart(tmp_path, small_blocks):
    first, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    frame_of(300).to_parquet(first)
    frame_of(300).to_parquet(other)
    digest = stream_of(first).digest()
    assert stream_of(first).digest() == digest
    rows = ParquetRows(first, **ROLES)
    parts = [split_stream(rows, seed=seed)["train"] for seed in (0, 1)]
    digests = {stream_of(first, part).digest() for part in parts} | {digest}
    assert len(digests) == 3
    assert stream_of(first, buffer=65).digest() != digest
    changed = frame_of(300)
    changed.loc[299, "b"] += 1.0
    changed.to_parquet(other)
    assert stream_of(other).digest() != digest


def test_the_buffer_fits_a_budget(tmp_path):
    frame_of(10).to_parquet(tmp_path / "a.parquet")
    rows = ParquetRows(tmp_path / "a.parquet", **ROLES)
    assert StreamData(rows, fit_codec(rows)).buffer == 1 << 17
    pd.DataFrame(np.random.default_rng(0).normal(size=(3, 2000))).rename(columns=str).to_parquet(
        tmp_path / "wide.parquet"
    )
    wide = ParquetRows(tmp_path / "wide.parquet")
    data = StreamData(wide, fit_codec(wide))
    assert data.buffer * 2000 * 4 <= 1 << 27
    assert data.buffer * 2000 * 4 > 1 << 26


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_needs_rows(path, size):
    with pytest.raises(ConfigError, match="at least one row"):
        stream_of(path).epoch(size, seed=0, epoch=0)
    with pytest.raises(ConfigError, match="at least one row"):
        stream_of(path).batches(size)


def test_stopping_early_ends_the_thread(path):
    def readers():
        return [t for t in threading.enumerate() if t.name == "vaekit reader"]

    batches = stream_of(path).epoch(8, seed=0, epoch=0)
    assert not readers()  # nothing is read before the first batch is asked for
    next(batches)
    assert len(readers()) == 1
    batches.close()
    assert not readers()
    del batches
    next(iter(stream_of(path).batches(8)))  # nobody holds the rest
    assert not readers()


# --- bad input -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, small_blocks):
    """Four files of 50 rows."""
    path = tmp_path / "table"
    path.mkdir()
    for number in range(4):
        frame_of(50, seed=number).to_parquet(path / f"part-{number}.parquet", index=False)
    return path


def rewrite(path, change):
    frame = pd.read_parquet(path)
    frame = change(frame)
    frame.to_parquet(path, index=False)


def put(column, rows, value):
    def change(frame):
        if not isinstance(value, str) and frame[column].dtype.kind != "f":
            frame = frame.astype({column: float})
        frame.loc[rows, column] = value
        return frame

    return change


def refused(path, *, says, roles=ROLES, use=fit_codec):
    with pytest.raises((DataError, ConfigError)) as caught:
        use(open_stream(path, **roles))
    for words in says:
        assert words in str(caught.value), str(caught.value)
    return caught.value


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_the_third_file_holds_cells_that_are_not_finite(folder, value, word):
    rewrite(folder / "part-2.parquet", put("b", [3, 17, 40], value))
    error = refused(folder, says=("column 'b' holds 3 value(s)", "rows 3, 17, 40", f"got {word}"))
    assert error.where == "part-2.parquet"
    with pytest.raises(DataError) as caught:
        load(folder / "part-2.parquet", **ROLES)
    assert str(caught.value) == str(error)  # word for word what it says in memory


def test_missing_cells_and_other_columns_are_counted(folder):
    rewrite(folder / "part-1.parquet", lambda f: put("a", [9], None)(put("b", range(7), None)(f)))
    says = ("part-1.parquet: column 'a' holds 1 value(s)", "in row 9", "1 other column has")
    refused(folder, says=says)


def test_context_that_is_not_finite(folder):
    rewrite(folder / "part-3.parquet", put("age", [49], np.nan))
    for number in range(3):
        rewrite(folder / f"part-{number}.parquet", lambda f: f.astype({"age": float}))
    refused(folder, says=("part-3.parquet context: column 'age'", "in row 49"))


def test_labels_that_are_missing_or_new(folder):
    codec = fit_codec(open_stream(folder, **ROLES))
    rewrite(folder / "part-1.parquet", put("kind", [6], "dog"))
    rows = open_stream(folder, **ROLES)
    with pytest.raises(DataError, match=r"part-1.parquet, row 6: unknown label 'dog'") as caught:
        list(StreamData(rows, codec).batches(10))
    assert "Did you mean" in str(caught.value) or "Known: ant" in str(caught.value)
    rewrite(folder / "part-1.parquet", lambda f: f.assign(kind=[*f.kind[:8], None, *f.kind[9:]]))
    refused(folder, says=("part-1.parquet, row 8", "label column 'kind' is empty"))


def test_labels_that_are_fractions(folder):
    for number in range(4):
        rewrite(folder / f"part-{number}.parquet", lambda f: f.assign(kind=np.arange(50.0)))
    rewrite(folder / "part-2.parquet", put("kind", [12], 0.5))
    refused(folder, says=("part-2.parquet, row 12: labels must be classes", "got 0.5"))


def test_a_value_that_overflows_after_scaling(folder):
    codec = fit_codec(open_stream(folder, **ROLES))
    rewrite(folder / "part-1.parquet", put("b", [33], 1e300))
    with pytest.raises(DataError, match=r"part-1.parquet, row 33: column 'b' holds"):
        list(StreamData(open_stream(folder, **ROLES), codec).epoch(8, seed=0, epoch=0))


def test_constant_columns_are_named(folder):
    for number in range(4):
        rewrite(folder / f"part-{number}.parquet", lambda f: f.assign(a=1.0))
    refused(folder, says=("constant column 'a' cannot be scaled",))


def test_a_column_that_varies_between_files_only_is_not_constant(folder):
    for number in range(4):
        rewrite(folder / f"part-{number}.parquet", lambda f, n=number: f.assign(a=float(n)))
    codec = fit_codec(open_stream(folder, **ROLES))
    assert codec.x.scale[codec.x.columns.index("a")] == pytest.approx(np.std([0, 1, 2, 3]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop(columns="b"), ("differ in their columns", "lacks 'b'")),
        (lambda f: f.assign(extra=1.0), ("differ in their columns", "has one more: 'extra'")),
        (lambda f: f.astype({"b": "float32"}), ("type of column 'b'", "double", "got float")),
    ],
)
def test_files_of_another_schema(folder, change, says):
    rewrite(folder / "part-2.parquet", change)
    says = (*says, "part-2.parquet", "part-0.parquet")
    refused(folder, says=says)
    refused(folder, says=says, use=lambda _: load(folder, **ROLES))
    chosen = {"columns": ["a"], "label": "kind"}
    assert len(load(folder, **chosen)) == len(open_stream(folder, **chosen)) == 200


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense PAR1"])
def test_a_file_that_is_no_parquet(folder, content):
    (folder / "part-1.parquet").write_bytes(content)
    refused(folder, says=("part-1.parquet", "not a readable Parquet file"))


def test_a_file_that_is_damaged_inside(folder):
    path = folder / "part-1.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    refused(folder, says=("part-1.parquet, row", "not a readable Parquet file"))


@pytest.mark.parametrize(
    "change", [lambda p: p.unlink(), lambda p: rewrite(p, lambda f: f[["a"]])]
)
def test_a_file_that_goes_while_it_is_in_use(folder, change):
    stream = stream_of(folder)
    change(folder / "part-1.parquet")
    with pytest.raises(DataError, match=r"part-1\.parquet"):
        list(stream.epoch(8, seed=0, epoch=0))
    assert not [t for t in threading.enumerate() if t.name == "vaekit reader"]


def test_files_in_sub_folders_are_not_left_out_silently(folder):
    (folder / "more").mkdir()
    (folder / "part-3.parquet").rename(folder / "more" / "part-3.parquet")
    says = ("sub-folders are not read", "part-3.parquet")
    refused(folder, says=says)
    refused(folder, says=says, use=lambda _: load(folder, **ROLES))


def test_hidden_files_are_no_data(folder):
    for name in ("_metadata.parquet", ".part-0.parquet", "_SUCCESS", "notes.txt"):
        (folder / name).write_text("not data")
    assert len(open_stream(folder, **ROLES)) == len(load(folder, **ROLES)) == 200


def test_files_come_in_the_order_of_their_names(folder):
    raw = load(folder, **ROLES)
    frame = pd.concat([pd.read_parquet(folder / f"part-{n}.parquet") for n in range(4)])
    assert np.array_equal(raw.x[:, 2], frame["b"])
    batch = next(stream_of(folder).batches(200))
    assert np.allclose(stream_of(folder).codec.decode(batch.x)[:, 2], frame["b"], rtol=1e-5)


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"label": "king"}, ("no column 'king'", "did you mean 'kind'")),
        ({"label": "kind", "context": ["kind"]}, ("column 'kind' has two uses",)),
        ({"columns": ["a", "a"]}, ("column 'a' has two uses",)),
        ({}, ("not numeric: 'kind'", "in row 0 in 'kind'")),
        ({"size": 8}, ("size= does not apply",)),
    ],
)
def test_columns_that_cannot_be_used(folder, roles, says):
    says = [words.lower() for words in says]
    for use in (lambda: open_stream(folder, **roles), lambda: load(folder, **roles)):
        with pytest.raises((ConfigError, DataError)) as caught:
            use()
        assert all(words in str(caught.value).lower() for words in says), str(caught.value)


def test_no_rows(tmp_path):
    frame_of(3)[:0].to_parquet(tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", says=("there is no data", "0 rows"))


def test_empty_files_and_empty_groups_are_passed_over(tmp_path, small_blocks):
    folder = tmp_path / "table"
    folder.mkdir()
    table = pa.table({"a": [1.0, 2.0, 3.0]})
    for name in ("0", "2", "4"):
        pq.write_table(table[:0], folder / f"{name}.parquet")
    with pq.ParquetWriter(folder / "1.parquet", table.schema) as writer:
        writer.write_table(table)
        writer.write_table(table[:0])
        writer.write_table(table)
    rows = open_stream(folder)
    assert index_of(StreamData(rows, fit_codec(rows)).epoch(4, seed=0, epoch=0)) != []
    assert next(StreamData(rows, fit_codec(rows)).batches(9)).index.tolist() == list(range(6))


@pytest.mark.parametrize("name", ["digits", "table.csv", "array"])
def test_other_sources_do_not_stream(tmp_path, name):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    source = {"table.csv": tmp_path / name, "array": np.zeros((3, 3))}.get(name, name)
    with pytest.raises(ConfigError, match="cannot be streamed"):
        open_stream(source)

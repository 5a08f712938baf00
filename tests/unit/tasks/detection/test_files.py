"""Tables on disk scored in parts, by either engine, and ranked, against the same in memory."""

import re

import numpy as np
import pandas as pd
import pyarrow
import pytest

from vaekit import VAEDetector
from vaekit.data.streams import TableRows
from vaekit.data.streams import parquet as parquet_module
from vaekit.errors import ConfigError, DataError, MissingExtraError
from vaekit.tasks.detection import (
    LATENT,
    DetectorScorer,
    Explanation,
    Ranking,
    explain_file,
    ray_engine,
    score_file,
)
from vaekit.tasks.detection.ranking import highest, rows_at


def table(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "size": size,
            "width": size + 0.1 * rng.normal(size=rows),
            "kind": pd.Categorical(rng.choice(["a", "b"], rows)),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A detector in memory and in a folder, and a table on disk in groups of 70 rows."""
    folder = tmp_path_factory.mktemp("detector")
    detector = VAEDetector(steps=60, n_draws=4, random_state=0).fit(table())
    detector.save(folder / "run")
    frame = table(400, seed=1)
    frame.loc[123, "width"] = 9.0
    frame.to_parquet(folder / "new.parquet", index=False, row_group_size=70)
    return detector, folder / "run", folder / "new.parquet", frame


@pytest.mark.parametrize(("block", "piece"), [(1, 7), (100, 64), (1 << 16, 1 << 14)])
def test_scores_do_not_depend_on_how_a_table_is_divided(
    saved, block, piece, tmp_path, monkeypatch
):
    detector, run, path, frame = saved
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", block)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", piece)
    told = score_file(run, path, tmp_path / "s.parquet", keep=["kind", "when"])
    found = pd.read_parquet(tmp_path / "s.parquet")
    np.testing.assert_allclose(found["score"], detector.anomaly_scores(frame), rtol=1e-12)
    assert found["row"].tolist() == list(range(400))
    assert (found["kind"] == frame["kind"].astype(str)).all()
    assert (found["when"] == frame["when"]).all()
    assert told.rows == 400
    assert told.anomalies == (detector.predict(frame) < 0).sum()


def test_a_folder_of_files_is_one_table(saved, tmp_path):
    _, run, path, frame = saved
    folder = tmp_path / "parts"
    folder.mkdir()
    frame[:150].to_parquet(folder / "a.parquet", index=False)
    frame[150:].to_parquet(folder / "b.parquet", index=False)
    score_file(run, folder, tmp_path / "parts.parquet")
    score_file(run, path, tmp_path / "whole.parquet")
    parts, whole = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in ("parts", "whole"))
    np.testing.assert_allclose(parts["score"], whole["score"], rtol=1e-12)
    assert (parts["row"] == whole["row"]).all()


def test_a_scorer_is_a_function_of_arrow_tables(saved):
    detector, run, _, frame = saved
    scorer = DetectorScorer(run, keep=["size"])
    found = scorer(pyarrow.Table.from_pandas(frame))
    assert found.column_names == ["score", "anomaly", "size"]
    np.testing.assert_allclose(found["score"], detector.anomaly_scores(frame), rtol=1e-12)
    drawn = DetectorScorer(run, offset=-1e9)(pyarrow.Table.from_pandas(frame))
    assert not any(drawn["anomaly"].to_pylist())


@pytest.mark.parametrize("name", ["score", "row", "(unseen)", "(absent)"])
def test_columns_named_as_those_of_the_result_are_not_kept(saved, name):
    _, run, _, frame = saved
    with pytest.raises(ConfigError, match=f"{re.escape(repr(name))} of its own"):
        DetectorScorer(run, keep=["size", name])(
            pyarrow.Table.from_pandas(frame.assign(**{name: 1}))
        )


def test_a_file_that_is_not_finished_does_not_appear(saved, tmp_path):
    _, run, _, frame = saved
    bad = frame.assign(size=frame["size"].where(frame.index != 390, np.inf))
    bad.to_parquet(tmp_path / "bad.parquet", row_group_size=50)
    with pytest.raises(DataError, match=r"bad\.parquet: column 'size'.*row 390"):
        score_file(run, tmp_path / "bad.parquet", tmp_path / "s.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.parquet"]


# --- ranking ---------------------------------------------------------------------------------


def test_the_highest_rows_are_read_again_and_explained(saved):
    detector, _, path, frame = saved
    ranking = explain_file(detector, path, top=12)
    order = np.argsort(-detector.anomaly_scores(frame), kind="stable")[:12]
    top = ranking.top(2)
    assert top["row"][::2].tolist() == order.tolist()
    assert top["row"].iloc[0] == 123
    assert top["column"].iloc[0] == "width"
    assert top.loc[(top["row"] == 123) & (top["column"] == "width"), "value"].item() == "9"
    whole = detector.explain(frame).contributions.iloc[np.sort(order)]
    np.testing.assert_allclose(ranking.explanation.contributions, whole, rtol=1e-9)
    assert sum(ranking.counts(-detector.offset_).values()) == 12
    with pytest.raises(ConfigError, match="no rows to explain"):
        explain_file(detector, path, top=0)


def test_rows_that_no_column_explains_are_named():
    columns = ["a", "b", LATENT]
    contributions = pd.DataFrame(
        [[9.0, 1, 3], [2, 2, 12], [1, 1, 1], [0, 0, 0.5]], columns=columns
    )
    table = pd.DataFrame({"a": [1.0] * 4, "b": [2.0] * 4})
    typical = pd.Series(1.0, index=columns)
    found = Explanation(contributions, typical, table, table)
    rows = np.array([4, 6, 8, 9])
    assert Ranking(rows, found, np.zeros(10)).columnless() == [6]


@pytest.mark.parametrize("count", [1, 3, 5, 50])
def test_of_rows_that_tie_the_first_are_taken(count):
    scores = np.array([2.0, 5.0, 2.0, 7.0, 2.0, 5.0])
    expected = np.sort(np.argsort(-scores, kind="stable")[:count])
    assert highest(scores, count).tolist() == expected.tolist()


def test_rows_are_read_by_their_numbers(saved, monkeypatch):
    _, _, path, frame = saved
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 16)
    numbers = np.array([0, 1, 69, 70, 255, 399])
    found = rows_at(TableRows(path), numbers).to_pandas()
    assert (found["size"].to_numpy() == frame["size"].to_numpy()[numbers]).all()


# --- Ray -------------------------------------------------------------------------------------


def test_without_ray_the_extra_is_named(saved, tmp_path, monkeypatch):
    _, run, path, _ = saved

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(ray_engine.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"vaekit\[cluster\]"):
        score_file(run, path, tmp_path / "s.csv", engine="ray")


def test_parts_in_another_order_are_refused():
    parts = [pyarrow.table({"row": [0, 1]}), pyarrow.table({"row": [3, 4]})]
    with pytest.raises(DataError, match="another order; expected 2, got 3"):
        list(ray_engine._in_order(parts))


def test_errors_of_ours_are_unwrapped():
    ours = DataError("bad", got=3, where="a.parquet", remedy="mend it")
    ours.args = (f"{ours} and a lot about UDFs",)
    theirs = RuntimeError("task failed")
    theirs.cause = RuntimeError("worker failed")
    theirs.cause.__cause__ = ours

    def parts():
        yield pyarrow.table({"row": [0]})
        raise theirs

    with pytest.raises(DataError, match=r"^a\.parquet: bad; got 3\. Mend it$"):
        list(ray_engine._in_order(parts()))
    with pytest.raises(ZeroDivisionError):
        list(ray_engine._in_order(1 / 0 for _ in [0]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_the_same_file(saved, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    _, run, path, _ = saved
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 100)
    told = {}
    for engine in ("local", "ray"):
        out = tmp_path / f"{engine}.csv"
        told[engine] = score_file(run, path, out, engine=engine, keep=["kind"], budget=9)
    assert told["ray"][1:] == told["local"][1:]
    local, far = (pd.read_csv(tmp_path / f"{engine}.csv") for engine in ("local", "ray"))
    np.testing.assert_allclose(far["score"], local["score"], rtol=1e-12)
    pd.testing.assert_frame_equal(far.drop(columns="score"), local.drop(columns="score"))
    assert not ray.is_initialized()

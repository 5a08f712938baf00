"""What a detector makes of tables that came later: new weeks, rare categories, codes in text."""

import numpy as np
import pandas as pd
import pytest

from vaekit import VAEDetector
from vaekit.errors import VaekitError
from vaekit.metrics import false_positives
from vaekit.tasks.detection import explain_file, score_file, train_detector

QUICK = {"steps": 200, "random_state": 0}


def days(first, count, seed):
    """Amounts, four each day."""
    rng = np.random.default_rng(seed)
    when = pd.Timestamp(first) + pd.to_timedelta(np.repeat(np.arange(count), 4), "D")
    when += pd.to_timedelta(rng.integers(0, 24, 4 * count), "h")
    return pd.DataFrame({"amount": rng.normal(size=4 * count), "when": when})


def test_rows_are_no_anomalies_for_being_later():
    detector = VAEDetector(alpha=0.05, **QUICK).fit(days("2024-01-01", 91, seed=0))
    late = days("2024-06-24", 180, seed=1)
    alarms = (detector.predict(late) < 0).sum()
    assert alarms <= false_positives(91, 720, 0.05).interval(0.999).high
    week = days("2024-03-25", 7, seed=1)
    later = week.assign(when=week["when"] + pd.Timedelta(weeks=40))
    assert (detector.anomaly_scores(later) == detector.anomaly_scores(week)).all()
    found = detector.explain(later)
    assert (found.values["when"] == later["when"]).all()
    assert found.expected["when"].between("2024-01-01", "2024-04-01").all()
    assert (detector.predict(days("1970-01-01", 7, seed=2)) < 0).all()


def test_rows_are_anomalies_for_being_later_where_asked():
    types = {"when": "datetime:later=extrapolate"}
    detector = VAEDetector(alpha=0.05, column_types=types, **QUICK)
    detector.fit(days("2024-01-01", 91, seed=0))
    assert (detector.predict(days("2024-06-24", 180, seed=1)) < 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_stray_word_among_rows_set_aside_is_told_with_its_row(seed):
    table = pd.DataFrame({"age": [*map(str, np.arange(99) % 7), "n/k"], "n": np.arange(100.0)})
    with pytest.raises(VaekitError, match=r"1 of 100 values is not a number.*'n/k' in row 99"):
        VAEDetector(alpha=0.1, calibration_fraction=0.5, steps=5, random_state=seed).fit(table)


def test_rare_categories_taken_for_no_value_cost_what_their_share_says():
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b"], 600).astype(object)
    kind[::4] = [f"once {i}" for i in range(150)]
    kind[1::20] = None
    table = pd.DataFrame({"kind": kind, "n": rng.normal(size=600)})
    types = {"kind": "categorical:unknown=missing"}
    detector = VAEDetector(column_types=types, scoring="elbo", **QUICK).fit(table)
    terms = detector.explain(table).contributions["kind"].to_numpy()
    share = 180 / 600
    for rows in (slice(0, None, 4), slice(1, None, 20)):
        assert terms[rows].mean() == pytest.approx(-np.log(share), abs=0.25)
    new = table[:1].assign(kind="never met")
    assert detector.explain(new).contributions["kind"][0] == pytest.approx(terms[0], abs=0.25)


def shops(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    zips = rng.choice(["01", "02", "10", "X9"], rows)
    return pd.DataFrame({"zip": zips, "price": rng.normal(size=rows) + (zips == "01")})


@pytest.fixture(scope="module")
def shopped():
    return VAEDetector(**QUICK).fit(shops())


def test_text_codes_without_letters_are_still_text(shopped, tmp_path):
    new = shops(seed=1).query("zip != 'X9'")
    new.to_csv(tmp_path / "new.csv", index=False)
    found = shopped.anomaly_scores(tmp_path / "new.csv")
    assert (found == shopped.anomaly_scores(new)).all()


def test_declared_codes_are_trained_with_as_they_are_written(tmp_path):
    table = shops().replace({"zip": {"X9": "1"}})
    table.to_csv(tmp_path / "t.csv", index=False)
    detector = VAEDetector(column_types={"zip": "categorical"}, **QUICK).fit(tmp_path / "t.csv")
    assert sorted(detector.codec_.x.columns[0].categories) == ["01", "02", "1", "10"]
    assert (detector.anomaly_scores(tmp_path / "t.csv") == detector.anomaly_scores(table)).all()


def test_files_of_text_are_scored_and_explained_as_their_rows(shopped, tmp_path):
    new = shops(seed=1).query("zip != 'X9'").reset_index(drop=True)
    new.to_csv(tmp_path / "new.csv", index=False)
    run = shopped.save(tmp_path / "run")
    told = score_file(run, tmp_path / "new.csv", tmp_path / "s.parquet", keep=["zip"])
    found = pd.read_parquet(tmp_path / "s.parquet")
    assert told.unseen == {}
    assert found["zip"].tolist() == new["zip"].tolist()
    np.testing.assert_allclose(found["score"], shopped.anomaly_scores(new), rtol=1e-12)
    ranking = explain_file(shopped, tmp_path / "new.csv", top=5)
    rows = ranking.rows.tolist()
    assert ranking.explanation.values["zip"].tolist() == new["zip"][rows].tolist()
    whole = shopped.explain(new).contributions.iloc[rows]
    np.testing.assert_allclose(ranking.explanation.contributions, whole, rtol=1e-9)


def test_a_run_on_a_text_file_keeps_declared_codes(tmp_path):
    table = shops().replace({"zip": {"X9": "1"}})
    table.to_csv(tmp_path / "t.csv", index=False)
    detector = VAEDetector(column_types={"zip": "categorical"}, **QUICK)
    made = train_detector(detector, tmp_path / "t.csv", tmp_path / "run")
    assert sorted(detector.codec_.x.columns[0].categories) == ["01", "02", "1", "10"]
    np.testing.assert_allclose(made.scores, detector.anomaly_scores(table), rtol=1e-12)


KEPT = {"id": "0007", "paid": "True", "when": "2024-01-05", "amount": "1.50"}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_kept_columns_of_text_files_are_written_as_they_stand(tmp_path, suffix):
    names = [*KEPT, "zip", "price"]
    separator = {"csv": ",", "tsv": "\t"}[suffix]
    frame = shops(60).assign(**KEPT)[names]
    frame.to_csv(tmp_path / f"t.{suffix}", sep=separator, index=False)
    detector = VAEDetector(column_types={"id": "skip"}, **QUICK).fit(frame[["id", "zip", "price"]])
    run = detector.save(tmp_path / "run")
    keep = [*KEPT, "zip"]
    for out in (tmp_path / "s.csv", tmp_path / "s.parquet"):
        score_file(run, tmp_path / f"t.{suffix}", out, keep=keep)
    found = pd.read_csv(tmp_path / "s.csv", dtype=str)
    assert (found[keep] == frame[keep]).all(axis=None)
    assert (pd.read_parquet(tmp_path / "s.parquet")[keep] == frame[keep]).all(axis=None)
    scores = detector.anomaly_scores(frame[["id", "zip", "price"]])
    np.testing.assert_allclose(found["score"].astype(float), scores, rtol=1e-12)


def test_kept_columns_of_parquet_files_have_their_types(shopped, tmp_path):
    shops(60).assign(id=7).to_parquet(tmp_path / "t.parquet")
    run = shopped.save(tmp_path / "run")
    score_file(run, tmp_path / "t.parquet", tmp_path / "s.parquet", keep=["id"])
    assert pd.read_parquet(tmp_path / "s.parquet")["id"].tolist() == [7] * 60


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_keeps_columns_of_text_files_as_they_stand(shopped, tmp_path):
    pytest.importorskip("ray")
    shops(60).assign(id="0007").to_csv(tmp_path / "t.csv", index=False)
    run = shopped.save(tmp_path / "run")
    for engine in ("local", "ray"):
        out = tmp_path / f"{engine}.csv"
        score_file(run, tmp_path / "t.csv", out, engine=engine, keep=["id", "zip"])
    assert "0007" in (tmp_path / "ray.csv").read_text()
    assert (tmp_path / "ray.csv").read_text() == (tmp_path / "local.csv").read_text()


@pytest.mark.parametrize(
    ("change", "keep", "says"),
    [
        ({"zip": None}, (), r"^t\.csv: the table lacks 'zip'"),
        ({"zap": 1}, (), r"^t\.csv: the table has 'zap'"),
        ({"price": "dear"}, (), r"^t\.csv: column 'price': the values are not numbers"),
        ({}, ["nope"], r"^t\.csv: there is no column 'nope' to keep"),
    ],
)
def test_errors_name_the_file_that_is_scored(shopped, tmp_path, change, keep, says):
    frame = shops(60).assign(**change)
    frame = frame.drop(columns=[name for name, value in change.items() if value is None])
    frame.to_csv(tmp_path / "t.csv", index=False)
    run = shopped.save(tmp_path / "run")
    with pytest.raises(VaekitError, match=says):
        score_file(run, tmp_path / "t.csv", tmp_path / "s.csv", keep=keep)

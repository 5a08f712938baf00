"""``vaekit detect``: train on a table, score files, explain the most anomalous rows."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vaekit import VAEDetector, writing
from vaekit.data.streams import parquet as parquet_module
from vaekit.tasks.detection import session

QUICK = ("--steps", "300", "--batch-size", "64", "--device", "cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks, pieces and groups of rows are small."""
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 90)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 16)
    monkeypatch.setattr(writing, "GROUP_ROWS", 50)


def payments(rows=400, seed=0):
    """Amounts that follow from sizes; in anomalies they do not."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    fraud = np.arange(rows) % 40 == 7
    amount = np.where(fraud, 6.0 * np.sign(-size), size) + 0.1 * rng.normal(size=rows)
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(rows)],
            "size": size,
            "amount": amount,
            "visits": rng.poisson(3, rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "refund": pd.array(np.where(rng.random(rows) < 0.3, 0, 1), "Int64"),
            "flat": 2.5,
            "is_fraud": fraud.astype(int),
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, answer):
    """A CSV file, and a run on it with rows set aside."""
    folder = tmp_path_factory.mktemp("detect")
    path = folder / "payments.csv"
    payments().to_csv(path, index=False)
    words = ("--types", "visits=count", "--drop", "id", "--label", "is_fraud", "--alpha", "0.05")
    said = answer("detect", "train", path, *words, *QUICK, "--out", folder / "run")
    return path, folder / "run", said


def read(path):
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return pd.DataFrame({name: arrays[name] for name in arrays})
    return {".csv": pd.read_csv, ".parquet": pd.read_parquet}[path.suffix](path)


# --- train -----------------------------------------------------------------------------------


def test_a_run_knows_its_columns_and_agrees_with_scikit_learn(trained):
    path, run, said = trained
    frame = pd.read_csv(path)
    columns = {row["column"]: row["type"] for row in said["columns"]}
    assert list(columns) == ["size", "amount", "visits", "shop", "refund", "flat"]
    assert (columns["visits"], columns["size"]) == ("count", "numeric")
    scores = VAEDetector.load(run).anomaly_scores(frame)
    assert said["auroc"] == pytest.approx(roc_auc_score(frame["is_fraud"], scores))
    expected = average_precision_score(frame["is_fraud"], scores)
    assert said["average_precision"] == pytest.approx(expected)
    assert said["auroc"] > 0.9
    flagged = scores > said["threshold"]
    assert said["anomalies"] == flagged.sum()
    assert said["recall"] == pytest.approx(frame["is_fraud"][flagged].sum() / 10)
    assert said["precision"] == pytest.approx(frame["is_fraud"][flagged].mean())
    assert any("'flat' is constant" in note for note in said["notes"])
    assert json.loads((run / "detection.json").read_text())["label"] == "is_fraud"
    assert said["streamed"] is False


def test_the_page_is_complete_and_needs_nothing_else(trained):
    page = (trained[1] / "report.html").read_text(encoding="utf-8")
    for text in ("payments.csv: anomalies", "AUROC", "Most anomalous rows", "labelled anomaly"):
        assert text in page
    assert "vaekit detect score" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_label_and_dropped_columns_are_no_inputs(trained):
    frame = payments(60, seed=3)
    detector = VAEDetector.load(trained[1])
    other = frame.assign(id="x", is_fraud=1 - frame["is_fraud"])
    assert (detector.anomaly_scores(frame) == detector.anomaly_scores(other)).all()


def test_a_table_that_is_too_large_for_memory_is_streamed(tmp_path, answer, monkeypatch):
    monkeypatch.setattr(session, "STREAM_BYTES", 1000)
    payments().to_parquet(tmp_path / "a.parquet", index=False)
    words = ("--drop", "id,is_fraud", *QUICK, "--out", tmp_path / "run")
    said = answer("detect", "train", tmp_path / "a.parquet", *words)
    assert said["streamed"] is True
    scores = VAEDetector.load(tmp_path / "run").anomaly_scores(payments())
    assert said["anomalies"] == (scores > said["threshold"]).sum() == 40
    assert roc_auc_score(payments()["is_fraud"], scores) > 0.9


def test_the_same_seed_gives_the_same_run(trained, tmp_path, answer):
    path, _, said = trained
    words = ("--types", "visits=count", "--drop", "id", "--label", "is_fraud", "--alpha", "0.05")
    again = answer("detect", "train", path, *words, *QUICK, "--out", tmp_path / "run")
    assert again["threshold"] == said["threshold"]


def test_people_read_a_table_of_the_columns(tmp_path, vaekit):
    payments(80).to_csv(tmp_path / "a.csv", index=False)
    words = ("--drop", "id", "--steps", "5", "--device", "cpu", "--out", tmp_path / "run")
    result = vaekit("detect", "train", tmp_path / "a.csv", *words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["column", "type", "missing", "notes"]
    assert lines[1].split() == ["size", "numeric", "none"]
    assert any(line.startswith("anomalies") and line.endswith(" 8") for line in lines)
    assert "note: column 'flat' is constant" in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--drop", "idd"], ("no column 'idd'", "Did you mean 'id'")),
        (["--label", "fraud"], ("no column 'fraud'", "Did you mean 'is_fraud'")),
        (["--label", "size"], ("'size' does not say which rows are anomalies", "1 or true")),
        (["--label", "shop"], ("'shop' does not say which rows are anomalies",)),
        (["--types", "visits"], ("COLUMN=TYPE", "visits")),
        (["--types", "visits=counts"], ("unknown column type 'counts'", "Did you mean 'count'")),
        (["--types", "id=count", "--drop", "id"], ("'id' has a type",)),
        (["--alpha", "0.1", "--contamination", "0.1"], ("exclude each other",)),
        (["--steps", "5", "--epochs", "5"], ("exclude each other",)),
        (["--scoring", "elbow"], ("no such score", "elbo")),
        (["--contamination", "0.9"], ("contamination", "0.9")),
        (["--likelihood", "gausian", "--drop", "id"], ("Did you mean 'gaussian'",)),
        ([], ("'id'", "names single rows")),
    ],
)
def test_what_makes_no_sense_is_refused(words, says, tmp_path, vaekit):
    payments(60).to_csv(tmp_path / "a.csv", index=False)
    result = vaekit(
        "detect", "train", tmp_path / "a.csv", *words, "--out", tmp_path / "r", "--json"
    )
    assert result.exit_code == 2
    for text in says:
        assert text in result.stderr
    assert json.loads(result.stdout)["error"].endswith("Error")
    assert not (tmp_path / "r").exists()


def test_a_folder_with_a_run_is_refused(trained, vaekit):
    path, run, _ = trained
    before = (run / "weights.safetensors").read_bytes()
    result = vaekit("detect", "train", path, "--drop", "id", "--out", run)
    assert result.exit_code == 2
    assert "holds a run already" in result.stderr
    assert (run / "weights.safetensors").read_bytes() == before


# --- score -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_one_line_for_each_row_in_order(trained, tmp_path, answer, suffix):
    _, run, trained_said = trained
    frame = payments(150, seed=1)
    frame.drop(columns="is_fraud").to_parquet(tmp_path / "new.parquet", row_group_size=40)
    out = tmp_path / f"scores{suffix}"
    said = answer("detect", "score", run, tmp_path / "new.parquet", "--out", out)
    found = read(out)
    assert list(found.columns) == ["row", "score", "anomaly", "p_value"]
    assert found["row"].tolist() == list(range(150))
    detector = VAEDetector.load(run)
    expected = detector.anomaly_scores(frame)
    np.testing.assert_allclose(found["score"], expected, rtol=1e-12)
    assert (found["anomaly"] == (detector.predict(frame) < 0)).all()
    aside = detector.calibration_scores_
    by_hand = [(1 + (aside >= score).sum()) / (1 + len(aside)) for score in found["score"]]
    np.testing.assert_allclose(found["p_value"], by_hand)
    assert (said["rows"], said["anomalies"]) == (150, found["anomaly"].sum())
    assert said["threshold"] == trained_said["threshold"]


def test_a_word_among_numbers_asks_for_a_type(tmp_path, vaekit):
    ages = pd.Series([*np.arange(400) % 40 + 20, "n/k"]).astype(str)
    pd.DataFrame({"age": ages, "n": range(401)}).to_csv(tmp_path / "t.csv", index=False)
    words = ("detect", "train", tmp_path / "t.csv", "--steps", "5", "--device", "cpu")
    result = vaekit(*words, "--out", tmp_path / "run")
    assert result.exit_code == 2
    for text in ("column 'age'", "1 of 401", "'n/k' in row 400", "--types age=categorical"):
        assert text in result.stderr
    result = vaekit(*words, "--types", "age=categorical", "--out", tmp_path / "run")
    assert result.exit_code == 0


def test_columns_are_kept_and_missing_ones_stay_missing(trained, tmp_path, answer):
    _, run, _ = trained
    frame = payments(150, seed=1).assign(note=pd.array([None] * 100 + [5] * 50, "Int64"))
    frame.to_parquet(tmp_path / "new.parquet", row_group_size=40)
    for suffix in (".csv", ".parquet"):
        out = tmp_path / f"kept{suffix}"
        words = ("--keep", "id,note,size", "--out", out)
        answer("detect", "score", run, tmp_path / "new.parquet", *words)
        found = read(out)
        assert found["id"].tolist() == frame["id"].tolist()
        assert (found["size"] == frame["size"]).all()
        assert found["note"].isna().sum() == 100
        assert (found["note"][100:] == 5).all()
    assert (tmp_path / "kept.csv").read_text().splitlines()[-1].split(",")[-2] == "5"


def test_what_training_never_met_is_counted_and_said(trained, tmp_path, vaekit):
    _, run, _ = trained
    frame = payments(100, seed=2)
    frame.loc[[3, 40, 77], "shop"] = "new"
    frame.loc[[5, 6], "size"] = np.nan
    frame.to_csv(tmp_path / "new.csv", index=False)
    words = ("--out", tmp_path / "s.csv", "--json")
    result = vaekit("detect", "score", run, tmp_path / "new.csv", *words)
    said = json.loads(result.stdout)
    assert (said["unseen"], said["absent"]) == ({"shop": 3}, {"size": 2})
    assert "column 'shop': a value that training never met in 3 rows" in result.stderr
    assert "column 'size': no value, as in no training row, in 2 rows" in result.stderr


@pytest.mark.parametrize(
    ("words", "count"),
    [(["--budget", "7"], 7), (["--contamination", "0.2"], 20), (["--alpha", "0.5"], None)],
)
def test_the_line_is_drawn_anew(trained, tmp_path, answer, words, count):
    _, run, _ = trained
    payments(100, seed=2).to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / "s.csv"
    said = answer("detect", "score", run, tmp_path / "new.csv", *words, "--out", out)
    found = read(out)
    assert found["anomaly"].sum() == said["anomalies"]
    assert (found["anomaly"] == (found["score"] > said["threshold"])).all()
    if count is None:
        assert (found["anomaly"] == (found["p_value"] <= 0.5)).all()
    else:
        assert said["anomalies"] == count


def test_a_calibrated_detector_gives_probabilities(trained, tmp_path, answer):
    detector = VAEDetector.load(trained[1])
    frame = payments(200, seed=4)
    detector.calibrate(frame, frame["is_fraud"], method="platt").save(tmp_path / "calibrated")
    frame.to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / "s.csv"
    answer("detect", "score", tmp_path / "calibrated", tmp_path / "new.csv", "--out", out)
    np.testing.assert_allclose(
        read(out)["probability"], detector.anomaly_probability(frame), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--keep", "idd"], ("no column 'idd' to keep", "Did you mean 'id'")),
        (["--engine", "rai"], ("no such engine", "Did you mean 'ray'")),
        (["--budget", "5", "--alpha", "0.1"], ("one way",)),
        (["--out", "s.txt"], ("s.txt", ".parquet")),
        (["--keep", "id", "--out", "s.npz"], ("'id'", ".npz cannot hold")),
    ],
)
def test_scores_that_cannot_be_are_refused(trained, words, says, tmp_path, vaekit, monkeypatch):
    monkeypatch.chdir(tmp_path)
    payments(60).to_csv("new.csv", index=False)
    result = vaekit("detect", "score", trained[1], "new.csv", *words)
    assert result.exit_code == 2
    for text in says:
        assert text in result.stderr
    assert not list(tmp_path.glob("s*"))


@pytest.mark.parametrize("command", ["score", "explain"])
@pytest.mark.parametrize("name", ["t.csv", "../here/t.csv", "link.csv", "parts/t.csv"])
def test_the_table_is_never_written_over(trained, command, name, tmp_path, vaekit, monkeypatch):
    """By no name of it, and not in the folder whose files are the table."""
    path, folder, _ = trained
    here = tmp_path / "here"
    (here / "parts").mkdir(parents=True)
    source = here / "parts" if name.startswith("parts") else here / "t.csv"
    (here / "t.csv").write_bytes(path.read_bytes())
    payments().to_parquet(here / "parts" / "0.parquet")
    (here / "link.csv").symlink_to(here / "t.csv")
    monkeypatch.chdir(here)
    found = vaekit("detect", command, folder, source, "--out", name)
    assert found.exit_code == 2
    assert "which would be lost" in found.stderr
    assert (here / "t.csv").read_bytes() == path.read_bytes()
    assert not (here / "parts" / "t.csv").exists()


def test_the_row_and_file_of_a_bad_value_are_named(trained, tmp_path, vaekit):
    frame = payments(60)
    frame["visits"] = frame["visits"].astype(float)
    frame.loc[37, "visits"] = 1.5
    frame.to_csv(tmp_path / "new.csv", index=False)
    result = vaekit(
        "detect", "score", trained[1], tmp_path / "new.csv", "--out", tmp_path / "s.csv"
    )
    assert result.exit_code == 2
    assert "column 'visits'" in result.stderr
    assert "row 37" in result.stderr
    assert not (tmp_path / "s.csv").exists()


# --- explain ---------------------------------------------------------------------------------


def test_the_most_anomalous_rows_are_explained(trained, tmp_path, answer):
    _, run, _ = trained
    frame = payments(200, seed=5)
    frame.loc[11, "shop"] = "never met"
    frame.to_parquet(tmp_path / "new.parquet", row_group_size=33)
    words = ("--top", "9", "--columns", "2", "--report", "--out", tmp_path / "e.csv")
    said = answer("detect", "explain", run, tmp_path / "new.parquet", *words)
    found = pd.read_csv(tmp_path / "e.csv")
    scores = VAEDetector.load(run).anomaly_scores(frame)
    assert found["row"].tolist() == np.repeat(np.argsort(-scores)[:9], 2).tolist()
    np.testing.assert_allclose(found["score"], scores[found["row"]], rtol=1e-9)
    assert found["rank"].tolist() == [1, 2] * 9
    assert (found["excess"][::2].to_numpy() >= found["excess"][1::2].to_numpy()).all()
    assert found["row"].isin([7, 47, 87, 127, 167]).sum() == 10
    for _, cell in found[found["column"] == "amount"].iterrows():
        assert float(cell["value"]) == pytest.approx(frame["amount"][cell["row"]], rel=1e-5)
    never = found[(found["row"] == 11) & (found["column"] == "shop")]
    assert never["value"].tolist() == ["never met"]
    assert sum(said["explained_by"].values()) == 9
    assert "never met" in (tmp_path / "e.html").read_text(encoding="utf-8")


def test_a_score_without_terms_cannot_be_explained(tmp_path, vaekit):
    payments(60).to_csv(tmp_path / "a.csv", index=False)
    words = ("--drop", "id", "--scoring", "iwae", "--steps", "5", "--out", tmp_path / "run")
    assert vaekit("detect", "train", tmp_path / "a.csv", *words).exit_code == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "no terms for single columns" in page
    result = vaekit("detect", "explain", tmp_path / "run", tmp_path / "a.csv")
    assert result.exit_code == 2
    assert "no terms for single columns" in result.stderr

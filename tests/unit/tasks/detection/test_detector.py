"""The estimator: manners of scikit-learn, explanations, files."""

import pickle  # noqa: TID251 - in memory, as scikit-learn does

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.unit.tasks.detection.test_scores import correlated, mixed

from vaekit import VAEDetector
from vaekit.data import AsIs, TensorData
from vaekit.data.streams import open_table
from vaekit.errors import ArtifactError, ConfigError, DataError, NotFittedError
from vaekit.tasks.detection import LATENT, DetectorScorer, fit_together
from vaekit.tasks.detection.training import Effort

TYPES = {"count": "count"}


@parametrize_with_checks([VAEDetector(steps=50, random_state=0)])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def fitted():
    table = mixed()
    return VAEDetector(column_types=TYPES, steps=150, random_state=0).fit(table), table


@pytest.mark.parametrize(
    ("rows", "params", "steps"),
    [
        (40, {}, 500),  # a step visits all rows: 500 visits of each
        (200, {}, 781),  # 100,000 visits in batches of 128
        (600, {}, 2000),
        (40, {"steps": 700}, 700),
        (40, {"epochs": 3}, 3),
        (10, {"batch_size": 5}, 1000),
    ],
)
def test_steps_unless_told_visit_no_row_more_than_500_times(rows, params, steps):
    data = TensorData(AsIs(), torch.zeros(rows, 2))
    effort = Effort.of(VAEDetector(**params).get_params())
    visited, training = effort.training(data, seed=0)
    taken = training.epochs * visited.steps_per_epoch(training.batch_size)
    assert taken == pytest.approx(steps, rel=0.05)


def test_contributions_sum_to_the_score(fitted):
    detector, table = fitted
    found = detector.explain(table)
    assert list(found.contributions) == ["height", "kind", "sold", "count", LATENT]
    assert found.scores == pytest.approx(detector.anomaly_scores(table), abs=1e-9)
    assert found.excess.mean().to_numpy() == pytest.approx(np.zeros(5), abs=1e-9)


def test_explanations_show_values_and_what_was_expected(fitted):
    detector, table = fitted
    found = detector.explain(table)
    assert found.values["kind"].tolist() == table["kind"].tolist()
    assert set(found.expected["kind"]) <= {"small", "large", "(other)"}
    right = found.expected["kind"].astype(str).to_numpy() == table["kind"].to_numpy()
    assert right.mean() > 0.9
    present = table["height"].notna()
    error = (found.expected["height"] - table["height"])[present]
    assert error.std() < 0.7 * table["height"].std()
    top = found.top(2, rows=3)
    assert len(top) == 6
    assert top["score"].is_monotonic_decreasing
    assert "Explanation of 600 rows" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_score_without_terms_is_not_explained(fitted):
    detector, table = fitted
    other = pickle.loads(pickle.dumps(detector)).set_params(scoring="iwae")
    assert np.isfinite(other.anomaly_scores(table)).all()
    with pytest.raises(ConfigError, match="no terms for single columns"):
        other.explain(table)


def test_files(fitted, tmp_path):
    detector, table = fitted
    detector.save(tmp_path / "a")
    again = VAEDetector.load(tmp_path / "a")
    assert (again.anomaly_scores(table) == detector.anomaly_scores(table)).all()
    assert again.get_params() == detector.get_params()
    assert again.offset_ == detector.offset_
    assert again.explain(table[:3]).typical.equals(detector.explain(table[:3]).typical)
    assert (again.predict(table) == detector.predict(table)).all()
    (tmp_path / "a" / "detector.safetensors").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="cannot be read"):
        VAEDetector.load(tmp_path / "a")


@pytest.mark.parametrize("scoring", ["tail", "elbo"])
def test_thresholds_and_tails_are_saved(tmp_path, scoring):
    x = correlated(200)
    y = np.arange(200) < 20
    detector = VAEDetector(scoring=scoring, alpha=0.1, steps=30, random_state=0).fit(x)
    detector.calibrate(x, y, method="platt").save(tmp_path / "a")
    again = VAEDetector.load(tmp_path / "a")
    for method in ("anomaly_scores", "p_values", "anomaly_probability", "predict"):
        assert (getattr(again, method)(x) == getattr(detector, method)(x)).all()


def test_pickled_in_memory_and_cloned(fitted):
    detector, table = fitted
    again = pickle.loads(pickle.dumps(detector))
    assert (again.anomaly_scores(table) == detector.anomaly_scores(table)).all()
    assert clone(detector).get_params() == detector.get_params()
    assert not hasattr(clone(detector), "offset_")


def test_the_same_from_every_kind_of_table(fitted, tmp_path):
    detector, table = fitted
    expected = detector.anomaly_scores(table)
    pa = pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    table.to_csv(tmp_path / "t.csv", index=False)
    for other in (
        pa.Table.from_pandas(table),
        {name: table[name] for name in table},
        tmp_path / "t.parquet",
        str(tmp_path / "t.csv"),
    ):
        assert (detector.anomaly_scores(other) == expected).all()


def test_polars(fitted):
    polars = pytest.importorskip("polars")
    detector, table = fitted
    frame = polars.from_pandas(table)
    assert (detector.anomaly_scores(frame) == detector.anomaly_scores(table)).all()
    assert clone(detector).fit(frame).codec_ == detector.codec_


def test_a_table_on_disk_is_fitted_as_in_memory(tmp_path):
    table = mixed()
    table.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    detector = VAEDetector(column_types=TYPES, alpha=0.1, steps=200, random_state=0)
    memory = clone(detector).fit(table).anomaly_scores(table)
    disk = detector.fit(tmp_path / "t.parquet")
    assert np.corrcoef(memory, disk.anomaly_scores(table))[0, 1] > 0.9
    assert len(disk.calibration_scores_) == 150
    with open_table(tmp_path / "t.parquet") as rows:
        assert (disk.anomaly_scores(rows) == disk.anomaly_scores(table)).all()


def test_conformal_alarms_are_as_rare_as_promised():
    detector = VAEDetector(alpha=0.1, steps=200, random_state=0).fit(correlated(1200))
    new = correlated(5000, seed=5)
    alarms = (detector.predict(new) == -1).sum()
    from vaekit.metrics import false_positives

    band = false_positives(300, 5000, 0.1).interval(0.999)
    assert band.low <= alarms <= band.high
    assert ((detector.p_values(new) <= 0.1) == (detector.predict(new) == -1)).all()


def test_a_line_that_cannot_be_drawn_changes_nothing():
    x = correlated(300)
    detector = VAEDetector(alpha=0.1, steps=30, random_state=0).fit(x)
    before, p = detector.offset_, detector.p_values(x)
    with pytest.raises(DataError):
        detector.set_threshold(x[:5], alpha=0.01)
    assert detector.offset_ == before
    assert (detector.p_values(x) == p).all()
    with pytest.raises(ConfigError, match="contamination needs no labels"):
        detector.set_threshold(x, np.zeros(300), contamination=0.1)


def test_a_fit_that_fails_changes_nothing(fitted):
    detector, table = pickle.loads(pickle.dumps(fitted[0])), fitted[1]
    before = detector.anomaly_scores(table)
    with pytest.raises(DataError, match="empty"):
        detector.fit(table.assign(empty=np.nan))
    assert (detector.anomaly_scores(table) == before).all()
    with pytest.raises(DataError):
        fit_together([detector], [table.assign(empty=np.nan)])
    assert (detector.anomaly_scores(table) == before).all()


def test_rows_alone_get_the_same_decisions_and_p_values():
    """The line lies on the score of a row, and p-values count ties."""
    x = correlated(300)
    detector = VAEDetector(alpha=0.1, steps=30, random_state=0).fit(x)
    for draw in ({"alpha": 0.1}, {"budget": 20}):
        detector.set_threshold(x, **draw)
        alone = [detector.predict(row[None])[0] for row in x]
        assert (detector.predict(x) == alone).all()
    detector.set_threshold(x, alpha=0.1)
    p = [detector.p_values(row[None])[0] for row in x[:80]]
    assert (detector.p_values(x)[:80] == p).all()


@pytest.mark.parametrize(
    "params", [{"scoring": "elob"}, {"scoring": None}, {"n_draws": 2.7}, {"rate_weight": np.nan}]
)
def test_parameters_of_the_score_are_checked_after_fit_too(fitted, params):
    detector, table = pickle.loads(pickle.dumps(fitted[0])), fitted[1]
    with pytest.raises(ConfigError, match=next(iter(params))):
        detector.set_params(**params).anomaly_scores(table)


@pytest.mark.parametrize("kind", ["masked", "objects", "masked objects"])
def test_masked_values_are_missing(kind):
    x = correlated(100)
    mask = np.random.default_rng(0).random(x.shape) < 0.2
    table = np.where(mask, np.nan, x)
    hidden = np.where(mask, -999.0, x)
    if kind == "objects":
        given = table.astype(object)
    else:
        given = np.ma.masked_array(hidden.astype(object if "objects" in kind else float), mask)
    detector = VAEDetector(steps=20, random_state=0).fit(given)
    assert [c.low for c in detector.codec_.x.columns] == np.nanmin(table, 0).tolist()
    assert (detector.anomaly_scores(given) == detector.anomaly_scores(table)).all()


def test_arrays_of_objects_and_rows_in_lists_keep_their_types():
    table = mixed(60)[["height", "kind"]].assign(odd=np.arange(60) % 3 == 0)
    table = table.dropna()
    wanted = VAEDetector(steps=20, random_state=0).fit(table)
    for rows in (table.to_numpy(object), table.to_numpy(object).tolist()):
        detector = VAEDetector(steps=20, random_state=0).fit(rows)
        kinds = [column.kind for column in detector.codec_.x.columns]
        assert kinds == [column.kind for column in wanted.codec_.x.columns]
        assert detector.anomaly_scores(rows) == pytest.approx(wanted.anomaly_scores(table))


def test_names_that_differ_are_told():
    table = pd.DataFrame(correlated(50), columns=list("abcd"))
    detector = VAEDetector(steps=5, random_state=0).fit(table)
    with pytest.raises(DataError, match=r"(?s)unseen at fit time.*- e.*now missing.*- d"):
        detector.predict(table.rename(columns={"d": "e"}))
    with pytest.raises(DataError, match="rows differ in length"):
        detector.fit([[1.0, 2.0], [3.0]])
    wrong = table.to_numpy(copy=True)
    wrong[5, 1] = np.inf
    with pytest.raises(DataError, match=r"column '1'.*row 5.*got inf"):
        VAEDetector(steps=5).fit(wrong)
    with pytest.raises(ConfigError, match="column_types"):
        VAEDetector(column_types=["a"]).fit(table)


def test_whole_numbers_as_names_survive_a_file(tmp_path, recwarn):
    table = pd.DataFrame(correlated(50))
    detector = VAEDetector(steps=5, random_state=0).fit(table)
    again = VAEDetector.load(detector.save(tmp_path / "a"))
    assert not hasattr(again, "feature_names_in_")
    assert (again.anomaly_scores(table) == detector.anomaly_scores(table)).all()
    assert not [w for w in recwarn if "feature names" in str(w.message)]


def test_a_column_with_the_name_of_the_latent_is_refused():
    table = pd.DataFrame(correlated(50), columns=["a", "b", "c", LATENT])
    with pytest.raises(DataError, match="the latent so"):
        VAEDetector(steps=5).fit(table)


@pytest.mark.parametrize(
    "way", [{"budget": 2.5}, {"budget": True}, {"budget": "3"}, {"costs": (1.0,)}, {"costs": 3}]
)
def test_ways_to_draw_the_line_are_checked(fitted, way):
    detector, table = fitted
    y = np.arange(len(table)) < 5 if "costs" in way else None
    with pytest.raises(ConfigError, match=next(iter(way)).replace("budget", "rows to flag")):
        detector.set_threshold(table, y, **way)


def test_the_line_of_a_series_is_of_all_its_rows(monkeypatch):
    """Noise grows along the series: a line from its first part would flag most of the rest."""
    monkeypatch.setattr("vaekit.tasks.detection.detector.JUDGED", 100)
    monkeypatch.setattr("vaekit.tasks.detection.detector.MEASURED", 100)
    time = np.arange(600)
    noise = np.random.default_rng(0).normal(size=(600, 2)) * (0.05 + time / 600)[:, None]
    series = np.column_stack([np.sin(time / 5), np.cos(time / 5)]) + noise
    detector = VAEDetector(window=4, steps=100, random_state=0).fit(series)
    assert (detector.predict(series) == -1).sum() == 60
    excess = detector.anomaly_scores(series).mean() - detector.typical_.sum()
    terms = detector.explain(series).excess
    assert terms.to_numpy().mean() == pytest.approx(0.0, abs=1e-9)
    assert excess == pytest.approx(0.0, abs=1e-9)


def test_thresholds():
    x = correlated(300)
    detector = VAEDetector(steps=50, random_state=0).fit(x)
    assert (detector.predict(x) == -1).sum() == 30
    assert (detector.set_threshold(x, contamination=0.2).predict(x) == -1).sum() == 60
    assert (detector.set_threshold(x, budget=7).predict(x) == -1).sum() == 7
    worst = detector.anomaly_scores(x) > np.sort(detector.anomaly_scores(x))[-11]
    detector.set_threshold(x, worst, costs=(1.0, 1.0))
    assert ((detector.predict(x) == -1) == worst).all()
    detector.set_threshold(x, alpha=0.05)
    assert (detector.predict(x) == -1).sum() == 14  # 15 of 301 ranks, one of them the line itself
    with pytest.raises(ConfigError, match="drawn in one way"):
        detector.set_threshold(x, budget=3, alpha=0.1)
    with pytest.raises(ConfigError, match="budget needs rows"):
        detector.set_threshold(budget=3)
    with pytest.raises(ConfigError, match="costs needs rows and labels"):
        detector.set_threshold(x, costs=(1.0, 1.0))


def test_the_line_is_of_the_score_that_was_fitted(tmp_path):
    x = correlated(200)
    detector = VAEDetector(alpha=0.1, steps=30, random_state=0).fit(x)
    predicted = detector.predict(x)
    detector.calibrate(x, np.arange(200) < 20)
    other = detector.set_params(scoring="elbo", n_draws=4).anomaly_scores(x)
    assert np.isfinite(other).all()
    for refused in (
        detector.predict,
        detector.decision_function,
        detector.p_values,
        detector.anomaly_probability,
        detector.explain,
        lambda x: detector.set_threshold(x, budget=3),
        lambda x: detector.calibrate(x, np.arange(200) < 20),
        lambda x: DetectorScorer(detector.save(tmp_path / "a")),
    ):
        with pytest.raises(NotFittedError, match="another score") as caught:
            refused(x)
        assert "scoring='weighted_elbo', n_draws=8" in str(caught.value)
        assert "scoring='elbo', n_draws=4" in str(caught.value)
    detector.set_params(scoring="weighted_elbo", n_draws=8)
    assert (detector.predict(x) == predicted).all()


def test_ranks_are_of_the_score_tail_alone():
    x = correlated(200)
    detector = VAEDetector(scoring="tail", steps=30, random_state=0).fit(x)
    elbo = detector.set_params(scoring="elbo").anomaly_scores(x)
    plain = VAEDetector(scoring="elbo", steps=30, random_state=0).fit(x)
    assert elbo == pytest.approx(plain.anomaly_scores(x), abs=1e-10)
    with pytest.raises(NotFittedError, match="ranked among those of training rows"):
        plain.set_params(scoring="tail").anomaly_scores(x)


def test_what_needs_calibration_says_so():
    x = correlated(100)
    detector = VAEDetector(steps=20, random_state=0).fit(x)
    with pytest.raises(ValueError, match=r"Fit with alpha=0\.05"):
        detector.p_values(x)
    with pytest.raises(ValueError, match="Call calibrate"):
        detector.anomaly_probability(x)
    with pytest.raises(ConfigError, match="isotonic or platt"):
        detector.calibrate(x, np.arange(100) < 5, method="beta")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scoring": "nll"}, "no such score"),
        ({"contamination": 0.7}, "contamination"),
        ({"alpha": 1.5}, "alpha"),
        ({"steps": 0}, "steps"),
        ({"trim": 0.95}, "trim"),
        ({"trim": 0.1, "objective": "iwae"}, "trimming is of the plain ELBO"),
        ({"n_draws": 0}, "n_draws"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"stacked": (0,)}, "stacked"),
        ({"column_types": {"size": "count"}}, "names a column 'size' that is not there"),
        ({"column_types": {"kind": "colour"}}, "unknown column type 'colour'"),
        ({"likelihood": "gaussian:scale=optimal"}, "cannot be that of some columns"),
    ],
)
def test_parameters_that_make_no_sense(params, message):
    with pytest.raises(ConfigError, match=message):
        VAEDetector(**{"steps": 20, **params}).fit(mixed(60))


def test_tables_that_cannot_be_used():
    table = mixed(60)
    detector = VAEDetector(steps=20, random_state=0)
    with pytest.raises(DataError, match=r"column 'height'.*no values"):
        detector.fit(table.assign(height=np.nan))
    with pytest.raises(DataError, match=r"column 'height'.*not finite, in row 3"):
        detector.fit(table.assign(height=table["height"].where(table.index != 3, np.inf)))
    with pytest.raises(DataError, match="at least 2"):
        detector.fit(table.iloc[:1])
    detector.fit(table)
    for other in (
        table.rename(columns={"kind": "sort"}),
        table.drop(columns="kind"),
        table.assign(extra=1),
    ):
        with pytest.raises(ValueError, match=r"kind|extra"):
            detector.anomaly_scores(other)


def test_a_constant_column_counts_only_where_it_changes():
    x = np.column_stack([correlated(200), np.full(200, 5.0)])
    detector = VAEDetector(steps=100, random_state=0).fit(x)
    assert any("constant" in note for note in detector.codec_.x.notes())
    other = x[:1].copy()
    other[0, 4] = 7.0
    gap = detector.anomaly_scores(other)[0] - detector.anomaly_scores(x[:1])[0]
    assert 1 < gap < 1e4


def test_together_is_each_alone():
    x = correlated(200)
    alone = VAEDetector(steps=100, random_state=3).fit(x).anomaly_scores(x)
    (one,) = fit_together([VAEDetector(steps=100, random_state=3)], [x])
    assert one.anomaly_scores(x) == pytest.approx(alone, abs=1e-3)


def test_together_a_stack_is_trained_layer_by_layer_too():
    x = correlated(200)
    detector = VAEDetector(stacked=(3,), steps=100, random_state=3)
    alone = clone(detector).fit(x).anomaly_scores(x)
    (one,) = fit_together([detector], [x])
    assert one.anomaly_scores(x) == pytest.approx(alone, abs=1e-3)


def test_together_each_learns_its_own_table():
    tables = [correlated(200, seed=seed) * scale for seed, scale in ((0, 1.0), (1, 100.0))]
    seeds = [VAEDetector(scoring="elbo", steps=300, random_state=seed) for seed in (0, 1)]
    for detector, table in zip(fit_together(seeds, tables), tables, strict=True):
        alone = clone(detector).fit(table)
        together, single = detector.anomaly_scores(table), alone.anomaly_scores(table)
        assert together.mean() == pytest.approx(single.mean(), abs=0.3)
        assert np.corrcoef(together, single)[0, 1] > 0.8


def test_together_needs_one_structure():
    x = correlated(100)
    with pytest.raises(ConfigError, match="number of rows"):
        fit_together([VAEDetector(steps=10), VAEDetector(steps=10)], [x, x[:50]])
    for params in (
        {"steps": 20},
        {"encoder": "mlp:hidden=64,64:activation=tanh"},
        {"likelihood": "gaussian:scale=0.1"},
        {"trim": 0.1},
    ):
        with pytest.raises(ConfigError, match=f"agree in {next(iter(params))}"):
            fit_together([VAEDetector(), VAEDetector(**params)], [x, x])
    with pytest.raises(ConfigError, match="types of columns"):
        fit_together([VAEDetector(steps=10)] * 2, [x, x[:, :3]])


@pytest.mark.parametrize("posterior", ["diagonal", "point"])
def test_a_stack(posterior, tmp_path):
    x = correlated(300)
    scoring = "elbo" if posterior == "diagonal" else "reconstruction_error"
    detector = VAEDetector(
        stacked=(3,), posterior=posterior, scoring=scoring, steps=200, random_state=0
    ).fit(x)
    assert detector.model_.spec.encoder.kind == "network/stack"
    assert detector.history_[0]["loss"] < 6  # it does not begin with untrained weights
    detector.save(tmp_path / "a")
    again = VAEDetector.load(tmp_path / "a")
    assert (again.anomaly_scores(x) == detector.anomaly_scores(x)).all()
    strange = x[:20] + np.array([8.0, 0, 0, 0])
    assert detector.anomaly_scores(strange).min() > np.median(detector.anomaly_scores(x))


def test_trimming_resists_anomalies():
    x = correlated(400)
    x[:60] = np.random.default_rng(1).normal(size=(60, 4)) * 4 + 6
    labels = np.arange(400) < 60
    plain, trimmed = (
        VAEDetector(scoring="elbo", trim=trim, steps=600, random_state=0).fit(x)
        for trim in (0.0, 0.3)
    )
    from vaekit.metrics import auroc

    assert auroc(labels, trimmed.anomaly_scores(x)) >= auroc(labels, plain.anomaly_scores(x))
    assert auroc(labels, trimmed.anomaly_scores(x)) > 0.95


def test_html(fitted):
    assert "table of 4 columns" in fitted[0]._repr_html_()


def series(rows, seed=0):
    """Two waves, of which the second follows the first."""
    t = np.arange(rows)
    rng = np.random.default_rng(seed)
    waves = np.stack([np.sin(t / 4), np.cos(t / 4)], 1)
    return pd.DataFrame(waves + 0.05 * rng.normal(size=waves.shape), columns=["a", "b"])


def test_windows_of_a_time_series(tmp_path):
    quiet, broken = series(600), series(200, seed=1)
    broken.loc[120:122, "b"] *= -1.0  # values that occur, in the wrong order
    detector = VAEDetector(window=8, steps=600, random_state=0).fit(quiet)
    scores = detector.anomaly_scores(broken)
    assert scores.shape == (200,)
    assert 115 <= scores.argmax() <= 127
    found = detector.explain(broken)
    assert found.scores == pytest.approx(scores, abs=1e-9)
    assert list(found.contributions) == ["a", "b", LATENT]
    assert found.top(1, rows=1)["column"].tolist() == ["b"]
    assert found.values["a"].to_numpy() == pytest.approx(broken["a"].to_numpy(), abs=1e-6)
    detector.save(tmp_path / "a")
    assert (VAEDetector.load(tmp_path / "a").anomaly_scores(broken) == scores).all()


def test_windows_set_the_end_of_the_series_aside():
    quiet = series(400)
    quiet.loc[300:, "a"] += 5.0
    detector = VAEDetector(window=4, alpha=0.1, steps=100, random_state=0).fit(quiet)
    assert len(detector.calibration_scores_) == 100
    loc = detector.codec_.x.table.columns[0].loc
    assert loc == pytest.approx(quiet["a"][:300].mean())


def test_windows_are_of_numbers_in_memory(tmp_path):
    with pytest.raises(ConfigError, match="windows are of numbers, which column 'kind' is not"):
        VAEDetector(window=4, steps=10).fit(mixed(60))
    series(60).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ConfigError, match="in memory"):
        VAEDetector(window=4, steps=10).fit(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="too few rows for one window"):
        VAEDetector(window=80, steps=10).fit(series(60))
    with pytest.raises(ConfigError, match="window"):
        VAEDetector(window=4, steps=10, scoring="iwae").fit(series(60))

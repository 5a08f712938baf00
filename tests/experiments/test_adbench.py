"""Which lines of a cache are used again, which seeds are ranked, and what is a failure."""

import json

import numpy as np
import pytest
from experiments import adbench, adbench_peers, adbench_runs
from experiments.adbench_data import PROTOCOLS, Split, folder_of_sets
from experiments.adbench_runs import OTHERS, OURS, Task, digest, run
from experiments.record import Results

from vaekit import VAEDetector

SETS = ["2_even", "3_odd"]


@pytest.fixture
def measured(monkeypatch):
    """Measurements that take no time; returns the tasks that were measured."""
    found = []

    def lines(task):
        found.append((task.name, task.protocol, task.method))
        for seed in range(task.seeds):
            for method in task.methods:
                about = {"set": task.name, "protocol": task.protocol, "seed": seed}
                yield {**about, "method": method, "auroc": 0.1 * seed, "ap": 0.5, "seconds": 1.0}

    monkeypatch.setattr(adbench_runs, "scores", lines)
    monkeypatch.setattr(adbench_runs, "alarms", lines)
    return found


def test_a_digest_is_of_all_parameters_but_the_seed(monkeypatch):
    assert digest({}) == digest({"latent_dim": VAEDetector().latent_dim}) != digest({"steps": 9})
    assert digest({}) == digest({"random_state": 3})
    before, known = digest({}), VAEDetector.get_params

    def others(self, deep=True):
        return known(self, deep) | {"rate_weight": 6.0}

    monkeypatch.setattr(VAEDetector, "get_params", others)
    assert digest({}) != before  # another default


def test_lines_are_measured_once(measured, tmp_path):
    cache = tmp_path / "ours.jsonl"
    first = run(cache, SETS, 2)
    assert len(measured) == 2 * 2 + 2 + 3 * 2  # default, alarms, ablation
    assert len(first) == 2 * (2 + 2 * (1 + len(OTHERS)) + 2 + 3 * 2)
    measured.clear()
    assert run(cache, SETS, 2) == first
    assert not measured
    fewer = run(cache, SETS, 1)
    assert not measured
    assert {line["seed"] for line in fewer} == {0}


def test_a_group_that_was_cut_short_is_measured_again(measured, tmp_path):
    cache = tmp_path / "ours.jsonl"
    first = run(cache, SETS, 2)
    measured.clear()
    kept = [line for line in first if (line["set"], line["method"]) != ("3_odd", OTHERS[-1])]
    lost = [line for line in kept if line["protocol"] == "conformal" and line["seed"] == 1][:1]
    text = "".join(json.dumps(line) + "\n" for line in kept if line not in lost)
    cache.write_text(text)
    assert run(cache, SETS, 2) == first
    assert measured == [
        *(("3_odd", protocol, OURS) for protocol in PROTOCOLS),
        ("2_even", "conformal", "conformal"),
    ]
    assert run(cache, SETS, 3) != first  # a third seed
    assert {line["seed"] for line in run(cache, SETS, 3)} == {0, 1, 2}


@pytest.mark.parametrize("was", [{}, {"params": digest({"steps": 9})}])
def test_lines_of_other_parameters_are_not_used(measured, tmp_path, was):
    cache = tmp_path / "ours.jsonl"
    first = run(cache, ["2_even"], 1)
    measured.clear()
    older = [{**line, "auroc": 0.99, "params": None} | was for line in first]
    cache.write_text("".join(json.dumps(line) + "\n" for line in older))
    assert run(cache, ["2_even"], 1) == first
    assert len(measured) == 3
    run(cache, ["2_even"], 1, steps=7)
    assert len(measured) == 6


def test_the_page_says_which_code_measured(measured, tmp_path, monkeypatch):
    cache = tmp_path / "ours.jsonl"
    run(cache, ["2_even"], 1)
    monkeypatch.setattr(
        adbench_runs, "made_by", lambda: {"vaekit": "9.9", "commit": "abc+changes"}
    )
    found = run(cache, ["2_even", "4_even"], 1)
    own, later = adbench.measured_at(found)
    assert own.startswith(f"vaekit {adbench_runs.__version__}")
    assert later == "vaekit 9.9, commit abc+changes (3 lines)"


def test_without_git_there_is_a_version(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert adbench_runs.made_by.__wrapped__() == {"vaekit": adbench_runs.__version__}


def page_of(tmp_path, failed):
    """Lines of three methods on four sets: one has one seed, one fails on a set."""
    rng = np.random.default_rng(0)
    sets = ["2_a", "4_b", "6_c", "3_d"]
    found = []
    for name in sets:
        for protocol in PROTOCOLS:
            for method, seeds in ((OURS, 3), ("PCA", 3), ("VAE", 2)):
                for seed in range(seeds):
                    broken = failed and (method, name, seed) == ("PCA", "4_b", 0)
                    value = None if broken else float(rng.random())
                    line = {"set": name, "protocol": protocol, "seed": seed, "method": method}
                    found.append(
                        {**line, "auroc": value, "ap": value, "vaekit": "0", "seconds": 1}
                    )
    # A second seed of the costly method that is not there on all sets.
    found = [
        line for line in found if (line["method"], line["seed"], line["set"]) != ("VAE", 1, "3_d")
    ]
    results = Results("adbench", tmp_path, title="A page")
    kept = [line for line in found if (line["method"], line["seed"]) != ("VAE", 1)]
    assert adbench.seeds_of(found, "VAE", sets) == {0}
    assert adbench.seeds_of(found, OURS, sets) == {0, 1, 2}
    adbench.show(results, kept, [OURS, "PCA", "VAE"], sets)
    return kept, results, "\n".join(results.lines)


def test_ranks_are_of_the_seeds_that_all_methods_have(tmp_path):
    found, results, page = page_of(tmp_path, failed=False)
    rows = [row for row in results.values["ranks"] if row["sets"] == "all"]
    assert {(row["number of sets"], row["seeds"]) for row in rows} == {(4, 1)}
    own = {(line["method"], line["protocol"], line["set"]): line["auroc"] for line in found[::-1]}
    for row in rows:
        if row["method"] == "VAE":  # of seed 0 alone, which the reversed lines end with
            beaten = sum(
                own[OURS, row["protocol"], name] > own["VAE", row["protocol"], name]
                for name in ("2_a", "4_b", "6_c", "3_d")
            )
            assert row["vaekit wins"] == f"{beaten} of 4"
    assert "the 1 seed(s) that each of them has (0)" in page
    assert "a method failed" not in page


def test_a_set_on_which_a_method_failed_is_named_and_not_ranked(tmp_path):
    _, results, page = page_of(tmp_path, failed=True)
    assert {row["number of sets"] for row in results.values["ranks"]} == {2, 3}  # even, all
    assert "Sets on which a method failed, normals-only: 4_b (PCA)." in page
    means = {row["method"]: row for row in results.values["means"]}
    assert means["PCA"]["even (3), normals-only: AUROC"] is None
    assert means["PCA"]["odd (1), normals-only: AUROC"] is not None
    assert means[OURS]["even (3), normals-only: AUROC"] is not None


def collinear(rows=200):
    """Nine columns of rank six, standardised, and anomalies that leave their plane."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6))
    x = np.concatenate([x, x[:, :3]], axis=1)
    test = np.concatenate([x[: rows // 2] + 0.1, 4 * x[: rows // 10]])
    marks = np.arange(len(test)) >= rows // 2
    mean, std = x.mean(0), x.std(0)
    return Split((x - mean) / std, (test - mean) / std, np.zeros(rows, int), marks.astype(int))


def test_pca_keeps_no_component_without_variance():
    pca = pytest.importorskip("pyod.models.pca")
    data = collinear()
    params = adbench_peers.params_of("PCA", data.train)
    assert params == {"n_components": 6}
    assert adbench_peers.params_of("KNN", data.train) == {}
    detector = pca.PCA(**params).fit(data.train)
    weights = detector.selected_w_components_
    assert weights.min() > 1e-3 * weights.max()
    scores = adbench_peers.scores_of("PCA", data, 0, **params)
    assert adbench_peers.measure(scores, data.test_anomalies)["auroc"] > 0.8
    full = Split(data.train[:, :6], data.test[:, :6], data.train_anomalies, data.test_anomalies)
    same = adbench_peers.scores_of("PCA", full, 0, **adbench_peers.params_of("PCA", full.train))
    np.testing.assert_array_equal(same, adbench_peers.scores_of("PCA", full, 0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_a_failure(monkeypatch, value):
    pytest.importorskip("pyod")
    data = collinear()
    scores = np.arange(len(data.test), dtype=float)
    scores[3] = value
    monkeypatch.setattr(adbench_peers, "split", lambda *_: data)
    monkeypatch.setattr(adbench_peers, "scores_of", lambda *_, **__: scores)
    line = adbench_peers.one("2_even", "contaminated", 0, "PCA")
    assert line["auroc"] is line["ap"] is None
    assert line["error"] == "1 of 120 scores are not finite"
    assert line["n_components"] == 6
    scores[3] = 3
    assert adbench_peers.one("2_even", "contaminated", 0, "PCA")["auroc"] == 1


def test_methods_of_a_task():
    assert Task("3_odd", "contaminated", OURS, {}, 2).methods == (OURS, *OTHERS)
    assert Task("2_even", "contaminated", OURS, {}, 2).methods == (OURS,)
    assert Task("3_odd", "contaminated", "latent dimension 8", {}, 2).methods[1:] == ()


@pytest.mark.slow
@pytest.mark.skipif(folder_of_sets() is None, reason="the sets of ADBench are not here")
def test_the_small_version(tmp_path):
    words = ["--small", "--out", str(tmp_path), "--cache", str(tmp_path / "ours.jsonl")]
    assert adbench.main(words) == tmp_path
    results = json.loads((tmp_path / "results.json").read_text())
    lines = adbench_peers.recorded(tmp_path / "ours.jsonl")
    assert len(lines) == 2 * (2 * 2 * (1 + len(OTHERS)) + 2 + 3 * 4)
    assert {row["inside"] for row in results["conformal"]} == {"yes"}
    assert {row["on the odd half"] for row in results["ablation"]} >= {OURS, *OTHERS}
    assert results["measured_at"][0] in (tmp_path / "README.md").read_text()
    adbench.main(words)
    assert adbench_peers.recorded(tmp_path / "ours.jsonl") == lines

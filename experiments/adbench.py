"""Thirty sets of ADBench: the detector with its default parameters beside PyOD's.

Everything was chosen on the 16 sets whose file has an odd number; the 14 even ones confirm it
once. Two protocols, five seeds, one configuration for all sets:

    python -m experiments.adbench_peers peers.jsonl     # PyOD's detectors, hours
    python -m experiments.adbench --peers peers.jsonl

writes AUROC and average precision of each method, wins, mean ranks with their critical difference,
an ablation on the odd half, and the false alarms of conformal thresholds on all sets together. The
seeds of a set are trained together. ``--cache`` names a file of JSON lines that lets a run go on
where it stopped; ``adbench_runs`` says which of its lines are used again.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.adbench_data import PROTOCOLS, SEEDS, folder_of_sets, names, number
from experiments.adbench_peers import recorded
from experiments.adbench_runs import ABLATION, ALPHA, OTHERS, OURS, Line, run
from experiments.adbench_runs import CONFORMAL as ALARMS
from experiments.record import Results, parser
from vaekit import VAEDetector
from vaekit.metrics import false_positives, joint_band, rank_methods
from vaekit.plots import critical_difference_diagram

__all__ = ["main"]

PEERS = ("PCA", "IForest", "ECOD", "KNN", "VAE", "AutoEncoder")
SMALL = ("29_Pima", "39_vertebral")


def by_set(found: Sequence[Line], method: str, protocol: str, measure: str) -> dict[str, float]:
    """Means over seeds, by set; a set has none where the method failed on one of its seeds."""
    each = defaultdict(list)
    for line in found:
        if (line["method"], line["protocol"]) == (method, protocol):
            each[line["set"]].append(line[measure])
    return {name: float(np.mean(v)) for name, v in each.items() if None not in v}


def seeds_of(found: Sequence[Line], method: str, sets: Sequence[str]) -> set[int]:
    """Seeds that a method was measured on, on every set under both protocols."""
    each = defaultdict(set)
    for line in found:
        if line["method"] == method:
            each[line["set"], line["protocol"]].add(line["seed"])
    wanted = [each[name, protocol] for name in sets for protocol in PROTOCOLS]
    return set.intersection(*wanted) if wanted else set()


def of_seeds(found: Sequence[Line], seeds: set[int]) -> list[Line]:
    """The lines of some seeds."""
    return [line for line in found if line["seed"] in seeds]


def failures(found: Sequence[Line], methods: Sequence[str], protocol: str) -> dict[str, list[str]]:
    """The methods that failed on a seed of a set, by set."""
    each = defaultdict(set)
    for line in found:
        if line["protocol"] == protocol and line["method"] in methods and line["auroc"] is None:
            each[line["set"]].add(line["method"])
    return {name: sorted(failed) for name, failed in each.items()}


def table_of(
    found: Sequence[Line], methods: Sequence[str], protocol: str, sets: Sequence[str]
) -> dict[str, list[float]]:
    """AUROC by method, one value for each set on which no method failed."""
    each = {method: by_set(found, method, protocol, "auroc") for method in methods}
    common = [name for name in sets if all(name in values for values in each.values())]
    return {method: [each[method][name] for name in common] for method in methods}


def _means(
    results: Results,
    found: Sequence[Line],
    methods: Sequence[str],
    sets: list[str],
    *,
    name: str = "means",
) -> None:
    rows = []
    halves = {
        "odd": [name for name in sets if number(name) % 2],
        "even": [name for name in sets if not number(name) % 2],
    }
    halves = {half: chosen for half, chosen in halves.items() if chosen}
    for method in methods:
        row: list[Any] = [method]
        for half in halves.values():
            for protocol in PROTOCOLS[::-1]:
                for measure_ in ("auroc", "ap"):
                    values = by_set(found, method, protocol, measure_)
                    kept = [values[name] for name in half if name in values]
                    row.append(float(np.mean(kept)) if len(kept) == len(half) else None)
        own = [line for line in found if line["method"] == method]
        seconds = [line["seconds"] for line in own if line.get("seconds")]
        seeds = len({line["seed"] for line in found if line["method"] == method})
        rows.append([*row, seeds, float(np.mean(seconds)) if seconds else None])
    columns = ["method"]
    for half, chosen in halves.items():
        for protocol in PROTOCOLS[::-1]:
            for word in ("AUROC", "AP"):
                columns.append(f"{half} ({len(chosen)}), {protocol}: {word}")
    results.table(name, [*columns, "seeds", "seconds"], rows)


def _ranks(
    results: Results, found: Sequence[Line], methods: Sequence[str], sets: list[str]
) -> None:
    """Of lines that hold the same seeds of all methods."""
    rows = []
    count = len({line["seed"] for line in found if line["method"] == OURS})
    for half in ("even", "all"):
        chosen = [name for name in sets if half == "all" or not number(name) % 2]
        for protocol in PROTOCOLS[::-1]:
            values = table_of(found, methods, protocol, chosen)
            own = values[OURS]
            if len(own) < 2:
                continue
            ranks = rank_methods(values)
            for method, mean in zip(ranks.methods, ranks.mean_ranks, strict=True):
                beaten = sum(
                    ours > theirs for ours, theirs in zip(own, values[method], strict=True)
                )
                against = None if method == OURS else f"{beaten} of {len(own)}"
                rows.append([half, protocol, len(own), count, method, float(mean), against])
            results.picture(
                f"ranks_{half}_{protocol}",
                f"Mean ranks of AUROC, {len(own)} {'' if half == 'all' else 'even '}sets, {count} "
                f"seed(s), {protocol}; a bar joins methods that do not differ by Nemenyi's test",
                critical_difference_diagram(ranks, ours=[OURS]),
            )
    columns = ["sets", "protocol", "number of sets", "seeds", "method", "mean rank", "vaekit wins"]
    results.table("ranks", columns, rows)


def _failures(results: Results, found: Sequence[Line], methods: Sequence[str]) -> None:
    for protocol in PROTOCOLS:
        failed = failures(found, methods, protocol)
        if failed:
            named = ", ".join(f"{name} ({', '.join(some)})" for name, some in failed.items())
            results.text(
                f"Sets on which a method failed, {protocol}: {named}. It has no mean there, and "
                "these sets are not ranked."
            )


def _ablation(results: Results, found: Sequence[Line], sets: list[str]) -> None:
    odd = [name for name in sets if number(name) % 2]
    rows = []
    for method in (OURS, *OTHERS, *ABLATION):
        row: list[Any] = [method]
        for protocol in PROTOCOLS[::-1]:
            for word in ("auroc", "ap"):
                values = by_set(found, method, protocol, word)
                kept = [values[name] for name in odd if name in values]
                row.append(float(np.mean(kept)) if len(kept) == len(odd) else None)
        if row[1] is not None:
            rows.append(row)
    columns = [f"{p}: {word}" for p in PROTOCOLS[::-1] for word in ("AUROC", "AP")]
    results.table("ablation", ["on the odd half", *columns], rows)


def _alarms(results: Results, found: Sequence[Line]) -> None:
    kept = [line for line in found if line["method"] == ALARMS]
    rows = []
    for seed in sorted({line["seed"] for line in kept}):
        these = [line for line in kept if line["seed"] == seed]
        laws = [false_positives(line["aside"], line["normals"], ALPHA) for line in these]
        band = joint_band(laws, 0.99)
        alarms_ = sum(line["alarms"] for line in these)
        expected = sum(law.mean for law in laws)
        inside = "yes" if band.low <= alarms_ <= band.high else "NO"
        rows.append([seed, len(laws), alarms_, expected, f"{band.low} to {band.high}", inside])
    columns = ["seed", "sets", "false alarms", "expected", "99 % band", "inside"]
    results.table("conformal", columns, rows)


def _sets(
    results: Results, found: Sequence[Line], methods: Sequence[str], sets: list[str]
) -> None:
    for protocol in PROTOCOLS[::-1]:
        each = {method: by_set(found, method, protocol, "auroc") for method in methods}
        rows = [[name, *[each[m].get(name) for m in methods]] for name in sets]
        results.text(f"AUROC by set, {protocol}:")
        results.table(f"sets {protocol}", ["set", *methods], rows)


def main(words: Sequence[str] | None = None) -> Path:
    """Measure, rank, and write the page."""
    options_of = parser((__doc__ or "").splitlines()[0])
    options_of.add_argument("--peers", type=Path, default=None, help="cache of adbench_peers")
    options_of.add_argument("--cache", type=Path, default=None, help="cache of this experiment")
    options_of.add_argument("--seeds", type=int, default=len(SEEDS))
    options_of.add_argument("--half", choices=("all", "odd", "even"), default="all")
    options = options_of.parse_args(words)
    if folder_of_sets() is None:
        raise SystemExit("the sets of ADBench are not here; see experiments/adbench_data.py")
    torch.set_num_threads(1)
    if options.small:
        sets, seeds, shared = list(SMALL), 2, {"steps": 50}
    else:
        sets, seeds, shared = names(options.half), options.seeds, {}
    results = Results("adbench", options.out, title="Thirty sets of ADBench")
    with tempfile.TemporaryDirectory(prefix="vaekit-adbench-") as folder:
        cache = options.cache or Path(folder) / "ours.jsonl"
        found = run(cache, sets, seeds, **shared)
    peers = [line for line in recorded(options.peers) if line["set"] in sets]
    whole = {method: seeds_of(peers, method, sets) for method in PEERS}
    methods = [OURS, *(method for method in PEERS if whole[method])]
    kept = [line for line in peers if line["seed"] in whole[line["method"]]]
    results.text(INTRODUCTION)
    if options.small:
        results.text("Here on two sets, after 50 steps: nothing compares with the whole page.")
    results.text(f"The lines of vaekit were measured at {'; '.join(measured_at(found))}.")
    if options.cache:
        results.text(
            "They were kept in files, so the seconds above are not those of the measurements. "
            "What was tried before the defaults were chosen is in [tried.md](tried.md)."
        )
    show(results, [*found, *kept], methods, sets)
    return results.write(detector=repr(VAEDetector()), measured_at=measured_at(found))


def show(results: Results, found: Sequence[Line], methods: list[str], sets: list[str]) -> None:
    """Tables and pictures; ``found`` has of each method the seeds that it has on all sets."""
    _means(results, found, methods, sets)
    _failures(results, found, methods)
    common = set.intersection(*(seeds_of(found, method, sets) for method in methods))
    same = of_seeds(found, common)
    if common != seeds_of(found, OURS, sets):
        results.text(
            f"Costly methods have fewer seeds. All on the {len(common)} seed(s) that each of them "
            f"has ({', '.join(map(str, sorted(common)))}), by which they are ranked too:"
        )
        _means(results, same, methods, sets, name="means of equal seeds")
    if len(methods) > 1:
        _ranks(results, same, methods, sets)
    results.text("What the parts of the default do, on the sets that they were chosen on:")
    _ablation(results, found, sets)
    results.text(CONFORMAL)
    _alarms(results, found)
    _sets(results, found, methods, sets)


def measured_at(found: Sequence[Line]) -> list[str]:
    """Which code measured vaekit's lines, and how many of them."""
    each = Counter(
        f"vaekit {line['vaekit']}" + (f", commit {line['commit']}" if "commit" in line else "")
        for line in found
        if "vaekit" in line
    )
    return [f"{code} ({count:,} lines)" for code, count in each.items()]


INTRODUCTION = """\
AUROC and average precision (AP), means over seeds and then over sets. *normals-only*: trained on a
random half of the normal rows, tested on the other half and all anomalies. *contaminated*: trained
on 70 % of the rows with their anomalies, tested on 30 %. At most 10,000 rows of a set, columns
standardised by the training rows, the same splits for all methods. All parameters are the
defaults, of vaekit and of PyOD, but one: PyOD's PCA divides by its eigenvalues, some of which are
zero where columns are collinear, and then none of its scores is finite. It keeps as many
components as the rank of the training rows (`n_components`), which changes nothing where that is
full. A score that is not finite is a failure. The odd half was looked at while the defaults of
vaekit were chosen. The even half was looked at twice, each time after a choice: when it first was,
a table of any size took 2,000 steps. Small ones take fewer since, for what the odd half said (see
tried.md). Seconds are of fit and score of one detector on one core; those of vaekit are a fifth of
five seeds that are trained together."""

CONFORMAL = """\
With `alpha=0.05` a quarter of the normal training rows is set aside, and `predict` may flag one in
twenty new normal rows. Over all sets together, the flagged ones lie in the band that the
beta-binomial law allows (sets with fewer than 20 rows aside are left out: one in twenty of them is
none):"""


if __name__ == "__main__":
    main()

"""Anomaly detectors on small tables: fit and score, vaekit beside PyOD's VAE and AutoEncoder.

Three tables of 4,000 rows with 6, 21 and 62 columns, five seeds each, every detector with its
default parameters, on one thread. vaekit fits the seeds of a table together, and one by one; no
step is compiled, so that nothing is compiled again when the number of columns changes. The area
under the ROC curve of planted anomalies says that all of them work.

    python -m benchmarks.detect_fit [--rows 4000]
"""

from __future__ import annotations

import contextlib
import importlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.harness import Contestant, Result, Settings, label, parser, race, ratio, select
from benchmarks.report import Report, words_of
from vaekit import VAEDetector
from vaekit.tasks.detection import fit_together

COLUMNS = (6, 21, 62)
SEEDS = 5
SHARE = 0.05
OURS = "vaekit, five seeds together"
Table = tuple[np.ndarray, np.ndarray]
Scores = list[np.ndarray]


def table(rows: int, columns: int, seed: int = 0) -> Table:
    """Rows near a curved surface, of which a few have two columns swapped; and which those are."""
    rng = np.random.default_rng((columns, seed))
    z = rng.normal(size=(rows, 2))
    bent = np.concatenate([z, np.sin(2 * z), z[:, :1] * z[:, 1:]], 1)
    x = bent @ rng.normal(size=(5, columns)) + 0.3 * rng.normal(size=(rows, columns))
    x = (x - x.mean(0)) / x.std(0)
    odd = rng.random(rows) < SHARE
    x[odd] = np.take_along_axis(
        x[odd], rng.permuted(np.tile(np.arange(columns), (int(odd.sum()), 1)), axis=1), 1
    )
    return x, odd


def timed(settings: Settings, work: Callable[[np.ndarray], Iterator[np.ndarray]]) -> Result:
    """Seconds of one fit and score of its own rows, by number of columns, and how good it is."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found: Result = {}
    areas, seconds = [], []
    list(work(table(200, 5)[0]))  # imports and first calls are not counted
    for columns in settings["columns"]:
        x, odd = table(settings["rows"], columns)
        start = time.perf_counter()
        scores = list(work(x))
        seconds.append((time.perf_counter() - start) / len(scores))
        found[f"seconds_{columns}"] = seconds[-1]
        areas += [roc_auc_score(odd, score) for score in scores]
    return {**found, "seconds": float(np.mean(seconds)), "auroc": float(np.mean(areas))}


def together(settings: Settings) -> Result:
    """Five detectors trained as one."""

    def work(x: np.ndarray) -> Iterator[np.ndarray]:
        seeds = [VAEDetector(random_state=seed) for seed in range(SEEDS)]
        for detector in fit_together(seeds, [x] * SEEDS):
            yield detector.anomaly_scores(x)

    return timed(settings, work)


def alone(settings: Settings) -> Result:
    """The same detectors one after the other."""

    def work(x: np.ndarray) -> Iterator[np.ndarray]:
        for seed in range(SEEDS):
            yield VAEDetector(random_state=seed).fit(x).anomaly_scores(x)

    return timed(settings, work)


def pyod(name: str, module: str) -> Callable[[Settings], Result]:
    """A detector of PyOD, which has no way to train several together."""

    def run(settings: Settings) -> Result:
        made: Any = getattr(importlib.import_module(f"pyod.models.{module}"), name)

        def work(x: np.ndarray) -> Iterator[np.ndarray]:
            for seed in range(settings["peer_seeds"]):
                quiet = io.StringIO()
                detector = made(random_state=seed, device="cpu", verbose=0)
                with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                    detector.fit(x)
                    scores = np.asarray(detector.decision_function(x), np.float64)
                yield np.nan_to_num(scores)

        return timed(settings, work)

    return run


CONTESTANTS = {
    OURS: Contestant(together),
    "vaekit, one by one": Contestant(alone),
    "PyOD VAE": Contestant(pyod("VAE", "vae"), needs="pyod"),
    "PyOD AutoEncoder": Contestant(pyod("AutoEncoder", "auto_encoder"), needs="pyod"),
}


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/detect_fit``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--rows", type=int, default=4_000, help="of each table")
    options_of.add_argument("--peer-seeds", type=int, default=1, help="fits of a peer in a round")
    options = options_of.parse_args(words)
    columns = COLUMNS
    if options.small:
        options.rounds, options.rows, columns = 1, 300, COLUMNS[:1]
    settings = {"rows": options.rows, "columns": columns, "peer_seeds": options.peer_seeds}
    outcomes = race("detect_fit", select(CONTESTANTS, options), settings, options)
    report = Report("detect_fit", title="Fitting a detector", words=words_of(words))
    report.text(
        f"Tables of {options.rows:,} rows with {', '.join(map(str, columns))} columns; seconds to "
        "fit one detector and score its own rows, on one thread, each detector with its default "
        f"parameters; medians of {options.rounds} round(s), each in a fresh process. *times* "
        "compares with vaekit's five seeds together."
    )
    ours = outcomes[OURS].median("seconds") if OURS in outcomes else None
    rows = []
    for name, outcome in outcomes.items():
        own = outcome.median("seconds")
        each = [outcome.median(f"seconds_{n}") for n in columns]
        rows.append([label(name, outcome), own, ratio(own, ours), *each, outcome.median("auroc")])
    heads = [f"{n} columns" for n in columns]
    report.table("fits", ["contestant", "seconds", "times", *heads, "AUROC"], rows)
    report.runs(outcomes)
    report.write(options)


if __name__ == "__main__":
    main()

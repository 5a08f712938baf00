"""What ``adbench`` measures of vaekit: one JSON line for each set, protocol, seed and method.

A line holds a digest of the detector's parameters and which code made it. It is used again where
the set, protocol, method, seed and digest are those asked for, and only if all lines of its group
(one set, protocol and configuration) are there: a run that was killed redoes its last group.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.adbench_data import PROTOCOLS, Split, number, split
from experiments.adbench_peers import append, measure, recorded
from experiments.record import HERE
from vaekit import VAEDetector
from vaekit.tasks.detection import fit_together
from vaekit.tasks.detection.judge import Judge
from vaekit.tasks.detection.scores import Score, Scoring
from vaekit.tasks.detection.tail import Tails
from vaekit.version import __version__

__all__ = ["ABLATION", "ALPHA", "CONFORMAL", "OTHERS", "OURS", "Line", "Task", "digest", "run"]

OURS = "vaekit"
CONFORMAL = "conformal"
SCORINGS: tuple[Score, ...] = (
    "reconstruction_probability",
    "reconstruction_error",
    "tail",
    "iwae",
)
WEIGHTS = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
"""Of the rate in the score; tried on the odd half alone."""
OTHERS = (
    *(f"{OURS}: rate weight {weight:g}" for weight in WEIGHTS),
    *(f"{OURS}: {scoring}" for scoring in SCORINGS),
)
ABLATION: Mapping[str, Mapping[str, Any]] = {
    "latent dimension 8": {"latent_dim": 8},
    "noise down to 0.01": {"likelihood": "gaussian:scale=per-column:floor=0.01"},
    "noise that depends on the code": {"likelihood": "gaussian:scale=per-element:floor=0.3"},
}
ABLATION_SEEDS = 3
ALPHA = 0.05
Line = dict[str, Any]
Key = tuple[Any, ...]


class Task(NamedTuple):
    """One configuration on one set under one protocol: a group of lines."""

    name: str
    protocol: str
    method: str
    params: Mapping[str, Any]
    seeds: int

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of its lines: the default has all scores on odd sets, from one training."""
        several = self.method == OURS and number(self.name) % 2 == 1
        return (self.method, *OTHERS) if several else (self.method,)

    def keys(self) -> list[Key]:
        """What identifies its lines."""
        made = digest(self.params)
        return [
            (self.name, self.protocol, method, seed, made)
            for seed in range(self.seeds)
            for method in self.methods
        ]

    def lines(self) -> Iterable[Line]:
        """Measure."""
        return alarms(self) if self.method == CONFORMAL else scores(self)


def digest(params: Mapping[str, Any]) -> str:
    """Stands for all parameters of a detector, those by default among them, but its seed."""
    known = VAEDetector(**params).get_params()
    del known["random_state"]
    return hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest()[:12]


def key_of(line: Line) -> Key:
    """What identifies a line; one without a digest is like no other."""
    return (*(line[word] for word in ("set", "protocol", "method", "seed")), line.get("params"))


@functools.cache
def made_by() -> dict[str, str]:
    """Version of vaekit and, in a checkout, its commit; ``+changes`` where the code differs."""
    commit = git("rev-parse", "--short", "HEAD")
    if not commit:
        return {"vaekit": __version__}
    changed = git("status", "--porcelain", "--", "src", "experiments", ":!experiments/results")
    return {"vaekit": __version__, "commit": commit + ("+changes" if changed else "")}


def git(*words: str) -> str:
    """What git says of this checkout; nothing where there is no git."""
    try:
        said = subprocess.run(
            ["git", *words], cwd=HERE.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def run(cache: Path, sets: Sequence[str], seeds: int, **shared: Any) -> list[Line]:
    """All measurements, from the cache where they are there; of equal lines the last one.

    Args:
        cache: File of JSON lines; what is measured is added to it.
        sets: Names.
        seeds: How many.
        **shared: Parameters of all detectors.
    """
    stored = {key_of(line): line for line in recorded(cache)}
    about, found = made_by(), []
    for task in tasks(sets, seeds, shared):
        keys = task.keys()
        if all(key in stored for key in keys):
            found += [stored[key] for key in keys]
            continue
        for line in task.lines():
            found.append({**line, "params": digest(task.params), **about})
            append(cache, found[-1])
    return found


def tasks(sets: Sequence[str], seeds: int, shared: Mapping[str, Any]) -> Iterable[Task]:
    """The default on all sets, false alarms, and the ablation on the odd ones."""
    for name in sets:
        for protocol in PROTOCOLS:
            yield Task(name, protocol, OURS, shared, seeds)
    for name in sets:
        yield Task(name, CONFORMAL, CONFORMAL, {**shared, "alpha": ALPHA}, seeds)
    for method, params in ABLATION.items():
        for name in sets:
            for protocol in PROTOCOLS if number(name) % 2 else ():
                count = min(seeds, ABLATION_SEEDS)
                yield Task(name, protocol, method, {**shared, **params}, count)


def fitted(data: Sequence[Split], **params: Any) -> tuple[list[VAEDetector], float]:
    """A detector for each split, trained together, and the seconds of one."""
    start = time.perf_counter()
    detectors = [VAEDetector(random_state=seed, **params) for seed in range(len(data))]
    found = fit_together(detectors, [part.train for part in data])
    return found, (time.perf_counter() - start) / len(data)


def scores(task: Task) -> Iterable[Line]:
    """What one configuration finds in one set."""
    data = [split(task.name, task.protocol, seed) for seed in range(task.seeds)]
    detectors, seconds = fitted(data, **task.params)
    for seed, (detector, part) in enumerate(zip(detectors, data, strict=True)):
        start = time.perf_counter()
        own = detector.anomaly_scores(part.test)
        took = seconds + time.perf_counter() - start
        others = other_scores(detector, part) if len(task.methods) > 1 else {}
        for label, each in ({task.method: own} | others).items():
            yield {
                "set": task.name,
                "protocol": task.protocol,
                "seed": seed,
                "method": label,
                **measure(each, part.test_anomalies),
                "seconds": round(took, 3),
            }


def other_scores(detector: VAEDetector, part: Split) -> dict[str, np.ndarray]:
    """The other scores of a fitted detector, by name."""
    stored = detector.codec_.x.encode(part.test)
    train = detector.codec_.x.encode(part.train)

    def judge(scoring: Score, weight: float = 1.0, tails: Tails | None = None) -> Judge:
        return Judge(
            detector.model_,
            detector.codec_.x,
            Scoring(scoring, detector.n_draws, detector.seed_, weight),
            tails=tails,
        )

    found = [judge("weighted_elbo", weight).scores(stored) for weight in WEIGHTS]
    for scoring in SCORINGS:
        tails = Tails(judge("elbo").raw_terms(train)) if scoring == "tail" else None
        found.append(judge(scoring, tails=tails).scores(stored))
    return dict(zip(OTHERS, found, strict=True))


def alarms(task: Task) -> Iterable[Line]:
    """False alarms of a conformal threshold among new normal rows; none where rows are too few."""
    data = [split(task.name, "normals-only", seed) for seed in range(task.seeds)]
    if min(len(part.train) for part in data) * VAEDetector().calibration_fraction < 1 / ALPHA:
        return
    detectors, _ = fitted(data, **task.params)
    for seed, (detector, part) in enumerate(zip(detectors, data, strict=True)):
        normal = part.test[part.test_anomalies == 0]
        assert detector.calibration_scores_ is not None
        yield {
            "set": task.name,
            "protocol": CONFORMAL,
            "seed": seed,
            "method": CONFORMAL,
            "alarms": int((detector.predict(normal) == -1).sum()),
            "normals": len(normal),
            "aside": len(detector.calibration_scores_),
        }

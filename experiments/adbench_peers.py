"""Detectors of PyOD on the sets of ADBench, by default but for one parameter, a JSON line each.

``python -m experiments.adbench_peers peers.jsonl`` appends what the file does not hold yet, so a
run that was cut short goes on where it stopped: cheap detectors first, the seed outermost. PyOD is
not a requirement of vaekit; the extra ``peers`` has it.

The defaults as they come (PyOD 3.6): VAE trains for 30 epochs with a latent dimension of 2 and a
capacity of 0, AutoEncoder for 10 epochs; KNN scores by the distance to the fifth neighbour.
``random_state`` is the seed of the split where a detector has one. PCA divides by its eigenvalues,
of which some are zero where columns are collinear; it keeps as many components as the rank of the
training rows, the one parameter that is not PyOD's default. A score that is not finite is a
failure, and recorded as one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import io
import json
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from experiments.adbench_data import SEEDS, Split, names, split, splits

__all__ = ["CHEAP", "COSTLY", "main", "measure", "one", "params_of", "recorded", "scores_of"]

CHEAP = {"PCA": "pca", "IForest": "iforest", "ECOD": "ecod", "KNN": "knn"}
COSTLY = {"VAE": "vae", "AutoEncoder": "auto_encoder"}


def params_of(method: str, train: np.ndarray) -> dict[str, Any]:
    """What is not PyOD's default: the number of PCA's components, of ``train`` ``(n, p)``.

    The rank counts singular values above the largest one times max(n, p) times the resolution of
    a float. Where it is min(n, p), PCA is what it is by default.
    """
    return {"n_components": int(np.linalg.matrix_rank(train))} if method == "PCA" else {}


def scores_of(method: str, data: Split, seed: int, **params: Any) -> np.ndarray:
    """Scores of the test rows, higher = more anomalous: ``(m,)``."""
    module = importlib.import_module(f"pyod.models.{(CHEAP | COSTLY)[method]}")
    made = getattr(module, method)
    known = inspect.signature(made).parameters
    wanted = {"random_state": seed, "device": "cpu", "verbose": 0}
    detector = made(**{name: wanted[name] for name in wanted if name in known}, **params)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        detector.fit(data.train)
        return np.asarray(detector.decision_function(data.test), dtype=np.float64)


def measure(scores: np.ndarray, anomalies: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve and average precision of scores, higher = more anomalous."""
    return {
        "auroc": float(roc_auc_score(anomalies, scores)),
        "ap": float(average_precision_score(anomalies, scores)),
    }


def recorded(path: Path | None) -> list[dict[str, Any]]:
    """The lines of a cache; empty where there is none."""
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def one(name: str, protocol: str, seed: int, method: str) -> dict[str, Any]:
    """Fit and score one detector; a failure is a result as well."""
    data = split(name, protocol, seed)
    line = {"set": name, "protocol": protocol, "seed": seed, "method": method}
    start = time.perf_counter()
    params = params_of(method, data.train)
    about = {**params, "pyod": version("pyod")}
    try:
        scores = scores_of(method, data, seed, **params)
        broken = int((~np.isfinite(scores)).sum())
        if broken:
            raise ValueError(f"{broken} of {len(scores)} scores are not finite")
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
        return {**line, "auroc": None, "ap": None, "error": str(error)[:200], **about}
    line |= measure(scores, data.test_anomalies)
    return {**line, "seconds": round(time.perf_counter() - start, 3), **about}


def main(words: list[str] | None = None) -> Path:
    """Append what is missing; returns the file."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("file", type=Path, help="cache: a JSON line for each measurement")
    options.add_argument("--half", choices=("all", "odd", "even"), default="all")
    options.add_argument("--seeds", type=int, default=len(SEEDS))
    options.add_argument("--methods", nargs="*", choices=[*CHEAP, *COSTLY], default=None)
    chosen = options.parse_args(words)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    done = {
        (line["set"], line["protocol"], line["seed"], line["method"])
        for line in recorded(chosen.file)
    }
    wanted = chosen.methods or [*CHEAP, *COSTLY]
    for group in (CHEAP, COSTLY):
        for name, protocol, seed in splits(names(chosen.half), range(chosen.seeds)):
            for method in [m for m in group if m in wanted]:
                if (name, protocol, seed, method) not in done:
                    append(chosen.file, one(name, protocol, seed, method))
    return chosen.file


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line to a cache."""
    with path.open("a") as stream:
        stream.write(json.dumps(line) + "\n")
    print(line, flush=True)


if __name__ == "__main__":
    main()

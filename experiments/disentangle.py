"""Do codes take the factors of sprites apart? Recipes for disentanglement beside PCA and ICA.

Every model sees the same grey sprites of known shape, scale, rotation and place, without the
factors; the scores compare its posterior means on held-out rows with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from experiments.record import Results, parser, remove, scratch
from vaekit.data.sources.shapes import load_shapes
from vaekit.likelihoods import Bernoulli
from vaekit.metrics import MEASURES, mean_and_error
from vaekit.networks import MLP
from vaekit.recipes import compose
from vaekit.report.pictures import Scene, traversals
from vaekit.spec import replace_at
from vaekit.tasks import DataSpec, Prepared, Run, evaluate_run, prepare_data, start_run
from vaekit.tasks.comparison_rows import baseline_row
from vaekit.tasks.source import hint_for

Settings = dict[str, Any]
MODELS: dict[str, tuple[str, Settings]] = {
    "VAE": ("vae", {}),
    "β-VAE, β = 2": ("beta-vae", {"objective.beta": 2.0}),
    "β-VAE, β = 4": ("beta-vae", {"objective.beta": 4.0}),
    "β-VAE, β = 8": ("beta-vae", {"objective.beta": 8.0}),
    "capacity to 25 nats": ("capacity-vae", {}),
    "β-TC-VAE, β = 6": ("beta-tc-vae", {}),
    "FactorVAE, γ = 2": ("factor-vae", {"objective.gamma": 2.0}),
    "FactorVAE, γ = 10": ("factor-vae", {}),
    "FactorVAE, γ = 35": ("factor-vae", {"objective.gamma": 35.0}),
    "DIP-VAE-II": ("dip-vae", {}),
}
SMALL = ("VAE", "β-VAE, β = 4")
BASELINES = ("pca", "ica")
LATENT_DIM = 10
SCORES = (
    "mig",
    "sap",
    "dci_disentanglement",
    "dci_completeness",
    "dci_informativeness",
    "factor_vae_score",
    "mse",
    "rate",
    "active_units",
)


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    small = options.small
    data = DataSpec(source=options.data or "shapes", test=0.2)
    source = load_shapes(16, scales=2, rotations=4, positions=4) if small else None
    prepared = prepare_data(data, source)
    seeds, epochs = range(2), 3 if small else 100
    results = Results("disentangle", options.out, title="Codes that take factors apart")
    folder, rows, scenes = scratch(), [], {}
    runs = {
        name: [run_for(name, data, prepared, seed=seed, epochs=epochs) for seed in seeds]
        for name in (SMALL if small else MODELS)
    }
    for name, group in runs.items():
        tables = []
        for run in group:
            place = folder / f"{len(rows)}-{len(tables)}"
            artifact = start_run(run, place, prepared=prepared)
            tables.append(evaluate_run(place, samples=1, prepared=prepared))
        scenes[name] = Scene(artifact, prepared.held_out, None)
        rows.append(row(name, tables))
        print(rows[-1], flush=True)
    rows += [row(b.upper(), [baseline_row(b, run, prepared)]) for b in BASELINES]
    write_results(results, rows, scenes, prepared, seeds=len(seeds))
    remove(folder)
    return results.write(epochs=epochs)


def run_for(name: str, data: DataSpec, prepared: Prepared, *, seed: int, epochs: int) -> Run:
    """One of the models, with the same network, likelihood and training as the others."""
    recipe, settings = MODELS[name]
    settings = {
        **settings,
        "model.latent_dim": LATENT_DIM,
        "model.encoder": MLP(hidden=(256, 256)),
        "model.likelihood": Bernoulli(),
        "training.epochs": epochs,
        "training.batch_size": 64,
        "training.seed": seed,
    }
    composition: Any = compose(recipe, hint_for(prepared.codec))
    for path, value in settings.items():
        composition = replace_at(composition, path, value)
    return Run(data, composition)


def row(name: str, tables: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds with their standard errors; of a single fit, those of its own table."""
    made: dict[str, Any] = {"model": name, "seeds": len(tables)}
    for key in SCORES:
        values = [table[key] for table in tables]
        if None in values:
            made[key], made[f"{key}_error"] = None, None
        elif len(tables) == 1:
            made[key], made[f"{key}_error"] = values[0], tables[0].get(f"{key}_error")
        else:
            mean, error = mean_and_error(torch.tensor(values, dtype=torch.float64))
            made[key], made[f"{key}_error"] = mean, error
    return made


def write_results(
    results: Results,
    rows: list[dict[str, Any]],
    scenes: dict[str, Scene],
    prepared: Prepared,
    *,
    seeds: int,
) -> None:
    """The table of scores, and what each dimension of the code does in one model of each kind."""
    results.text(
        f"{len(prepared.raw):,} sprites, {len(prepared.held_out):,} of them held out and "
        f"measured; codes of {LATENT_DIM}, dense networks, grey values read as probabilities. "
        f"± is one standard error, over {seeds} seeds for the models and over rows and draws for "
        "PCA and ICA. Higher is better, but for the squared error and the rate; the separated "
        "attribute predictability of perfect codes is the mean of 1 − 1/V over "
        "factors of V values."
    )
    results.values["scores"] = rows
    names = {measure.key: measure.title for measure in MEASURES}
    results.table(
        "shown",
        ["model", *(names[key] for key in SCORES)],
        [[r["model"], *(shown(r[key], r[f"{key}_error"]) for key in SCORES)] for r in rows],
    )
    for number, (name, scene) in enumerate(scenes.items()):
        figure, caption = traversals(scene)
        results.picture(f"traversals_{number}", f"{name}. {caption}", figure)


def shown(value: Any, error: Any) -> str | None:
    """A value with its standard error."""
    if value is None:
        return None
    return f"{value:.3g}" if error is None else f"{value:.3g} ± {error:.1g}"


if __name__ == "__main__":
    main()

"""``vaekit train``: raw data in, a trained, measured and pictured model out."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled, say, say_notes, summary
from vaekit.errors import ConfigError

if TYPE_CHECKING:
    from vaekit.training import Processes

__all__ = ["compose_run", "finish_run", "new_folder", "train"]

RECIPE = "vae"

RUNS = Path("runs")

RecipeName = Annotated[str, typer.Option(help="A named variant; see: vaekit recipes.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training data.")]
Seed = Annotated[int | None, typer.Option(help="Of everything random.")]
Label = Annotated[str | None, typer.Option(help="Tables: the column of classes.")]
Context = Annotated[
    str | None, typer.Option(help="What the model is conditioned on: labels, or column names.")
]
FinalSamples = Annotated[
    int, typer.Option(min=1, help="Importance samples of the final measurement.")
]


def train(  # noqa: PLR0913  one parameter per option
    data: Annotated[
        str | None,
        typer.Argument(
            help="digits, shapes, FILE.npz, FILE.csv, FILE.parquet, IDX files, a folder of "
            "images, or openml:NAME."
        ),
    ] = None,
    recipe: RecipeName = RECIPE,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of the code.")] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Widths of dense layers from data to code, e.g. 256,128.")
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="p(x|z), e.g. bernoulli or gaussian:scale=shared.")
    ] = None,
    beta: Annotated[
        str | None, typer.Option(help="Weight of the rate: a number, or e.g. linear:over=0.3.")
    ] = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    seed: Seed = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Train once for each, e.g. 0,1,2, on the same rows; OUT-seed0, …"),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better held-out bound.")
    ] = None,
    label: Label = None,
    context: Context = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, e.g. training.clip=1 or data.binarise=dynamic."),
    ] = None,
    samples: FinalSamples = 100,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the run in this folder.")] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Processes on this machine, one a GPU or a part of the CPU.")
    ] = 1,
    nodes: Annotated[
        int, typer.Option(min=1, help="Machines; start the same command on each.")
    ] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also log to TensorBoard.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a model, save it, measure it on held-out data, and write pictures and a report.

    Example: vaekit train digits --latent-dim 2 --hidden 256,128 --epochs 50
    """
    on_interrupt = "interrupted; continue with: vaekit train --resume DIR"
    with handled(as_json=as_json, interrupted=on_interrupt):
        from vaekit.training import Processes

        processes = Processes(accelerator=accelerator, devices=devices, nodes=nodes).launch()
        if resume is not None:
            _require_alone(data, recipe, hidden, likelihood, beta, label, context, settings, out)
            _require_alone(latent_dim, epochs, batch_size, lr, seed, seeds, patience)
            folders, prepared = [resume], _resume(resume, processes, tensorboard)
        else:
            if data is None:
                raise ConfigError("no data", remedy="vaekit train DATA, e.g. vaekit train digits")
            options = {
                "training.seed": seed,
                "model.latent_dim": latent_dim,
                "model.likelihood": likelihood,
                "objective.beta": beta,
                "training.epochs": epochs,
                "training.batch_size": batch_size,
                "training.optimizer.lr": lr,
                "training.patience": patience,
            }
            reading = {"label": label, "context": context, "seed": seed}
            prepared, run = compose_run(data, recipe, hidden, options, reading, settings or [])
            folder = processes.from_first(lambda: out or new_folder(data, recipe))
            runs = _for_seeds(run, folder, _read_seeds(seeds, seed))
            for each, one in runs.items():
                _start(one, each, prepared, processes, tensorboard)
            folders = list(runs)
        if processes.is_first:
            results = [finish_run(each, prepared, samples) for each in folders]
            text = "\n\n".join(map(summary, results))
            emit(results[0] if seeds is None else {"runs": results}, text, as_json=as_json)


def _require_alone(*given: Any) -> None:
    """Refuse what a continued run would ignore."""
    if any(value not in (None, RECIPE, []) for value in given):
        raise ConfigError(
            "--resume continues a run as it was begun", remedy="give the folder alone"
        )


def compose_run(
    data: str,
    recipe: str,
    hidden: str | None,
    options: dict[str, Any],
    reading: dict[str, Any],
    words: list[str],
) -> tuple[Any, Any]:
    """The prepared data and the run that words of the command line describe."""
    from vaekit.cli.settings import composition_for, data_spec, hidden_network, parse_settings
    from vaekit.recipes import find
    from vaekit.spec import parse_value
    from vaekit.tasks import Run, prepare_data

    settings = parse_settings(words)
    if reading["context"] is not None:
        reading["context"] = tuple(reading["context"].split(","))
    given = {name: value for name, value in reading.items() if value is not None}
    spec = data_spec(data, find(recipe).reading | given, settings)
    prepared = prepare_data(spec)
    if options.get("objective.beta") is not None:
        options["objective.beta"] = parse_value(options["objective.beta"])
    if hidden is not None:
        options = {"model.encoder": hidden_network(hidden), **options}
    return prepared, Run(spec, composition_for(recipe, prepared, options, settings))


def _read_seeds(seeds: str | None, seed: int | None) -> list[int]:
    """``0,1,2`` as numbers; none where the run has the one seed of its own."""
    if seeds is None:
        return []
    if seed is not None:
        raise ConfigError("--seed and --seeds exclude each other", remedy="give --seeds alone")
    words = [word.strip() for word in seeds.split(",")]
    if not all(word.isdecimal() for word in words) or len(set(words)) < len(words):
        raise ConfigError(
            "not seeds", expected="different whole numbers by comma, e.g. 0,1,2", got=seeds
        )
    return [int(word) for word in words]


def _for_seeds(run: Any, folder: Path, seeds: list[int]) -> dict[Path, Any]:
    """The run by its folder, or one for each seed; they divide the data in the same way."""
    from vaekit.spec import replace_at

    if not seeds:
        return {folder: run}
    return {
        folder.with_name(f"{folder.name}-seed{seed}"): replace_at(
            run, "composition.training.seed", seed
        )
        for seed in seeds
    }


def _start(run: Any, folder: Path, prepared: Any, processes: Processes, tensorboard: bool) -> None:
    from vaekit.tasks import start_run

    if processes.is_first:
        say(f"run folder {folder}")
    start_run(
        run,
        folder,
        prepared=prepared,
        callbacks=_callbacks(folder, processes, tensorboard),
        command=shlex.join(["vaekit", *sys.argv[1:]]),
        processes=processes,
    )
    if folder.parent == RUNS and processes.is_first:
        _point_latest(folder)


def _resume(folder: Path, processes: Processes, tensorboard: bool) -> Any:
    from vaekit.tasks import open_run, prepare_data, resume_run

    prepared = prepare_data(open_run(folder)[0].data)
    callbacks = _callbacks(folder, processes, tensorboard)
    resume_run(folder, prepared=prepared, callbacks=callbacks, processes=processes)
    return prepared


def _callbacks(folder: Path, processes: Processes, tensorboard: bool) -> list[Any]:
    if not processes.is_first:
        return []
    from vaekit.training import Display, TensorBoard

    return [Display(), *([TensorBoard(folder / "tensorboard")] if tensorboard else [])]


def finish_run(folder: Path, prepared: Any, samples: int) -> dict[str, Any]:
    """Measure, draw, report."""
    from vaekit.files import write_json
    from vaekit.report import report_run
    from vaekit.tasks import evaluate_run

    metrics = evaluate_run(folder, samples=samples, prepared=prepared)
    write_json(folder / "metrics.json", metrics)
    report = report_run(folder, metrics, prepared=prepared)
    say_notes(metrics)
    return {"run": str(folder), "report": str(report), **metrics}


def new_folder(data: str, recipe: str) -> Path:
    """A folder of its own below ``runs``."""
    name = f"{Path(data.removeprefix('openml:')).stem}-{recipe}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RUNS / name


def _point_latest(folder: Path) -> None:
    """``latest`` beside the run points to it, where the file system has links."""
    link = folder.parent / "latest"
    if folder.name == "latest" or (link.exists() and not link.is_symlink()):
        return
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name, target_is_directory=True)
    except OSError as error:
        say(f"note: no link {link} ({error.strerror})")

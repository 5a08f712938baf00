"""``vaekit tune``: a search for hyper-parameters, and the best of them as a run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled, say, summary
from vaekit.cli.train import (
    RECIPE,
    Context,
    Epochs,
    FinalSamples,
    Label,
    RecipeName,
    Seed,
    compose_run,
    finish_run,
    new_folder,
)
from vaekit.errors import ConfigError

if TYPE_CHECKING:
    from vaekit.tasks import Run
    from vaekit.tasks.tuning import Axis, TrialRow

__all__ = ["tune"]


def tune(  # noqa: PLR0913  one parameter per option
    data: Annotated[str, typer.Argument(help="As for: vaekit train.")],
    recipe: RecipeName = RECIPE,
    trials: Annotated[
        int, typer.Option(min=1, help="How many in all, earlier ones included.")
    ] = 20,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="What to search, e.g. latent_dim=2..64:log, objective.beta=0.5..2, "
            "training.batch_size=32..128:step=32 or encoder.hidden=256,128|512."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="What is to be best on the validation rows: elbo, mse, knn_accuracy …"),
    ] = None,
    epochs: Epochs = None,
    prune: Annotated[
        bool, typer.Option(help="End trials that are worse than the median of the others.")
    ] = True,
    seed: Seed = None,
    label: Label = None,
    context: Context = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting that all trials share, and that is not searched."),
    ] = None,
    samples: FinalSamples = 100,
    out: Annotated[Path | None, typer.Option(help="Folder of the search.")] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database that machines share; by default OUT/study.db."),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study in it; by default that of OUT.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search hyper-parameters with Optuna; train the best once more as the run OUT/best.

    By default it varies latent dimension, learning rate, widths and, where the recipe has one, β;
    the bound it compares has β = 1. The same command again goes on with the same search.

    Example: vaekit tune digits --recipe sigma-vae --trials 30 --epochs 20 --out runs/tuned
    """
    on_interrupt = "interrupted; the same command with the same --out goes on"
    with handled(as_json=as_json, interrupted=on_interrupt):
        from vaekit.report import report_search
        from vaekit.tasks.tuning import Tuning, alone_in, keep_best, tune_run
        from vaekit.tasks.tuning.storage import require_optuna
        from vaekit.tasks.tuning.url import without_password
        from vaekit.training import Display

        require_optuna()
        options = {"training.seed": seed, "training.epochs": epochs}
        reading = {"label": label, "context": context, "seed": seed}
        prepared, run = compose_run(data, recipe, None, options, reading, settings or [])
        axes = _space(run, prepared, space or [], settings or [])
        folder = out or new_folder(data, f"{recipe}-tuned")
        say(f"search folder {folder}\n" + "\n".join(f"  {k} {a}" for k, a in axes.items()))
        tuning = Tuning(trials=trials, metric=metric, prune=prune, storage=storage, study=study)
        tuned = tune_run(
            run, axes, folder, prepared=prepared, tuning=tuning, notify=_tell, say=say
        )
        best = folder / "best"
        command = shlex.join(["vaekit", *map(without_password, sys.argv[1:])])
        again = shlex.join(["vaekit", "evaluate", str(best)])
        title = f"{data.rsplit('/', 1)[-1]}: {recipe}, tuned"
        with alone_in(best, say=say):
            say(f"training the best once more: {_params(tuned.best)}")
            keep_best(tuned, best, prepared=prepared, callbacks=[Display()], command=command)
            metrics = finish_run(best, prepared, samples)
            report = report_search(tuned, folder, title=title, commands=[command, again])
        text = "\n".join([_params(tuned.best), summary({**metrics, "report": str(report)})])
        emit({**tuned.to_json(), "report": str(report), "run": metrics}, text, as_json=as_json)


def _space(run: Run, prepared: Any, words: list[str], settings: list[str]) -> dict[str, Axis]:
    """The default space of the recipe without what ``--set`` fixes, and what ``--space`` says."""
    import math

    from vaekit.cli.settings import full_key, parse_settings
    from vaekit.tasks.tuning import default_space, parse_axis

    composition = run.composition
    fixed = [full_key(k, composition) for k, _ in parse_settings(settings) if k[:5] != "data."]
    given = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or key.startswith("data."):
            raise ConfigError(
                "not a part of the space",
                expected="SETTING=LOW..HIGH or SETTING=A|B, of model, objective or training",
                got=word,
                where="--space",
            )
        path = full_key(key.strip(), composition, where="--space")
        if path in fixed:
            raise ConfigError(f"both --set and --space name {path}", remedy="keep one of them")
        given[path] = parse_axis(path, text, composition)
    most = math.prod(prepared.codec.event_shape)
    return default_space(composition, most=most, fixed=[*fixed, *given]) | given


def _tell(row: TrialRow) -> None:
    value = "" if row.value is None else f"{row.value:.4g}"
    say(f"trial {row.number:>3}  {row.state:<8}  {value:>9}  {_params(row)}")


def _params(row: TrialRow) -> str:
    """What a trial tried, in one line."""
    from vaekit.tasks.tuning import short_names

    names = short_names(row.params)
    shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.params.items()}
    return "  ".join(f"{names[key]} {value}" for key, value in shown.items())

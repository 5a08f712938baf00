"""``vaekit encode``, ``sample`` and ``reconstruct``: a saved model applied to data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled, say
from vaekit.errors import ConfigError
from vaekit.writing import Columns, check_suffix, write_columns

__all__ = ["Data", "Out", "Run", "encode", "in_batches", "reconstruct", "rows_of", "sample"]

BATCH_ROWS = 10_000
BATCH_ELEMENTS = 1 << 22
SHOWN = 400
"""Images in a picture."""

Run = Annotated[Path, typer.Argument(help="Folder of a run.")]
Data = Annotated[
    str | None, typer.Argument(help="Other data; by default the run's own held-out rows.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="File to write: .npz, .csv, .parquet, or .png for images."),
]


def encode(run: Run, data: Data = None, out: Out = None, as_json: Json = False) -> None:
    """Write the codes of data: posterior means z1… and standard deviations scale1…, row by row."""
    with handled(as_json=as_json):
        path = out or run / "codes.csv"
        check_suffix(path)
        artifact, rows = rows_of(run, data)
        from vaekit.tasks import ModelRepresentation

        vae = ModelRepresentation(artifact.model)

        def codes() -> Iterator[Columns]:
            for batch in in_batches(rows):
                means, scales = vae.encode_with_scale(batch.x, batch.c)
                columns = {f"z{i + 1}": means[:, i] for i in range(vae.latent_dim)}
                columns |= {f"scale{i + 1}": scales[:, i] for i in range(vae.latent_dim)}
                if batch.y is not None:
                    columns["label"] = artifact.codec.labels.decode(batch.y)
                yield columns

        n = write_columns(codes(), path)
        result = {"file": str(path), "rows": n, "latent_dim": vae.latent_dim}
        emit(result, f"{n} codes in {path}", as_json=as_json)


def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 100,
    label: Annotated[
        str | None, typer.Option(help="Conditional models: the class to sample.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw from p(x|z) instead of taking its mean.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Sample new data from the prior, in the units of the original data."""
    with handled(as_json=as_json):
        from vaekit.artifacts import load
        from vaekit.tasks import ModelRepresentation, prior_remark

        artifact = load(run)
        contexts = _contexts(artifact, n, label)
        made = ModelRepresentation(artifact.model).sample(n, seed=seed, c=contexts, draw=draw)
        path = out or run / f"samples{_suffix(artifact)}"
        write_rows(artifact, [made], path)
        result = {"file": str(path), "rows": n}
        if remark := prior_remark(run, artifact):
            say(f"note: {remark}")
            result["remark"] = remark
        emit(result, f"{n} samples in {path}", as_json=as_json)


def reconstruct(run: Run, data: Data = None, out: Out = None, as_json: Json = False) -> None:
    """Reconstruct data from its posterior means, in the units of the original data."""
    with handled(as_json=as_json):
        artifact, rows = rows_of(run, data)
        path = out or run / f"reconstructions{_suffix(artifact)}"
        check_suffix(path, ".png")
        from vaekit.tasks import ModelRepresentation

        vae = ModelRepresentation(artifact.model)
        errors: list[tuple[float, int]] = []

        def made() -> Iterator[Any]:
            for batch in in_batches(rows):
                x = vae.reconstruct(batch.x, batch.c)
                errors.append((float(((x - batch.x.numpy()) ** 2).sum()), x.size))
                yield x

        n = write_rows(artifact, made(), path)
        error = sum(e for e, _ in errors) / sum(size for _, size in errors)
        result = {"file": str(path), "rows": n, "mse": error}
        emit(result, f"{n} reconstructions in {path}, mse {error:.4f}", as_json=as_json)


def rows_of(run: Path, data: str | None, *, whole: bool = False) -> tuple[Any, Any]:
    """The model of a run, and other data or the run's own held-out rows.

    Args:
        run: Folder of the run.
        data: Other data; None for the run's own.
        whole: Take all rows of other data even where it has a test part.
    """
    from vaekit.artifacts import load
    from vaekit.tasks import open_run, other_data, prepare_data

    artifact = load(run)
    spec = open_run(run)[0].data
    if data is not None:
        return artifact, other_data(artifact, spec, data, whole=whole)
    return artifact, prepare_data(spec, codec=artifact.codec).held_out


def in_batches(rows: Any) -> Iterator[Any]:
    """All rows in order, as many at a time as a few dozen megabytes hold."""
    size = math.prod(rows.codec.event_shape)
    yield from rows.batches(max(1, min(BATCH_ROWS, BATCH_ELEMENTS // size)))


def _contexts(artifact: Any, n: int, label: str | None) -> Any:
    """One context for each sample: one class for all, or the classes in turn."""
    import numpy as np

    codec = artifact.codec.context
    if codec is None:
        if label is not None:
            raise ConfigError("this model is not conditional", remedy="leave --label out")
        return None
    classes = getattr(codec, "classes", None)
    if classes is None:
        raise ConfigError(
            "this model's context is continuous",
            remedy="use ModelRepresentation.sample(n, c=…) in Python",
        )
    by_name = {str(name): name for name in classes}
    if label is not None and label not in by_name:
        raise ConfigError(f"unknown class {label!r}", remedy=f"known: {', '.join(by_name)}")
    chosen = (
        [by_name[label]] * n
        if label is not None
        else [classes[i % len(classes)] for i in range(n)]
    )
    return codec.to_model(codec.encode(np.asarray(chosen)))


def _suffix(artifact: Any) -> str:
    return ".npz" if len(artifact.codec.event_shape) == 3 else ".csv"


def write_rows(artifact: Any, parts: Iterable[Any], path: Path) -> int:
    """Rows in model units, written in the user's own units; returns how many there were."""
    raw = (_raw(artifact, x) for x in parts)
    if path.suffix == ".png":
        return _write_picture(raw, path, _limits(artifact))
    return write_columns((_named(artifact, x, path) for x in raw), path)


def _raw(artifact: Any, x: Any) -> Any:
    import torch

    return artifact.codec.decode(torch.as_tensor(x, dtype=torch.float32))


def _named(artifact: Any, raw: Any, path: Path) -> Columns:
    if path.suffix == ".npz" or raw.ndim > 2:
        return {"x": raw}
    names = artifact.codec.x.columns or [f"x{i + 1}" for i in range(raw.shape[1])]
    return dict(zip(names, raw.T, strict=True))


def _limits(artifact: Any) -> tuple[float, float] | None:
    """Black and white in the units of the training images, where the codec has such bounds."""
    codec = artifact.codec.x
    return (codec.low, codec.high) if hasattr(codec, "low") and hasattr(codec, "high") else None


def _write_picture(parts: Iterable[Any], path: Path, limits: tuple[float, float] | None) -> int:
    """The first images in one picture."""
    import numpy as np

    from vaekit import plots

    shown: list[Any] = []
    n = 0
    for raw in parts:
        if raw.ndim < 3:
            raise ConfigError("only images can be written as PNG", got=f"rows of {raw.shape[1:]}")
        shown += list(raw[: max(0, SHOWN - n)])
        n += len(raw)
    plots.save(plots.image_grid(np.stack(shown), limits=limits), path)
    return n

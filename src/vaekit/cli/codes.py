"""``vaekit encode``, ``sample`` and ``reconstruct``: a saved model applied to data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled
from vaekit.errors import ConfigError

__all__ = ["encode", "reconstruct", "sample"]

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
        artifact, rows = _rows(run, data)
        from vaekit.tasks import ModelRepresentation

        batch = next(iter(rows.batches(len(rows))))
        vae = ModelRepresentation(artifact.model)
        means, scales = vae.encode_with_scale(batch.x, batch.c)
        columns = {f"z{i + 1}": means[:, i] for i in range(vae.latent_dim)}
        columns |= {f"scale{i + 1}": scales[:, i] for i in range(vae.latent_dim)}
        if batch.y is not None:
            columns["label"] = artifact.codec.labels.decode(batch.y)
        path = write_columns(columns, out or run / "codes.csv")
        result = {"file": str(path), "rows": len(means), "latent_dim": vae.latent_dim}
        emit(result, f"{len(means)} codes in {path}", as_json=as_json)


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
        from vaekit.tasks import ModelRepresentation

        artifact = load(run)
        contexts = _contexts(artifact, n, label)
        made = ModelRepresentation(artifact.model).sample(n, seed=seed, c=contexts, draw=draw)
        path = write_rows(artifact, made, out or run / f"samples{_suffix(artifact)}")
        emit({"file": str(path), "rows": n}, f"{n} samples in {path}", as_json=as_json)


def reconstruct(run: Run, data: Data = None, out: Out = None, as_json: Json = False) -> None:
    """Reconstruct data from its posterior means, in the units of the original data."""
    with handled(as_json=as_json):
        artifact, rows = _rows(run, data)
        from vaekit.tasks import ModelRepresentation

        batch = next(iter(rows.batches(len(rows))))
        made = ModelRepresentation(artifact.model).reconstruct(batch.x, batch.c)
        error = float(((made - batch.x.numpy()) ** 2).mean())
        path = write_rows(artifact, made, out or run / f"reconstructions{_suffix(artifact)}")
        result = {"file": str(path), "rows": len(made), "mse": error}
        emit(result, f"{len(made)} reconstructions in {path}, mse {error:.4f}", as_json=as_json)


def _rows(run: Path, data: str | None) -> tuple[Any, Any]:
    from vaekit.artifacts import load
    from vaekit.tasks import open_run, other_data, prepare_data

    artifact = load(run)
    spec = open_run(run)[0].data
    if data is not None:
        return artifact, other_data(artifact, spec, data)
    return artifact, prepare_data(spec, codec=artifact.codec).held_out


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


def write_rows(artifact: Any, x: Any, path: Path) -> Path:
    """Rows in model units, written in the user's own units."""
    import numpy as np
    import torch

    raw = artifact.codec.decode(torch.as_tensor(x, dtype=torch.float32))
    if path.suffix == ".png":
        from vaekit import plots

        if raw.ndim < 3:
            raise ConfigError("only images can be written as PNG", got=f"rows of {raw.shape[1:]}")
        return plots.save(plots.image_grid(raw[:400]), path)
    if path.suffix == ".npz" or raw.ndim > 2:
        return write_columns({"x": raw}, path)
    names = artifact.codec.x.columns or [f"x{i + 1}" for i in range(raw.shape[1])]
    return write_columns(dict(zip(names, np.asarray(raw).T, strict=True)), path)


def write_columns(columns: dict[str, Any], path: Path) -> Path:
    """Named columns as ``.npz``, ``.csv`` or ``.parquet``, atomically.

    Raises:
        ConfigError: If the suffix is another one, or the columns are no table.
    """
    import numpy as np
    import pandas as pd

    from vaekit.files import write_atomically

    if path.suffix == ".npz":
        return write_atomically(path, lambda temporary: _savez(temporary, columns))
    if path.suffix not in (".csv", ".parquet") or any(np.ndim(v) != 1 for v in columns.values()):
        raise ConfigError(
            "cannot write this as such a file",
            expected=".npz, or .csv or .parquet for tables, or .png for images",
            got=path.name,
            where="--out",
        )
    frame = pd.DataFrame(columns)
    if path.suffix == ".csv":
        return write_atomically(path, lambda temporary: frame.to_csv(temporary, index=False))
    return write_atomically(path, lambda temporary: frame.to_parquet(temporary, index=False))


def _savez(path: Path, columns: dict[str, Any]) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.savez_compressed(file, **columns)

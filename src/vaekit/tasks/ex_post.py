"""Ex-post priors: p(z) fitted to the codes of a model that is trained already."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vaekit.artifacts import Artifact, load, provenance, save
from vaekit.data import ArrayCodec, DataCodec, Rows, TensorData
from vaekit.distributions import row_noise
from vaekit.errors import ConfigError
from vaekit.files import write_json
from vaekit.latents import Prior
from vaekit.models import Evidence, SecondStagePrior, initialise
from vaekit.objectives import ELBO, Cosine
from vaekit.spec import Role, Spec, replace_at, to_json
from vaekit.tasks.run import RUN, open_run, require_new_folder
from vaekit.tasks.source import Prepared, prepare_data
from vaekit.training import Adam, Callback, Processes, Trainer, Training

__all__ = ["PriorFit", "PriorModel", "codes_of", "fit_prior", "prior_remark"]

DEFAULT = Training(epochs=50, batch_size=256, optimizer=Adam(lr=3e-3), lr_schedule=Cosine())
ROWS_A_TIME = 1_000
INITIAL_ROWS = 2_000
FITTED_TO = "prior_fitted_to"


class PriorFit(Spec):
    """What is fitted, and how: the settings of ``vaekit fit-prior``.

    Args:
        prior: Which prior to fit.
        training: How to fit it.
    """

    prior: Annotated[Any, Role("prior")]
    training: Annotated[Any, Role("training")] = DEFAULT


class PriorModel(nn.Module):
    """A prior as a model of codes: its evidence is log p(z|c), and it has no latents.

    Args:
        prior: What is fitted.
    """

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.prior = prior

    def evidence(self, x: Tensor, c: Tensor | None = None, **_: Any) -> Evidence:
        """The evidence of codes of shape ``(B, *latent)``, with one sample."""
        return Evidence(self.prior(c), None, [], value=x.unsqueeze(0))


def fit_prior(
    folder: Path,
    prior: Spec,
    out: Path,
    *,
    training: Training = DEFAULT,
    draws: int = 1,
    prepared: Prepared | None = None,
    callbacks: Sequence[Callback] = (),
    command: str = "",
) -> Artifact:
    r"""A finished model with a prior that is fitted to its codes by maximum likelihood.

    .. math:: \max_p \; \frac1N \sum_n E_{q(z \mid x_n)} \log p(z)

    This closes the gap between prior and aggregate posterior, with encoder and decoder left as
    they are; bounds and likelihoods under the new prior stay valid. A second stage, which is a VAE
    over the codes, is fitted by its ELBO. Codes are draws from q(z|x),
    which for an autoencoder are its points: it then has samples, though still no likelihood.
    Held-out codes choose the best epoch.

    Args:
        folder: The run.
        prior: Which prior to fit.
        out: Folder of the model with that prior, an ordinary run.
        training: How to fit it.
        draws: Codes of each training row.
        prepared: The run's data, if it is at hand.
        callbacks: Hooks.
        command: What the user typed, for the provenance.

    Raises:
        ConfigError: If ``out`` holds a run, or the prior does not fit the model.

    References:
        | From Variational to Deterministic Autoencoders (Ghosh et al., 2020), arXiv:1903.12436.
        | Diagnosing and Enhancing VAE Models (Dai & Wipf, 2019), arXiv:1903.05789.
    """
    processes = Processes()
    require_new_folder(
        out, processes, remedy="delete the folder, or choose another one with --out"
    )
    artifact = load(folder)
    run, _ = open_run(folder)
    prepared = prepared or prepare_data(run.data, codec=artifact.codec)
    changed: Any = replace_at(run, "composition.model.prior", prior)
    model = _with_prior(artifact, changed.composition.model, training.seed).to(processes.device)
    parts = {name: part.to(processes.device) for name, part in prepared.parts.items()}
    first = next(iter(parts["train"].sample(INITIAL_ROWS).batches(INITIAL_ROWS)))
    with torch.no_grad():
        initialise(model, first.x, model.completed(first.x, first.c))
    codes: dict[str, Rows] = {
        name: codes_of(model, parts[name], draws=draws if name == "train" else 1)
        for name in ("train", "validation")
        if name in parts
    }
    trainer = Trainer(
        _learner(model.prior),
        codes,
        training,
        objective=ELBO(),
        folder=out,
        callbacks=callbacks,
        processes=processes,
    )
    trainer.fit()
    write_json(out / RUN, {"run": to_json(changed), "command": command})
    origin = provenance(
        source=run.data.source,
        fingerprint=prepared.raw.fingerprint,
        command=command,
        **{FITTED_TO: folder.name},
    )
    save(out, model.cpu().eval(), artifact.codec, provenance=origin)
    return load(out)


def _learner(prior: Prior) -> nn.Module:
    """What is trained: the prior as a model of codes, which a second stage is by itself."""
    return prior.vae if isinstance(prior, SecondStagePrior) else PriorModel(prior)


def _with_prior(artifact: Artifact, spec: Any, seed: int) -> Any:
    """The artifact's model with another prior, which is untrained."""
    own = artifact.model
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = spec.build(event_shape=own.event_shape, context_dim=own.context_dim)
    if not any(parameter.requires_grad for parameter in model.prior.parameters()):
        raise ConfigError(
            "this prior has nothing to fit",
            got=spec.prior.kind,
            remedy="choose one that learns, for example 'mixture' or 'flow'",
        )
    kept = {n: v for n, v in own.state_dict().items() if not n.startswith("prior.")}
    model.load_state_dict(kept, strict=False)
    return model.eval()


def prior_remark(folder: Path, artifact: Artifact) -> str:
    """What a reader of samples must know where training left the prior out; empty elsewhere.

    Args:
        folder: The model's; one that is no run says nothing of its objective.
        artifact: The model.
    """
    if FITTED_TO in artifact.provenance or not (folder / RUN).is_file():
        return ""
    if getattr(open_run(folder)[0].composition.objective, "uses_prior", True):
        return ""
    command = shlex.join(["vaekit", "fit-prior", str(folder), "--prior", "mixture"])
    return f"codes were not trained towards the prior; fit one to them first: {command}"


@torch.no_grad()
def codes_of(model: Any, rows: Rows, *, draws: int = 1, seed: int = 0) -> TensorData:
    """Draws from q(z|x) as a data set, with the contexts that they were drawn given.

    Where a row has no label and the model infers one, that is its context.

    Args:
        model: In evaluation mode.
        rows: The data, on the model's device.
        draws: Codes of each row.
        seed: Of the draws; those of a row depend on its number alone.

    Raises:
        ConfigError: If codes are not vectors.
    """
    if len(model.latent_shape) != 1:
        raise ConfigError("codes are not vectors", expected="(n,)", got=model.latent_shape)
    z, contexts, first = [], [], 0
    for batch in rows.batches(ROWS_A_TIME):
        c = model.completed(batch.x, batch.c)
        with row_noise(seed, first, len(batch)):
            z.append(model.encode(batch.x, c).sample((draws,)).flatten(0, 1))
        if c is not None:
            contexts.append(c.repeat(draws, 1))
        first += len(batch)
    context = ArrayCodec(shape=(model.context_dim,)) if contexts else None
    codec = DataCodec(x=ArrayCodec(shape=model.latent_shape), context=context)
    return TensorData(codec, torch.cat(z), None, torch.cat(contexts) if contexts else None)

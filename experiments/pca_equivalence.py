"""A linear autoencoder spans PCA's subspace; a linear VAE is probabilistic PCA.

Both are trained by gradient steps from random weights on the bundled digits, and compared
with the closed forms: principal angles between the subspaces, and the exact log-likelihood.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.linalg import subspace_angles

from experiments.record import Results, parser
from vaekit import plots
from vaekit.baselines import PCA, PPCA
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Autoencoding, Cosine
from vaekit.tasks import Composition, DataSpec, Prepared, build_model, prepare_data
from vaekit.training import Adam, Trainer, Training

DIMS = (2, 5, 10)


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    results = Results("pca_equivalence", options.out, title="Linear models and PCA")
    prepared = prepare_data(DataSpec(source=options.data or "digits", validation=0.0))
    share = 0.25 if options.small else 1.0
    rows = [compare(prepared, k, share) for k in ((2,) if options.small else DIMS)]
    results.text(
        "Principal angles in radians between PCA's subspace and the decoder of a linear "
        "autoencoder, and of a linear VAE; mean exact log p(x) of the training rows in nats, of "
        "the trained linear VAE and of probabilistic PCA's closed form (Tipping & Bishop 1999)."
    )
    results.table("comparison", list(rows[0]), [list(row.values()) for row in rows])
    flat = arrays(prepared)
    pca = PCA(latent_dim=min(flat.shape)).build().fit(flat)
    caption = "Explained variance; what is dropped is the error of the best linear code."
    results.picture(
        "explained_variance", caption, plots.explained_variance(pca.explained_variance_ratio)
    )
    return results.write(share=share)


def arrays(prepared: Prepared) -> Any:
    """Training rows in model units, flat, float64."""
    batch = next(iter(prepared.part("train").batches(10_000)))
    return batch.x.flatten(1).double().numpy()


def compare(prepared: Prepared, k: int, share: float) -> dict[str, Any]:
    """One row: both linear models of dimension k beside their closed forms."""
    flat = arrays(prepared)
    pca, ppca = PCA(latent_dim=k).build().fit(flat), PPCA(latent_dim=k).build().fit(flat)
    autoencoder = FlatVAE(
        latent_dim=k, encoder=MLP(hidden=()), posterior=Point(), likelihood=Gaussian(scale=1.0)
    )
    plain = trained(prepared, autoencoder, Autoencoding(), schedule(128, 1_000, share))
    vae: Any = trained(prepared, LinearVAE(latent_dim=k), ELBO(), schedule(4_096, 6_000, share))
    x = torch.as_tensor(flat).reshape(-1, *prepared.codec.event_shape)
    exact = float(vae.double().exact_log_marginal(x).detach().mean())
    closed_form = float(np.mean(ppca.score_samples(flat)))
    return {
        "latent_dim": k,
        "largest angle, autoencoder": angle(plain, pca.loading),
        "largest angle, VAE": angle(vae, pca.loading),
        "log p(x), linear VAE": exact,
        "log p(x), probabilistic PCA": closed_form,
        "difference": closed_form - exact,
        "mse, autoencoder": float(np.mean((reconstruct(plain, x) - flat) ** 2)),
        "mse, PCA": float(np.mean((pca.reconstruct(flat) - flat) ** 2)),
    }


def schedule(batch_size: int, epochs: int, share: float) -> Training:
    """A learning rate that falls to nothing, so that the noise of batches does too."""
    return Training(
        epochs=int(epochs * share),
        batch_size=batch_size,
        optimizer=Adam(lr=1e-2),
        lr_schedule=Cosine(warm_up=0.02),
    )


def trained(prepared: Prepared, model: Any, objective: Any, training: Training) -> Any:
    """The model, trained from random weights."""
    built = build_model(Composition(model, objective, training), prepared)
    Trainer(built, prepared.parts, training, objective=objective).fit()
    return built


def angle(model: Any, loading: Any) -> float:
    """The largest principal angle between the decoder's columns and PCA's, in radians."""
    columns = model.decoder.layers[-1].weight.detach().double().numpy()
    return float(subspace_angles(columns, np.asarray(loading)).max())


def reconstruct(model: Any, x: torch.Tensor) -> Any:
    """Reconstructions in model units, flat."""
    with torch.no_grad():
        return model.double().reconstruct(x).flatten(1).numpy()


if __name__ == "__main__":
    main()

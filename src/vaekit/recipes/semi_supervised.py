"""A recipe for data of which only some rows have a label."""

from __future__ import annotations

from vaekit.likelihoods import Gaussian
from vaekit.models import SemiSupervisedVAE
from vaekit.objectives import SemiSupervised
from vaekit.recipes.recipe import recipe
from vaekit.tasks.composition import Composition, Hint


@recipe(
    "semi-supervised-vae",
    paper="Kingma, Rezende, Mohamed & Welling 2014, arXiv:1406.5298",
    reading={"context": ("labels",), "unlabelled": "keep"},
)
def semi_supervised_vae(hint: Hint) -> Composition:
    """Classes are latent where a row has no label; a classifier infers them (alpha = 1)."""
    # At the paper's alpha = 0.1 and a σ that is learned, too few labels outweigh the pixels.
    optimal = hint.likelihood == Gaussian()
    likelihood = Gaussian(scale="shared") if optimal else hint.likelihood
    model = SemiSupervisedVAE(encoder=hint.network, likelihood=likelihood)
    return Composition(model, SemiSupervised(alpha=1.0))

"""Named variants of the flat VAE."""

from __future__ import annotations

from vaekit.errors import ConfigError
from vaekit.latents import (
    IAF,
    VMF,
    Categorical,
    ConditionalNormal,
    FlowOfNormal,
    Full,
    MixtureOfNormals,
    Planar,
    Point,
    UniformCategorical,
    UniformOnSphere,
    Vamp,
)
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, LinearVAE
from vaekit.networks import MLP, GaussianNoise, Masking
from vaekit.objectives import ELBO, Autoencoding, Cosine, ImportanceWeighted, Linear
from vaekit.recipes.recipe import recipe
from vaekit.spec import Spec
from vaekit.tasks.composition import Composition, Hint
from vaekit.training import Adam, Training


def flat(hint: Hint, **parts: Spec) -> FlatVAE:
    """A flat VAE with the parts that the data suggests, except those given."""
    return FlatVAE(**({"encoder": hint.network, "likelihood": hint.likelihood} | parts))  # type: ignore[arg-type]


@recipe("vae", paper="Kingma & Welling 2013, arXiv:1312.6114")
def vae(hint: Hint) -> Composition:
    """The classic: N(0, I) prior, diagonal posterior, the likelihood that the data suggests."""
    return Composition(flat(hint))


@recipe("beta-vae", paper="Higgins et al. 2017, openreview Sy2fzU9gl")
def beta_vae(hint: Hint) -> Composition:
    """A heavier rate (beta = 4) for codes whose coordinates are independent."""
    return Composition(flat(hint), ELBO(beta=4.0))


@recipe("sigma-vae", paper="Rybkin et al. 2020, arXiv:2006.13202")
def sigma_vae(hint: Hint) -> Composition:
    """A Gaussian whose scale is the optimum for the batch, so that no beta has to be tuned."""
    return Composition(flat(hint, likelihood=Gaussian(scale="optimal")))


@recipe(
    "annealed-vae",
    paper="Bowman et al. 2015, arXiv:1511.06349; Sønderby et al. 2016, arXiv:1602.02282",
)
def annealed_vae(hint: Hint) -> Composition:
    """Beta rises from 0 to 1 over the first third of the run, against early collapse."""
    return Composition(flat(hint), ELBO(beta=Linear(start=0.0, end=1.0, over=1 / 3)))


@recipe("free-bits-vae", paper="Kingma et al. 2016, arXiv:1606.04934")
def free_bits_vae(hint: Hint) -> Composition:
    """Each latent dimension may carry 0.1 nats at no cost."""
    return Composition(flat(hint), ELBO(free_bits=0.1, per="dimension"))


@recipe(
    "iwae",
    paper="Burda et al. 2015, arXiv:1509.00519; Tucker et al. 2018, arXiv:1810.04152",
)
def iwae(hint: Hint) -> Composition:
    """The importance-weighted bound of five codes, with doubly reparametrised gradients."""
    return Composition(flat(hint), ImportanceWeighted(samples=5, gradient="dreg"))


@recipe("capacity-vae", paper="Burgess et al. 2018, arXiv:1804.03599")
def capacity_vae(hint: Hint) -> Composition:
    """The rate is held at a capacity that grows from 0 to 25 nats over the run."""
    return Composition(flat(hint), ELBO(beta=10.0, capacity=Linear(end=25.0, over=1.0)))


@recipe("full-covariance-vae", paper="Kingma & Welling 2019, arXiv:1906.02691")
def full_covariance_vae(hint: Hint) -> Composition:
    """A posterior with full covariance, for codes that are correlated given x."""
    return Composition(flat(hint, posterior=Full()))


@recipe("iaf-vae", paper="Kingma et al. 2016, arXiv:1606.04934")
def iaf_vae(hint: Hint) -> Composition:
    """A posterior of any shape: a normal behind four inverse autoregressive steps."""
    return Composition(flat(hint, posterior=IAF(steps=4)))


@recipe("mixture-vae", paper="Dilokthanakul et al. 2016, arXiv:1611.02648")
def mixture_vae(hint: Hint) -> Composition:
    """A learned mixture of ten normals as prior, for data that falls into groups."""
    return Composition(flat(hint, prior=MixtureOfNormals(components=10, spread=2.0)))


@recipe("vamp-vae", paper="Tomczak & Welling 2018, arXiv:1705.07120")
def vamp_vae(hint: Hint) -> Composition:
    """The prior is the mixture of the model's own posteriors at learned pseudo-inputs."""
    return Composition(flat(hint, prior=Vamp(components=500)))


@recipe("flow-prior-vae", paper="Chen et al. 2016, arXiv:1611.02731")
def flow_prior_vae(hint: Hint) -> Composition:
    """The prior is a normalising flow that is learned with the model."""
    return Composition(flat(hint, prior=FlowOfNormal()))


@recipe("planar-vae", paper="Rezende & Mohamed 2015, arXiv:1505.05770")
def planar_vae(hint: Hint) -> Composition:
    """A normal behind eight planar steps whose parameters the encoder gives."""
    return Composition(flat(hint, posterior=Planar(steps=8)))


@recipe("categorical-vae", paper="Jang, Gu & Poole 2016, arXiv:1611.01144")
def categorical_vae(hint: Hint) -> Composition:
    """Twenty discrete codes of ten classes each, relaxed by Gumbel noise in training."""
    parts = {"prior": UniformCategorical(classes=10), "posterior": Categorical(classes=10)}
    return Composition(flat(hint, **parts).replace(latent_dim=200))


@recipe("hyperspherical-vae", paper="Davidson et al. 2018, arXiv:1804.00891")
def hyperspherical_vae(hint: Hint) -> Composition:
    """Codes on the unit sphere: von Mises-Fisher posterior, uniform prior."""
    return Composition(flat(hint, prior=UniformOnSphere(), posterior=VMF()))


@recipe("denoising-vae", paper="Im et al. 2015, arXiv:1511.06406")
def denoising_vae(hint: Hint) -> Composition:
    """The encoder sees noisy data in training; reconstructions of noisy data are then cleaner."""
    return Composition(flat(hint, corruption=GaussianNoise(scale=0.25)))


@recipe("conditional-vae", paper="Sohn, Lee & Yan 2015 (NeurIPS)")
def conditional_vae(hint: Hint) -> Composition:
    """Prior, encoder and decoder read the context (give --context labels)."""
    if not hint.context_dim:
        raise ConfigError(
            "this recipe needs a context", remedy="add --context labels, or columns as context"
        )
    return Composition(flat(hint, prior=ConditionalNormal()))


@recipe("linear-vae", paper="Lucas et al. 2019, arXiv:1911.02469")
def linear_vae(hint: Hint) -> Composition:
    """Linear encoder and decoder: probabilistic PCA, with its exact log-likelihood."""
    return Composition(
        LinearVAE(), ELBO(), Training(optimizer=Adam(lr=1e-2), lr_schedule=Cosine())
    )


@recipe("autoencoder", paper="Hinton & Salakhutdinov 2006 (Science)")
def autoencoder(hint: Hint) -> Composition:
    """A deterministic code and squared error; no bounds, no likelihoods."""
    return Composition(_autoencoder(hint), Autoencoding())


@recipe("linear-autoencoder", paper="Baldi & Hornik 1989 (Neural Networks)")
def linear_autoencoder(hint: Hint) -> Composition:
    """No hidden layers: spans the subspace of PCA."""
    return Composition(_autoencoder(hint, encoder=MLP(hidden=())), Autoencoding())


@recipe("sparse-autoencoder", paper="Ng 2011, CS294A lecture notes")
def sparse_autoencoder(hint: Hint) -> Composition:
    """An autoencoder whose code is drawn towards zero by its absolute values."""
    return Composition(_autoencoder(hint), Autoencoding(sparsity=0.1))


@recipe("contractive-autoencoder", paper="Rifai et al. 2011 (ICML)")
def contractive_autoencoder(hint: Hint) -> Composition:
    """An autoencoder whose encoder has a small Jacobian."""
    return Composition(_autoencoder(hint), Autoencoding(contraction=0.1))


@recipe("denoising-autoencoder", paper="Vincent et al. 2008 (ICML)")
def denoising_autoencoder(hint: Hint) -> Composition:
    """An autoencoder that restores what its encoder did not see: a quarter of the numbers."""
    return Composition(_autoencoder(hint, corruption=Masking(rate=0.25)), Autoencoding())


@recipe("rae", paper="Ghosh et al. 2019, arXiv:1903.12436")
def rae(hint: Hint) -> Composition:
    """A regularised autoencoder: small codes, small decoder weights.

    It has no prior. To sample, fit one to its codes:
    ``vaekit fit-prior RUN --prior mixture:components=10``.
    """
    return Composition(_autoencoder(hint), Autoencoding(code=1e-2, decay=1e-4))


def _autoencoder(hint: Hint, **parts: Spec) -> FlatVAE:
    return flat(hint, **{"posterior": Point(), "likelihood": Gaussian(scale=1.0), **parts})

"""Recipes whose objectives look at the codes of the whole batch."""

from __future__ import annotations

from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.objectives import DIP, WAE, WAEGAN, BetaTC, FactorVAE, InfoVAE
from vaekit.recipes.flat import flat
from vaekit.recipes.recipe import recipe
from vaekit.tasks.composition import Composition, Hint
from vaekit.training import Adam

CRITIC = Adam(lr=1e-4, beta1=0.5, beta2=0.9)


@recipe("beta-tc-vae", paper="Chen et al. 2018, arXiv:1802.04942")
def beta_tc_vae(hint: Hint) -> Composition:
    """A heavier total correlation (beta = 6), so that the codes' coordinates are independent."""
    return Composition(flat(hint), BetaTC(beta=6.0))


@recipe("factor-vae", paper="Kim & Mnih 2018, arXiv:1802.05983")
def factor_vae(hint: Hint) -> Composition:
    """A price on the total correlation (gamma = 10), which a critic estimates."""
    return Composition(flat(hint), FactorVAE(gamma=10.0, optimizer=CRITIC))


@recipe("dip-vae", paper="Kumar, Sattigeri & Balakrishnan 2017, arXiv:1711.00848")
def dip_vae(hint: Hint) -> Composition:
    """The covariance of all codes is drawn to the identity (DIP-VAE-II)."""
    return Composition(flat(hint), DIP(of="codes"))


@recipe("info-vae", paper="Zhao, Song & Ermon 2017, arXiv:1706.02262")
def info_vae(hint: Hint) -> Composition:
    """Half the rate, and an MMD between all codes and the prior."""
    return Composition(flat(hint), InfoVAE(alpha=0.5, lambda_=100.0))


@recipe("mmd-vae", paper="Zhao, Song & Ermon 2017, arXiv:1706.02262")
def mmd_vae(hint: Hint) -> Composition:
    """No rate, but an MMD between all codes and the prior."""
    return Composition(flat(hint), InfoVAE(alpha=1.0, lambda_=100.0))


@recipe("wae-mmd", paper="Tolstikhin et al. 2017, arXiv:1711.01558")
def wae_mmd(hint: Hint) -> Composition:
    """A deterministic code and squared error, with an MMD between all codes and the prior."""
    model = flat(hint, posterior=Point(), likelihood=Gaussian(scale=1.0))
    return Composition(model, WAE(weight=100.0))


@recipe("wae-gan", paper="Tolstikhin et al. 2017, arXiv:1711.01558")
def wae_gan(hint: Hint) -> Composition:
    """A deterministic code and squared error, with a critic between all codes and the prior."""
    model = flat(hint, posterior=Point(), likelihood=Gaussian(scale=1.0))
    return Composition(model, WAEGAN(weight=0.2, optimizer=CRITIC))


@recipe("adversarial-autoencoder", paper="Makhzani et al. 2015, arXiv:1511.05644")
def adversarial_autoencoder(hint: Hint) -> Composition:
    """A VAE with a critic between all codes and the prior in place of the rate."""
    return Composition(flat(hint), WAEGAN(weight=10.0, optimizer=CRITIC))

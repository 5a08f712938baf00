"""The flat VAE: one latent group, p(x, z) = p(z) p(x|z), and its inference network q(z|x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import torch
from torch import Tensor, nn

from vaekit.distributions import Density, widen
from vaekit.errors import ConfigError, ShapeError
from vaekit.latents import Diagonal, Posterior, Prior, Standard
from vaekit.likelihoods import Gaussian, Likelihood
from vaekit.models.evidence import Evidence, Node
from vaekit.networks import MLP, accepts_context, call_network, check_decoder, probe_features
from vaekit.spec import Role, Spec, Within, references

__all__ = ["FlatVAE", "VAEModel", "draw"]


class FlatVAE(Spec, kind="model/vae"):
    r"""A flat VAE as a product of parts; sizes come from the data.

    Args:
        latent_dim: Dimension of the code z.
        encoder: A network spec, or any module (B, \*event) → (B, features).
        decoder: A network spec, or any module (N, latent_dim) → (N, \*params); None mirrors the
            encoder's spec.
        prior: p(z).
        posterior: q(z|x).
        likelihood: p(x|z).
        corruption: How training damages what the encoder sees, a spec or any module x → x̃; the
            likelihood scores the clean x. Each q(z|x̃) is a proposal for z, so the ELBO bounds
            log p(x) as before.

    References:
        - Auto-Encoding Variational Bayes (Kingma & Welling, 2013), arXiv:1312.6114.
        - Denoising Criterion for Variational Auto-Encoding Framework (Im, Ahn, Memisevic &
          Bengio, 2015), arXiv:1511.06406.

    Example:
        >>> model = FlatVAE(latent_dim=2).build(event_shape=(1, 8, 8))
        >>> model.evidence(torch.rand(16, 1, 8, 8), samples=3).elbo.shape
        torch.Size([3, 16])
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    encoder: Annotated[Any, Role("network")] = MLP()
    decoder: Annotated[Any, Role("network")] | None = None
    prior: Annotated[Any, Role("prior")] = Standard()
    posterior: Annotated[Any, Role("posterior")] = Diagonal()
    likelihood: Annotated[Any, Role("likelihood")] = Gaussian()
    corruption: Annotated[Any, Role("corruption")] | None = None

    def build(self, *, event_shape: Sequence[int], context_dim: int = 0) -> VAEModel:
        """The model for observations of ``event_shape``, contexts of ``context_dim`` numbers."""
        return VAEModel(**self._parts(event_shape, context_dim))

    def _parts(self, event_shape: Sequence[int], context_dim: int) -> dict[str, Any]:
        latent_shape = (self.latent_dim,)
        likelihood = _built(self.likelihood, event_shape=event_shape)
        encoder = self._network("encoder", event_shape, context_dim=context_dim)
        features = probe_features(encoder, event_shape, context_dim=context_dim)
        params_shape = likelihood.params_shape
        decoder = self._network("decoder", latent_shape, params_shape, context_dim=context_dim)
        check_decoder(decoder, latent_shape, params_shape, context_dim=context_dim)
        sizes: dict[str, Any] = {"latent_shape": latent_shape, "context_dim": context_dim}
        parts = {
            "encoder": encoder,
            "decoder": decoder,
            "posterior": _built(self.posterior, features=features, **sizes),
            "likelihood": likelihood,
            "corruption": None if self.corruption is None else _built(self.corruption),
        }
        if shared := references(self.prior, parts):
            sizes |= {"event_shape": tuple(event_shape), **shared}
        parts["prior"] = _built(self.prior, **sizes)
        return {**parts, "spec": self, "context_dim": context_dim}

    def _network(self, direction: str, *shapes: Sequence[int], context_dim: int) -> nn.Module:
        part = getattr(self, direction)
        if part is None:
            if not isinstance(self.encoder, Spec):
                raise ConfigError(
                    "a decoder is needed beside an encoder of your own",
                    where=f"{self.kind}.decoder",
                )
            part = self.encoder
        if isinstance(part, nn.Module):
            return part
        module: nn.Module = getattr(part, direction)(*shapes, context_dim=context_dim)
        return module


def _built(part: Any, **sizes: Any) -> Any:
    return part if isinstance(part, nn.Module) else part.build(**sizes)


def check_space(prior: nn.Module, posterior: nn.Module) -> None:
    """Codes must live where the prior has its mass.

    Raises:
        ConfigError: If prior and posterior are densities over different spaces.
    """
    spaces = [getattr(part, "space", "reals") for part in (prior, posterior)]
    if spaces[0] != spaces[1]:
        raise ConfigError(
            "prior and posterior are densities over different spaces, so KL(q‖p) is infinite",
            expected=f"a prior over {spaces[1]}, as the posterior {_kind(posterior)} is",
            got=f"{_kind(prior)}, a density over {spaces[0]}",
            remedy=f"choose a prior over {spaces[1]}, or another posterior",
        )


def _kind(part: nn.Module) -> str:
    return repr(getattr(getattr(part, "spec", None), "kind", type(part).__name__))


def draw(q: Density, samples: int) -> tuple[Tensor, Tensor | None]:
    """Codes of shape ``(samples, B, *latent)``, and log q where it is best taken with the draw."""
    if q.draws_with_log_prob:
        return q.rsample_and_log_prob((samples,))
    return q.rsample((samples,)), None


class VAEModel(nn.Module):
    r"""Encoder, decoder, prior, posterior and likelihood, put together.

    Args:
        encoder: (B, \*event) [, (B, k)] → (B, features).
        decoder: (N, \*latent) [, (N, k)] → (N, \*params).
        prior: c → p(z|c).
        posterior: features → q(z|x).
        likelihood: decoder output → p(x|z).
        corruption: x → x̃, what the encoder sees of :meth:`evidence` in training; None for x.
        spec: What it was built from, if it was; needed to save it.
        context_dim: Size k of the context, 0 for none.

    Attributes:
        infers_labels: Whether a context of zeros stands for a label to be inferred.
    """

    infers_labels = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: Prior,
        posterior: Posterior,
        likelihood: Likelihood,
        *,
        corruption: nn.Module | None = None,
        spec: Spec | None = None,
        context_dim: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.posterior = posterior
        self.likelihood = likelihood
        self.corruption = nn.Identity() if corruption is None else corruption
        self.spec = spec
        self.context_dim = context_dim
        check_space(prior, posterior)
        for network, letter in ((encoder, "x"), (decoder, "z")):
            if context_dim and not accepts_context(network):
                raise ConfigError(
                    f"the model has a context but {type(network).__name__}.forward takes none",
                    expected=f"forward({letter}, c)",
                )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return self.likelihood.event_shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code."""
        return self.prior.latent_shape

    @property
    def has_density(self) -> bool:
        """Whether bounds on log p(x) exist: q(z|x) and p(x|z) must both be densities."""
        return self.posterior.has_density and self.likelihood.is_density

    def encode(self, x: Tensor, c: Tensor | None = None) -> Density:
        """The posterior q(z|x, c), batch shape (B,)."""
        self._check(x, self.event_shape, "x")
        self._check_context(c, rows=len(x))
        return self.posterior(call_network(self.encoder, x, c), c)

    def completed(self, x: Tensor, c: Tensor | None = None) -> Tensor | None:
        """The contexts, with what the model infers where they say nothing; here as they are."""
        return c

    def decode(self, z: Tensor, c: Tensor | None = None, *, x: Tensor | None = None) -> Density:
        """The likelihood p(x|z, c).

        Args:
            z: Codes, shape ``(*batch, *latent)``.
            c: Contexts, shape ``(B, k)`` or ``(*batch, k)``.
            x: The observations, for likelihoods and decoders that see them in training.
        """
        if z.shape[-len(self.latent_shape) :] != self.latent_shape:
            self._misfit("z", self.latent_shape, z)
        self._check_context(c)
        lead = z.shape[: z.dim() - len(self.latent_shape)]
        flat_z = z.flatten(0, len(lead) - 1) if len(lead) > 1 else z
        flat_c = None if c is None else c.expand(*lead, c.shape[-1]).reshape(-1, c.shape[-1])
        params = call_network(self.decoder, flat_z, flat_c)
        self._check(params, self.likelihood.params_shape, "the decoder's output")
        params = widen(params.reshape(*lead, *params.shape[1:]) if len(lead) > 1 else params)
        return self.likelihood(params, x=x)

    def evidence(
        self,
        x: Tensor,
        c: Tensor | None = None,
        *,
        target: Tensor | None = None,
        observed: Tensor | None = None,
        samples: int = 1,
        given: Sequence[Tensor] = (),
    ) -> Evidence:
        """One forward pass: encode once, draw ``samples`` codes, decode them all.

        Args:
            x: Observations, shape ``(B, *event)``.
            c: Contexts, shape (B, k).
            target: What p(x|z) scores when it is not x, shape ``(B, *event)``.
            observed: Which elements count, Boolean, broadcastable to ``(B, *event)``.
            samples: How many codes K to draw for each example.
            given: A code of shape ``(K, B, *latent)`` to use instead of drawing.

        Raises:
            ConfigError: If ``observed`` is given and the likelihood cannot leave elements out.
        """
        q = self.encode(self.corruption(x), c)
        z, log_q = (given[0], None) if given else draw(q, samples)
        target = x if target is None else target
        self._check(target, self.event_shape, "the target")
        return self.evidence_at(z, q, target, c, log_q=log_q, observed=observed)

    def evidence_at(
        self,
        z: Tensor,
        q: Density,
        target: Tensor,
        c: Tensor | None = None,
        *,
        p: Density | None = None,
        log_q: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> Evidence:
        """The evidence of codes that are at hand: decode them and score the target.

        Args:
            z: Codes, shape ``(K, B, *latent)``.
            q: The posterior that they came from, batch shape (B,).
            target: What p(x|z) scores, shape ``(B, *event)``.
            c: Contexts, shape (B, k).
            p: The prior p(z|c), if it is at hand.
            log_q: log q(z|x), shape (K, B), if it came with the codes; see :func:`draw`.
            observed: Which elements count, Boolean, broadcastable to ``(B, *event)``.

        Raises:
            ConfigError: If ``observed`` is given and the likelihood cannot leave elements out.
        """
        if observed is not None:
            target = torch.where(observed, target, torch.zeros_like(target))
        px = self.decode(z, c, x=target)
        elements = None
        if observed is not None:
            self._require_separable(px)
            elements = px.log_prob_elements(target)
            elements = torch.where(observed, elements, torch.zeros_like(elements))
        node = Node(z, q, self.prior(c) if p is None else p, log_q=log_q)
        return Evidence(px, elements, [node], value=target)

    def _require_separable(self, px: Density) -> None:
        if not px.has_terms or self.likelihood.fits_x:
            raise ConfigError(
                "this likelihood cannot leave elements out",
                expected="one with a term for each element, whose parameters do not depend on x",
                got=f"{_kind(self.likelihood)} with observed=…",
                remedy="choose another likelihood (for an optimal σ, gaussian:scale=shared)",
            )

    def reconstruct(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """E[x|z] at the posterior mean, shape ``(B, *event)``."""
        return self.decode(self.encode(x, c).mean, c).mean

    def sample_codes(self, n: int, c: Tensor | None = None, *, temperature: float = 1.0) -> Tensor:
        """``n`` codes from the prior (scaled by ``temperature``), shape ``(n, *latent)``."""
        space = getattr(self.prior, "space", "reals")
        if temperature != 1.0 and space != "reals":
            raise ConfigError(
                f"codes live on {space}, which cannot be scaled",
                expected="temperature = 1",
                got=temperature,
                where="temperature",
            )
        p = self.prior(c)
        z = p.sample(() if p.batch_shape else (n,))
        return z if temperature == 1.0 else p.mean + temperature * (z - p.mean)

    def sample(self, n: int, c: Tensor | None = None, *, temperature: float = 1.0) -> Density:
        """p(x|z) at ``n`` codes from the prior; take its ``mean`` or draw from it."""
        if c is not None and len(c) != n:
            raise ShapeError("one context for each sample", expected=n, got=len(c))
        return self.decode(self.sample_codes(n, c, temperature=temperature), c)

    def _check(self, value: Tensor, shape: tuple[int, ...], what: str) -> None:
        if tuple(value.shape[1:]) != shape:
            self._misfit(what, shape, value)

    def _misfit(self, what: str, shape: tuple[int, ...], value: Tensor) -> NoReturn:
        raise ShapeError(
            f"{what} does not fit the model",
            expected=f"shape (n, {', '.join(map(str, shape))})",
            got=tuple(value.shape),
        )

    def _check_context(self, c: Tensor | None, *, rows: int | None = None) -> None:
        if c is not None and rows is not None and len(c) != rows:
            raise ShapeError("one context for each row of x", expected=rows, got=len(c))
        got = 0 if c is None else c.shape[-1]
        if got != self.context_dim:
            raise ShapeError(
                "the context does not fit the model",
                expected=f"{self.context_dim} numbers per example" if self.context_dim else "none",
                got=f"{got} numbers" if got else "none",
            )

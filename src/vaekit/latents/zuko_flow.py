"""Flows of zuko's behind the interface of ours, for priors and posteriors alike."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from vaekit.distributions import Flow
from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

__all__ = ["ZukoFlow", "ZukoSpec"]

OUTPUTS = {"nsf": 23, "maf": 2, "realnvp": 2}
"""Parameters of each map for each coordinate."""
MAX_WEIGHTS = 2**26


class ZukoSpec(Spec):
    """What says which flow it is.

    Args:
        family: ``nsf``, autoregressive rational-quadratic splines on [−5, 5]; ``maf``,
            autoregressive affine maps; ``realnvp``, affine couplings.
        transforms: How many maps, one after the other.
        hidden: Widths of the hidden layers of each.
    """

    family: Literal["nsf", "maf", "realnvp"] = "nsf"
    transforms: Annotated[int, Within(1, 100)] = 3
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (64, 64)


class ZukoFlow(Flow):
    """A flow of zuko's: one way takes one pass, the other as many as there are coordinates.

    Args:
        spec: Which flow.
        features: How many coordinates.
        context: How many numbers the flow reads besides.
        quick: What takes one pass: ``draws`` (ε to z) or ``densities`` (z to ε). With
            ``realnvp`` both do.

    Raises:
        ConfigError: If it would have more than 2^26 weights.
    """

    def __init__(
        self,
        spec: ZukoSpec,
        *,
        features: int,
        context: int,
        quick: Literal["draws", "densities"],
    ) -> None:
        super().__init__()
        _check_size(spec, features, context)
        with torch.device("cpu"):  # masks are computed, which no meta device can do
            flow = _family(spec.family)(
                features=features,
                context=context,
                transforms=spec.transforms,
                hidden_features=spec.hidden,
            )
        self.transform = flow.transform  # its base is left: it is ours
        self.reads_noise = quick == "draws"
        self.to(torch.get_default_device())

    def forward(  # noqa: D102
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(value.device.type, enabled=False):
            quick = self.transform(context)
            there = quick if inverse != self.reads_noise else quick.inv
            result, log_det = there.call_and_ladj(value)
        return result, -log_det if inverse else log_det

    def flatten(self) -> None:
        """Make it the identity, whatever the context: the last layer of every map is set to 0."""
        for step in self.transform.transforms:
            for parameter in step.hyper[-1].parameters():
                nn.init.zeros_(parameter)


def _check_size(spec: ZukoSpec, features: int, context: int) -> None:
    """Refuse what would fill memory before it is built."""
    widths = [features + context, *spec.hidden, OUTPUTS[spec.family] * features]
    weights = spec.transforms * sum(n_in * n_out for n_in, n_out in pairwise(widths))
    if weights > MAX_WEIGHTS:
        raise ConfigError(
            "the flow is too large",
            expected=f"at most {MAX_WEIGHTS:,} weights",
            got=f"{weights:,}",
            where=spec.kind,
            remedy="narrower hidden layers, fewer transforms, or a smaller latent dimension",
        )


def _family(name: str) -> Any:
    import zuko

    return {"nsf": zuko.flows.NSF, "maf": zuko.flows.MAF, "realnvp": zuko.flows.RealNVP}[name]

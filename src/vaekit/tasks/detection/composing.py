"""Model and objective of a detector, from its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from vaekit.data import TableCodec, WindowCodec
from vaekit.errors import ConfigError
from vaekit.latents import Diagonal, Standard
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO, Trimmed
from vaekit.spec import Spec
from vaekit.tasks.detection.scores import Score
from vaekit.tasks.detection.stacking import stacked_network
from vaekit.tasks.detection.tables import NETWORK, NUMERIC, table_likelihood, table_network
from vaekit.tasks.estimators.parts import as_part, number, whole

__all__ = ["model_spec", "objective_of", "require_sensible"]


def require_sensible(detector: Any) -> None:
    """Refuse parameters that make no sense before anything is computed.

    Raises:
        ConfigError: The message names the parameter.
    """
    if detector.scoring not in get_args(Score):
        raise ConfigError(
            "no such score",
            expected=", ".join(get_args(Score)),
            got=repr(detector.scoring),
            where="scoring",
        )
    whole("n_draws", detector.n_draws, 1)
    number("contamination", detector.contamination, 1e-12, 0.5 + 1e-12)
    number("trim", detector.trim, 0.0, 0.9)
    number("rate_weight", detector.rate_weight, 0.0, 1e6)
    if not isinstance(detector.column_types, Mapping | None):
        raise ConfigError(
            "not types of columns",
            expected="a mapping of names to types, such as {'visits': 'count'}",
            got=repr(detector.column_types)[:80],
            where="column_types",
        )
    if detector.window is not None:
        whole("window", detector.window, 1)
        if detector.scoring == "iwae":
            raise ConfigError(
                "an importance-weighted bound has no terms for the rows of a window",
                got="scoring='iwae'",
                where="window",
            )
    if detector.alpha is not None:
        number("alpha", detector.alpha, 1e-12, 1.0)
        number("calibration_fraction", detector.calibration_fraction, 1e-12, 1.0)


def model_spec(detector: Any, codec: TableCodec | WindowCodec) -> FlatVAE:
    """The model of a table: networks that read its kinds of columns, and their likelihood."""
    numeric = as_part(detector.likelihood, "likelihood") or NUMERIC
    network = as_part(detector.encoder, "network") or NETWORK
    if isinstance(network, Spec):
        network = stacked_network(
            table_network(codec, network), network, _widths(detector.stacked)
        )
    return FlatVAE(
        latent_dim=whole("latent_dim", detector.latent_dim, 1),
        encoder=network,
        decoder=as_part(detector.decoder, "network"),
        prior=as_part(detector.prior, "prior") or Standard(),
        posterior=as_part(detector.posterior, "posterior") or Diagonal(),
        likelihood=table_likelihood(codec, numeric),
    )


def _widths(stacked: Any) -> tuple[int, ...]:
    """Widths of the codes between the models of a stack."""
    if stacked is None:
        return ()
    several = stacked if isinstance(stacked, tuple | list) else (stacked,)
    return tuple(whole("stacked", width, 1) for width in several)


def objective_of(detector: Any) -> Any:
    """What a detector minimises.

    Raises:
        ConfigError: If it is no objective, or cannot be trimmed.
    """
    objective = as_part(detector.objective, "objective") or ELBO()
    if not callable(objective):
        raise ConfigError("not an objective", got=repr(objective), where="objective")
    if not detector.trim:
        return objective
    if type(objective) is not ELBO or objective != ELBO(beta=objective.beta):
        raise ConfigError(
            "trimming is of the plain ELBO",
            expected="objective='elbo' or 'elbo:beta=…'",
            got=repr(objective),
            where="trim",
        )
    return Trimmed(fraction=detector.trim, beta=objective.beta)

"""Anomalies by a variational autoencoder, as a scikit-learn estimator that says which column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from vaekit.data import Rows, StreamData, WindowCodec
from vaekit.data.frames import names_of
from vaekit.data.streams import TableRows, open_table
from vaekit.errors import DataError, NotFittedError
from vaekit.metrics import conformal_threshold
from vaekit.metrics.thresholds import by_contamination
from vaekit.models import VAEModel
from vaekit.tasks.detection.composing import model_spec, objective_of, require_sensible
from vaekit.tasks.detection.explanation import LATENT, Explanation
from vaekit.tasks.detection.judge import Judge
from vaekit.tasks.detection.reading import as_given, is_path, note_columns, read
from vaekit.tasks.detection.rows import Divided, divide, divide_stream, refuse_windows
from vaekit.tasks.detection.saving import SavableDetector
from vaekit.tasks.detection.scores import Score, Scoring, need_terms
from vaekit.tasks.detection.stacking import pretrain
from vaekit.tasks.detection.tail import Tails
from vaekit.tasks.detection.thresholding import Thresholding
from vaekit.tasks.detection.training import Effort, train
from vaekit.tasks.estimators.fitting import (
    build,
    codes_and_rates,
    seed_from,
    unchanged_if_it_fails,
)
from vaekit.tasks.estimators.html import estimator_html, summary
from vaekit.tasks.estimators.parts import PartParameters

__all__ = ["Plan", "VAEDetector"]

Floats = NDArray[np.float64]
ROWS_A_TIME = 1 << 14
JUDGED = 200_000
"""Rows that the line is drawn with, at most, spread over the table."""
MEASURED = 10_000
"""Training rows by which rates and typical terms are measured, at most."""


class Plan(NamedTuple):
    """What a detector is about to train.

    Attributes:
        rows: The table.
        names: Of all its columns.
        model: Untrained.
        objective: What is minimised.
        effort: How.
        seed: Of everything random.
    """

    rows: Divided
    names: list[str]
    model: VAEModel
    objective: Any
    effort: Effort
    seed: int


class VAEDetector(Thresholding, PartParameters, SavableDetector, OutlierMixin, BaseEstimator):
    r"""Finds anomalous rows of a table, and says which columns make them so.

    A VAE learns the density of the training rows, each column with a likelihood of its kind, and
    rows that it finds improbable are anomalies. Tables may mix numbers, counts, Booleans,
    categories, ordered categories and dates, and values may be missing.

    Args:
        latent_dim: Dimension of the code z.
        encoder: A network; None takes two dense layers of 64.
        decoder: A network; None mirrors the encoder.
        prior: p(z).
        posterior: q(z|x); ``"point"`` makes the model an autoencoder, whose score is the
            ``"reconstruction_error"``.
        likelihood: Of numbers: None takes a Gaussian with one learned scale for each column, of at
            least 0.3 of its deviation; ``"gaussian:scale=per-column:floor=0.01"`` learns finer
            relations between columns, ``"student-t:scale=per-column"`` and ``"logistic-mixture"``
            bear outliers and several modes. Other columns have the likelihood of their kind.
        objective: What is minimised.
        scoring: How anomalous a row is: ``"weighted_elbo"``, ``"elbo"``,
            ``"reconstruction_probability"``, ``"iwae"``, ``"reconstruction_error"`` or ``"tail"``;
            see :mod:`vaekit.tasks.detection.scores`.
        rate_weight: w of the weighted ELBO; 1 makes it the ELBO.
        n_draws: K, codes drawn for each row; all rows share the draws.
        contamination: Share of the training rows that ``predict`` calls anomalies; of a table with
            more than 200,000 rows, so many rows that are spread over it draw the line.
        alpha: In place of ``contamination``: the probability that a normal row is called an
            anomaly. Rows are set aside for it (split conformal), and ``p_values`` is then there.
            With ``window`` it is a guide and no guarantee: windows overlap, and the last part of
            a series is seldom exchangeable with what comes after it.
        calibration_fraction: Share of the rows of ``fit`` that is set aside for ``alpha``.
        column_types: Types of columns by name, where their data types do not say it; see
            :func:`vaekit.data.fit_table`.
        trim: Share of each batch, of the least probable rows, that training leaves out.
        stacked: Widths of codes between the data and z, such as ``(16,)``: the model is a stack of
            autoencoders or VAEs (as ``posterior`` says), each trained for ``steps`` on the codes
            of the one before, and then as a whole.
        window: For time series: rows of a window, L. Rows are then in the order of time, the model
            sees L consecutive ones together, and a row's score is the mean over the windows that
            hold it. With ``alpha`` the last part of the series is set aside.
        steps: Steps of training; None takes 2,000, but visits no row more than 500 times, since a
            small table is soon learned by heart, its anomalies too. A table with more rows than
            fit in them is visited once.
        epochs: Passes over the table, in place of ``steps``.
        batch_size: Rows of a step.
        learning_rate: Of Adam at its highest; it rises in the first steps and falls to 0.
        random_state: A seed, a ``RandomState``, or None for another result each time.
        device: Where to train: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``.
        verbose: Whether to show progress.

    Attributes:
        model_: The trained ``VAEModel``, on the CPU.
        codec_: How rows become tensors; ``codec_.x`` is the schema of the table.
        offset_: A row is an anomaly where ``score_samples`` is below it.
        scoring_: The score that the line, p-values, probabilities and typical terms are of.
        typical_: Mean term of the score of each field over training rows, and of the latent.
        calibration_scores_: Anomaly scores of the rows that were set aside, sorted, or None.
        kl_: The mean KL of each latent dimension, in nats, shape (latent_dim,).
        history_: One record for each epoch.
        n_features_in_: Columns of X.
        feature_names_in_: Their names, where X had some.

    References:
        | Variational Autoencoder based Anomaly Detection using Reconstruction Probability (An &
          Cho, 2015), SNU Data Mining Center, special lecture on IE 2015-2.
        | Auto-Encoding Variational Bayes (Kingma & Welling, 2013), arXiv:1312.6114.

    Example:
        >>> import pandas
        >>> rng = np.random.default_rng(0)
        >>> size = rng.normal(size=200)
        >>> table = pandas.DataFrame({"height": size, "width": size + rng.normal(size=200) / 10})
        >>> table.loc[7, "width"] = 6.0
        >>> detector = VAEDetector(steps=300, random_state=0).fit(table)
        >>> int(detector.anomaly_scores(table).argmax())
        7
        >>> detector.explain(table.loc[[7]]).top(1)["row"].tolist()
        [0]
    """

    def __init__(  # noqa: PLR0913  one parameter for each choice, as scikit-learn has it
        self,
        latent_dim: int = 2,
        *,
        encoder: Any = None,
        decoder: Any = None,
        prior: Any = "standard",
        posterior: Any = "diagonal",
        likelihood: Any = None,
        objective: Any = "elbo",
        scoring: Score = "weighted_elbo",
        rate_weight: float = 5.0,
        n_draws: int = 8,
        contamination: float = 0.1,
        alpha: float | None = None,
        calibration_fraction: float = 0.25,
        column_types: dict[str, str] | None = None,
        trim: float = 0.0,
        stacked: int | tuple[int, ...] | None = None,
        window: int | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        random_state: Any = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.posterior = posterior
        self.likelihood = likelihood
        self.objective = objective
        self.scoring = scoring
        self.rate_weight = rate_weight
        self.n_draws = n_draws
        self.contamination = contamination
        self.alpha = alpha
        self.calibration_fraction = calibration_fraction
        self.column_types = column_types
        self.trim = trim
        self.stacked = stacked
        self.window = window
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    # --- fitting -------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what rows are like, and draw the line.

        Args:
            X: A table with few anomalies or none: a pandas or polars data frame, an Arrow table,
                a mapping of columns, or an array ``(n, D)``. NaN and None are missing values. Or
                rows on disk (:func:`vaekit.data.streams.open_table`), or the path of a Parquet,
                CSV or TSV file, which is then read piece by piece, again in each pass.
            y: Not used.

        Returns:
            The detector.

        Raises:
            ValueError: If a column cannot be used (its name is told), X has too few rows, or
                parameters do not fit each other or the data.
            NumericalError: If training diverges.
        """
        if is_path(X):
            with open_table(X, self.column_types) as rows:
                return self.fit(rows)
        with unchanged_if_it_fails(self):
            return self._fit(X)

    def _fit(self, X: Any) -> Self:
        plan = self._plan(X)
        pretrain(plan.model, plan.rows.train, plan.objective, plan.effort, seed=plan.seed)
        records = train(plan.model, plan.rows.train, plan.objective, plan.effort, seed=plan.seed)
        return self._settle(plan, records)

    def _plan(self, X: Any) -> Plan:
        """What is to be trained on what, and how."""
        effort = Effort.of(self.get_params(deep=False))
        require_sensible(self)
        seed = seed_from(self.random_state)
        rows, names = self._divided(X, seed)
        if LATENT in names:
            raise DataError(
                "explanations call the latent so",
                expected="another name",
                got=f"a column named {LATENT!r}",
                where="X",
                remedy="rename the column",
            )
        model = build(model_spec(self, rows.codec.x), rows.codec.event_shape, seed)
        return Plan(rows, names, model, objective_of(self), effort, seed)

    def _settle(self, plan: Plan, records: list[dict[str, Any]]) -> Self:
        """Keep the trained model, measure it and draw the line."""
        rows = plan.rows
        self.model_, self.codec_, self.seed_ = plan.model, rows.codec, plan.seed
        self.history_ = records
        self._fingerprint = rows.fingerprint
        self.columns_in_ = plan.names
        self._measure(rows.train)
        self._draw_line(rows.train if rows.held is None else rows.held)
        return self

    def _divided(self, X: Any, seed: int) -> tuple[Divided, list[str]]:
        """Rows to train on and rows to draw the line with, and names of all columns."""
        held = self.calibration_fraction if self.alpha is not None else 0.0
        if isinstance(X, TableRows):
            refuse_windows(self.window is not None)
            note_columns(self, X.columns)
            rows = divide_stream(X, self.column_types, held=held, seed=seed)
            return rows, list(X.columns)
        frame = read(self, X, fitting=True)
        rows = divide(frame, self.column_types, held=held, seed=seed, window=self.window)
        return rows, names_of(frame)

    def _measure(self, rows: Rows) -> None:
        """Rates, typical terms and tails, over training rows that are spread over the table."""
        x = torch.cat(list(self._some(rows, MEASURED)))
        self.tails_ = None
        self.scoring_ = self._scoring()
        judge = Judge(self.model_, self.codec_.x, self.scoring_)
        _, self.kl_ = codes_and_rates(judge.model, x)
        if self.scoring == "iwae":
            self.typical_ = np.zeros(x.shape[1] + 1)
            return
        if self.scoring == "tail":
            self.tails_ = Tails(judge.raw_terms(x))
        self.typical_ = self._judge().terms(x).mean(0)

    def _draw_line(self, rows: Rows) -> None:
        judge = self._judge()
        scores = np.concatenate([judge.scores(x) for x in self._some(rows, JUDGED)])
        self.calibration_ = self.calibration_scores_ = None
        if self.alpha is None:
            threshold = by_contamination(scores, self.contamination)
        else:
            self.calibration_scores_ = np.sort(scores)
            threshold = conformal_threshold(scores, self.alpha)
        self.offset_ = -threshold

    def _some(self, rows: Rows, most: int) -> Iterator[Tensor]:
        """Rows that are spread over the table; windows of a series overlap, and stay together."""
        some = rows.sample(most) if self.window is None else rows
        at_once = ROWS_A_TIME if self.window is None else len(rows)
        return (batch.x for batch in some.batches(at_once))

    # --- scores --------------------------------------------------------------------------------

    def anomaly_scores(self, X: Any) -> Floats:
        """How anomalous each row is, float64, shape (n,): higher is worse.

        In nats, but for the ``"reconstruction_error"``. A row's score does not depend on the other
        rows, unless they are those of a time series (``window``). ``set_params`` may choose
        another score of the same model; decisions and explanations need that of ``fit``.

        Raises:
            ValueError: If columns are missing, renamed or unknown, or a value does not fit its
                column; column and rows are named.
        """
        check_is_fitted(self)
        if is_path(X):
            with open_table(X, self.codec_.x) as rows:
                return self.anomaly_scores(rows)
        judge = self._judge()
        if isinstance(X, TableRows):
            refuse_windows(isinstance(self.codec_.x, WindowCodec))
            batches = StreamData(X, self.codec_).batches(ROWS_A_TIME)
            return np.concatenate([judge.scores(batch.x) for batch in batches])
        return judge.scores(self.codec_.x.encode(read(self, X)))

    def explain(self, X: Any) -> Explanation:
        """The scores of rows taken apart: which column, and what was expected in it.

        Args:
            X: Rows, as for :meth:`anomaly_scores`, in memory; of rows on disk,
                :func:`vaekit.tasks.detection.explain_file` takes the most anomalous.

        Returns:
            Contributions of each column and of the latent, which sum to the score, and what the
            model expects in each cell.

        Raises:
            ConfigError: If the score has no terms for columns (``"iwae"``).
            NotFittedError: If it is not the score that was fitted.
        """
        check_is_fitted(self)
        need_terms(self.scoring)
        self._require_same_score()
        frame, codec = read(self, X), self.codec_.x
        given = as_given(codec, frame)
        return self._judge().explanation(codec.encode(frame), self.typical_, given)

    def _judge(self) -> Judge:
        tails = self.tails_ if self.scoring == "tail" else None
        if self.scoring == "tail" and tails is None:
            raise NotFittedError(
                "terms are ranked among those of training rows, which were not kept",
                got="scoring='tail' after fit",
                remedy="fit with scoring='tail'",
            )
        return Judge(self.model_, self.codec_.x, self._scoring(), tails=tails)

    def _scoring(self) -> Scoring:
        require_sensible(self)
        return Scoring(self.scoring, int(self.n_draws), self.seed_, float(self.rate_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "offset_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _html_repr(self) -> str:
        """What notebooks show."""
        return estimator_html(self, summary(self) if hasattr(self, "model_") else {})

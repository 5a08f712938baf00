"""Pictures of anomaly scores show the numbers that they are given."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from vaekit.errors import DataError, ShapeError
from vaekit.plots import detection_curves, explaining_columns, score_histogram, training_loss


def test_every_row_is_in_one_bar():
    scores = np.concatenate([np.random.default_rng(0).normal(size=500), [40.0, 4e6]])
    ax = score_histogram(scores, 2.5).axes[0]
    stairs = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    counts = [patch.get_data().values.sum() for patch in stairs]
    assert counts == [(scores <= 2.5).sum(), (scores > 2.5).sum()]
    assert ax.get_xlim()[1] < 1e5
    assert any("4,000,000" in text.get_text() for text in ax.texts)
    assert ax.get_yscale() == "log"


def test_known_anomalies_are_drawn_apart():
    labels = np.array([0.0, 1.0, np.nan, 0.0])
    ax = score_histogram([1.0, 5.0, 2.0, 0.0], 3.0, labels).axes[0]
    stairs = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    assert [patch.get_data().values.sum() for patch in stairs] == [4, 1]
    with pytest.raises(ShapeError):
        score_histogram([1.0, 2.0], 0.0, [1])


@pytest.mark.parametrize("scores", [[3.0], [2.0, 2.0, 2.0], [1.0, 5.0]])
@pytest.mark.parametrize("threshold", [-4.0, 2.0, 30.0])
def test_few_or_equal_scores_are_drawn(scores, threshold):
    made = score_histogram(scores, threshold)
    made.canvas.draw()
    assert made.axes[0].get_xlim()[0] <= min(scores)


def test_columns_come_in_the_order_of_their_rows():
    ax = explaining_columns({"a": 2, "b": 9, "c": 5}, most=2).axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "c"]
    assert [patch.get_width() for patch in ax.patches] == [9, 5]
    with pytest.raises(DataError, match="no columns"):
        explaining_columns({})


def test_curves_are_those_of_scikit_learn_with_the_line_on_them():
    rng = np.random.default_rng(1)
    labels = (rng.random(300) < 0.2).astype(int)
    scores = rng.normal(size=300) + labels
    left, right = detection_curves(labels, scores, 1.0).axes
    false, true, _ = roc_curve(labels, scores)
    x, y = left.lines[0].get_data()
    assert np.trapezoid(y, x) == pytest.approx(np.trapezoid(true, false))
    flagged = scores > 1.0
    (here,) = left.lines[1].get_ydata()
    assert here == pytest.approx(flagged[labels == 1].mean())
    (here,) = right.lines[1].get_ydata()
    assert here == pytest.approx(labels[flagged].mean())
    with pytest.raises(DataError, match="one class"):
        detection_curves([1, 1], [0.0, 1.0], 0.5)


def test_the_rate_is_drawn_where_there_is_one():
    assert len(training_loss([{"loss": 2.0, "rate": 0.5}, {"loss": 1.0, "rate": 0.6}]).axes) == 2
    (ax,) = training_loss([{"loss": 2.0}, {"loss": 1.0}]).axes
    assert list(ax.lines[0].get_ydata()) == [2.0, 1.0]
    with pytest.raises(DataError, match="no history"):
        training_loss([{"epoch": 1}])

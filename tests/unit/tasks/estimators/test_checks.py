"""scikit-learn's own check suite, on the defaults, without an exception."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from vaekit import VAE, VAEReducer

ESTIMATORS = [VAE(), VAEReducer(), VAEReducer(n_components=1, linear=True)]

FURTHER = [  # what scikit-learn asks of its own transformers beside
    "check_dataframe_column_names_consistency",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_inplace_ensure_writeable",
]
OF_FRAMES = [
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
]

noise_is_fine = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")


@noise_is_fine
@parametrize_with_checks(ESTIMATORS)
def test_it_is_an_estimator(estimator, check):
    check(estimator)


@noise_is_fine
@pytest.mark.parametrize("check", FURTHER)
@pytest.mark.parametrize("estimator", ESTIMATORS[:2], ids=lambda e: type(e).__name__)
def test_it_is_a_good_transformer(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("check", OF_FRAMES)
def test_its_output_can_be_a_frame(check):
    if "polars" in check:
        pytest.importorskip("polars")
    estimator = VAEReducer(n_components=1, linear=True)
    getattr(estimator_checks, check)("VAEReducer", estimator)

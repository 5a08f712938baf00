"""How estimators train: stopping, going on, seeds, held-out rows, constant columns."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from tests.unit.tasks.estimators.conftest import QUICK
from torch import nn

from vaekit import VAE, VAEReducer
from vaekit.data import DataCodec, RawData, TensorData
from vaekit.errors import ConfigError, DataError, NumericalError
from vaekit.tasks.estimators import fitting
from vaekit.tasks.estimators.passes import FEWEST_STEPS, Passes

pytestmark = pytest.mark.filterwarnings("ignore:latent collapse:UserWarning")  # few epochs


def test_training_stops_on_a_plateau(table):
    vae = VAE(random_state=0, patience=3, batch_size=16).fit(table)
    losses = [record["valid_loss"] for record in vae.history_]
    assert 3 < vae.n_epochs_ < 200
    best = losses[-4]
    assert all(loss > best - 0.01 for loss in losses[-3:])
    assert vae.history_[-4]["best"]
    assert vae.elbo_ == pytest.approx(-best - np.log(vae.codec_.x.scale).sum(), abs=1e-6)


def test_running_out_of_epochs_is_said(table):
    with pytest.warns(ConvergenceWarning, match="max_epochs=2"):
        VAE(**{**QUICK, "max_epochs": 2, "patience": 2}).fit(table)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("fraction", "patience", "rows"),
    [(0.25, None, (90, 30)), (0, 2, (120, 120)), (0, None, (120,))],
)
def test_which_rows_are_watched(table, monkeypatch, fraction, patience, rows):
    seen = []

    class Spy(fitting.Trainer):
        def __init__(self, model, data, *args, **kwargs):
            seen.append(tuple(len(part) for part in data.values()))
            super().__init__(model, data, *args, **kwargs)

    monkeypatch.setattr(fitting, "Trainer", Spy)
    vae = VAE(validation_fraction=fraction, **QUICK | {"patience": patience}).fit(table)
    assert seen == [rows]
    assert np.isnan(vae.elbo_) == (len(rows) == 1)


def test_an_epoch_of_few_rows_has_several_passes():
    raw = RawData(np.arange(14.0).reshape(7, 2))
    data = Passes.of_steps(TensorData.of(raw, DataCodec.fit(raw)), batch_size=3)
    assert data.passes == 4  # 3 steps a pass, 12 in all
    assert data.steps_per_epoch(3) == 10 >= FEWEST_STEPS
    orders = [data.order(0, epoch) for epoch in range(3)]
    for order in orders:
        passes = order.reshape(4, 7).sort(1).values
        assert torch.equal(passes, torch.arange(7).expand(4, 7))
    drawn = torch.cat(orders).reshape(12, 7)
    assert len({tuple(one.tolist()) for one in drawn}) > 6
    assert data.to("cpu").steps_per_epoch(3) == 10
    batches = list(data.epoch(3, seed=0, epoch=1))
    assert [len(batch) for batch in batches] == [3] * 9 + [1]


def test_an_epoch_of_many_rows_is_one_pass():
    raw = RawData(np.random.default_rng(0).normal(size=(100, 2)))
    data = TensorData.of(raw, DataCodec.fit(raw))
    passes = Passes.of_steps(data, batch_size=8)
    assert (passes.passes, passes.steps_per_epoch(8)) == (1, 13)
    assert torch.equal(passes.order(3, 2), data.order(3, 2))


def test_the_same_seed_gives_the_same_result(table):
    runs = [VAE(**QUICK | {"random_state": seed}).fit(table) for seed in (0, 0, 1)]
    codes = [run.transform(table) for run in runs]
    assert np.array_equal(codes[0], codes[1])
    assert not np.allclose(codes[0], codes[2])
    of_states = [
        VAE(**QUICK | {"random_state": np.random.RandomState(3)}).fit_transform(table)
        for _ in range(2)
    ]
    assert np.array_equal(*of_states)


def test_without_a_seed_each_fit_differs(table):
    free = QUICK | {"random_state": None}
    assert not np.allclose(*[VAE(**free).fit_transform(table) for _ in range(2)])


def test_global_generators_are_left_alone(table):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    vae = VAE(**QUICK).fit(table)
    vae.score(table)
    vae.sample(3)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_warm_start_goes_on(table):
    vae = VAE(warm_start=True, **QUICK).fit(table)
    first, codec = vae.history_[-1], vae.codec_
    vae.fit(table)
    assert [record["epoch"] for record in vae.history_] == [1, 2, 3, 4, 5, 6]
    steps = [record["step"] for record in vae.history_]
    assert np.diff(steps).tolist() == [first["step"] // 3] * 5
    losses = [record["loss"] for record in vae.history_]
    assert max(losses[4:]) < min(losses[:3])
    vae.fit(table + 5)
    assert vae.codec_ == codec
    assert vae.n_epochs_ == 9
    vae.set_params(warm_start=False).fit(table + 5)
    assert vae.n_epochs_ == 3
    assert vae.codec_ != codec


def test_warm_start_is_determined_by_its_seed(table):
    runs = [VAE(warm_start=True, **QUICK).fit(table).fit(table) for _ in range(2)]
    assert np.array_equal(*[run.transform(table) for run in runs])
    together = VAE(**QUICK | {"max_epochs": 6}).fit(table)
    assert not np.array_equal(runs[0].transform(table), together.transform(table))


@pytest.mark.parametrize(
    "change", [{"latent_dim": 3}, {"likelihood": "laplace"}, {"encoder": "mlp:hidden=8,4"}]
)
def test_warm_start_needs_the_same_parts(table, change):
    vae = VAE(warm_start=True, **QUICK).fit(table)
    with pytest.raises(ConfigError, match=r"which has other parts.*warm_start=False"):
        vae.set_params(**change).fit(table)
    assert vae.n_epochs_ == 3
    with pytest.raises(ValueError, match="expecting 5 features"):
        vae.set_params(**dict.fromkeys(change)).fit(table[:, :4])


def test_a_failed_fit_leaves_the_fitted_model(table):
    vae = VAE(warm_start=True, **QUICK).fit(table)
    codes = vae.transform(table)
    with pytest.raises(NumericalError):
        vae.set_params(learning_rate=999.0, max_epochs=50).fit(table)
    assert np.array_equal(vae.transform(table), codes)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("rows", [2, 3, 7])
def test_very_few_rows(table, rows):
    vae = VAE(random_state=0, max_epochs=5).fit(table[:rows])
    assert np.isfinite(vae.score_samples(table[:rows])).all()


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_constant_columns_are_said_and_kept(table, scaling):
    frame = pd.DataFrame(table, columns=list("abcde")).assign(same=4.0, zero=0.0)
    with pytest.warns(UserWarning, match="constant columns .*: 'same', 'zero'"):
        vae = VAE(scaling=scaling, **QUICK | {"max_epochs": 30}).fit(frame)
    found = vae.reconstruct(frame)
    assert np.allclose(found[:, 5:], [4.0, 0.0], atol=0.5)
    assert np.isfinite(vae.score_samples(frame)).all()


def test_constant_columns_need_no_word_where_nothing_is_scaled_by_column(table):
    x = np.column_stack([table / table.std(0), np.full(120, 4.0)])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for scaling in ("common", "none"):
            VAE(scaling=scaling, **QUICK).fit(x)
        VAEReducer(linear=True).fit(x)
    assert not [str(w.message) for w in said if "constant" in str(w.message)]


def test_rows_that_are_all_the_same_are_refused():
    with pytest.raises(DataError, match="all rows are the same"):
        VAE(**QUICK).fit(np.ones((10, 3)))


@pytest.mark.parametrize(
    ("scaling", "loc", "scale"),
    [
        ("standard", lambda x: x.mean(0), lambda x: x.std(0)),
        ("minmax", lambda x: x.min(0), lambda x: np.ptp(x, 0)),
        ("common", lambda x: x.mean(0), lambda x: np.full(5, np.sqrt(x.var(0).mean()))),
        ("auto", lambda x: x.mean(0), lambda x: x.std(0)),
    ],
)
def test_scalings(table, scaling, loc, scale):
    codec = VAE(scaling=scaling, **QUICK).fit(table).codec_.x
    assert np.allclose(codec.loc, loc(table), rtol=1e-12)
    assert np.allclose(codec.scale, scale(table), rtol=1e-12)


def test_likelihoods_of_unit_intervals_are_not_scaled():
    x = np.random.default_rng(0).random((30, 3))
    vae = VAE(likelihood="continuous-bernoulli", **QUICK).fit(x)
    assert vae.codec_.x.scaling == "none"
    assert VAE(likelihood="laplace", **QUICK).fit(x).codec_.x.scaling == "standard"


def test_nothing_works_before_fit(table):
    for method in ("transform", "inverse_transform", "reconstruct", "score_samples", "score"):
        with pytest.raises(NotFittedError):
            getattr(VAE(), method)(table)
        with pytest.raises(NotFittedError):
            getattr(VAEReducer(linear=True), method)(table)
    with pytest.raises(NotFittedError):
        VAE().sample(3)
    with pytest.raises(NotFittedError):
        VAE().save("nowhere")


def test_progress_is_shown_when_asked(table, capsys):
    VAE(verbose=1, **QUICK).fit(table)
    assert "96 rows" in capsys.readouterr().err  # 24 are held out
    VAE(**QUICK).fit(table)
    assert not capsys.readouterr().err


def test_the_notebook_shows_parts_epochs_and_bound(fitted):
    assert "nats" not in VAE()._repr_html_()
    html = fitted._repr_html_()
    for text in ("model/vae", "MLP(hidden=(128, 64)", "Gaussian(scale=", "<td", ">3<"):
        assert text in html
    assert f"{fitted.elbo_:.4g} nats per row" in html
    assert fitted._repr_mimebundle_()["text/html"].count("held-out bound") == 1
    assert "VAE" in make_pipeline(fitted)._repr_html_()
    linear = VAEReducer(linear=True).fit(np.random.default_rng(0).normal(size=(20, 4)))
    assert "held-out bound" not in linear._repr_html_()


def test_the_summary_is_escaped(table):
    class Loud(nn.Sequential):
        def __repr__(self):
            return "<script>"

    loud = Loud(nn.Linear(5, 4))
    vae = VAE(encoder=loud, decoder="mlp:hidden=4", **QUICK).fit(table)
    assert "<td" in vae._repr_html_()
    assert "&lt;script&gt;</td>" in vae._repr_html_()


def test_estimators_are_names_of_the_package():
    import vaekit

    assert vaekit.__version__
    assert {"VAE", "VAEReducer"} <= set(dir(vaekit))


def test_names_that_are_not_there():
    import vaekit

    with pytest.raises(AttributeError, match="no attribute 'VAEE'"):
        vaekit.VAEE  # noqa: B018

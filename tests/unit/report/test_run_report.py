"""The report of a run: every kind of data and model gets its pictures, and nothing else."""

import json
import re

import numpy as np
import pytest

from vaekit.errors import NumericalError
from vaekit.latents import (
    VMF,
    Categorical,
    Planar,
    Point,
    UniformCategorical,
    UniformOnSphere,
    Vamp,
)
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, WAE, Autoencoding
from vaekit.report import report_run
from vaekit.report.run_report import compare_with_pca
from vaekit.tasks import Composition, DataSpec, Run, evaluate_run, prepare_data, start_run
from vaekit.training import Adam, Training

ENCODER = MLP(hidden=(8,))


def reported(folder, data=None, objective=None, **parts):
    """Train for an epoch, measure, report; the page and the names of its pictures."""
    model = FlatVAE(**{"encoder": ENCODER, "likelihood": Gaussian(scale=1.0), **parts})
    data = data or DataSpec()
    run = Run(data, Composition(model, objective or ELBO(), Training(epochs=1)))
    prepared = prepare_data(data)
    start_run(run, folder, prepared=prepared, command="vaekit train it")
    metrics = evaluate_run(folder, samples=5, prepared=prepared)
    page = report_run(folder, metrics, prepared=prepared)
    assert page == folder / "report.html"
    return page.read_text(), {path.stem for path in (folder / "figures").iterdir()}


def table(tmp_path, columns=3, rows=60):
    x = np.random.default_rng(0).normal(size=(rows, columns))
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(rows) % 3)
    return DataSpec(source=str(tmp_path / "d.npz"))


def test_images_in_two_dimensions(tmp_path):
    page, pictures = reported(tmp_path / "run", latent_dim=2)
    assert pictures == {
        "training",
        "latent_scatter",
        "kl_per_dimension",
        "samples",
        "reconstructions",
        "latent_grid",
        "pca_explained_variance",
        "vae_and_pca",
    }
    assert "digits: a variational autoencoder" in page
    assert "vaekit train it" in page
    assert f"vaekit evaluate {tmp_path / 'run'}" in page
    assert page.count("data:image/png;base64,") == len(pictures)
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for word in ("ELBO", "log p(x), K = 5", "5-NN accuracy", "Mean squared error", "PPCA-2"):
        assert word in page


@pytest.mark.parametrize("latent_dim", [1, 12])
def test_images_in_other_dimensions_have_traversals(tmp_path, latent_dim):
    _, pictures = reported(tmp_path / "run", latent_dim=latent_dim, likelihood=Bernoulli())
    assert {"traversals", "latent_scatter", "samples", "reconstructions"} <= pictures
    assert "latent_grid" not in pictures


GROUPS = {"prior": UniformCategorical(classes=3), "posterior": Categorical(classes=3)}
SPHERE = {"prior": UniformOnSphere(), "posterior": VMF()}


@pytest.mark.parametrize(
    ("parts", "latent_dim", "present", "absent"),
    [
        ({"posterior": Planar(steps=1)}, 2, {"latent_grid"}, {"kl_per_dimension"}),
        ({"posterior": Planar(steps=1)}, 3, {"traversals"}, {"kl_per_dimension"}),
        (SPHERE, 2, {"traversals"}, {"kl_per_dimension", "latent_grid"}),
        (GROUPS, 6, {"traversals", "kl_per_dimension"}, {"latent_grid"}),
    ],
    ids=["flow-2", "flow-3", "sphere-2", "classes"],
)
def test_codes_whose_rate_is_not_by_dimension(tmp_path, parts, latent_dim, present, absent):
    page, pictures = reported(tmp_path / "run", latent_dim=latent_dim, **parts)
    assert {"latent_scatter", "samples", "reconstructions", "vae_and_pca"} | present <= pictures
    assert not absent & pictures
    assert ("Rate by group" in page) == (parts is GROUPS)


def test_the_page_says_what_is_shared_and_what_is_left_out(tmp_path):
    page, _ = reported(tmp_path / "run", latent_dim=2, prior=Vamp(components=3))
    assert "encoder shared encoder, posterior shared posterior" in page
    assert page.count("as the encoder, mirrored") == 1  # the decoder, and not the corruption
    assert page.index("Remarks") < page.index("no ssim")  # a remark, no warning above the numbers


@pytest.mark.parametrize("data", ["images", "table"])
def test_samples_of_an_autoencoder_say_that_its_prior_is_not_fitted(tmp_path, data):
    data = table(tmp_path) if data == "table" else None
    page, _ = reported(tmp_path / "run", data, Autoencoding(), posterior=Point())
    assert f"vaekit fit-prior {tmp_path / 'run'} --prior mixture" in page
    page, _ = reported(tmp_path / "other", data, WAE(), posterior=Point())
    assert "fit-prior" not in page


@pytest.mark.parametrize("latent_dim", [1, 7])
def test_tables_of_any_dimension(tmp_path, latent_dim):
    page, pictures = reported(tmp_path / "run", table(tmp_path), latent_dim=latent_dim)
    assert {"training", "latent_scatter", "samples", "reconstructions"} <= pictures
    name = f"PPCA-{latent_dim}" if latent_dim < 3 else "PCA-3"
    assert name in page
    assert latent_dim < 3 or "PPCA-" not in page


def test_one_column(tmp_path):
    page, _ = reported(tmp_path / "run", table(tmp_path, columns=1), latent_dim=1)
    assert "PCA-1" in page


@pytest.mark.parametrize("latent_dim", [1])
def test_an_autoencoder_claims_no_likelihood(tmp_path, latent_dim):
    page, pictures = reported(
        tmp_path / "run",
        table(tmp_path),
        Autoencoding(),
        posterior=Point(),
        latent_dim=latent_dim,
    )
    assert "d.npz: an autoencoder" in page
    assert "ELBO</" not in page
    assert "kl_per_dimension" not in pictures
    assert "no elbo" in page


def test_a_conditional_model(tmp_path):
    data = DataSpec(context=("labels",))
    _, pictures = reported(tmp_path / "run", data, likelihood=Bernoulli())
    assert {"samples", "latent_grid", "reconstructions"} <= pictures


def test_data_along_fewer_directions_than_the_code(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 1)) @ np.array([[1.0, 2.0, 3.0]])
    np.savez(tmp_path / "line.npz", x=x)
    page, _ = reported(tmp_path / "run", DataSpec(source=str(tmp_path / "line.npz")))
    assert "PCA-2" in page
    assert "PPCA-" not in page


def test_the_yardstick_is_measured_on_the_same_rows(tmp_path):
    data = DataSpec()
    prepared = prepare_data(data)
    model = FlatVAE(encoder=ENCODER, likelihood=Bernoulli())
    run = Run(data, Composition(model, ELBO(), Training(epochs=1)))
    artifact = start_run(run, tmp_path / "run", prepared=prepared)
    found = compare_with_pca(artifact, prepared.held_out, prepared.part("train"))
    x, test = (next(iter(prepared.part(n).batches(9_999))).x.flatten(1) for n in ("train", "test"))
    x, test = x.double().numpy(), test.double().numpy()
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:2]
    offset = test - x.mean(0)
    expected = ((offset - offset @ axes.T @ axes) ** 2).mean()
    assert found["mse"] == pytest.approx(expected, rel=1e-6)
    assert found["log_marginal"] is None
    assert found["name"] == "PCA-2"


def test_warnings_of_the_history_are_on_the_page(tmp_path):
    folder = tmp_path / "run"
    model = FlatVAE(encoder=ENCODER, likelihood=Gaussian(scale=1.0))
    start_run(Run(table(tmp_path), Composition(model, ELBO(), Training(epochs=1))), folder)
    lines = (folder / "history.jsonl").read_text().splitlines()
    last = {**json.loads(lines[-1]), "warnings": ["latent collapse: <b>all</b> of it"]}
    (folder / "history.jsonl").write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")
    metrics = {**evaluate_run(folder, samples=2), "notes": []}  # no alarm of its own
    page = report_run(folder, metrics).read_text()
    assert "latent collapse: &lt;b&gt;all&lt;/b&gt; of it" in page


def test_a_diverged_run_has_an_artifact_that_can_be_reported(tmp_path):
    folder = tmp_path / "run"
    model = FlatVAE(encoder=ENCODER, likelihood=Gaussian(scale=1.0))
    training = Training(epochs=2, optimizer=Adam(lr=1000.0))
    run = Run(DataSpec(), Composition(model, ELBO(), training))
    with pytest.raises(NumericalError, match="no longer a finite number"):
        start_run(run, folder)
    metrics = evaluate_run(folder, samples=2)
    assert report_run(folder, metrics).is_file()


@pytest.mark.parametrize("rows", [1, 9])
def test_training_rows_without_variation_have_no_pca(tmp_path, rows):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8)
    path = tmp_path / "d.npz"
    np.savez(path, x_train=np.repeat(images[:1], rows, 0), x_test=images[1:])
    page, pictures = reported(tmp_path / "run", DataSpec(source=str(path), validation=0.0))
    assert "no comparison with PCA" in page
    assert "pca_explained_variance" not in pictures


def test_the_command_to_measure_again_can_be_pasted(tmp_path):
    page, _ = reported(tmp_path / "a b", objective=Autoencoding(), posterior=Point())
    assert "samples None" not in page
    assert f"vaekit evaluate &#x27;{tmp_path / 'a b'}&#x27;" in page

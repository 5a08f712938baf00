"""Each experiment runs in a small version and shows what it is meant to show."""

import importlib
import json

import numpy as np
import pytest
from experiments.an_cho_kdd import KDD
from PIL import Image

NEEDS = {"an_cho_kdd": KDD}
"""Files that an experiment cannot do without."""
PAGES = {
    "mnist_2d": ({"latent_plane", "one_point", "grid"}, {"metrics"}),
    "kl_weight": (
        {
            "sweep",
            "rate_distortion",
            *(
                f"{regime}_{kind}"
                for regime in (
                    "over_regularised",
                    "useful",
                    "autoencoder_like",
                    "plain_autoencoder",
                )
                for kind in ("scatter", "grid", "interpolations")
            ),
        },
        {"sweep", "weights"},
    ),
    "disentangle": ({"traversals_0", "traversals_1"}, {"shown"}),
    "pca_equivalence": ({"explained_variance"}, {"comparison"}),
    "iaf": (set(), {"posteriors"}),
    "sigma_vae": (
        {f"samples_{n}" for n in ("fixed_0.01", "fixed_1", "shared", "optimal", "per_element")},
        {"decoders"},
    ),
    "priors": ({"standard", "mixture", "vamp", "flow"}, {"priors"}),
    "collapse": ({"deep", "scale"}, {"deep", "scale"}),
    "iwae_k": (set(), {"bounds"}),
    "fraud_detect": ({"checked"}, {"the published week", "two weeks later"}),
    "latent_dim": (
        {"digits", "cells", "shapes"},
        {"digits: mse", "cells: accuracy", "shapes: R²"},
    ),
    "an_cho_mnist": ({"auroc"}, {"AUROC", "AP", "best F1", "larger code"}),
    "an_cho_kdd": ({"auroc"}, {"rows", "AUROC", "AP", "best F1"}),
}


@pytest.fixture(scope="module", params=PAGES)
def made(request, tmp_path_factory):
    """An experiment's name, its folder, and its results as JSON."""
    needed = NEEDS.get(request.param)
    if needed is not None and not needed.is_file():
        pytest.skip(f"{request.param} needs {needed.name}, which is not here")
    folder = tmp_path_factory.mktemp("results") / request.param
    module = importlib.import_module(f"experiments.{request.param}")
    assert module.main(["--small", "--out", str(folder)]) == folder
    return request.param, folder, json.loads((folder / "results.json").read_text())


def test_tables_and_pictures(made):
    name, folder, results = made
    pictures, tables = PAGES[name]
    assert {path.stem for path in folder.glob("*.png")} == pictures
    page = (folder / "README.md").read_text()
    for picture in pictures:
        assert f"({picture}.png)" in page
        with Image.open(folder / f"{picture}.png") as image:
            assert min(image.size) > 100
    for table in tables:
        assert results[table]
        assert all(f" {column} |" in page for column in results[table][0])
    assert results["seconds"] > 0
    assert str(folder.parent) not in page


def test_values(made):
    name, _, results = made
    checks = {
        "mnist_2d": check_mnist,
        "kl_weight": check_weights,
        "disentangle": check_factors,
        "pca_equivalence": check_pca,
        "priors": check_priors,
        "iaf": check_posteriors,
        "sigma_vae": check_decoders,
        "collapse": check_collapse,
        "iwae_k": check_codes,
        "latent_dim": check_dimensions,
        "fraud_detect": check_frauds,
        "an_cho_mnist": check_held_out_digits,
        "an_cho_kdd": check_intrusions,
    }
    checks[name](results)


def check_mnist(results):
    rows = {row["metric"].split(",")[0].split(" (")[0]: row for row in results["metrics"]}
    elbo, log_p = rows["ELBO"]["vaekit"], rows["log p(x)"]["vaekit"]
    assert -60 < elbo < log_p < 0
    assert 0.1 < rows["5-NN accuracy on the 2-d codes"]["vaekit"] <= 1
    assert rows["5-NN accuracy on the 2-d codes"]["PCA-2"] > 0.4
    assert 0 < rows["mean squared error"]["PCA-2"] < rows["mean squared error"]["vaekit"] < 0.3


def check_weights(results):
    *sweep, plain = results["sweep"]
    betas = [row["beta"] for row in sweep]
    assert betas == sorted(betas)
    rates = [row["rate"] for row in sweep]
    assert rates == sorted(rates, reverse=True)  # a heavier rate is a smaller rate
    assert sweep[0]["mse"] < sweep[-1]["mse"]
    assert sweep[-1]["rate"] < 0.1
    assert plain["beta"] is None
    assert plain["rate"] is None
    weights = {row["published weight"]: row["beta"] for row in results["weights"]}
    assert weights["0.0008 averaged"] == pytest.approx(0.0008 * 64 / 2)
    assert weights["0.0008 summed"] == pytest.approx(0.0008 * 64 / 2 * 128)


def check_factors(results):
    rows = {row["model"]: row for row in results["scores"]}
    assert set(rows) == {"VAE", "β-VAE, β = 4", "PCA", "ICA"}
    assert rows["β-VAE, β = 4"]["rate"] < rows["VAE"]["rate"]
    assert rows["PCA"]["mse"] < rows["VAE"]["mse"]  # after three epochs
    for row in rows.values():
        assert 0 <= row["sap"] <= np.mean([1 - 1 / n for n in (3, 2, 4, 4, 4)])
        assert 0 <= row["mig"] <= 1
        assert 0.2 < row["factor_vae_score"] <= 1


def check_pca(results):
    for row in results["comparison"]:
        assert row["largest angle, VAE"] < 0.02
        assert 0 <= row["difference"] < 0.05
        assert row["mse, PCA"] <= row["mse, autoencoder"] < 1.03 * row["mse, PCA"]
        assert row["log p(x), linear VAE"] <= row["log p(x), probabilistic PCA"]


def check_decoders(results):
    rows = {row["decoder"]: row for row in results["decoders"]}
    fixed = {name: row for name, row in rows.items() if name.startswith("fixed")}
    for row in fixed.values():  # the best σ for given weights is the training error
        assert row["bound with σ² set afterwards"] > row["bound"]
    best = max(row["bound"] for row in fixed.values())
    assert results["gains"]["optimal"] == pytest.approx(rows["optimal"]["bound"] - best)
    assert results["gains"]["optimal"] > 10
    assert rows["optimal"]["σ"] ** 2 == pytest.approx(rows["optimal"]["mse"], rel=0.3)


def check_posteriors(results):
    rows = results["posteriors"]
    assert rows[0]["posterior"] == "diagonal"
    assert len(rows) == 5
    for row in rows:
        assert row["ELBO"] == pytest.approx(-row["distortion"] - row["rate"])
        assert row["gain of the ELBO"] == pytest.approx(row["ELBO"] - rows[0]["ELBO"])


def check_priors(results):
    rows = {row["prior"]: row for row in results["priors"]}
    assert list(rows) == ["standard", "mixture", "vamp", "flow"]
    for row in rows.values():
        assert -60 < row["ELBO"] < row["log p(x)"] < 0
        assert row["ELBO"] == pytest.approx(-row["rate"] - row["distortion"])
        assert 0 < row["rate"] < row["distortion"]


def check_collapse(results):
    deep = {row["remedy"]: row for row in results["deep"]}
    assert len(deep) == 6
    for row in [*deep.values(), *results["scale"]]:
        assert row["bound"] == pytest.approx(-row["distortion"] - row["rate"])
    assert deep["free bits: 25 nats in all"]["rate"] > deep["plain"]["rate"]
    optimal = results["scale"][-1]
    assert all(optimal["bound"] > row["bound"] for row in results["scale"][:-1])


def check_codes(results):
    one, five = results["bounds"]
    assert (one["k"], five["k"]) == (1, 5)
    assert one["gain over k = 1"] is None
    bound, elbo = (float(five[name].split(" ± ")[0]) for name in ("its own bound", "ELBO"))
    assert bound > elbo + 0.1  # of one model, five codes bound log p(x) more closely than one
    assert len(five["gain over k = 1"].split(" ± ")) == 2


def check_dimensions(results):
    for task in ("digits", "cells", "shapes"):
        two, four = ({r["method"]: r for r in results[task] if r["k"] == k} for k in (2, 4))
        assert len(two) == len(four) == 10
        for name in ("PCA", "NMF", "kernel PCA"):
            assert four[name]["mse"] < two[name]["mse"]
        assert two["ICA"]["mse"] == pytest.approx(two["PCA"]["mse"])
        assert two["t-SNE"]["mse"] is None
        densities = {name for name, row in two.items() if row["log p(x)"] is not None}
        assert densities == {"VAE", "probabilistic PCA", "factor analysis"}
        assert all(0.4 < row["trustworthiness"] <= 1 for row in two.values())
    assert all(row["R²"] is None for row in results["digits"])


def check_frauds(results):
    for week in ("the published week", "two weeks later"):
        rows = {row["method"]: row for row in results[week]}
        assert len(rows) == 11
        for row in rows.values():
            assert 0.3 < row["AUROC"] < 1
            assert 0 < row["average precision"] <= 1
            assert 0 <= row["CP@100"] <= 1
            assert row["published"] is None  # of other data
        assert rows["autoencoder"]["± AUROC"] > 0
        assert rows["PCA error, 6 of 15"]["± AUROC"] is None
        assert rows["autoencoder"]["AUROC"] > rows["amount alone"]["AUROC"]


def check_held_out_digits(results):
    rows = {(row["method"], row["score"]): row for row in results["AUROC"]}
    for score in ("ELBO", "reconstruction probability", "log p(x)"):
        assert rows["VAE, 2-d", score]["0"] > 0.7
    for score in ("ELBO + entropy", "error"):  # grey pixels count in favour of a 1 no longer
        assert rows["VAE, 2-d", score]["1"] > rows["VAE, 2-d", "ELBO"]["1"] + 0.1
    for method in ("autoencoder", "PCA", "kernel PCA"):
        assert rows[f"{method}, 2-d", "error"]["0"] > 0.6
    assert rows["VAE, 2-d, ELBO (Tonnaer)", "published"]["1"] == 0.73
    assert {row["held out"] for row in results["larger code"]} == {"1"}


def check_intrusions(results):
    rows = {(row["method"], row["score"]): row for row in results["AUROC"]}
    for score in ("ELBO", "reconstruction probability", "log p(x)", "error"):
        assert rows["VAE", score]["mean"] > 0.8
    assert rows["heuer-ja, published", ""]["U2R"] == 0.914
    sizes = {row["held out"]: row for row in results["rows"]}
    assert sizes["U2R"]["rows of the class held out"] == 52
    assert sizes["U2R"]["other test rows"] == round(0.2 * 4 * 500)


@pytest.mark.parametrize("name", PAGES)
def test_help_says_how_to_make_it_small(name, capsys):
    module = importlib.import_module(f"experiments.{name}")
    with pytest.raises(SystemExit, match="0"):
        module.main(["--help"])
    assert "--small" in capsys.readouterr().out

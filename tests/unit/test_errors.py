"""Typed errors say what, expected, got, where and what to do; built-in handlers still work."""

import copy
import json

import pytest

from vaekit import errors
from vaekit.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    MissingExtraError,
    NotFittedError,
    NumericalError,
    ShapeError,
    VaekitError,
    did_you_mean,
)

FACTS = {"expected": "0 to 1", "got": 255, "where": "column 'x'", "remedy": "divide by 255"}


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "bad pixel"),
        (["where"], "column 'x': bad pixel"),
        (["expected"], "bad pixel; expected 0 to 1"),
        (["got"], "bad pixel; got 255"),
        (["expected", "got"], "bad pixel; expected 0 to 1, got 255"),
        (["remedy"], "bad pixel. Divide by 255"),
        (list(FACTS), "column 'x': bad pixel; expected 0 to 1, got 255. Divide by 255"),
    ],
)
def test_text_holds_the_given_facts_and_no_others(names, text):
    assert str(VaekitError("bad pixel", **{name: FACTS[name] for name in names})) == text


def test_zero_and_false_are_facts_too():
    assert str(VaekitError("bad", expected=False, got=0)) == "bad; expected False, got 0"


def test_remedy_keeps_its_case_after_the_first_letter():
    assert str(VaekitError("bad", remedy="use PCA")) == "bad. Use PCA"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigError, ValueError),
        (ShapeError, ValueError),
        (DataError, ValueError),
        (NotFittedError, ValueError),
        (NotFittedError, AttributeError),
        (NumericalError, ArithmeticError),
        (ArtifactError, VaekitError),
    ],
)
def test_each_is_caught_as_ours_and_as_the_built_in(error, builtin):
    def fail():
        raise error("no", where="here")

    with pytest.raises(builtin, match=r"^here: no$"):
        fail()
    with pytest.raises(VaekitError, match=r"^here: no$"):
        fail()


def test_to_dict_is_json_with_the_given_facts_only():
    assert json.loads(json.dumps(DataError("bad pixel", **FACTS).to_dict())) == {
        "error": "DataError",
        "message": "bad pixel",
        "expected": "0 to 1",
        "got": "255",
        "where": "column 'x'",
        "remedy": "divide by 255",
    }
    assert VaekitError("bad").to_dict() == {"error": "VaekitError", "message": "bad"}


def test_missing_extra_names_the_command_that_installs_it():
    with pytest.raises(
        ImportError,
        match=r"^tracking needs the package 'tensorboard', which is not installed\. "
        r"Install it with: pip install 'vaekit\[track\]'$",
    ):
        raise MissingExtraError("tensorboard", "track", "tracking")


@pytest.mark.parametrize(
    "error",
    [DataError("bad pixel", **FACTS), MissingExtraError("tensorboard", "track", "tracking")],
)
def test_errors_can_be_copied_and_so_cross_between_processes(error):
    back = copy.copy(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.to_dict() == error.to_dict()


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        (
            "gausian",
            ["gaussian", "bernoulli"],
            "did you mean 'gaussian'? Known: bernoulli, gaussian",
        ),
        ("xyz", ["gaussian", "bernoulli"], "Known: bernoulli, gaussian"),
        ("xyz", [], "Known: (none)"),
        ("b", iter(["b", "a"]), "did you mean 'b'? Known: a, b"),
    ],
)
def test_did_you_mean(word, known, text):
    assert did_you_mean(word, known) == text


def test_all_lists_every_public_name():
    public = {
        n for n, v in vars(errors).items() if getattr(v, "__module__", "") == errors.__name__
    }
    assert set(errors.__all__) == {name for name in public if not name.startswith("_")}

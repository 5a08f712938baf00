"""Artifacts that were written by earlier versions still load, and still answer the same."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vaekit.artifacts import describe, load

HERE = Path(__file__).resolve().parent
FOLDERS = sorted(HERE.glob("format-*"))


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("golden_make", HERE / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_one():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_answers_are_unchanged(folder, make):
    expected = json.loads((folder / "expected.json").read_text())
    images = np.array(expected.pop("images"), np.uint8)
    found = make.outputs(load(folder), images)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(
            torch.tensor(found[name]), torch.tensor(values), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_the_description_is_unchanged(folder, make):
    artifact = load(folder)
    assert artifact.model.spec == make.run().composition.model
    assert [record["epoch"] for record in artifact.history] == [1, 2, 3]
    assert describe(folder)["weights"]["total"] == 612
    assert artifact.codec.event_shape == (1, 8, 8)
    assert artifact.codec.labels.classes == tuple(range(10))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_it_is_small(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) < 32_768

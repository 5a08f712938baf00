"""Checkpoints: what goes in comes out; what is broken or foreign is refused."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from vaekit.errors import ArtifactError
from vaekit.spec import registered
from vaekit.training.checkpoint import (
    FORMAT,
    load_checkpoint,
    optimizer_state,
    restore_optimizer,
    save_checkpoint,
)

FACTS = {"step": 7, "best_loss": None, "name": "été", "nested": {"rate": 0.1}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "checkpoint.safetensors"


def test_groups_and_facts_come_back_as_they_were(path):
    shared = torch.randn(4, 3)
    groups = {
        "model": {"a/b.weight": shared, "tied": shared, "scalar": torch.tensor(2.0)},
        "empty": {},
        "means": {"kl": torch.randn(3, dtype=torch.float64), "count": torch.tensor(3)},
        "views": {"transposed": shared.T, "expanded": torch.ones(1).expand(3)},
    }
    save_checkpoint(path, groups, FACTS)
    found, facts = load_checkpoint(path)
    assert facts == FACTS
    assert found.keys() == groups.keys() - {"empty"}
    for group, values in found.items():
        assert values.keys() == groups[group].keys()
        for name, value in values.items():
            assert value.dtype == groups[group][name].dtype
            assert torch.equal(value, groups[group][name])


def test_a_missing_file_is_said(path):
    with pytest.raises(ArtifactError, match=r"no checkpoint. --resume takes the folder of a run"):
        load_checkpoint(path)


@pytest.mark.parametrize("size", [3, 50])
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(path, monkeypatch, size):
    """Header of one, tensors of another: an error where sizes differ, and silent where not."""
    save_checkpoint(path, {"model": {"w": torch.zeros(3)}}, {"step": 1})
    opened = []

    def replaced_meanwhile(*args, **options):
        file = safe_open(*args, **options)
        if not opened:
            save_checkpoint(path, {"model": {"w": torch.ones(size)}}, {"step": 2})
            opened.append(file)
            if size != 3:
                raise RuntimeError("size is smaller than the required mapping size")
        return file

    monkeypatch.setattr("vaekit.training.checkpoint.safe_open", replaced_meanwhile)
    groups, facts = load_checkpoint(path)
    assert facts == {"step": 2}
    assert torch.equal(groups["model"]["w"], torch.ones(size))


@pytest.mark.parametrize("keep", [0, 4, 8, 60, 0.5, -1])
def test_a_truncated_file_is_refused(path, keep):
    save_checkpoint(path, {"model": {"w": torch.randn(100)}}, FACTS)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ArtifactError, match="the checkpoint is corrupt"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content", [b"not a checkpoint at all", b"\x80\x04\x95" * 50, b"\xff" * 64]
)
def test_other_files_are_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="the checkpoint is corrupt"):
        load_checkpoint(path)


def test_foreign_safetensors_are_refused(path):
    path.parent.mkdir()
    save_file({"w": torch.ones(2)}, path, metadata={"format": "pt"})
    with pytest.raises(
        ArtifactError, match=r"not a vaekit checkpoint; expected vaekit-ch.*, got pt"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("facts", [None, "{", "[1]", '"text"', "[" * 100_000])
def test_broken_facts_are_refused(path, facts):
    path.parent.mkdir()
    metadata = {"format": FORMAT} | ({} if facts is None else {"facts": facts})
    save_file({"model/w": torch.ones(2)}, path, metadata=metadata)
    with pytest.raises(ArtifactError, match="the checkpoint is corrupt"):
        load_checkpoint(path)


def test_a_failing_disk_leaves_the_old_checkpoint(path, monkeypatch):
    save_checkpoint(path, {"model": {"w": torch.ones(2)}}, {"step": 1})

    def full(tensors, filename, metadata):
        filename.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vaekit.training.checkpoint.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"model": {"w": torch.zeros(2)}}, {"step": 2})
    assert load_checkpoint(path)[1] == {"step": 1}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", registered("optimizer"))
def test_a_restored_optimiser_goes_on_bit_by_bit(kind, path):
    spec = registered("optimizer")[kind](lr=0.05)
    weights = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(4))]
    optimizer = spec.build(weights)

    def steps(optimizer, weights, numbers):
        for number in numbers:
            for weight in weights:
                weight.grad = torch.sin(weight.detach() * number)
            optimizer.step()

    steps(optimizer, weights, range(1, 5))
    save_checkpoint(path, {"optimizer": optimizer_state(optimizer)}, {})
    twins = [nn.Parameter(weight.detach().clone()) for weight in weights]
    other = spec.build(twins)
    restore_optimizer(other, load_checkpoint(path)[0]["optimizer"])
    steps(optimizer, weights, range(5, 12))
    steps(other, twins, range(5, 12))
    assert all(torch.equal(a, b) for a, b in zip(weights, twins, strict=True))


def test_an_optimiser_that_never_stepped_has_no_state(path):
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight])
    assert optimizer_state(optimizer) == {}
    restore_optimizer(optimizer, {})
    assert optimizer.state_dict()["state"] == {}


def test_the_header_is_plain_json(path):
    save_checkpoint(path, {"model": {"w": torch.ones(2)}}, FACTS)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["facts"]) == FACTS

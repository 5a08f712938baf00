"""Running means against numpy, and histories on disk, whole and broken."""

import json
import math

import numpy as np
import pytest
import torch

from vaekit.errors import ArtifactError
from vaekit.training import History, Means, read_history


def test_means_are_weighted_by_examples():
    rng = np.random.default_rng(0)
    sizes, scalars, vectors = [8, 8, 3], rng.normal(size=3), rng.normal(size=(3, 4))
    means = Means()
    for size, scalar, vector in zip(sizes, scalars, vectors, strict=True):
        means.add({"loss": torch.tensor(scalar), "kl": torch.tensor(vector)}, size)
    found = means.read()
    assert found["loss"] == pytest.approx(np.average(scalars, weights=sizes), rel=1e-12)
    assert found["kl"] == pytest.approx(np.average(vectors, axis=0, weights=sizes), rel=1e-12)


def test_a_term_that_is_sometimes_absent_is_averaged_over_where_it_was():
    means = Means()
    means.add({"loss": torch.tensor(1.0), "norm": torch.tensor(10.0)}, 4)
    means.add({"loss": torch.tensor(2.0)}, 4)
    assert means.read() == {"loss": 1.5, "norm": 10.0}


def test_means_keep_no_graph_and_do_not_change_what_they_are_given():
    value = torch.tensor(3.0, requires_grad=True)
    given = value * 2
    means = Means()
    means.add({"loss": given})
    means.add({"loss": given}, 5)
    assert given.item() == 6.0
    assert not means.sums["loss"].requires_grad
    assert means.read() == {"loss": 6.0}


def test_float32_terms_are_summed_in_float64():
    means = Means()
    for _ in range(10_000):
        means.add({"loss": torch.tensor(0.1)}, 1)
    assert means.read()["loss"] == pytest.approx(float(np.float32(0.1)), rel=1e-14)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_means_notice_what_is_not_finite(bad):
    means = Means()
    means.add({"kl": torch.tensor([1.0, 2.0])})
    assert means.is_finite()
    means.add({"kl": torch.tensor([1.0, bad])})
    means.add({"kl": torch.tensor([1.0, 1.0])})
    assert not means.is_finite()


def test_no_batches_have_no_means():
    assert Means().read() == {}
    assert Means().is_finite()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


def test_records_survive_the_round_trip(path):
    history = History(path)
    records = [{"epoch": i, "loss": 1 / (i + 3), "kl": [0.1, 2.0], "best": True} for i in range(4)]
    for record in records:
        history.append(record)
    assert read_history(path) == history.records == records
    assert history.last == records[-1]


def test_numbers_that_are_not_finite_become_null(path):
    history = History(path)
    history.append({"loss": math.nan, "kl": [1.0, math.inf], "epoch": 1})
    assert json.loads(path.read_text()) == {"loss": None, "kl": [1.0, None], "epoch": 1}
    assert history.last == {"loss": None, "kl": [1.0, None], "epoch": 1}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_that_was_cut_off_is_left_out(path, cut):
    history = History(path)
    for epoch in range(3):
        history.append({"epoch": epoch, "loss": 1.5})
    path.write_bytes(path.read_bytes()[:-cut] if cut > 1 else path.read_bytes() + b'{"epo')
    assert [record["epoch"] for record in read_history(path)] == list(range(3 if cut == 1 else 2))


@pytest.mark.parametrize("line", [b'{"epoch": 1', b"\xff\xfe{}", b"\x00\x00", b"[" * 100_000])
def test_a_broken_line_in_the_middle_is_refused_with_its_place(path, line):
    path.write_bytes(b'{"epoch": 0}\n' + line + b'\n{"epoch": 2}\n')
    with pytest.raises(ArtifactError, match=r"history\.jsonl:2: not a line of JSON"):
        read_history(path)


def test_a_line_that_is_no_object_is_refused(path):
    path.write_text('{"epoch": 0}\n{"epoch": 1}\n[3]\n')
    with pytest.raises(ArtifactError, match=r"history\.jsonl:3: not a JSON object"):
        read_history(path)


def test_rewinding_cuts_memory_and_disk_alike(path):
    history = History(path)
    for epoch in range(5):
        history.append({"epoch": epoch})
    again = History(path)
    again.rewind(3)
    assert again.records == read_history(path) == [{"epoch": e} for e in range(3)]
    again.append({"epoch": 3, "new": True})
    assert read_history(path)[-1] == {"epoch": 3, "new": True}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_rewinding_repairs_a_line_that_was_cut_off(path):
    path.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    history = History(path)
    history.rewind(2)
    history.append({"epoch": 3})
    assert [record["epoch"] for record in read_history(path)] == [1, 2, 3]


def test_rewinding_to_the_start_discards_even_what_cannot_be_read(path):
    path.write_bytes(b'\xff\n{"epoch": 1}\n')
    history = History(path)
    history.rewind(0)
    assert history.records == read_history(path) == []


def test_rewinding_further_than_there_are_records_is_refused(path):
    history = History(path)
    history.append({"epoch": 1})
    with pytest.raises(ArtifactError, match="shorter than its checkpoint; expected at least 2"):
        History(path).rewind(2)


def test_a_history_without_a_file_lives_in_memory():
    history = History()
    for epoch in range(3):
        history.append({"epoch": epoch})
    history.rewind(1)
    assert history.records == [{"epoch": 0}]

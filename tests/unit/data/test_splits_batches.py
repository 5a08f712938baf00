import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaekit.data import DataCodec, RawData, Splits, TensorData, load, prepare, split
from vaekit.data.batches import joined
from vaekit.errors import ConfigError, DataError


def rows(n, **fields):
    return RawData(np.arange(2.0 * n).reshape(n, 2), **fields)


# --- splits --------------------------------


@given(st.integers(3, 300), st.floats(0, 0.5), st.floats(0, 0.49), st.integers(0, 99))
def test_splits_are_disjoint_complete_and_reproducible(n, validation, test, seed):
    parts = split(rows(n), validation=validation, test=test, seed=seed)
    again = split(rows(n), validation=validation, test=test, seed=seed)
    every = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(every.tolist()) == list(range(n))
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(again, name))
    assert len(parts.test) == (max(1, round(n * test)) if test else 0)


def test_other_seeds_give_other_splits():
    first, second = (split(rows(100), seed=seed) for seed in (0, 1))
    assert first.test.tolist() != second.test.tolist()


def test_given_test_rows_stay_and_validation_comes_from_training_rows():
    given_split = ["test"] * 20 + ["train"] * 80
    parts = split(rows(100, split=given_split), validation=0.25)
    assert parts.test.tolist() == list(range(20))
    assert len(parts.validation) == 20
    assert parts.validation.min() >= 20


def test_a_full_given_split_is_kept():
    parts = split(rows(4, split=["val", "train", "test", "train"]))
    assert (parts.validation.tolist(), parts.train.tolist(), parts.test.tolist()) == (
        [0],
        [1, 3],
        [2],
    )


def test_validation_is_capped():
    assert len(split(rows(1000), validation=0.5, max_validation=30).validation) == 30


@pytest.mark.parametrize("fractions", [(-0.1, 0.1), (0.1, 1.0), (float("nan"), 0.1)])
def test_fractions_out_of_range(fractions):
    with pytest.raises(ConfigError, match="not a fraction of the rows"):
        split(rows(10), validation=fractions[0], test=fractions[1])


def test_fractions_that_leave_nothing():
    with pytest.raises(ConfigError, match="leave no row for training"):
        split(rows(10), validation=0.5, test=0.5)


def test_too_little_data():
    with pytest.raises(DataError, match=r"too little data to split.*2 rows"):
        split(rows(2))
    with pytest.raises(DataError, match=r"too little data to split.*0 for training"):
        split(rows(5, split=["test"] * 5))


def test_overlapping_splits_are_refused():
    with pytest.raises(DataError, match="splits overlap; got row 2"):
        Splits(np.array([1, 2]), np.array([2]), np.array([3]))


# --- batches --------------------------------


def tensors(n=23, **fields):
    raw = rows(n, labels=np.arange(n) % 3, **fields)
    return TensorData.of(raw, DataCodec.fit(raw, scaling="none", context="labels"))


@pytest.mark.parametrize("size", [1, 5, 23, 100])
def test_batches_cover_every_row_once(size):
    data = tensors()
    batches = list(data.batches(size))
    assert len(batches) == data.steps_per_epoch(size)
    assert torch.cat([b.index for b in batches]).tolist() == list(range(23))
    assert torch.equal(torch.cat([b.x for b in batches]), data.x)
    assert torch.equal(torch.cat([b.y for b in batches]), data.y)


def test_a_batch_holds_the_rows_asked_for():
    batch = tensors().batch(torch.tensor([4, 0]))
    assert batch.x.tolist() == [[8, 9], [0, 1]]
    assert batch.y.tolist() == [1, 0]
    assert batch.c.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert batch.index.tolist() == [4, 0]
    assert (batch.target, batch.observed) == (None, None)
    assert len(batch.to("cpu")) == 2


def test_order_is_a_permutation_that_differs_by_epoch_and_seed():
    data = tensors(200)
    orders = {(s, e): data.order(s, e).tolist() for s in range(3) for e in range(3)}
    assert all(sorted(order) == list(range(200)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 9
    assert data.order(1, 2).tolist() == orders[1, 2]


def test_order_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    tensors().order(0, 0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_subset_and_mismatch():
    part = tensors().subset([3, 5])
    assert part.y.tolist() == [0, 2]
    with pytest.raises(DataError, match="y and x differ"):
        TensorData(part.codec, part.x, part.y[:1])
    with pytest.raises(ConfigError, match="at least one row"):
        part.steps_per_epoch(0)


def test_factors_go_with_their_rows():
    raw = rows(40).with_factors(np.arange(40)[:, None], ("row",))
    splits = split(raw)
    _, data = prepare(raw, splits=splits, scaling="none")
    for name, numbers in splits.items():
        assert data[name].factors[:, 0].tolist() == numbers.tolist()
    train = data["train"]
    assert train.subset([2, 0]).factors[:, 0].tolist() == splits.train[[2, 0]].tolist()
    assert torch.equal(train.head(3).to("cpu").factors, train.factors[:3])
    both = joined([train, data["test"]])
    assert both.factors[:, 0].tolist() == [*splits.train, *splits.test]


def test_prepare_fits_on_training_rows_only():
    raw = rows(50)
    parts = split(raw)
    codec, data = prepare(raw, splits=parts)
    np.testing.assert_allclose(codec.x.loc, raw.x[parts.train].mean(axis=0))
    assert {name: len(part) for name, part in data.items()} == {
        "train": 43,
        "validation": 2,
        "test": 5,
    }
    np.testing.assert_allclose(codec.decode(data["test"].x), raw.x[parts.test], rtol=1e-6)


def test_prepare_with_a_fitted_codec():
    raw = rows(50)
    codec, _ = prepare(raw)
    same, data = prepare(raw.subset(np.arange(10)), codec=codec)
    assert same is codec
    assert set(data) == {"train", "validation", "test"}
    with pytest.raises(ConfigError, match=r"fitted already.*got scaling"):
        prepare(raw, codec=codec, scaling="none")


def test_parts_without_rows_are_absent():
    raw = rows(10)
    _, data = prepare(raw, splits=split(raw, validation=0, test=0.1))
    assert set(data) == {"train", "test"}


def test_mnist(shared_data):
    path = shared_data / "images" / "mnist.npz"
    if not path.exists():
        pytest.skip("MNIST absent: expected at ../shared/data/images/mnist.npz")
    raw = load(path)
    codec, data = prepare(raw)
    assert {name: len(part) for name, part in data.items()} == {
        "train": 57_000,
        "validation": 3_000,
        "test": 10_000,
    }
    assert codec.event_shape == (1, 28, 28)
    batch = data["test"].batch(torch.arange(100))
    np.testing.assert_array_equal(codec.decode(batch.x), raw.x[60_000:60_100])
    assert batch.x.mean().item() == pytest.approx(raw.x[60_000:60_100].mean() / 255, rel=1e-5)

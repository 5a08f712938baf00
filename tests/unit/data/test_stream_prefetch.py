"""Reading ahead: in order, bounded, and over when it is over."""

import threading
import weakref

import pytest
import torch

from vaekit.data.streams.prefetch import read_ahead


def readers():
    return [t for t in threading.enumerate() if t.name == "vaekit reader"]


class Item:
    """Something that can be counted while it is alive."""

    def __init__(self, alive, number):
        alive.add(self)
        self.number = number


def test_items_in_order():
    with read_ahead(n * n for n in range(100)) as ready:
        assert list(ready) == [n * n for n in range(100)]
    assert not readers()


def test_nothing_to_read():
    with read_ahead(x for x in ()) as ready:
        assert list(ready) == []


@pytest.mark.parametrize("most", [2, 5])
def test_no_more_items_exist_than_allowed(most):
    alive = weakref.WeakSet()
    made = threading.Semaphore(0)

    def items():
        for number in range(30):
            item = Item(alive, number)
            made.release()
            yield item
            del item

    with read_ahead(items(), most=most) as ready:
        for number in range(30):
            item = next(ready)
            assert item.number == number
            for _ in range(min(most, 30 - number) if number == 0 else number + most <= 30):
                assert made.acquire(timeout=10)  # all that may be made ahead has been made
            assert len(alive) <= most
            del item


def test_errors_come_where_the_item_is_asked_for():
    def items():
        yield 1
        raise ValueError("in the file")

    with read_ahead(items()) as ready:
        assert next(ready) == 1
        with pytest.raises(ValueError, match="in the file"):
            next(ready)
    assert not readers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_of_the_caller_ends_the_thread_and_closes_the_files(error):
    closed = threading.Event()

    def items():
        try:
            yield from range(10)
        finally:
            closed.set()

    def use():
        with read_ahead(items()) as ready:
            next(ready)
            raise error

    with pytest.raises(error):
        use()
    assert closed.is_set()
    assert not readers()


def test_a_generator_that_is_left_ends_the_thread():
    def outer():
        with read_ahead(iter_forever()) as ready:
            yield from ready

    def iter_forever():
        number = 0
        while True:
            yield number
            number += 1

    values = outer()
    assert [next(values), next(values)] == [0, 1]
    assert len(readers()) == 1
    values.close()
    assert not readers()


def test_items_are_made_in_the_thread():
    names = []

    def items():
        names.append(threading.current_thread().name)
        yield 1

    with read_ahead(items()) as ready:
        assert list(ready) == [1]
    assert names == ["vaekit reader"]


def test_small_numbers_are_read_as_they_are():
    """Training treats denormal numbers as zero; what is read meanwhile is not touched by that."""

    def items():
        yield float(torch.tensor(1e-39) * 1.0)

    torch.set_flush_denormal(True)
    try:
        with read_ahead(items()) as ready:
            assert next(ready) > 0
    finally:
        torch.set_flush_denormal(False)

"""Ctrl-C that waits, where it may, and stays out of the way where it may not."""

import os
import signal
import threading

import pytest

from vaekit.training.interrupts import Interrupts


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ctrl_c_waits_for_the_check():
    with Interrupts() as interrupts:
        press()
        survived = True
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert survived


def test_the_second_ctrl_c_does_not_wait():
    with Interrupts():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_without_ctrl_c_nothing_happens():
    with Interrupts() as interrupts:
        interrupts.check()


def test_the_usual_handler_comes_back_after_an_error():
    with pytest.raises(ZeroDivisionError), Interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None])
def test_a_handler_of_the_program_is_left_alone(own):
    before = signal.signal(signal.SIGINT, own)
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGINT) is own
            press()
            interrupts.check()
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_works_outside_the_main_thread(make_trainer, same_weights):
    one, other = make_trainer(), make_trainer()
    thread = threading.Thread(target=one.fit)
    thread.start()
    thread.join()
    other.fit()
    assert len(one.history.records) == 3
    assert same_weights(one.model, other.model)

"""The display on terminals and elsewhere, and TensorBoard."""

import io
import sys

import pytest

from vaekit.errors import MissingExtraError
from vaekit.training import Display, TensorBoard
from vaekit.training.callbacks import describe_record

RECORD = {
    "epoch": 3,
    "step": 12,
    "loss": 10.0,
    "distortion": 8.25,
    "rate": 1.75,
    "kl": [0.5, 1.25],
    "valid_elbo": -11.5,
    "valid_loss": 11.5,
    "seconds": 0.25,
    "best": True,
    "last": True,
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_an_epoch_is_one_line():
    expected = "epoch   3  loss 10.00  distortion 8.25  rate 1.75  held-out elbo -11.50  0.25 s"
    assert describe_record(RECORD) == expected


def test_models_without_a_bound_show_their_held_out_loss():
    record = {k: v for k, v in RECORD.items() if k not in ("valid_elbo", "rate")}
    assert "held-out loss 11.50" in describe_record(record)


def test_values_that_were_not_finite_are_left_out():
    assert "loss" not in describe_record({"epoch": 1, "loss": None, "seconds": 0.0})


def test_without_a_terminal_there_are_plain_lines_and_no_bar(make_trainer, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    history = make_trainer(callbacks=[Display(stream)], epochs=4).fit()
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "%" not in text
    lines = text.splitlines()
    assert lines[0].startswith("22 rows, ")
    assert lines[0].endswith("compile off as asked)"), "a line was broken in two"
    assert describe_record(history.last) == lines[-1]


def test_lines_come_at_most_once_a_second_but_the_last_always(monkeypatch):
    stream, now = io.StringIO(), [100.0]
    monkeypatch.setattr("vaekit.training.callbacks.time.monotonic", lambda: now[0])
    display = Display(stream)
    for epoch, when in enumerate((100.0, 100.4, 101.1, 101.2, 101.3), start=1):
        now[0] = when
        display.on_epoch({**RECORD, "epoch": epoch, "last": epoch == 5})
    shown = [int(line.split()[1]) for line in stream.getvalue().splitlines()]
    assert shown == [1, 3, 5]


def test_each_warning_is_said_once_and_in_one_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "40")
    display = Display(stream)
    warning = "latent collapse [bold]x[/bold]: " + "word " * 30 + "end"
    for _ in range(3):
        display.on_epoch({**RECORD, "warnings": [warning]})
    text = stream.getvalue()
    assert text.count("warning: latent collapse [bold]x[/bold]") == 1
    assert f"warning: {warning}\n" in text


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = Terminal()
    display = Display(stream)
    display.on_start(step=5, total=20, note="note")
    assert display.bar is not None
    assert display.bar.tasks[0].completed == 5
    display.on_step(step=11)
    assert display.bar.tasks[0].completed == 5
    display.on_step(step=20)
    assert display.bar.tasks[0].completed == 20
    display.on_end()
    assert display.bar is None
    display.on_end()


def test_the_bar_goes_away_when_training_fails(make_trainer):
    display = Display(Terminal())

    def broken(evidence, **_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make_trainer(callbacks=[display], objective=broken).fit()
    assert display.bar is None


@pytest.fixture
def accumulator():
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder):
        found = EventAccumulator(str(folder))
        found.Reload()
        return found

    return read


@pytest.mark.filterwarnings("default")
def test_tensorboard_gets_every_scalar(accumulator, make_trainer, tmp_path):
    history = make_trainer(callbacks=[TensorBoard(tmp_path)]).fit()
    found = accumulator(tmp_path)
    tags = set(found.Tags()["scalars"])
    numbers = {name for name, value in history.last.items() if isinstance(value, float)}
    assert tags == numbers | {"kl/0", "kl/1"}
    for tag in ("loss", "valid_elbo"):
        events = found.Scalars(tag)
        assert [event.step for event in events] == [3, 6, 9]
        expected = [record[tag] for record in history.records]
        assert [event.value for event in events] == pytest.approx(expected, rel=1e-6)
    last = [found.Scalars(f"kl/{i}")[-1].value for i in range(2)]
    assert last == pytest.approx(history.last["kl"], rel=1e-6)


@pytest.mark.parametrize("module", ["tensorboard", "torch.utils.tensorboard"])
def test_without_tensorboard_the_extra_is_named(module, tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingExtraError, match=r"needs the package 'tensorboard'.*vaekit\[track\]"
    ):
        TensorBoard(tmp_path)

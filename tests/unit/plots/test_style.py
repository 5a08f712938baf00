"""The common look, saving, and numbers as text."""

import threading
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from vaekit.plots import curve, latent_scatter, save, to_png
from vaekit.plots.numbers import number, power_of_ten
from vaekit.plots.style import CLASS_COLOURS, DPI


def picture():
    return curve([1, 2, 3], {"a": [1, 4, 9]}, xlabel="x", ylabel="y")


def test_same_data_gives_the_same_bytes(tmp_path):
    first = save(picture(), tmp_path / "deep" / "a.png").read_bytes()
    second = save(picture(), tmp_path / "b.png").read_bytes()
    assert first == second
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first != to_png(curve([1, 2, 3], {"a": [1, 4, 8]}))


def test_png_holds_no_dates_or_versions():
    content = to_png(picture())
    assert b"tEXt" not in content
    assert b"matplotlib" not in content


def test_resolution():
    content = to_png(picture())
    metres = content[content.index(b"pHYs") + 4 :][:4]
    assert int.from_bytes(metres, "big") == round(DPI / 0.0254)


def refused(path, target):
    raise OSError("disk full")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="disk full"):
        save(picture(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_no_global_state_is_touched():
    before = dict(mpl.rcParams)
    to_png(picture())
    assert dict(mpl.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_threads_draw_what_one_thread_draws():
    codes = np.random.default_rng(1).normal(size=(50, 2))
    expected = to_png(latent_scatter(codes, np.arange(50) % 3))
    found = []
    work = [
        threading.Thread(
            target=lambda: found.append(to_png(latent_scatter(codes, np.arange(50) % 3)))
        )
        for _ in range(4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert found == [expected] * 4


def test_class_colours_are_ten_and_distinct():
    assert len(set(CLASS_COLOURS)) == 10
    assert isinstance(picture(), Figure)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.5, "−0.5"),
        (12345.678, "12,346"),
        (1e-8, "1e−8"),
        (2.5e-7, "2.5e−7"),
        (1e300, "1e300"),
        (float("nan"), "nan"),
        (-float("inf"), "−inf"),
        (None, "none"),
        (3, "3"),
        (1_797, "1,797"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-8, "10⁻⁸"), (5e-5, "5·10⁻⁵"), (0.01, "0.01"), (1e4, "10⁴")]
)
def test_power_of_ten(value, text):
    assert power_of_ten(value) == text

"""The report: one file, everything escaped, nothing fetched."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.plots import curve, image_grid, save, to_png
from vaekit.report import Table, build_report

ATTACK = "<script>alert('x')</script>\"&"
METRICS = [
    {"name": "ELBO", "VAE": -144.3, "PCA": None, "unit": "nats", "better": "higher"},
    {"name": "MSE", "VAE": 0.0378, "PCA": 0.0557, "better": "lower"},
    {"name": "k-NN", "VAE": 0.41, "PCA": 0.424},
]


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether tags are balanced."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def build(tmp_path):
    def run(**options):
        path = build_report(tmp_path / "report.html", **({"title": "digits"} | options))
        source = path.read_text(encoding="utf-8")
        return source, Page(source)

    return run


def full(**changes):
    figure = curve([1, 2], {"a": [1, 2]})
    return {
        "subtitle": "a run",
        "facts": {"seed": 0, "data": {"rows": 1797, "hidden": [256, 128]}, "device": None},
        "metrics": METRICS,
        "figures": [("Curve", "It rises.", figure)],
        "warnings": ["two dimensions are inactive"],
        "commands": ["vaekit train digits"],
        "tables": [Table("Sweep", ["name", "rate"], [["a", 1.25], ["b", None]], "All of it.")],
    } | changes


def test_order_of_the_page(build):
    _, page = build(**full())
    words = [w for w in page.words if w]
    order = [
        "digits",
        "a run",
        "Warning",
        "two dimensions are inactive",
        "Pictures",
        "Comparison",
        "Sweep",
        "Commands",
        "Provenance and settings",
    ]
    body = words[1:]
    places = [body.index(word) for word in order]
    assert places == sorted(places)
    assert [name for name, _ in page.tags].count("h1") == 1


def test_everything_is_escaped(build):
    source, page = build(
        title=ATTACK,
        subtitle=ATTACK,
        facts={ATTACK: ATTACK, "group" + ATTACK: {ATTACK: [ATTACK]}},
        metrics=[{"name": ATTACK, ATTACK: 1.0, "other" + ATTACK: 2.0, "unit": ATTACK}],
        figures=[(ATTACK, ATTACK, curve([1, 2], {"a": [1, 2]}))],
        warnings=[ATTACK],
        commands=[ATTACK],
        tables=[Table(ATTACK, [ATTACK], [[ATTACK]], ATTACK)],
    )
    assert "<script" not in source
    assert page.all("script") == []
    assert page.all("img")[0]["alt"] == f"{ATTACK}. {ATTACK}"
    assert "".join(page.words).count("<script>") >= 17


def test_nothing_is_fetched(build):
    source, page = build(**full())
    markup = re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert not re.search(r"//|file:|@import|url\(|srcset|href", markup)
    assert {name for name, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert all(img["src"].startswith("data:image/png;base64,") for img in page.all("img"))
    policy = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_pictures_are_inside_from_figures_files_and_bytes(build, tmp_path):
    figure = image_grid(np.eye(4)[None])
    path = save(figure, tmp_path / "a.png")
    content = to_png(figure)
    sources = [figure, path, str(path), content]
    _, page = build(figures=[(f"picture {i}", "seen", s) for i, s in enumerate(sources)])
    images = page.all("img")
    assert [base64.b64decode(i["src"].partition(",")[2]) for i in images] == [content] * 4
    assert [i["alt"] for i in images] == [f"picture {i}. seen" for i in range(4)]
    width = int.from_bytes(content[16:20], "big")
    assert images[0]["width"] == str(width * 100 // 160)


def test_wide_pictures_and_an_odd_one_take_a_row(build):
    wide, square = curve([1, 2], {"a": [1, 2]}), image_grid(np.eye(4)[None])
    wide.set_size_inches(9, 3)
    shown = [("a", "", square), ("b", "", wide), ("c", "", square), ("d", "", square)]
    _, page = build(figures=shown)
    assert [f["class"] for f in page.all("figure")] == ["half", "full", "half", "full"]


def test_cards_and_table_show_ours_beside_the_baseline(build):
    source, page = build(metrics=METRICS)
    assert [d["class"] for d in page.all("div") if d["class"].startswith("card")] == [
        "card",
        "card won",
        "card",
    ]
    assert "PCA 0.0557" in page.words
    assert '<td class="best num">0.0378</td><td' in source.replace("\n", "")
    assert '<td class="best num">0.424</td>' in source
    assert '<td class="num">none</td>' in source


def test_no_more_than_four_cards(build):
    rows = [{"name": f"m{i}", "VAE": i} for i in range(6)]
    source, _ = build(metrics=rows)
    assert source.count('class="card"') == 4
    assert source.count('scope="row"') == 6


def test_empty_parts_leave_no_headings(build):
    source, page = build()
    assert page.all("h2") == []
    assert page.all("details") == []
    assert "Warning" not in source


def test_facts_are_listed_in_groups(build):
    _, page = build(facts=full()["facts"])
    words = [w for w in page.words if w]
    assert words[words.index("rows") + 1] == "1,797"
    assert words[words.index("hidden") + 1] == "256, 128"
    assert words[words.index("device") + 1] == "none"


def test_same_content_gives_the_same_bytes(build):
    assert build(**full())[0] == build(**full())[0]


def test_light_dark_print_and_phone(build):
    source, page = build()
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 44rem"):
        assert rule in source
    assert {"lang": "en"} in page.all("html")
    assert any(m.get("name") == "viewport" for m in page.all("meta"))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"figures": [("a", "", b"GIF89a" * 9)]}, DataError, "a: not a PNG image"),
        ({"figures": [("a", "", "/no/such.png")]}, DataError, "a: the picture cannot be read"),
        ({"metrics": [{"VAE": 1.0}]}, ConfigError, "a metric needs a name"),
        ({"metrics": [{"name": "m", "VAE": np.nan}]}, DataError, r"m\.VAE: not finite"),
    ],
)
def test_bad_content_writes_nothing(tmp_path, options, error, match):
    with pytest.raises(error, match=match):
        build_report(tmp_path / "report.html", title="t", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_does_not_fit():
    with pytest.raises(ShapeError, match="Sweep, row 1: a row does not fit the columns"):
        Table("Sweep", ["a"], [[1], [1, 2]])

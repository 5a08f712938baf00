"""Every page for users does what it says: its code runs, its commands work, its lists are true."""

import importlib
import math
import pkgutil
import re
import shlex
import textwrap
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import vaekit.spec
from vaekit.cli import app
from vaekit.recipes import recipes

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = {"cli.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED),
]
BLOCK = re.compile(
    r"^(?P<indent> *)(?P<skip><!-- not run.*?-->\n\s*)?```(?P<language>\w*)\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
SHELLS = {"console", "bash"}


def blocks(text):
    """Language, line of the first line of code and code of every block that is to be run."""
    for match in BLOCK.finditer(text):
        if match["skip"] is None:
            line = text.count("\n", 0, match.start("body"))
            yield match["language"], line, textwrap.dedent(match["body"])


def commands(body):
    """The words after ``vaekit`` of each line that begins with it; a backslash continues it."""
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("vaekit "):
            yield shlex.split(line, comments=True)[1:]


def run_python(body, *, page, line, namespace):
    exec(compile("\n" * line + body, str(page), "exec"), namespace)


def run_commands(body, *, page, line):
    for words in commands(body):
        result = CliRunner().invoke(app, words)
        where = f"{page.name}, block at line {line + 1}: vaekit {shlex.join(words)}"
        assert result.exit_code == 0, f"{where}\n{result.output}\n{result.exception!r}"


@pytest.fixture
def own_registry(monkeypatch):
    """Parts that a page registers are forgotten after it; those of the package are all there."""
    for module in pkgutil.walk_packages(vaekit.__path__, "vaekit."):
        importlib.import_module(module.name)
    monkeypatch.setattr(vaekit.spec, "_registry", dict(vaekit.spec._registry))


@pytest.fixture
def quick(monkeypatch):
    """Coarse pictures, one thread, and no compilation, which a busy machine would seem to need."""
    monkeypatch.setattr(importlib.import_module("vaekit.plots.save"), "DPI", 30)
    monkeypatch.setattr("vaekit.training.policy.COMPILE_SECONDS", math.inf)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("own_registry", "quick")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for language, line, body in blocks(page.read_text(encoding="utf-8")):
        if language == "python":
            run_python(body, page=page, line=line, namespace=namespace)
        elif language in SHELLS:
            run_commands(body, page=page, line=line)


def test_blocks_are_found():
    text = (
        "1. In a list:\n\n   ```python\n   x = 1\n   ```\n\n"
        "<!-- not run: needs a network -->\n```bash\nvaekit train openml:mnist_784\n```\n\n"
        "```console\nmake demo\nvaekit train digits \\\n    --epochs 3  # quick\n```\n"
    )
    assert list(blocks(text)) == [
        ("python", 3, "x = 1\n"),
        ("console", 12, "make demo\nvaekit train digits \\\n    --epochs 3  # quick\n"),
    ]
    ((_, _, body),) = (block for block in blocks(text) if block[0] == "console")
    assert list(commands(body)) == [["train", "digits", "--epochs", "3"]]


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "quickstart.md", DOCS / "how-to.md"])
def test_the_pages_that_teach_have_code_to_run(page):
    languages = [language for language, _, _ in blocks(page.read_text(encoding="utf-8"))]
    assert "python" in languages
    assert SHELLS & set(languages)


@pytest.mark.parametrize(
    "role",
    ["prior", "posterior", "likelihood", "network", "model", "objective", "schedule", "baseline"],
)
def test_the_readme_lists_the_registered_parts(role, own_registry):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {role} \|(.*)\|$", text, re.MULTILINE)
    parts = vaekit.spec.registered(role)
    own = [name for name, part in parts.items() if part.__module__.startswith("vaekit.")]
    assert re.findall(r"`([\w-]+)`", row) == own


def test_the_readme_lists_the_recipes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| recipe \|(.*)\|$", text, re.MULTILINE)
    cards = recipes().items()
    own = [name for name, card in cards if card.make.__module__.startswith("vaekit.")]
    assert re.findall(r"`([\w-]+)`", row) == own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in t]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize(("page", "most"), [("README.md", 180), ("CONTRIBUTING.md", 60)])
def test_a_page_stays_short(page, most):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= most

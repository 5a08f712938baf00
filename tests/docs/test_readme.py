"""Every page for users does what it says: its code runs, its commands work, its lists are true."""

import re

import pytest
from tests.docs.pages import DOCS, PAGES, ROOT, SHELLS, Block, blocks, blocks_to_run, commands, run

import vaekit.spec
from vaekit.recipes import recipes


@pytest.mark.slow
@pytest.mark.usefixtures("own_registry", "quick")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, blocks_to_run(page.read_text(encoding="utf-8")), {"__name__": page.stem})


def test_blocks_are_found():
    text = (
        "1. In a list:\n\n   ```python\n   x = 1\n   ```\n\n"
        "<!-- not run: needs a network -->\n```bash\nvaekit train openml:mnist_784\n```\n\n"
        '```python title="src/vaekit/spec.py"\nx = 2\n```\n\n'
        "```console\nmake demo\nvaekit train digits \\\n    --epochs 3  # quick\n```\n"
    )
    assert list(blocks(text)) == [
        Block("python", 3, "x = 1\n", None, None),
        Block("bash", 8, "vaekit train openml:mnist_784\n", "needs a network", None),
        Block("python", 12, "x = 2\n", None, "src/vaekit/spec.py"),
        Block(
            "console",
            16,
            "make demo\nvaekit train digits \\\n    --epochs 3  # quick\n",
            None,
            None,
        ),
    ]
    first, last = blocks_to_run(text)
    assert first.body == "x = 1\n"
    assert list(commands(last.body)) == [["train", "digits", "--epochs", "3"]]


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "quickstart.md", DOCS / "how-to.md"])
def test_the_pages_that_teach_have_code_to_run(page):
    languages = [b.language for b in blocks_to_run(page.read_text(encoding="utf-8"))]
    assert "python" in languages
    assert SHELLS & set(languages)


@pytest.mark.parametrize(
    "role",
    [
        "prior",
        "posterior",
        "likelihood",
        "network",
        "corruption",
        "model",
        "objective",
        "schedule",
        "baseline",
    ],
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

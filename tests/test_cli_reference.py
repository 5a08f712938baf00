"""docs/cli.md says what the commands say."""

import importlib.util
import re
from pathlib import Path
from typing import Annotated

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def cli_reference():
    path = ROOT / "scripts" / "cli_reference.py"
    module_spec = importlib.util.spec_from_file_location("cli_reference", path)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def test_the_page_names_every_command_and_option(cli_reference):
    app = typer.Typer(help="All of it.")

    @app.command()
    def train(
        source: Annotated[str, typer.Argument(help="Where the data is.")],
        others: Annotated[list[str] | None, typer.Argument()] = None,
        beta: Annotated[float, typer.Option(help="Weight | of the rate.")] = 1.0,
        name: Annotated[str, typer.Option()] = ...,
        json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ):
        """Train a model.

        On anything.
        """

    @app.command(hidden=True)
    def secret():
        """Not shown."""

    page = cli_reference.reference(app)
    assert page.startswith("# Command line\n")
    assert "All of it." in page
    assert "## vaekit train\n\nTrain a model. On anything.\n" in page
    assert re.search(r"\| `source.*` \| Where the data is\. \[required\] \|", page)
    assert re.search(r"\| `--beta.*` \| Weight \\\| of the rate\. \[default: 1\.0\] \|", page)
    assert re.search(r"\| `--name.*` \| \[required\] \|", page)
    assert "| `--json` | One JSON object. |" in page
    assert "secret" not in page


@pytest.mark.skipif(
    importlib.util.find_spec("vaekit.cli") is None, reason="the command line is not built yet"
)
def test_the_committed_page_is_up_to_date(cli_reference):
    from vaekit.cli import app

    committed = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert committed == cli_reference.reference(app), (
        "run: python scripts/cli_reference.py > docs/cli.md"
    )

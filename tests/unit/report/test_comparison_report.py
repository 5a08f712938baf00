"""The table and the page of a comparison."""

import json

import pytest

from vaekit.metrics import MEASURES, blank_metrics
from vaekit.report import Measured, comparison_table, comparison_text, report_comparison


def row(name, *, likelihood="gaussian", each=(), is_run=True, notes=(), k=2, **values):
    given = blank_metrics(5) | values | {"notes": list(notes)}
    over = "seeds" if len(each) > 1 else "rows"
    facts = {"name": name, "seeds": list(range(len(each))), "over": over, "is_run": is_run}
    tables = [given | table for table in each] or [given]
    return {**given, **facts, "likelihood": likelihood, "latent_dim": k, "each": tables}


ROWS = [
    row(
        "vae",
        elbo=-3.0,
        elbo_error=0.25,
        log_marginal=-2.5,
        mse=0.2,
        each=[{"elbo": -3.25, "mse": 0.1}, {"elbo": -2.75, "mse": 0.3}],
    ),
    row("flat", elbo=-4.0, elbo_error=0.5, log_marginal=-3.5, mse=0.1),
    row("p|ca", is_run=False, likelihood=None, mse=0.3, notes=["no likelihoods"]),
]


def test_columns_are_the_metrics_that_any_row_has():
    table = comparison_table(ROWS)
    titles = {measure.key: measure.title for measure in MEASURES}
    assert [column.partition("\N{NO-BREAK SPACE}")[0] for column in table.columns] == [
        "model",
        "latent dim",
        "± over",
        *(titles[key] for key in ("elbo", "log_marginal", "mse")),
    ]
    assert [line[:3] for line in table.rows] == [
        ["vae", "2", "2 seeds"],
        ["flat", "2", "rows"],
        ["p|ca", "2", "rows"],
    ]
    assert [line[3] for line in table.rows] == [
        Measured(-3.0, 0.25, best=True),
        Measured(-4.0, 0.5),
        Measured(None),
    ]
    assert [line[5].best for line in table.rows] == [False, True, False]


def test_nats_of_different_likelihoods_have_no_best():
    rows = [ROWS[0], row("b", likelihood="bernoulli", elbo=-1.0, log_marginal=-1.0, mse=0.1)]
    table = comparison_table(rows)
    assert [line[3].best for line in table.rows] == [False, False]
    assert [line[5].best for line in table.rows] == [False, True]
    assert "nats of different likelihoods (bernoulli, gaussian)" in comparison_text(rows)
    assert "different likelihoods" not in comparison_text(ROWS)


def test_markdown():
    lines = comparison_text(ROWS).splitlines()
    assert lines[1] == "|---|---|---|--:|--:|--:|"
    assert lines[2] == "| vae | 2 | 2 seeds | **−3.00 ± 0.25** | **−2.5** | 0.2 |"
    assert lines[4] == "| p\\|ca | 2 | rows | \N{EN DASH} | \N{EN DASH} | 0.3 |"
    assert lines[-1] == "- p|ca: no likelihoods"


def test_files(tmp_path):
    page = report_comparison(ROWS, tmp_path / "new", command="vaekit compare a b")
    text = page.read_text()
    assert "2 models and 1 baseline on 5 held-out rows" in text
    assert '<td class="best num">−3.00 ± 0.25</td>' in text
    assert "p|ca: no likelihoods" in text
    assert "vaekit compare a b" in text
    assert json.loads((page.parent / "comparison.json").read_text())["rows"] == ROWS
    assert (page.parent / "comparison.md").read_text() == comparison_text(ROWS) + "\n"
    assert (page.parent / "comparison.png").read_bytes()[1:4] == b"PNG"


def test_rate_is_drawn_against_distortion_in_the_same_nats(tmp_path):
    measured = [row(n, rate=r, distortion=9.0 - r) for n, r in (("a", 1.0), ("b", 2.0))]
    page = report_comparison([*measured, ROWS[2]], tmp_path / "two").read_text()
    assert "Rate and distortion" in page
    assert (tmp_path / "two" / "rate-distortion.png").read_bytes()[1:4] == b"PNG"
    other = row("c", likelihood="bernoulli", rate=1.0, distortion=3.0)
    for name, rows in {"one": measured[:1], "mixed": [measured[0], other]}.items():
        assert "Rate and distortion" not in report_comparison(rows, tmp_path / name).read_text()


def test_a_table_with_more_metrics_than_models_is_turned(tmp_path):
    text = report_comparison(ROWS[:2], tmp_path).read_text()
    head = [
        "model</th>",
        '<th scope="col" class="num">vae</th>',
        '<th scope="col" class="num">flat',
    ]
    assert "\n".join(head) in text
    assert '<tr><td>± over</td>\n<td class="num">2 seeds</td>\n<td class="num">rows</td>' in text
    turned = comparison_table(ROWS).turned()
    assert turned.columns == ["model", "vae", "flat", "p|ca"]
    assert turned.rows[:2] == [
        ["latent dim", "2", "2", "2"],
        ["± over", "2 seeds", "rows", "rows"],
    ]
    assert turned.turned() == comparison_table(ROWS)


@pytest.mark.parametrize(("rows", "word"), [(7, "dense"), (1, None)])
def test_many_columns_are_set_closer(rows, word):
    from vaekit.report.tables import Table, table

    html = table(Table("t", [f"c{i}" for i in range(rows)], [list(range(rows))]))
    assert ('class="dense"' in html) == (word is not None)

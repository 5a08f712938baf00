"""One self-contained HTML page about a run."""

from vaekit.plots.metric import Metric
from vaekit.report.page import build_report
from vaekit.report.run_report import report_run
from vaekit.report.tables import Table

__all__ = ["Metric", "Table", "build_report", "report_run"]

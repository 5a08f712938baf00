"""Self-contained HTML pages: about runs, comparisons, searches and detectors."""

from vaekit.plots.metric import Metric
from vaekit.report.comparison_report import (
    comparison_table,
    comparison_text,
    report_comparison,
)
from vaekit.report.detection_report import report_detection, report_ranking
from vaekit.report.page import build_report
from vaekit.report.run_report import report_run
from vaekit.report.search_report import report_search
from vaekit.report.tables import Measured, Table, markdown

__all__ = [
    "Measured",
    "Metric",
    "Table",
    "build_report",
    "comparison_table",
    "comparison_text",
    "markdown",
    "report_comparison",
    "report_detection",
    "report_ranking",
    "report_run",
    "report_search",
]

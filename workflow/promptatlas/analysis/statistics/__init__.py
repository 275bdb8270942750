"""From a transfer table and a similarity table to effects, tests and intervals. Knows nothing of plots or pages."""

from promptatlas.analysis.statistics.analyse import COLUMNS, analyse
from promptatlas.analysis.statistics.summary import summary

__all__ = ["COLUMNS", "analyse", "summary"]

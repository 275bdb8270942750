"""From a transfer table and a similarity table to effects, tests and intervals. Knows nothing of plots or pages."""

from promptatlas.analysis.statistics.analyse import COLUMNS, analyse
from promptatlas.analysis.statistics.contrasts import contrast
from promptatlas.analysis.statistics.summary import summary
from promptatlas.analysis.statistics.together import explain

__all__ = ["COLUMNS", "analyse", "contrast", "explain", "summary"]

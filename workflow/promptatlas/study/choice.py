"""On which labelled images a study tries prompts, to find out how well a prompt can be chosen for a task by a few of its images.

Knows nothing of files, of jobs, of torch or of Snakemake.
"""

from collections.abc import Mapping
from typing import Any


class ChoiceOptions:
    """draws: seeds of the draws, which no prompt was trained with; shots: images per class, ascending. Both empty if nothing is tried.
    estimators: names of those that are computed from what the prompts make of the images of each draw and level."""

    def __init__(self, config: Mapping[str, Any]):
        wanted = config["choice"] or {"draws": 0, "shots": [], "estimators": []}
        first = max(config["seeds"]) + 1
        self.draws: tuple[int, ...] = tuple(range(first, first + wanted["draws"]))
        self.shots: tuple[int, ...] = tuple(sorted(wanted["shots"]))
        self.estimators: tuple[str, ...] = tuple(wanted["estimators"])

    def __bool__(self) -> bool:
        return bool(self.draws)

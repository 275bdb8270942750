"""What is answered for images without labels: the candidates in an order, and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.recommendation.candidates import CandidateFile, Found
from promptatlas.recommendation.clues import Clues
from promptatlas.recommendation.loose import Loose
from promptatlas.recommendation.without_labels import Kept

USE, KEEP = "use", "keep"


@dataclass(frozen=True)
class Order:
    """The candidates in an order that no label has seen.

    clue: the number that decides; kept: the book that a study kept of it, None where there is none; backbone, prompt, lines: as in
    `Recommendation`.
    """

    target: Loose
    found: Found
    clues: Clues
    clue: str
    kept: Kept | None
    backbone: Path | None
    prompt: Path | None = None
    lines: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """USE only where choosing so gained for sure on tasks whose truth is known: of these images nothing is known."""
        return USE if self.kept and self.kept.sure and self.ranked else KEEP

    @property
    def ranked(self) -> list[int]:
        """Numbers of the candidates, first who leads by the clue; who has none is not there."""
        values = self.clues.values.get(self.clue, np.empty(0))
        there = np.flatnonzero(np.isfinite(values))
        return [int(one) for one in there[np.argsort(-values[there], kind="stable")]]

    @property
    def leading(self) -> CandidateFile | None:
        return self.clues.files[self.ranked[0]] if self.ranked else None

    @property
    def chosen(self) -> CandidateFile | None:
        """The candidate to use; None where the zero-shot prompt is kept."""
        return self.leading if self.verdict == USE else None


def table(answer: Order) -> list[dict[str, Any]]:
    """A row per candidate, in order, with every clue; the one that decides comes first."""
    names = sorted(answer.clues.values, key=lambda name: name != answer.clue)
    rest = [number for number in range(len(answer.clues.files)) if number not in {*answer.ranked}]
    rows = []
    for number in [*answer.ranked, *rest]:
        file = answer.clues.files[number]
        about = {"method": file.method, "source": file.source, "seed": file.seed, "place": file.place, "file": file.called}
        rows.append(about | {name: _known(answer.clues.values[name][number]) for name in names})
    return rows


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

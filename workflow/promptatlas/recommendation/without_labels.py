"""How well rules that see no label chose on the tasks of the studies that the candidates come from (table `choice`), beside the choice by
as many labelled images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptatlas.analysis.choice.book import MEASURE
from promptatlas.base.messages import plain
from promptatlas.recommendation import record
from promptatlas.recommendation.candidates import Place
from promptatlas.recommendation.clues import STATIC_LIST
from promptatlas.recommendation.record import ALWAYS, Row

NUMBERS = ("shots", "n_tasks", "regret_1", "gain", "gain_low", "gain_high", "harmed")
DEFAULT = "est_information"


@dataclass(frozen=True)
class Kept:
    """The clue to go by, and the book that was kept of it: rows of the table `choice` for it, and those of the choice by trying on labels
    with the same methods, for every number of images. place: whose; rules: of how many clues it is the best there."""

    clue: str
    place: Place
    rows: tuple[Row, ...]
    labelled: Mapping[str, list[Row]]
    rules: int

    @property
    def sure(self) -> bool:
        """Whether it gained over the zero-shot prompt for sure, with every set of methods."""
        return all(float(row["gain_low"]) > 0 for row in self.rows)


def of(places: Sequence[Place], methods: Iterable[str], per_class: float, clues: Sequence[str]) -> Kept | None:
    """Of the first place that kept book of some of `clues` for these methods the one with the smallest regret, the mean over methods where
    these were judged apart. per_class: images. None where nobody kept book."""
    wanted = set(methods)
    for place in places:
        found = {clue: record.rows_of(place, ALWAYS | {"rule": _rule(clue)}, NUMBERS, wanted, per_class) for clue in clues}
        most = max(map(len, found.values()), default=0)
        regret = {clue: sum(float(row["regret_1"]) for row in rows) for clue, rows in found.items() if rows and len(rows) == most}
        if regret:
            best = min(regret, key=lambda clue: regret[clue])
            labelled = record.every_row_of(place, record.RULE, record.NUMBERS, wanted)
            return Kept(best, place, tuple(found[best]), labelled, len(regret))
    return None


def _rule(clue: str) -> str:
    return clue if clue == STATIC_LIST else f"{MEASURE}{clue}"


def lines(kept: Kept, title: str) -> list[str]:
    """How well the clue chose there, and how much worse than labels: a short line for each, below one that says where."""
    return [line for row in kept.rows for line in _told(kept, row, title)]


def _told(kept: Kept, row: Row, title: str) -> list[str]:
    value = {name: float(row[name]) for name in NUMBERS}
    best = f", the best of {kept.rules} such rules there," if kept.rules > 1 else ""
    told = [
        f"on the {value['n_tasks']:.0f} tasks of {plain(kept.place.name)}, each as if it were new ({record.titles(row)}), what leads by "
        f"{title}{best}",
        f"  gained {value['gain']:+.1f} points over the zero-shot prompt ({value['gain_low']:+.1f} to {value['gain_high']:+.1f}, 95 %)",
        f"  lost more than a point in {100 * value['harmed']:.0f} % of cases",
    ]
    labelled = sorted(kept.labelled.get(row["method"], ()), key=lambda one: float(one["shots"]))
    if not labelled:
        return told
    shots, gains = [
        ", ".join(each) for each in zip(*[(f"{float(one['shots']):.0f}", f"{float(one['gain']):+.1f}") for one in labelled], strict=True)
    ]
    ahead = round(value["gain"] - float(labelled[-1]["gain"]), 1)
    beside = f"{abs(ahead):.1f} points {'better than' if ahead > 0 else 'worse than'}" if ahead else "as good as"
    count = "1 labelled image" if shots == "1" else f"up to {shots} labelled images"
    return [
        *told,
        f"  with {count} per class the choice gained {gains}: without labels it is {beside} with {float(labelled[-1]['shots']):.0f}",
    ]

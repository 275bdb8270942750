"""Reports without scripts: the shell that all of them have, and what each says of the tasks. Knows nothing of any one study."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.words import method_title, way_title
from promptatlas.runs.largest_class import SAME
from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.tasks import metrics
from promptatlas.tasks.halves import whole_of

FOLDER = Path(__file__).parent
FEW = 5
HOLE = '<a class="hole" href="#holes">failed</a>'
CARE = (
    "Published numbers come from the authors’ own runs, which crop and flip the training images at random and compute in half "
    "precision; here every image is seen as it is, in single precision. They are marked as published and never enter a measured "
    "number. Where other settings than this study’s are known, they stand beside them."
)
ONE_SEED = "With one seed they have no interval: what all tasks of a seed have in common cannot be told from it."
DERIVED = "† The mean or harmonic mean of published scores, not itself published."
HOLES = "All other results are what they would be without these. The same command tries these again and nothing else."


@dataclass(frozen=True)
class Section:
    """name: the address within the page; content: HTML below the title."""

    name: str
    title: str
    content: str

    def html(self) -> str:
        head = f'<section id="{self.name}" aria-labelledby="{self.name}-title"><h2 id="{self.name}-title">{escape(self.title)}</h2>'
        return f"{head}{self.content}</section>"


def write(
    title: str,
    lead: str,
    sections: Sequence[Section],
    tasks: pd.DataFrame,
    config: Mapping,
    summary: Mapping,
    path: Path,
) -> None:
    """Write the page at `path`: the sections, and below them the table `tasks` and the resolved configuration."""
    page = (FOLDER / "static.html").read_text(encoding="utf-8")
    study = Section(
        "study",
        "The study",
        f'{_odd(tasks)}<div class="scroll">{_tasks(tasks, summary)}</div>'
        f"<details><summary>Configuration</summary><pre>{escape(json.dumps(config, indent=1))}</pre></details>",
    )
    every = [*sections, *_holes(summary["holes"], titles(tasks)), study]
    parts = {
        "{{style}}": (FOLDER / "page.css").read_text(encoding="utf-8"),
        "{{title}}": escape(title),
        "{{lead}}": escape(lead),
        "{{links}}": "".join(f'<a href="#{one.name}">{escape(one.title)}</a>' for one in every),
        "{{warnings}}": _warnings(summary, titles(tasks)) + _cautions(summary, titles(tasks)),
        "{{sections}}": "".join(one.html() for one in every),
    }
    for mark, content in parts.items():
        page = page.replace(mark, content)
    Path(path).write_text(page, encoding="utf-8")


def _holes(holes: Sequence[Mapping], titles: Mapping[str, str]) -> list[Section]:
    """What could not be computed, if anything: records of `statistics.holes`."""
    if not holes:
        return []
    parts = [f'<p class="warning">{escape(one["reason"])}</p><p class="words">{_kept_back(one["results"], titles)}</p>' for one in holes]
    return [Section("holes", "What could not be computed", f'<p class="words">{HOLES}</p>{"".join(parts)}')]


def _kept_back(results: Iterable[Mapping], titles: Mapping[str, str]) -> str:
    """One line per method and prompt, with its tasks and their seeds."""
    lines: dict[str, list[str]] = {}
    for one in results:
        prompt = f"the prompt of {titles[one['prompt']]}" if one["prompt"] in titles else one["prompt"] and way_title(one["prompt"])
        seeds = f" (seed {', '.join(map(str, one['seeds']))})" if one["seeds"] else ""
        lines.setdefault(method_title(one["method"]) + (f", {prompt}" if prompt else ""), []).append(titles[one["task"]] + seeds)
    return "<br>".join(f"{escape(name)}: {escape(', '.join(tasks))}" for name, tasks in lines.items())


def counted(measured: int, every: int, what: str) -> str:
    """How many there are, and of how many where not all were measured: "4 of 5 tasks", "1 seed"."""
    return f"{measured if measured == every else f'{measured} of {every}'} {what if every == 1 else what + 's'}"


def titles(tasks: pd.DataFrame) -> dict[str, str]:
    """Titles of the tasks; a whole task is called as its parts without their ending."""
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    return titles | {whole_of(name): title.removesuffix(", base classes") for name, title in titles.items() if "@base" in name}


def _warnings(summary: Mapping, titles: Mapping[str, str]) -> str:
    return "".join(
        f'<p class="warning" role="note"><strong>{escape(titles.get(one["task"], one["task"]))}</strong> scores '
        f"{100 * one['measured']:.1f} zero-shot, {100 * one['expected']:.1f} is expected ({escape(one['reference'])}): look at "
        "its pictures, class names and weights before trusting its numbers.</p>"
        for one in summary["zero_shot_check"]
        if one["warning"]
    )


def _cautions(summary: Mapping, titles: Mapping[str, str]) -> str:
    """One line per kind of what makes scores worth less than they look, with the tasks it is about."""
    below = [one for one in summary.get("largest_class", ()) if one["none_above"]]
    pairs = dict.fromkeys(frozenset((one["source"], one["target"])) for one in summary.get("shared_images", ()))
    lines = {
        "No prompt scores more than always answering the largest class does": [
            f"{titles[one['task']]} ({'; '.join([percent(one['score']) + ' %', *_plain(one['remedy'])])})" for one in below
        ],
        "Tasks that share images": [" and ".join(sorted(titles[name] for name in pair)) for pair in pairs],
        "Data that need a look": [titles[one["task"]] for one in summary.get("odd_data", ())],
    }  # fmt: skip
    more = {what: f" and {len(which) - FEW} more" if len(which) > FEW else "" for what, which in lines.items()}
    return "".join(
        f'<p class="warning" role="note">{what}: {escape(", ".join(which[:FEW]))}{more[what]}.</p>'
        for what, which in lines.items()
        if which
    )


def _plain(remedy: str) -> list[str]:
    """What helps, if anything does, without the marks of code."""
    return [remedy.replace("`", "")] if remedy else []


def largest_classes(summary: Mapping) -> dict[str, float]:
    """By task what always answering its largest class scores."""
    return {one["task"]: one["score"] for one in summary.get("largest_class", ())}


def below(value: float | None, blind: float | None) -> str:
    """The mark of a score that is no better than always answering the largest class."""
    if value is None or blind is None or not np.isfinite(value) or value > blind + SAME:
        return ""
    return f'<sup title="no better than always answering the largest class ({percent(blind)} %)">▽</sup>'


def _tasks(tasks: pd.DataFrame, summary: Mapping) -> str:
    probes = {one["task"]: one["linear_probe"] for one in summary["zero_shot_check"]}
    head = ("task", "classes", "test pictures", "metric", "chance", "largest class", "zero-shot", "linear probe", "split")
    rows = (
        [
            row.title, str(row.classes), str(row.n_test), metrics.title(row.metric), percent(row.chance),
            percent(getattr(row, LARGEST_CLASS, None)), percent(row.zero_shot),
            percent(probes.get(row.task)), row.split_source,
        ]
        for row in tasks.itertuples()
    )  # fmt: skip
    return table(head, ([escape(text) for text in row] for row in rows), numeric={1, 2, 4, 5, 6, 7})


def _odd(tasks: pd.DataFrame) -> str:
    """What is odd about the data of a task, one paragraph each; tables of earlier versions say nothing of it."""
    rows = tasks[tasks["notes"] != ""].itertuples() if "notes" in tasks else ()
    return "".join(f'<p class="words"><strong>{escape(row.title)}</strong>: {escape(row.notes)}.</p>' for row in rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Collection[int]) -> str:
    """A table of cells that are HTML already; columns `numeric` stand to the right."""
    kind = [' class="n"' if column in numeric else "" for column in range(len(head))]
    top = "".join(f'<th{one} scope="col">{name}</th>' for one, name in zip(kind, head, strict=True))
    body = "".join(f"<tr>{''.join(f'<td{one}>{cell}</td>' for one, cell in zip(kind, row, strict=True))}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def score(value: float | None) -> str:
    """A score that should be there, in percent."""
    return percent(value) or HOLE


def percent(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference with its sign, a true minus, and none for a rounded zero."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:+.1f}"
    return (text if float(text) else "0.0").replace("-", "−")


def interval(one: Mapping) -> str:
    """`low` and `high` of a difference."""
    return "–" if one["low"] is None else f"{points(one['low'])} to {points(one['high'])}"


def intervals(comparison: Mapping, words: str) -> str:
    """What is to be said of the intervals of a dict of `statistics.methods.compare`: `words`, or why there are none."""
    return words if comparison["n_seeds"] > 1 else ONE_SEED

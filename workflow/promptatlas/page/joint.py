"""The section of reports on shared prompts (MVLPT, Table 2). Knows nothing of how the numbers were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from promptatlas.page import static
from promptatlas.statistics.views import method_title, way_title

WORDS = (
    "Targets of a group share one prompt, and a prompt may start from one that was tuned on many tasks. Each way to have a "
    "prompt stands beside the target’s own prompt tuned from scratch: the same task, the same few pictures, the same seed."
)


def section(joint: Sequence[Mapping], titles: Mapping[str, str]) -> static.Section:
    """joint: records of `statistics.joint.compare_joint`; titles: of tasks by name."""
    content = [f'<p class="words">{WORDS} {_care(joint[0])}</p>']
    for one in joint:
        content.append(f"<h3>{escape(method_title(one['method']))}</h3><p class='words'>{escape(_groups(one, titles))}</p>")
        head = ("prompt", "mean score, %", "over its own from scratch, points", f"{100 * one['level']:.0f} % interval", "better on")
        rows = [
            [
                escape(way_title(way["method"])), static.percent(way["mean"]), static.points(way["difference"]),
                static.interval(way), "–" if way["better_on"] is None else f"{way['better_on']} of {one['n_tasks']}",
            ]
            for way in one["methods"]
        ]  # fmt: skip
        content.append(f'<div class="scroll">{static.table(head, rows, numeric={1, 2, 3, 4})}</div>')
    return static.Section("joint", "Shared prompts", "".join(content))


def _care(one: Mapping) -> str:
    among = "among the classes of all these tasks" if one["classes"] == "union" else "among the classes of its own task"
    return f"While a prompt is shared, a picture is judged {among}."


def _groups(one: Mapping, titles: Mapping[str, str]) -> str:
    if not one["groups"]:
        return "No tasks share a prompt."
    named = "; ".join(", ".join(titles.get(task, task) for task in group) for group in one["groups"])
    shared, every = sum(map(len, one["groups"])), one["n_tasks"] + len(one["tasks_left_out"])
    left = len(one["tasks_left_out"])
    without = f" {left} {'is' if left == 1 else 'are'} left out below, since a prompt has no score there." if left else ""
    return f"{shared} of {every} tasks share a prompt with others: {named}.{without}"

"""What people read in place of names that tables have: one list for pages, figures and captions.

Methods, metrics, measures and protocols bring their own words, in their registries; what is registered from outside has no place here.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from promptatlas import methods
from promptatlas.analysis.statistics.scales import PRIMARY
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.evaluation import estimates, similarity
from promptatlas.study.protocols import FROZEN, PROTOCOLS
from promptatlas.tasks import metrics

ROWS = {
    "largest_class": "always the largest class",
    "scratch": "untuned prompt",
    "template": "zero-shot (hand-written)",
    "shuffled": "shuffled labels",
    "multitask": "all other tasks together",
    "multitask_all": "all tasks together",
    "multitask_of": "source tasks together",
    "multitask_averaged": "all other tasks together (mean of seeds)",
    "multitask_all_averaged": "all tasks together (mean of seeds)",
    "multitask_of_averaged": "source tasks together (mean of seeds)",
}
STARTS = {
    "multitask": "a prompt of other tasks",
    "multitask_all": "a prompt of all tasks",
    "multitask_of": "a prompt of the source tasks",
    "multitask_averaged": "a prompt of other tasks (mean of all seeds)",
    "multitask_all_averaged": "a prompt of all tasks (mean of all seeds)",
    "multitask_of_averaged": "a prompt of the source tasks (mean of all seeds)",
}
ADAPTATIONS = {"single": "its own", "joint": "its group’s"}
PARTS = {
    "target": "how easy the target is",
    "source": "how much the source gives",
    "relationship": "who helps whom",
    "seed": "seed noise",
}
CONTROLS = {"ctrl_static": "best on average for the other targets", "ctrl_random": "random source"}
RESPONSES = {PRIMARY: "gain in log odds", "raw": "raw score"}


def method_title(method: str) -> str:
    """A method as its paper writes it."""
    known = methods.words().get(method)
    return known["title"] if known else method


def measure_title(measure: str) -> str:
    """A similarity measure, with its name; one that is given beside a matrix has its name alone."""
    return f"{similarity.lookup(measure).title} ({measure})" if measure in similarity.MEASURES else measure


def row_title(protocol: str, row: str) -> str:
    """A row beside the tasks; where prompts are tuned on the target, the row `scratch` is so too."""
    return row_titles(protocol).get(row, row)


def row_titles(protocol: str) -> dict[str, str]:
    own = PROTOCOLS[protocol].scratch
    return ROWS | ({"scratch": own} if own else {})


def way_title(way: str) -> str:
    """A way to have a prompt, as `statistics.joint.compare_joint` calls it."""
    source, _, adaptation = way.rpartition(" ")
    if adaptation == FROZEN.name:
        return f"{STARTS[source]} as it is"
    return ADAPTATIONS[adaptation] + (f", from {STARTS[source]}" if source else ", from scratch")


def every() -> dict[str, Any]:
    """All of them by kind and name, for a page that finds its words by names."""
    return {
        "methods": methods.words(),
        "metrics": {name: {"title": one.title} for name, one in metrics.METRICS.items()},
        "measures": {
            name: {"title": one.title, "description": one.description, "family": one.family} for name, one in similarity.MEASURES.items()
        },
        "estimators": {name: {"title": one.title} for name, one in estimates.ESTIMATORS.items()},
        "protocols": {
            name: {"title": one.title, "tunes": one.tunes, "row_titles": row_titles(name), "parts": PARTS | {**one.parts}}
            for name, one in PROTOCOLS.items()
        },
        "views": {name: asdict(view) for name, view in VIEWS.items()},
        "controls": CONTROLS,
    }

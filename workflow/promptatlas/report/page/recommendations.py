"""The page of recommendations: for each target what to do, how its best candidates did, and what is to be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptatlas.analysis.words import method_title
from promptatlas.report.page.markup import Section, part, render, table

QUESTION = "Which prompt for these images?"


def page(study: str, answers: Mapping[str, Mapping[str, Any]]) -> str:
    """answers: by target what `recommendation.json` says."""
    used = sum(told["verdict"] == "use" for told in answers.values())
    lead = f"{study}: {len(answers)} targets, for {used} of which a prompt of another task is to be used as it is."
    sections = [Section("all", "All targets", "words_and_table.html", {"words": [], "table": _all(answers)})]
    sections += [
        Section(f"target-{number}", target, "recommendation.html", _one(told)) for number, (target, told) in enumerate(answers.items())
    ]
    return str(render("static.html", style=part("page.css"), title=QUESTION, lead=lead, off=[], cautions=[], sections=sections))


def _all(answers: Mapping[str, Mapping[str, Any]]) -> Any:
    rows = [
        (
            target, told["verdict"].replace("_", " "), _called(told["leading"]), _percent(told["hand_written"]),
            *(_points((told["leading"] or {}).get(name)) for name in ("expected_gain", "low", "high")),
            str(sum(told["target"]["images"].values())),
        )
        for target, told in answers.items()
    ]  # fmt: skip
    return table(("target", "verdict", "leading prompt", "zero-shot", "gain", "low", "high", "images"), rows, {3, 4, 5, 6, 7})


def _one(told: Mapping[str, Any]) -> dict[str, Any]:
    tuning = told["tuning"]
    tuned = [f"tuning: {tuning.get('says') or tuning['winner'] + ' is best on validation images'}"] if tuning else []
    prompt = [f"the prompt lies beside recommendation.json as {told['prompt']}"] if told["prompt"] else []
    return {"says": told["says"], "words": [*told["doubts"], *tuned, *prompt, *told["record"], *told["target"]["notes"]]}


def _called(leading: Mapping[str, Any] | None) -> str:
    return f"{method_title(leading['method'])}, {leading['source']}, seed {leading['seed']}" if leading else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _points(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f}"

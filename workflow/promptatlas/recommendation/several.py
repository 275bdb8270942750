"""The answers of a study with `design: recommend`: each target's own, and all of them as one table and page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from promptatlas.base.files import replace
from promptatlas.base.progress import Say
from promptatlas.recommendation.answer import recommend
from promptatlas.recommendation.targets import Targets
from promptatlas.report.page import recommendations
from promptatlas.runs import devices, tables

OF_A_CANDIDATE = ("method", "source", "seed", "place", "file", "score", "expected_gain", "low", "high", "helps", "best")


def answer(targets: Targets, target: str, threads: int, say: Say) -> None:
    """Write what is recommended for one target to its folder."""
    asked, about = targets.asked, dict(targets.described[target])
    found = recommend(
        about or None,
        asked["from"],
        task=target,
        shots=asked["shots"],
        seed=asked["seed"],
        tune=asked["tune"],
        data_root=targets.config["data_root"],
        output=targets.folder(target),
        device=devices.chosen(targets.config["device"], threads),
        say=say,
    )
    for line in found.lines:
        say(line)


def conclude(targets: Targets) -> None:
    """Write the table `recommendation`, a row per target, and the page."""
    answers = {target: json.loads(path.read_text()) for target, path in zip(targets.described, targets.answers, strict=True)}
    tables.save(pd.DataFrame([row(target, told, targets.folder(target)) for target, told in answers.items()]), targets.tables)
    replace(targets.paths.report, recommendations.page(targets.config["study"], answers).encode())


def row(target: str, told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """target, verdict and what the leading candidate did; scores and gains are shares of 1. prompt: the file to use, if any."""
    leading, tuning = told["leading"] or {}, told["tuning"] or {}
    return {
        "target": target,
        "verdict": told["verdict"],
        "says": told["says"],
        **{name: leading.get(name) for name in OF_A_CANDIDATE},
        "hand_written": told["hand_written"],
        "metric": told["target"]["metric"],
        "images": sum(told["target"]["images"].values()),
        "candidates": told["candidates"],
        "tuned": tuning.get("winner"),
        "prompt": str(folder / told["prompt"]) if told["prompt"] else None,
    }

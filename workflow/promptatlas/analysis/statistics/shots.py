"""Several finished studies that differ in the number of images per class, in one table."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.paper_protocols import MEASURED, PUBLISHED
from promptatlas.analysis.statistics.joint import SINGLE
from promptatlas.analysis.statistics.methods import BASE
from promptatlas.base.errors import UserError
from promptatlas.study.schema import usual

COLUMNS = (
    "study", "shots", "prompt", "method", "base", "mean", "difference", "low", "high", "better_on", "n_pairs", "n_tasks", "n_seeds",
    "precision", "origin", "form", "reference", "note",
)  # fmt: skip
HERE = {"origin": MEASURED, "form": "", "reference": "", "note": ""}


def table(folders: Sequence[str | Path]) -> pd.DataFrame:
    """One row per study, pair of methods (`method` minus `base`) and, for ways to share prompts, prompt method; a difference
    rests on `n_pairs` pairs of scores of the same task and seed.

    folders: results of finished studies. `mean` is 0..1; `difference`, `low` and `high` are points of 100. `prompt` is empty
    where whole methods are compared; `base` is empty in a row that holds a mean alone. `origin` is `measured`, or `published`
    in rows with the mean that `reference` printed for its `form` of the method; `note` says what differs there.
    """
    studies = {Path(folder): _summary(Path(folder)) for folder in folders}
    _same(studies)
    rows = [
        {"study": folder.name, "shots": summary["shots"][0], "n_tasks": one["n_tasks"], "n_seeds": one["n_seeds"]}
        | HERE
        | {"precision": precision(folder)}
        | row
        for folder, summary in studies.items()
        for prompt, one in [("", summary["comparison"]), *((joint["method"], joint) for joint in summary["joint"])]
        for row in _rows(prompt, one)
    ]
    rows += [row for folder, summary in studies.items() for row in _published(folder.name, summary)]
    order = ["prompt", "base", "method", "shots", "origin", "form"]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(order, ignore_index=True)


def _published(study: str, summary: dict) -> list[dict]:
    """The means that others printed for what the study measures; a matrix has none."""
    about = {"study": study, "shots": summary["shots"][0], "prompt": "", "base": "", "origin": PUBLISHED}
    about |= {"n_tasks": summary["comparison"]["n_tasks"], "n_seeds": 0, "precision": ""}
    names = ("method", "form", "reference", "note")
    return [about | {"mean": one["score"]} | {key: one[key] for key in names} for one in summary.get("published_means", [])]


def precision(folder: Path) -> str:
    """In which a finished study computed."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return usual("precision")
    return str(config.get("precision", usual("precision"))) if isinstance(config, dict) else usual("precision")


def mixed(found: pd.DataFrame) -> str:
    """A sentence on studies that computed in several precisions; empty if all did in one."""
    own = found.loc[found["precision"] != ""].groupby("precision")["study"].unique()
    told = "; ".join(f"{', '.join(studies)} in {name}" for name, studies in own.items())
    return f"these studies computed in several precisions ({told}): differences between them are also of these" if len(own) > 1 else ""


def _rows(prompt: str, comparison: dict) -> list[dict]:
    means = {one["method"]: one["mean"] for one in comparison["methods"]}
    alone = {"difference": None, "low": None, "high": None, "better_on": None}
    rows = [{"prompt": prompt, "method": name, "base": "", "mean": mean, **alone} for name, mean in means.items()]
    for pair in comparison["pairs"]:
        for method, base, sign in ((pair["better"], pair["worse"], 1), (pair["worse"], pair["better"], -1)):
            low, high = (None if pair[end] is None else sign * pair[end] for end in ("low", "high")[::sign])
            difference = None if pair["difference"] is None else sign * pair["difference"]
            known = {"prompt": prompt, "method": method, "base": base, "mean": means[method]}
            known |= {name: pair[name] for name in ("n_pairs", "n_tasks", "n_seeds") if name in pair}  # earlier studies do not say
            better = pair["better_on"] if sign == 1 else None  # tasks on which both are equal are nobody's
            rows.append(known | {"difference": difference, "low": low, "high": high, "better_on": better})
    return rows


def _summary(folder: Path) -> dict:
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"{path} cannot be read; name folders of finished studies, such as results/mini") from None
    if not isinstance(summary, dict) or not summary.get("comparison"):
        raise UserError(f"{path} compares no methods; name studies of the designs matrix or few_shot")
    return summary


def _same(studies: dict[Path, dict]) -> None:
    """UserError where studies were measured on other tasks than the first, which would be compared with them."""
    first, *others = studies
    tasks = {folder: set(summary["comparison"]["methods"][0]["by_task"]) for folder, summary in studies.items()}
    for other in others:
        if different := sorted(tasks[first] ^ tasks[other]):
            for folder in (first, other):
                if different[0] in studies[folder]["comparison"].get("tasks_left_out", ()):
                    raise UserError(
                        f"{first} and {other} cannot be compared: in {folder} a method has no score of {different[0]}; run that study "
                        "again, or both without the task"
                    )
            raise UserError(f"{first} and {other} have different tasks ({different[0]} is in one alone); compare others")


def baselines(found: pd.DataFrame) -> pd.DataFrame:
    """The rows beside what each is usually held against: zero-shot, or a task's own prompt from scratch."""
    base = np.where(found["prompt"] == "", BASE, SINGLE)
    return found[(found["base"] == base) & (found["method"] != base)]


def published_gains(found: pd.DataFrame) -> pd.DataFrame:
    """The published rows with their mean's `difference` in points from the zero-shot mean that their study measured."""
    alone = found[(found["base"] == "") & (found["prompt"] == "")]
    measured = alone[(alone["method"] == BASE) & (alone["origin"] == MEASURED)].set_index("study")["mean"]
    printed = alone[alone["origin"] == PUBLISHED]
    return printed.assign(difference=100 * (printed["mean"] - printed["study"].map(measured).astype(float)))

"""Names that break pages and files which take them as they are: long ones, other scripts, marks that mean something to some program."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import promptatlas
from browser import CONFIG
from promptatlas.analysis import statistics
from promptatlas.analysis.statistics import few_shot as comparison
from promptatlas.report import page
from promptatlas.report.page import few_shot, recommendations
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, cells, similarity_table, task_names, tasks_table, transfer_table, tuning_table

LONG = ("A name of two hundred letters that goes on and on " * 4).strip().ljust(200, "!")
NAMES = (
    LONG,
    "x" * 200,
    "日本語の題名がとても長い場合でも読めること",
    "🐈‍⬛ cats, 🏳️‍🌈 flags",
    "صور الزهور والنباتات",
    "עברית (v2), mixed",
    "$x_1^2$ costs $5",
    "</script><script>document.title='owned'</script>",
    "a & b < c > \"d\" 'e'",
    "100 %_of | pipes \\ {braces} #1 ~ ^",
    "[link](x) *b* `c` <i>d</i>",
    "=1+1, with a comma",
)
WHY = "source prompt failed: </script> the loss <is> not a number & $never$ was"


def titles(n: int) -> list[str]:
    """Of `n` tasks, each different."""
    return [NAMES[index] if index < len(NAMES) else f"{NAMES[index % len(NAMES)][:60]} {index}" for index in range(n)]


def hostile_study(n=12, methods=("coop", "vpt"), seeds=(1, 2, 3), protocols=("frozen",), classes=0) -> tuple[dict, dict, list[dict]]:
    """Tables, summary and cells of a study of which tasks, families and classes have such names, with cells failed and missing.

    classes: of the first task, where more than it has.
    """
    transfer, tasks, similarity = transfer_table(n, methods, seeds, protocols).assign(failed=""), tasks_table(n), similarity_table(n)
    tasks["title"] = titles(n)
    tasks["family"] = [("objects", "日本", "a & <b>", LONG)[index % 4] for index in range(n)]
    names = task_names(n)
    failed = (transfer["source"] == names[1]) & (transfer["target"] == names[2])
    transfer.loc[failed, ["score", "failed"]] = [np.nan, WHY]
    transfer = transfer[~((transfer["source"] == names[2]) & (transfer["target"] == names[0]))].reset_index(drop=True)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(n, methods, seeds)}
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    measured = cells(transfer[transfer["failed"] == ""], tasks)
    for cell in measured:
        if cell["target"] == names[0]:
            cell["per_class"] = {f"{NAMES[index % len(NAMES)]} {index}": 0.5 for index in range(max(classes, len(NAMES)))}
    return tables, statistics.summary(transfer, similarity, table, tasks, permutations=9), measured


def study_page(path: Path, n=12, **changes) -> Path:
    tables, summary, measured = hostile_study(n, **changes)
    page.write(tables, CONFIG, measured, path, summary)
    return path


def analysed_page(folder: Path) -> Path:
    """The page of `promptatlas analyse` of two matrices, without the static figures, which take most of the time."""
    rng = np.random.default_rng(0)
    one = pd.DataFrame(rng.uniform(size=(len(NAMES), len(NAMES))), NAMES, NAMES)
    one.iloc[2, 3] = np.nan
    near = pd.DataFrame(rng.normal(size=one.shape), NAMES, NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promptatlas.report.any_matrix.figures.draw", lambda *_: ([], []))
        promptatlas.analyse({"ours": one, LONG: 1 - one}, {"close $_$": near}, output=folder, permutations=9)
    return folder / "report.html"


def few_shot_page(path: Path) -> Path:
    tasks, transfer = tasks_table(5).assign(title=NAMES[6:11]), transfer_table(5).assign(failed="")
    transfer = transfer[(transfer["source"] == transfer["target"]) | transfer["source"].isin(["scratch", "template"])]
    transfer.loc[(transfer["method"] == "vpt") & (transfer["source"] == "task_01"), ["score", "failed"]] = [np.nan, WHY]
    baselines = baselines_table(tasks).assign(failed="")
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, path)
    return path


def recommendation_page(path: Path) -> Path:
    leading = {"method": "coop", "source": LONG, "seed": 1, "expected_gain": 0.031, "low": 0.004, "high": 0.052}
    told = {
        "says": f"Use the prompt of {LONG}.", "doubts": [WHY], "record": ["It did well on 12 tasks."], "tuning": None,
        "prompt": "prompt.safetensors",
        "target": {"images": {"a": 4, "b": 4}, "notes": [NAMES[4]]}, "leading": leading, "hand_written": 0.52,
    }  # fmt: skip
    verdicts = ("use", "keep_hand_written")
    path.write_text(recommendations.page(NAMES[7], {name: told | {"verdict": verdicts[k % 2]} for k, name in enumerate(NAMES)}))
    return path

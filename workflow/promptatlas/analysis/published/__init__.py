"""Transfer matrices and tables that others have printed.

`mvlpt_fig4.csv` is figure 4 of MVLPT: 20 ELEVATER tasks, CLIP ViT-B/16, 20 images per class, prompts used unchanged
(our protocol "frozen"). Its scale is the share of the best score in the target's column, own prompt included. The
numbers were read off the printed colours; which seeds they average is not known. The authors' code scores hateful-memes
by accuracy and voc-2007-classification on raw logits, where ELEVATER takes the ROC AUC and softmax probabilities.

`mvlpt_table2.csv` is its table 2 on the same tasks: prompts tuned on each task alone or jointly, from scratch or from a prompt of all
tasks.

`protocols.csv` holds base-to-new, cross-dataset and domain generalisation, `few_shot.csv` means over benchmarks; what is known
of them is said there, and in `settings.yaml` with which settings they were measured.
"""

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.study.designs import FewShot
from promptatlas.tasks.catalogue.benchmarks import BENCHMARKS

SOURCE = "Shen et al., Multitask Vision-Language Prompt Tuning, WACV 2024, arXiv 2211.11720, figure 4"
PRECISION = 0.01
TABLE2_SOURCE = "Shen et al. 2024 (MVLPT), Table 2"
TABLE2_WEIGHTS = "ViT-B-16/openai"
TABLE2_SHOTS = 20
AVERAGE = "average"
PROTOCOL_WEIGHTS = "ViT-B-16/openai"
PROTOCOL_SHOTS = 16


@cache
def _table() -> pd.DataFrame:
    return read(Path(__file__).parent / "mvlpt_fig4.csv", ("method", "source", "target"), "ratio", 1.0)


def read(path: Path, names: Sequence[str], number: str, most: float) -> pd.DataFrame:
    """A table of printed numbers from 0 to `most` in the column `number`, with the texts `names` beside each.

    Raises UserError for a file that is none, or that says two numbers of the same.
    """
    try:
        table = pd.read_csv(path, comment="#", dtype=dict.fromkeys(names, str) | {number: float}, keep_default_na=False)
        sound = table[number].between(0, most).all() and not table[list(names)].duplicated().any() and len(table)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(f"{path} cannot be read as a table of printed numbers ({plain(error)}); restore the file") from None
    if not sound:
        raise UserError(
            f"{path} says nothing, or two numbers of the same, or a number outside 0 to {most:g} under `{number}`; restore the file"
        )
    return table


def methods() -> tuple[str, ...]:
    """The methods for which there is a printed matrix."""
    return tuple(_table()["method"].unique())


def fig4(method: str) -> pd.DataFrame:
    """The printed matrix of `method`: 20 sources (rows) by 20 targets (columns), ratios 0..1."""
    table = _table()
    rows = table[table["method"] == method]
    if rows.empty:
        raise UserError(f"Figure 4 of MVLPT has no method {method!r}; it has {', '.join(methods())}.")
    names = list(dict.fromkeys(rows["source"]))
    return rows.pivot(index="source", columns="target", values="ratio").reindex(index=names, columns=names)


@cache
def table2() -> pd.DataFrame:
    """The printed table: method, source, adaptation, task (or `average`), metric, score and, of averages, deviation (0..1)."""
    table = read(Path(__file__).parent / "mvlpt_table2.csv", ("method", "source", "adaptation", "task", "metric"), "percent", 100.0)
    return table.assign(score=table.pop("percent") / 100, deviation=pd.to_numeric(table["deviation"]) / 100)


@cache
def protocols() -> pd.DataFrame:
    """Printed scores (0..1) of protocols: design, weights, shots, method, source, target (or `average`), measure, score and
    reference. `form` is what a paper that has several of one method calls this one, else the method; `tasks` is empty."""
    names = ("design", "method", "source", "target", "measure", "reference")
    table = read(Path(__file__).parent / "protocols.csv", names, "percent", 100.0)
    about = {"weights": PROTOCOL_WEIGHTS, "shots": PROTOCOL_SHOTS, "form": table["method"], "tasks": ""}
    return table.assign(score=table.pop("percent") / 100, **about)


@cache
def few_shot() -> pd.DataFrame:
    """As `protocols`: means over the benchmark `tasks`."""
    table = read(Path(__file__).parent / "few_shot.csv", ("tasks", "weights", "shots", "method", "form", "reference"), "percent", 100.0)
    about = {"design": FewShot.name, "source": "", "target": "average", "measure": "score", "shots": table["shots"].astype(int)}
    return table.assign(score=table.pop("percent") / 100, **about)


def printed(design: str, tasks: Collection[str], weights: str, shots: int) -> pd.DataFrame:
    """What was printed for a design, the same weights and number of images, and means over a benchmark only of all its tasks."""
    table = pd.concat([protocols(), few_shot()], ignore_index=True)
    same = [name for name in table["tasks"].unique() if not name or set(BENCHMARKS[name]) == set(tasks)]
    wanted = (table["design"] == design) & (table["weights"] == weights) & (table["shots"] == shots) & table["tasks"].isin(same)
    return table[wanted]

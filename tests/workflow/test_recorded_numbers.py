"""The tables of docs/methods.md against the recorded runs beside it: the summary of few_shot_mini, what compare wrote, and of init."""

import json
from pathlib import Path

import pandas as pd
import pytest

from promptatlas.analysis.words import method_title

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "methods.md").read_text()
COMPARED = json.loads((DOCS / "few_shot_mini.json").read_text())["comparison"]["methods"]
SHOTS = pd.read_csv(DOCS / "few_shot_shots.csv", keep_default_na=False, na_values=[""])
PAIRS = [
    ("softcpt", "coop"), ("coop_mt", "coop"), ("softcpt", "coop_mt"), ("prompt_adapter", "tip_adapter"),
    ("prompt_adapter_f", "tip_adapter_f"), ("prompt_adapter", "coop"), ("prompt_adapter_f", "coop"),
]  # fmt: skip
ADAPTERS = pd.read_csv(DOCS / "adapters_shots.csv", keep_default_na=False, na_values=[""])


def cells(first: str, heading: str) -> list[str]:
    """The row that starts with `first` in the table below a heading."""
    section = TEXT.split(f"## {heading}")[1].split("\n## ")[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.split("|")[2:-1]]


def between(difference: float, low: float, high: float) -> str:
    return f"{signed(difference)} ({plain(low)} to {plain(high)})"


def signed(value: float) -> str:
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "−")


def plain(value: float) -> str:
    return "0.0" if abs(value) < 0.05 else f"{value:.1f}".replace("-", "−")


def compared(shots: int, method: str, base: str, table: pd.DataFrame = SHOTS) -> pd.Series:
    own = table[(table["shots"] == shots) & (table["method"] == method) & (table["base"] == base) & table["prompt"].isna()]
    (row,) = own.to_dict("records")
    return pd.Series(row)


@pytest.mark.parametrize("one", COMPARED, ids=lambda one: one["method"])
def test_every_method_on_all_tasks(one):
    shown = cells(method_title(one["method"]), "Every method on each of the 20 tasks")
    assert shown[0] == f"{100 * one['mean']:.1f}" and shown[1] == f"{one['mean_rank']:.1f}"
    if one["method"] != "zero_shot":
        assert shown[2] == between(one["difference"], one["low"], one["high"]) and shown[3] == str(one["better_on"])
        single = compared(1, one["method"], "zero_shot")
        assert shown[4] == f"{100 * single['mean']:.1f} %, {between(*single[['difference', 'low', 'high']])}"


def test_every_method_on_each_task():
    for task in COMPARED[0]["by_task"]:
        assert cells(task, "Every method on each of the 20 tasks") == [f"{100 * one['by_task'][task]:.1f}" for one in COMPARED]


@pytest.mark.parametrize(("method", "base"), PAIRS)
def test_sharing_at_1_4_and_16_images(method, base):
    shown = cells(f"{method_title(method)} minus {method_title(base)}", "Do shared learners help with few shots?")
    assert shown == [between(*compared(shots, method, base)[["difference", "low", "high"]]) for shots in (1, 4, 16)]


@pytest.mark.parametrize("method", sorted({*ADAPTERS["method"]} - {"zero_shot"}))
def test_adapters_at_1_4_and_16_images(method):
    of = [compared(shots, method, "zero_shot", ADAPTERS) for shots in (1, 4, 16)]
    shown = [f"{100 * one['mean']:.1f} %, {between(*one[['difference', 'low', 'high']])}" for one in of]
    assert cells(method_title(method), "CLIP-Adapter, TaskRes and LP++") == shown


@pytest.mark.parametrize("method", ["clip_adapter", "task_res", "lp_plus_plus"])
@pytest.mark.parametrize("base", ["coop", "tip_adapter_f", "linear_probe"])
def test_adapters_beside_each_other(method, base):
    of = [compared(shots, method, base, ADAPTERS) for shots in (1, 4, 16)]
    shown = cells(f"{method_title(method)} minus {method_title(base)}", "CLIP-Adapter, TaskRes and LP++")
    assert shown == [between(*one[["difference", "low", "high"]]) for one in of]


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
def test_the_matrix_of_tuned_prompts(method):
    (own,) = [one for one in json.loads((DOCS / "mini.json").read_text())["by_method"] if one["method"] == method]
    (tuned,) = [one for one in json.loads((DOCS / "init_mini.json").read_text())["by_method"] if one["method"] == method]
    over = tuned["over_scratch"]
    assert cells(method_title(method), "The matrix of tuned prompts (protocol init)") == [
        signed(own["own_gain_points_mean"]), signed(tuned["scratch_gain_points_mean"]), signed(tuned["transfer_gain_points_mean"]),
        between(over["points_mean"], over["low"], over["high"]), f"{100 * over['helps_share']:.0f} %",
        signed(tuned["own_gain_points_mean"]),
    ]  # fmt: skip

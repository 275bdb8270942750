"""The tables of docs/methods.md against the recorded runs beside it: scores and what compare wrote of them, and of init."""

import json
from pathlib import Path

import pandas as pd
import pytest

from promptatlas.analysis.paper_protocols import harmonic_mean
from promptatlas.analysis.statistics.methods import compare
from promptatlas.analysis.words import method_title

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "methods.md").read_text()
SCORES = pd.read_csv(DOCS / "few_shot_scores.csv")
SHOTS = pd.read_csv(DOCS / "few_shot_shots.csv", keep_default_na=False, na_values=[""])
METHODS = sorted({*SCORES["method"]})
EVERY = "Every method on each of the 20 tasks"
PAIRS = {
    "Do shared learners help with few shots?": [
        ("softcpt", "coop"), ("coop_mt", "coop"), ("softcpt", "coop_mt"), ("prompt_adapter", "tip_adapter"),
        ("prompt_adapter_f", "tip_adapter_f"), ("prompt_adapter", "coop"), ("prompt_adapter_f", "coop"),
    ],
    "CLIP-Adapter, TaskRes and LP++": [
        (method, base) for method in ("clip_adapter", "task_res", "lp_plus_plus") for base in ("coop", "tip_adapter_f", "linear_probe")
    ],
    "Prompts that keep to the frozen model": [
        ("kgcoop", "coop"), ("prograd", "coop"), ("tcp", "coop"), ("tcp", "kgcoop"), ("promptsrc", "ivlp"), ("promptsrc_maple", "maple"),
        ("promptsrc", "coop"), ("promptsrc_maple", "promptsrc"),
    ],
}  # fmt: skip


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


def compared(shots: int, method: str, base: str) -> pd.Series:
    own = SHOTS[(SHOTS["shots"] == shots) & (SHOTS["method"] == method) & (SHOTS["base"] == base) & SHOTS["prompt"].isna()]
    (row,) = own.to_dict("records")
    return pd.Series(row)


def by_task(shots: int) -> pd.DataFrame:
    """Scores of methods, the rows, on tasks, means of seeds; zero-shot has them without images."""
    own = SCORES[SCORES["shots"].isin([shots, 0])]
    return own.groupby(["method", "task"])["score"].mean().unstack()


def test_scores_are_of_every_method_task_and_seed():
    trained = SCORES[SCORES["method"] != "zero_shot"]
    assert trained.groupby(["shots", "method", "task"])["seed"].apply(set).map(sorted).map(tuple).unique().tolist() == [(1, 2, 3)]
    assert trained.groupby(["shots", "method"])["task"].nunique().tolist() == [20] * 3 * (len(METHODS) - 1) and len(METHODS) == 22


@pytest.mark.parametrize("method", METHODS)
def test_every_method_on_all_tasks(method):
    *shown, rank, better_on = cells(method_title(method), EVERY)
    means = [f"{100 * by_task(shots).loc[method].mean():.1f} %" for shots in (1, 4, 16)]
    with_16 = by_task(16)
    assert rank == f"{with_16.rank(ascending=False).mean(axis=1)[method]:.1f}"
    if method == "zero_shot":
        assert shown == means and better_on == ""
    else:
        of = [compared(shots, method, "zero_shot") for shots in (1, 4, 16)]
        assert shown == [f"{mean}, {between(*one[['difference', 'low', 'high']])}" for mean, one in zip(means, of, strict=True)]
        assert [one["mean"] for one in of] == pytest.approx([by_task(shots).loc[method].mean() for shots in (1, 4, 16)], abs=1e-6)
        assert better_on == str((with_16.loc[method] > with_16.loc["zero_shot"]).sum())


@pytest.mark.parametrize("task", sorted({*SCORES["task"]}))
def test_every_method_on_each_task(task):
    titles = {method_title(method): method for method in METHODS}
    order = [titles[title] for title in cells("task", EVERY)]
    assert sorted(order) == METHODS and cells(task, EVERY) == [f"{100 * by_task(16).loc[method, task]:.1f}" for method in order]


@pytest.mark.parametrize(("heading", "method", "base"), [(heading, *pair) for heading, pairs in PAIRS.items() for pair in pairs])
def test_methods_against_each_other_at_1_4_and_16_images(heading, method, base):
    shown = cells(f"{method_title(method)} minus {method_title(base)}", heading)
    assert shown == [between(*compared(shots, method, base)[["difference", "low", "high"]]) for shots in (1, 4, 16)]


@pytest.mark.parametrize(
    ("method", "base", "shots"),
    [
        ("maple", "coop", 16), ("maple", "coop", 4), ("tip_adapter_f", "tip_adapter", 16), ("upt", "coop", 16), ("maple", "ivlp", 16),
        ("ivlp", "linear_probe", 16), ("tip_adapter", "coop", 16), ("tip_adapter_f", "coop", 16),
    ],
)  # fmt: skip
def test_differences_in_sentences(method, base, shots):
    one = compared(shots, method, base)
    assert f"{signed(one['difference'])}, {plain(one['low'])} to {plain(one['high'])}" in TEXT


@pytest.fixture(scope="module")
def halves():
    """By classes and base method, what `compare` finds of each method of the recorded scores."""
    scores = pd.read_csv(DOCS / "base_to_new_mini.csv", dtype={"seed": "Int64"}).assign(shots=16)
    parts = {classes: part.drop(columns="classes") for classes, part in scores.groupby("classes")}
    bases = ("coop", "zero_shot", "ivlp", "vpt", "maple")
    return {
        (classes, base): {one["method"]: one for one in compare(part, base=base)["methods"]}
        for classes, part in parts.items()
        for base in bases
    }


@pytest.mark.parametrize("method", sorted({*pd.read_csv(DOCS / "base_to_new_mini.csv")["method"]}))
def test_base_to_new_classes(halves, method):
    base, new = (100 * halves[classes, "coop"][method]["mean"] for classes in ("base", "new"))
    held = [
        "" if method == against else between(*(halves[classes, against][method][key] for key in ("difference", "low", "high")))
        for classes, against in (("base", "coop"), ("new", "coop"), ("new", "zero_shot"))
    ]
    shown = [f"{base:.1f}", f"{new:.1f}", f"{harmonic_mean(base, new):.1f}", *held]
    assert cells(method_title(method), "Base to new classes") == shown


@pytest.mark.parametrize(
    ("method", "base"),
    [("kgcoop", "zero_shot"), ("tcp", "zero_shot"), ("coop", "zero_shot"), ("promptsrc_maple", "maple"), ("ivlp", "vpt")],
)
def test_differences_on_new_classes_in_sentences(halves, method, base):
    one = halves["new", base][method]
    assert f"{signed(one['difference'])}, {plain(one['low'])} to {plain(one['high'])}" in TEXT


@pytest.mark.parametrize("one", json.loads((DOCS / "later_methods_mini.json").read_text())["by_method"], ids=lambda one: one["method"])
def test_the_matrices_of_later_methods(one):
    gains = [signed(one[f"{of}_gain_points_mean"]) for of in ("own", "transfer", "scratch")]
    assert cells(method_title(one["method"]), "The matrices of later methods") == [*gains, f"{100 * one['transfer_helps']['helps']:.0f} %"]


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

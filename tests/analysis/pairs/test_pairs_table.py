"""The table `pairs` from columns, and columns from the cells of a study: every number again in another way, and why one is missing."""

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from promptatlas.analysis.pairs.column import BOTH, IMAGES
from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.mcnemar import mcnemar
from promptatlas.analysis.pairs.of_study import NO_ANSWERS, OTHER_ANSWERS, columns
from promptatlas.analysis.pairs.short import short
from promptatlas.analysis.pairs.table import COLUMNS, pairs
from promptatlas.records import cells
from promptatlas.study.study import Study
from promptatlas.tasks import prepared
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.task import Task
from stored_results import CELL

TASKS, SEEDS = ("a", "b", "c", "d", "e", "f"), (1, 2, 3)
METRICS = {"e": "roc_auc", "f": "mean_per_class"}
COUNT = 60
LABELS = np.array([0] * 45 + [1] * 15)
FAILED = "the loss is not a number"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Study, dict, pd.DataFrame]:
    """A study with all its cells, the answers behind them, and its table `transfer`."""
    config = {
        "study": "small", "benchmark": "own", "data": {name: {"folder": name} for name in TASKS}, "methods": ["coop"], "seeds": [*SEEDS],
        "results": str(tmp_path_factory.mktemp("pairs")),
    }  # fmt: skip
    study, rng, answers = Study(config), np.random.default_rng(0), {}
    images = np.zeros((COUNT, 1, 1, 3), np.uint8)
    for name in TASKS:
        task = Task(name, name, "test", ("one", "two"), ("a photo of {}.",), METRICS.get(name, "accuracy"))
        pools = {split: Pool.whole(images, LABELS) for split in ("train", "validation", "test")}
        prepared.write(study.paths.task_folder(name), task, pools, [{"split": "train"}], dict.fromkeys(pools, images))
        answers[name, "template", None] = rng.random(COUNT) < 0.5
        for source in (*TASKS, "scratch"):
            level = 0.9 if source == name else rng.uniform(0.3, 0.7)
            for seed in SEEDS:
                answers[name, source, seed] = rng.random(COUNT) < level + rng.normal(0, 0.05)
    for cell in study.cells:
        store(study, cell, right_of(answers, cell))
    return study, answers, transfer(study)


def right_of(answers: dict, cell: cells.Cell) -> np.ndarray:
    return answers[cell.target, cell.source, None if cell.source == "template" else cell.seed]


def score(target: str, right: np.ndarray) -> float:
    if target == "f":
        return (right[:45].mean() + right[45:].mean()) / 2
    return float(right.mean()) if target != "e" else float(0.5 + right.mean() / 4)


def store(study: Study, cell: cells.Cell, right: np.ndarray, **changes) -> None:
    content = CELL | cell.address() | {
        "metric": METRICS.get(cell.target, "accuracy"), "n_test": COUNT, "score": score(cell.target, right),
        "correct": cells.packed_answers(right),
    } | changes  # fmt: skip
    path = study.paths.cell(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def transfer(study: Study) -> pd.DataFrame:
    """As `runs.tables` makes it."""
    rows = [cells.read_own(study.paths.cell(cell), cell) for cell in sorted(study.cells)]
    names = ["protocol", "method", "source", "target", "seed", "metric", "score", "n_test"]
    return pd.DataFrame([{name: row[name] for name in names} | {"failed": row.get("failed", "")} for row in rows]).astype({"score": float})


def by_pair(study: Study, scores: pd.DataFrame) -> pd.DataFrame:
    return pairs(columns(study, scores)).set_index(["source", "target"])


@pytest.fixture
def study(made, tmp_path) -> Study:
    """A copy of it to be spoiled, whose tasks are the same."""
    study = Study(made[0].config | {"results": str(tmp_path)})
    study.folder.mkdir(parents=True)
    (study.folder / "tasks").symlink_to(made[0].folder / "tasks")
    for cell in study.cells:
        store(study, cell, right_of(made[1], cell))
    return study


@pytest.fixture(scope="module")
def table(made) -> pd.DataFrame:
    return by_pair(made[0], made[2])


def test_there_is_a_row_for_each_source_and_target(made):
    table = pairs(columns(made[0], made[2]))
    assert list(table.columns) == COLUMNS and len(table) == 6 * 7 and not table.duplicated(["source", "target"]).any()
    assert table["kind"].value_counts().to_dict() == {"pair": 30, "own": 6, "scratch": 6}
    assert (table["seeds"] == 3).all() and (table["n_test"] == COUNT).all()


@pytest.mark.parametrize("target", ["a", "f"])
def test_gains_are_those_of_the_scores(made, table, target):
    answers, row = made[1], table.loc["b", target]

    def mean(source: str) -> float:
        return float(np.mean([score(target, answers[target, source, seed]) for seed in SEEDS]))

    hand = score(target, answers[target, "template", None])
    each = [score(target, answers[target, "b", seed]) - hand for seed in SEEDS]
    assert row["score"] == pytest.approx(mean("b")) and row["gain"] == pytest.approx(100 * (mean("b") - hand))
    assert row["untuned_gain"] == pytest.approx(100 * (mean("b") - mean("scratch")))
    assert row["own_gain"] == pytest.approx(100 * (mean("b") - mean(target)))
    average = np.mean([mean(source) for source in TASKS if source != target])
    assert row["average_gain"] == pytest.approx(100 * (mean("b") - average))
    best = max((source for source in TASKS if source != target), key=mean)
    assert row["best"] == best and row["best_gain"] == pytest.approx(100 * (mean("b") - mean(best)))
    assert row["seeds_alike"] == sum(np.sign(one) == np.sign(np.mean(each)) for one in each)
    for against in ("", "untuned_", "own_", "average_"):
        assert row[f"{against}low"] < row[f"{against}gain"] < row[f"{against}high"]


def test_p_allow_for_all_pairs_of_a_method_as_holm_says(table):
    for against in ("", "untuned_"):
        own = table[(table["kind"] == "pair") & table[f"{against}p"].notna()]
        p, adjusted, worst = own[f"{against}p"].tolist(), {}, 0.0
        for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
            worst = max(worst, min(1.0, (len(p) - rank) * p[place]))
            adjusted[place] = worst
        assert len(p) == 25 and own[f"{against}p_adjusted"].tolist() == pytest.approx([adjusted[one] for one in range(len(p))])
        assert (own[f"{against}separable"] == (own[f"{against}p_adjusted"] < 0.05)).all()


def test_the_best_is_compared_with_the_others_alone(table):
    for target in "abcdf":
        column = table.xs(target, level="target")
        own = column[column["kind"] == "pair"]
        (best,) = {*own["best"]}
        assert own.loc[best, "best_p_adjusted"] == 1 and own.loc[best, "best_gain"] == 0 and not own.loc[best, "separable_from_best"]
        assert (own["separable_from_best"] == (own["best_p_adjusted"] < 0.05)).all()
        assert (own["best_set"] == (~own["separable_from_best"]).sum()).all()
        assert column.loc[column["kind"] != "pair", ["best_gain", "best_p_adjusted", "best_set"]].isna().all(axis=None)


def test_nothing_is_compared_with_itself(table):
    for target in TASKS:
        assert table.loc[("scratch", target), ["untuned_gain", "untuned_low", "untuned_p"]].isna().all()
        assert table.loc[(target, target), ["own_gain", "own_low"]].isna().all()
    assert table.loc[("scratch", "a"), "own_gain"] < 0 < table.loc[("a", "a"), "untuned_low"]


def test_a_metric_that_is_no_mean_of_right_answers_has_gains_and_no_more(table):
    own = table.xs("e", level="target")
    assert own["gain"].notna().all() and own["seeds_alike"].notna().all() and own.loc["b", "best_gain"] <= 0
    statistics = [
        "low",
        "high",
        "p",
        "p_adjusted",
        "separable",
        "p_images",
        "untuned_low",
        "own_low",
        "average_low",
        "best_p_adjusted",
        "best_set",
    ]
    assert own[statistics].isna().all(axis=None)
    assert (own["reason"] == "ROC AUC is no mean of right answers, and cells hold nothing else of single images").all()
    assert (table.drop("e", level="target")["reason"] == "").all()


def test_cells_that_hold_no_answers_leave_gains_and_say_so(made, study):
    for cell in study.cells:
        store(study, cell, right_of(made[1], cell), correct=None)
    own = by_pair(study, made[2])
    assert own["gain"].notna().all() and own[["low", "p", "p_images", "untuned_p", "separable_from_best"]].isna().all(axis=None)
    assert own["reason"].str.contains(NO_ANSWERS, regex=False).drop("e", level="target").all() and (own["counted"] == "").all()


@pytest.mark.parametrize("correct", ["", "3", "no base 64", base64.b64encode(bytes(99)).decode(), 7])
def test_answers_that_cannot_be_of_these_images_are_none(correct):
    assert cells.right_answers({"correct": correct, "n_test": COUNT}) is None


def test_answers_are_read_as_they_were_packed():
    right = np.random.default_rng(0).random(61) < 0.5
    assert (cells.right_answers({"correct": cells.packed_answers(right), "n_test": 61}) == right).all()


def test_answers_that_do_not_make_the_score_are_not_believed(made, study):
    (cell,) = [one for one in study.cells if (one.source, one.target, one.seed) == ("b", "a", 2)]
    store(study, cell, right_of(made[1], cell), score=0.123)
    row = by_pair(study, transfer(study)).loc["b", "a"]
    assert row["reason"] == OTHER_ANSWERS and np.isnan(row["low"]) and np.isfinite(row["gain"])
    other = by_pair(study, transfer(study)).loc["c", "a"]
    assert np.isfinite([other["low"], other["average_gain"]]).all() and np.isnan(other["average_low"]), (
        "an answer of the average is not known"
    )


def test_failed_seeds_are_told_and_the_others_count(made, study):
    for cell in study.cells:
        if ((cell.source, cell.target) == ("b", "a") and cell.seed > 1) or (cell.source, cell.target) == ("c", "a"):
            store(study, cell, right_of(made[1], cell), score=None, correct=None, failed=FAILED)
    own = by_pair(study, transfer(study))
    part, whole = own.loc["b", "a"], own.loc["c", "a"]
    hand = score("a", made[1]["a", "template", None])
    assert part["seeds"] == 1 and part["gain"] == pytest.approx(100 * (score("a", made[1]["a", "b", 1]) - hand))
    assert part["low"] < part["gain"] < part["high"] and part["counted"] == BOTH, "other pairs tell how seeds vary"
    assert part["reason"] == f"2 of 3 seeds failed: {FAILED}"
    assert whole["seeds"] == 0 and whole["reason"] == f"failed: {FAILED}"
    assert whole[["score", "gain", "low", "p", "untuned_gain", "best_gain", "separable"]].isna().all()
    assert (own["reason"] == "").sum() == 42 - 7 - 2


def test_without_the_hand_written_prompt_the_other_comparisons_stand(made, study):
    for cell in study.cells:
        if (cell.source, cell.target) == ("template", "a"):
            store(study, cell, right_of(made[1], cell), score=None, correct=None, failed=FAILED)
    own = by_pair(study, transfer(study)).xs("a", level="target")
    assert own[["gain", "low", "p", "seeds_alike"]].isna().all(axis=None)
    assert (own["reason"] == f"the zero-shot prompt failed: {FAILED}").all()
    assert own.loc["b", ["untuned_low", "own_low", "best_gain"]].notna().all()


def test_a_cell_that_is_gone_is_said(made, study):
    (cell,) = [one for one in study.cells if (one.source, one.target, one.seed) == ("b", "a", 2)]
    study.paths.cell(cell).unlink()
    row = by_pair(study, made[2]).loc["b", "a"]
    assert "is missing; run the study again" in row["reason"] and np.isnan(row["low"])


def test_one_seed_counts_images_alone_and_says_so(made):
    one = by_pair(made[0], made[2][made[2]["seed"] == 1])
    assert (one.loc[one["low"].notna(), "counted"] == IMAGES).all() and (one["seeds"] == 1).all()
    three = by_pair(made[0], made[2])
    assert (three.loc[three["low"].notna(), "counted"] == BOTH).all()


def test_a_study_without_rows_has_a_table_without_rows(made):
    empty = pairs(columns(made[0], made[2][:0]))
    assert list(empty.columns) == COLUMNS and not len(empty) and short(empty) == []


def test_in_short_pairs_are_counted_and_those_that_help_named(made, table):
    (one,) = short(pairs(columns(made[0], made[2])))
    own = table[(table["kind"] == "pair") & table["low"].notna()]
    assert (one["protocol"], one["method"], one["n_pairs"], one["n_tested"], one["counts_seeds"]) == ("frozen", "coop", 30, 25, True)
    assert one["interval_above"] == (own["low"] > 0).sum() and one["interval_below"] == (own["high"] < 0).sum()
    assert one["interval_above"] + one["interval_below"] + one["interval_holds_0"] == 25
    assert one["helps"] == (own["separable"] & (own["gain"] > 0)).sum() and one["hurts"] == (own["separable"] & (own["gain"] < 0)).sum()
    helping = {(row["source"], row["target"]) for row in one["helping"]}
    assert helping == {*own[(own["low"] > 0) & (own["seeds_alike"] == 3)].index} and one["n_helping"] == len(helping)
    assert [(row["n_pairs"], row["reason"][:7]) for row in one["reasons"]] == [(5, "ROC AUC")]


def test_what_is_written_is_read_again(made, tmp_path: Path):
    table = pairs(columns(made[0], made[2]))
    table.to_parquet(tmp_path / "pairs.parquet", index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "pairs.parquet"), table)


def test_p_against_the_best_is_one_sided_and_times_the_sources_that_it_was_chosen_from(made):
    """With one seed images alone count, and t has a closed form."""
    own = by_pair(made[0], made[2][made[2]["seed"] == 1])
    best = own.loc[("b", "c"), "best"]
    for source in set("abdef") - {best}:
        differences = made[1]["c", source, 1].astype(int) - made[1]["c", best, 1]
        squares = ((differences - differences.mean()) ** 2).sum() * COUNT / (COUNT - 1)
        ratio = differences.mean() * COUNT / (COUNT + 2) / np.sqrt((squares + 2) / (COUNT + 2) ** 2)
        assert own.loc[(source, "c"), "best_p_adjusted"] == pytest.approx(min(1, 4 * stats.t.cdf(ratio, COUNT + 1)), rel=1e-6)


def test_prompts_are_compared_in_the_seeds_that_both_have(made, study):
    for cell in study.cells:
        if (cell.source, cell.target, cell.seed) == ("scratch", "a", 2):
            store(study, cell, right_of(made[1], cell), score=None, correct=None, failed=FAILED)
    row, answers = by_pair(study, transfer(study)).loc["b", "a"], made[1]
    differences = np.array([answers["a", "b", seed].astype(int) - answers["a", "scratch", seed] for seed in (1, 3)])
    assert row["untuned_gain"] == pytest.approx(100 * differences.mean())
    right, reference = (np.array([answers["a", source, seed] for seed in (1, 3)]) for source in ("b", "scratch"))
    expected = mcnemar(right[None], reference, np.ones((1, 2), bool), WeightedImages.alike(COUNT))[0]
    assert row["untuned_p_images"] == pytest.approx(expected) and row["seeds"] == 3 and row["reason"] == ""
    assert (row["untuned_low"] + row["untuned_high"]) / 2 == pytest.approx(100 * differences.mean() * COUNT / (COUNT + 2))

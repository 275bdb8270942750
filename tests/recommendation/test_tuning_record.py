"""What tuning was worth where it was measured: docs/tune_mini.json holds it, the sentences and docs/recommend.md repeat it."""

import json
from dataclasses import astuple
from pathlib import Path

import pandas as pd
import pytest

import recommended_starts as starts
from promptatlas.base.messages import counted
from promptatlas.recommendation import tuning_record
from promptatlas.recommendation.tuning_record import Difference, Worth

DOCS = Path(__file__).parents[2] / "docs"


def table(kept: dict, name: str) -> pd.DataFrame:
    return pd.DataFrame(kept[name]["rows"], columns=kept[name]["columns"])


@pytest.fixture(scope="module")
def record() -> dict:
    return json.loads((DOCS / "tune_mini.json").read_text())


@pytest.fixture(scope="module")
def differences(record) -> pd.DataFrame:
    return table(record, "differences").set_index(["method", "one", "other"]).sort_index()


def test_means_and_differences_in_the_record_follow_from_its_scores(record):
    scores = table(record, "scores").melt(["method", "task", "draw"], var_name="how", value_name="score").dropna()
    for name, made, key in (("means", starts.means, ["method", "how"]), ("differences", starts.differences, ["method", "one", "other"])):
        kept, again = (part.set_index(key).sort_index() for part in (table(record, name), made(scores)))
        pd.testing.assert_frame_equal(kept, again[list(kept)], check_dtype=False, atol=0.001, rtol=0)


def test_every_method_was_measured_on_all_tasks(record):
    assert set(tuning_record.MEASURED) == set(table(record, "scores")["method"])
    assert (table(record, "means")["tasks"] == tuning_record.TASKS).all() and (
        table(record, "differences")["tasks"] == tuning_record.TASKS
    ).all()


@pytest.mark.parametrize("method", tuning_record.MEASURED)
def test_what_is_said_is_the_record(method, differences):
    said = tuning_record.MEASURED[method]
    for own, pair in ((said.tuned, (starts.RECOMMENDED, starts.BY_HAND)), (said.starts, (starts.MIXED, starts.SCRATCH))):
        assert astuple(own) == pytest.approx(tuple(differences.loc[(method, *pair), ["difference", "low", "high"]]), abs=0.0501), pair
    chosen = json.loads((DOCS / "choice_mini.json").read_text())
    rows = pd.DataFrame(chosen["rows"], columns=chosen["columns"]).set_index(["method", "candidates", "shots", "rule", "or_none"])
    assert said.draws == differences.loc[(method, starts.MIXED, starts.SCRATCH), "draws"]
    as_it_is = rows.loc[(method, "all_seeds", tuning_record.SHOTS, "try", True), ["gain", "gain_low", "gain_high"]]
    assert astuple(said.as_it_is) == pytest.approx(tuple(as_it_is), abs=0.0501)


def made_up(monkeypatch, *starts_of):
    several = [Worth(Difference(9, 5, 13), Difference(2, 1, 3), Difference(*one), 2) for one in starts_of]
    monkeypatch.setattr(tuning_record, "MEASURED", dict(zip(("coop", "vpt"), several, strict=False)))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [((2, 1, 3), (1, 0.5, 2), "prompts of other tasks are better starts than untrained ones with CoOp and VPT: "),
     ((-2, -3, -1), (-1, -2, -0.5), "untrained prompts are better starts than those of other tasks with CoOp and VPT: "),
     ((1, -1, 2), (0, -1, 1), "where tuning starts makes no difference that can be told with CoOp and VPT: "),
     ((2, 1, 3), (0, -1, 1), "than untrained ones with CoOp; where tuning starts makes no difference that can be told with VPT: ")],
)  # fmt: skip
def test_which_start_is_better_follows_from_the_intervals(monkeypatch, first, second, told):
    made_up(monkeypatch, first, second)
    verdict, coop, vpt = tuning_record.lines({"coop", "vpt"}, True)
    assert told in verdict and coop == f"  CoOp: {first[0]:+.1f} ({first[1]:+.1f} to {first[2]:+.1f}), 2 draws" and "VPT: " in vpt
    assert "VPT" not in "\n".join(tuning_record.lines({"coop"}, True))


def test_tuning_is_called_better_only_if_its_gain_is_surely_larger(monkeypatch):
    made_up(monkeypatch, (1, -1, 2))
    assert "is better than a prompt as it is" in tuning_record.lines({"coop"}, False)[0]
    monkeypatch.setitem(tuning_record.MEASURED, "coop", Worth(Difference(9, 5, 13), Difference(6, 1, 9), Difference(0, -1, 1), 1))
    assert "better than" not in tuning_record.lines({"coop"}, False)[0]


def test_of_methods_that_nobody_measured_nothing_is_said():
    assert tuning_record.lines({"maple"}, True) == tuning_record.lines({"maple"}, False) == []


METHODS = {"coop": "CoOp", "vpt": "VPT", "upt": "UPT"}


def shown(number: float) -> str:
    return f"{number:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", "−")


def test_the_tables_in_the_docs_are_the_record(record, differences):
    told = (DOCS / "recommend.md").read_text()
    means = table(record, "means").set_index(["method", "how"])
    draws = [means.loc[(method, starts.RECOMMENDED)]["draws"] for method in METHODS]
    columns = [f"{title}, {counted(int(count), 'draw')}" for title, count in zip(METHODS.values(), draws, strict=True)]
    assert f"| | {' | '.join(columns)} |" in told
    titles = {how: how for how in starts.HOWS} | {starts.BY_HAND: "zero-shot", starts.RECOMMENDED: "`recommend --tune 3`"}
    for how in starts.HOWS:
        cells = [f"{means.loc[(method, how)]['score']:.1f}" if (method, how) in means.index else "–" for method in METHODS]
        assert f"| {titles[how]} | {' | '.join(cells)} |" in told, how
    for one, other in starts.PAIRS:
        cells = []
        for method in METHODS:
            row = differences.loc[(method, one, other)] if (method, one, other) in differences.index else None
            cells.append("–" if row is None else f"{shown(row['difference'])} [{shown(row['low'])}, {shown(row['high'])}]")
        assert f"| {titles[one]} against {titles[other]} | {' | '.join(cells)} |" in told, (one, other)

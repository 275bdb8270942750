"""benchmarks/recommended_starts.py on a tiny model: it measures what `recommend --tune` does, goes on where it was, and counts right."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import prompt_studies
import recommended_starts as starts
from promptatlas.recommendation import candidates, labelled, trying, tuning
from promptatlas.recommendation.labelled import Wanted
from promptatlas.recommendation.tuning import AS_IT_IS, HAND_WRITTEN, TUNED, Contender
from twins import TINY, twin

TASK = "tissue"  # two classes


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "mine"
    backbone = twin(TINY | {"quick_gelu": False}, folder / "backbone")[1]
    prompt_studies.write(folder, backbone, methods=("coop", "vpt"))
    return folder, backbone, candidates.collect([folder], folder / "archives")


@pytest.mark.parametrize("method", ["coop", pytest.param("vpt", marks=pytest.mark.slow)])
def test_it_chooses_what_recommend_chooses_and_all_draws_of_a_task_side_by_side_change_nothing(study, method, tmp_path):
    _, model, found = study
    every = {draw: labelled.embedded(TASK, Wanted(model.architecture.image_size, "crop", 4, draw)) for draw in (4, 5)}
    measured = starts.from_starts(model, found, method, every)
    for draw, target in every.items():
        own = replace(found, files=[file for file in found.files if file.method == method])
        with torch.no_grad():
            tried = trying.try_all(model, target, own, lambda line: None)
        tuned = tuning.tune(model, target, tried, 3, draw, tmp_path / str(draw), lambda line: None)
        only = [one for one in tuned.contenders if one.how == TUNED]
        untrained = next(one for one in only if one.start is None)
        expected = starts.tested(model, TASK, [None, tuned.winner.prompt, only[0].prompt, untrained.prompt])
        ways = (starts.BY_HAND, starts.RECOMMENDED, starts.MIXED, starts.ONE)
        assert [measured[draw][way] for way in ways] == pytest.approx(expected, abs=1e-3)
    assert list(measured[4]) == [way for way in starts.HOWS if way != starts.LONGER]


def test_the_longer_arm_spends_the_whole_budget_on_one_prompt(study, monkeypatch):
    _, model, found = study
    given = []
    whole = starts.single_task.tune_task
    monkeypatch.setattr(starts.single_task, "tune_task", lambda *some: given.append(some) or whole(*some))
    target = labelled.embedded(TASK, Wanted(model.architecture.image_size, "crop", 4, 4))
    scores = starts.with_more_epochs(model, found, "coop", {4: target})
    (call,) = given
    assert call[2]["epochs"] == 4 * prompt_studies.QUICK["epochs"] and call[5] == [4] and call[6] is None
    assert list(scores) == [4] and list(scores[4]) == [starts.LONGER]


def contender(how, score, loss, name):
    return Contender(how, "coop", None, score, loss, name)


def test_each_way_chooses_among_its_own_by_score_and_of_equal_ones_by_loss():
    as_they_are = [contender(AS_IT_IS, 0.9, 0.1, "as it is"), contender(AS_IT_IS, 0.2, 1, "b"), contender(AS_IT_IS, 0.2, 1, "c")]
    tuned = [contender(TUNED, score, loss, name) for score, loss, name in [(0.7, 0.5, "first"), (0.8, 0.4, "second"), (0.6, 1, "third")]]
    untrained = [contender(TUNED, 0.8, loss, f"untrained {n}") for n, loss in enumerate((0.3, 0.2, 0.1, 0.4))]
    found = starts.choices([contender(HAND_WRITTEN, 0.5, 1, None), *as_they_are, *tuned, *untrained])
    assert found == {
        starts.BY_HAND: None, starts.RECOMMENDED: "as it is", starts.MIXED: "untrained 0", starts.SCRATCH: "untrained 2",
        starts.BEST: "first", starts.ONE: "untrained 0",
    }  # fmt: skip


def test_tasks_are_the_unit_of_the_intervals_and_draws_are_averaged():
    rng = np.random.default_rng(0)
    rows = [
        {"method": "coop", "task": f"t{task}", "draw": draw, "how": how, "score": float(rng.random())}
        for task in range(8) for draw in (4, 5, 6) for how in (starts.MIXED, starts.SCRATCH)
    ]  # fmt: skip
    (found,) = starts.differences(pd.DataFrame(rows)).to_dict("records")
    scores = {
        how: [[r["score"] for r in rows if r["how"] == how and r["task"] == f"t{t}"] for t in range(8)]
        for how in (starts.MIXED, starts.SCRATCH)
    }
    gap = 100 * (np.mean(scores[starts.MIXED], axis=1) - np.mean(scores[starts.SCRATCH], axis=1))
    low, high = stats.ttest_1samp(gap, 0).confidence_interval()
    assert (found["difference"], found["low"], found["high"]) == pytest.approx((gap.mean(), low, high))
    assert (found["better"], found["worse"], found["tasks"], found["draws"]) == ((gap > 0).sum(), (gap < 0).sum(), 8, 3)


def test_a_run_goes_on_where_it_was_and_leaves_a_record(study, tmp_path, monkeypatch):
    folder, asked = study[0], []

    def measured(model, found, method, task, draws, arm, output):
        asked.append((task, draws, arm))
        for draw in draws:
            score = {"how": starts.LONGER if arm == "longer" else starts.ONE, "score": 0.25 * draw / 4}
            starts.piece(output, method, task, draw, arm).write_text(json.dumps([score]))

    monkeypatch.setattr(starts, "measure", measured)
    usual = ["x", str(folder), "--methods", "coop", "--tasks", "tissue", "polarity", "-o", str(tmp_path / "out")]
    for draws in (["4"], ["4", "5"]):
        monkeypatch.setattr("sys.argv", [*usual, "--draws", *draws, "--record", str(tmp_path / "record.json")])
        starts.main()
    assert asked == [(task, [draw], arm) for draw in (4, 5) for arm in starts.ARMS for task in ("tissue", "polarity")]
    record = json.loads((tmp_path / "record.json").read_text())
    assert len(record["scores"]["rows"]) == 4 and record["scores"]["columns"] == ["method", "task", "draw", starts.LONGER, starts.ONE]
    assert [row[-1] for row in record["means"]["rows"]] == pytest.approx([28.125, 28.125])


def test_a_draw_that_some_task_lacks_is_left_out(tmp_path):
    for task, draw in (("tissue", 4), ("polarity", 4), ("tissue", 5)):
        starts.piece(tmp_path, "coop", task, draw, "longer").write_text(json.dumps([{"how": starts.LONGER, "score": 0.5}]))
    assert starts.pieces(tmp_path)["draw"].tolist() == [4, 4]

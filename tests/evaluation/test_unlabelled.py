"""What is said of a target without labels."""

import numpy as np
import pytest

from promptatlas.evaluation import similarity, unlabelled
from promptatlas.evaluation.estimates import Observed, estimate
from promptatlas.evaluation.estimates.numbers import softmax
from synthetic_study import encoded_tasks


def test_nothing_that_is_used_needs_a_label():
    assert unlabelled.estimators() == [
        "est_confidence", "est_entropy", "est_information", "est_nuclear", "est_agree_hand", "est_agree_majority",
    ]  # fmt: skip
    assert {*unlabelled.measures()} == {
        "vis_w2", "vis_mmd", "vis_cover", "vis_knnmix", "vis_frechet", "vis_centroid", "lab_cover", "lab_centroid", "lab_ot",
        "task2vec_head",
    }  # fmt: skip


def test_answers_of_all_prompts_are_estimated_against_their_mean_without_those_that_failed():
    rng = np.random.default_rng(0)
    logits, hand = rng.normal(size=(4, 20, 3)), rng.normal(size=(20, 3))
    broken = logits.copy()
    broken[2] = np.nan
    found = unlabelled.by_answers(broken, hand)
    majority = np.mean([softmax(logits[k]) for k in (0, 1, 3)], axis=0)
    for name, values in found.items():
        assert np.isnan(values[2])
        expected = [estimate(Observed(logits[k], hand_written=hand, majority=majority), [name])[name].value for k in (0, 1, 3)]
        assert values[[0, 1, 3]] == pytest.approx(expected)
    assert np.isnan(unlabelled.by_answers(logits)["est_agree_hand"]).all()
    assert np.isnan(unlabelled.by_answers(np.full((2, 5, 3), np.nan))["est_confidence"]).all()


def test_closeness_is_that_of_the_table_and_finds_the_task_that_the_target_is_a_part_of():
    tasks = encoded_tasks(4)
    about, encoded = tasks["task_02"]
    few = (about, encoded | {"features_train": encoded["features_train"][::5]})
    found = unlabelled.by_closeness(tasks, few)
    for name in unlabelled.measures():
        assert found[name].shape == (4,) and found[name].argmax() == 2, name
    every = unlabelled.by_closeness({name: tasks[name] for name in ("task_00", "task_01")}, tasks["task_02"])
    renamed = {f"source {name}": tasks[name] for name in ("task_00", "task_01")} | {"target": tasks["task_02"]}
    table = similarity.compute(renamed, ["vis_mmd"]).set_index(["source", "target"])["value"]
    assert every["vis_mmd"] == pytest.approx([table["source task_00", "target"], table["source task_01", "target"]])

"""Evidence is what tries and cells say, prompt by prompt; what cannot be said of a target is told and costs nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis.choice.book import COLUMNS
from promptatlas.analysis.choice.evidence import Candidate
from promptatlas.analysis.choice.of_study import Evidences, table
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.records.tries_file import TRIES, TriedPrompt, Tries
from promptatlas.study.study import Study
from promptatlas.tasks import prepared
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.task import Task

TASKS, METHODS, SEEDS, DRAWS = ("a", "b", "c", "d"), ("coop", "vpt"), (1, 2), (3, 4)
METRICS = {"a": "accuracy", "b": "mean_per_class", "c": "roc_auc", "d": "accuracy"}
CONFIG = {
    "study": "small", "benchmark": "own", "data": {name: {"folder": name} for name in TASKS}, "methods": [*METHODS], "seeds": [*SEEDS],
    "choice": {"draws": 2, "shots": [1, 2]},
}  # fmt: skip
HAND_WRITTEN = TriedPrompt("template", None)


def prompts(target: str) -> tuple[TriedPrompt, ...]:
    sources = (*(name for name in TASKS if name != target), "scratch")
    return (*(TriedPrompt(source, seed) for source in sources for seed in SEEDS), HAND_WRITTEN)


def tries(target: str, method: str, without: tuple[TriedPrompt, ...] = ()) -> Tries:
    """Random answers on eight images of two classes: draw 3 has images 0 to 3, draw 4 the others; the first of each class are of 1 shot."""
    rng = np.random.default_rng([TASKS.index(target), METHODS.index(method)])
    logits, every = rng.normal(size=(9, 8, 2)).astype(np.float32), prompts(target)
    logits[-1] = np.random.default_rng(TASKS.index(target)).normal(size=(8, 2))  # the zero-shot prompt is the same for all methods
    answers = logits if METRICS[target] == "roc_auc" else logits.argmax(axis=2).astype(np.int16)
    there = [number for number, prompt in enumerate(every) if prompt not in without]
    shots = np.kron(np.eye(2, dtype=np.int64), [1, 1, 2, 2])
    return Tries(
        tuple(every[number] for number in there), answers[there], np.arange(8) % 2, np.arange(8), DRAWS, shots, (1, 2),
        dict.fromkeys(without, "why"), dict.fromkeys(every, "mark"),
    )  # fmt: skip


def truth() -> pd.DataFrame:
    """Scores of all cells, and of protocol init, which say nothing of a prompt as it is."""
    rng, rows = np.random.default_rng(0), []
    for method in METHODS:
        for target in TASKS:
            for source in (*TASKS, "scratch", "template"):
                for seed in SEEDS:
                    score = 0.5 if source == "template" else rng.uniform(0.2, 0.9)
                    rows.append({"protocol": "frozen", "method": method, "source": source, "target": target, "seed": seed, "score": score})
                    rows.append(rows[-1] | {"protocol": "init", "score": 1.0})
    return pd.DataFrame(rows)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study(CONFIG | {"results": str(tmp_path)})
    images, labels = np.zeros((2, 1, 1, 3), np.uint8), np.arange(2)
    pools = {split: Pool.whole(images, labels) for split in ("train", "validation", "test")}
    for name in TASKS:
        task = Task(name, name, "test", ("one", "two"), ("a photo of {}.",), METRICS[name])
        prepared.write(study.paths.task_folder(name), task, pools, [{"split": "train"}], dict.fromkeys(pools, images))
        for method in METHODS:
            store(study, name, method)
    return study


def store(study: Study, target: str, method: str, **about) -> None:
    replace(study.paths.tries(method, target), TRIES.packed(tries(target, method, **about), {}))


def evidence(study: Study, scores: pd.DataFrame | None = None) -> tuple[dict, list[str]]:
    """By methods, target, number of images and draw."""
    said: list[str] = []
    found = Evidences(study, truth() if scores is None else scores, said.append).every()
    return {("+".join(one.methods), one.target, one.shots, one.draw): one for one in found}, said


def test_every_prompt_has_what_its_answers_and_its_cell_say(study: Study) -> None:
    found, said = evidence(study)
    assert not said and len(found) == 3 * 4 * 2 * 2
    one, own, scores = (
        found["coop", "b", 2, 4],
        tries("b", "coop"),
        truth().query("protocol == 'frozen' and method == 'coop' and target == 'b'"),
    )
    assert one.candidates == tuple(Candidate("coop", source, seed) for source in ("a", "c", "d") for seed in SEEDS)
    right = own.answers[:, 4:] == own.labels[4:]
    np.testing.assert_array_equal(one.contributions, right[:6])
    np.testing.assert_array_equal(one.reference, right[8])
    np.testing.assert_allclose(one.untuned, right[6:8].mean(axis=0))
    cells = scores.set_index(["source", "seed"])["score"]
    assert [*one.truth] == [cells[candidate.source, candidate.seed] for candidate in one.candidates]
    assert one.reference_truth == 0.5 and one.untuned_truth == pytest.approx(scores.query("source == 'scratch'")["score"].mean())
    np.testing.assert_array_equal(found["coop", "b", 1, 4].labels, own.labels[4:6])


def test_all_methods_are_also_one_choice(study: Study) -> None:
    found, _ = evidence(study)
    both = found["coop+vpt", "a", 1, 3]
    assert both.candidates == (*found["coop", "a", 1, 3].candidates, *found["vpt", "a", 1, 3].candidates)
    assert {key[0] for key in evidence(Study(study.config | {"methods": ["vpt"]}))[0]} == {"vpt"}


def test_a_prompt_that_failed_has_no_numbers(study: Study) -> None:
    lost = TriedPrompt("c", 2)
    store(study, "a", "coop", without=(lost, TriedPrompt("scratch", 1)))
    scores = truth()
    scores.loc[(scores["source"] == "c") & (scores["seed"] == 2) & (scores["method"] == "coop"), "score"] = np.nan
    one = evidence(study, scores)[0]["coop", "a", 2, 3]
    place = one.candidates.index(Candidate("coop", "c", 2))
    assert [*np.flatnonzero(~one.usable)] == [place] == [*np.flatnonzero(np.isnan(one.truth))]
    np.testing.assert_array_equal(one.untuned, tries("a", "coop").answers[7, :4] == [0, 1, 0, 1])


def test_what_cannot_be_said_is_told(study: Study) -> None:
    replace(study.paths.tries("coop", "a"), TRIES.failed(Failed("no image can be read"), {}))
    store(study, "b", "coop", without=(HAND_WRITTEN,))
    scores = truth()
    scores.loc[(scores["source"] == "template") & (scores["target"] == "d"), "score"] = np.nan
    found, said = evidence(study, scores)
    assert {key[1] for key in found if key[0] == "coop"} == {"c"} and {key[1] for key in found if key[0] == "vpt"} == {"a", "b", "c"}
    assert said == [
        "no choice for a by coop: tries failed: no image can be read",
        "no choice for b by coop: the zero-shot prompt has no score",
        "no choice for d by coop: the zero-shot prompt has no score",
        "no choice for d by vpt: the zero-shot prompt has no score",
    ]


def test_a_draw_on_which_the_metric_has_no_value_is_left_out(study: Study) -> None:
    own = tries("c", "coop")
    labels = np.array([0, 0, 0, 1, 0, 1, 0, 1])
    replace(study.paths.tries("coop", "c"), TRIES.packed(Tries(**vars(own) | {"labels": labels}), {}))
    found, said = evidence(Study(study.config | {"methods": ["coop"]}))
    assert ("coop", "c", 1, 3) not in found and ("coop", "c", 2, 3) in found and ("coop", "c", 1, 4) in found
    assert said == ["no choice for c from draw 3 with 1 image per class: all are of class 0, and roc_auc compares two"]


def test_the_table_has_a_part_for_each_method_and_all_together(study: Study) -> None:
    said: list[str] = []
    made = table(study, truth(), said.append)
    assert list(made.columns) == COLUMNS and not said
    assert {*zip(made["method"], made["shots"], strict=True)} == {(m, k) for m in ("coop", "vpt", "coop+vpt") for k in (1, 2)}
    assert (made["n_tasks"] == 4).all() and (made["n_draws"] == 2).all()


def test_too_few_tasks_make_an_empty_table_and_no_error(study: Study) -> None:
    said: list[str] = []
    scores = truth()
    scores = scores[scores["target"].isin(["a", "b"])]
    made = table(study, scores, said.append)
    assert list(made.columns) == COLUMNS and made.empty
    assert said[-1] == "the table `choice` is empty: how well a prompt can be chosen needs 3 tasks or more with scores"
    assert table(study, scores[:0], said.append).empty

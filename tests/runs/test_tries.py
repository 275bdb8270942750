"""Prompts of other tasks are tried on labelled training images of a target: the answers are those of each prompt alone, on the draws that
were asked for; a prompt that failed costs its own row; what still holds is kept."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from one_model import loaded_once
from promptatlas import backbone
from promptatlas.backbone import feature_file
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.base.errors import Failed, UserError
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.contributions import contributions
from promptatlas.evaluation.estimates.answers import agreement
from promptatlas.evaluation.estimates.logme import logme
from promptatlas.evaluation.estimates.neighbours import nearest
from promptatlas.evaluation.estimates.posteriors import leep
from promptatlas.evaluation.estimates.source import first_order
from promptatlas.evaluation.observe import observe
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.records.tries_file import TRIES, TriedPrompt, read_tries
from promptatlas.runs import changes, damage, engine, status, tries
from promptatlas.study.study import Study
from promptatlas.tasks import metrics, prepared
from promptatlas.tasks.draws import draw, nested_draw
from promptatlas.tasks.prepared import Pool, PreparedTask
from promptatlas.tasks.task import Task
from promptatlas.training import first_step, single_task
from tiers import mostly_slow
from twins import TINY, twin

NAMES = {"hues": ("red thing", "green"), "kinds": ("sea", "meadow", "river bed"), "scan": ("healthy", "tumour"), "marks": ("dot", "line")}
METRICS = {"hues": "accuracy", "kinds": "mean_per_class", "scan": "roc_auc", "marks": "map_11_point"}
SEEDS = (1, 3)
CONFIG = {
    "study": "small", "benchmark": "own", "data": {name: {"folder": name} for name in NAMES}, "methods": ["coop", "vpt"], "seeds": [*SEEDS],
    "settings": {"coop": {"epochs": 1, "context": 2}, "vpt": {"epochs": 1, "prompts": 2}}, "shots": 2,
    "choice": {"draws": 2, "shots": [4, 1], "estimators": []},
}  # fmt: skip


def study_in(folder: Path, **changes) -> Study:
    return Study(CONFIG | {"results": str(folder)} | changes)


def write(folder: Path, name: str, seed: int, **about) -> None:
    """A task of 24 training, 20 validation and 30 test images."""
    random, names, several = np.random.default_rng(seed), NAMES[name], name == "marks"
    images, pools = {}, {}
    for split, count in (("train", 24), ("validation", 20), ("test", 30)):
        labels = np.arange(count) % len(names)
        colours = 100 + 60 * np.eye(3)[labels] + random.normal(0, 40, (count, 3))
        images[split] = (colours[:, None, None] + random.normal(0, 20, (count, 32, 32, 3))).clip(0, 255).astype(np.uint8)
        pools[split] = Pool.whole(
            images[split], np.eye(2, dtype=np.uint8)[labels] | (random.random((count, 2)) < 0.3) if several else labels
        )
    task = Task(name, name, "test", names, ("a photo of {}.",), METRICS[name], several)
    prepared.write(folder, replace(task, **about), pools, [{"split": "train"}], images)


@pytest.fixture(scope="module", autouse=True)
def one_model():
    with loaded_once():
        yield


@pytest.fixture(autouse=True)
def made_from_nothing(monkeypatch):
    """The tasks here are arrays without a source whose files could change."""
    monkeypatch.setattr(changes, "of_tasks", lambda study: {})


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Path:
    """A study whose tries are made. Not to be changed."""
    study = study_in(tmp_path_factory.mktemp("ground"))
    twin(TINY | {"quick_gelu": False}, study.paths.backbone_folder)
    for number, name in enumerate(NAMES):
        write(study.paths.task_folder(name), name, number)
    for job in (study.jobs.draw, *study.jobs.encode, *study.jobs.tune, *study.jobs.tries):
        engine.run(study, job, 1, lambda line: None)
    return Path(study.config["results"])


@pytest.fixture
def folder(ground: Path, tmp_path: Path) -> Path:
    shutil.copytree(ground, tmp_path / "results")
    return tmp_path / "results"


def run(study: Study, method: str = "coop") -> list[str]:
    """The tries of one method; what was said."""
    said: list[str] = []
    for job in study.jobs.tries:
        if job.method == method:
            engine.run(study, job, 1, said.append)
    return said


def lost(study: Study, task: str, seed: int) -> Path:
    """A source prompt of CoOp that failed."""
    path = study.paths.prompt("coop", seed, task)
    path.write_bytes(PROMPT.failed(Failed("the loss is not a number"), {"method": "coop"}))
    return path


@pytest.mark.parametrize("method", ["coop", "vpt"])
@pytest.mark.parametrize("target", NAMES)
def test_answers_are_those_of_each_prompt_alone(ground: Path, method: str, target: str) -> None:
    study = study_in(ground)
    model, task = backbone.load(study.paths.backbone_folder), PreparedTask.open(study.paths.task_folder(target))
    found, encoded = read_tries(study.paths.tries(method, target)), feature_file.load(study.paths.encoded(target))[0]
    others = [name for name in NAMES if name != target]
    assert found.prompts == (*(TriedPrompt(name, seed) for name in (*others, "scratch") for seed in SEEDS), TriedPrompt("template", None))
    assert not found.failed
    images, features = np.asarray(task.images("train"))[found.images], encoded["features_train"][found.images]
    np.testing.assert_array_equal(found.labels, task.labels("train")[found.images])
    for (source, seed), answers in zip(found.prompts, found.answers, strict=True):
        if source == "template":
            logits = float(model.logit_scale) * features @ encoded["class_features"].T
        elif source == "scratch":
            prompts = single_task.scratch(model, method, study.settings(method), seed).prompts
            logits = evaluate.answers(model, task.task.class_names, images, features, [prompts])[0]
        else:
            prompts = TunedPrompt.load(study.paths.prompt(method, seed, source))[0].prompts
            logits = evaluate.answers(model, task.task.class_names, images, features, [prompts])[0]
        if METRICS[target] in ("accuracy", "mean_per_class"):
            assert answers.dtype == np.int16 and (answers == logits.argmax(1)).mean() > 0.9  # near ties may fall otherwise in a batch
        else:
            assert answers.dtype == np.float32
            gap = logits - logits.mean(axis=1, keepdims=True) - (answers - answers.mean(axis=1, keepdims=True))
            assert abs(gap).max() < 1e-3


def test_they_give_the_metric_of_the_target_on_any_draw(ground: Path) -> None:
    found = read_tries(study_in(ground).paths.tries("coop", "scan"))
    rows = found.rows(4, 4)
    own = contributions("roc_auc", found.answers[:, rows], found.labels[rows]).mean(axis=1)
    expected = [roc_auc_score(found.labels[rows], softmax(answers[rows], axis=1)[:, 1]) for answers in found.answers]
    np.testing.assert_allclose(own, expected, atol=1e-12)


@pytest.mark.parametrize("target", NAMES)
def test_draws_are_fresh_nested_and_of_the_train_pool(ground: Path, target: str) -> None:
    """Seeds go on after the largest that prompts were trained with. What is drawn with most images per class is what a prompt would be
    trained on with that seed."""
    study = study_in(ground)
    task, found = PreparedTask.open(study.paths.task_folder(target)), read_tries(study.paths.tries("coop", target))
    assert found.draws == (4, 5) and found.levels == (1, 4)
    for seed in found.draws:
        most, one = found.rows(seed, 4), found.rows(seed, 1)
        drawn = draw(task.pool_labels("train"), task.pool_labels("validation"), 4, seed, target)
        assert sorted(found.images[most]) == sorted(drawn.train)
        assert {*one} < {*most} and (target == "marks" or len(one) == len(NAMES[target]))
        assert not metrics.undefined(METRICS[target], found.labels[one])
    assert [*found.images] == sorted({*found.images[found.rows(4, 4)], *found.images[found.rows(5, 4)]})


def test_methods_answer_the_same_images(ground: Path) -> None:
    study = study_in(ground)
    coop, vpt = (read_tries(study.paths.tries(method, "kinds")) for method in ("coop", "vpt"))
    np.testing.assert_array_equal(coop.images, vpt.images)
    np.testing.assert_array_equal(coop.shots, vpt.shots)
    place = coop.places[TriedPrompt("template", None)]
    np.testing.assert_array_equal(coop.answers[place], vpt.answers[place])


def test_they_do_not_depend_on_how_many_prompts_are_answered_at_once(folder: Path, monkeypatch) -> None:
    study, before = study_in(folder), {}
    for target in NAMES:
        before[target] = read_tries(study.paths.tries("coop", target))
        study.paths.tries("coop", target).unlink()
    monkeypatch.setattr(tries, "AT_ONCE", 1)
    run(study)
    for target, old in before.items():
        new = read_tries(study.paths.tries("coop", target))
        assert new.prompts == old.prompts and new.marks == old.marks
        np.testing.assert_allclose(new.answers, old.answers, atol=1e-3)


def test_a_failed_prompt_costs_its_own_row_and_is_tried_when_it_is_mended(folder: Path, monkeypatch) -> None:
    study = study_in(folder)
    before = read_tries(study.paths.tries("coop", "hues"))
    path = study.paths.prompt("coop", 3, "kinds")
    sound = path.read_bytes()
    lost(study, "kinds", 3)
    said = run(study)
    after, row = read_tries(study.paths.tries("coop", "hues")), TriedPrompt("kinds", 3)
    assert after.failed == {row: "source prompt failed: the loss is not a number"}
    assert after.prompts == tuple(prompt for prompt in before.prompts if prompt != row)
    np.testing.assert_array_equal(after.answers, np.delete(before.answers, before.places[row], axis=0))
    assert "no answers on hues of kinds, seed 3: source prompt failed: the loss is not a number" in said
    path.write_bytes(sound)
    asked, answers = [], evaluate.answers
    monkeypatch.setattr(evaluate, "answers", lambda *given: asked.append(len(given[-1])) or answers(*given))
    run(study)
    again = read_tries(study.paths.tries("coop", "hues"))
    assert asked == [1, 1, 1] and again.prompts == before.prompts and not again.failed
    np.testing.assert_array_equal(again.answers, before.answers)


def test_a_prompt_whose_answers_are_no_numbers_costs_its_own_row(folder: Path, monkeypatch) -> None:
    study, answers = study_in(folder), evaluate.answers

    def one_wrong(*given):
        logits = np.array(answers(*given))
        logits[0, 3] = np.nan
        return logits

    for target in NAMES:
        study.paths.tries("coop", target).unlink()
    monkeypatch.setattr(tries, "AT_ONCE", 1)
    monkeypatch.setattr(evaluate, "answers", one_wrong)
    run(study)
    found = read_tries(study.paths.tries("coop", "kinds"))
    assert found.prompts == (TriedPrompt("template", None),) and len(found.failed) == 8
    assert {*found.failed.values()} == {f"its answers for 1 of {len(found.images)} images are not numbers"}


def kinds_of(study: Study, method: str = "coop") -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.path.stem: (one.kind, one.why) for one in status.states(study, method) if one.what == f"tries {method}"}


def test_status_knows_them(folder: Path) -> None:
    study = study_in(folder)
    assert {*kinds_of(study).values()} == {(status.DONE, ())}
    study.paths.tries("coop", "hues").unlink()
    assert kinds_of(study)["hues"] == (status.MISSING, ())
    shutil.copy(study.paths.prompt("coop", 1, "hues"), study.paths.prompt("coop", 1, "scan"))
    found = kinds_of(study)
    assert found["kinds"] == found["marks"] == (status.STALE, ("prompts",)) and found["scan"] == (status.DONE, ())
    shutil.copy(study.paths.prompt("coop", 1, "hues"), study.paths.prompt("coop", 1, "scan"))
    assert {*kinds_of(study_in(folder, choice={"draws": 3, "shots": [4, 1], "estimators": []})).values()} >= {
        (status.STALE, ("data_train", "draws", "prompts"))
    }
    assert not kinds_of(study_in(folder, choice=False))


def test_another_metric_of_right_answers_leaves_them_as_they_are(folder: Path) -> None:
    study = study_in(folder)
    write(study.paths.task_folder("kinds"), "kinds", 1, metric="accuracy")
    assert kinds_of(study)["kinds"] == (status.DONE, ())
    write(study.paths.task_folder("scan"), "scan", 2, metric="accuracy")
    assert kinds_of(study)["scan"] == (status.STALE, ("answers",))
    write(study.paths.task_folder("hues"), "hues", 0, class_names=("red", "green"))
    assert kinds_of(study)["hues"] == (status.STALE, ("classes",))


@pytest.mark.parametrize("cut", [0, 7, 100, -5])
def test_a_damaged_file_is_named_and_made_anew(folder: Path, cut: int) -> None:
    study = study_in(folder)
    path = study.paths.tries("coop", "scan")
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    assert path in damage.found(study)
    with pytest.raises(UserError, match="delete the file"):
        read_tries(path)
    path.unlink()
    run(study)
    path.with_name("before.safetensors").write_bytes(whole)
    now, before = read_tries(path), read_tries(path.with_name("before.safetensors"))
    assert now.prompts == before.prompts and TRIES.inputs(path) == TRIES.inputs(path.with_name("before.safetensors"))
    np.testing.assert_array_equal(now.answers, before.answers)


def test_a_file_that_says_why_there_is_none_is_no_damage(folder: Path) -> None:
    study = study_in(folder)
    path = study.paths.tries("coop", "scan")
    path.write_bytes(TRIES.failed(Failed("no reason"), {}))
    assert path not in damage.found(study) and kinds_of(study)["scan"] == (status.FAILED, ("tries failed: no reason",))
    with pytest.raises(Failed, match="no reason"):
        read_tries(path)


def test_a_task_that_failed_has_none_and_costs_the_others_a_row_at_most(folder: Path) -> None:
    study = study_in(folder)
    prepared.write_failed(study.paths.task_folder("scan"), "no image can be read")
    run(study)
    with pytest.raises(Failed, match="no image can be read"):
        read_tries(study.paths.tries("coop", "scan"))
    assert len(read_tries(study.paths.tries("coop", "hues")).prompts) == 9


def test_more_answers_than_a_file_should_hold_are_refused_in_a_sentence(folder: Path, monkeypatch) -> None:
    study = study_in(folder)
    for target in ("scan", "kinds"):
        study.paths.tries("coop", target).unlink()
    monkeypatch.setattr(tries, "LARGEST", 100)
    run(study)
    with pytest.raises(Failed, match="roc_auc needs a number for each of 2 classes; lower `draws` or `shots` under `choice`"):
        read_tries(study.paths.tries("coop", "scan"))
    read_tries(study.paths.tries("coop", "kinds"))  # of which predicted classes are enough


def test_nothing_is_tried_where_no_other_prompt_could_be_chosen() -> None:
    for changes_ in ({"choice": False}, {"design": "few_shot"}, {"protocols": ["init"]}):
        study = Study(CONFIG | changes_)
        assert not study.jobs.tries and not study.choice and "choice" not in study.description
    assert Study(CONFIG | {"choice": True}).choice.shots == (1, 4, 16)
    with pytest.raises(UserError, match=r"`choice.draws` must be at least 1, not 0"):
        Study(CONFIG | {"choice": {"draws": 0}})


def test_jobs_are_cut_by_targets_and_need_all_prompts_of_the_method() -> None:
    study = Study(CONFIG | {"jobs": {"targets_per_job": 1, "prompts_per_job": 1, "tasks_per_job": 1}})
    assert [job.name for job in study.jobs.tries][:2] == ["try_coop_hues", "try_coop_kinds"]
    first = study.jobs.tries[0]
    assert {*first.needs} == {job.name for job in study.jobs.tune if job.method == "coop"} | {"encode_hues"}
    assert json.loads(json.dumps(first.params))["draws"] == [4, 5]


def test_a_draw_is_nested_by_every_scheme_and_smaller_ones_differ_between_seeds() -> None:
    rng = np.random.default_rng(0)
    one, many = rng.integers(5, size=200), (rng.random((200, 5)) < 0.3).astype(np.uint8)
    for labels in (one, many):
        for scheme in ("coop", "elevater"):
            found = [nested_draw(labels, (16, 1, 4), seed, "task", scheme) for seed in range(4)]
            for drawn in found:
                assert [*drawn.images] == sorted({*drawn.images}) and {*drawn.shots} == {1, 4, 16}
            firsts = {tuple(drawn.images[drawn.shots == 1]) for drawn in found}
            assert len(firsts) == 4
    drawn = nested_draw(one, (1, 4, 16), 3, "task")
    assert all([*np.bincount(one[drawn.images[drawn.shots <= few]])] == [few] * 5 for few in (1, 4, 16))


def test_a_class_with_fewer_images_gives_all_and_the_smaller_draws_still_differ() -> None:
    labels = np.array([0] * 3 + [1] * 50)
    drawn = [nested_draw(labels, (1, 16), seed, "task") for seed in range(20)]
    assert all((labels[one.images] == 0).sum() == 3 for one in drawn)
    assert len({one.images[(one.shots == 1) & (labels[one.images] == 0)][0] for one in drawn}) == 3


@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt"], ["coop"]))
def test_estimates_are_those_of_what_each_prompt_makes_of_the_images_of_a_draw(folder: Path, method: str) -> None:
    names = ["est_logme", "est_leep", "est_agree_hand", "src_validation", "est_grad", "est_knn"]
    plain = read_tries(study_in(folder).paths.tries(method, "kinds"))
    study = study_in(folder, choice=CONFIG["choice"] | {"estimators": names})
    run(study, method)
    found = read_tries(study.paths.tries(method, "kinds"))
    assert found.prompts == plain.prompts and (found.answers == plain.answers).mean() > 0.95
    assert found.estimators == tuple(names) and found.estimates.shape == (len(found.prompts), 6, 2, 2)
    model, task = backbone.load(study.paths.backbone_folder), PreparedTask.open(study.paths.task_folder("kinds"))
    encoded = feature_file.load(study.paths.encoded("kinds"))[0]
    rows = found.rows(5, 4)
    numbers = found.images[rows]
    images, features, labels = np.asarray(task.images("train"))[numbers], encoded["features_train"][numbers], found.labels[rows]
    prompt, start = (
        TunedPrompt.load(study.paths.prompt(method, 3, "hues"))[0],
        single_task.scratch(model, method, study.settings(method), 3),
    )
    own, source = (PromptedClassifier(model, classes, prompt.prompts) for classes in (task.task.class_names, NAMES["hues"]))
    seen = observe(own, images, features, prompt.prompts, source)
    slope = first_step.gradient(model, study.settings(method), task.task.class_names, images, features, labels, start)
    estimated = found.estimated(5, 4)
    expected = {
        "est_logme": logme(seen.logits if seen.features is None else seen.features, labels),
        "est_leep": leep(seen.source_probabilities, labels),
        "est_agree_hand": agreement(softmax(seen.logits, 1), softmax(float(model.logit_scale) * features @ encoded["class_features"].T, 1)),
        "src_validation": prompt.history[prompt.best_epoch - 1]["validation_score"],
        "est_grad": first_order(slope, first_step.delta(prompt, start)),
        "est_knn": nearest(seen.logits if seen.features is None else seen.features, labels),
    }
    for name, value in expected.items():
        assert estimated[name][found.places[TriedPrompt("hues", 3)]] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    assert np.isnan(estimated["src_validation"][found.places[TriedPrompt("scratch", 3)]])
    alone = found.estimated(5, 1)["est_knn"]
    assert np.isnan(alone).all() and found.gaps["est_knn"] == "a class has 1 of the images, and it needs 2"


def test_other_estimators_make_tries_stale_and_none_are_asked_for_where_none_are_wanted(folder: Path) -> None:
    study = study_in(folder, choice=CONFIG["choice"] | {"estimators": ["est_confidence"]})
    assert run(study) and read_tries(study.paths.tries("coop", "hues")).estimators == ("est_confidence",)
    before = study.paths.tries("coop", "hues").stat().st_mtime_ns
    run(study)
    assert study.paths.tries("coop", "hues").stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"unknown estimator `est_confidense` under `choice.estimators`"):
        study_in(folder, choice={"estimators": ["est_confidense"]})


def test_what_is_estimated_of_a_prompt_stays_where_another_fails(folder: Path) -> None:
    study = study_in(folder, choice=CONFIG["choice"] | {"estimators": ["est_likelihood", "est_leep"]})
    run(study)
    before = read_tries(study.paths.tries("coop", "hues"))
    lost(study, "kinds", 3)
    run(study)
    after = read_tries(study.paths.tries("coop", "hues"))
    gone = before.places[TriedPrompt("kinds", 3)]
    np.testing.assert_array_equal(after.estimates, np.delete(before.estimates, gone, axis=0))
    assert after.gaps == before.gaps

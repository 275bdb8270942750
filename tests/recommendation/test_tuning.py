"""Tuning on the target's own images: starts and the untrained prompt have one budget, and are chosen by images that tuned nothing."""

from dataclasses import replace

import numpy as np
import pytest

import prompt_studies
import promptatlas
from own_images import folder_of_images
from promptatlas.base.errors import UserError
from promptatlas.exchange.inference import Classifier
from promptatlas.recommendation import tuning, tuning_record, words
from promptatlas.records.prompt_file import TunedPrompt
from twins import TINY, twin


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "mine"
    backbone = twin(TINY | {"quick_gelu": False}, folder / "backbone")[1]
    prompt_studies.write(folder, backbone, methods=("coop", "vpt"))
    return folder, backbone


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "greys"
    folder_of_images(folder, count=8)
    return folder


@pytest.fixture(scope="module")
def answer(study, images, tmp_path_factory):
    return promptatlas.recommend(images, study[0], tune=3, output=tmp_path_factory.mktemp("out"))


def test_the_starts_are_the_best_on_the_images_that_are_trained_on(answer):
    train = answer.tuned.draw.train
    scores = {file.called: row.contributions[train].mean() for file, row in zip(answer.tried.files, answer.tried.rows, strict=True)}
    starts = {one.start.called for one in answer.tuned.contenders if one.how == tuning.AS_IT_IS}
    assert len(starts) == 3
    assert min(scores[name] for name in starts) >= max(score for name, score in scores.items() if name not in starts)


def test_every_class_has_images_to_train_on_and_others_to_choose_by(answer):
    draw = answer.tuned.draw
    assert not set(draw.train) & set(draw.validation) and len(draw.train) + len(draw.validation) == 24
    assert np.bincount(draw.validation_labels).tolist() == [2, 2, 2]


def test_what_is_tuned_has_one_budget_and_each_method_an_untrained_start(answer):
    tuned = [one for one in answer.tuned.contenders if one.how == tuning.TUNED]
    methods = {one.method for one in tuned}
    assert len(tuned) == 3 + len(methods)
    assert {one.method for one in tuned if one.start is None} == methods
    assert {len(one.prompt.history) for one in tuned} == {prompt_studies.QUICK["epochs"]}
    rates = {tuple(row["learning_rate"] for row in one.prompt.history) for one in tuned}
    assert len(rates) == 1


def test_what_is_tuned_starts_from_the_learnables_of_its_file(study, images, monkeypatch):
    begun = []
    whole = tuning.single_task.tune_task
    monkeypatch.setattr(tuning.single_task, "tune_task", lambda *given: begun.append(given[6]) or whole(*given))
    answer = promptatlas.recommend(images, study[0], tune=1)
    (start,) = [one.start for one in answer.tuned.contenders if one.how == tuning.AS_IT_IS]
    (several,) = begun
    assert [prompt.parameter_fingerprint() for prompt in several] == [
        TunedPrompt.load(start.path)[0].parameter_fingerprint(),
        tuning.single_task.scratch(study[1], start.method, start.card["settings"], 0).parameter_fingerprint(),
    ]


def test_scores_are_those_of_the_prompts_on_the_images_to_choose_by(answer, study, images):
    names = answer.target.task.class_names
    paths = [images / name / f"{n}.jpg" for name in names for n in range(8)]
    draw = answer.tuned.draw
    shown = [paths[row] for row in draw.validation]
    for one in answer.tuned.contenders:
        if one.prompt is not None:
            labels = Classifier(study[1], names, one.prompt.prompts, "crop")(shown).labels
            expected = np.mean([label == names[number] for label, number in zip(labels, draw.validation_labels, strict=True)])
            assert one.score == pytest.approx(expected)
    assert answer.tuned.winner.score == max(one.score for one in answer.tuned.contenders)
    chosen = [one for one in answer.tuned.contenders if one.how == tuning.TUNED]
    assert all(one.score == pytest.approx(one.prompt.history[one.prompt.best_epoch - 1]["validation_score"]) for one in chosen)


def test_of_equal_scores_the_one_wins_that_is_surer_of_the_right_classes(answer, study, images):
    """The loss is that of the answers of the prompt as others load it."""
    several = [(-one.score, one.loss) for one in answer.tuned.contenders]
    assert several == sorted(several) and len({score for score, _ in several}) < len(several)
    names, draw = answer.target.task.class_names, answer.tuned.draw
    paths = [images / name / f"{n}.jpg" for name in names for n in range(8)]
    for one in (one for one in answer.tuned.contenders if one.prompt):
        given = Classifier(study[1], names, one.prompt.prompts, "crop")([paths[row] for row in draw.validation])
        own = given.probabilities[np.arange(len(draw.validation)), draw.validation_labels]
        assert one.loss == pytest.approx(-np.log(own).mean(), rel=1e-4)


def test_the_winner_is_left_with_its_card(answer):
    gain = answer.tuned.gain
    hand = next(one for one in answer.tuned.contenders if one.how == tuning.HAND_WRITTEN)
    assert gain.gain == pytest.approx(answer.tuned.winner.score - hand.score)
    assert answer.lines[0].startswith({"use": "use ", "keep": "keep the hand", "too_few": "too few validation images"}[gain.verdict])
    if answer.prompt is None:
        assert answer.tuned.winner.how == tuning.HAND_WRITTEN
        return
    prompt = promptatlas.load_prompt(answer.prompt)
    assert prompt.card["class_names"] == list(answer.target.task.class_names)
    assert prompt.trained.fingerprint() == answer.tuned.winner.prompt.fingerprint()


def test_which_starts_are_better_is_said_of_the_methods_that_were_tuned_and_without_tuning_what_it_would_be_worth(answer):
    methods = {one.method for one in answer.tuned.contenders if one.start}
    told, *below = tuning_record.lines(methods, True)
    assert "\n".join([told, *below]) in "\n".join(answer.lines) and words.summary(answer)["worth_tuning"] == [told, *below]
    untuned = words.lines(replace(answer, tuned=None))
    assert told not in untuned and tuning_record.lines({"coop", "vpt"}, False)[0] in untuned
    alone = replace(answer.target, labels=np.arange(3))
    assert words.worth_tuning(replace(answer, tuned=None, target=alone)) == []  # no class has an image to choose by


def test_one_image_per_class_cannot_be_tuned_and_chosen_by(study, tmp_path):
    folder_of_images(tmp_path / "one", count=1)
    with pytest.raises(UserError, match="--tune needs two labelled images"):
        promptatlas.recommend(tmp_path / "one", study[0], tune=1)


def test_prompts_without_learnables_are_no_starts(study, images, tmp_path):
    """As a shared learner leaves them: its learnables stay in its own file."""
    made = prompt_studies.prompt(study[1], "coop", 3)
    given = TunedPrompt(made.method, {}, made.prompts)
    given.save(tmp_path / "a.safetensors", prompt_studies.about(study[1], "coop", "animals", 1))
    with pytest.raises(UserError, match="none of the candidates can be tuned"):
        promptatlas.recommend(images, tmp_path, tune=1, backbone=study[0] / "backbone")

"""Which prompt for one's own images: every score is that of the prompt as others load it, no test image is opened, and what is
written can be used as it is.
"""

import csv
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import prompt_studies
import promptatlas
from own_images import SHADES, folder_of_images
from promptatlas.analysis.choice.decision import USE, decide
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.recommendation import answer as answers, labelled, trying, words
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.decoding import fitted
from promptatlas.tasks.readers import folder as folders
from twins import TINY, twin

NAMES = tuple(sorted(SHADES))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study with twelve prompts and its backbone."""
    folder = tmp_path_factory.mktemp("results") / "mine"
    backbone = twin(TINY | {"quick_gelu": False}, folder / "backbone")[1]
    prompt_studies.write(folder, backbone)
    return folder, backbone


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "shades of grey"
    folder_of_images(folder, splits=("train", "val", "test"), count=4)
    return folder


@pytest.fixture(scope="module")
def answer(study, images):
    return promptatlas.recommend(images, study[0])


def test_every_candidate_has_the_score_that_its_file_gives_when_it_is_loaded(answer, study, images):
    assert len(answer.tried.files) == 12 and not answer.found.left_out
    for file, row in zip(answer.tried.files, answer.tried.rows, strict=True):
        classify = promptatlas.load_prompt(file.path).classifier(NAMES, study[1], resize="crop")
        expected = right(classify([path for path, _ in shown(images)]).labels, images)
        np.testing.assert_array_equal(row.contributions, expected)
        assert row.score == pytest.approx(np.mean(expected))


def shown(images):
    """Files and class names of the labelled images, in the order in which they are joined: train, then val."""
    return [(images / split / name / f"{n}.jpg", name) for split in ("train", "val") for name in NAMES for n in range(4)]


def right(labels, images):
    return [label == name for label, (_, name) in zip(labels, shown(images), strict=True)]


def test_the_hand_written_prompt_is_the_zero_shot_classifier(answer, study, images):
    """Class weights of the one sentence, against features of the files themselves."""
    backbone = study[1]
    read = np.stack([fitted(Image.open(path), backbone.architecture.image_size, "crop") for path, _ in shown(images)])
    with torch.no_grad():
        features = backbone.vision.encode(backbone.vision.read(read))
        logits = features @ backbone.class_features(NAMES, ("a photo of a {}.",)).T
    expected = right([NAMES[best] for best in logits.argmax(1).tolist()], images)
    np.testing.assert_array_equal(answer.tried.hand_written.contributions, expected)


def test_prompts_in_small_groups_give_what_they_give_in_one(answer, study, images, monkeypatch):
    monkeypatch.setattr(trying, "TOGETHER", 1)
    alone = promptatlas.recommend(images, study[0])
    for one, other in zip(alone.tried.rows, answer.tried.rows, strict=True):
        np.testing.assert_array_equal(one.contributions, other.contributions)
    assert alone.lines == answer.lines


def test_what_is_held_at_once_grows_neither_with_candidates_nor_with_classes(study, images, monkeypatch):
    held = []
    whole = trying.evaluate.answers
    monkeypatch.setattr(trying.evaluate, "answers", lambda *given: held.append(len(given[4])) or whole(*given))
    monkeypatch.setattr(trying, "MOST_BYTES", 3 * 4 * 3 * (24 + 1024))  # of three prompts, for 3 classes and 24 images
    promptatlas.recommend(images, study[0])
    assert max(held) == 3


def test_untuned_prompts_are_those_that_the_candidates_started_from(answer):
    assert {method: len(rows) for method, rows in answer.tried.untuned.items()} == {"coop": 2, "vpt": 2, "upt": 2}


def test_no_test_image_is_opened(study, images, tmp_path, answer):
    """Not even looked at: where they are broken, nothing changes."""
    copy = tmp_path / images.name
    shutil.copytree(images, copy)
    for path in (copy / "test").rglob("*.jpg"):
        path.write_text("no image")
    (copy / "test" / "another class").mkdir()
    assert promptatlas.recommend(copy, study[0]).lines == answer.lines


@pytest.mark.parametrize("splits", [(), ("train",), ("train", "valid")])
def test_a_folder_needs_no_test_images(splits, study, tmp_path):
    folder_of_images(tmp_path / "own", splits=splits, count=3)
    found = promptatlas.recommend(tmp_path / "own", study[0])
    assert len(found.target.labels) == 3 * 3 * max(1, len(splits)) and found.target.task.class_names == NAMES


def test_a_list_needs_no_test_images_and_those_it_has_are_not_opened(study, images, tmp_path):
    names = NAMES
    rows = [[f"train/{name}/{n}.jpg", names.index(name), name] for name in names for n in range(4)]
    for number, more in enumerate(({}, {"test": [["nowhere.jpg", 0, "black"]]})):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"train": rows} | more))
        if more:  # a list that names files that are not there is wrong, whatever they are for
            with pytest.raises(UserError, match=r"nowhere\.jpg"):
                folders.read_labelled({"reader": "folder", "manifest": str(path), "path": str(images)}, tmp_path)
        else:
            found = folders.read_labelled({"reader": "folder", "manifest": str(path), "path": str(images)}, tmp_path)
            assert list(found.splits) == ["train"] and len(found.splits["train"].labels) == 12


def test_a_known_task_is_tried_on_its_training_images_and_without_its_own_prompts(study, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(study[0], folder)
    (folder / "prompts/coop/seed1/animals.safetensors").rename(folder / "prompts/coop/seed1/renamed.safetensors")
    prompt_studies.prompt(study[1], "coop", 5).save(
        folder / "prompts/coop/seed1/colors.safetensors", prompt_studies.about(study[1], "coop", "colors", 1)
    )
    found = promptatlas.recommend(sources=folder, task="colors", shots=2)
    assert len(found.tried.files) == 12 and len(found.target.labels) == 2 * len(found.target.task.class_names)
    assert list(found.found.left_out.values()) == [["mine: prompts/coop/seed1/colors.safetensors"]]


def test_more_shots_only_add_and_no_class_moves_another():
    drawn = [_rows(shots) for shots in (1, 2, 3)]
    assert [len(rows) for rows in drawn] == [3, 6, 9]
    assert set(drawn[0]) < set(drawn[1]) < set(drawn[2])
    assert _rows(2, seed=1) != drawn[1]


def _rows(shots, seed=0):
    return labelled._drawn(np.repeat(np.arange(3), 8), shots, seed, [(seed, name) for name in NAMES]).tolist()


def test_the_same_images_are_drawn_whatever_the_folder_and_the_classes_are_called(tmp_path):
    """Nor does a class more change which are drawn of the others, or a class list in another order."""
    own, renamed, more = (tmp_path / name for name in ("own", "another name", "more"))
    for folder in (own, renamed, more):
        folder_of_images(folder, count=9)
    shutil.copytree(own / "black", more / "a class before all others")
    turned = [["snow", "white"], ["ash", "grey"], ["coal", "black"]]
    first = _drawn_of(own)
    assert [*first] == [*NAMES] and all(len(files) == 3 for files in first.values())
    assert _drawn_of(renamed) == first == {name: drawn for name, drawn in _drawn_of(more).items() if name in NAMES}
    called = _drawn_of(own, classes=turned)
    assert [called["coal"], called["ash"], called["snow"]] == [*first.values()]
    assert _drawn_of(own, seed=1) != first


def _drawn_of(folder, seed=0, classes=()):
    """What is drawn of each class: the bytes of its images."""
    scratch, wanted = Path(tempfile.mkdtemp(dir=folder.parent)), labelled.Wanted(8, "crop", 3, seed)
    target = labelled.read(labelled.describe(folder, None, classes=classes), folder, scratch, wanted, print)
    names = target.task.class_names
    return {name: [image.tobytes() for image in target.images[target.labels == number]] for number, name in enumerate(names)}


def test_what_is_written_says_what_was_answered(study, images, tmp_path):
    found = promptatlas.recommend(images, study[0], output=tmp_path / "out", margin=-100)
    with (tmp_path / "out/candidates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and [float(row["gain"]) for row in rows] == sorted((float(row["gain"]) for row in rows), reverse=True)
    told = json.loads((tmp_path / "out/recommendation.json").read_text())
    assert told["verdict"] == found.decision.verdict and told["candidates"] == 12 and told["target"]["images"] == dict.fromkeys(NAMES, 8)
    assert rows[0]["file"] == told["leading"]["file"] and found.decision.leading is not None
    hand = told["hand_written"]
    assert all(float(row["score"]) == pytest.approx(hand + float(row["gain"])) for row in rows)


@pytest.fixture
def always_used(monkeypatch):
    """The leading prompt is recommended, whatever the images say."""
    monkeypatch.setattr(answers, "decide", lambda evidence, margin: replace(decide(evidence, margin), verdict=USE))


def test_three_printed_lines_classify_into_the_classes_of_the_images(study, images, tmp_path, always_used, monkeypatch, capsys):
    found = promptatlas.recommend(images, study[0], output=tmp_path / "out")
    start = found.lines.index("import promptatlas")
    monkeypatch.chdir(images / "val" / "black")
    exec("\n".join(found.lines[start:]).replace('"image.jpg"', '"0.jpg", "1.jpg"'), {})
    assert {*json.loads(capsys.readouterr().out.replace("'", '"'))} <= set(SHADES)
    prompt = promptatlas.load_prompt(found.prompt)
    assert prompt.trained.fingerprint() == TunedPrompt.load(found.chosen.path)[0].fingerprint()
    assert prompt.card["class_names"] == list(NAMES) and prompt.card["resize"] == "crop" and "chosen for" in prompt.card["origin"]


def test_the_written_prompt_answers_as_it_was_tried(study, images, tmp_path, always_used):
    found = promptatlas.recommend(images, study[0], output=tmp_path / "out")
    classify = promptatlas.load_prompt(found.prompt).classifier(backbone=study[0] / "backbone")
    expected = right(classify([path for path, _ in shown(images)]).labels, images)
    np.testing.assert_array_equal(found.tried.rows[found.decision.leading].contributions, expected)


def test_a_prompt_of_an_earlier_answer_does_not_stay(study, images, tmp_path):
    (tmp_path / "prompt.safetensors").write_text("old")
    found = promptatlas.recommend(images, study[0], output=tmp_path, margin=100)
    assert found.prompt is None and not (tmp_path / "prompt.safetensors").exists()


def test_the_command_says_it_and_ends_with_0(study, images, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["recommend", str(images), "--from", str(study[0]), "--shots", "2", "--device", "cpu"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert "zero-shot prompt:" in told and "tried on 6 labelled images" in told and "has not run to its end" in told


def test_class_names_and_sentences_are_those_that_are_given(study, images, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("a white wall = white\nblack\nsomething grey = grey\n")
    command_line = [
        "recommend",
        str(images),
        "--from",
        str(study[0]),
        "--classes",
        str(tmp_path / "names.txt"),
        "--template",
        "{}, so it is",
    ]
    with pytest.raises(SystemExit) as end:
        command.main([*command_line, "-o", str(tmp_path / "out"), "--device", "cpu"])
    told = json.loads((tmp_path / "out/recommendation.json").read_text())["target"]
    assert end.value.code == 0 and told["templates"] == ["{}, so it is"]
    assert told["images"] == {"a white wall": 8, "black": 8, "something grey": 8}


def test_images_of_several_classes_are_scored_and_tuned_on_by_their_metric(study, images, tmp_path):
    """An 11-point mAP: the score of each prompt is that of its logits."""
    pairs = [[f"train/{name}/{n}.jpg", [at, (at + n) % 3][: 1 + n % 2], [NAMES[at], NAMES[(at + n) % 3]][: 1 + n % 2]]
             for at, name in enumerate(NAMES) for n in range(4)]  # fmt: skip
    path = images / "several.json"
    path.write_text(json.dumps({"train": pairs}))
    found = promptatlas.recommend(path, study[0], tune=1)
    path.unlink()
    assert found.target.task.metric == "map_11_point" and found.target.labels.shape[1] == 3
    for file, row in zip(found.tried.files, found.tried.rows, strict=True):
        logits = promptatlas.load_prompt(file.path).classifier(NAMES, study[1], resize="crop")(_listed(found, images, pairs)).logits
        assert row.score == pytest.approx(metrics.score("map_11_point", logits, found.target.labels).value, abs=1e-6)
    assert {one.how for one in found.tuned.contenders} == {"hand-written", "as it is", "tuned"}


def _listed(found, images, pairs):
    assert len(found.target.labels) == len(pairs)
    return [images / path for path, _, _ in pairs]


def test_a_table_or_a_description_of_the_images_is_the_same_target(study, images, tmp_path, answer):
    rows = [f"{split}/{name}/{n}.jpg,{name}" for split in ("train", "val") for name in NAMES for n in range(4)]
    (images / "list.csv").write_text("path,label\n" + "\n".join(rows))
    found = promptatlas.recommend(images / "list.csv", study[0])
    (images / "list.csv").unlink()
    scores = {file.called: row.score for file, row in zip(answer.tried.files, answer.tried.rows, strict=True)}
    assert scores == {file.called: row.score for file, row in zip(found.tried.files, found.tried.rows, strict=True)}
    (images.parent / "wall.yaml").write_text(
        json.dumps({"folder": images.name, "classes": [["a white wall", "white"], "black", "grey"], "metric": "mean_per_class"})
    )
    told = promptatlas.recommend(images.parent / "wall.yaml", study[0]).target.task
    assert (told.name, told.class_names, told.metric) == ("wall", ("a white wall", "black", "grey"), "mean_per_class")
    (tmp_path / "bad.yaml").write_text("folder: x\nfoldr: y")
    for path, why in ((tmp_path / "none.yaml", "does not exist"), (tmp_path / "bad.yaml", "foldr")):
        with pytest.raises(UserError, match=why):
            promptatlas.recommend(path, study[0])


def test_images_of_which_no_prompt_knows_anything_are_told(study, tmp_path, answer):
    """All images are alike, so that no prompt can be better than guessing; the class names are numbers."""
    for name in ("1", "2"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (40, 40), (90, 90, 90)).save(tmp_path / "own" / name / f"{number}.png")
    found = promptatlas.recommend(tmp_path / "own", study[0])
    told = words.summary(found)["doubts"]
    assert any("surely better than guessing" in line for line in told) and any("look like codes (1, 2)" in line for line in told)
    assert {*told} <= {*found.lines[:6]}

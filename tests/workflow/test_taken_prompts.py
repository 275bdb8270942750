"""The prompts of a finished study, taken away by hand, answer as the study measured them."""

import base64
import json
import shutil

import numpy as np
import pytest
from safetensors import safe_open

import promptatlas
from promptatlas import cli
from promptatlas.backbone import feature_file
from promptatlas.base.errors import UserError
from promptatlas.records import card
from promptatlas.runs import engine, prepare, status
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask

pytestmark = pytest.mark.study

TASKS = ("shapes", "colors", "textures")
CONFIG = {
    "study": "learned",
    "tasks": list(TASKS),
    "methods": ["coop", "vpt", "softcpt", "coop_mt"],
    "seeds": [1],
    "shots": 4,
    "device": "cpu",
    "settings": {
        "coop": {"epochs": 6, "context": 4},
        "vpt": {"epochs": 8, "prompts": 4, "learning_rate": 0.05, "select": "last"},
        "softcpt": {"epochs": 4, "context": 4, "task_context": "specific"},
        "coop_mt": {"epochs": 4, "context": 4},
    },
}


def quiet(*words) -> None:
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Study:
    """Every job up to the cells, with the embedded model, on which tuning really helps. Not to be changed."""
    from promptatlas.backbone import export

    study = Study(CONFIG | {"results": str(tmp_path_factory.mktemp("results"))})
    export.export("mini", "mini", study.paths.backbone_folder)
    for name in study.tasks:
        prepare.prepare(study, name, 1, quiet)
    engine.run(study, study.jobs.draw, 1, quiet)
    for job in (*study.jobs.encode, *study.jobs.tune, *study.jobs.share, *study.jobs.transfer):
        engine.run(study, job, 1, quiet)
    return study


def cell(study: Study, method: str, target: str, source: str) -> dict:
    return json.loads((study.folder / "cells" / "frozen" / method / "seed1" / target / f"{source}.json").read_text())


def bits(record: dict) -> np.ndarray:
    """Which test images were right, as a cell keeps it."""
    packed = np.frombuffer(base64.b64decode(record["correct"]), np.uint8)
    return np.unpackbits(packed, count=record["n_test"]).astype(bool)


@pytest.mark.parametrize("method", ["coop", "vpt"])
@pytest.mark.parametrize("target", ["shapes", "colors"])
def test_a_prompt_loaded_by_hand_is_right_on_the_very_images_of_its_cells(method, target, trained):
    prompt = promptatlas.load_prompt(trained.paths.prompt(method, 1, "shapes"))
    task = PreparedTask.open(trained.paths.task_folder(target))
    classifier = prompt.classifier(None if target == "shapes" else task.task.class_names)
    assert classifier.class_names == task.task.class_names
    right = classifier(np.asarray(task.images("test"))).logits.argmax(1) == np.asarray(task.labels("test"))
    measured, untrained = (cell(trained, method, target, source) for source in ("shapes", "scratch"))
    np.testing.assert_array_equal(right, bits(measured))
    assert (bits(measured) != bits(untrained)).mean() > 0.1  # an untrained prompt would have been noticed
    if target == "shapes":
        assert measured["score"] > untrained["score"] + 0.1


@pytest.mark.parametrize("method", ["softcpt", "coop_mt"])
@pytest.mark.parametrize("name", TASKS)
def test_what_a_learner_of_all_tasks_gives_one_is_a_prompt_with_the_logits_of_its_score(method, name, trained):
    """The study's: its features of the test images, times the class weights that the learner's own file keeps."""
    with safe_open(trained.paths.shared(method, 1), "np") as file:
        weights, about = file.get_tensor(f"weights.{name}"), file.metadata()
    task, images = PreparedTask.open(trained.paths.task_folder(name)), feature_file.load(trained.paths.encoded(name))[0]["features_test"]
    prompt = promptatlas.load_prompt(trained.paths.prompt(method, 1, name))
    classifier = prompt.classifier()
    logits = classifier(np.asarray(task.images("test"))).logits
    expected = float(classifier.backbone.logit_scale) * images @ weights.T
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    record = json.loads(trained.paths.score(method, 1, name).read_text())
    assert np.mean(logits.argmax(1) == np.asarray(task.labels("test"))) == pytest.approx(record["score"], abs=1e-9)
    assert prompt.card["task"] == name and tuple(prompt.card["class_names"]) == task.task.class_names == classifier.class_names
    assert prompt.card["learned_with"] == [other for other in TASKS if other != name]
    drawn = [json.loads(trained.paths.draw(other, 1).read_text()) for other in TASKS]
    assert prompt.card["draw"]["train"] == sum(len(one["train"]) for one in drawn)
    row = json.loads(about["history"])[int(about["best_epoch"]) - 1]
    assert prompt.card["validation"]["score"] == row["validation_score"] and prompt.card["resize"] == "squash"


def test_soft_sharing_gives_each_task_another_prompt_and_hard_sharing_all_the_same(trained):
    given = {
        method: {promptatlas.load_prompt(trained.paths.prompt(method, 1, name)).trained.fingerprint() for name in TASKS}
        for method in ("softcpt", "coop_mt")
    }
    assert len(given["softcpt"]) == len(TASKS) and len(given["coop_mt"]) == 1


def test_the_learners_own_file_says_which_file_to_load(trained):
    path = trained.paths.shared("softcpt", 1)
    with pytest.raises(UserError) as caught:
        promptatlas.load_prompt(path)
    told = str(caught.value)
    assert told.startswith(f"{path} holds what softcpt trained on 3 tasks together and is no prompt; load ")
    assert "prompts/softcpt/seed1/<task>.safetensors of the same study" in told and "shapes, textures" in told
    assert "delete" not in told and "\n" not in told
    for name in TASKS:
        assert (trained.folder / f"prompts/softcpt/seed1/{name}.safetensors").exists()


@pytest.fixture
def copy(trained, tmp_path) -> Study:
    """A study to be changed."""
    shutil.copytree(trained.folder, tmp_path / trained.name)
    return Study(CONFIG | {"results": str(tmp_path)})


def share_again(study: Study) -> None:
    for job in study.jobs.share:
        engine.run(study, job, 1, quiet)


def test_a_prompt_of_a_learner_is_kept_missed_and_made_again_alone(copy):
    """An older study has none: its learners and scores stay as they are."""
    paths = [path for job in copy.jobs.share for path in job.outputs]
    given = [path for path in paths if path in copy.jobs.share[0].prompts]
    assert len(given) == len(TASKS)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    share_again(copy)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths} == before
    given[0].unlink()
    shutil.copyfile(copy.paths.prompt("softcpt", 1, "colors"), copy.paths.prompt("softcpt", 1, "textures"))  # not its own
    found = {state.path: state.kind for state in status.states(copy, "softcpt")}
    expected = dict.fromkeys(given, status.DONE) | {given[0]: status.MISSING, copy.paths.prompt("softcpt", 1, "textures"): status.STALE}
    assert {path: found[path] for path in given} == expected
    share_again(copy)
    assert {state.kind for state in status.states(copy, "softcpt")} == {status.DONE}
    for path in paths:
        fresh = path in (given[0], copy.paths.prompt("softcpt", 1, "textures"))
        assert (path.stat().st_mtime_ns != before[path][1]) == fresh, path
        assert promptatlas.load_prompt(path).trained.prompts.text is not None if path in given else path.read_bytes() == before[path][0]


def test_a_learner_that_fails_leaves_a_reason_in_the_place_of_every_prompt(copy):
    shutil.rmtree(copy.paths.shared("softcpt", 1).parent)
    broken = Study(copy.config | {"methods": ["coop", "softcpt"], "settings": CONFIG["settings"] | {"softcpt": {"learning_rate": 1e30}}})
    share_again(broken)
    for path in broken.jobs.share[0].prompts:
        with pytest.raises(UserError, match="shared prompt failed: softcpt: the loss is not a number"):
            promptatlas.load_prompt(path)
        assert broken.paths.failure(path).exists()


@pytest.mark.parametrize(("method", "own"), [("softcpt", {"class_context": "agnostic"}), ("coop_mt", {"sharing": "class"})])
def test_contexts_that_differ_by_class_give_no_prompt_and_the_file_says_why(method, own, copy):
    settings = {"coop": CONFIG["settings"]["coop"], method: {"epochs": 1, "context": 2} | own}
    study = Study(copy.config | {"methods": ["coop", method], "settings": settings, "study": copy.name})
    shutil.rmtree(study.folder / "prompts" / method)
    share_again(study)
    assert not (study.folder / "prompts" / method).exists()
    with pytest.raises(UserError, match=f"what {method} trained on 3 tasks .* every class has another context; only") as caught:
        promptatlas.load_prompt(study.paths.shared(method, 1))
    assert "\n" not in str(caught.value) and "delete" not in str(caught.value)


def shown(path, capsys) -> dict[str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["card", str(path)])
    assert ended.value.code == 0
    return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())


def test_the_card_shows_the_test_score_that_the_study_has_of_this_very_prompt(copy, tmp_path, capsys):
    record = cell(copy, "vpt", "shapes", "shapes")
    assert shown(copy.paths.prompt("vpt", 1, "shapes"), capsys)["test"] == f"metric accuracy, score {record['score']:.4f}"
    record = json.loads(copy.paths.score("softcpt", 1, "colors").read_text())
    assert shown(copy.paths.prompt("softcpt", 1, "colors"), capsys)["test"] == f"metric accuracy, score {record['score']:.4f}"
    away = tmp_path / "away.safetensors"
    shutil.copyfile(copy.paths.prompt("vpt", 1, "shapes"), away)
    assert "test" not in shown(away, capsys)


@pytest.mark.parametrize("damage", ["missing", "cut", "failed", "another prompt"])
def test_without_a_measurement_of_this_prompt_there_is_just_the_card(damage, copy, capsys):
    place = copy.folder / "cells/frozen/vpt/seed1/shapes/shapes.json"
    record = json.loads(place.read_text())
    place.unlink()
    if damage == "cut":
        place.write_text("{")
    elif damage == "failed":
        place.write_text(json.dumps(record | {"score": None, "failed": "no memory"}))
    elif damage == "another prompt":
        place.write_text(json.dumps(record | {"parts": record["parts"] | {"prompt": "0" * 64}}))
    lines = shown(copy.paths.prompt("vpt", 1, "shapes"), capsys)
    assert lines["method"] == "vpt" and "test" not in lines


def test_a_studys_prompt_says_what_it_was_trained_with(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    known = promptatlas.load_prompt(finished.results / "prompts" / "coop" / "seed1" / "shapes.safetensors").card
    assert known.keys() == {*card.FIELDS} and known["origin"] is None
    assert (known["method"], known["task"], known["seed"], known["resize"]) == ("coop", "shapes", 1, "squash")
    assert known["settings"]["epochs"] == 2 and known["backbone"]["name"] == "mini"
    drawn = json.loads((finished.results / "draws" / "shots2-seed1" / "shapes.json").read_text())
    sizes = {"shots": 2, "train": len(drawn["train"]), "validation": len(drawn["validation"])}
    assert known["draw"] == {"sha256": drawn["sha256"]} | sizes
    rows = promptatlas.load_prompt(finished.results / "prompts" / "coop" / "seed1" / "shapes.safetensors").trained.history
    assert known["validation"]["score"] == rows[known["validation"]["epoch"] - 1]["validation_score"]

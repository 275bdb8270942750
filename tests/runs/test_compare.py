"""A measure is given the labels and prompts of a study that it says it needs, and the job waits for what it reads."""

import errno
from dataclasses import replace

import numpy as np
import pytest
import torch

from promptatlas.backbone import feature_file
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import files, plugins
from promptatlas.base.errors import Failed
from promptatlas.evaluation import similarity
from promptatlas.records import cells
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.runs import comparable, compare, failures, session, status, status_lines, tables
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import Pool, write
from promptatlas.tasks.task import Task


@pytest.fixture
def own():
    """A measure of prompts and labels: the product of a prompt's only number and of how many classes a task's images have."""

    def compute(corpus):
        numbers = [one["text"].item() * len(np.unique(labels)) for one, labels in zip(corpus.prompts, corpus.labels, strict=True)]
        return np.multiply.outer(numbers, numbers)

    similarity.register(similarity.Measure("mine", "mine", "a product", "prompt", False, ("labels", "prompts"), compute))
    yield
    similarity.MEASURES.remove("mine")


def encoded_study(tmp_path, **more) -> Study:
    """Two tasks with features and CoOp's prompts, of which one failed."""
    study = Study({"tasks": ["shapes", "colors"], "results": str(tmp_path), "methods": ["coop"], "seeds": [1, 2], **more})
    for number, name in enumerate(study.tasks):
        images = {split: np.full((6, 8, 8, 3), 7, np.uint8) for split in ("train", "validation", "test")}
        pools = {split: Pool.whole(array, np.arange(6) % 2) for split, array in images.items()}
        write(study.paths.task_folder(name), Task(name, name, "own", ("one", "two"), ("a {}.",)), pools, [], images)
        eye = np.eye(2, 4, dtype=np.float32)
        encoded = {"features_train": np.repeat(eye, 3, axis=0), "class_features": eye}
        files.replace(study.paths.encoded(name), feature_file.packed(encoded, {}))
        for seed in study.seeds:
            path = study.paths.prompt("coop", seed, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            TunedPrompt("coop", {}, Prompts(text=torch.full((1, 1, 1, 1), 1.0 + number))).save(path, {})
    files.replace(study.paths.prompt("coop", 2, "colors"), PROMPT.failed(Failed("no image"), {"method": "coop"}))
    return study


def test_labels_and_prompts_come_from_the_study_and_gaps_stay_gaps(tmp_path, own):
    study = encoded_study(tmp_path, similarity=["mine", "lab_cover"])
    table = compare.table(study, print)
    values = table[table["measure"] == "mine"].set_index(["method", "seed", "source", "target"])["value"]
    first, second = values["coop", 1], values["coop", 2]
    assert (first["shapes", "shapes"], first["shapes", "colors"], first["colors", "colors"]) == (4, 8, 16)
    assert second["shapes", "shapes"] == 4 and second.isna().sum() == 3
    assert set(table["measure"]) == {"mine", "lab_cover"}


def test_only_a_measure_of_prompts_waits_for_prompts(tmp_path, own):
    def inputs(names):
        return [path.name for path in Study({"methods": ["coop"], "results": str(tmp_path), "similarity": names}).comparison_inputs]

    features = inputs(["vis_frechet"])
    assert features and inputs(["vis_frechet", "mine"])[: len(features)] == features
    assert len(inputs("all")) == len(inputs(["mine"])) > len(features) and any("coop" in name for name in inputs(["mine"]))


@pytest.fixture
def failing(tmp_path):
    """A measure of a plugin that can be made to fail, and a study with it."""
    (tmp_path / "wrong.py").write_text(WRONG)
    yield encoded_study(tmp_path / "results", similarity=["vis_frechet", "wrong", "odd", "lab_cover"], plugins=[str(tmp_path / "wrong.py")])
    plugins.load([])


WRONG = """
import numpy as np
from promptatlas.evaluation.similarity import measure

@measure("wrong", "Wrong", family="prompt", directed=False, needs=["prompts"])
def wrong(corpus):
    return np.ones((2, 2)) / len(corpus.names) if len(corpus.names) == 2 else missing

@measure("odd", "Odd", family="label", directed=False, needs=["class_names"])
def odd(corpus):
    return np.ones(3)
"""


def test_a_measure_that_fails_costs_its_own_values_and_is_told_with_its_line(failing):
    study, said = failing, []
    failing.folder.mkdir(exist_ok=True)
    table = compare.table(study, said.append).set_index(["measure", "seed"])["value"]
    alone = similarity.compute(comparable.all_comparable(study), ["vis_frechet", "lab_cover"]).set_index("measure")["value"]
    for name in ("vis_frechet", "lab_cover"):
        assert (table[name].to_numpy() == alone[name].to_numpy()).all()
    assert (table["wrong", 1] == 0.5).all() and table["wrong", 2].isna().all() and table["odd"].isna().all() and len(table["odd"]) == 4
    told = [
        "tables/similarity/wrong: wrong.py: NameError: name 'missing' is not defined (line 7); mend the plugin",
        "tables/similarity/odd: measure 'odd' gave an array of shape (3,) for 2 tasks; it has to give one number per pair",
    ]
    assert said == [f"failed: {one}" for one in told]
    lines = "\n".join(failures.lines(study, failures.listed(study)))
    assert all(part in lines for one in told for part in one.split(": ", 1))
    tables.save(table.reset_index(), study.paths.table("similarity"))
    assert [state.path.name for state in status.of_tables(study, ()) if state.kind == status.FAILED] == ["odd", "wrong"]
    # A dry run says so, and the next run makes the table again, with everything that is made of it.
    before = {path: path.exists() for path in study.paths.table("similarity")}
    assert session.mended(study, dry=True) == {*study.paths.table("similarity")} == {*before} and all(before.values())
    session.reclaim(study)
    assert not any(path.exists() for path in before)


def test_a_measure_that_is_mended_is_no_failure_any_more(failing, monkeypatch):
    failing.folder.mkdir(exist_ok=True)
    compare.table(failing, lambda line: None)
    assert len(failures.listed(failing)) == 2
    for name in ("wrong", "odd"):
        mended = replace(similarity.MEASURES[name], compute=lambda corpus: np.eye(len(corpus.names)))
        monkeypatch.setitem(similarity.MEASURES._entries, name, mended)
    assert compare.table(failing, lambda line: None)["value"].notna().sum() == 3 * 4 + 5 and not failures.listed(failing)
    assert session.mended(failing, dry=True) == set()


def test_a_full_disk_is_no_fault_of_a_measure(failing, monkeypatch):
    def full(corpus):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(similarity.MEASURES._entries, "odd", replace(similarity.MEASURES["odd"], compute=full))
    with pytest.raises(OSError, match="No space left"):
        compare.table(failing, lambda line: None)


def test_status_tells_what_happened_once_for_each_reason(failing):
    """However many results failed or jobs stopped because of it, and however deep in the program each was."""
    study = failing
    for number, cell in enumerate(study.cells[:6]):
        path = study.paths.cell(cell)
        reason = "tricky.py: ValueError: x (line 3); mend the plugin"
        details = "\n".join([*(f"frame {n}" for n in range(number)), "ValueError: x"])
        record = {"result": str(path.relative_to(study.folder)), "job": "transfer", "reason": reason, "details": details}
        cells.write(study.paths.failure(path), record)
    for job in study.jobs.tune[:1] + study.jobs.encode[:1]:
        study.paths.log(job.name).parent.mkdir(exist_ok=True)
        study.paths.log(job.name).write_text(f"{job.name} begins\npromptatlas: the disk is full\n")
    for path in (job.outputs[0] for job in study.jobs.tune):
        path.unlink(missing_ok=True)
    for path in (job.outputs[0] for job in study.jobs.encode):
        path.unlink(missing_ok=True)
    lines = status_lines.reasons(study)
    assert sum("ValueError: x" in line for line in lines) == 2, "the reason, and where it happened"
    assert sum("the disk is full" in line for line in lines) == 1 and sum("stopped (" in line for line in lines) == 1
    assert any("encode" in line and "tune" in line for line in lines if "stopped (" in line)

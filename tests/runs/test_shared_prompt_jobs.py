"""Jobs of multitask and joint prompts, run by themselves on a study of three small tasks: what starts from what, and what is recorded."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from named_tasks import NAMES
from promptatlas import backbone
from promptatlas.analysis.statistics.joint import compare_joint
from promptatlas.backbone.passes import Room
from promptatlas.evaluation import task_grouping
from promptatlas.records import cells
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.report.page import joint as page
from promptatlas.runs import changes, engine, failures, status, tables
from promptatlas.runs.joint import NO_OTHERS
from promptatlas.study.study import Study
from promptatlas.tasks import prepared
from promptatlas.tasks.task import Task
from short_memory import limit
from twins import TINY, twin

TASKS = tuple(NAMES)
CONFIG = {
    "study": "small", "benchmark": "own", "data": {name: {"folder": name} for name in TASKS}, "methods": ["coop"], "seeds": [1], "shots": 3,
    "settings": {"coop": {"epochs": 3, "context": 2, "learning_rate": 0.1}}, "union": {"source_epochs": 2},
}  # fmt: skip


def study_in(folder: Path, **changes) -> Study:
    return Study(CONFIG | {"results": str(folder)} | changes)


def measured(study: Study) -> list[str]:
    """Everything from the encoded tasks to the scores; what was said."""
    said: list[str] = []
    for one in (*study.jobs.tune, *study.jobs.multitask, *study.jobs.joint, *study.jobs.transfer):
        engine.run(study, one, 1, said.append)
    return said


def write(folder: Path, name: str, seed: int) -> None:
    """A task whose classes differ in mean colour, though not all images of them: 24 train, 18 validation and 60 test images. It is
    scored by ranks, which small changes of a prompt move."""
    random, names = np.random.default_rng(seed), NAMES[name]
    images, pools = {}, {}
    for split, count in (("train", 24), ("validation", 18), ("test", 60)):
        labels = np.eye(len(names), dtype=np.uint8)[np.arange(count) % len(names)]
        colours = 100 + 60 * np.pad(labels, ((0, 0), (0, 3 - len(names)))) + random.normal(0, 50, (count, 3))
        noisy = colours[:, None, None] + random.normal(0, 20, (count, 32, 32, 3))
        images[split] = np.clip(noisy, 0, 255).astype(np.uint8)
        pools[split] = prepared.Pool.whole(images[split], labels)
    prepared.write(folder, Task(name, name, "test", names, ("a photo of {}.",), "map_11_point", True), pools, [{"split": "train"}], images)


def begun(folder: Path, noise: bool = False) -> Path:
    """A study up to its encoded tasks, perhaps with other test labels."""
    study = study_in(folder, seeds=[1, 2])
    twin(TINY | {"quick_gelu": False}, study.paths.backbone_folder)
    for number, name in enumerate(TASKS):
        write(study.paths.task_folder(name), name, number)
        if noise:
            path = prepared.array_path(study.paths.task_folder(name), "test", "labels")
            np.save(path, np.random.default_rng(number).permutation(np.load(path)))
    for one in (study.jobs.draw, *study.jobs.encode):
        engine.run(study, one, 1, print)
    return folder


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Path:
    return begun(tmp_path_factory.mktemp("ground"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory) -> Path:
    return begun(tmp_path_factory.mktemp("noisy"), noise=True)


@pytest.fixture(scope="module")
def model(ground):
    return backbone.load(study_in(ground).paths.backbone_folder)


@pytest.fixture(autouse=True)
def loaded_once(model, monkeypatch):
    """All studies here have the same frozen model."""
    monkeypatch.setattr(backbone, "load", lambda *given, **said: model)


@pytest.fixture(autouse=True)
def made_from_nothing(monkeypatch):
    """The tasks here are arrays without a source whose files could change."""
    monkeypatch.setattr(changes, "of_tasks", lambda study: {})


@pytest.fixture
def folder(ground, tmp_path) -> Path:
    shutil.copytree(ground, tmp_path / "results")
    return tmp_path / "results"


def trained(path: Path) -> TunedPrompt:
    return TunedPrompt.load(path)[0]


def parts(path: Path) -> dict[str, str]:
    return json.loads(TunedPrompt.load(path)[1]["parts"])


def scores(study: Study) -> pd.Series:
    return tables.joint_table(study).set_index(["source", "adaptation", "task", "seed"])["score"]


def init_scores(study: Study) -> pd.Series:
    table = tables.transfer_table(study)
    return table[(table["protocol"] == "init") & (table["source"] == "multitask")].set_index(["target", "seed"])["score"].sort_index()


def own_scores(study: Study) -> pd.Series:
    table = tables.transfer_table(study)
    return table[(table["protocol"] == "frozen") & (table["source"] == table["target"])].set_index(["target", "seed"])["score"].sort_index()


@pytest.mark.slow
def test_from_the_same_start_protocol_init_gives_the_same_scores_if_it_tunes_as_long_and_others_if_not(folder):
    changes = {"seeds": [1, 2], "multitask": "leave_one_out", "joint": [["hues", "kinds"]], "protocols": ["frozen", "init"]}
    study = study_in(folder, **changes, init={"epochs": "method"})
    measured(study)
    alone = scores(study)["multitask", "single"]
    assert alone.index.is_unique and len(alone) == 6 and alone.nunique() == 6
    assert alone.tolist() == init_scores(study).tolist()
    scratch = scores(study)["scratch", "single"].tolist()
    assert scratch == own_scores(study).tolist() != alone.tolist()
    shorter = study_in(folder, **changes, init={"epochs": 1})
    measured(shorter)
    assert scores(shorter)["multitask", "single"].tolist() == alone.tolist() != init_scores(shorter).tolist()


@pytest.mark.slow
def test_with_little_memory_the_jobs_of_joint_prompts_give_what_they_give_with_enough(ground, tmp_path, model, monkeypatch):
    """The classes of all tasks fit with one prompt, not with those of two seeds."""
    studies = []
    for place in ("enough", "little"):
        shutil.copytree(ground, tmp_path / place)
        studies.append(study_in(tmp_path / place, seeds=[1, 2], multitask="leave_one_out", joint="auto"))
    enough, little = studies
    measured(enough)
    memory = limit(monkeypatch, model, sentences=sum(map(len, NAMES.values())))
    monkeypatch.setattr(backbone, "load", lambda *given, **said: replace(model, room=Room()))
    measured(little)
    assert memory.refused and max(memory.taken) <= memory.most
    assert scores(little).index.equals(scores(enough).index) and scores(little).notna().all()
    assert scores(little).tolist() == pytest.approx(scores(enough).tolist(), abs=1e-6)
    files = sorted(path.relative_to(tmp_path / "enough") for path in (tmp_path / "enough").rglob("joint/prompts/**/*.safetensors"))
    assert files
    for name in files:
        mine, theirs = trained(tmp_path / "little" / name), trained(tmp_path / "enough" / name)
        torch.testing.assert_close(mine.parameters["context"], theirs.parameters["context"], atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_averaged_source_prompts_are_elementwise_means_that_every_seed_starts_from(folder):
    changes = {"seeds": [1, 2], "multitask": "leave_one_out", "joint": [["hues", "kinds"]], "protocols": ["frozen", "init"]}
    study = study_in(folder, **changes, union={"source_epochs": 2, "average_seeds": True})
    measured(study)

    def average(path_of) -> TunedPrompt:
        mean, *by_seed = [trained(path_of(which)) for which in ("average", 1, 2)]
        assert len({one.parameter_fingerprint() for one in (mean, *by_seed)}) == 3
        for name, value in mean.parameters.items():
            torch.testing.assert_close(value, (by_seed[0].parameters[name] + by_seed[1].parameters[name]) / 2)
        return mean

    for name in TASKS:
        mean = average(lambda which, name=name: study.paths.multitask_prompt("coop", which, name))
        for seed in study.seeds:
            frozen, init = (
                cells.read(study.folder / f"cells/{protocol}/coop/seed{seed}/{name}/multitask_averaged.json")
                for protocol in ("frozen", "init")
            )
            assert frozen["parts"]["prompt"] == mean.fingerprint() and init["parts"]["start"] == mean.parameter_fingerprint()
            tuned = study.paths.joint_prompt("coop", "multitask_averaged", seed, (name,))
            assert parts(tuned)["start"] == mean.parameter_fingerprint()
    group = ("hues", "kinds")
    mean = average(lambda which: study.paths.joint_prompt("coop", "without", which, group))
    assert {parts(study.paths.joint_prompt("coop", "without", seed, group))["tasks"] for seed in study.seeds} == {"marks"}
    starts = {parts(study.paths.joint_prompt("coop", "multitask_averaged", seed, group))["start"] for seed in study.seeds}
    assert starts == {mean.parameter_fingerprint()}
    assert set(tables.joint_table(study)["source"]) == {"scratch", "multitask_averaged"}
    assert {*tables.transfer_table(study)["source"]} == {*TASKS, "scratch", "template", "multitask_averaged"}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_noise_in_test_labels_changes_scores_but_no_group_no_gain_and_no_prompt(ground, noisy, tmp_path, method):
    folders = [shutil.copytree(ground, tmp_path / "sound"), shutil.copytree(noisy, tmp_path / "noisy")]
    settings = {method: CONFIG["settings"]["coop"] if method == "coop" else {"epochs": 2, "prompts": 2, "learning_rate": 0.1}}
    prompts, groups, found = [], [], []
    for folder in folders:
        study = study_in(folder, methods=[method], settings=settings, multitask="leave_one_out", joint="auto")
        measured(study)
        files = [
            path for part in ("prompts", "multitask", "joint/prompts") for path in sorted((study.folder / part).rglob("*.safetensors"))
        ]
        prompts.append({str(path.relative_to(study.folder)): (trained(path).fingerprint(), parts(path)) for path in files})
        groups.append(json.loads(study.paths.joint_groups(method).read_bytes()))
        found.append(scores(study))
    assert prompts[0] == prompts[1] and any(name.startswith("joint/") for name in prompts[0])
    assert groups[0] == groups[1] and np.count_nonzero(groups[0]["gains"]) > 3
    assert not found[0].equals(found[1])


@pytest.mark.parametrize("groups", [pytest.param([list(TASKS)], marks=pytest.mark.slow), "auto"], ids=["given", "found"])
def test_a_group_of_all_tasks_has_no_scores_from_a_prompt_of_other_tasks(folder, monkeypatch, groups):
    monkeypatch.setattr(task_grouping, "groups", lambda names, gains: [tuple(names)])
    study = study_in(folder, multitask="leave_one_out", joint=groups)
    said = measured(study)
    assert [line for line in said if NO_OTHERS in line] == [f"joint coop: no scores from multitask for hues, kinds, marks: {NO_OTHERS}"]
    table = tables.joint_table(study)
    assert {*zip(table["source"], table["adaptation"], strict=True)} == {
        ("scratch", "single"),
        ("scratch", "joint"),
        ("multitask", "single"),
    }
    assert table["score"].notna().all() and len(table) == 3 * 3 and not failures.listed(study)
    assert not study.paths.joint_prompt("coop", "multitask", 1, TASKS).exists()
    stands = [one for one in status.states(study) if one.what.startswith("joint")]
    assert {one.kind for one in stands} == {"done"} and {one.path for one in stands} >= set(study.jobs.joint[0].outputs)
    records = compare_joint(table, tables.transfer_table(study), ("multitask",))
    assert {one["method"] for one in records[0]["methods"]} == {"single", "joint", "multitask single", "multitask frozen"}
    assert page.STARTLESS in page.section(records, {}, study.config).html()


def test_a_prompt_of_all_tasks_starts_a_group_of_all_tasks(folder):
    study = study_in(folder, multitask="all", joint=[list(TASKS)])
    assert not [line for line in measured(study) if NO_OTHERS in line]
    together = study.paths.joint_prompt("coop", "multitask_all", 1, TASKS)
    assert parts(together)["start"] == trained(study.paths.multitask_prompt("coop", 1, "hues")).parameter_fingerprint()
    table = tables.joint_table(study)
    assert len(table) == 4 * 3
    assert page.STARTLESS not in page.section(compare_joint(table, tables.transfer_table(study), ()), {}, study.config).html()


@pytest.mark.slow
def test_a_smaller_group_gets_its_scores_once_there_is_something_to_start_from(folder):
    measured(study_in(folder, multitask="leave_one_out", joint=[list(TASKS)]))
    study = study_in(folder, multitask="leave_one_out", joint=[["hues", "kinds"]])
    assert "stale" in {one.kind for one in status.states(study) if one.what == "joint scores coop"}
    measured(study)
    assert len(scores(study)) == 4 * 3


def test_a_prompt_of_listed_tasks_is_tried_on_the_others_alone(folder):
    """MVLPT's Table 1: one source prompt of some tasks, as it is and as a start, on tasks that it has not seen."""
    study = study_in(folder, seeds=[1, 2], multitask=["marks", "hues"], joint="auto", protocols=["frozen", "init"])
    measured(study)
    source = study.paths.multitask_prompt("coop", 1, "kinds")
    assert parts(source)["tasks"] == "hues;marks" and len(list(source.parent.iterdir())) == 1
    transfer = tables.transfer_table(study)
    rows = transfer[transfer["source"] == "multitask_of"]
    assert {*zip(rows["protocol"], rows["target"], rows["seed"], strict=True)} == {
        (p, "kinds", s) for p in ("frozen", "init") for s in (1, 2)
    }
    assert rows["score"].notna().all() and len(transfer[transfer["source"] == "hues"]) == 12
    table = tables.joint_table(study)
    assert {*table["task"]} == {"kinds"} and {*table["source"]} == {"scratch", "multitask_of"} and table["score"].notna().all()
    assert (
        parts(study.paths.joint_prompt("coop", "multitask_of", 2, ("kinds",)))["start"]
        == trained(study.paths.multitask_prompt("coop", 2, "kinds")).parameter_fingerprint()
    )
    assert {one.kind for one in status.states(study) if one.what.startswith(("joint", "multitask"))} == {"done"}

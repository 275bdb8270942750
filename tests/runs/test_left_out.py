"""One task that failed and one whose draw of seed 2 did: what several tasks share is trained without them and says so; every other
result is there; a mended task makes stale what was trained without it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from one_model import loaded_once
from promptatlas.base import stage
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.records import cells, learner_file, probe_file
from promptatlas.records.draw_file import DRAW
from promptatlas.records.features import FEATURES
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import changes, engine, failures, joint, status, tables
from promptatlas.runs.context import Context
from promptatlas.study.study import Study
from promptatlas.tasks import prepared
from promptatlas.tasks.draws import draw
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.task import Task
from twins import TINY, twin

NAMES = {"hues": ("red thing", "green"), "kinds": ("sea", "meadow", "river bed"), "lost": ("dot", "line"), "scan": ("healthy", "tumour")}
SHOTS, SEEDS = 2, (1, 2)
CONFIG = {
    "study": "small", "benchmark": "own", "data": {name: {"folder": name} for name in NAMES}, "seeds": list(SEEDS), "shots": SHOTS,
    "methods": ["coop", "softcpt", "coop_mt", "tip_adapter", "tip_adapter_f", "prompt_adapter"],
    "multitask": "leave_one_out", "joint": [["hues", "lost", "scan"]],
    "settings": {
        "coop": {"epochs": 2, "context": 2}, "softcpt": {"epochs": 2, "context": 2, "task_vectors": 2, "select": "best_validation"},
        "coop_mt": {"epochs": 2, "context": 2}, "tip_adapter": {"alpha_steps": 5, "beta_steps": 4},
        "tip_adapter_f": {"epochs": 2, "alpha_steps": 5, "beta_steps": 4},
        "prompt_adapter": {"class_weights": "coop", "alpha_steps": 5, "beta_steps": 4},
    },
    "union": {"source_epochs": 1},
}  # fmt: skip
UNREADABLE = "none of its 10 test images can be read"
ONE_CLASS = "validation images that are drawn and can be read are of class 'healthy'"


def study_in(folder: Path, **changes) -> Study:
    return Study(CONFIG | {"results": str(folder)} | changes)


def write(folder: Path, name: str, seed: int) -> None:
    """A task of 20 training, 20 validation and 30 test images; of `scan` those that seed 2 draws to see a tumour cannot be read."""
    random, names = np.random.default_rng(seed), NAMES[name]
    labels = {split: np.arange(count) % len(names) for split, count in (("train", 20), ("validation", 20), ("test", 30))}
    images, pools = {}, {}
    for split, own in labels.items():
        colours = 100 + 60 * np.eye(3)[own] + random.normal(0, 40, (len(own), 3))
        images[split] = (colours[:, None, None] + random.normal(0, 20, (len(own), 32, 32, 3))).clip(0, 255).astype(np.uint8)
        pools[split] = Pool.whole(images[split], own)
    if name == "scan":
        first, second = (draw(labels["train"], labels["validation"], SHOTS, seed, name) for seed in SEEDS)
        broken = second.validation[second.validation_labels == 1]
        assert set(first.validation[first.validation_labels == 1]) - set(broken)
        index = np.setdiff1d(np.arange(20), broken)
        images["validation"] = images["validation"][index]
        whole = Pool.whole(images["validation"], labels["validation"][index])
        pools["validation"] = Pool(labels["validation"], index, whole.digests, np.arange(0), broken.tolist())
    metric = "roc_auc" if name == "scan" else "accuracy"
    prepared.write(folder, Task(name, name, "test", names, ("a photo of {}.",), metric), pools, [{"split": "train"}], images)


def run(study: Study) -> list[str]:
    """Every job after preparation, as a run of Snakemake does them; what was said."""
    said: list[str] = []
    jobs = (
        study.jobs.draw, *study.jobs.encode, *study.jobs.probe, *study.jobs.tune, *study.jobs.share, *study.jobs.adapt,
        *study.jobs.multitask, *study.jobs.joint, *study.jobs.transfer, *study.jobs.tries,
    )  # fmt: skip
    for job in jobs:
        engine.run(study, job, 1, said.append)
    return said


@pytest.fixture(scope="module", autouse=True)
def one_model():
    with loaded_once():
        yield


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("ground")
    study = study_in(folder)
    twin(TINY | {"quick_gelu": False}, study.paths.backbone_folder)
    for number, name in enumerate(NAMES):
        write(study.paths.task_folder(name), name, number)
    study.paths.task_folder("lost").joinpath("task.json").rename(study.paths.task_folder("lost") / "mended.json")
    prepared.write_failed(study.paths.task_folder("lost"), f"task 'lost': {UNREADABLE}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "SOON", 0.0)  # every step is looked at, however fast the machine is
        return folder, run(study)


@pytest.fixture(autouse=True)
def made_from_nothing(monkeypatch):
    """The tasks here are arrays without a source whose files could change."""
    monkeypatch.setattr(changes, "of_tasks", lambda study: {})


@pytest.fixture
def folder(ground, tmp_path) -> Path:
    shutil.copytree(ground[0], tmp_path / "results")
    return tmp_path / "results"


def table(study: Study) -> pd.DataFrame:
    """All scores with their reasons, but for chance."""
    cells_ = tables.transfer_table(study)
    others = tables.baselines_table(study, cells_)
    return pd.concat(
        [
            cells_.rename(columns={"target": "task"}),
            others[~others["method"].isin(["chance", "largest_class"])].rename(columns={"target": "task"}),
        ]
    )


def test_only_what_needs_the_failed_task_or_draw_is_a_hole(ground):
    study = study_in(ground[0])
    found = tables.transfer_table(study)
    lost = (found["source"] == "lost") | (found["target"] == "lost")
    degenerate = (found["source"] == "scan") & (found["seed"] == 2)
    assert (found["score"].isna() == (lost | degenerate)).all()
    assert found.loc[lost & ~degenerate, "failed"].str.contains(UNREADABLE).all()
    assert found.loc[degenerate & ~lost, "failed"].str.contains(ONE_CLASS).all()
    others = tables.baselines_table(study, found)
    blind = others[others["method"].isin(["chance", "largest_class"])]
    assert (blind["score"].isna() == (blind["target"] == "lost")).all() and len(blind) == 8
    assert (blind["failed"].str.contains(UNREADABLE) == (blind["target"] == "lost")).all()
    others = others[~others["method"].isin(["chance", "largest_class", "zero_shot"])]
    assert {*others["method"]} == {"linear_probe", *CONFIG["methods"]} - {"coop"} and len(others) == 6 * 4 * 2
    lost = (others["target"] == "lost") | ((others["target"] == "scan") & (others["seed"] == 2))
    assert (others["score"].isna() == lost).all() and (others.loc[lost, "failed"] != "").all()


def test_there_is_one_sentence_per_cause(ground):
    study = study_in(ground[0])
    told = failures.lines(study, failures.listed(study))
    assert len(told) == 2 and UNREADABLE in told[0] + told[1] and ONE_CLASS in told[0] + told[1]
    assert all("`draw: elevater`" in line for line in told if ONE_CLASS in line)


@pytest.mark.parametrize("method", ["softcpt", "coop_mt"])
def test_a_learner_of_all_tasks_says_whom_it_left_out(ground, method):
    study, said = study_in(ground[0]), ground[1]
    for seed, left in ((1, {"lost"}), (2, {"lost", "scan"})):
        with safe_open(study.paths.shared(method, seed), framework="np") as file:
            about, names = file.metadata(), {key.partition(".")[2] for key in file.keys() if key.startswith("weights.")}
        assert {*json.loads(about["left_out"])} == left and names == {*NAMES} - left
        assert f"share {method}: seed {seed} is trained without {', '.join(sorted(left))}, which failed" in said
        record = json.loads(study.paths.score(method, seed, "hues").read_bytes())
        assert record["left_out"] == sorted(left) and 0 <= record["score"] <= 1
    card = json.loads(TunedPrompt.load(study.paths.prompt("softcpt", 1, "hues"))[1]["card"])
    assert {*card["learned_with"]} == {"kinds", "scan"}


def test_prompts_of_several_tasks_say_on_which_they_were_tuned(ground):
    study = study_in(ground[0])

    def seen(path: Path) -> list[str]:
        return json.loads(TunedPrompt.load(path)[1]["parts"])["tasks"].split(";")

    assert seen(study.paths.multitask_prompt("coop", 1, "hues")) == ["kinds", "scan"]
    told = [line.partition("; ")[2].partition(":")[0] for line in ground[1] if line.startswith("multitask coop: ")]
    assert [*dict.fromkeys(name for name in told if name)] == [*NAMES]  # a line for each target, which it names
    assert seen(study.paths.multitask_prompt("coop", 2, "hues")) == ["kinds"] and seen(study.paths.multitask_prompt("coop", 2, "scan")) == [
        "hues",
        "kinds",
    ]
    assert seen(study.paths.joint_prompt("coop", "scratch", 1, ("hues", "lost", "scan"))) == ["hues", "scan"]
    scores = tables.joint_table(study)
    lost = (scores["task"] == "lost") | ((scores["task"] == "scan") & (scores["seed"] == 2))
    assert (scores["score"].isna() == lost).all() and lost.any() and not lost.all()
    record = json.loads(study.paths.joint_score("coop", "scratch", "joint", 2, "hues").read_bytes())
    assert record["left_out"] == ["lost", "scan"] and record["group"] == "hues+lost+scan"
    assert "left_out" not in json.loads(study.paths.joint_score("coop", "scratch", "single", 2, "hues").read_bytes())


def test_nothing_undefined_is_written(ground):
    """No record of the study holds NaN or an infinity, which are no JSON; failed ones have no score."""

    undefined: list[str] = []
    records = [*study_in(ground[0]).folder.rglob("*.json")]
    for path in records:
        json.loads(path.read_bytes(), parse_constant=undefined.append)
    assert records and not undefined


@pytest.mark.slow
def test_the_same_again_keeps_everything_and_finds_the_same(ground, folder):
    study = study_in(folder)
    kinds = ("cells", "scores", "shared", "prompts", "multitask", "joint")
    sound = [path for kind in kinds for path in (study.folder / kind).rglob("*.*") if not failures.is_failed(path)]
    before = {path: path.read_bytes() for path in sound}
    failures.withdraw(failures.listed(study))
    kept = {state.kind for state in status.states(study)}
    prepared.write_failed(study.paths.task_folder("lost"), f"task 'lost': {UNREADABLE}")
    run(study)
    assert {path: path.read_bytes() for path in before} == before
    assert kept == {status.DONE, status.FAILED}


@pytest.mark.slow
def test_a_mended_task_makes_stale_what_was_trained_without_it_and_nothing_else(folder):
    study = study_in(folder)
    first = table(study).set_index(["method", "protocol", "source", "task", "seed"])["score"].dropna()
    (study.paths.task_folder("lost") / "mended.json").rename(study.paths.task_folder("lost") / "task.json")
    engine.run(study, study.jobs.draw, 1, print)
    stale = {(state.what, state.path.stem) for state in status.states(study) if state.kind == status.STALE}
    assert {what for what, _ in stale if what.startswith(("shared", "multitask", "joint prompts"))} == {
        "shared softcpt", "shared coop_mt", "multitask coop", "joint prompts coop",
    }  # fmt: skip
    assert not [name for what, name in stale if what in ("prompts coop", "scores tip_adapter", "scores prompt_adapter")]
    run(study)
    for seed, left in ((1, set()), (2, {"scan"})):
        with safe_open(study.paths.shared("softcpt", seed), framework="np") as file:
            assert {*json.loads(file.metadata().get("left_out", "{}"))} == left
    second = table(study).set_index(["method", "protocol", "source", "task", "seed"])["score"].dropna()
    alone = first[
        ~first.index.get_level_values("method").isin(["softcpt", "coop_mt"]) & (first.index.get_level_values("source") != "multitask")
    ]
    assert (second[alone.index] == alone).all() and len(second) > len(first)
    assert {state.kind for state in status.states(study)} == {status.DONE, status.FAILED}


def test_where_every_task_failed_the_learner_says_why(folder):
    study = study_in(folder)
    for name in NAMES:
        prepared.write_failed(study.paths.task_folder(name), f"task '{name}': {UNREADABLE}")
    run(study)
    record = json.loads(study.paths.score("softcpt", 1, "hues").read_bytes())
    assert record["score"] is None and UNREADABLE in record["failed"]
    told = failures.lines(study, failures.listed(study))
    assert len(told) == len(NAMES) and cells.read(study.paths.cell(study.cells[0]))["score"] is None


def test_groups_are_found_from_the_seeds_of_which_something_is_known(ground):
    """A draw that failed costs the gains of its seed, a task that failed its row and column; a row stays that of a source."""
    study = study_in(ground[0])
    names = ("hues", "kinds", "lost", "scan")
    gains = joint.Joint(Context(study), study.jobs.joint[0]).gains(names)
    lost = np.arange(4) == names.index("lost")
    assert (np.isnan(gains) == (lost[:, None] | lost)).all()
    first = joint.Joint(Context(study_in(ground[0], seeds=[1])), study.jobs.joint[0]).gains(names)
    second = joint.Joint(Context(study_in(ground[0], seeds=[2])), study.jobs.joint[0]).gains(names)
    assert np.isnan(second[3]).all() and np.isnan(second[:, 3]).all() and not np.isnan(second[:2, :2]).any()
    np.testing.assert_allclose(gains[:2, :2], (first + second)[:2, :2] / 2)
    np.testing.assert_array_equal(gains[3], first[3])


def test_a_task_that_could_not_be_encoded_is_left_out_too(folder):
    study, said = study_in(folder), []
    replace(study.paths.encoded("kinds"), FEATURES.failed(Failed("no memory"), {}))
    engine.run(study, study.jobs.share[0], 1, said.append)
    about = learner_file.metadata(study.paths.shared("softcpt", 1))
    assert {*learner_file.left_out(about)} == {"kinds", "lost"} and "no memory" in learner_file.left_out(about)["kinds"]
    assert json.loads(study.paths.score("softcpt", 1, "hues").read_bytes())["left_out"] == ["kinds", "lost"]
    assert "no memory" in json.loads(study.paths.score("softcpt", 1, "kinds").read_bytes())["failed"]


def test_probes_of_some_seeds_do_not_stand_for_those_of_one_whose_draw_fails(folder):
    study, name = study_in(folder, seeds=[1, 2, 3]), "hues"
    before = probe_file.read_probes(study.paths.probe(name))
    for task in NAMES:
        replace(study.paths.draw(task, 3), DRAW.failed(Failed("no images"), {}))
    engine.run(study, study.jobs.probe[0], 1, print)
    rows = probe_file.read_probes(study.paths.probe(name))["probes"]
    assert rows[:2] == before["probes"] and rows[2] == {"seed": 3, "score": None, "failed": "draw failed: no images"}
    assert failures.is_failed(study.paths.probe(name))


def test_status_lists_the_same_results_while_a_task_differs(folder, monkeypatch):
    """Of whatever only preparing the task tells, it says that it is stale."""
    study = study_in(folder)
    before = {state.path: state.kind for state in status.states(study)}
    monkeypatch.setattr(changes, "of_tasks", lambda study: {"kinds": changes.Change({"image files": "1 replaced"})})
    found = {state.path: state for state in status.states(study)}
    assert found.keys() == before.keys()
    for path in (study.paths.multitask_prompt("coop", 1, "hues"), study.paths.shared("softcpt", 1)):
        assert before[path] == status.DONE and (found[path].kind, found[path].why) == (status.STALE, ("image files",))
    prompt, score = study.paths.prompt("coop", 1, "hues"), study.paths.joint_score("coop", "scratch", "joint", 1, "hues")
    assert found[prompt].kind == found[score].kind == status.DONE


@pytest.mark.slow
def test_groups_that_cannot_be_found_end_the_job_and_are_told(folder, monkeypatch):
    study = study_in(folder, joint="auto")
    job, path = study.jobs.joint[0], study.paths.joint_groups("coop")
    engine.run(study, job, 1, print)
    there = [*job.outputs]
    assert path.exists() and all(one.exists() for one in there)
    with monkeypatch.context() as patch:
        patch.setattr(joint.Joint, "find_groups", lambda self: 1 / 0)
        path.unlink()
        with pytest.raises(Failed, match=r"^groups failed: ZeroDivisionError"):
            engine.run(study, job, 1, print)
    for content, why in ((path.read_bytes(), (status.FAILED, "ZeroDivisionError")), (b"{", (status.STALE, status.DAMAGED))):
        path.write_bytes(content)
        found = {state.path: state for state in status.states(study)}
        assert found[path].kind == why[0] and why[1] in found[path].why[0]
        assert {found[one].kind for one in there} <= {status.STALE, status.FAILED}
    path.unlink()
    engine.run(study, job, 1, print)
    assert status.DONE in {state.kind for state in status.states(study) if state.path in there}

"""Stages have names that do not change with the sizes of jobs: Snakemake is asked for one, stops behind it, or is told what it needs."""

import inspect
import re
import shlex

import pytest

from promptatlas.base.errors import UserError
from promptatlas.runs import session
from promptatlas.study.jobs import Job
from promptatlas.study.study import Study
from tiny_study import CONFIG, ROOT, Finished

ONE_EACH = {"prompts_per_job": 1, "targets_per_job": 1, "tasks_per_job": 2}


def planned(folder, *arguments: str) -> dict[str, int]:
    """By rule the number of its jobs."""
    study = Finished(folder)
    study.configure(jobs=ONE_EACH)
    table = study.run("--dry-run", *arguments).partition("Job stats:")[2].partition("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.study
@pytest.mark.parametrize("asked", [["tune"], ["--until", "tune"]])
def test_a_stage_is_all_its_jobs_and_what_they_need(tmp_path, asked):
    names = set(planned(tmp_path, *asked))
    assert {f"tune_{method}_{task}" for method in CONFIG["methods"] for task in CONFIG["tasks"]} <= names
    assert "draw" in names and not [name for name in names if name.startswith(("transfer", "collect"))]


@pytest.mark.study
@pytest.mark.parametrize(("asked", "more"), [(["--forcerun", "tune"], True), (["--force", "tune"], False)])
def test_a_stage_that_is_forced_is_all_its_jobs(finished, asked, more):
    told = finished.run("--dry-run", *asked).partition("Job stats:")[2].partition("total")[0]
    assert {name for name in re.findall(r"^(\w+) ", told, re.MULTILINE) if "tune" in name} == {"tune", "tune_coop", "tune_vpt"}
    assert ("transfer_frozen_vpt" in told) == more


def test_what_is_forced_reaches_the_jobs(tmp_path, monkeypatch):
    """By the name of a stage, of a job or of a file, however that is written, also in a folder with the separator of lists."""
    monkeypatch.setattr(session, "lock", lambda study: None)
    monkeypatch.setattr(session, "_on_interrupt", lambda end: None)
    for name in (session.FORCED, session.DETERMINISTIC, "PYTHONPATH"):
        monkeypatch.setenv(name, "")
    study = Study(CONFIG | {"results": "../a:b", "jobs": ONE_EACH})
    (job, *others), files = study.jobs.tune, [file for job in study.jobs.tune for file in job.outputs]
    assert session.forced(study, job.name, job.outputs) == set()
    for told, wanted in (["tune"], {*files}), ([job.name], {*job.outputs}), ([f"./{files[-1]}"], {files[-1]}), (["encode"], set()):
        session.begin(study, told, False)
        assert {file for job in study.jobs.tune for file in session.forced(study, job.name, job.outputs)} == wanted
    session.begin(study, [], True)
    assert session.forced(study, job.name, job.outputs) == {*job.outputs}
    one = Study(study.config | {"only": "colors"})
    assert {file.stem for other in others for file in session.forced(one, other.name, other.outputs)} == {"colors"}


@pytest.mark.study
def test_the_graph_of_stages_is_that_of_one_method_in_whole_jobs(tmp_path):
    study = Finished(tmp_path)
    study.configure(jobs=ONE_EACH)
    (command,) = re.findall(r"^snakemake (--rulegraph .*) \|", (ROOT / "docs" / "cluster.md").read_text(), re.MULTILINE)
    nodes = re.findall(r'label = "(\w+)"', study.run(*shlex.split(command)))
    assert {"prepare", "draw", "encode", "probe", "tune_coop", "transfer_frozen_coop", "collect", "page"} <= {*nodes}
    assert len(nodes) == len({*nodes}) and not [name for name in nodes if re.search(r"\dof\d|vpt|shapes", name)]


@pytest.mark.study
def test_a_catalogue_finds_the_same_workflow_in_its_folder(tmp_path):
    ours, found = planned(tmp_path), planned(tmp_path, "--snakefile", str(ROOT / "workflow" / "Snakefile"))
    assert ours.pop("all") == found.pop("study") == 1 and len(ours) > 10 and found == ours


def test_the_sizes_of_jobs_change_no_name_of_a_stage():
    whole, cut = Study(CONFIG), Study(CONFIG | {"jobs": ONE_EACH})
    assert [*whole.jobs.stages] == [*cut.jobs.stages] == ["draw", "encode", "probe", "tune", "transfer"]
    assert len(cut.jobs.stages["tune"]) == 8 and len(whole.jobs.stages["tune"]) == 2


def test_what_is_told_of_a_stage_is_told_of_its_jobs():
    given = {"tune": {"mem_mb": 9000}, "tune_vpt_shapes": {"mem_mb": 500}, "collect": {"runtime": 5}}
    told = session.for_stages(Study(CONFIG | {"jobs": ONE_EACH}), given)
    assert told["tune_coop_shapes"] == {"mem_mb": 9000} and told["tune_vpt_shapes"] == {"mem_mb": 500} and told["collect"] == {"runtime": 5}
    assert "tune" not in told and not [name for name in told if name.startswith("transfer")]
    assert session.for_stages(Study(CONFIG), {"encode": 3}) == {"encode": 3}  # a job of that name


def test_a_stage_asks_for_what_the_configuration_says_of_it():
    study = Study(CONFIG | {"device": "cuda", "resources": {"tune": {"memory_mib": 24000, "gpus": 2}, "probe": {"minutes": 10}}})
    tune, transfer, probe = (
        session.resources(study, stage, runs) for stage, runs in (("tune", True), ("transfer", True), ("probe", False))
    )
    assert (tune["gpu"], tune["mem_mib"](None, 2), tune["runtime"](None, 1)) == (2, 48000, 120)
    assert (transfer["gpu"], transfer["mem_mib"](None, 1)) == (1, 3000)
    assert (probe["gpu"], probe["runtime"](None, 3), probe["mem_mib"](None, 1)) == (0, 30, 3000)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"tuning": {"minutes": 3}}, "`resources` must be one of prepare, encode"),
        ({"tune": {"minute": 3}}, "did you mean `minutes`"),
        ({"tune": {"minutes": 0}}, "`resources.tune.minutes`"),
    ],
)
def test_a_mistake_in_what_is_asked_is_a_sentence(resources, words):
    with pytest.raises(UserError, match=re.escape(words)):
        Study(CONFIG | {"resources": resources})


def test_every_stage_may_ask_for_something_else():
    def kinds(job: type[Job]) -> list[type[Job]]:
        return [job, *(one for below in job.__subclasses__() for one in kinds(below))]

    stages = {kind.stage for kind in kinds(Job) if not inspect.isabstract(kind)}
    for stage in stages - {"draw"}:  # which never waits for a machine
        assert session.resources(Study(CONFIG | {"resources": {stage: {"minutes": 3}}}), stage)["runtime"](None, 1) == 3
    assert {"prepare", "tune", "joint"} < stages


def test_what_is_asked_makes_nothing_stale():
    assert Study(CONFIG).description == Study(CONFIG | {"resources": {"tune": {"minutes": 3}}}).description

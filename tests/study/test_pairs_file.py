"""A list of pairs restricts the matrix of a study and what it needs; a wrong list is told in one sentence."""

import pytest

from promptatlas.base.errors import UserError
from promptatlas.study import pairs
from promptatlas.study.study import Study

TASKS = ["shapes", "colors", "digits_rendered", "glasses"]
CONFIG = {"study": "part", "tasks": TASKS, "methods": ["coop", "vpt"], "seeds": [1, 2]}


def study(tmp_path, content, **changes) -> Study:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Study(CONFIG | {"results": str(tmp_path), "pairs": str(path)} | changes)


def cells(one: Study, protocol: str, method: str) -> set[tuple[str, str, int]]:
    return {(cell.source, cell.target, cell.seed) for cell in one.cells if (cell.protocol, cell.method) == (protocol, method)}


def test_listed_pairs_are_measured_with_what_gains_are_measured_from(tmp_path):
    one = study(tmp_path, "source,target,method\nshapes,colors,coop\nglasses,glasses,coop\n")
    expected = {("shapes", "colors"), ("glasses", "glasses"), ("scratch", "colors"), ("scratch", "glasses")} | {
        ("template", task) for task in TASKS
    }
    assert cells(one, "frozen", "coop") == {(*pair, seed) for pair in expected for seed in (1, 2)}
    assert not cells(one, "frozen", "vpt")
    assert [(job.method, job.tasks) for job in one.jobs.tune] == [("coop", ("shapes", "glasses"))]


@pytest.mark.parametrize("per_job", ["all", 1])
def test_an_empty_column_or_none_stands_for_all_protocols_and_methods(tmp_path, per_job):
    """As spreadsheets save them: semicolons, a mark in front, empty lines, spaces, a pair twice."""
    content = "\ufeffprotocol; source ;target;method\r\n;shapes;colors; vpt\r\n\r\ninit;shapes;colors;\r\ninit;shapes;colors;\r\n"
    one = study(tmp_path, content, protocols=["frozen", "init"], jobs={"prompts_per_job": per_job, "targets_per_job": per_job})
    measured = {
        (protocol, method)
        for protocol in ("frozen", "init")
        for method in ("coop", "vpt")
        if ("shapes", "colors", 1) in cells(one, protocol, method)
    }
    assert measured == {("frozen", "vpt"), ("init", "coop"), ("init", "vpt")} and len(one.pairs) == 3


def test_a_start_that_is_the_targets_own_prompt_is_trained_too(tmp_path):
    one = study(tmp_path, "source,target\nshapes,colors\n", protocols=["init"], init={"epochs": "method"})
    assert {job.tasks for job in one.jobs.tune} == {("shapes", "colors")}


def test_nothing_beside_the_matrix_is_computed_and_nothing_else_is_described_otherwise(tmp_path):
    more = {"methods": ["coop", "softcpt", "tip_adapter"], "multitask": "all", "joint": [["shapes", "colors"]]}
    one, whole = study(tmp_path, "source,target\nshapes,colors\n", **more), Study(CONFIG | more | {"results": str(tmp_path)})
    assert {job.stage for job in whole.jobs.compute} - {job.stage for job in one.jobs.compute} == {
        "share",
        "adapt",
        "multitask",
        "joint",
        "try",
    }
    assert whole.choice.draws == one.choice.draws, "images of a task are prepared as for the whole study"
    assert "multitask_all" in whole.sources and "multitask_all" not in one.sources
    assert one.description.pop("pairs")["pairs"] == 1 and {*one.description} - {*whole.description} == {"pairs"}
    assert {path.name for path in whole.tables} - {path.name for path in one.tables} == {
        f"{t}.{k}" for t in ("joint", "choice") for k in ("csv", "parquet")
    }


def test_what_a_cell_depends_on_is_the_same_in_a_part(tmp_path):
    one, whole = study(tmp_path, "source,target\nshapes,colors\n"), Study(CONFIG | {"results": str(tmp_path)})
    assert {*one.cells} < {*whole.cells} and {*one.all_prompts} < {*whole.all_prompts}
    assert one.provenance("coop") == whole.provenance("coop") and one.paths.cell(one.cells[0]) == whole.paths.cell(one.cells[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("source,target\n", "lists no pair"),
        ("", "must have one column `source`"),
        ("source,source,target\nshapes,shapes,colors\n", "must have one column `source`"),
        ("source;goal\nshapes;colors\n", "has the column `goal`"),
        ("source,target\nshapes,colours\n", "the target `colours` in line 2.*did you mean `colors`"),
        ("source,target,method\n\nshapes,colors,upt\n", "the method `upt` in line 3"),
        ("source,target,protocol\nshapes,colors,init\n", "the protocol `init` in line 2"),
        ("source,target\nshapes\n", "1 values in line 2 for 2 columns"),
        ("source,target\nshapes,\n", "names no pair in line 2"),
        ("source,target\ntemplate,colors\n", "the source `template` in line 2"),
        (b"\xff\xfe\x00", "saved as UTF-16"),
        (b"source,target\nsh\xe4pes,colors\n", "not saved as UTF-8"),
    ],
)
def test_a_wrong_list_is_told_in_one_sentence(tmp_path, content, words):
    with pytest.raises(UserError, match=words) as caught:
        study(tmp_path, content)
    assert "pairs.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_list_that_is_not_there_or_has_no_matrix_is_told(tmp_path):
    for changes, words in (
        ({"pairs": str(tmp_path / "none.csv")}, "none.csv, which does not exist"),
        ({"pairs": str(tmp_path)}, "cannot be read"),
        ({"pairs": ""}, "must not be empty"),
        ({"pairs": [["shapes", "colors"]]}, "must be text or empty"),
        ({"design": "few_shot"}, "`design: few_shot`"),
    ):
        with pytest.raises(UserError, match=words):
            study(tmp_path, "source,target\nshapes,colors\n", **changes)


def test_a_list_in_a_file_of_another_folder_counts_from_that_file(tmp_path, monkeypatch):
    from promptatlas.study import relative_folders

    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "s.yaml").write_text("pairs: pairs.csv\n")
    (tmp_path / "studies" / "pairs.csv").write_text("source,target\n")
    monkeypatch.chdir(tmp_path)
    for given, expected in (("pairs.csv", "studies/pairs.csv"), ("other.csv", "other.csv"), (None, None)):
        found, wrong = relative_folders.counted({"pairs": given}, [tmp_path / "studies" / "s.yaml"])
        assert (found, wrong) == ({"pairs": expected}, [])


def test_what_is_written_is_read_again(tmp_path):
    listed = [("frozen", "coop", "shapes", "colors"), ("frozen", "vpt", "glasses", "glasses")]
    one = study(tmp_path, pairs.text(listed))
    assert all(one.pairs.measures(*pair) for pair in listed) and len(one.pairs) == 2

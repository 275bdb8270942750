"""`design: recommend`: what a configuration may ask for, what makes an answer stale, and what is made of the answers."""

import json

import pandas as pd
import pytest
from PIL import Image

import prompt_studies
from own_images import folder_of_images
from promptatlas.base.errors import UserError
from promptatlas.recommendation import several, targets
from promptatlas.recommendation.targets import Targets
from promptatlas.study import configuration
from promptatlas.study.paths import Paths
from twins import TINY, twin


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "theirs"
    prompt_studies.write(folder, twin(TINY | {"quick_gelu": False}, folder / "backbone")[1], methods=("coop",), seeds=(1,))
    (folder / "provenance.json").write_text("{}")
    return folder


@pytest.fixture
def config(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of_images(tmp_path / "images/greys", count=3)
    rows = [f"{name}/{n}.jpg,{name}" for name in ("black", "white") for n in range(3)]
    (tmp_path / "images/greys/list.csv").write_text("path,label\n" + "\n".join(rows))
    data = {"greys": {"folder": "images/greys"}, "two": {"folder": "images/greys/list.csv", "templates": ["{}!"]}}
    return {"study": "ours", "design": "recommend", "recommend": {"from": [str(source)]}, "data": data, "device": "cpu"}


def test_each_target_has_its_answer_and_all_a_table_and_a_page(config, source):
    asked = Targets.of(config)
    for target in asked.described:
        several.answer(asked, target, 1, lambda line: None)
    several.conclude(asked)
    table = pd.read_parquet(asked.tables[0]).set_index("target")
    assert [*table.index] == ["greys", "two"] and {*table["candidates"]} == {2} and table["images"].tolist() == [9, 6]
    for target in asked.described:
        told = json.loads((asked.folder(target) / "recommendation.json").read_text())
        assert table["verdict"][target] == told["verdict"] and table["expected_gain"][target] == told["leading"]["expected_gain"]
        assert (asked.folder(target) / "candidates.csv").is_file()
    assert json.loads((asked.folder("two") / "recommendation.json").read_text())["target"]["templates"] == ["{}!"]
    page = asked.paths.report.read_text()
    assert page.count("<section") == 3 and all(told in page for told in ("greys", "two", "zero-shot"))
    assert asked.sources == [source / "provenance.json"]


def test_targets_are_what_data_describes_or_what_is_listed(config):
    assert [*Targets.of(config).described] == ["greys", "two"]
    assert [*Targets.of(config | {"tasks": ["two", "greys", "colors"]}).described] == ["two", "greys", "colors"]
    assert [*Targets.of(config | {"tasks": ["colors"], "data": {}}).described] == ["colors"]


def test_an_answer_is_stale_when_images_or_words_change_and_not_by_where_they_lie(config, tmp_path, monkeypatch):
    before = Targets.of(config).params("greys")
    assert Targets.of(config).params("greys") == before
    assert Targets.of(config | {"device": "auto", "minutes": 3}).params("greys") == before
    monkeypatch.chdir(tmp_path / "images")
    moved = config | {"data": {"greys": {"folder": "greys"}}}
    assert Targets.of(moved).params("greys") == before
    monkeypatch.chdir(tmp_path)
    changed = config | {"data": config["data"] | {"greys": {"folder": "images/greys", "classes": ["black", "grey", "white"]}}}
    assert Targets.of(changed).params("greys") != before
    assert Targets.of(config | {"recommend": config["recommend"] | {"tune": 1}}).params("greys") != before
    Image.new("RGB", (9, 9)).save(tmp_path / "images/greys/black/9.png")
    assert Targets.of(config).params("greys")["images"] != before["images"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"recommend": None}, "needs `recommend: "), ({"recommend": {}}, "needs `recommend: "),
     ({"recommend": 3}, "must be keys and values"), ({"recommend": {"from": ["nowhere"]}}, "does not exist"),
     ({"recommend": {"from": ["images"]}}, "is no study that has run to its end"),
     ({"recommend": {"from": ["a.tar.gz"]}}, "does not exist"),
     ({"recommend": {"form": []}}, "unknown key `form`"), ({"data": {}, "tasks": ["shapez"]}, "shapez"), ({"data": {}}, "needs targets"),
     ({"tasks": []}, "at least 1"),
     ({"tasks": ["greys"]}, "describes `two`"), ({"data": {"greys": {"foldr": "x"}}}, "foldr"),
     ({"data": {"colors": {"folder": "x"}}}, "drawn by")],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(changes, words, config):
    with pytest.raises(UserError, match=words) as error:
        Targets.of(config | changes)
    assert "\n" not in str(error.value)


def test_a_mistake_ends_the_run_before_any_job(config, capsys):
    with pytest.raises(SystemExit) as end:
        targets.plan(config | {"recommend": {}})
    assert end.value.code == 1 and capsys.readouterr().err.startswith("promptatlas: `design: recommend` needs")


def test_other_commands_say_that_only_snakemake_runs_it(config):
    with pytest.raises(UserError, match="run by snakemake alone"):
        configuration.complete(config)
    with pytest.raises(UserError, match="go together"):
        configuration.complete({"recommend": {"from": ["x"]}})


def test_a_job_asks_for_what_the_stage_does(config):
    assert Targets.of(config).resources() == {"gpu": 0, "mem_mib": 3000, "runtime": 120}
    own = config | {"device": "cuda", "resources": {"recommend": {"memory_mib": 9000, "minutes": 5}}}
    assert Targets.of(own).resources() == {"gpu": 1, "mem_mib": 9000, "runtime": 5}
    assert Targets.of(config).paths.folder == Paths.at(targets.Path("results/ours")).folder

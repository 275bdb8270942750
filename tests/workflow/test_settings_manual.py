"""docs/settings.md, `promptatlas settings` and the schema of methods: every setting with its default, its values and what it means."""

import json
import re
import subprocess

import jsonschema
import pytest
import yaml

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.methods import names, settings, words
from promptatlas.methods.registry import known
from promptatlas.methods.schema import schema
from tiny_study import PROMPTATLAS, ROOT

EVERY = [name for kind in ("prompt", "shared", "adapter", "baseline") for name in names(kind)]


def whole(method: str, preset: str = "paper") -> dict[str, object]:
    """Complete settings, and what is unsaid in them."""
    return {key: held.unsaid for key, held in known(method).settings.items() if held.unsaid is not None} | settings(method, preset=preset)


def documented() -> dict[str, list[list[str]]]:
    """By method the rows of its table, cell by cell."""
    sections = re.split(r"^## (\w+).*$", (ROOT / "docs" / "settings.md").read_text(), flags=re.MULTILINE)[1:]
    rows = (
        [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("| `")] for text in sections[1::2]
    )
    return dict(zip(sections[::2], rows, strict=True))


def test_the_page_and_the_schema_are_what_the_command_prints():
    done = subprocess.run([PROMPTATLAS, "settings"], text=True, capture_output=True, check=True)
    assert done.stdout == (ROOT / "docs" / "settings.md").read_text(), "write it again: make docs"
    done = subprocess.run([PROMPTATLAS, "settings", "--schema"], text=True, capture_output=True, check=True)
    assert done.stdout == (ROOT / "workflow" / "schemas" / "methods.schema.json").read_text(), "write it again: make docs"


def test_methods_of_a_studys_plugins_have_their_settings_too(tmp_path, monkeypatch, capsys):
    """Of config.yaml and of another configuration, whatever else is wrong with them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "angle.py").write_text(
        "from promptatlas.methods import Setting, register\n"
        'register("angle", "angle.py:Angle", description="a direction", length=Setting(0.5, "of the vector", most=2), epochs=7)\n'
        "class Angle: ...\n"
    )

    def said(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            command.main(["settings", *arguments])
        return "".join(capsys.readouterr())

    try:
        assert said() == (ROOT / "docs" / "settings.md").read_text()
        (tmp_path / "config.yaml").write_text("plugins: [angle.py]\nsettings: {angle: {lenght: 1}}\n")
        ours = said().partition("## angle: a direction\n")[2].partition("\n## ")[0]
        assert "| `length` | 0.5 |  | number, above 0, at most 2 | of the vector |" in ours and "| `epochs` | 7 | 30 |" in ours
        assert "`code`" not in ours
        (tmp_path / "studies").mkdir()
        (tmp_path / "studies" / "other.yaml").write_text("plugins: [../angle.py]\n")
        (tmp_path / "config.yaml").unlink()
        about = json.loads(said("--schema", "--configfile", "studies/other.yaml"))["properties"]["settings"]["properties"]["angle"]
        assert about["properties"]["length"]["maximum"] == 2
        (tmp_path / "studies" / "other.yaml").write_text("plugins: angle.py\n")
        assert said("--configfile", "studies/other.yaml").startswith("promptatlas: `plugins` must be a list, not 'angle.py'; mend it")
        assert "does not exist" in said("--configfile", "nowhere.yaml")
    finally:
        plugins.load([])


@pytest.mark.parametrize("method", EVERY)
def test_every_setting_is_there_with_its_defaults_and_a_meaning(method):
    rows = {key.strip("`"): (paper.strip('"'), mini.strip('"'), meaning) for key, paper, mini, _, meaning in documented()[method]}
    paper, mini = whole(method), whole(method, "mini")
    assert {key: row[0] for key, row in rows.items()} == {key: str(value) for key, value in paper.items()}
    assert {key: row[1] or row[0] for key, row in rows.items()} == {key: str(value) for key, value in mini.items()}
    assert all(row[2] for row in rows.values()) and words()[method]["description"]


@pytest.mark.parametrize("method", EVERY)
def test_the_values_it_names_are_those_that_are_taken(method):
    for key, paper, _, values, _ in documented()[method]:
        key = key.strip("`")

        def taken(value, key=key) -> bool:
            try:
                return settings(method, {key: value}).get(key, known(method).settings[key].unsaid) == value
            except UserError:
                return False

        if re.fullmatch(r"(whole )?number, (0 or more|above 0)(, at most \d+)?", values):
            assert taken(1) and not taken(-1) and not taken("often")
            assert taken(0) == ("0 or more" in values) and taken(0.5) == ("whole" not in values)
            assert "at most" not in values or not taken(1 + int(values.split()[-1]))
        elif values.startswith("text"):
            assert taken("one {}") and taken("one") == (values == "text") and not taken(1)
        else:
            assert paper in values.split(", ") and all(map(taken, values.split(", "))) and not taken("often")


def apart() -> str:
    return (ROOT / "docs" / "settings.md").read_text().split("## Where settings are not the papers'")[1]


def test_whoever_speaks_of_a_papers_settings_points_to_what_differs():
    text = "".join((ROOT / "docs" / name).read_text() for name in ("settings.md", "published.md", "compare-methods.md"))
    assert set(re.findall(r"#where[\w-]+", text)) == {"#where-settings-are-not-the-papers"} and len(apart()) > 1000
    papers = {path: path.read_text() for path in (ROOT / "workflow" / "studies").glob("*.yaml") if " et al." in path.read_text()}
    assert len(papers) >= 8
    for path, study in papers.items():
        assert "Where settings are not the papers'" in " ".join(study.replace("#", " ").split()), path.name


def test_keys_that_bring_the_authors_way_are_keys_of_a_study():
    keys = {key for method in EVERY for key in whole(method)} | {*yaml.safe_load((ROOT / "config.yaml").read_text())}
    last = [row.split("|")[-2] for row in apart().splitlines() if row.startswith("|")]
    named = [re.split(r"[:,{ ]+", entry)[0] for cell in last for entry in re.findall("`([^`]+)`", cell)]
    assert len(named) > 15 and {*named} <= keys, {*named} - keys


def test_the_page_and_the_schema_have_what_is_registered_and_nothing_else():
    registered = {method: {*whole(method)} for method in EVERY}
    pages = {method: {key.strip("`") for key, *_ in rows} for method, rows in documented().items() if method != "Where"}
    assert pages == registered
    assert {method: {*about["properties"]} for method, about in schema()["properties"]["settings"]["properties"].items()} == registered
    assert {*words()} == {*EVERY} and len({about["title"] for about in words().values()}) == len(EVERY)


@pytest.mark.parametrize("method", EVERY)
def test_the_schema_takes_what_a_study_takes(method):
    check = jsonschema.Draft202012Validator(schema())
    for key, usual in whole(method).items():
        choices = schema()["properties"]["settings"]["properties"][method]["properties"][key].get("enum", [])
        for value in ("often", "one {}", "", -1, 0, 0.5, 1, 1.0, 31, 500, True, None, [], usual, *choices):
            given = {key: value}
            if key == "initial":  # the words say how many vectors there are, which is no matter of one setting
                given["context"] = 1
            try:
                settings(method, given)
                taken = True
            except UserError:
                taken = False
            valid = check.is_valid({"methods": [method], "settings": {method: {key: value}}})
            # JSON has one kind of number, so 1.0 is a whole one.
            assert valid == taken or (value == 1.0 and valid), (key, value)
    assert not check.is_valid({"settings": {method: {"no_such_setting": 1}}}) and check.is_valid({"settings": {"of_a_plugin": {"a": 1}}})

"""docs/data.md holds what is true: every example is accepted, every key is explained, the formats are read as it says."""

import json
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from promptatlas.study.study import Study
from promptatlas.tasks import catalogue, metrics
from promptatlas.tasks.readers import folder
from promptatlas.tasks.readers.formats import every

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "data.md").read_text()
EXAMPLES = {
    name: about for block in re.findall(r"```yaml\n(.*?)```", MANUAL, re.S) for name, about in yaml.safe_load(block)["data"].items()
}
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "task.schema.yaml").read_text())["$defs"]


def make_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_accepted(name):
    entry = catalogue.described(name, EXAMPLES[name])
    assert entry.sources and entry.task.name == name


def test_the_first_example_is_a_study():
    study = Study(yaml.safe_load(re.search(r"```yaml\n(.*?)```", MANUAL, re.S).group(1)))
    assert study.tasks == ("clothing", "shoes")


def test_every_key_is_explained():
    readers = [rule["then"]["properties"] for rule in SCHEMA["source"]["allOf"]]
    keys = {*SCHEMA["own"]["properties"], *SCHEMA["override"]["properties"], *(key for reader in readers for key in reader)} - {"reader"}
    assert not [key for key in keys if f"`{key}`" not in MANUAL]
    assert not [metric for metric in metrics.registered() if f"`{metric}`" not in MANUAL]
    assert len(EXAMPLES) >= 14


def test_every_format_may_be_named_and_is_explained():
    assert SCHEMA["format"]["enum"] == [every.CLASS_FOLDERS, *every.FORMATS]
    assert re.findall(r"^\| `(\w+)` \|", MANUAL.partition("| format |")[2].partition("\n\n")[0], re.M) == [*every.FORMATS]


def test_the_list_is_read_as_it_stands(tmp_path):
    rows = json.loads(re.search(r"```json\n(.*?)```", MANUAL, re.S).group(1))
    for path, _, _ in (row for several in rows.values() for row in several):
        make_image(tmp_path / path)
    (tmp_path / "list.json").write_text(json.dumps(rows))
    source = catalogue.own("pets", {"folder": str(tmp_path / "list.json")}).sources[0]
    folder.glance(source, tmp_path)
    listing = folder.read(source, tmp_path)
    assert listing.class_names == ("cat", "dog") and {*listing.splits} == {"train", "validation", "test"}


def test_a_tree_named_otherwise_and_shares_of_ones_own_are_read_as_described(tmp_path):
    for split in ("2023", "spring", "2024"):
        for name in ("robin", "wren"):
            make_image(tmp_path / "birds" / split / name / "1.png")
    for name in ("carp", "pike"):
        for number in range(10):
            make_image(tmp_path / "fish" / name / f"{number}.png")
    birds, fish = (
        folder.read(catalogue.own(name, EXAMPLES[name] | {"folder": str(tmp_path / name)}).sources[0], tmp_path)
        for name in ("birds", "fish")
    )
    assert {split: len(part.labels) for split, part in birds.splits.items()} == {"train": 2, "validation": 2, "test": 2}
    assert {split: len(part.labels) for split, part in fish.splits.items()} == {"train": 12, "validation": 2, "test": 6}


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", MANUAL))
def test_a_file_that_is_linked_exists(target):
    assert (ROOT / "docs" / target).exists()

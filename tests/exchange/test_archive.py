"""The files of plugins in an archive: which, how they are called there, and without the folders of the machine."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from promptatlas.base import plugins
from promptatlas.exchange import archive, packed_prompts
from promptatlas.exchange.private_folders import Private
from promptatlas.study.study import Study
from promptatlas.tasks import prepared
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.task import Task

ROWS = {"train": slice(2), "validation": slice(2, 3), "test": slice(3, 4)}
METHOD = 'from promptatlas.methods import register\nregister("{name}", "{module}:Net", description="one vector")\n'
NET = "class Net:\n    text, visual = True, False\n    places = {!r}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two folders with a plugin each; the first has its class in a folder below, the second in the first's."""
    for name, module in (("one", "nets/net.py"), ("two", "../one/other.py")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(METHOD.format(name=name, module=module))
    (tmp_path / "one" / "nets").mkdir()
    (tmp_path / "one" / "nets" / "net.py").write_text(NET.format(str(tmp_path / "one" / "data")))
    (tmp_path / "one" / "other.py").write_text(NET.format(0))
    (tmp_path / "one" / "read.me").write_text("no code")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield tmp_path
    plugins.load([])


def study(*listed: str) -> Study:
    return Study({"methods": ["coop"], "plugins": [*listed]})


def test_what_is_listed_and_what_it_registers_from_is_packed_and_nothing_else(folder):
    study("../one/one.py")
    assert archive.plugin_files() == {
        "plugins/one.py": folder / "one/one.py",
        "plugins/nets/net.py": folder / "one/nets/net.py",
    }
    study("../one/one.py", "../two/two.py")
    named = {name: path.relative_to(folder).as_posix() for name, path in archive.plugin_files().items()}
    assert named == {
        "plugins/1/one.py": "one/one.py",
        "plugins/1/nets/net.py": "one/nets/net.py",
        "plugins/2/two.py": "two/two.py",
        "plugins/1/other.py": "one/other.py",
    }
    study()
    assert archive.plugin_files() == {}


def test_modules_of_packages_are_named_only(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder / "one"))
    (folder / "one" / "module_of_a_package.py").write_text("")
    study("module_of_a_package")
    assert archive.plugin_files() == {} and [one["name"] for one in plugins.marks()] == ["module_of_a_package"]


def test_no_folder_of_the_machine_is_in_the_code_that_is_packed(folder):
    packed = study("../one/one.py")
    file = io.BytesIO()
    packed.paths.provenance_file.parent.mkdir(parents=True)
    packed.paths.provenance_file.write_text('{"results": {}}')
    files = {"provenance.json": packed.paths.provenance_file} | archive.plugin_files()
    archive._write(file, packed, files, Private(packed))
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as opened:
        held = {name.partition("/")[2]: opened.extractfile(name).read().decode() for name in opened.getnames()}
    assert "'one/data'" in held["plugins/nets/net.py"] and not any(str(folder) in text for text in held.values())
    assert {*json.loads(held["provenance.json"])["plugin_files"]} == {"plugins/one.py", "plugins/nets/net.py"}


def test_an_archive_has_the_hashes_of_training_images_and_its_record_theirs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packed = Study({"methods": ["coop"], "backbone": {"model": "mini", "pretrained": "mini"}})
    images = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
    pools = {split: Pool.whole(images[rows], np.array([0, 1])[: len(images[rows])]) for split, rows in ROWS.items()}
    task = Task(packed.tasks[0], "A", "drawn", ("a", "b"), ("{}",))
    prepared.write(packed.paths.task_folder(task.name), task, pools, [{"split": "train"}])
    packed.paths.provenance_file.write_text('{"results": {}}')
    prompt = tmp_path / "shapes.safetensors"
    prompt.write_bytes(save({"prompts.text": torch.zeros(1, 1, 2, 4)}, {"method": "coop"}))
    files = {"provenance.json": packed.paths.provenance_file, "prompts/coop/seed1/shapes.safetensors": prompt}
    for name in ("a", "b"):
        with (tmp_path / f"{name}.tar.gz").open("wb") as file:
            archive._write(file, packed, files, Private(packed))
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    found = packed_prompts.read(tmp_path / "a.tar.gz", tmp_path)
    assert [*found.image_hashes] == [task.name] and not found.otherwise
    np.testing.assert_array_equal(found.image_hashes[task.name], prepared.digests(images[:3]))  # none of the test image
    record = json.loads(found.records["atlas.json"]) | {"image_hashes": {}}
    with tarfile.open(tmp_path / "a.tar.gz") as opened, tarfile.open(tmp_path / "c.tar.gz", "w:gz") as changed:
        for name in opened.getnames():
            content = json.dumps(record).encode() if name.endswith("atlas.json") else opened.extractfile(name).read()
            archive._add(changed, name, content)
    other = packed_prompts.read(tmp_path / "c.tar.gz", tmp_path)
    assert not other.image_hashes and other.otherwise == {"image_hashes.safetensors": "not the file that atlas.json lists"}


def test_the_record_of_an_atlas_lists_every_prompt_by_its_hash_in_the_archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packed = Study({"methods": ["coop"], "backbone": {"model": "mini", "pretrained": "mini"}, "precision": "tf32"})
    prompt = packed.paths.prompt("coop", 1, "shapes")
    prompt.parent.mkdir(parents=True)
    about = {"method": "coop", "told": f"trained in {tmp_path}"}
    prompt.write_bytes(save({"prompts.text": torch.zeros(1, 1, 2, 4)}, about))
    packed.paths.provenance_file.write_text(json.dumps({"results": {}, "backbone": {"sha256": "1" * 64}}))
    files = {"provenance.json": packed.paths.provenance_file, "prompts/coop/seed1/shapes.safetensors": prompt}
    with (tmp_path / "a.tar.gz").open("wb") as file:
        archive._write(file, packed, files, Private(packed))
    found = packed_prompts.read(tmp_path / "a.tar.gz", tmp_path)
    record = json.loads(found.records["atlas.json"])
    (written,) = found.prompts.values()
    assert record["prompts"] == {"prompts/coop/seed1/shapes.safetensors": hashlib.sha256(written.read_bytes()).hexdigest()}
    assert written.read_bytes() != prompt.read_bytes() and str(tmp_path).encode() not in written.read_bytes()
    assert record["backbone"] == {"name": "mini", "model": "mini", "pretrained": "mini", "sha256": "1" * 64}
    assert (record["version"], record["study"], record["precision"]) == (1, packed.name, "tf32") and not found.otherwise

"""Names of files and folders are of any bytes, lists are saved by any editor: they work, or one sentence names them."""

import io
import json
import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import printable
from promptatlas.base.progress import reporting
from promptatlas.cli import class_names, command
from promptatlas.study import configuration
from promptatlas.tasks import catalogue, readers
from promptatlas.tasks.preparation import Needs, prepare
from promptatlas.tasks.prepared import PreparedTask

NEEDS = Needs(size=8, resize="crop", shots=2, seeds=(1,), scheme="coop")
NASTY = {
    b"caf\xe9.png": r"caf\xe9.png",
    b"\x93\xfa\x96{.png": r"\x93\xfa\x96{.png",
    b"two\nlines.png": r"two\nlines.png",
    b'it\'s "it".png': 'it\'s "it".png',
    "\u202egnp.cod.png".encode(): r"\u202egnp.cod.png",
    "зима 🐈.png".encode(): "зима 🐈.png",
    b"-rf *.png": "-rf *.png",
    b"back\\slash\x07.png": r"back\slash\x07.png",
}


def put(folder: Path, names: list[bytes], seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        values = np.random.default_rng([seed, number]).integers(256, size=(9, 9, 3), dtype=np.uint8)
        Image.fromarray(values).save(os.path.join(folder, os.fsdecode(name)), "PNG")


def made(root: Path, out: Path, needs: Needs = NEEDS, **about) -> PreparedTask:
    entry = catalogue.described("nasty", {"folder": str(root)} | about)
    source = readers.find(entry.sources, root.parent)
    with reporting(out.parent / "log") as say:
        prepare(entry, source, root.parent, out, needs, 1, say)
    return PreparedTask.open(out)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            put(tmp_path / "own" / split / name, [*NASTY], number)
    return tmp_path / "own"


def test_files_of_any_name_become_a_task_and_are_called_by_what_can_be_printed(tree: Path, tmp_path: Path) -> None:
    task = made(tree, tmp_path / "task")
    assert len(task.images("test")) == 2 * len(NASTY)
    names = pq.read_table(tmp_path / "task/factors.parquet").to_pydict()["name"]
    assert {os.path.basename(name) for name in names} == {*NASTY.values()}
    assert all(name.isprintable() for name in names)


def test_files_of_any_name_are_opened_in_other_processes_too(tree: Path, tmp_path: Path) -> None:
    source = {"reader": "folder", "path": str(tree)}
    images = readers.reader(source).read(source, tmp_path).splits["test"].images
    copy = pickle.loads(pickle.dumps(images))
    for row in range(len(images)):
        assert copy.name(row) == images.name(row) and copy.open(row).tobytes() == images.open(row).tobytes()


def test_a_broken_file_of_any_name_is_named_on_the_terminal_in_the_log_and_in_the_reason(tree: Path, tmp_path: Path, capsys) -> None:
    for name in NASTY:
        Path(os.fsdecode(os.path.join(os.fsencode(tree), b"test/dog", name))).write_bytes(b"none")
    with pytest.raises(SystemExit):
        made(tree, tmp_path / "task")
    told = capsys.readouterr().err
    assert told.count("cannot be read") == 1 and str(len(NASTY)) in told
    for text in (told, (tmp_path / "log").read_text(encoding="utf-8")):
        assert sum(name in text for name in NASTY.values()) >= 5 and "error of the program" not in text


def test_sub_folders_and_the_folder_itself_may_have_any_name(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"donn\xe9es \n 1")
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            put(root / split / name / os.fsdecode(b"ann\xe9e"), [b"1.png", b"2.png", b"\xff.png"], number)
    task = made(root, tmp_path / "task")
    assert len(task.images("test")) == 6
    (root / "test" / "dog" / os.fsdecode(b"ann\xe9e") / "1.png").write_bytes(b"")
    with pytest.raises(SystemExit):
        made(root, tmp_path / "again")
    assert r"donn\xe9es \n 1/test/dog/ann\xe9e/1.png" in (tmp_path / "log").read_text()


def test_a_class_folder_whose_name_is_no_text_asks_for_its_name_in_prompts(tree: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        os.rename(tree / split / "cat", os.path.join(os.fsencode(tree / split), b"caf\xe9"))
    with pytest.raises(SystemExit):
        made(tree, tmp_path / "task")
    assert r"has a class called 'caf\xe9' in its data" in (tmp_path / "log").read_text()
    task = made(tree, tmp_path / "task", classes=["dog", ["café", r"caf\xe9"]])
    assert task.task.class_names == ("dog", "café") and np.bincount(task.labels("test")).tolist() == [len(NASTY)] * 2
    with pytest.raises(SystemExit):
        made(tree, tmp_path / "task", classes=["dog", "caf"])
    assert r"only the data have 'caf\xe9'; only the task has 'caf'" in (tmp_path / "log").read_text()


def test_class_folders_may_have_any_name_that_is_text(tmp_path: Path) -> None:
    names = ["two\nlines", 'it\'s "it"', "\u05d7\u05ea\u05d5\u05dc", "a{}b", "<b>bold", "a.b..", "🐈"]
    for split in ("train", "test"):
        for number, name in enumerate(names):
            put(tmp_path / "own" / split / name, [b"1.png", b"2.png", b"3.png"], number)
    task = made(tmp_path / "own", tmp_path / "task")
    assert {*task.task.class_names} == {"two lines", 'it\'s "it"', "\u05d7\u05ea\u05d5\u05dc", "a{}b", "<b>bold", "a.b..", "🐈"}
    assert np.bincount(task.labels("test")).tolist() == [3] * len(names)


LIST = {
    "train": [["cats/1.png", 0, "cat"], ["cats/2.png", 0, "cat"], ["dogs/1.png", 1, "dog"], ["dogs/2.png", 1, "dog"]],
    "test": [["cats/3.png", 0, "cat"], ["dogs/3.png", 1, "dog"]],
}
SOURCE = {"reader": "folder", "manifest": "own/list.json"}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A folder with a list; returns the list's path."""
    for name in ("cats", "dogs"):
        put(tmp_path / "own" / name, [b"1.png", b"2.png", b"3.png"])
    (tmp_path / "own/list.json").write_text(json.dumps(LIST))
    return tmp_path / "own/list.json"


def read(list_file: Path):
    return readers.reader(SOURCE).read(SOURCE, list_file.parents[1])


def refused(list_file: Path, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        read(list_file)
    assert "\n" not in str(error.value) and str(error.value).encode()


def test_a_list_with_a_byte_order_mark_is_the_list(listed: Path) -> None:
    plain = read(listed)
    listed.write_text(json.dumps(LIST), encoding="utf-8-sig")
    marked = read(listed)
    assert marked.class_names == plain.class_names and {*marked.splits} == {*plain.splits}
    assert all(marked.splits[split].stamp == plain.splits[split].stamp for split in plain.splits)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_list_in_a_wide_encoding_says_how_to_save_it(listed: Path, encoding: str) -> None:
    listed.write_text(json.dumps(LIST), encoding=encoding)
    refused(listed, "list.json is saved as UTF-16 or UTF-32; save it as UTF-8")


def test_a_list_in_a_local_encoding_names_the_line(listed: Path) -> None:
    listed.write_bytes(json.dumps(LIST, indent=0).replace("cats/3", "caf\u00e9/3").encode() + b"\n\xe9")
    refused(listed, "list.json is not saved as UTF-8 .see line ")
    listed.write_text(json.dumps(LIST, indent=0, ensure_ascii=False).replace("dog", "k\u00f6ter"), encoding="latin-1")
    refused(listed, "list.json is not saved as UTF-8")


def test_paths_as_windows_writes_them_are_found(listed: Path) -> None:
    plain = read(listed)
    windows = {split: [[path.replace("/", "\\"), *about] for path, *about in rows] for split, rows in LIST.items()}
    listed.write_text(json.dumps(windows))
    found = read(listed)
    assert all(found.splits[split].stamp == plain.splits[split].stamp for split in plain.splits)
    assert [found.splits["test"].images.name(row) for row in (0, 1)] == [plain.splits["test"].images.name(row) for row in (0, 1)]
    put(listed.parent, [b"cats\\1.png"], seed=9)
    assert Path(read(listed).splits["train"].images.name(0)).name == "cats\\1.png"


@pytest.mark.parametrize(
    "path",
    ["C:\\own\\cats\\1.png", "c:/own/cats/1.png", "\\\\server\\own\\1.png", "..\\..\\etc\\hostname", "cats/../../x.png", "\ud800.png"],
)
def test_paths_out_of_the_folder_are_refused_in_the_way_of_any_system(listed: Path, path: str) -> None:
    listed.write_text(json.dumps(LIST | {"test": [[path, 0, "cat"], ["dogs/3.png", 1, "dog"]]}))
    refused(listed, "which is outside of")


def test_an_absolute_path_into_the_folder_is_that_file_and_another_is_refused(listed: Path) -> None:
    plain = read(listed).splits["test"]
    listed.write_text(json.dumps(LIST | {"test": [[str(listed.parent / "cats/3.png"), 0, "cat"], ["dogs/3.png", 1, "dog"]]}))
    found = read(listed).splits["test"]
    assert found.stamp == plain.stamp and found.images.paths == plain.images.paths
    listed.write_text(json.dumps(LIST | {"test": [[f"/{listed.parent}/cats/3.png", 0, "cat"], ["dogs/3.png", 1, "dog"]]}))
    refused(listed, "does not start from it; list paths below it only")


def test_a_list_may_name_files_of_any_bytes(listed: Path) -> None:
    os.rename(listed.parent / "cats/3.png", os.path.join(os.fsencode(listed.parent), b"cats/caf\xe9.png"))
    listed.write_text(json.dumps(LIST).replace("cats/3.png", "cats/caf\\udce9.png"))
    found = read(listed).splits["test"].images
    assert printable(found.name(0)).endswith(r"caf\xe9.png") and found.open(0).size == (9, 9)
    listed.write_text(json.dumps(LIST).replace("cats/3.png", "cats/gone\\udce9.png"))
    refused(listed, "lists 1 image that is not in .*gone")


def test_a_key_that_stands_twice_loses_no_rows_in_silence(listed: Path) -> None:
    rows = json.dumps(LIST["train"])
    listed.write_text(f'{{"train": {rows}, "test": {json.dumps(LIST["test"])}, "train": []}}')
    refused(listed, 'has the key "train" twice')


@pytest.mark.parametrize("label", [True, -1, 1.0, "1", None, [1], {"a": 1}, float("nan")])
def test_labels_that_are_no_numbers_of_classes_are_refused(listed: Path, label) -> None:
    listed.write_text(json.dumps(LIST | {"test": [["cats/3.png", 0, "cat"], ["dogs/3.png", label, "dog"]]}))
    refused(listed, "row 1 of test (has label|is )")


def test_a_name_that_disagrees_with_its_label_is_refused_either_way(listed: Path) -> None:
    listed.write_text(json.dumps(LIST | {"test": [["cats/3.png", 1, "cat"], ["dogs/3.png", 1, "dog"]]}))
    refused(listed, "calls label 1 'cat', but it was 'dog' before")
    listed.write_text(json.dumps(LIST | {"test": [["cats/3.png", 2, "cat"], ["dogs/3.png", 1, "dog"]]}))
    refused(listed, "has a class twice, 'cat' and 'cat'")


def test_a_class_name_that_is_no_text_is_refused(listed: Path, tmp_path: Path) -> None:
    listed.write_text(json.dumps(LIST).replace('"cat"', '"c\\ud800t"'))
    with pytest.raises(SystemExit):
        made(listed, tmp_path / "task")
    assert "which is no text in UTF-8" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_texts_and_configurations_are_read_with_and_without_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "names.txt").write_text("Kätzchen\nHund\n", encoding=encoding)
    assert text_files.read(tmp_path / "names.txt") == "Kätzchen\nHund\n"
    assert class_names.read(tmp_path / "names.txt") == ["Kätzchen", "Hund"]
    (tmp_path / "study.yaml").write_text("study: über\nseeds: [1]\n", encoding=encoding)
    assert configuration.load(tmp_path / "study.yaml") == {"study": "über", "seeds": [1]}


def test_configurations_and_class_files_in_other_encodings_say_how_to_save_them(tmp_path: Path) -> None:
    for load in (configuration.load, class_names.read, text_files.read):
        for encoding, words in (("utf-16", "saved as UTF-16"), ("latin-1", "not saved as UTF-8 .see line 2")):
            (tmp_path / "text").write_text("study: a\nname: ü\n", encoding=encoding)
            with pytest.raises(UserError, match=words):
                load(tmp_path / "text")


def test_what_is_printed_of_a_name_is_one_line_of_text() -> None:
    assert [printable(os.fsdecode(name)) for name in NASTY] == [*NASTY.values()]
    assert printable("\ud800") == r"\ud800" and str(UserError("caf\udce9")).encode()


def test_the_command_prints_names_of_any_bytes_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    name, printed = os.fsdecode("prömpt-".encode() + b"\xe9"), io.BytesIO()
    options = SimpleNamespace(run=lambda options: print(name, flush=True) or 0)
    monkeypatch.setattr(command, "parser", lambda: SimpleNamespace(parse_known_args=lambda given: (options, [])))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    with pytest.raises(SystemExit, match="0"):
        command.main([])
    assert printed.getvalue() == rb"pr\xf6mpt-\udce9" + b"\n"


def test_a_text_that_cannot_be_read_is_one_sentence_and_its_lines_are_those_that_say_something(tmp_path):
    (tmp_path / "names.txt").write_text("\ufeffant \n\n  bee hive\r\n", encoding="utf-8")
    assert text_files.lines(tmp_path / "names.txt") == ("ant", "bee hive")
    for path in (tmp_path, tmp_path / "none.txt"):
        with pytest.raises(UserError, match=rf"^{path} cannot be read \(.+\); see that it is a readable file$"):
            text_files.required(path)

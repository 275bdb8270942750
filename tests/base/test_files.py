"""A file is whole or as it was, whatever ends the writing of it."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from promptatlas.base import files


def test_a_whole_file_takes_the_place_of_the_old_one_and_nothing_else_is_left(tmp_path: Path) -> None:
    files.replace(tmp_path / "below" / "a.json", b"old")
    with files.whole(tmp_path / "below" / "a.json") as temporary:
        temporary.write_bytes(b"new")
        assert (tmp_path / "below" / "a.json").read_bytes() == b"old" and temporary.parent == tmp_path / "below"
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["a.json"]
    assert (tmp_path / "below" / "a.json").read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with files.whole(tmp_path / "a") as temporary:
            temporary.write_bytes(b"half")
            raise error

    files.replace(tmp_path / "a", b"old")
    with pytest.raises(error):
        write()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_of_two_files_the_first_that_is_named_is_there_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`backbone.export` relies on it: with the weights all the rest is there."""
    placed, moved = [], os.replace

    def replace(source: Path, target: Path) -> None:
        moved(source, target)
        placed.append(target.name)

    monkeypatch.setattr(os, "replace", replace)
    with files.whole(tmp_path / "weights") as one, files.whole(tmp_path / "words") as other:
        one.write_bytes(b"1")
        other.write_bytes(b"2")
        assert not placed
    assert placed == ["words", "weights"]


def test_what_killed_processes_left_is_swept_away_and_nothing_else(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    wanted, other = tmp_path / "a.b.json", tmp_path / "other.json"
    litter, young, alive, foreign = (
        tmp_path / f".{name}.{process}.tmp"
        for name, process in (("a.b.json", ended.pid), ("c.json", ended.pid), ("a.b.json", os.getpid()), ("other.json", ended.pid))
    )
    for path in (wanted, litter, young, alive, foreign):
        path.write_text("part of a file")
    for path in (litter, alive, foreign):
        os.utime(path, (time.time() - 60,) * 2)
    files.sweep([wanted, tmp_path / "c.json", tmp_path / "nowhere" / "d.json"])
    assert {*tmp_path.iterdir()} == {wanted, young, alive, foreign} and not other.exists()


def test_nothing_else_writes_text_in_place() -> None:
    """What a killed job leaves half written would be read by the next."""
    workflow = Path(files.__file__).parents[2]
    code = [*(workflow / "promptatlas").rglob("*.py"), *(workflow / "scripts").glob("*.py")]
    in_place = {path.name for path in code if re.search(r"\.write_(text|bytes)\(", path.read_text())}
    assert len(code) > 100 and in_place == {"files.py"}


WRITERS = re.compile(
    r"\.(?:savefig|to_csv|to_parquet|to_json|open_memmap)\((?!index=|\))|save_file\((?!\))|np\.savez?\(|torch\.save\(|json\.dump\("
    r"|shutil\.copy|\bopen\([^()]*, \"[wax]|\.open\(\"[wax]"
)
IN_PLACE = {
    "decoding.py": ["np.save("],  # arrays of an attempt, which are put in their place when it has ended
    "preparation.py": [".open_memmap("],
    "mini_clip.py": [".open_memmap("],  # images of a training that is not resumed
    "session.py": ['.open("w', '.open("a'],  # the lock, which holds nothing
}


def test_every_library_that_writes_a_file_is_given_a_temporary_name() -> None:
    """A call that writes stands in a block `with whole(...)`, or makes bytes for `replace`."""
    workflow, found = Path(files.__file__).parents[2], {}
    for path in workflow.rglob("*.py"):
        inside = -1
        for line in path.read_text().splitlines():
            indent = len(line) - len(line.lstrip())
            if line.strip() and indent <= inside:
                inside = -1
            if "with " in line and "whole(" in line:
                inside = indent
            elif inside < 0 and not line.startswith(("from ", "import ")):
                found.setdefault(path.name, []).extend(WRITERS.findall(line))
    assert {name: calls for name, calls in found.items() if calls} == IN_PLACE

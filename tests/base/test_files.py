"""A file is whole or as it was, whatever ends the writing of it."""

import errno
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

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


WRITES = """
import sys, time
from pathlib import Path
from promptatlas.base import files
with files.whole(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)
"""


@pytest.mark.imports
def test_what_a_killed_process_left_is_swept_away_at_once_and_what_is_written_is_not(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITES, tmp_path / "a.json"], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "half\n"
        files.sweep([tmp_path])
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"half"]
    finally:
        writer.kill()
        writer.communicate()
    files.sweep([tmp_path, tmp_path / "nowhere"])
    assert not [*tmp_path.iterdir()]


def test_a_file_of_this_process_is_left_while_it_is_written(tmp_path: Path) -> None:
    with files.whole(tmp_path / "a") as temporary:
        temporary.write_bytes(b"new")
        files.sweep([tmp_path])
    assert (tmp_path / "a").read_bytes() == b"new"


def test_only_temporary_files_of_this_folder_are_swept_away(tmp_path: Path) -> None:
    """Their process may have ended long ago and another have its number today, that of this test for instance."""
    (tmp_path / "below").mkdir()
    left = tmp_path / f".a.b.json.{os.getpid()}.tmp"
    others = [tmp_path / name for name in ("a.b.json", ".hidden", ".mine.tmp", "a.json.1.tmp", "below/.a.json.1.tmp")]
    for path in [left, *others]:
        path.write_text("part of a file")
    files.sweep([tmp_path])
    assert not left.exists() and all(path.exists() for path in others)


def test_a_file_that_is_swept_away_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, calls = fcntl.flock, 0

    def flock(file: IO[bytes], how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            files.sweep([tmp_path])
            assert calls == 2 and not [*tmp_path.iterdir()]
        locked(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    files.replace(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"new")] and calls == 3


def test_where_files_cannot_be_locked_they_are_written_and_what_is_left_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: IO[bytes], how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    files.replace(tmp_path / "a", b"new")
    (tmp_path / ".a.1.tmp").write_bytes(b"half")
    files.sweep([tmp_path])
    assert (tmp_path / "a").read_bytes() == b"new" and (tmp_path / ".a.1.tmp").exists()


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
    "files.py": ['.open("a', '.open("w'],  # the temporary files themselves, locked
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

"""How long a look at the source files of a task takes: `python benchmarks/look.py [FILES]`, in folders of 1,000.

Prints the seconds of the CPU for the first look, of a comparison with what was noted, and of one after a copy, for which
contents are read.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from promptatlas.tasks import seen
from promptatlas.tasks.readers import folder

PER_FOLDER = 1000


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        for number in range(count):
            path = Path(place) / "train" / f"class{number // PER_FOLDER}"
            if number % PER_FOLDER == 0:
                path.mkdir(parents=True)
            (path / f"{number}.jpg").write_bytes(b"%d" % number)
        source = {"reader": "folder", "path": place}
        look, first = timed(lambda: folder.look(source, Path(".")))
        note, noting = timed(lambda: seen.noted(look))
        seen.write(Path(place) / ".note.json", {"mark": "", **note})
        found, again = timed(lambda: seen.differences(seen.read(Path(place) / ".note.json"), folder.look(source, Path("."))))
        assert found == ({}, {})
        for one in look.values():
            os.utime(one.path)
        (found, later), copied = timed(lambda: seen.differences(note, folder.look(source, Path("."))))
        assert not found and len(later) == count
    told = {"a look": first, "noting it": noting, "a look and its comparison": again, "with all times new": copied}
    for what, seconds in told.items():
        print(f"{count:,} files, {what}: {seconds:.2f} s")


def timed(act):
    start = time.process_time()
    return act(), time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

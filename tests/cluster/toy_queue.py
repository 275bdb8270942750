"""A queue in one file, as PBS, LSF and SGE look to Snakemake: `submit` prints a number, `status` and `cancel` take one.

    toy_queue.py <folder> submit --cores 1 --gpus 0 --memory 1000 --minutes 60 <job script>
    toy_queue.py <folder> status <number>
    toy_queue.py <folder> cancel <number> ...

Jobs start at once. What was asked for a job is in <folder>/<number>.json, what it said in <number>.log, how it ended in
<number>.end.
"""

import argparse
import json
import os
import signal
import subprocess
from pathlib import Path

ASKED = ("cores", "gpus", "memory", "minutes")


def submit(folder: Path, options: argparse.Namespace) -> None:
    number = first_free(folder)
    about = folder / f"{number}.json"
    with (folder / f"{number}.log").open("w") as log:
        ended = 'sh "$0"; echo $? > "$1.part"; mv "$1.part" "$1"'
        command = ["sh", "-c", ended, options.script, str(folder / f"{number}.end")]
        job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    about.write_text(json.dumps({name: getattr(options, name) for name in ASKED} | {"pid": job.pid}))
    print(number)


def first_free(folder: Path) -> int:
    """A number that nobody has, also where two submit at once; its file is there."""
    number = 1
    while True:
        try:
            (folder / f"{number}.json").touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return number


def status(folder: Path, options: argparse.Namespace) -> None:
    end = folder / f"{options.number}.end"
    print("running" if not end.exists() else "failed" if end.read_text().strip() != "0" else "success")


def cancel(folder: Path, options: argparse.Namespace) -> None:
    for number in options.numbers:
        os.killpg(json.loads((folder / f"{number}.json").read_text())["pid"], signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("submit")
    for name in ASKED:
        one.add_argument(f"--{name}", type=int, required=True)
    one.add_argument("script")
    one.set_defaults(run=submit)
    one = commands.add_parser("status")
    one.add_argument("number")
    one.set_defaults(run=status)
    one = commands.add_parser("cancel")
    one.add_argument("numbers", nargs="+")
    one.set_defaults(run=cancel)
    options = parser.parse_args()
    options.run(options.folder, options)


if __name__ == "__main__":
    main()

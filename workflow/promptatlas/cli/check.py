"""The command `check`: a look at the images of a study, and at what it will take, before anything runs."""

import argparse
import sys
import tempfile
from os import cpu_count
from pathlib import Path
from typing import Any

from promptatlas.cli import configured, forecast
from promptatlas.cli.new import task_of


def add(commands: Any) -> argparse.ArgumentParser:
    """Add it to the parser's commands; the parser, which takes a study's configuration."""
    command = commands.add_parser(
        "check", help="look at the images of a study before it runs: classes, counts, sizes, what cannot be read, copies, time",
        epilog="exit status: 0 nothing is wrong, 1 a task could not be used as it is. Nothing is written",
    )  # fmt: skip
    command.add_argument(
        "images", nargs="*", metavar="[TASK=]FOLDER", help="folders of images, or lists of them (default: the tasks of config.yaml)"
    )
    command.add_argument("--no-time", action="store_true", help="do not measure, in about 20 s, how long the study will take")
    command.set_defaults(run=_check)
    return command


def _check(options: argparse.Namespace) -> int:
    from promptatlas.runs import check_data

    study = None if options.images else configured.study(options)
    asked = check_data.of_study(study) if study else check_data.of_folders(dict(map(task_of, options.images)))
    with tempfile.TemporaryDirectory(prefix="promptatlas-") as scratch:
        found = check_data.look(asked, Path(scratch), cpu_count() or 1, lambda line: print(line, file=sys.stderr))
    for task in found:
        print("\n".join(task.lines()))
    if study:
        embedded = len(study.design.given) - len(found)
        print(f"{embedded} embedded tasks need no look" if embedded else "", end="\n" if embedded else "")
    wrong = sum(bool(task.wrong) for task in found)
    if wrong:
        print(f"{wrong} of {len(found)} tasks could not be used as they are")
    elif study and not options.no_time:
        forecast.tell(study)
    return int(wrong > 0)

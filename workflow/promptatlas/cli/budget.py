"""The commands `sources` and `groups`: what to train when not everything can be, from a finished study or from any matrix."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.cli import analyse, configured


def add(commands: Any) -> list[argparse.ArgumentParser]:
    """Add both to the parser's commands; the two parsers, which take a study's configuration."""
    epilog = "docs/budget.md says how they are chosen and judged"
    few = commands.add_parser("sources", help="say which sources to train when only a few can be, and what that is worth", epilog=epilog)
    few.add_argument("-k", type=int, default=3, metavar="N", help="how many sources (default: 3)")
    few.set_defaults(run=_sources)
    joint = commands.add_parser("groups", help="say which tasks to train jointly, and what that is worth", epilog=epilog)
    joint.add_argument("--largest", type=int, default=4, metavar="N", help="tasks in a group at most (default: 4)")
    joint.add_argument("--most", type=int, metavar="N", help="groups at most (default: any number)")
    joint.set_defaults(run=_groups)
    for command in (few, joint):
        command.add_argument(
            "matrix", nargs="*",
            help="a folder of results, of a study or of `analyse`, or a matrix as `analyse` takes it (default: the study of config.yaml)",
        )  # fmt: skip
        analyse.add_reading(command)
    return [few, joint]


def _sources(options: argparse.Namespace) -> int:
    if options.k < 1:
        raise UserError(f"-k must be at least 1, not {options.k}")
    from promptatlas.analysis.budget import words

    print("\n".join(words.of_sources(_gains(options), options.k)))
    return 0


def _groups(options: argparse.Namespace) -> int:
    for name in ("largest", "most"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UserError(f"--{name} must be at least 1, not {value}")
    from promptatlas.analysis.budget import words

    print("\n".join(words.of_groups(_gains(options), options.largest, options.most)))
    return 0


def _gains(options: argparse.Namespace) -> Sequence[Any]:
    from promptatlas.analysis.budget import gains
    from promptatlas.report import any_matrix

    if not options.matrix:
        return gains.of_folder(configured.study(options).folder)
    if len(options.matrix) == 1 and Path(options.matrix[0]).is_dir():
        return gains.of_folder(Path(options.matrix[0]))
    return gains.of_given(any_matrix.gathered(analyse.named(options.matrix), **analyse.reading(options)))

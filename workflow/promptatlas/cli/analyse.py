"""The command `analyse`: any transfer matrix, with no study around it."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain


def add(commands: Any) -> None:
    """Add it to the parser's commands."""
    command = commands.add_parser(
        "analyse", help="analyse any matrix of scores by source and target, from CSV or Parquet files",
        epilog="docs/matrix.md says what files are read and what comes out",
    )  # fmt: skip
    command.add_argument(
        "matrix", nargs="+",
        help="a long table (source, target, score; if there are: seed, method, protocol, baseline, ceiling, n_test) or a square one; "
        "several are methods, called as the files or by name=file, and those of one name are seeds",
    )  # fmt: skip
    command.add_argument("-o", "--output", type=Path, required=True, help="folder for tables, figures, summary.json and report.html")
    command.add_argument("--similarity", nargs="+", default=[], metavar="[NAME=]FILE", help="similarities of the tasks, larger is closer")
    command.add_argument("--families", type=Path, metavar="FILE", help="a table with the columns task and family")
    add_reading(command)
    command.add_argument("--scale", help="the scale of headlines (default: gain over the baseline, without one the score as given)")
    command.add_argument("--primary", nargs="+", default=[], metavar="NAME", help="similarities whose tests are confirmatory")
    command.add_argument("--permutations", type=int, default=9999, help="for p values (default: 9999)")
    command.set_defaults(run=_analyse)


def add_reading(command: argparse.ArgumentParser) -> None:
    """Options on how a matrix is to be read."""
    command.add_argument("--columns", nargs="+", default=[], metavar="ROLE=NAME", help="columns of a long table, such as source=ft_task")
    command.add_argument("--baseline", metavar="NUMBER|SOURCE", help="what was there before: a number, or a source that is no target")
    command.add_argument("--ceiling", metavar="NUMBER|SOURCE", help="the best that can be: likewise (default for shares: 1)")
    command.add_argument("--unit", choices=("share", "percent", "other"), help="of the scores, where it is not what they look like")
    command.add_argument("--lower-is-better", action="store_true", help="scores are losses or errors")
    command.add_argument("--transpose", action="store_true", help="rows of a square table are targets")


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """The same as arguments of `any_matrix`."""
    names = ("baseline", "ceiling", "unit", "lower_is_better", "transpose")
    return {"columns": _columns(options.columns)} | {name: getattr(options, name) for name in names}


def _analyse(options: argparse.Namespace) -> int:
    from promptatlas.report import any_matrix

    report = any_matrix.analyse(
        named(options.matrix),
        named(options.similarity),
        options.output,
        families_of=options.families,
        scale=options.scale,
        primary=options.primary,
        permutations=options.permutations,
        **reading(options),
    )
    print("\n".join([*report.summary["notes"], *any_matrix.lines(report.summary), str(options.output / "report.html")]))
    return 0


def named(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """Files with their names."""
    return [_named(text) for text in texts]


def _named(text: str) -> tuple[str, Path]:
    """A file with its name, or that of the file."""
    name, path = named_place(text)
    return path.stem if name is None else name, path


def named_place(text: str) -> tuple[str | None, Path]:
    """What stands before the first =, unless something of the whole name is there, and the place of a file or folder."""
    name, sign, path = text.partition("=")
    return (name, Path(path)) if sign and not Path(text).exists() else (None, Path(text))


def _columns(pairs: Sequence[str]) -> Mapping[str, str]:
    columns: dict[str, str] = {}
    for pair in pairs:
        role, sign, name = pair.partition("=")
        if not (sign and role and name):
            raise UserError(f"`--columns` has '{plain(pair)}'; write role=name, such as source=ft_task")
        if role in columns:
            raise UserError(f"`--columns` names the column for '{plain(role)}' twice; name one")
        columns[role] = name
    return columns

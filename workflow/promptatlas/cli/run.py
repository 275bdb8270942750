"""The commands `run` and `snakefile`: a study in any folder, by the workflow that belongs to the library."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from promptatlas.base import place
from promptatlas.base.errors import UserError
from promptatlas.cli import configured
from promptatlas.cli.configured import USUAL

SNAKEMAKE = (sys.executable, "-m", "snakemake")
# One of these says how much may run at once, or names a file that does.
HOW_MUCH = ("-c", "--cores", "-j", "--jobs", "--profile", "--workflow-profile")


def add(commands: Any) -> None:
    """Add both to the parser's commands."""
    command = commands.add_parser(
        "run", help="run the study of the working directory's config.yaml, as `snakemake` does in a checkout",
        allow_abbrev=False, add_help=False,
        epilog="every option is passed on to Snakemake, also one that is not listed here, such as --until tune or --profile",
    )  # fmt: skip
    command.add_argument("--help", "-h", action="help", help="show this and end")
    command.add_argument("-c", "--cores", nargs="?", metavar="N", help="CPU cores to use (default: all)")
    command.add_argument("--dry-run", action="store_true", help="only say what would run")
    command.add_argument(
        "--configfiles", "--configfile", type=Path, nargs="+", dest="configfile", action="extend", default=[], metavar="FILE",
        help="another study's configuration, on top of config.yaml",
    )  # fmt: skip
    command.add_argument("-C", "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE", help="values on top of both")
    command.set_defaults(run=_run, takes_more=True)
    where = commands.add_parser(
        "snakefile", help='print where the workflow is: snakemake --snakefile "$(promptatlas snakefile)"',
    )  # fmt: skip
    where.set_defaults(run=_snakefile)


def _run(options: argparse.Namespace) -> NoReturn:
    if not USUAL.exists() and not options.configfile:
        raise UserError(f"there is no {USUAL} in {Path.cwd()}; `promptatlas new FOLDER` writes one, or name another file with --configfile")
    configured.require_readable([*([USUAL] if USUAL.exists() else []), *options.configfile], options.config)
    for file in options.configfile:
        configured.tell(configured.elsewhere(file, configured.configured(configured.files_of(file))))
    _become(command(options.typed))


def command(given: Sequence[str]) -> list[str]:
    """What runs the study of the working directory with options of Snakemake, on all cores if they do not say how many."""
    cores = [] if _names(given, *HOW_MUCH) else ["--cores", "all"]
    return [*SNAKEMAKE, "--snakefile", str(place.SNAKEFILE), *cores, *given]


def snakemake(arguments: Sequence[str]) -> NoReturn:
    """Snakemake in place of this process."""
    _become([*SNAKEMAKE, *arguments])


def _become(words: list[str]) -> NoReturn:
    """A program in place of this process, so that it alone gets signals and gives the exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, words)


def _names(arguments: Sequence[str], *options: str) -> bool:
    """Whether one of `options` is among them, also with its value in one word: --cores=2, -c2."""
    return any(one.partition("=")[0] in options or one[:2] in options for one in arguments)


def _snakefile(options: argparse.Namespace) -> int:
    print(place.SNAKEFILE)
    return 0

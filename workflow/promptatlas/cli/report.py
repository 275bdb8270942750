"""The command `report`: the page of a study while it runs."""

import argparse
import os
from pathlib import Path
from typing import Any

from promptatlas.cli import configured


def add(commands: Any) -> argparse.ArgumentParser:
    """Add it to the parser's commands."""
    command = commands.add_parser(
        "report", help="write the page of a study that still runs, from what is there now",
        epilog="the page of a finished study is report.html, which Snakemake writes",
    )  # fmt: skip
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where the page goes (default: so_far.html in the study's results)"
    )
    command.add_argument(
        "--watch", action="store_true", help="write it again every minute until all cells are there; a browser reads it again"
    )
    command.set_defaults(run=_report)
    return command


def _report(options: argparse.Namespace) -> int:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # looking takes no device from anybody
    from promptatlas.report import so_far
    from promptatlas.runs.asked import Asked

    study = configured.study(options)
    files = [options.configfile] if options.configfile else []
    asked = Asked.of(files, configured.given_values(options.config))
    path = options.output or study.paths.so_far
    if options.watch:
        so_far.watch(study, path, lambda told: print(told, flush=True), asked=asked)
    else:
        print(so_far.write(study, path, asked=asked).told(study, path))
    return 0

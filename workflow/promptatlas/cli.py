"""The `promptatlas` command: says what of a study is done, and repeats single cells in the field's own words.

Running a study is Snakemake's part; this module only calls it.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

from promptatlas import configuration
from promptatlas.cells import Cell
from promptatlas.errors import UserError
from promptatlas.study import Study


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except UserError as error:
        print(f"promptatlas: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="promptatlas", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")

    status = commands.add_parser("status", help="count what is done, missing and stale")
    status.set_defaults(run=_status)

    rerun = commands.add_parser("rerun", help="measure one cell again, then the tables and figures made from it")
    rerun.add_argument("--method", required=True, help="prompt-learning method, such as coop")
    rerun.add_argument("--source", required=True, help="task whose prompt is applied, or scratch or template")
    rerun.add_argument("--target", required=True, help="task it is applied to")
    rerun.add_argument("--seed", type=int, help="one seed (default: all seeds of the study)")
    rerun.add_argument("--protocol", help="frozen or init (default: all protocols of the study)")
    rerun.add_argument("--cores", default="1", help="processor cores to use")
    rerun.add_argument("--dry-run", action="store_true", help="only say what would run")
    rerun.set_defaults(run=_rerun)

    for command in (status, rerun):
        command.add_argument("--configfile", type=Path, help="another study's configuration, on top of config.yaml")
    return parser


def _study(configfile: Path | None) -> Study:
    config = configuration.load(Path("config.yaml"))
    return Study(config if configfile is None else merged(config, configuration.load(configfile)))


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` on top of `below`, mapping by mapping, as Snakemake merges its configuration files."""
    both = {
        key: merged(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **both}


def _status(options: argparse.Namespace) -> int:
    from promptatlas import status

    study = _study(options.configfile)
    print(status.HEADER)
    for count in status.counts(study):
        print(count)
    return 0


def _rerun(options: argparse.Namespace) -> int:
    study = _study(options.configfile)
    files = [str(study.cell(cell)) for cell in _cells(study, options)]
    command = [sys.executable, "-m", "snakemake", "--cores", options.cores, "--config", f"only={options.source}"]
    command += ["--configfile", str(options.configfile)] if options.configfile else []
    command += ["--dry-run"] if options.dry_run else []
    return subprocess.call([*command, "--forcerun", *files])


def _cells(study: Study, options: argparse.Namespace) -> list[Cell]:
    _known("method", options.method, study.methods)
    _known("source", options.source, study.sources)
    _known("target", options.target, study.tasks)
    seeds = study.seeds if options.seed is None else (options.seed,)
    protocols = study.protocols if options.protocol is None else (options.protocol,)
    _known("seed", str(seeds[0]), list(map(str, study.seeds)))
    _known("protocol", protocols[0], study.protocols)
    if not study.design.measures(options.source, options.target):
        raise UserError(
            f"this study, with `design: {study.design.name}`, does not try the prompt of {options.source} on {options.target}"
        )
    return [
        Cell(protocol, options.method, seed, options.target, options.source) for protocol in protocols for seed in seeds
    ]


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UserError(f"this study has no {kind} `{name}`; {configuration.nearest(name, known)}")

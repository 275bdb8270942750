"""The `promptatlas` command: says what of a study is done, and repeats single cells in the field's own words.

Running a study is Snakemake's part; this module only calls it.
"""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from promptatlas.base import place
from promptatlas.base.errors import INTERRUPTED, NOTHING_LOST, UserError, of_the_disk
from promptatlas.base.messages import counted, plain, suggest
from promptatlas.cli import (
    analyse,
    budget,
    check,
    class_names,
    completion,
    configured,
    forecast,
    models,
    new,
    recommend,
    report,
    run as run_study,
)
from promptatlas.cli.examples import CommandParser
from promptatlas.records.cells import Cell
from promptatlas.runs import asked, data_folders, failures, plugin_changes
from promptatlas.study import configuration
from promptatlas.study.study import Study


def main(arguments: Sequence[str] | None = None) -> None:
    whole, words = parser(), list(sys.argv[1:] if arguments is None else arguments)
    options, more = whole.parse_known_args(words)
    if more and not getattr(options, "takes_more", False):
        whole.error(f"unrecognized arguments: {' '.join(more)}")
    options.typed = words[1:]  # after the name of the command
    with suppress(AttributeError):  # a stand-in of a notebook or a test takes any text
        output: Any = sys.stdout
        output.reconfigure(errors="backslashreplace")  # as stderr does: no name of a file ends the command
    try:
        _require_folder()
        status = options.run(options)
        sys.stdout.flush()
        sys.exit(status)
    except UserError as error:
        print(f"promptatlas: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"promptatlas: {NOTHING_LOST}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # who reads has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if (told := of_the_disk(error)) is None:
            raise
        print(f"promptatlas: {told}", file=sys.stderr)
        sys.exit(1)


def _require_folder() -> None:
    """Where there is none, libraries end in tracebacks and less."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError("the working directory was removed; change to one that is there, also if it is called the same") from None


def parser() -> argparse.ArgumentParser:
    """Of all commands; `run` of what it parses does what is asked and gives the exit status."""
    whole = argparse.ArgumentParser(
        prog="promptatlas", description=__doc__.splitlines()[0], epilog=f"pages called docs/NAME.md: {place.DOCS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a path is not broken into lines
    )  # fmt: skip
    whole.add_argument("--version", action="version", version=f"promptatlas {version('promptatlas')}")
    commands = whole.add_subparsers(required=True, metavar="command", parser_class=CommandParser)

    new.add(commands)
    looked = check.add(commands)
    run_study.add(commands)
    models.add(commands)

    status = commands.add_parser(
        "status", help="count what is done, missing, stale and failed, and say why",
        epilog="exit status: 0 everything is done, 3 something failed, 4 something is stale, 5 something is missing (the first that "
        "holds); 1 it cannot be said, for the reason that is told; 2 the command is not typed as it has to be",
    )  # fmt: skip
    status.add_argument("--matrix", action="store_true", help="show the cells of all methods as matrices")
    status.add_argument("--method", help="only this method, with its matrix")
    status.set_defaults(run=_status)

    rerun = commands.add_parser("rerun", help="measure one cell again, then the tables and figures made from it")
    rerun.add_argument("--method", required=True, help="prompt-learning method, such as coop")
    rerun.add_argument("--source", required=True, help="task whose prompt is applied, or scratch or template")
    rerun.add_argument("--target", required=True, help="task it is applied to")
    rerun.add_argument("--seed", type=int, help="one seed (default: all seeds of the study)")
    rerun.add_argument("--protocol", help="frozen or init (default: all protocols of the study)")
    rerun.add_argument("--cores", default="1", help="CPU cores to use")
    rerun.add_argument("--profile", action="append", help="a profile of Snakemake, such as workflow/profiles/slurm; may be repeated")
    rerun.add_argument("--dry-run", action="store_true", help="only say what would run")
    rerun.set_defaults(run=_rerun)

    compare = commands.add_parser("compare", help="put finished studies with different numbers of images side by side")
    compare.add_argument("studies", type=Path, nargs="+", help="folders of finished studies, such as results/mini")
    compare.add_argument("-o", "--output", type=Path, required=True, help="folder for shots.csv and the figure")
    compare.set_defaults(run=_compare)

    show = commands.add_parser("card", help="what a prompt was trained with")
    show.add_argument("prompt", type=Path, help="a prompt file")
    show.set_defaults(run=_card)

    bring = commands.add_parser("import-prompt", help="make a prompt file of the authors' released checkpoint")
    bring.add_argument("checkpoint", type=Path, help="such as prompt_learner/model.pth.tar-50; for softcpt the run's folder")
    bring.add_argument(
        "--method", required=True,
        help="whose release: coop, cocoop, maple, ivlp, kgcoop, prograd, promptsrc, clip_adapter, softcpt or mvlpt (all its methods)",
    )  # fmt: skip
    bring.add_argument("--backbone", type=Path, required=True, help="folder of the backbone that it was trained with")
    bring.add_argument("-o", "--output", type=Path, required=True, help="the prompt file to write")
    bring.add_argument("--classes", type=Path, help="a text file with the class names that it was trained on, one per line")
    bring.add_argument("--position", help="end, middle or front: the class name's place (default: end, for mvlpt middle)")
    bring.add_argument("--words", help="what the context started from (default: a photo of a; coop: nothing)")
    bring.add_argument("--task", default="", help="name of the task; softcpt makes the context from it")
    bring.add_argument("--task-number", type=int, help="softcpt with task contexts of their own: which task, from 1")
    bring.add_argument(
        "--resize", choices=("crop", "squash"), default="crop",
        help="how images were fitted to the model (default: crop; MVLPT's runs on ELEVATER squash)",
    )  # fmt: skip
    bring.set_defaults(run=_import)

    frozen = commands.add_parser("export-backbone", help="write the folder of a frozen model, as studies do")
    frozen.add_argument("model", help="such as ViT-B-16, as `backbone.model` of a configuration")
    frozen.add_argument("pretrained", help="such as openai, or a file of weights, as `backbone.pretrained`")
    frozen.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    frozen.set_defaults(run=_export)

    coming = commands.add_parser(
        "next", help="say which pairs of tasks a study that is not finished should measure next, to know the best sources soon",
        epilog="docs/budget.md says how they are chosen",
    )  # fmt: skip
    coming.add_argument("--budget", type=int, default=10, metavar="N", help="how many pairs of each method (default: 10)")
    coming.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="write the pairs that are measured and the next ones to a CSV file, for the key `pairs`: snakemake --config pairs=FILE",
    )  # fmt: skip
    coming.set_defaults(run=_next)

    ahead = commands.add_parser("plan", help="say what a study will take, from speeds measured here in about 20 s")
    ahead.add_argument("--gpus", type=int, metavar="N", help="GPUs, or cores without one, that work at once (default: those here)")
    ahead.set_defaults(run=_plan)

    manual = commands.add_parser(
        "settings", help="every setting of every method, those of a study's plugins too: defaults, values, meaning"
    )
    manual.add_argument("--schema", action="store_true", help="the same as a JSON Schema of `methods` and `settings`, for editors")
    manual.set_defaults(run=_settings)

    errors = commands.add_parser("calibrate", help="how often tests and intervals are wrong in made-up studies like yours")
    errors.add_argument(
        "--from", dest="finished", type=Path, metavar="FOLDER", help="a finished study, such as results/mini, whose families to take"
    )
    errors.add_argument("--tasks", type=int, default=20, help="number of tasks without --from (default: 20)")
    errors.add_argument("--families", type=int, default=5, help="number of families of equal size without --from (default: 5)")
    errors.add_argument("--simulations", type=int, default=400, help="made-up studies per case (default: 400)")
    errors.set_defaults(run=_calibrate)

    analyse.add(commands)
    choosing = budget.add(commands)
    recommend.add(commands)
    watched = report.add(commands)

    archive = commands.add_parser("pack", help="put a finished study into one archive for publication")
    archive.add_argument("-o", "--output", type=Path, required=True, help="the archive to write, such as study.tar.gz")
    archive.set_defaults(run=_pack)
    completion.add(commands, whole)

    for command in (looked, status, rerun, coming, ahead, manual, watched, archive, *choosing):
        command.add_argument("--configfile", type=Path, help="another study's configuration, on top of config.yaml")
        command.add_argument(
            "--config", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="values on top of both, as Snakemake takes them"
        )
    return whole


def _status(options: argparse.Namespace) -> int:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # looking takes no device from anybody
    from promptatlas.runs import status, status_lines

    study = configured.study(options)
    if options.method is not None:
        _known("method", options.method, study.every_method)
    found = list(status.states(study, options.method))
    if options.method is None:
        found += status.of_tables(study, found)
    lines = [f"{study.name} in {study.folder}", *status_lines.counts(found), *status_lines.now(study)]
    lines += [*status_lines.remarks(found), *status_lines.reasons(study)]
    if options.matrix or options.method:
        lines += ["", *status_lines.matrices(study, found)]
    print("\n".join(lines))
    wrong = data_folders.wrong(study)
    none = [] if study.folder.exists() else [f"there is no {study.folder.absolute()}: nothing of this study was computed here"]
    configured.tell([*none, *plugin_changes.told(study), *data_folders.remarks(study), *wrong])
    return status_lines.code(found) or (1 if wrong else 0)


def _rerun(options: argparse.Namespace) -> NoReturn:
    study = configured.study(options)
    files = [str(study.paths.cell(cell)) for cell in _cells(study, options)]
    command = [*([] if asked.here() == [*asked.SNAKEMAKE] else ["--snakefile", str(place.SNAKEFILE)]), "--cores", options.cores]
    command += [f"--configfile={options.configfile}"] if options.configfile else []
    command += ["--config", *options.config] if options.config else []
    command += [f"--profile={profile}" for profile in options.profile or []]
    command += ["--dry-run"] if options.dry_run else []
    run_study.snakemake([*command, "--forcerun", *files])


def _next(options: argparse.Namespace) -> int:
    if options.budget < 1:
        raise UserError(f"--budget must be at least 1, not {options.budget}")
    from promptatlas.analysis.budget import of_study
    from promptatlas.base.files import replace

    study = configured.study(options, pairs=None)  # of all pairs, also of those that the last ones left out
    plans = of_study.plans(study, options.budget)
    print("\n".join(of_study.lines(plans)))
    if options.output is not None:
        try:
            replace(options.output, of_study.listed(plans).encode())
        except OSError as error:
            raise UserError(f"{options.output} cannot be written ({error.strerror}); name another file with -o") from None
        file = ["--configfile", str(options.configfile)] if options.configfile else []
        words = [*asked.here(), "--cores", "2", *file, "--config", *(options.config or []), f"pairs={options.output}"]
        print(f"measure them with: {shlex.join(words)}", file=sys.stderr)
    return 0


def _plan(options: argparse.Namespace) -> int:
    if options.gpus is not None and options.gpus < 1:
        raise UserError(f"--gpus must be at least 1, not {options.gpus}")
    study = configured.study(options)
    configured.tell(data_folders.remarks(study))
    if wrong := data_folders.wrong(study):
        configured.tell(wrong[:-1])
        raise wrong[-1]
    forecast.tell(study, options.gpus)
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from promptatlas.analysis.statistics import calibrate
    from promptatlas.base.stage import Stage
    from promptatlas.base.telling import on_screen

    families = calibrate.families_of(options.finished) if options.finished else calibrate.equal_families(options.tasks, options.families)
    if options.simulations < 1:
        raise UserError(f"--simulations must be at least 1, not {options.simulations}")

    def stage(label: str) -> Stage:
        return Stage(label, "studies", on_screen())

    wrong = calibrate.error_rates(families, options.simulations, stage("tests"))
    held = calibrate.coverage(len(families), options.simulations, stage("intervals"))
    print("\n".join(calibrate.lines(wrong, held, families, options.simulations)))
    return 0


def _settings(options: argparse.Namespace) -> int:
    from promptatlas.methods import manual, schema

    configuration.load_plugins(configured.configured(configured.files_of(options.configfile), configured.given_values(options.config)))
    print(schema.text() if options.schema else manual.page(), end="")
    return 0


def _pack(options: argparse.Namespace) -> int:
    from promptatlas.exchange import archive

    study = configured.study(options)
    files = archive.pack(study, options.output)
    print(f"{options.output}: {len(files)} files of {study.name}")
    if failed_results := archive.failed_results(study):
        print(f"{counted(len(failed_results), 'result')} failed and are missing from it; {archive.FAILED} names them:")
        print("\n".join(failures.lines(study, failed_results)))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from promptatlas.analysis.statistics import shots
    from promptatlas.base.files import replace
    from promptatlas.report import figures

    table = shots.table(options.studies)
    configured.tell(filter(None, [shots.mixed(table)]))
    replace(options.output / "shots.csv", table.to_csv(index=False).encode())
    for path in (options.output / "shots.csv", *figures.draw_shots(table, options.output)):
        print(path)
    return 0


def _card(options: argparse.Namespace) -> int:
    from promptatlas.exchange import inference, own_score
    from promptatlas.records import card

    prompt = inference.load_prompt(options.prompt)
    print("\n".join(card.lines(prompt.card | {"test": own_score.own_score(prompt)})))
    return 0


def _import(options: argparse.Namespace) -> int:
    from promptatlas import backbone
    from promptatlas.exchange import releases
    from promptatlas.records import card

    model = backbone.load(options.backbone)
    trained, told = releases.read_release(
        options.checkpoint, options.method, model, options.position, options.words, options.task, options.task_number
    )
    about = card.write(
        method=trained.method,
        settings=told,
        backbone={"name": _model_name(model.architecture), "sha256": model.fingerprint},
        task=options.task or None,
        class_names=class_names.read(options.classes),
        resize=options.resize,
        origin=f"{options.method} checkpoint {options.checkpoint.name}",
    )
    trained.save(options.output, about)
    return _card(argparse.Namespace(prompt=options.output))


def _model_name(architecture: Any) -> str:
    """Without the folders of this machine, as prompts are given away."""
    from promptatlas.backbone import hub, kinds

    model, pretrained = kinds.called(architecture.name), Path(architecture.pretrained).name
    if architecture.name.startswith((kinds.LOCAL, hub.HUB)):
        return model
    return model if pretrained in ("", model) else f"{model}/{pretrained}"


def _export(options: argparse.Namespace) -> int:
    from promptatlas.backbone import export

    export.export(options.model, options.pretrained, options.output)
    return 0


def _cells(study: Study, options: argparse.Namespace) -> list[Cell]:
    _known("method", options.method, study.cell_methods)
    _known("source", options.source, study.sources)
    _known("target", options.target, study.tasks)
    seeds = study.seeds if options.seed is None else (options.seed,)
    protocols = study.protocols if options.protocol is None else (options.protocol,)
    _known("seed", str(seeds[0]), list(map(str, study.seeds)))
    _known("protocol", protocols[0], study.protocols)
    if not study.design.measures(options.source, options.target):
        raise UserError(f"this study, with `design: {study.design.name}`, does not try the prompt of {options.source} on {options.target}")
    where = [protocol for protocol in protocols if study.has_cells(protocol, options.method, options.source, options.target)]
    if not where:
        raise UserError(f"{study.config['pairs']}, under `pairs`, does not list {options.source} and {options.target} for {options.method}")
    return [Cell(protocol, options.method, seed, options.target, options.source) for protocol in where for seed in seeds]


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UserError(f"this study has no {kind} `{plain(name)}`; {suggest(name, sorted(known), mark='`')}")

"""What the workflow asks of a study: is it sound, which results are to be computed anew, and is nobody else working on it.

Knows of Snakemake only that it is the one who asks.
"""

import atexit
import fcntl
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from promptatlas.base import place, running
from promptatlas.base.errors import INTERRUPTED, NOTHING_LOST, UserError, of_the_disk
from promptatlas.base.files import sweep
from promptatlas.base.messages import counted
from promptatlas.runs import changes, damage, data_folders, failures, plugin_changes
from promptatlas.runs.asked import Asked
from promptatlas.runs.variables import DETERMINISTIC, FORCED, LOOKS
from promptatlas.study import memory, relative_folders
from promptatlas.study.jobs import ComputeJob
from promptatlas.study.study import Study

FETCHED, BACKBONE, DAMAGED = "@fetched", "@backbone", "@damaged"  # no task is called so
FEW = 5
_locks: list[Any] = []
_interrupted: list[bool] = []
_concluded: list[bool] = []


def plan(config: dict[str, Any], files: Iterable[str | Path] = ()) -> Study:
    """The study that `config` describes; a user's mistake ends the process with one sentence and status 1.

    files: those that `config` was made from, each on top of the one before. Relative folders in `config` change into what the
    working directory sees: it is what jobs get.
    """
    wrong: list[UserError] = []
    try:
        placed, wrong = relative_folders.counted(config, [Path(file) for file in files if Path(file).exists()])
        config.update(placed)
        study = Study(config)
    except UserError as error:
        wrong = wrong or [error]  # what is not in its place may be why the rest is wrong
    end_if_any(wrong)
    return study


def look_less_for_garbage() -> None:
    """What Snakemake makes of a study stays until its end: to look through it for what is no longer used took an eighth of
    the time of planning 31,000 cells."""
    gc.set_threshold(200_000, 50, 100)


def remember(files: Iterable[Path], values: Mapping[str, Any], snakefile: str) -> None:
    """How this run was asked for, which its page tells: configuration files, values on top of them, and the Snakefile."""
    Asked.of(files, values, snakefile).note()


def require_data(study: Study) -> None:
    """Every folder that is not there, or holds something else than images by class, is told in a sentence, and nothing runs."""
    end_if_any(data_folders.wrong(study))


def end_if_any(wrong: Sequence[UserError]) -> None:
    for error in wrong[:-1]:
        print(f"promptatlas: {error}", file=sys.stderr)
    if wrong:
        end(wrong[-1])


def looks(study: Study, first: bool, dry: bool) -> dict[str, Path]:
    """By task, for what is fetched and for the backbone, the file that stands for a look at its sources: one that is not there yet when
    anything differs. `first` looks, says what differs, and hands on to the processes of jobs what it saw.
    """
    if not first and LOOKS in os.environ:
        marks = json.loads(os.environ[LOOKS])
    else:
        found = changes.of_tasks(study)
        backbone = changes.of_backbone(study)
        marks = {task: change.mark for task, change in found.items()} | {FETCHED: changes.of_fetched(study)}
        marks |= {} if changes.backbone_is_given(study) else {BACKBONE: backbone.mark}
        os.environ[LOOKS] = json.dumps(marks)
        if first:
            lines = [f"the backbone is made again, because of {', '.join(backbone.told)}"] if backbone.inputs else []
            for line in lines + changes.told(study, found):
                print(f"{study.name}: {line}", file=sys.stderr)
        if first and not dry:
            with suppress(OSError):  # a folder that may not be written; `announce` says so
                changes.refresh(study, found, backbone)
    return {name: study.paths.look(name, mark) for name, mark in marks.items()}


def mended(study: Study, dry: bool) -> set[Path]:
    """Say which files are damaged and move them out of the way, so that they are missing. A dry run moves nothing and gets them."""
    damaged = damage.found(study)
    if damaged:
        told = f"damaged, and counted as missing: {damage.named(study, damaged)}"
        if not dry and not _is_busy(study):
            with suppress(OSError):  # a folder that may not be written; `announce` says so
                damage.set_aside(study, damaged)
                told += f"; they are kept in {damage.place(study, study.folder)}"
        print(f"{study.name}: {told}", file=sys.stderr)
    return {*damaged, *failures.incomplete(study), *_said_otherwise(study)} if dry else set()


def again(study: Study, damaged: set[Path], files: Iterable[Path]) -> list[Path]:
    """A file that is not there, if any of the `files` of a rule is damaged: whoever needs it is to run."""
    return [study.paths.look(DAMAGED, "0")] if not damaged.isdisjoint(files) else []


def missing(job: ComputeJob) -> list[Path]:
    """Results of a job that are not there though its first one is."""
    first, *others = job.outputs
    return [path for path in others if not path.exists()] if first.exists() else []


def announce(study: Study, damaged: Iterable[Path] = ()) -> None:
    """Say which results do not exist yet, also in a dry run; whether existing ones still hold is for their jobs to find out."""
    everything = {"prompts": study.all_prompts, "cells": study.all_cells, "tries": study.all_tries, "scores": study.score_records}
    failed = {one.path for one in failures.listed(study)}
    gone = failed.union(damaged)
    for kind, files in ((kind, files) for kind, files in everything.items() if files):
        missing = [path for path in files if path in gone or not path.exists()]
        names = ": " + ", ".join(str(path.relative_to(study.folder)) for path in missing) if 0 < len(missing) <= FEW else ""
        print(f"{study.name}: {len(missing)} of {len(files)} {kind} are missing{names}", file=sys.stderr)
    if failed:
        print(f"{study.name}: {counted(len(failed), 'result')} failed earlier, missing now", file=sys.stderr)
    for remark in (*plugin_changes.told(study), *data_folders.remarks(study)):
        print(f"{study.name}: {remark}", file=sys.stderr)
    if study.config["draw"] == "elevater" and study.shots == 1:
        told = "the only image per class is also the one that validates, as in MVLPT's code; with `draw: coop` others do"
        print(f"{study.name}: `draw: elevater` with `shots: 1`: {told}", file=sys.stderr)
    if study.folder.exists() and not os.access(study.folder, os.W_OK):
        told = f"{study.folder} may not be written; make it writable or set `results` to another folder"
        print(f"promptatlas: {told}", file=sys.stderr)


def reclaim(study: Study) -> None:
    """Before Snakemake looks which files there are: what failed in an earlier run is missing, however that run ended, and so is a record
    of another configuration, of which Snakemake knows nothing in a copied folder.

    Not while a run is at work, whose jobs go on from their failed results.
    """
    failed, otherwise = failures.listed(study), _said_otherwise(study)
    if (failed or otherwise) and not _is_busy(study):
        with suppress(OSError):  # a folder that may not be written; `announce` says so
            for path in (*failures.incomplete(study), *otherwise):
                path.unlink(missing_ok=True)
            failures.withdraw(failed)


def _said_otherwise(study: Study) -> list[Path]:
    """The record of the configuration, if tables were made with another one."""
    return [study.paths.resolved_config] if changes.of_configuration(study) else []


def begin(study: Study, forced: Iterable[str], everything: bool) -> None:
    """Before the first job: lock the study, sweep away what a killed run left half written, and hand on which files, jobs and stages
    are to be computed anew, or that all are.

    A job in a conda environment of its own finds the library by PYTHONPATH.
    """
    lock(study)
    sweep(Path(folder) for folder, _, _ in os.walk(study.folder))
    running.forget_killed(study.paths.log("any").parent)
    _on_interrupt(_stop)
    library = str(place.PACKAGE.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
    os.environ[FORCED] = json.dumps(["*"] if everything else sorted(map(os.path.normpath, of_stages(study, forced))))
    os.environ[DETERMINISTIC] = "1" if study.config["deterministic"] else ""
    if study.config["deterministic"]:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # asked for by CUDA's matrix products


def listen() -> None:
    """From now on Ctrl-C ends the run in one sentence, with status 130; before the first job at once."""
    _on_interrupt(_leave)


def _on_interrupt(end: Callable[..., NoReturn]) -> None:
    """A run in the background of a script is not meant by Ctrl-C: it ignores it from its start, and goes on to."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)


def _leave(*_: object) -> NoReturn:
    atexit.unregister(_point_to_report)
    _end(NOTHING_LOST, INTERRUPTED)


def _stop(*_: object) -> NoReturn:
    """While jobs run, Snakemake waits for them to end and then calls `abandon`."""
    _interrupted.append(True)
    raise KeyboardInterrupt


def first_page(study: Study) -> list[Path]:
    """The page that a run makes once the first of several matrices is there, of a study that has no report yet."""
    return [] if study.paths.report.exists() else study.first_page


def conclude(study: Study) -> None:
    """After the last job: what failed in this run or an earlier one, and status 1 if anything did."""
    _concluded.append(True)
    _replace_early_page(study)
    failed = failures.listed(study)
    if failed:
        failures.withdraw(failed)
        print("\n".join(failures.lines(study, failed)), file=sys.stderr)
        end(
            UserError(
                f"{counted(len(failed), 'result')} of {study.name} failed for the reasons above, everything else is kept; the same command "
                "tries them again, `promptatlas status` shows where they are"
            )
        )


def _replace_early_page(study: Study) -> None:
    """By the report, which shows more, unless somebody has asked for a page since."""
    with suppress(OSError):
        if study.paths.so_far.stat().st_mtime < study.paths.report.stat().st_mtime:
            study.paths.so_far.unlink()


def abandon(study: Study) -> None:
    """After a job that stopped: no report is pointed to, the one that is there may be of an earlier run."""
    atexit.unregister(_point_to_report)
    if _interrupted:
        _leave()
    conclude(study)


def end_with_report(study: Study, nothing_to_do: Callable[[], bool]) -> None:
    """The last line of a run that ends well is the place of its report, also of one that has nothing to do and calls no hook."""
    atexit.register(_point_to_report, study, nothing_to_do)


def _point_to_report(study: Study, nothing_to_do: Callable[[], bool]) -> None:
    """Of a run that ended in an error nobody may know here, the report may be an earlier one's."""
    with suppress(FileNotFoundError):
        if not (_concluded or nothing_to_do()):
            return
        written = study.paths.report.stat().st_mtime
        if all(path.stat().st_mtime <= written for path in study.tables):
            print(f"{study.name}: the report is {study.paths.report}", file=sys.stderr)


def resources(study: Study, stage: str, runs_model: bool = False, job: ComputeJob | None = None) -> dict[str, Any]:
    """What a job asks of a cluster, or of `--resources` on one machine: a repeated one asks for more memory and time.

    job: asks for more memory than the configuration says if its tasks' sizes call for it, unless that is said of its stage.
    """
    asked = study.asked(stage)

    def memory_mib(wildcards: object, attempt: int) -> int:
        said = "memory_mib" in study.config["resources"].get(stage, {})
        called_for = 0 if said or job is None else memory.host_mib(study, job, study.jobs.sizes)
        return attempt * max(asked["memory_mib"], called_for)

    return {
        "gpu": asked.get("gpus", study.gpus if runs_model else 0),
        "mem_mib": memory_mib,
        "runtime": lambda wildcards, attempt: attempt * asked["minutes"],
    }


def for_stages(study: Study, given: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake was told by the name of a rule, where the name of a stage stands for all its jobs; what names a job comes first."""
    told = {job.name: given[job.stage] for job in study.jobs.compute if job.stage in given}
    return told | {name: value for name, value in given.items() if name not in study.jobs.stages}


def of_stages(study: Study, given: Iterable[str]) -> frozenset[str]:
    """Names of rules and files that Snakemake was given, where that of a stage stands for all its jobs."""
    stages = study.jobs.stages
    return frozenset(one for name in given for one in ([job.name for job in stages[name]] if name in stages else [name]))


def forced(study: Study, job: str, files: Iterable[Path]) -> set[Path]:
    """Which of a job's `files` are to be computed anew: all if the job was named, else those that were named.

    With `only` in the configuration just those of that source.
    """
    named, only = {*json.loads(os.environ.get(FORCED) or "[]")}, study.config["only"]
    return {path for path in files if named & {"*", job, os.path.normpath(path)} and only in (None, path.stem)}


def lock(study: Study) -> None:
    """Make sure that this process alone works on the study, until it ends in whatever way."""
    try:
        study.folder.mkdir(parents=True, exist_ok=True)
        file = (study.folder / ".lock").open("w")
    except OSError as error:
        _turn_away(of_the_disk(error) or UserError(f"{study.folder} cannot be written ({error.strerror}); set `results` to another folder"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _turn_away(UserError(f"another run is working on {study.folder}; wait for it to end or stop it, then run again"))
    except OSError:
        print(
            f"promptatlas: {study.folder} cannot be locked on this file system; do not run it twice at once",
            file=sys.stderr,
        )
    _locks.append(file)


def _is_busy(study: Study) -> bool:
    """Whether another process holds the lock of the study; where files cannot be locked, `lock` says what that means."""
    try:
        with (study.folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _turn_away(error: UserError) -> NoReturn:
    """The end of a run that never began."""
    atexit.unregister(_point_to_report)
    end(error)


def end(error: UserError) -> NoReturn:
    _end(str(error), 1)


def _end(told: str, status: int) -> NoReturn:
    print(f"promptatlas: {told}", file=sys.stderr)
    sys.exit(status)

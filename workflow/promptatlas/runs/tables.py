"""From finished cells, prompts and tasks to tidy tables.

What could not be computed has a row without a score; the column `failed` says why. Where a study is not finished, `there` says which
of its files there are: what another would hold has no row.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError, safe_open

from promptatlas.base.errors import Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import require_known
from promptatlas.base.progress import Say
from promptatlas.evaluation import doubts
from promptatlas.records import cells, probe_file, score
from promptatlas.runs import one_precision
from promptatlas.runs.attempts import apart
from promptatlas.runs.comparable import indistinct
from promptatlas.runs.largest_class import beats, records, sentence
from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.study.protocols import FROZEN, SCRATCH
from promptatlas.study.study import Study
from promptatlas.tasks import base_new, metrics, overlaps
from promptatlas.tasks.prepared import SPLITS, PreparedTask

BEATS = "beats_largest_class"
TRANSFER = [
    "study", "backbone", "protocol", "method", "source", "target", "seed", "shots", "metric", "score", "chance", "n_test",
    "seconds", "peak_mib", "fingerprint", "failed", BEATS,
]  # fmt: skip
BASELINES = ["study", "backbone", "method", "target", "seed", "shots", "metric", "score", "failed"]
METHODS = ["method", "task", "seed", "shots", "metric", "score", "chance"]
JOINT = [
    "study", "backbone", "method", "source", "adaptation", "task", "seed", "group", "classes", "shots", "metric", "score", "chance",
    "failed",
]  # fmt: skip
TUNING = ["method", "task", "seed", "epoch", "loss", "learning_rate", "validation_score"]
WHOLE = {"failed": ""}
NOT_YET = "the task is not prepared yet"
There = Callable[[Path], bool]
TASKS = [
    "task", "title", "family", "metric", "classes", "n_train", "n_validation", "n_test", "chance", "largest_class", "zero_shot",
    "zero_shot_expected", "zero_shot_reference", "shots_min", "shots_max", "skipped", "split_source", "licence", "citation",
    "drawn", "labelled", "multitask_source", "notes", "failed",
]  # fmt: skip


def finished(_: Path) -> bool:
    """Of a study that is finished every file is there, or reading it says that it is not."""
    return True


def collect(study: Study) -> None:
    """Write the table `transfer`."""
    save(transfer_table(study), study.paths.table("transfer"))


def find_shared_images(study: Study, say: Say) -> None:
    """Write the table `shared_images`, and say what is in it."""
    tasks = {}
    for name in study.tasks:
        with suppress(Failed):
            tasks[name] = PreparedTask.open(study.paths.task_folder(name))
    shared = overlaps.overlaps(tasks)
    for name in tasks:
        for note in overlaps.notes(shared, name):
            say(f"task {name} {note}")
    save(shared, study.paths.table("shared_images"))


def describe(study: Study, transfer: pd.DataFrame, shared: pd.DataFrame, say: Say) -> None:
    """Write the tables `baselines`, `methods`, `tuning` and `tasks`, and the resolved configuration; say where no prompt beats
    always answering the largest class."""
    baselines = baselines_table(study, transfer)
    save(baselines, study.paths.table("baselines"))
    as_long = {method: one for one in reversed(study.protocols) for method in study.methods if study.starts_from_targets(one, method)}
    save(methods_table(transfer, baselines, as_long), study.paths.table("methods"))
    save(tuning_table(study), study.paths.table("tuning"))
    tasks = tasks_table(study, transfer, shared)
    for one in records(transfer, tasks):
        if one["none_above"]:
            say(f"task {one['task']}: {sentence(one)}")
    for name, told in _swapped(tasks).items():
        say(f"task {name}: {told}")
    save(tasks, study.paths.table("tasks"))
    replace(study.paths.resolved_config, (json.dumps(study.description, indent=1) + "\n").encode())


def transfer_table(study: Study, there: There = finished) -> pd.DataFrame:
    """One row per cell, calibration rows included, in the order of protocol, method, seed, target and source.

    beats_largest_class: whether the score is above that of always answering the largest class, empty without a score."""
    # A kept cell may have been measured under another name, or for another number of shots on which it does not depend.
    now = {"study": study.name, "backbone": study.backbone.name, "shots": study.shots}
    placed = ((study.paths.cell(cell), cell) for cell in sorted(study.cells))
    rows = (WHOLE | one_precision.required(study, path, cells.read_own(path, cell)) | now for path, cell in placed if there(path))
    table = _numbers(_frame(rows, TRANSFER[:-1]))
    blind = table["target"].map(_largest_classes(study)).astype(float)
    return table.assign(**{BEATS: beats(table["score"], blind)})


def _largest_classes(study: Study) -> dict[str, float]:
    """By task what always answering its largest class scores; NaN for one that could not be prepared, or whose metric fails."""
    found = apart(partial(_largest_class, study), study.tasks).sound
    return {name: found.get(name, float("nan")) for name in study.tasks}


def _largest_class(study: Study, name: str) -> float:
    prepared = PreparedTask.open(study.paths.task_folder(name))
    return metrics.largest_class(prepared.task.metric, prepared.labels("test"), len(prepared.task.class_names))


def baselines_table(study: Study, transfer: pd.DataFrame, there: There = finished) -> pd.DataFrame:
    """What a target's score is compared with: guessing, always answering the largest class, the zero-shot prompt without
    any training, a linear probe, and the methods that have no place in the matrix."""
    targets = transfer.drop_duplicates("target")
    chance = _blind(targets, "chance", _by_target(transfer, "chance"))
    template = transfer[(transfer["source"] == "template") & transfer["score"].notna()]
    blind = _blind(targets, LARGEST_CLASS, _largest_classes(study))
    untrained = pd.concat([chance, blind, template.drop_duplicates("target").assign(method="zero_shot")]).assign(seed=pd.NA, shots=0)
    about = targets.set_index("target")[["study", "backbone", "metric"]]
    probes = [
        {**WHOLE, **about.loc[name], "method": "linear_probe", "target": name, "shots": study.shots, **probe}
        for name in study.learners
        if name in about.index and there(study.paths.probe(name))
        for probe in probe_file.read_probes(study.paths.probe(name))["probes"]
    ]
    others = [
        {**WHOLE, **_score(study, path), "study": study.name, "backbone": study.backbone.name, "shots": study.shots}
        for path in study.score_records
        if there(path)
    ]
    measured = _numbers(_frame([*probes, *others], BASELINES))
    table = pd.concat([untrained[BASELINES], measured]).astype({"seed": "Int64"})
    return table.sort_values(["method", "target", "seed"], ignore_index=True)


def _score(study: Study, path: Path) -> dict[str, Any]:
    return one_precision.required(study, path, score.read(path))


def _blind(targets: pd.DataFrame, method: str, by_target: Mapping[str, float]) -> pd.DataFrame:
    """Rows of what looks at no image; of a target that has no such score the reason is that of its first cell."""
    score = targets["target"].map(by_target).astype(float)
    return targets.assign(method=method, score=score, failed=targets["failed"].where(score.isna(), ""))


def methods_table(transfer: pd.DataFrame, baselines: pd.DataFrame, as_long: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row per method, task and seed, from the tables `transfer` and `baselines`; zero-shot has no seed.

    A prompt counts on the task it was trained on, as it is: the diagonal of protocol `frozen`. A study without that
    protocol has the same prompts as `scratch` for the methods that a protocol tunes on targets as long: `as_long`, method -> protocol.
    """
    own = (transfer["protocol"] == FROZEN.name) & (transfer["source"] == transfer["target"])
    if not own.any():
        own = (transfer["source"] == SCRATCH) & (transfer["protocol"] == transfer["method"].map(as_long or {}))
    others = baselines[~baselines["method"].isin(("chance", LARGEST_CLASS))]
    table = pd.concat([transfer[own].astype({"seed": "Int64"}), others])
    table["chance"] = table["target"].map(_by_target(transfer, "chance"))
    table = table.rename(columns={"target": "task"})[METHODS].astype({"seed": "Int64"})
    return table.sort_values(METHODS[:3], ignore_index=True)


def joint_table(study: Study) -> pd.DataFrame:
    """One row per method, task, seed, source and adaptation: a prompt of the task's own or of its group, tuned from scratch or
    from the multitask source (MVLPT, Table 2). Scores that there cannot be have no row."""
    about = {"study": study.name, "backbone": study.backbone.name, "shots": study.shots, "classes": study.multitask.options["classes"]}
    rows = [
        WHOLE | content | about | {"task": content["target"]}
        for job in study.jobs.joint
        for path in job.outputs
        for content in [_score(study, path)]
        if not score.is_absent(content)
    ]
    return _numbers(_frame(rows, JOINT)).sort_values(["method", "source", "adaptation", "task", "seed"], ignore_index=True)


def tuning_table(study: Study, there: There = finished) -> pd.DataFrame:
    """One row per method, task, seed and epoch."""
    rows = (
        {"method": job.method, "task": task, "seed": seed, **epoch}
        for job in study.jobs.tune
        for task in job.tasks
        for seed in job.seeds
        if there(path := study.paths.prompt(job.method, seed, task))
        for epoch in _history(study, path)
    )
    return _frame(rows, TUNING).sort_values(TUNING[:4], ignore_index=True)


def _history(study: Study, path: Path) -> list[dict[str, Any]]:
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata()
        require_known(about, path)
        one_precision.required(study, path, {"parts": json.loads(about.get("parts", "{}"))})
        return json.loads(about.get("history", "[]"))
    except (OSError, SafetensorError, AttributeError, TypeError, ValueError):
        raise UserError(f"the prompt {path} is missing or corrupt; delete the file and run again to tune it anew") from None


def tasks_table(study: Study, transfer: pd.DataFrame, shared: pd.DataFrame, there: There = finished) -> pd.DataFrame:
    """One row per task, in the order of the configuration. multitask_source: whether a prompt of many tasks was tuned on its images;
    notes: what is odd about its data, images among them that other tasks have too (the table `shared_images`)."""
    chance = _by_target(transfer, "chance")
    zero_shot = _by_target(transfer[transfer["source"] == "template"], "score")
    pooled = study.multitask.tasks() if study.multitask.row else ()
    blind = _largest_classes(study)
    measured = (
        {
            "chance": chance.get(name, float("nan")),
            LARGEST_CLASS: blind[name],
            "zero_shot": zero_shot.get(name, float("nan")),
            "multitask_source": name in pooled,
        }
        for name in study.tasks
    )
    rows = (_task_row(study, name, there) | _published(study, name) | own for name, own in zip(study.tasks, measured, strict=True))
    tasks = _noted(_frame(rows, TASKS), transfer, shared)
    encoded = [name for name in study.tasks if there(study.paths.encoded(name))]
    return _doubted(tasks, {name: indistinct(study, name) for name in encoded}, _swapped(tasks))


def _swapped(tasks: pd.DataFrame) -> dict[str, str]:
    """By task what its zero-shot score says of its labels, where it says anything."""
    said = {row.task: doubts.swapped(row.metric, row.zero_shot, row.chance, row.n_test) for row in tasks.itertuples()}
    return {name: told for name, told in said.items() if told}


def _doubted(tasks: pd.DataFrame, *by_task: Mapping[str, str]) -> pd.DataFrame:
    """The table with notes also of what the model's answers suggest."""
    more = {name: [said[name] for said in by_task if said.get(name)] for name in tasks["task"]}
    return tasks.assign(
        notes=["; ".join(filter(None, (own, *more[name]))) for name, own in zip(tasks["task"], tasks["notes"], strict=True)]
    )


def _task_row(study: Study, name: str, there: There) -> dict[str, Any]:
    """What is known of a task before anything is measured: of one that could not be prepared its name and why."""
    try:
        if not there(study.paths.task_folder(name) / "task.json"):
            raise Failed(NOT_YET)
        prepared = PreparedTask.open(study.paths.task_folder(name))
    except Failed as why:
        texts = dict.fromkeys(("family", "metric", "split_source", "drawn", "labelled", "notes"), "")
        numbers = dict.fromkeys(("classes", "n_train", "n_validation", "n_test", "shots_min", "shots_max", "skipped"), 0)
        whole, part = base_new.whole_of(name), base_new.subset_of(name)
        title = f"{whole}, {part} classes" if part else whole
        return {"task": name, "title": title, **texts, **numbers, "failed": str(why)}
    places = [study.paths.draw(name, seed) for seed in study.seeds if name in study.learners]
    task, drawn = prepared.task, [path for path in places if there(path)]
    shots = [count for path in drawn for count in json.loads(path.read_text()).get("shots_per_class", ())] or [0]
    return {
        "task": name,
        **{key: getattr(task, key) for key in ("title", "family", "metric", "split_source")},
        "classes": len(task.class_names),
        **{f"n_{split}": len(prepared.pool_labels(split)) - len(prepared.skipped(split)) for split in ("train", "validation")},
        "n_test": len(prepared.labels("test")),
        "shots_min": min(shots),
        "shots_max": max(shots),
        "skipped": sum(len(prepared.skipped(split)) for split in SPLITS),
        **{key: ";".join(getattr(task, key)) for key in ("drawn", "labelled")},
        "notes": "; ".join(prepared.notes),
        **WHOLE,
    }


def _noted(tasks: pd.DataFrame, transfer: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """The table with notes also of what is only known when all tasks are prepared, and measured."""
    said = dict(zip(tasks["task"], tasks["notes"], strict=True))
    found = [one for one in records(transfer, tasks) if one["none_above"]]
    blind = {one["task"]: sentence(one | {"remedy": ""} if one["remedy"] in said[one["task"]] else one) for one in found}
    more = {name: filter(None, (*overlaps.notes(shared, name), blind.get(name))) for name in tasks["task"]}
    notes = ["; ".join(filter(None, (own, *more[name]))) for name, own in zip(tasks["task"], tasks["notes"], strict=True)]
    return tasks.assign(notes=notes)


def _published(study: Study, name: str) -> dict[str, Any]:
    """What others say of a task: its licence, whom to cite, and the zero-shot score of these weights."""
    if study.data.is_embedded(name):
        return {"licence": "", "citation": "", "zero_shot_expected": float("nan"), "zero_shot_reference": ""}
    entry = study.data.entry(base_new.whole_of(name))
    known = {} if base_new.subset_of(name) or not study.ensemble else entry.expected_zero_shot
    expected = known.get(study.backbone.weights, {"score": float("nan"), "source": ""})
    return {
        "licence": entry.licence,
        "citation": entry.citation,
        "zero_shot_expected": expected["score"],
        "zero_shot_reference": expected["source"],
    }


def _by_target(transfer: pd.DataFrame, column: str) -> pd.Series:
    """The first value of each target that is there, NaN if none is."""
    return transfer.groupby("target")[column].first()


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """A column that nothing was measured for is one of numbers all the same."""
    return table.astype({name: float for name in ("score", "chance") if name in table})


def _frame(rows: Iterable[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=columns)


def save(table: pd.DataFrame, paths: Iterable[Path]) -> None:
    """Write `table` as parquet and, for people, as csv."""
    for path in map(Path, paths):
        content = table.to_parquet(index=False) if path.suffix == ".parquet" else table.to_csv(index=False).encode()
        replace(path, content)

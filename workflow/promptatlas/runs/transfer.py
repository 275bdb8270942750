"""The job that fills cells: finds those that are missing or stale and measures them, target by target, sources together.

A cell that cannot be measured is recorded as failed; the others are measured all the same. Knows nothing of how a prompt is evaluated
or tuned.
"""

import base64
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas import backbone
from promptatlas.backbone import Backbone, feature_file
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.evaluate import Evaluation
from promptatlas.records import cells
from promptatlas.records.cells import Cell, digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt
from promptatlas.runs import devices, session
from promptatlas.runs.attempts import each
from promptatlas.runs.failures import Holes
from promptatlas.runs.prepare import classes, drawn, metric_of, opened
from promptatlas.runs.tune import PRECISION
from promptatlas.study.jobs import TransferJob
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import single_task


def fill(study: Study, job: TransferJob, threads: int, say: Say) -> None:
    """Measure the cells of `job`. Those whose fingerprint holds are kept, except the forced ones."""
    forced = session.forced(study, job.name, job.outputs)
    work = Transfer(study, job, backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads)))
    holes, marks = Holes(study, job, say), {}
    for cell in job.cells():
        try:
            marks[cell] = work.parts(cell)
        except Failed as failed:
            work.fail(holes, cell, failed)
    found = {cell: cells.read(study.paths.cell(cell)) for cell in marks if study.paths.cell(cell).exists()}
    wanted = {
        target: [
            cell for cell in marks
            if cell.target == target
            and (study.paths.cell(cell) in forced or cell not in found or not cells.holds(found[cell], fingerprint(marks[cell])))
        ]
        for target in job.targets
    }  # fmt: skip
    wanted = {target: some for target, some in wanted.items() if some}
    label = f"transfer {job.protocol} {job.method}"
    say(f"{label}: {sum(map(len, wanted.values()))} of {len(marks)} cells to measure")
    progress = Progress(label, len(wanted), "targets", say)
    for target, some in wanted.items():
        fresh = [cell for cell in some if study.paths.cell(cell) in forced or not _resumed(study, cell, marks[cell])]
        for batch in work.batches(fresh):
            for cell, content in zip(batch, each(partial(work.measure, target), batch), strict=True):
                if isinstance(content, Failed):
                    work.fail(holes, cell, content)
                    continue
                content |= {"fingerprint": fingerprint(marks[cell]), "parts": marks[cell]}
                cells.write(study.paths.resume(content["fingerprint"], "json"), content)
                cells.write(study.paths.cell(cell), content)
        progress.step(target)
    for parts in marks.values():
        study.paths.resume(fingerprint(parts), "json").unlink(missing_ok=True)
    holes.settle()


def _resumed(study: Study, cell: Cell, parts: dict[str, str]) -> bool:
    """Take over what an interrupted job had already measured; another job may take the record away meanwhile."""
    try:
        content = cells.read(study.paths.resume(fingerprint(parts), "json"))
    except UserError:
        return False
    cells.write(study.paths.cell(cell), content | cell.address())
    return True


def prompt_file(study: Study, cell: Cell) -> Path | None:
    """Where the prompt is that a cell applies or starts from; None if it is not learned."""
    if cell.source == "template" or (cell.source == "scratch" and (cell.protocol == "frozen" or study.tunes(cell))):
        return None
    if cell.source == study.multitask.row:
        return study.paths.multitask_source(cell.method, cell.seed, cell.target)
    return study.paths.prompt(cell.method, cell.seed, cell.target if cell.source == "scratch" else cell.source)


class Transfer:
    """The backbone, tasks and prompts that the cells of one job share."""

    def __init__(self, study: Study, job: TransferJob, model: Backbone):
        self.study, self.job, self.model = study, job, model
        self.settings, self.init_settings = study.settings(job.method), study.init_settings(job.method)
        self.tasks, self.draws = opened(study), drawn(study)
        self.prompts: dict[Path, LearnedPrompt] = {}
        seeds = job.seeds if "scratch" in job.sources else ()
        self.scratch = {seed: single_task.scratch(self.model, job.method, self.settings, seed) for seed in seeds}

    def parts(self, cell: Cell) -> dict[str, str]:
        """Everything that determines the number in a cell, by name."""
        task = self.tasks[cell.target]
        parts = {
            "backbone": self.model.fingerprint,
            "data_test": task.fingerprint("test"),
            "classes": classes(task),
            "metric": task.task.metric,
            "precision": PRECISION,
            "numerics": str(NUMERICS_VERSION),
        }
        if cell.source == "template":
            return {**parts, "prompt": self.study.sentences}
        settings = self.init_settings if self.study.tunes(cell) else self.settings
        parts |= {"method": cell.method, "settings": digest(settings)}
        if not self.study.tunes(cell):
            return {**parts, "prompt": self.prompt(cell).fingerprint()}
        drawn = self.draws[cell.target, cell.seed]
        return {
            **parts,
            "start": self.prompt(cell).parameter_fingerprint(),
            "seed": str(cell.seed),
            "draw": drawn.sha256,
            "data_train": task.fingerprint("train", drawn.train),
            "data_validation": task.fingerprint(drawn.validation_split, drawn.validation),
        }

    def prompt(self, cell: Cell) -> LearnedPrompt:
        """The prompt that a cell applies or, with `init`, starts from."""
        path = prompt_file(self.study, cell)
        if path is None:
            return self.scratch[cell.seed]
        if path not in self.prompts:
            try:
                self.prompts[path] = LearnedPrompt.load(path)[0]
            except Failed as failed:
                raise Failed(f"source prompt failed: {failed}") from None
        return self.prompts[path]

    def batches(self, some: Sequence[Cell]) -> list[list[Cell]]:
        """Cells that one call measures: hand-written prompts, prompts as they are, and prompts tuned from one draw."""
        template = [cell for cell in some if cell.source == "template"]
        fixed = [cell for cell in some if cell.source != "template" and not self.study.tunes(cell)]
        tuned = [[cell for cell in some if self.study.tunes(cell) and cell.seed == seed] for seed in self.job.seeds]
        return [batch for batch in (template, fixed, *tuned) if batch]

    def measure(self, target: str, batch: Sequence[Cell]) -> list[dict[str, Any]]:
        """The content of each cell of one batch, without its fingerprint."""
        task, started = self.tasks[target], time.perf_counter()
        encoded = feature_file.load(self.study.paths.encoded(target))[0]
        evaluations = self._how(batch[0])(task, encoded, batch)
        seconds = (time.perf_counter() - started) / len(batch)
        return [self._content(cell, task, evaluation, seconds) for cell, evaluation in zip(batch, evaluations, strict=True)]

    def fail(self, holes: Holes, cell: Cell, failed: Failed) -> None:
        """Write a cell that says why it is none."""
        holes.note(self.study.paths.cell(cell), failed)
        nothing = dict.fromkeys(("score", "chance", "n_test", "correct"))
        unmeasured = {"seconds": 0.0, "peak_mib": 0.0, "per_class": {}, "fingerprint": "", "parts": {}}
        content = self._about(cell) | nothing | unmeasured | {"failed": str(failed)}
        cells.write(self.study.paths.cell(cell), content)

    def _how(self, cell: Cell) -> Callable[[PreparedTask, dict[str, np.ndarray], Sequence[Cell]], list[Evaluation]]:
        if cell.source == "template":
            return self._zero_shot
        return self._tuned if self.study.tunes(cell) else self._fixed

    def _zero_shot(self, task: PreparedTask, encoded: dict[str, np.ndarray], batch: Sequence[Cell]) -> list[Evaluation]:
        return [evaluate.zero_shot(self.model, task, encoded)] * len(batch)

    def _fixed(self, task: PreparedTask, encoded: dict[str, np.ndarray], batch: Sequence[Cell]) -> list[Evaluation]:
        return self._evaluate(task, encoded, [self.prompt(cell) for cell in batch])

    def _tuned(self, task: PreparedTask, encoded: dict[str, np.ndarray], batch: Sequence[Cell]) -> list[Evaluation]:
        seeds = [cell.seed for cell in batch]
        draws = [self.draws[cell.target, cell.seed] for cell in batch]
        starts = [self.prompt(cell) for cell in batch]
        return self._evaluate(
            task, encoded, single_task.tune_task(self.model, self.job.method, self.init_settings, task, draws, seeds, starts)
        )

    def _evaluate(self, task: PreparedTask, encoded: dict[str, np.ndarray], prompts: list[LearnedPrompt]) -> list[Evaluation]:
        return evaluate.evaluate(self.model, task, encoded, [one.prompts for one in prompts])

    def _content(self, cell: Cell, task: PreparedTask, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
        correct = evaluation.correct
        return {
            **self._about(cell),
            "score": float(evaluation.score),
            "chance": float(evaluation.chance),
            "n_test": int(evaluation.n_test),
            "seconds": round(seconds, 6),
            "peak_mib": round(devices.peak_mib(self.model.device.type), 1),
            "per_class": dict(zip(task.task.class_names, map(_number, evaluation.per_class), strict=True)),
            "correct": None if correct is None else base64.b64encode(np.packbits(correct).tobytes()).decode(),
        }

    def _about(self, cell: Cell) -> dict[str, Any]:
        return {
            "study": self.study.name,
            "backbone": self.study.backbone.name,
            **cell.address(),
            "shots": self.study.shots,
            "metric": metric_of(self.tasks, cell.target),
        }


def _number(value: float) -> float | None:
    """JSON has no NaN: a class without test pictures has no score."""
    return None if np.isnan(value) else float(value)

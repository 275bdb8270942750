"""What of a study is done, missing or stale, and why. Reads results, changes nothing; knows nothing of Snakemake."""

import json
from collections import Counter
from dataclasses import dataclass, field

from promptatlas import backbone, cells
from promptatlas.cells import changed
from promptatlas.errors import UserError
from promptatlas.jobs.transfer import Transfer
from promptatlas.jobs.tune import order
from promptatlas.learned import LearnedPrompt
from promptatlas.study import Study
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.work import TransferJob, TuneJob


@dataclass
class Count:
    """How many of the prompts or cells of one method are done, missing or stale, and which inputs made them stale."""

    what: str
    done: int = 0
    missing: int = 0
    stale: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reasons: list[str]) -> None:
        """One result that exists; it is stale if there are reasons."""
        self.done += not reasons
        self.stale += bool(reasons)
        self.reasons.update(reasons)

    def __str__(self) -> str:
        why = ", ".join(f"{name} ({count})" for name, count in self.reasons.most_common())
        return f"{self.what:<24}{self.done:>8}{self.missing:>9}{self.stale:>7}  {why}".rstrip()


HEADER = f"{'':<24}{'done':>8}{'missing':>9}{'stale':>7}  because of"


def counts(study: Study) -> list[Count]:
    """One line per method for prompts, and one per protocol and method for cells."""
    lines: dict[str, Count] = {}
    for tune_job in study.tune_jobs:
        _count_prompts(
            study, tune_job, lines.setdefault(f"prompts {tune_job.method}", Count(f"prompts {tune_job.method}"))
        )
    for job in study.transfer_jobs:
        what = f"{job.protocol} cells {job.method}"
        _count_cells(study, job, lines.setdefault(what, Count(what)))
    return list(lines.values())


def _count_prompts(study: Study, job: TuneJob, count: Count) -> None:
    paths = {(task, seed): study.prompt(job.method, seed, task) for task in job.tasks for seed in job.seeds}
    present = [key for key, path in paths.items() if path.exists()]
    count.missing += len(paths) - len(present)
    if not present:
        return
    model = backbone.load(study.backbone_folder)
    for task, seed in present:
        current = order(study, job.method, model, PreparedTask.open(study.task_folder(task)), seed)
        try:
            count.add(changed(json.loads(LearnedPrompt.load(current.path)[1].get("parts", "{}")), current.parts))
        except UserError:
            count.add(["corrupt file"])


def _count_cells(study: Study, job: TransferJob, count: Count) -> None:
    present = [cell for cell in job.cells() if study.cell(cell).exists()]
    count.missing += sum(1 for _ in job.cells()) - len(present)
    if not present:
        return
    transfer = Transfer(study, job, threads=1)
    for cell in present:
        try:
            stored = cells.read(study.cell(cell))
        except UserError:
            count.add(["corrupt file"])
            continue
        try:
            current = transfer.parts(cell)
        except UserError:
            count.add(["source prompt missing"])
            continue
        count.add(changed(stored["parts"], current))

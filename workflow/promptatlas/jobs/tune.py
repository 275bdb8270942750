"""The job that learns source prompts: which of its prompts are missing or stale, tuned task by task, seeds together.

Knows nothing of how a prompt is tuned, nor of targets.
"""

import shutil
from pathlib import Path
from typing import Sequence

from promptatlas import NUMERICS_VERSION, backbone, tuning
from promptatlas.cells import digest, fingerprint
from promptatlas.errors import UserError
from promptatlas.jobs.prepare import classes, read_draw
from promptatlas.reporting import Progress, Say
from promptatlas.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.tuning import LearnedPrompt


def tune(study: Study, method: str, tasks: Sequence[str], seeds: Sequence[int], forced: set[Path], say: Say) -> None:
    """Learn the prompts of `tasks` x `seeds`. Those whose fingerprint holds are kept, except the `forced` files."""
    model = backbone.load(study.backbone_folder, study.device())
    progress = Progress(f"tune {method}", len(tasks), "tasks", say)
    for name in tasks:
        task = PreparedTask.open(study.task_folder(name))
        draws = {seed: read_draw(study.draw(name, seed)) for seed in seeds}
        marks = {seed: fingerprint(prompt_parts(study, method, model.fingerprint, task, draws[seed], seed)) for seed in seeds}
        missing = [seed for seed in seeds if _missing(study, method, seed, name, marks[seed], forced)]
        if missing:
            learned = tuning.tune_task(
                model, method, study.settings(method), task, [draws[seed] for seed in missing], missing
            )
            for seed, prompt in zip(missing, learned):
                _keep(study, prompt, {"fingerprint": marks[seed], "task": name, "seed": str(seed)}, study.prompt(method, seed, name))
        progress.step(f"{name} {_found(len(seeds), len(missing))}")
    for path in study.resumes("safetensors", marks_of(study, method, tasks, seeds)):
        path.unlink(missing_ok=True)

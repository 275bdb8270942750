"""What the jobs of a study share: the frozen model, prepared tasks, draws and prompts, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptatlas.base.errors import Failed
from promptatlas.base.progress import Say
from promptatlas.records.draw_file import read_draw
from promptatlas.records.features import FEATURES
from promptatlas.records.fingerprint import digest
from promptatlas.study.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone
    from promptatlas.records.prompt_file import TunedPrompt


class OnDemand(dict):
    """What `make` makes of a key, when it is first asked for: of tasks and draws a job needs only those of its sound results."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __missing__(self, key: Any) -> Any:
        self[key] = self.make(key)
        return self[key]


class Context:
    """tasks: the prepared tasks by name; draws: by task and seed; prompts: by file. Failed for one that failed."""

    def __init__(self, study: Study, threads: int = 1, say: Say = lambda line: None) -> None:
        self.study, self.threads, self.say = study, threads, say
        self.tasks: Mapping[str, PreparedTask] = OnDemand(self._task)
        self.draws: Mapping[tuple[str, int], Draw] = OnDemand(lambda at: self._draw(*at))
        self.prompts: Mapping[Path, TunedPrompt] = OnDemand(source_prompt)

    def _task(self, name: str) -> PreparedTask:
        return PreparedTask.open(self.study.paths.task_folder(name))

    def _draw(self, name: str, seed: int) -> Draw:
        return read_draw(self.study.paths.draw(name, seed))

    @cached_property
    def model(self) -> Backbone:
        """The frozen model on the device of the study. Jobs that have no use for it start faster."""
        from promptatlas import backbone
        from promptatlas.runs import devices

        device = devices.chosen(self.study.config["device"], self.threads)
        return backbone.load(self.study.paths.backbone_folder, device, self.study.config["precision"])

    def feature_inputs(self, name: str) -> Mapping[str, str]:
        """What the features of a task were computed from, by array."""
        return FEATURES.inputs(self.study.paths.encoded(name))

    def metric_of(self, name: str) -> str:
        """The metric of a task; none is known of one that could not be prepared."""
        try:
            return self.tasks[name].task.metric
        except Failed:
            return ""


def source_prompt(path: Path) -> TunedPrompt:
    """The prompt that a result starts from or applies; Failed if it failed."""
    from promptatlas.records.prompt_file import TunedPrompt

    try:
        return TunedPrompt.load(path)[0]
    except Failed as why:
        raise Failed(f"source prompt failed: {why}") from None


def classes(task: PreparedTask) -> str:
    """Hash of the class names and templates of a task."""
    return digest([list(task.task.class_names), list(task.task.templates)])

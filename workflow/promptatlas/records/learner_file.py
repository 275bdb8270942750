"""The file of a shared learner: its parameters, and by task the class weights and the context that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed
from torch import Tensor

from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import require_known
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.kind import Kind
from promptatlas.records.prompt_file import TunedPrompt

LEFT_OUT = "left_out"
SAID = ("fingerprint", "method", "seed", "seconds", "history", "best_epoch")


@dataclass(frozen=True)
class Learner:
    """What a learner of several tasks found out.

    parameters: its learnables by name; class_weights: by task (C, D); contexts: by task, of all classes (n, d_text) or of each
    (C, n, d_text); history: a row per epoch; best_epoch: the chosen one, 1-based; seconds: it took; left_out: the tasks of the study
    on which it was not trained, and why.
    """

    method: str
    seed: int
    parameters: Mapping[str, Tensor]
    class_weights: Mapping[str, Tensor]
    contexts: Mapping[str, Tensor]
    history: list[dict[str, Any]]
    best_epoch: int
    seconds: float
    left_out: Mapping[str, str] = field(default_factory=dict)

    def packed(self, metadata: Mapping[str, str]) -> bytes:
        """One safetensors file; `metadata` is stored beside the learner's own."""
        tensors = {f"parameters.{name}": value for name, value in self.parameters.items()}
        tensors |= {f"weights.{name}": value for name, value in self.class_weights.items()}
        tensors |= {f"contexts.{name}": value for name, value in self.contexts.items()}
        own = {"method": self.method, "seed": str(self.seed), "seconds": f"{self.seconds:.6f}"}
        own |= {"history": json.dumps(self.history), "best_epoch": str(self.best_epoch)}
        own |= {LEFT_OUT: json.dumps(dict(self.left_out))} if self.left_out else {}
        # A copy of each: some are views of one tensor, and a file may not hold the same memory twice.
        return packed({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, {**metadata, **own})


def metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it is not there."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole file of a shared learner ({error}); delete it and run again.") from error
    require_known(about, path)
    return about


def left_out(about: Mapping[str, str]) -> dict[str, str]:
    """The reason by task that a learner was not trained on, from what its file says of itself."""
    return json.loads(about.get(LEFT_OUT, "{}"))


def class_weights(path: Path, task: str) -> tuple[Tensor, str]:
    """The class weights (C, D) that a learner gives a task, and the fingerprint of the learner."""
    weights, about = _of_task(path, f"weights.{task}")
    return weights, about["fingerprint"]


def prompt(path: Path, task: str) -> tuple[TunedPrompt, str]:
    """The prompt that a learner gives a task, the same for all classes, and the fingerprint of the learner.

    Its parameters are the learner's and stay there.
    """
    context, about = _of_task(path, f"contexts.{task}")
    history, seconds = json.loads(about["history"]), float(about["seconds"])
    prompts = Prompts(text=context[None, None], position="end")
    return TunedPrompt(about["method"], {}, prompts, history, int(about["best_epoch"]), seconds), about["fingerprint"]


def _of_task(path: Path, key: str) -> tuple[Tensor, dict[str, str]]:
    """A tensor of a learner's file, and what the file says of itself. Raises Failed if it says why there is none for a task."""
    if reason := metadata(path).get(FAILED):
        raise Failed(f"shared prompt failed: {reason}")
    if reason := left_out(metadata(path)).get(key.partition(".")[2]):
        raise Failed(reason)
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata()
            return file.get_tensor(key), {name: about[name] for name in SAID}
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a whole file of a shared learner ({error}); delete it and run again.") from error


class LearnerFile(Kind):
    """The file of a learner. Its content is the learner."""

    suffix = "safetensors"

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return dict(json.loads(self._told(path).get("parts", "{}")))

    def fingerprint(self, path: Path) -> str:
        return self._told(path).get("fingerprint", "")

    def packed(self, content: Learner, inputs: Mapping[str, Any]) -> bytes:
        return content.packed({"fingerprint": fingerprint(inputs), "parts": json.dumps(dict(inputs), sort_keys=True)})

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """A file without tensors. about: the method."""
        return packed({}, {"method": about["method"], FAILED: str(why), "history": "[]"})

    @staticmethod
    def _told(path: Path) -> dict[str, str]:
        about = metadata(path)
        if FAILED in about:
            raise Failed(about[FAILED])
        return about


LEARNER = LearnerFile()

"""The file of a learner of all tasks together: its parameters, and by task the class weights and the context that it gives.

Knows nothing of how a learner is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed
from torch import Tensor

from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import Newer, require_known
from promptatlas.base.messages import plain
from promptatlas.records.prompt_file import LearnedPrompt
from promptatlas.study.paths import Paths
from promptatlas.training.shared_learner import Shared

LEFT_OUT = "left_out"
SAID = ("fingerprint", "method", "seed", "seconds", "history", "best_epoch")


def save(path: Path, learned: Shared, tasks: Sequence[str], about: Mapping[str, str]) -> None:
    """One safetensors file; `about` is stored beside the tuning curve."""
    tensors = {f"parameters.{name}": value for name, value in learned.parameters.items()}
    tensors |= {f"weights.{name}": value for name, value in zip(tasks, learned.class_weights, strict=True)}
    tensors |= {f"contexts.{name}": value for name, value in zip(tasks, learned.contexts, strict=True)}
    own = {"history": json.dumps(learned.history), "best_epoch": str(learned.best_epoch)}
    # A copy of each: some are views of one tensor, and a file may not hold the same memory twice.
    replace(path, packed({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, {**about, **own}))


def metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it is not there."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error
    require_known(about, path)
    return about


def is_left(path: Path, mark: str) -> bool:
    """Whether an interrupted job left a whole file of this fingerprint at `path`; a damaged one is as good as none."""
    try:
        return metadata(path).get("fingerprint") == mark
    except Newer:
        raise
    except UserError:
        return False


def leaving_out(tasks: Mapping[str, Failed]) -> dict[str, str]:
    """How a file says which tasks of the study its learner has not learned from, and why; nothing if it has learned from all."""
    return {LEFT_OUT: json.dumps({name: str(why) for name, why in tasks.items()})} if tasks else {}


def left_out(about: Mapping[str, str]) -> dict[str, str]:
    """By task that a learner has not learned from the reason, from what its file says of itself."""
    return json.loads(about.get(LEFT_OUT, "{}"))


def class_weights(path: Path, task: str) -> tuple[Tensor, str]:
    """The class weights (C, D) that a learner gives a task, and the fingerprint of the learner."""
    weights, about = _of_task(path, f"weights.{task}")
    return weights, about["fingerprint"]


def prompt(path: Path, task: str) -> tuple[LearnedPrompt, str]:
    """The prompt that a learner gives a task, the same for all classes, and the fingerprint of the learner.

    Its parameters are the learner's and stay there.
    """
    context, about = _of_task(path, f"contexts.{task}")
    history, seconds = json.loads(about["history"]), float(about["seconds"])
    prompts = Prompts(text=context[None, None], position="end")
    return LearnedPrompt(about["method"], {}, prompts, history, int(about["best_epoch"]), seconds), about["fingerprint"]


def instead(path: str | Path) -> str:
    """If a file is that of a learner and no prompt: what to load instead, in a sentence; empty for any other file."""
    try:
        with safe_open(path, framework="pt") as file:
            about, names = file.metadata() or {}, sorted(key for key in file.keys() if key.startswith("contexts."))
            per_class = any(len(file.get_slice(name).get_shape()) > 2 for name in names)
    except (OSError, SafetensorError):
        return ""
    if not names:
        return ""
    tasks, method = [plain(name.removeprefix("contexts.")) for name in names], plain(about.get("method", "a learner"))
    told = f"{path} holds all that {method} learned of {len(tasks)} tasks together and is no prompt"
    if per_class:
        return (
            f"{told}, as every class has another context; only `class_context: none` of softcpt and `sharing: all` or `task` "
            "of coop_mt give prompts."
        )
    place = Paths.at(Path()).prompt(method, plain(about.get("seed", "")), "<task>")
    return f"{told}; load {place} of the same study, where <task> is one of {', '.join(tasks)}."


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
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error

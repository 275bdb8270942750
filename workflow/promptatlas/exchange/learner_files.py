"""What to load instead of the file of a learner of several tasks, which is no prompt."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from promptatlas.base.messages import plain
from promptatlas.study.paths import Paths


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
    told = f"{path} holds what {method} trained on {len(tasks)} tasks together and is no prompt"
    if per_class:
        return (
            f"{told}, as every class has another context; only `class_context: none` of softcpt and `sharing: all` or `task` "
            "of coop_mt give prompts."
        )
    place = Paths.at(Path()).prompt(method, plain(about.get("seed", "")), "<task>")
    return f"{told}; load {place} of the same study, where <task> is one of {', '.join(tasks)}."

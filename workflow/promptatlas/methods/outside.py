"""What the class or function of a method from a plugin has to have, as far as its source tells before anything is run.

Knows nothing of torch.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from promptatlas.base import plugins
from promptatlas.base.signatures import Source

BUILT = ("architecture", "settings", "generator")
CALLED = {"prompt": {"__init__": BUILT, "forward": ()}, "shared": {"__init__": (*BUILT, "classes"), "forward": ("tasks", "classes")}}
ADAPTER = ("settings", "scale", "weights", "train", "validation", "metric")
# What a method of kind "prompt" may bring to its training, and what each is given; `combine` gets as many as there are losses.
RULES: Mapping[str, tuple[str, ...] | None] = {
    "loss": ("logits", "text", "image", "teacher_text", "teacher_image", "labels"),
    "teacher": ("backbone", "class_names", "templates"),
    "combine": None,
    "epoch_weight": ("epoch", "epochs"),
}


def require(place: str, kind: str, path: Path, name: str, settings: Iterable[str]) -> None:
    """UserError, beginning with `place`, if the file has no `name`, or one that cannot be called as a method of its kind is."""
    if not plugins.is_file(path.name):
        return
    source = Source(path)
    source.require(place, name)
    if kind == "adapter":
        source.require_call(place, name, (*ADAPTER, "order") if "epochs" in settings else ADAPTER)
    called = {**CALLED.get(kind, {}), **(RULES if kind == "prompt" else {})}
    source.require_methods(place, name, called.get)

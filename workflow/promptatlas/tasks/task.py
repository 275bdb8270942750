"""What a task is: names of classes, prompts to describe them, a metric."""

from dataclasses import dataclass, fields
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.tasks import metrics

TWO = {2: "two"}


@dataclass(frozen=True)
class Task:
    """One classification task.

    `class_names` are empty as long as only the source of the images knows them. `templates` contain ``{}`` where the
    class name goes; the first is the most natural one. `drawn` and `labelled` are the ground-truth factors of the mini
    benchmark (what the images contain, what the label depends on) and stay empty for real data. `split_source` says
    who decided which image is a test image.
    """

    name: str
    title: str
    family: str
    class_names: tuple[str, ...]
    templates: tuple[str, ...]
    metric: str = metrics.ONE_CLASS
    multilabel: bool = False
    drawn: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()
    split_source: str = "drawn by promptatlas"

    def __post_init__(self) -> None:
        if len(self.class_names) == 1 or len(set(self.class_names)) < len(self.class_names):
            raise UserError(f"Task {self.name!r}: class_names must be two or more different names.")
        if not self.templates or any("{}" not in template for template in self.templates):
            raise UserError(f"Task {self.name!r}: every template must contain {{}} where the class name goes.")
        if self.metric not in metrics.registered():
            raise UserError(f"Task {self.name!r}: metric {self.metric!r} is not one of {', '.join(metrics.registered())}.")
        metric, several = metrics.lookup(self.metric), "of several classes" if self.multilabel else "of one class each"
        if self.multilabel != metric.multilabel:
            others = metrics.choice(metrics.registered(self.multilabel))
            raise UserError(f"Task {self.name!r}: {self.metric} is not for images {several}; take {others}.")
        if metric.classes and len(self.class_names) not in (0, metric.classes):
            others = metrics.choice(name for name in metrics.registered(self.multilabel) if not metrics.lookup(name).classes)
            needed = TWO.get(metric.classes, metric.classes)
            raise UserError(
                f"Task {self.name!r}: {self.metric} needs exactly {needed} classes, not {len(self.class_names)}; take {others}."
            )

    def to_dict(self) -> dict:
        """Plain JSON values; `from_dict` reads them back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}

    @classmethod
    def from_dict(cls, record: dict) -> "Task":
        """The task that `to_dict` wrote; what a later version says beyond that is passed over."""
        known = {field.name for field in fields(cls)} & record.keys()
        read: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items() if key in known}
        return cls(**read)

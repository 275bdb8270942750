"""What is known of a task that promptatlas does not draw: where its images come from, what others measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import is_text, printable
from promptatlas.tasks import metrics
from promptatlas.tasks.task import Task


@dataclass(frozen=True)
class TaskEntry:
    """One task of the catalogue, or one of the user's own.

    task: its `class_names` are empty where only the images' source knows them, see `with_classes`; its
        `split_source` says nothing before a source is read.
    benchmarks: the published benchmarks it belongs to.
    sizes: images by split, as published.
    resize: how images get the model's size, where the task demands it ("squash": no centre crop).
    sources: where the images are, first choice first; each a dictionary that `readers` understands.
    spellings: what sources call a class -> its name in prompts, where normalising does not tell.
    metric_given: whether somebody chose `task.metric`; else it is one for images of one class, and labels may say otherwise.
    expected_zero_shot: by "model/pretrained", {"score": 0..1, "source": who measured it}, with `task.templates`.
    """

    task: Task
    benchmarks: tuple[str, ...]
    sizes: dict[str, int]
    licence: str
    citation: str
    homepage: str
    resize: str | None
    sources: tuple[dict[str, Any], ...]
    spellings: dict[str, str]
    expected_zero_shot: dict[str, dict[str, Any]]
    metric_given: bool = True

    def with_classes(self, names: Iterable[str]) -> TaskEntry:
        """This entry with the classes `names`, as a source spells them; in prompts underscores are spaces."""
        spellings: dict[str, str] = {}
        for name in names:
            if not is_text(name):
                raise UserError(
                    f"Task {self.task.name!r} has a class called '{printable(name)}' in its data, which is no text in UTF-8, so no "
                    f"prompt can say it; rename it, or list all `classes`, this one as [its name in prompts, '{printable(name)}']."
                )
            shown = " ".join(name.replace("_", " ").split())
            if shown in spellings.values():
                raise UserError(f"Task {self.task.name!r} has two classes called {shown!r}; rename or merge them.")
            spellings[name] = shown
        if len(spellings) < 2:
            found = f"only the class {next(iter(spellings))!r}" if spellings else "no class"
            raise UserError(f"Task {self.task.name!r} has {found}; a task needs at least two classes.")
        task = replace(self.task, class_names=tuple(spellings.values()))
        return replace(self, task=task, spellings={name: shown for name, shown in spellings.items() if name != shown})


def from_record(name: str, record: Mapping[str, Any], benchmarks: tuple[str, ...] = ()) -> TaskEntry:
    """The entry that `record`, a checked definition, describes."""
    classes = [[line] if isinstance(line, str) else line for line in record.get("classes", [])]
    class_names = tuple(line[0] for line in classes)
    task = Task(
        name=name,
        title=record["title"],
        family=record["family"],
        class_names=class_names,
        templates=tuple(record["templates"]),
        metric=record["metric"],
        multilabel=metrics.lookup(record["metric"]).multilabel,
    )
    return TaskEntry(
        task=task,
        benchmarks=benchmarks,
        sizes=record.get("sizes", {}),
        licence=record["licence"],
        citation=record.get("citation", ""),
        homepage=record.get("homepage", ""),
        resize=record.get("resize"),
        sources=tuple(_numbered(source, class_names) for source in record["sources"]),
        spellings={spelling: line[0] for line in classes for spelling in line[1:]},
        expected_zero_shot=record.get("expected_zero_shot", {}),
    )


def _numbered(source: dict[str, Any], class_names: tuple[str, ...]) -> dict[str, Any]:
    """`classes: in order` says that a source without names numbers its classes as the catalogue orders them."""
    return source | {"classes": list(class_names)} if source.get("classes") == "in order" else source

"""The units of work of a study: what one job does, and how many things are cut into jobs. Knows nothing of files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptatlas.records.cells import Cell
from promptatlas.study.designs import Design


@dataclass(frozen=True)
class PrepareJob:
    """The pictures and labels of one task, or of a part of one."""

    name: str
    task: str


@dataclass(frozen=True)
class DrawJob:
    """The few-shot draws of all tasks that are learned on."""

    name: str


@dataclass(frozen=True)
class EncodeJob:
    """Frozen features of some tasks."""

    name: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class ProbeJob:
    """Linear probes of some tasks, all seeds."""

    name: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class TuneJob:
    """Source prompts of one method: `tasks` x `seeds`."""

    name: str
    method: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class ShareJob:
    """Learners of one method, one per seed, each on all tasks together."""

    name: str
    method: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class AdaptJob:
    """Adapters of one method: `tasks` x all seeds."""

    name: str
    method: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class MultitaskJob:
    """Multitask source prompts of one method, all seeds, for some targets."""

    name: str
    method: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class JointJob:
    """Shared prompts of the groups of targets of one method, all seeds, and their scores."""

    name: str
    method: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class TransferJob:
    """Cells of one protocol and method: `sources` x `targets` x `seeds`, as far as the design measures them."""

    name: str
    protocol: str
    method: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    design: Design

    def cells(self) -> Iterator[Cell]:
        for seed in self.seeds:
            for target in self.targets:
                for source in self.sources:
                    if self.design.measures(source, target):
                        yield Cell(self.protocol, self.method, seed, target, source)


Job = PrepareJob | DrawJob | EncodeJob | ProbeJob | TuneJob | ShareJob | AdaptJob | MultitaskJob | JointJob | TransferJob


@dataclass(frozen=True)
class Chunk:
    """Some of many items, and what tells it from the other pieces."""

    items: tuple
    label: str


def chunks(items: Sequence, size: int | str, prefix: str = "") -> list[Chunk]:
    """Consecutive pieces of `items`; a piece is called by its only item, or by its number, or not at all if it is everything."""
    each = len(items) if size == "all" else int(size)
    pieces = [tuple(items[start : start + each]) for start in range(0, len(items), each)]
    if len(pieces) == 1:
        return [Chunk(pieces[0], "")]
    return [
        Chunk(piece, f"{prefix}{piece[0]}" if each == 1 else f"{prefix}{number}of{len(pieces)}")
        for number, piece in enumerate(pieces, start=1)
    ]


def job_name(stem: str, *pieces: Chunk) -> str:
    """What Snakemake calls a job: the stem and the labels of its pieces."""
    return re.sub(r"\W", "_", "_".join([stem, *(piece.label for piece in pieces if piece.label)]))

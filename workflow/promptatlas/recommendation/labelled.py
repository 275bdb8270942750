"""The labelled images of a target: those of a folder, of a list, or the training images of a known task. No test image is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import expanduser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, printable, some
from promptatlas.base.progress import Say
from promptatlas.base.rng import named_rng
from promptatlas.base.stage import Stage
from promptatlas.study import yaml_file
from promptatlas.study.relative_folders import tidy
from promptatlas.tasks import catalogue, metrics, readers
from promptatlas.tasks.catalogue import TaskEntry
from promptatlas.tasks.catalogue.descriptions import LISTS
from promptatlas.tasks.decoding import Decoding, decode
from promptatlas.tasks.draws import by_class, greedy
from promptatlas.tasks.labels import relabel, with_metric
from promptatlas.tasks.listing import Images
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.prepared import digests
from promptatlas.tasks.splits import join
from promptatlas.tasks.task import Task

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone

SHOTS = 16  # as many images per class as the studies of the field train on
MOST_IMAGES = 2000  # by itself no more are taken, but one of each class
FEW = 3
DESCRIPTIONS = (".yaml", ".yml")


@dataclass(frozen=True)
class Labelled:
    """Images (N, R, R, 3) uint8, perhaps on disk, fitted to the model by `resize`; labels (N,) class numbers or (N, C) marks.

    available: how many labelled images there are; shots: how many per class were asked for; notes: what is to be known of the images,
    in sentences without a full stop.
    """

    task: Task
    images: np.ndarray
    labels: np.ndarray
    resize: str
    available: int
    shots: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What is asked for: images of `size` pixels, fitted as `decoding.fitted` says where the task has no wish of its own; shots per class
    (None: as many as `SHOTS` and `MOST_IMAGES` allow), and the seed that they are drawn with."""

    size: int
    resize: str
    shots: int | None
    seed: int
    interpolation: str = "bicubic"

    @classmethod
    def by(cls, model: Backbone, shots: int | None, seed: int) -> Wanted:
        """Images as a model sees them."""
        seen = model.architecture
        return cls(seen.image_size, seen.fitting, shots, seed, seen.interpolation)


def describe(
    images: str | Path | Mapping[str, Any] | None,
    task: str | None,
    templates: Sequence[str] = (),
    classes: Sequence[str | Sequence[str]] = (),
) -> TaskEntry | None:
    """The target: a folder of images, a list (.json or .csv), a description (.yaml) as under `data` in a configuration, a known task, or
    its images in a folder; what such a description says, with a name; None for an embedded task."""
    given: dict[str, Any] = {"templates": list(templates)} if templates else {}
    given |= {"classes": list(classes)} if classes else {}
    if isinstance(images, Mapping):
        if not task:
            raise UserError("images that are described need a name; give it as the task")
        return catalogue.described(task, placed(images, Path.cwd()) | given)
    if images is not None and str(images).lower().endswith(DESCRIPTIONS):
        path = Path(images).expanduser()
        if not path.is_file():
            raise UserError(f"the description {path} does not exist; look for a misspelt name")
        described = placed(yaml_file.load(path), path.absolute().parent) | given
        return catalogue.described(task or _name(path), described)
    if images is not None:
        given["folder"] = str(tidy(Path(expanduser(str(images))).absolute()))
        return catalogue.described(task, given) if task else catalogue.own(_name(Path(given["folder"])), given)
    if task is None:
        raise UserError("name the target: a folder with one folder of images per class, a list (.json, .csv), or a task with --task")
    if task not in MINI_TASKS:
        catalogue.entry(task)
        return catalogue.described(task, given)
    if given:
        raise UserError(f"the task {task!r} is drawn by promptatlas and has its own class names and templates; leave yours out")
    return None


def placed(described: Mapping[str, Any], above: Path) -> dict[str, Any]:
    """What a description says, its folders counted from `above`."""
    places = {key: str(tidy(above / expanduser(str(described[key])))) for key in ("folder", "root") if described.get(key) is not None}
    return {**described, **places}


def _name(folder: Path) -> str:
    """What a folder or list of images is called where tasks have names."""
    return (
        re.sub(r"[^\w.-]+", "-", folder.stem if folder.suffix.lower() in (*LISTS, *DESCRIPTIONS) else folder.name).strip("-.") or "images"
    )


def embedded(name: str, wanted: Wanted) -> Labelled:
    """Training images of a task that promptatlas draws itself."""
    mini = MINI_TASKS[name]
    images, factors = mini.images.split("train", mini.sizes["train"])
    labels = mini.labels(factors)
    shots = shots_of(wanted, len(mini.task.class_names))
    streams = [(mini.task.name, wanted.seed, number) for number in range(len(mini.task.class_names))]
    rows = _drawn(labels, shots, wanted.seed, streams)
    return Labelled(mini.task, images[rows], labels[rows], "squash", len(labels), shots, ())


def read(entry: TaskEntry, data_root: Path, folder: Path, wanted: Wanted, say: Say) -> Labelled:
    """The images of a target, decoded into `folder`. UserError where there are none, or not of two classes, and for a metric that has no
    value on them.
    """
    source = readers.find(entry.sources, data_root) or entry.sources[0]
    if not readers.reader(source).present(source, data_root) and source["reader"] != "folder":
        advice = "; or ".join(readers.reader(one).advice(one, data_root) for one in entry.sources)
        raise UserError(f"the images of task {entry.task.name!r} are not in {data_root}: {advice}; or give their folder")
    spelt = readers.labelled(source, data_root)
    entry = with_metric(entry, spelt)
    entry = entry if entry.task.class_names else entry.with_classes(spelt.class_names)
    listing = relabel(spelt, entry)
    if not listing.splits:
        raise UserError(f"task {entry.task.name!r} has test images only, which are not looked at; give labelled images of its classes")
    task, pool = entry.task, join(list(listing.splits.values()))
    shots, resize = shots_of(wanted, len(task.class_names)), entry.resize or wanted.resize
    streams = [(wanted.seed, printable(name)) for name in spelt.class_names]
    rows = _drawn(join(list(spelt.splits.values())).labels, shots, wanted.seed, streams)
    images, kept, broken = opened(pool.images, rows, task.name, resize, wanted, folder, say)
    labels = pool.labels[rows[kept]]
    metrics.require(task.metric, labels)
    notes = (*listing.notes, *broken, *_absent(task, labels), *_in_two_classes(task, images, labels))
    return Labelled(replace(task, split_source=listing.split_source), images, labels, resize, len(pool.labels), shots, notes)


def opened(
    images: Images, rows: np.ndarray, name: str, resize: str, wanted: Wanted, folder: Path, say: Say
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images (N, size, size, 3) of these `rows`, on disk in `folder`, which of the rows they are, and a sentence on those that cannot
    be read. UserError if none can. name: what the images are called."""
    work = Decoding(images, rows, wanted.size, resize, folder, "labelled", wanted.interpolation)
    decoded = decode(work, 1, Stage(f"read {name}", "images", say))
    kept = np.setdiff1d(np.arange(len(rows)), list(decoded.broken))
    names = [f"{printable(images.name(int(rows[row])))} ({why})" for row, why in sorted(decoded.broken.items())]
    if not len(kept):
        raise UserError(f"none of the images of {name!r} can be read: {some(names, FEW)}")
    read: Any = np.load(work.images, mmap_mode="r")
    verb = "is" if len(names) == 1 else "are"
    broken = [f"{counted(len(names), 'image')} cannot be read and {verb} left out: {some(names, FEW)}"] if names else []
    return read[kept] if names else read, kept, broken


def shots_of(wanted: Wanted, classes: int) -> int:
    """Images per class that are taken at most."""
    if wanted.shots is None:
        return min(SHOTS, max(1, MOST_IMAGES // classes))
    if wanted.shots < 1:
        raise UserError(f"--shots must be at least 1, not {wanted.shots}")
    return wanted.shots


def _drawn(labels: np.ndarray, shots: int, seed: int, streams: Sequence[tuple[str | int, ...]]) -> np.ndarray:
    """Numbers of the images, ascending: `shots` of each class, or all where a class has fewer. More shots only add to fewer.

    streams: of each class the names of its random numbers. For images of a user these are the seed and the class as the data spell it, not
    the folder's name, nor how prompts call the class, nor which others there are, so that the same images stay drawn.
    """
    if labels.ndim == 2:
        return np.sort(greedy(labels, shots, seed))
    chosen = []
    for number, names in enumerate(streams):
        members = np.flatnonzero(labels == number)
        chosen.append(members[named_rng("recommend", *names).permutation(len(members))[:shots]])
    return np.sort(np.concatenate(chosen))


def _absent(task: Task, labels: np.ndarray) -> list[str]:
    """A note on classes without an image: what is measured says nothing of them."""
    counts = by_class(labels, len(task.class_names))
    empty = [name for name, count in zip(task.class_names, counts, strict=True) if not count]
    return [f"no image of {some(map(repr, empty), FEW)}, so nothing is said of them"] if empty else []


def _in_two_classes(task: Task, images: np.ndarray, labels: np.ndarray) -> list[str]:
    """A note on images that are there more than once, with other labels: some of these are wrong."""
    _, same = np.unique(digests(np.asarray(images)), axis=0, return_inverse=True)
    marks = np.eye(len(task.class_names), dtype=bool)[labels] if labels.ndim == 1 else labels.astype(bool)
    groups: dict[int, set[bytes]] = {}
    for group, own in zip(same.ravel().tolist(), marks, strict=True):
        groups.setdefault(group, set()).add(own.tobytes())
    odd = [group for group, found in groups.items() if len(found) > 1]
    if not odd:
        return []
    names = np.array(task.class_names)
    pairs = {" and ".join(names[marks[same.ravel() == group].any(axis=0)]) for group in odd}
    return [f"{counted(len(odd), 'image')} there more than once, with other labels ({some(sorted(pairs), FEW)}): some of these are wrong"]


def counts_of(found: Labelled) -> Mapping[str, int]:
    """Images by class name."""
    counts = by_class(found.labels, len(found.task.class_names))
    return dict(zip(found.task.class_names, map(int, counts), strict=True))

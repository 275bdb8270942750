"""From a task's definition to its prepared folder: which images a study needs, and their arrays.

Knows of the formats of data sets only that a reader lists them; knows nothing of models but the size of their images.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, printable, some
from promptatlas.base.progress import Say
from promptatlas.base.rng import named_rng
from promptatlas.base.stage import Stage
from promptatlas.tasks import readers, upright
from promptatlas.tasks.catalogue import TaskEntry
from promptatlas.tasks.decoding import Decoded, Decoding, Opened, decode
from promptatlas.tasks.draws import Draw, by_class, draw, nested_draw
from promptatlas.tasks.labels import relabel, with_metric
from promptatlas.tasks.listing import NO_IMAGES, Listing, Split, require_whole
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.oddities import oddities
from promptatlas.tasks.prepared import SPLITS, Pool, PreparedTask, array_path, write
from promptatlas.tasks.splits import hold_out
from promptatlas.tasks.sufficient import require_draw, require_test, require_train
from promptatlas.tasks.task import Task
from promptatlas.tasks.twins import same_images

# A task is compared with others by this many of its training images; beyond that the measures hardly move.
REFERENCE_IMAGES = 2000
VALIDATION_SHARE = 0.2
FEW = 5
NO_PROMPT = "no prompt can be trained with some seeds: "


@dataclass(frozen=True)
class Needs:
    """What a study wants of a task: images of `size` pixels for its draws, and for its test.

    resize, interpolation: as `decoding.fitted` takes them; shots: 0 for a task that is a target only, of which nothing but its test is
    prepared; test_pictures: how many at most, or "all"; broken_pictures: "stop" or "skip"; tried_shots, tried_seeds: of further draws, on
    which prompts are tried and not trained.
    """

    size: int
    resize: str
    shots: int
    seeds: tuple[int, ...]
    scheme: str
    test_pictures: int | str = "all"
    broken_pictures: str = "stop"
    tried_shots: int = 0
    tried_seeds: tuple[int, ...] = ()
    interpolation: str = "bicubic"


def prepare_embedded(name: str, folder: str | Path) -> None:
    """Write the prepared folder of a task of the mini benchmark: every image of all splits, with its factors."""
    mini = MINI_TASKS[name]
    images, pools, factors = {}, {}, []
    for split in SPLITS:
        images[split], records = mini.images.split(split, mini.sizes[split])
        pools[split] = Pool.whole(images[split], mini.labels(records))
        factors += [{"split": split, "number": number, **record} for number, record in enumerate(records)]
    write(folder, mini.task, pools, factors, images)


def prepare(entry: TaskEntry, source: dict, data_root: Path, folder: str | Path, needs: Needs, workers: int, say: Say) -> Opened:
    """Write the prepared folder of a task that `source` lists below `data_root`, and return the images that it needed.

    Of train and validation images only those are decoded that some draw or the comparison of tasks needs; a split
    that is there already, from the same images, stays. Raises UserError for broken images (unless they are to be
    skipped), classes without images, class names that do not match, test images on which the metric has no value, and too
    little disk. Of a draw from which no prompt can be trained it is said why.
    """
    folder = Path(folder)
    listing = _listed_by_reader(entry.task.name, source, data_root)
    chosen, entry = entry.task.metric, with_metric(entry, listing)
    if entry.task.metric != chosen:
        say(f"task {entry.task.name}: its images are of several classes each, so it is scored by {entry.task.metric}")
    held_out = bool(needs.shots) and needs.scheme == "coop" and "validation" not in listing.splits
    if not needs.shots:
        listing = replace(listing, splits={"test": listing.splits["test"]})
    elif "train" not in listing.splits:
        raise UserError(
            f"task {entry.task.name!r} has test images only, so no prompt can be trained on it; leave it out, describe "
            "a task of your own with training images under `data`, or take it as a target of `design: domain`"
        )
    else:
        listing = _with_validation(listing, needs, entry.task.name)
    entry = entry.with_classes(listing.class_names) if not entry.task.class_names else entry
    listing = relabel(listing, entry)
    task = replace(entry.task, split_source=listing.split_source)
    if needs.shots:
        _require_every_class(task, listing.splits["train"].labels)
    size, resize = needs.size, entry.resize or needs.resize
    works, recipes, drawn = {}, {}, _drawn(task.name, listing, needs)
    for split, rows in _rows(task.name, listing, needs, drawn).items():
        recipes[split] = _recipe(source, listing.splits.get(split), rows, size, resize, needs.interpolation)
        images = listing.splits[split].images if split in listing.splits else NO_IMAGES
        works[split] = Decoding(images, rows, size, resize, folder / ".partial", f"{split}-{recipes[split][:16]}", needs.interpolation)
    kept = _kept(folder, recipes)
    _announce(task.name, {split: work for split, work in works.items() if split not in kept}, size, folder, say)
    _forget_others(folder, works)
    fresh = {split: work for split, work in works.items() if split not in kept}
    decoded = {split: decode(work, workers, Stage(f"prepare {task.name} {split}", "images", say)) for split, work in fresh.items()}
    _judge(task.name, fresh, decoded, needs, say)
    skipped = {split: kept[split].skipped if split in kept else _broken(works[split], decoded[split]) for split in works}
    _require_enough(task, listing, works, skipped, needs.shots)
    for why in dict.fromkeys(str(own) for own in (_whether_enough(task, own, skipped) for own in drawn.values()) if own):
        say(NO_PROMPT + why)
    pools, factors = {}, []
    for split, work in works.items():
        labels = listing.splits[split].labels if split in listing.splits else listing.splits["test"].labels[:0]
        pool = kept[split] if split in kept else _placed(work, decoded[split], array_path(folder, split, "images"))
        pools[split] = replace(pool, labels=labels, reference=_reference(task.name, pool.index, len(labels)))
        factors += [{"split": split, "number": n, "name": printable(work.sources.name(n))} for n in pool.index.tolist()]
    notes = [*listing.notes, *_left_out(works, skipped), *_oddities(folder, task, pools, works, needs.shots, held_out)]
    for note in notes:
        say(f"task {task.name}: {note}")
    write(folder, task, pools, factors, recipes=recipes, notes=notes)
    shutil.rmtree(folder / ".partial", ignore_errors=True)
    return Opened(tuple(works.values()))


def _listed_by_reader(name: str, source: dict, data_root: Path) -> Listing:
    """What the reader finds; of whose task it is, readers know nothing."""
    try:
        listing = readers.reader(source).read(source, data_root)
        require_whole(listing, f"reader `{source['reader']}`")
        return listing
    except UserError as error:
        if type(error) is not UserError or repr(name) in str(error):
            raise
        raise UserError(f"task {name!r}: {error}") from None


def _with_validation(listing: Listing, needs: Needs, name: str) -> Listing:
    """CoOp's scheme validates on images of their own: where nobody set any aside, a fifth of the training images."""
    if needs.scheme != "coop" or "validation" in listing.splits:
        return listing
    train, validation = hold_out(listing.splits["train"], VALIDATION_SHARE, name)
    return replace(listing, splits=listing.splits | {"train": train, "validation": validation})


def _require_every_class(task: Task, labels: np.ndarray) -> None:
    if not len(labels):
        raise UserError(f"task {task.name!r} has no training images; see that its source lists some, or leave the task out")
    counts = by_class(labels, len(task.class_names))
    empty = [name for name, count in zip(task.class_names, counts, strict=True) if count == 0]
    if empty:
        raise UserError(
            f"task {task.name!r} has no training images of {some(empty, FEW)}, so none can be drawn; add images or leave the class out"
        )


def _drawn(name: str, listing: Listing, needs: Needs) -> dict[int, Draw | UserError]:
    """The few-shot draw of every seed, or why there is none."""
    labels = {split: part.labels for split, part in listing.splits.items()}
    found: dict[int, Draw | UserError] = {}
    for seed in needs.seeds if needs.shots else ():
        try:
            found[seed] = draw(labels["train"], labels.get("validation", labels["train"][:0]), needs.shots, seed, name, needs.scheme)
        except UserError as why:
            found[seed] = why
    return found


def _rows(name: str, listing: Listing, needs: Needs, drawn: dict[int, Draw | UserError]) -> dict[str, np.ndarray]:
    """Numbers of the images to decode, ascending, by split."""
    count = {split: len(part.labels) for split, part in listing.splits.items()}
    wanted = {"train": _sample("reference", name, count.get("train", 0), REFERENCE_IMAGES), "validation": np.arange(0)}
    for one in (one for one in drawn.values() if isinstance(one, Draw)):
        wanted["train"] = np.union1d(wanted["train"], one.train)
        wanted[one.validation_split] = np.union1d(wanted[one.validation_split], one.validation)
    for seed in needs.tried_seeds:
        tried = nested_draw(listing.splits["train"].labels, [needs.tried_shots], seed, name, needs.scheme)
        wanted["train"] = np.union1d(wanted["train"], tried.images)
    most = count["test"] if needs.test_pictures == "all" else int(needs.test_pictures)
    return wanted | {"test": _sample("test", name, count["test"], most)}


def _sample(what: str, name: str, count: int, most: int) -> np.ndarray:
    """`most` of the numbers below `count`, ascending; a longer sample only adds to a shorter one."""
    return np.sort(named_rng(what, name).permutation(count)[:most])


def _reference(name: str, index: np.ndarray, count: int) -> np.ndarray:
    """Positions in `index` of the images by which tasks are compared; skipped ones are missing."""
    return np.flatnonzero(np.isin(index, _sample("reference", name, count, REFERENCE_IMAGES)))


def _recipe(source: dict, split: Split | None, rows: np.ndarray, size: int, resize: str, interpolation: str) -> str:
    about = [_without_place(source), split.stamp if split else "", size, resize, upright.VERSION]
    about += [] if interpolation == "bicubic" else [interpolation]  # as it was when there was no other
    content = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    content.update(rows.astype("<i8").tobytes())
    return content.hexdigest()


def _without_place(source: dict) -> dict:
    """The stamp of a split tells its files apart, wherever they are."""
    return {key: value for key, value in source.items() if key not in ("path", "manifest", "root")}


def _kept(folder: Path, recipes: dict[str, str]) -> dict[str, Pool]:
    """Splits that are prepared already from the same images."""
    try:
        old = PreparedTask.open(folder)
        found = {
            split: Pool(
                np.empty(0),
                np.load(array_path(folder, split, "index")),
                np.load(array_path(folder, split, "digests")),
                np.empty(0),
                old.skipped(split),
            )
            for split, recipe in recipes.items()
            if old.recipe(split) == recipe
        }
        return {split: pool for split, pool in found.items() if len(old.images(split)) == len(pool.index)}
    except (UserError, OSError, ValueError):
        return {}


def _announce(name: str, works: dict[str, Decoding], size: int, folder: Path, say: Say) -> None:
    """Say how much will be decoded and what disk it takes; refuse what does not fit."""
    missing = sum(work.bytes() - (work.images.stat().st_blocks * 512 if work.images.exists() else 0) for work in works.values())
    counts = ", ".join(f"{len(work.rows):,} {split}" for split, work in works.items())
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise UserError(
            f"task {name!r} needs {missing / 1e9:.1f} GB for images of {size} px in {folder}, but only {free / 1e9:.1f} GB "
            "are free; make room, or set `results` to another disk or `test_pictures` to a smaller number"
        )
    total = sum(work.bytes() for work in works.values())
    say(f"prepare {name}: {counts or 'no'} images to decode at {size} px, {total / 1e6:,.0f} MB of disk")


def _forget_others(folder: Path, works: dict[str, Decoding]) -> None:
    """Remove what earlier attempts at other images left."""
    stems = {work.stem for work in works.values()}
    for path in (folder / ".partial").glob("*.npy"):
        if path.name.split(".")[0] not in stems:
            path.unlink()


def _judge(name: str, works: dict[str, Decoding], decoded: dict[str, Decoded], needs: Needs, say: Say) -> None:
    """Name the images that cannot be read; whether that ends the study was decided in the configuration."""
    names = [
        f"{printable(work.sources.name(int(work.rows[row])))} ({why})"
        for split, work in works.items()
        for row, why in sorted(decoded[split].broken.items())
    ]
    if not names:
        return
    found = f"{counted(len(names), 'image')} of task {name!r} cannot be read: {some(names, FEW)}"
    if needs.broken_pictures == "stop":
        raise UserError(f"{found}; mend or remove them, or set `broken_pictures: skip` in the configuration")
    say(f"{found}; skipped")


def _left_out(works: dict[str, Decoding], skipped: dict[str, list[int]]) -> list[str]:
    count, read = sum(map(len, skipped.values())), sum(len(work.rows) for work in works.values())
    return [f"{count} of {counted(read, 'image')} cannot be read and are left out"] if count else []


def _oddities(folder: Path, task: Task, pools: dict[str, Pool], works: dict[str, Decoding], shots: int, held_out: bool) -> list[str]:
    same = same_images(pools, {split: work.sources for split, work in works.items()})
    images = {split: np.load(array_path(folder, split, "images"), mmap_mode="r") for split in pools}
    return oddities(task, pools, same, images, shots, held_out)


def _broken(work: Decoding, result: Decoded) -> list[int]:
    """Numbers in the pool of the images that cannot be read."""
    return work.rows[sorted(result.broken)].tolist()


def _require_enough(task: Task, listing: Listing, works: dict[str, Decoding], skipped: dict[str, list[int]], shots: int) -> None:
    """UserError unless there are test images on which the metric has a value and, if prompts are trained, training images."""
    rows = {split: np.setdiff1d(work.rows, skipped[split]) for split, work in works.items()}
    require_test(task, listing.splits["test"].labels[rows["test"]], len(skipped["test"]))
    if shots:
        require_train(task, len(rows["train"]), len(skipped["train"]))


def _whether_enough(task: Task, drawn: Draw | UserError, skipped: dict[str, list[int]]) -> UserError | None:
    """Why no prompt can be trained on a draw."""
    if isinstance(drawn, UserError):
        return drawn
    try:
        require_draw(task, drawn, drawn.without(skipped["train"], skipped["validation"]))
    except UserError as why:
        return why
    return None


def _placed(work: Decoding, result: Decoded, final: Path) -> Pool:
    """Move the finished array to its name, without the rows of broken images; what is known of them but labels."""
    whole = np.setdiff1d(np.arange(len(work.rows)), list(result.broken))
    if len(whole) < len(work.rows):
        images = np.load(work.images, mmap_mode="r")
        compact = work.folder / f"{work.stem}.compact.npy"
        kept = np.lib.format.open_memmap(compact, mode="w+", dtype=np.uint8, shape=(len(whole), *images.shape[1:]))
        for start in range(0, len(whole), 256):
            kept[start : start + 256] = images[whole[start : start + 256]]
        kept.flush()
        os.replace(compact, final)
    else:
        os.replace(work.images, final)
    return Pool(np.empty(0), work.rows[whole], result.digests[whole], np.empty(0), _broken(work, result))

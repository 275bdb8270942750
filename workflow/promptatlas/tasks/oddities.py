"""What is odd about the images and labels of a task, in sentences for its notes: nothing here is an error.

One sentence per kind.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from promptatlas.base.messages import counted, some
from promptatlas.tasks import metrics
from promptatlas.tasks.catalogue.checking import MANUAL
from promptatlas.tasks.draws import by_class
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.task import Task
from promptatlas.tasks.twins import UNKNOWN

ADJECTIVES = {"train": "training", "validation": "validation", "test": "test"}
FEW = 3
JOINED = re.compile(r"[,;|/+&]")
FEW_TEST_IMAGES = 30
LARGE, LARGER = 0.5, 1.5  # a share of the test images, and times what it would be were all classes of one size
LOOKED_AT = 256  # images per split that are looked at for one colour
DARK = 32  # an eighth of the range
ONE_COLOUR = 3  # levels of 256 by which the values of each channel of such an image may differ


def oddities(
    task: Task,
    pools: Mapping[str, Pool],
    same: Mapping[str, np.ndarray],
    images: Mapping[str, np.ndarray],
    shots: int,
    held_out: bool = False,
) -> list[str]:
    """Sentences without a full stop. same: what `twins.same_images` finds; images: (N, R, R, 3) by split; shots: per class
    that are wanted for training, 0 for a mere target; held_out: whether the validation images were set aside from the
    training images, of which whoever gave them knows nothing: they count as training images here.
    """
    given, found = _as_given(pools, same) if held_out else (pools, same)
    parts = (
        _leaks(given, found), _copies(given, found), _contradictions(task, given, found), _small(task, pools, shots),
        _unbalanced(task, pools), _one_colour(images), _dark(images), _numbers(task), _several(task),
    )  # fmt: skip
    return [note for part in parts for note in part]


def _as_given(pools: Mapping[str, Pool], same: Mapping[str, np.ndarray]) -> tuple[dict[str, Pool], dict[str, np.ndarray]]:
    """The same with the validation images among the training images."""
    train, held = pools["train"], pools["validation"]
    first = len(train.labels)
    joined = Pool(
        np.concatenate([train.labels, held.labels]), np.concatenate([train.index, held.index + first]),
        np.concatenate([train.digests, held.digests]), train.reference, [*train.skipped, *(number + first for number in held.skipped)],
    )  # fmt: skip
    return {"train": joined, "test": pools["test"]}, {"train": np.concatenate([same["train"], same["validation"]]), "test": same["test"]}


def _leaks(pools: Mapping[str, Pool], same: Mapping[str, np.ndarray]) -> Iterator[str]:
    pairs = (("test", "train"), ("test", "validation"), ("validation", "train"))
    for split, other in pairs:
        if split in pools and other in pools:
            own = same[split][same[split] != UNKNOWN]
            count = int(np.isin(own, same[other][same[other] != UNKNOWN]).sum())
            if count:
                least = "at least " if _partly_known(pools[other], same[other]) else ""
                kind = f"is a {ADJECTIVES[other]} image" if count == 1 else f"are {ADJECTIVES[other]} images"
                yield f"{least}{count:,} of {len(own):,} {ADJECTIVES[split]} images {kind} too"


def _partly_known(pool: Pool, same: np.ndarray) -> bool:
    """Whether some images that could be read were compared with none."""
    return (same == UNKNOWN).sum() > len(pool.skipped)


def _copies(pools: Mapping[str, Pool], same: Mapping[str, np.ndarray]) -> Iterator[str]:
    found = []
    for split in pools:
        known = same[split][same[split] != UNKNOWN]
        copies = len(known) - len(np.unique(known))
        if copies:
            found.append(f"{copies:,} of {len(known):,} {ADJECTIVES[split]} images")
    if found:
        yield f"{_all(found)} are copies of others in the same split"


def _contradictions(task: Task, pools: Mapping[str, Pool], same: Mapping[str, np.ndarray]) -> Iterator[str]:
    """The same image with other labels, in one split or in two."""
    numbers = np.concatenate([same[split] for split in pools])
    labels = np.concatenate([pools[split].labels for split in pools])
    labels = labels if labels.ndim == 2 else labels[:, None]
    numbers, labels = numbers[numbers != UNKNOWN], labels[numbers != UNKNOWN]
    pairs = np.unique(np.column_stack([numbers, labels]), axis=0)
    several, counts = np.unique(pairs[:, 0], return_counts=True)
    several = several[counts > 1]
    if not len(several):
        return
    one = len(several) == 1
    if task.multilabel:
        yield f"{len(several):,} {'image stands there' if one else 'images stand there'} more than once with other labels each time"
        return
    names = [task.class_names[number] for number in pairs[pairs[:, 0] == several[0], 1].astype(int)]
    stand, where = ("image stands", "in") if one else ("images stand", "such as in")
    yield f"{len(several):,} {stand} in more than one class, {where} {_all(names)}"


def _small(task: Task, pools: Mapping[str, Pool], shots: int) -> Iterator[str]:
    tested = pools["test"].labels[pools["test"].index]
    if 0 < len(tested) < FEW_TEST_IMAGES:
        known = metrics.lookup(task.metric).standard_error
        error = known(tested) if known else None
        moved = f", chance alone moves a score by up to {100 * error:.0f} points (one standard error)" if error else ""
        yield f"it has only {counted(len(tested), 'test image')}{moved}"
    means = metrics.lookup(task.metric).mean_over == "classes"
    absent = _fewer(task, tested, 1) if len(tested) else []
    if absent:
        left_out = f", so {task.metric} is a mean over the others: add test images" if means else ""
        yield f"{len(absent)} of {len(task.class_names)} classes have no test image ({some(absent, FEW)}){left_out}"
    held = pools["validation"].labels
    absent = _fewer(task, held, 1) if len(pools["validation"].index) and means else []
    if absent:
        classes = len(task.class_names)
        yield f"{len(absent)} of {classes} classes have no validation image ({some(absent, FEW)}), so epochs are chosen by the others"
    scarce = _fewer(task, pools["train"].labels, shots) if shots else []
    if scarce:
        yield f"{len(scarce)} of {len(task.class_names)} classes have fewer than {shots} training images ({some(scarce, FEW)})"


def _unbalanced(task: Task, pools: Mapping[str, Pool]) -> Iterator[str]:
    """A class of which so many test images are that to name it always looks like a good score."""
    labels = pools["test"].labels[pools["test"].index]
    if task.multilabel or metrics.lookup(task.metric).mean_over != "images" or not len(labels):
        return
    counts = np.bincount(labels, minlength=len(task.class_names))
    share = counts.max() / len(labels)
    if share >= max(LARGE, LARGER / len(counts)):
        name = task.class_names[int(counts.argmax())]
        yield f"{100 * share:.0f} % of the test images are of class {name}, so to answer it always scores that much; {metrics.BALANCED}"


def _fewer(task: Task, labels: np.ndarray, wanted: int) -> list[str]:
    """Classes with fewer images than `wanted`."""
    counts = by_class(labels, len(task.class_names))
    return [name for name, count in zip(task.class_names, counts, strict=True) if count < wanted]


def _one_colour(images: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Images without anything to see; of large splits some are looked at."""
    looked, flat = 0, 0
    for values in images.values():
        rows = _some(values)
        looked += len(rows)
        flat += sum(bool((np.ptp(np.asarray(values[row]), axis=(0, 1)) < ONE_COLOUR).all()) for row in rows)
    if flat:
        yield f"{flat:,} of {looked:,} images that were looked at are of one colour"


def _dark(images: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Images that use next to nothing of the range that their files have, as numbers of 12 bits in files of 16 do."""
    brightest, looked = 0, 0
    for values in images.values():
        rows = _some(values)
        looked += len(rows)
        brightest = max([brightest, *(int(np.asarray(values[row]).max()) for row in rows)])
    if looked and brightest < DARK:
        yield (
            f"the brightest value in {counted(looked, 'image')} that were looked at is {brightest} of 255, so they are nearly black; "
            "if their files hold numbers of fewer bits than they have room for (12 in 16, say), scale the numbers to the whole range "
            "(those of 12 bits by 16)"
        )


def _some(values: np.ndarray) -> np.ndarray:
    """Rows of the images of a split that are looked at."""
    return np.unique(np.linspace(0, len(values) - 1, min(len(values), LOOKED_AT)).round().astype(int))


def _numbers(task: Task) -> Iterator[str]:
    said = any(word in template for template in task.templates for word in ("number", "digit"))
    if not said and all(name.isdigit() for name in task.class_names):
        yield f"its classes are called {some(task.class_names, FEW)}, which says nothing to a prompt; name them with `classes`"


def _several(task: Task) -> Iterator[str]:
    """Classes that are called like two or more others together, as a table writes labels of images that show several."""
    names = {*task.class_names}
    joined = [name for name in task.class_names if len(parts := JOINED.split(name)) > 1 and {part.strip() for part in parts} <= names]
    if joined and not task.multilabel:
        are = "is" if len(joined) == 1 else "are"
        yield (
            f"{len(joined)} of {len(names)} classes {are} called like several others together ({some(map(repr, joined), FEW)}); if images "
            f"show several classes, give each a list of them, in JSON, {MANUAL}"
        )


def _all(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))

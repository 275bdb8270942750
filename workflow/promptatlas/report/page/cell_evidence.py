"""What the page tells of a cell beside its scores: its classes, what it confuses with what, on which test images it differs from the
zero-shot prompt, and which files it is and was computed from.

Everything is counted over the seeds of a cell, from what cell files hold; which class an image is of comes from prepared tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from promptatlas.records.cells import right_answers
from promptatlas.records.given_answers import answered_classes
from promptatlas.study.protocols import TEMPLATE

Cells = Iterable[dict] | Callable[[], Iterable[dict]]
CONFUSIONS, FEWEST = 300_000, 6  # that a page holds of all its cells together, and the least of each
MARKED = {20_000: 12, 150_000: 6}  # cells of one seed, up to which a page holds hashes, with how many digits of each


@dataclass(frozen=True)
class CellFacts:
    """One cell file. scores (C,) by class; right (N,) bool and answers (N,) class numbers of the test images, None if not known."""

    seed: int
    scores: np.ndarray
    right: np.ndarray | None
    answers: np.ndarray | None
    fingerprint: str
    prompt: str


@dataclass(frozen=True)
class Gathered:
    """cells: "protocol/method" -> source -> target -> one per seed; names: the classes of each target in the order of their numbers."""

    cells: Mapping[str, Mapping[str, Mapping[str, list[CellFacts]]]]
    names: Mapping[str, list[str]]

    def of_target(self, target: str, source: str | None = None) -> Iterator[CellFacts]:
        """Its cells, of one source or of all."""
        for sources in self.cells.values():
            for name in sources if source is None else [source]:
                yield from sources.get(name, {}).get(target, ())


def gathered(cells: Cells) -> Gathered:
    """From cell dicts; those that failed have nothing to tell."""
    names: dict[str, list[str]] = {}
    found: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for cell in cells() if callable(cells) else cells:
        if cell.get("failed"):
            continue
        target, parts = cell["target"], cell.get("parts") or {}
        names.setdefault(target, list(cell["per_class"]))
        scores = np.array([cell["per_class"].get(name) for name in names[target]], dtype=float)
        answers = answered_classes(cell)
        found[f"{cell['protocol']}/{cell['method']}"][cell["source"]][target].append(
            CellFacts(
                int(cell["seed"]), scores, right_answers(cell),
                None if answers is None else answers.astype(np.min_scalar_type(max(len(names[target]), 1))),
                str(cell.get("fingerprint") or ""), str(parts.get("prompt") or parts.get("start") or ""),
            )
        )  # fmt: skip
    return Gathered(found, names)


def told(given: Gathered, labels: Mapping[str, np.ndarray], shown: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """ "protocol/method" -> source -> target -> what there is to tell of the cell, all lists over classes in the order of their numbers.

    * classes: scores in per mille, mean over seeds, null without test images; seeds: how many;
    * confused: [own class, class given, how often in all seeds], most frequent first, and `rest`, how many further answers are wrong,
      where test images are known;
    * images: test images, mean over seeds, that only the zero-shot prompt gets right, only this one, and neither;
    * right: of the `shown` test images in how many seeds each is answered right; given: what each is most often answered with;
    * marks: by seed the first digits of the fingerprint and of the hash of the prompt.

    labels: by target the class numbers (N,) of its test images; shown: by target rows of its test images that the page has.
    """
    count = sum(len(targets) for sources in given.cells.values() for targets in sources.values())
    files = sum(len(seeds) for sources in given.cells.values() for targets in sources.values() for seeds in targets.values())
    most = max(FEWEST, CONFUSIONS // max(count, 1))
    digits = next((digits for limit, digits in MARKED.items() if files <= limit), 0)
    return {
        key: {
            source: {
                target: {"classes": class_scores(seeds), "seeds": len(seeds)}
                | confusions(seeds, labels.get(target), most)
                | _images(seeds, sources.get(TEMPLATE, {}).get(target, []))
                | _shown(seeds, shown.get(target))
                | (_marks(seeds, digits) if digits else {})
                for target, seeds in targets.items()
            }
            for source, targets in sources.items()
        }
        for key, sources in given.cells.items()
    }


def class_scores(seeds: Iterable[CellFacts]) -> list[int | None]:
    """Means over seeds in per mille; None for a class without test images."""
    mean = 1000 * np.mean([one.scores for one in seeds], axis=0)
    return [round(value) if np.isfinite(value) else None for value in mean]


def confusions(seeds: Iterable[CellFacts], labels: np.ndarray | None, most: int) -> dict[str, Any]:
    """Wrong answers of all seeds as [own class, class given, how often], most frequent first and at most so many; how many there are
    besides is `rest`. Nothing where answers or labels are not known, or labels are not those that the cells were scored by."""
    wrongs: list[np.ndarray] = []
    classes = 0
    for one in seeds:
        if labels is None or one.answers is None or len(one.answers) != len(labels):
            return {}
        wrong = one.answers != labels
        if one.right is None or (wrong == one.right).any():
            return {}
        classes = len(one.scores)
        wrongs.append(labels[wrong] * classes + one.answers[wrong].astype(np.int64))
    if not wrongs:
        return {}
    found, counts = np.unique(np.concatenate(wrongs), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    confused = [[*divmod(pair, classes), count] for pair, count in zip(found[order].tolist(), counts[order].tolist(), strict=True)]
    return {"confused": confused, "rest": int(counts.sum()) - sum(count for *_, count in confused)}


def _images(seeds: Iterable[CellFacts], hand: Iterable[CellFacts]) -> dict[str, Any]:
    """Test images that one of the two prompts alone gets right, and neither: means over the seeds in which both are known."""
    reference = {one.seed: one.right for one in hand if one.right is not None}
    both = [(one.right, reference[one.seed]) for one in seeds if one.right is not None and one.seed in reference]
    counts = [[(~own & other).sum(), (own & ~other).sum(), (~own & ~other).sum()] for own, other in both if len(own) == len(other)]
    return {"images": [round(float(mean), 1) for mean in np.mean(counts, axis=0)]} if counts else {}


def _shown(seeds: Iterable[CellFacts], rows: np.ndarray | None) -> dict[str, Any]:
    known = [one for one in seeds if one.right is not None and rows is not None and len(rows) and rows.max() < len(one.right)]
    if rows is None or not known:
        return {}
    right = np.sum([one.right[rows] for one in known if one.right is not None], axis=0)
    answers = np.array([one.answers[rows] for one in known if one.answers is not None], dtype=np.int64)
    often = (answers[:, None] == answers).sum(axis=1)  # in how many seeds an image is answered as in this one
    # of the most frequent answers the first class
    given = {"given": np.where(often == often.max(axis=0), answers, answers.max()).min(axis=0).tolist()} if len(answers) else {}
    return {"right": right.tolist()} | given


def _marks(seeds: Iterable[CellFacts], digits: int) -> dict[str, Any]:
    return {"marks": {one.seed: [one.fingerprint[:digits], one.prompt[:digits]] for one in seeds}}


def class_counts(labels: Mapping[str, np.ndarray], names: Mapping[str, list[str]]) -> dict[str, list[int]]:
    """By target how many test images each class has, in the order of `names`."""
    return {target: np.bincount(own, minlength=len(names[target])).tolist() for target, own in labels.items() if target in names}

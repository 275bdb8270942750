"""All candidates on the target's labelled images in one pass: for text prompts the images are encoded once, with visual prompts each is
embedded once for many. What is held at once does not grow with the number of candidates, nor of classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from promptatlas.backbone import Backbone
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line
from promptatlas.base.progress import Say
from promptatlas.base.stage import Stage
from promptatlas.evaluation import doubts, evaluate
from promptatlas.evaluation.contributions import contributions
from promptatlas.exchange.inference import misfitting
from promptatlas.recommendation.candidates import CandidateFile, Found, named, settings_of
from promptatlas.recommendation.labelled import Labelled
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.task import Task
from promptatlas.training import single_task

TOGETHER = 64  # prompts
MOST_BYTES = 128 * 2**20  # of answers, and of class weights, at once
MOST_TOKENS = 1024  # of one prompt in one layer
UNTUNED_SEEDS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """What a prompt did on the N labelled images. contributions: (N,), see `evaluation.contributions`; score: by the target's metric."""

    contributions: np.ndarray
    score: float


@dataclass
class Tried:
    """files: the candidates that have a row, in the order of `rows`; untuned: by method the rows of its untuned prompts of some seeds;
    guessed: a sentence where no score is surely better than guessing; doubts: what is odd about labels and class names; sentences without
    a full stop."""

    files: list[CandidateFile]
    rows: list[Row]
    hand_written: Row
    untuned: dict[str, list[Row]] = field(default_factory=dict)
    guessed: str = ""
    doubts: tuple[str, ...] = ()


def try_all(model: Backbone, target: Labelled, found: Found, say: Say) -> Tried:
    """Rows of all candidates of `found`, and of the prompts beside them; who cannot be tried is left out there, with the reason."""
    seen = SeenImages.of(model, target.task, target.images)
    (hand_written,) = _rows(target, seen.hand_written[None])
    if hand_written is None:
        raise UserError(f"the zero-shot prompt has no score on the images of {target.task.name!r}; look at the model's weights")
    files, rows = answered(model, seen, found, lambda logits: _rows(target, logits), say)
    scores = [row.score for row in (hand_written, *rows)]
    guessed = doubts.guessed(target.task.metric, scores, target.labels, len(target.task.class_names))
    return Tried(files, rows, hand_written, _untuned(model, target, seen, files), guessed, _doubts(target, seen, hand_written.score))


def _doubts(target: Labelled, seen: SeenImages, hand_written: float) -> tuple[str, ...]:
    task, chance = target.task, metrics.chance(target.task.metric, target.labels, len(target.task.class_names))
    mute = doubts.say_nothing(task.class_names, task.templates, seen.classes)
    found = (
        "" if mute else doubts.swapped(task.metric, hand_written, chance, len(target.labels)),
        doubts.codes(task.class_names, task.templates),
        doubts.alike(task.class_names, seen.classes),
    )
    return tuple(filter(None, found))


@dataclass(frozen=True)
class SeenImages:
    """Images (N, R, R, 3) uint8 of a task as the model sees them: features (N, D); of the zero-shot prompt the features of class names
    (C, D) and logits (N, C)."""

    task: Task
    images: np.ndarray
    features: np.ndarray
    classes: np.ndarray
    hand_written: np.ndarray

    @classmethod
    def of(cls, model: Backbone, task: Task, images: np.ndarray) -> SeenImages:
        """UserError where a feature is not a number."""
        features = encode_images(model, images)
        if not np.isfinite(features).all():
            raise UserError(f"the model's features of some images of {task.name!r} are not numbers; look at its weights")
        weights = model.class_features(task.class_names, task.templates).cpu().numpy()
        return cls(task, images, features, weights, model.logit_scale * features @ weights.T)


def answered(
    model: Backbone, seen: SeenImages, found: Found, of: Callable[[np.ndarray], Sequence[T | None]], say: Say
) -> tuple[list[CandidateFile], list[T]]:
    """The candidates of `found` in order, and what each one's answers say; who has none is left out there, with the reason.

    of: from logits (K, N, C) by prompt what they say, None where they are not numbers.
    """
    said: dict[int, T] = {}
    marks, done, stage = set[str](), 0, Stage("try", "prompts", say)
    for together in _groups(found.files, seen):
        loaded = list(_loaded(model, together, found, marks))
        said |= {id(file): one for file, one in _answered(model, seen, loaded, found, of)}
        done += len(together)
        stage(done, len(found.files))
    files = [file for file in found.files if id(file) in said]
    return files, [said[id(file)] for file in files]


def _groups(files: Sequence[CandidateFile], seen: SeenImages) -> Iterator[list[CandidateFile]]:
    """Candidates that can run side by side, as many as memory allows."""

    def alike(file: CandidateFile) -> str:
        return json.dumps([file.outline.manner, sorted(file.outline.shapes.items())])

    most = _most(seen)
    for _, group in groupby(sorted(files, key=alike), key=alike):
        own = list(group)
        yield from (own[start : start + most] for start in range(0, len(own), most))


def _most(seen: SeenImages) -> int:
    one = 4 * len(seen.task.class_names) * (len(seen.images) + 1024)
    return max(1, min(TOGETHER, MOST_BYTES // one))


def _loaded(model: Backbone, files: Iterable[CandidateFile], found: Found, seen: set[str]) -> Iterator[tuple[CandidateFile, Prompts]]:
    for file in files:
        try:
            prompts = TunedPrompt.load(file.path)[0].prompts
        except UserError as error:
            found.leave_out(named(file), str(error).replace(str(file.path), file.called))
            continue
        mark = prompts.fingerprint()
        if misfit := misfitting(prompts, model):
            found.leave_out(named(file), f"does not fit the backbone {model.architecture.name}: {misfit}")
        elif any(held.shape[2] > MOST_TOKENS for held in (prompts.text, prompts.visual) if held is not None):
            found.leave_out(named(file), f"has more than {MOST_TOKENS:,} vectors, which no method has")
        elif mark in seen:
            found.leave_out(named(file), "the same prompt as another candidate")
        else:
            seen.add(mark)
            yield file, prompts


def _answered(
    model: Backbone,
    seen: SeenImages,
    loaded: Sequence[tuple[CandidateFile, Prompts]],
    found: Found,
    of: Callable[[np.ndarray], Sequence[T | None]],
) -> Iterator[tuple[CandidateFile, T]]:
    """All side by side or, when that fails, one after the other, so that the one to blame is left out alone."""
    if not loaded:
        return
    try:
        said = of(_logits(model, seen, [prompts for _, prompts in loaded]))
    except (UserError, RuntimeError, ValueError, IndexError) as error:
        if len(loaded) == 1:
            found.leave_out(named(loaded[0][0]), f"cannot be tried: {one_line(error)}")
            return
        for one in loaded:
            yield from _answered(model, seen, [one], found, of)
        return
    for (file, _), own in zip(loaded, said, strict=True):
        if own is not None:
            yield file, own
        else:
            found.leave_out(named(file), "its answers are not numbers")


def _logits(model: Backbone, seen: SeenImages, prompts: list[Prompts]) -> np.ndarray:
    return evaluate.answers(model, seen.task.class_names, seen.images, seen.features, prompts)


def finite(logits: np.ndarray) -> np.ndarray:
    """(K,) whether the largest logits (K, N, C) of all images are numbers."""
    return np.asarray(np.isfinite(logits.max(axis=-1)).all(axis=-1))


def _rows(target: Labelled, logits: np.ndarray) -> list[Row | None]:
    """One per prompt, from logits (K, N, C); None where they, or the score, are not numbers."""
    metric, sound = target.task.metric, finite(logits)
    given: Any = logits[sound].argmax(axis=-1) if metrics.lookup(metric).of_right_answers else logits[sound]
    rows = iter(contributions(metric, given, target.labels) if sound.any() else ())
    found = [Row(own, float(own.mean())) if own is not None else None for own in (next(rows) if whole else None for whole in sound)]
    return [row if row is not None and np.isfinite(row.score) else None for row in found]


def _untuned(model: Backbone, target: Labelled, seen: SeenImages, files: Sequence[CandidateFile]) -> dict[str, list[Row]]:
    """By method the untuned prompts of a few of the seeds and settings that candidates were trained with, where these are known."""
    starts: dict[str, dict[tuple[str, int], None]] = {}
    for file in files:
        if settings := settings_of(file):
            starts.setdefault(file.method, {})[settings, file.seed] = None
    rows: dict[str, list[Row]] = {}
    for method, several in starts.items():
        for settings, seed in list(several)[:UNTUNED_SEEDS]:
            try:
                prompt = single_task.scratch(model, method, json.loads(settings), seed)
                rows.setdefault(method, []).extend(filter(None, _rows(target, _logits(model, seen, [prompt.prompts]))))
            except (UserError, RuntimeError, ValueError):
                break  # of a method for other backbones
    return rows

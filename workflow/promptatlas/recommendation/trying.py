"""All candidates on the target's labelled images in one pass: for text prompts the images are encoded once, with visual prompts each is
embedded once for many. What is held at once does not grow with the number of candidates, nor of classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from promptatlas.backbone import Backbone
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line
from promptatlas.base.progress import Meter, Say
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.contributions import contributions
from promptatlas.exchange.inference import misfitting
from promptatlas.recommendation.candidates import CandidateFile, Found, named, settings_of
from promptatlas.recommendation.labelled import Labelled
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.training import single_task

TOGETHER = 64  # prompts
MOST_BYTES = 128 * 2**20  # of answers, and of class weights, at once
MOST_TOKENS = 1024  # of one prompt in one layer
UNTUNED_SEEDS = 3


@dataclass(frozen=True)
class Row:
    """What a prompt did on the N labelled images. contributions: (N,), see `evaluation.contributions`; score: by the target's metric."""

    contributions: np.ndarray
    score: float


@dataclass
class Tried:
    """files: the candidates that have a row, in the order of `rows`; untuned: by method the rows of its untuned prompts of some seeds."""

    files: list[CandidateFile]
    rows: list[Row]
    hand_written: Row
    untuned: dict[str, list[Row]] = field(default_factory=dict)


def try_all(model: Backbone, target: Labelled, found: Found, say: Say) -> Tried:
    """Rows of all candidates of `found`, and of the prompts beside them; who cannot be tried is left out there, with the reason."""
    features = encode_images(model, target.images)
    if not np.isfinite(features).all():
        raise UserError(f"the model's features of some images of {target.task.name!r} are not numbers; look at its weights")
    weights = model.class_features(target.task.class_names, target.task.templates).cpu().numpy()
    hand_written = _row(target, (model.logit_scale * features @ weights.T)[None])[0]
    tried, seen = Tried([], [], hand_written), set[str]()
    meter, done, total = Meter("try", "prompts", say), 0, len(found.files)
    for together in _groups(found.files, target):
        loaded = list(_loaded(model, together, found, seen))
        for file, row in _answered(model, target, features, loaded, found):
            tried.files.append(file)
            tried.rows.append(row)
        done += len(together)
        meter(done, total)
    order = {id(file): number for number, file in enumerate(found.files)}
    both = sorted(zip(tried.files, tried.rows, strict=True), key=lambda pair: order[id(pair[0])])
    tried.files, tried.rows = [file for file, _ in both], [row for _, row in both]
    tried.untuned = _untuned(model, target, features, tried.files)
    return tried


def _groups(files: Sequence[CandidateFile], target: Labelled) -> Iterator[list[CandidateFile]]:
    """Candidates that can run side by side, as many as memory allows."""

    def alike(file: CandidateFile) -> str:
        return json.dumps([file.outline.manner, sorted(file.outline.shapes.items())])

    most = _most(target)
    for _, group in groupby(sorted(files, key=alike), key=alike):
        own = list(group)
        yield from (own[start : start + most] for start in range(0, len(own), most))


def _most(target: Labelled) -> int:
    one = 4 * len(target.task.class_names) * (len(target.labels) + 1024)
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
    model: Backbone, target: Labelled, features: np.ndarray, loaded: Sequence[tuple[CandidateFile, Prompts]], found: Found
) -> Iterator[tuple[CandidateFile, Row]]:
    """All side by side or, when that fails, one after the other, so that the one to blame is left out alone."""
    if not loaded:
        return
    try:
        rows = _rows(model, target, features, [prompts for _, prompts in loaded])
    except (UserError, RuntimeError, ValueError, IndexError) as error:
        if len(loaded) == 1:
            found.leave_out(named(loaded[0][0]), f"cannot be tried: {one_line(error)}")
            return
        for one in loaded:
            yield from _answered(model, target, features, [one], found)
        return
    for (file, _), row in zip(loaded, rows, strict=True):
        if np.isfinite(row.score):
            yield file, row
        else:
            found.leave_out(named(file), "its answers are not numbers")


def _rows(model: Backbone, target: Labelled, features: np.ndarray, prompts: list[Prompts]) -> list[Row]:
    return _row(target, evaluate.answers(model, target.task.class_names, target.images, features, prompts))


def _row(target: Labelled, logits: np.ndarray) -> list[Row]:
    """One per prompt, from logits (K, N, C); with the score nan where they are not numbers."""
    metric, nothing = target.task.metric, Row(np.full(len(target.labels), np.nan), float("nan"))
    sound = np.isfinite(logits.max(axis=-1)).all(axis=-1)
    given: Any = logits[sound].argmax(axis=-1) if metrics.lookup(metric).of_right_answers else logits[sound]
    rows = iter(contributions(metric, given, target.labels) if sound.any() else ())
    found = [next(rows) if whole else None for whole in sound]
    return [nothing if own is None else Row(own, float(own.mean())) for own in found]


def _untuned(model: Backbone, target: Labelled, features: np.ndarray, files: Sequence[CandidateFile]) -> dict[str, list[Row]]:
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
                rows.setdefault(method, []).extend(_rows(model, target, features, [prompt.prompts]))
            except (UserError, RuntimeError, ValueError):
                break  # of a method for other backbones
    return rows

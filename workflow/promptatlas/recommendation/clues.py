"""What is known of candidates on images without labels: of their answers, of how close their sources lie, of how good they were elsewhere.

Each clue is a number per candidate, larger = better. None of them is a score.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.backbone import Backbone
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.base.progress import Say
from promptatlas.evaluation import doubts, similarity, unlabelled
from promptatlas.evaluation.estimates import ESTIMATORS, Observed, estimate
from promptatlas.evaluation.similarity import label, visual
from promptatlas.exchange import summaries
from promptatlas.exchange.summaries import Summary
from promptatlas.recommendation import static_list
from promptatlas.recommendation.candidates import CandidateFile, Found, Place
from promptatlas.recommendation.loose import Loose
from promptatlas.recommendation.trying import SeenImages, answered, finite
from promptatlas.study.paths import Paths

STATIC_LIST = "static_list"
OF_ANSWERS = tuple(name for name in unlabelled.estimators() if "majority" not in ESTIMATORS[name].needs)


@dataclass(frozen=True)
class Clues:
    """files: the candidates that answered; values: by clue (P,), NaN where it says nothing; notes: which clues there are none of, and
    why, in sentences without a full stop."""

    files: list[CandidateFile]
    values: dict[str, np.ndarray]
    notes: tuple[str, ...]


def title(clue: str) -> str:
    """What people call it."""
    if clue == STATIC_LIST:
        return "the mean score on the other tasks"
    return ESTIMATORS[clue].title if clue in ESTIMATORS else similarity.lookup(clue).title


def gather(model: Backbone, target: Loose, found: Found, say: Say) -> Clues:
    """All clues on the candidates of `found`; who cannot answer is left out there, with the reason. UserError if nobody can."""
    seen = SeenImages.of(model, target.task, target.images)
    files, said = answered(model, seen, found, lambda logits: _estimates(logits, seen.hand_written), say)
    if not files:
        raise UserError("none of the prompts could be tried; `left_out` names the reasons")
    values = {name: np.array([own[number] for own in said]) for number, name in enumerate(OF_ANSWERS)}
    own = summaries.summary(target.task.class_names, seen.features, seen.classes)
    notes = [*filter(None, (doubts.codes(target.task.class_names, target.task.templates), doubts.alike(own.class_names, seen.classes)))]
    for place in found.places:
        rows = np.array([file.place == place.name for file in files])
        some = [file for file in files if file.place == place.name]
        elsewhere = {STATIC_LIST: static_list.values(place, some)} if some else {}
        tasks = _features(place, some, len(own.mean)) if some else {}
        if some and not tasks:
            notes.append(f"{plain(place.name)} has no features of its tasks, so how close they are is not known")
        for name, given in (elsewhere | closeness(tasks, own, some)).items():
            values.setdefault(name, np.full(len(files), np.nan))[rows] = given
    return Clues(files, {name: given for name, given in values.items() if np.isfinite(given).any()}, tuple(notes))


def _estimates(logits: np.ndarray, hand_written: np.ndarray) -> list[list[float] | None]:
    """By prompt what the estimators of OF_ANSWERS give."""
    return [_estimated(own, hand_written) if sound else None for own, sound in zip(logits, finite(logits), strict=True)]


def _estimated(logits: np.ndarray, hand_written: np.ndarray) -> list[float]:
    found = estimate(Observed(logits, hand_written=hand_written), OF_ANSWERS)
    return [found[name].value for name in OF_ANSWERS]


def closeness(tasks: Mapping[str, Summary], target: Summary, files: Sequence[CandidateFile]) -> dict[str, np.ndarray]:
    """By measure (P,) how close the one task that each candidate was trained on is to a target, as the measures of these names have it
    of features themselves (`evaluation.similarity`); NaN for prompts of several tasks and of tasks that are not known.
    """
    if not tasks:
        return {}
    every = [*tasks.values(), target]
    found = {
        "vis_frechet": [-visual.frechet(one.mean, one.covariance, target.mean, target.covariance) for one in tasks.values()],
        "lab_cover": label.covers([one.classes for one in every])[:-1, -1].tolist(),
    }
    names = [*tasks]
    places = [names.index(file.source) if file.source in tasks and len(file.tasks) == 1 else -1 for file in files]
    return {name: np.array([own[place] if place >= 0 else np.nan for place in places]) for name, own in found.items()}


def _features(place: Place, files: Sequence[CandidateFile], width: int) -> Mapping[str, Summary]:
    """Summaries of a place's tasks, from an atlas or from the features in a study's folder; none of another model's width."""
    found = place.features
    if not found and place.finished is not None and place.given.is_dir():
        found = summaries.of_tasks(Paths.at(place.given), _tasks(place) or sorted({file.source for file in files}))
    return {name: one for name, one in found.items() if len(one.mean) == width}


def _tasks(place: Place) -> list[str]:
    """The tasks of a study, from its configuration as it was run."""
    try:
        listed = json.loads(place.records.get("config.json", b"{}")).get("tasks", [])
    except (ValueError, AttributeError, RecursionError):
        return []
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []

"""The job that tries prompts on labelled training images of targets, which no prompt of the target was trained with: what a user with a
few labelled images of a new task could do, and what choosing a prompt by them is judged by.

Answers are kept, not scores, so that any metric can be computed on any of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from promptatlas.backbone import feature_file
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.stage import through
from promptatlas.evaluation import estimates, evaluate
from promptatlas.evaluation.observe import Observation, observe
from promptatlas.records.fingerprint import digest
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.records.tries_file import TRIES, TriedPrompt, Tries, read_tries
from promptatlas.runs.attempts import Parted, each
from promptatlas.runs.context import Context, OnDemand, classes
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.estimating import Estimating
from promptatlas.runs.known import OfMethod, numerics
from promptatlas.study.jobs import TryJob
from promptatlas.study.protocols import SCRATCH, TEMPLATE
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import nested_draw
from promptatlas.tasks.prepared import ImageRows, PreparedTask
from promptatlas.training import single_task

AT_ONCE = 256 * 2**20  # bytes of logits in memory, unless those of one prompt are more
LARGEST = 512 * 2**20  # bytes of answers in one file, of which there are a few copies while it is made
HAND_WRITTEN = TriedPrompt(TEMPLATE, None)


class Answered(NamedTuple):
    """Of one prompt: answers, predicted classes (N,) or logits (N, C); estimates (E, D, L) as `Tries` has them."""

    answers: np.ndarray
    estimates: np.ndarray


@dataclass(frozen=True)
class DrawnImages:
    """Images of all draws of a target: images (N,), their numbers in the train pool, and shots (D, N) as `Tries` has them."""

    images: np.ndarray
    shots: np.ndarray

    @property
    def sha256(self) -> str:
        return digest([self.images.tolist(), self.shots.tolist()])


class TryPrompts(OfMethod[TryJob]):
    """The answers of all prompts of one method on images of some targets."""

    def __init__(self, at: Context, job: TryJob) -> None:
        super().__init__(at, job)
        self.drawn: Mapping[str, DrawnImages] = OnDemand(self._draw)
        self.scratch: Mapping[int, TunedPrompt] = OnDemand(
            lambda seed: single_task.scratch(self.at.model, self.method, self.settings, seed),
        )

        self.classifiers: Mapping[tuple[str, ...], PromptedClassifier] = OnDemand(self._classifier)

    def _classifier(self, class_names: tuple[str, ...]) -> PromptedClassifier:
        """For all prompts of the method, which have one shape."""
        with torch.no_grad():
            return PromptedClassifier(self.at.model, class_names, self.scratch[self.job.scope.seeds[0]].prompts.to(self.at.model.device))

    def steps(self) -> Iterator[Step]:
        batches = [Batch(target, [self.artifact(target)], self.make) for target in self.job.targets]
        yield Step(f"try {self.method}", "targets to try prompts on", batches)

    def artifact(self, target: str) -> Artifact:
        path, sources = self.study.paths.tries(self.method, target), tuple(self.job.prompt_files(target))
        return Artifact(f"tries {self.method}", path, TRIES, partial(self.inputs, target), target, sources=sources)

    def inputs(self, target: str) -> dict[str, str]:
        """Everything that determines the answers, by name. They do not depend on the metric, but on whether it needs logits."""
        marks = self.marks(target)
        return self.fixed(target) | {"prompts": digest(sorted((source, str(seed), mark) for (source, seed), mark in marks.items()))}

    def fixed(self, target: str) -> dict[str, str]:
        """What determines the answers of every prompt."""
        task, drawn = self.at.tasks[target], self.drawn[target]
        return numerics(self.at.model) | {
            "data_train": task.fingerprint("train", drawn.images),
            "draws": drawn.sha256,
            "classes": classes(task),
            "answers": "logits" if _needs_logits(task) else "predicted classes",
            "estimators": digest([self.study.choice.estimators, estimates.code(self.study.choice.estimators)]),
        }

    def marks(self, target: str) -> dict[TriedPrompt, str]:
        """By prompt what stands for it; also for those that failed, which are tried when they are mended."""
        return {prompt: self._mark(target, prompt) for prompt in self.job.prompts(target)}

    def _mark(self, target: str, prompt: TriedPrompt) -> str:
        """One that failed is withdrawn when the run ends, so that none is there."""
        if prompt == HAND_WRITTEN:
            return self.study.sentences
        if (path := self._path(prompt)) is not None and not path.exists():
            return FAILED
        try:
            return self.prompt(prompt).fingerprint()
        except Failed:
            return FAILED

    def prompt(self, prompt: TriedPrompt) -> TunedPrompt:
        path = self._path(prompt)
        return self.scratch[_seed(prompt)] if path is None else self.at.prompts[path]

    def _path(self, prompt: TriedPrompt) -> Path | None:
        """Where a prompt is; None if it is untrained."""
        return None if prompt.source == SCRATCH else self.study.paths.prompt(self.method, _seed(prompt), prompt.source)

    def _draw(self, target: str) -> DrawnImages:
        task, wanted = self.at.tasks[target], self.study.choice
        labels, skipped = task.pool_labels("train"), task.skipped("train")
        draws = [nested_draw(labels, wanted.shots, seed, target, self.study.config["draw"]).without(skipped) for seed in wanted.draws]
        images = np.unique(np.concatenate([one.images for one in draws]))
        shots = np.zeros((len(draws), len(images)), np.int64)
        for own, one in zip(shots, draws, strict=True):
            own[np.searchsorted(images, one.images)] = one.shots
        return DrawnImages(images, shots)

    def make(self, targets: Sequence[str]) -> list[Tries]:
        return [self._make(target) for target in targets]

    def _make(self, target: str) -> Tries:
        """Only prompts are tried whose answers are not known by now; all if there is no such sound one, which were forced then."""
        task, drawn, marks = self.at.tasks[target], self.drawn[target], self.marks(target)
        self._require_room(task, len(marks) * len(drawn.images))
        known, gaps = self._known(target, marks)
        new = [prompt for prompt in marks if prompt not in known]
        wanted = new if any(marks[prompt] != FAILED for prompt in new) else [*marks]
        estimating = self._estimating(target)
        found = self._answers(target, wanted, estimating)
        answers = known | found.sound
        sound = {prompt: answers[prompt] for prompt in marks if prompt in answers and prompt not in found.failed}
        failed = {prompt: str(why) for prompt, why in found.failed.items()}
        for prompt, told in failed.items():
            self.at.say(f"no answers on {target} of {_called(prompt)}: {told}")
        if not sound:
            raise UserError(f"no prompt has answers: {next(iter(failed.values()))}")
        return Tries(
            tuple(sound), np.stack([one.answers for one in sound.values()]), estimating.labels, drawn.images,
            self.study.choice.draws, drawn.shots, self.study.choice.shots, failed, marks,
            estimating.names, np.stack([one.estimates for one in sound.values()]), {**gaps, **estimating.gaps},
        )  # fmt: skip

    def _known(self, target: str, marks: Mapping[TriedPrompt, str]) -> tuple[dict[TriedPrompt, Answered], Mapping[str, str]]:
        """Answers and estimates that are there already of the same prompts on the same images, and why some estimates are not."""
        path = self.study.paths.tries(self.method, target)
        try:
            before, old = read_tries(path), TRIES.inputs(path)
        except UserError:
            return {}, {}
        if any(old.get(name) != mark for name, mark in self.fixed(target).items()):
            return {}, {}
        held = {prompt: Answered(before.answers[place], before.estimates[place]) for prompt, place in before.places.items()}
        return {prompt: own for prompt, own in held.items() if marks.get(prompt) == before.marks[prompt]}, before.gaps

    def _require_room(self, task: PreparedTask, answers: int) -> None:
        """UserError if so many answers, with a logit for every class, are more than one file should hold."""
        size = 4 * answers * len(task.task.class_names)
        if _needs_logits(task) and size > LARGEST:
            raise UserError(
                f"the answers of all prompts on its drawn images would take {size / 1e9:.1f} GB, as {task.task.metric} needs a number for "
                f"each of {len(task.task.class_names)} classes; lower `draws` or `shots` under `choice`"
            )

    def _estimating(self, target: str) -> Estimating:
        task, drawn, choice = self.at.tasks[target], self.drawn[target], self.study.choice
        encoded, rows = feature_file.load(self.study.paths.encoded(target))[0], task.rows("train", drawn.images)
        features = encoded["features_train"][rows]
        hand_written = evaluate.hand_written(self.at.model, features, encoded["class_features"])
        return Estimating(
            choice.estimators, self.at.model, self.settings, task.task.class_names, ImageRows(task.images("train"), rows), features,
            task.labels("train")[rows], hand_written, drawn.shots, choice.shots,
        )  # fmt: skip

    def _answers(self, target: str, prompts: Sequence[TriedPrompt], given: Estimating) -> Parted[TriedPrompt, Answered]:
        """What each prompt answers and what is estimated of it, or why there is nothing."""
        keeps = _kept_logits if _needs_logits(self.at.tasks[target]) else _kept_classes

        def at_once(some: Sequence[TriedPrompt]) -> list[Answered]:
            own = [self.prompt(prompt).prompts for prompt in some]
            answers = evaluate.answers(self.at.model, given.class_names, given.images, given.features, own)
            return [Answered(keeps(logits), given.of(Observation(logits, None, None))) for logits in answers]

        def estimated(some: Sequence[TriedPrompt]) -> list[Answered]:
            return [self._estimated(prompt, given, keeps) for prompt in some]

        def hand_written(some: Sequence[TriedPrompt]) -> list[Answered]:
            return [Answered(keeps(given.hand_written), given.of(Observation(given.hand_written, None, None))) for _ in some]

        size = 1 if given.names else max(1, AT_ONCE // (4 * len(given.features) * len(given.class_names)))
        others = [prompt for prompt in prompts if prompt != HAND_WRITTEN]
        found: Parted[TriedPrompt, Answered] = each(hand_written, [HAND_WRITTEN]) if HAND_WRITTEN in prompts else Parted({}, {})
        for start in through(range(0, len(others), size), "prompt" if size == 1 else "group of prompts"):
            found |= each(estimated if given.names else at_once, others[start : start + size])
        return found

    def _estimated(self, prompt: TriedPrompt, given: Estimating, keeps: Callable[[np.ndarray], np.ndarray]) -> Answered:
        own, untrained = self.prompt(prompt), prompt.source == SCRATCH
        source = None if untrained else self.classifiers[self.at.tasks[prompt.source].task.class_names]
        seen = observe(self.classifiers[given.class_names], given.images, given.features, own.prompts, source)
        answers = keeps(seen.logits)
        return Answered(answers, given.of(seen, own, None if untrained else self.scratch[_seed(prompt)]))


def _needs_logits(task: PreparedTask) -> bool:
    return not metrics.lookup(task.task.metric).of_right_answers


def _kept_logits(logits: np.ndarray) -> np.ndarray:
    """(N, C) float32."""
    _require_numbers(logits)
    return np.array(logits, dtype=np.float32)


def _kept_classes(logits: np.ndarray) -> np.ndarray:
    """(N,) from logits (N, C)."""
    _require_numbers(logits)
    return logits.argmax(axis=1).astype(np.int16 if logits.shape[1] <= np.iinfo(np.int16).max else np.int32)


def _require_numbers(logits: np.ndarray) -> None:
    if wrong := int((~np.isfinite(logits).all(axis=1)).sum()):
        raise UserError(f"its answers for {wrong} of {len(logits)} images are not numbers")


def _seed(prompt: TriedPrompt) -> int:
    assert prompt.seed is not None, "the zero-shot prompt has no file"
    return prompt.seed


def _called(prompt: TriedPrompt) -> str:
    return "the zero-shot prompt" if prompt == HAND_WRITTEN else f"{prompt.source}, seed {prompt.seed}"

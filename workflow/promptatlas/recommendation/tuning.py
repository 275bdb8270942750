"""Tuning on the target's own images: from the few best candidates and from an untrained prompt, with one budget, chosen on validation
images that neither tuning nor the choice of starts has seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted
from promptatlas.base.progress import Say
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.contributions import contributions
from promptatlas.methods.losses import cross_entropy
from promptatlas.recommendation.candidates import CandidateFile, settings_of
from promptatlas.recommendation.labelled import Labelled
from promptatlas.recommendation.trying import Tried
from promptatlas.recommendation.tuned_gain import TunedGain, tuned_gain
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics, prepared, splits
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.listing import NO_IMAGES, Split
from promptatlas.tasks.prepared import Pool, PreparedTask
from promptatlas.training import single_task

SHARE = 0.25  # of each class, to choose by
HAND_WRITTEN, AS_IT_IS, TUNED = "hand-written", "as it is", "tuned"


@dataclass(frozen=True)
class Contender:
    """What can be used in the end.

    how: hand-written, as it is, or tuned; start: the candidate it is or was tuned from, None for an untrained one; score: by the target's
    metric on the validation images; loss: the mean cross-entropy there; prompt: None for the zero-shot one; settings: that it was
    trained with.
    """

    how: str
    method: str
    start: CandidateFile | None
    score: float
    loss: float
    prompt: TunedPrompt | None
    settings: dict[str, Any] | None = None


@dataclass(frozen=True)
class Tuning:
    """contenders: in order of their validation score, best first, and of equal ones by their loss, as few images make many equal; draw:
    which images were used for what; seed: of the untrained prompts and of the order of images; gain: the winner's over the zero-shot
    prompt.
    """

    contenders: tuple[Contender, ...]
    draw: Draw
    seed: int
    gain: TunedGain

    @property
    def winner(self) -> Contender:
        return self.contenders[0]


def draw_of(target: Labelled) -> Draw:
    """A quarter of each class to choose by, one image at least where there are two. UserError where no class has two."""
    parts = splits.hold_out(Split(NO_IMAGES, target.labels, ""), SHARE, target.task.name)
    train, validation = (np.asarray(part.images.rows) for part in parts)  # type: ignore[attr-defined]
    if not len(validation):
        raise UserError(
            f"--tune needs two labelled images of some class, one to train on and one to choose by; {target.task.name!r} has one of each"
        )
    if why := metrics.undefined(target.task.metric, target.labels[validation]):
        raise UserError(f"--tune: {target.task.metric} has no value on the {len(validation)} images to choose by: {why}; add images")
    return Draw(train, validation, "train", target.labels[train], target.labels[validation])


def tune(model: Backbone, target: Labelled, tried: Tried, count: int, seed: int, folder: Path, say: Say) -> Tuning:
    """Tune from the `count` candidates that are best on the training part, and from an untrained prompt of each method among them.

    folder: for the images as a prepared task. UserError if nothing can be tuned from any candidate.
    """
    drawn = draw_of(target)
    starts = starts_of(tried, drawn, count)
    task, scores = prepared_task(target, folder), ValidationScores(model, target, drawn.validation)
    contenders = [Contender(HAND_WRITTEN, "", None, *scores.hand_written(), None)]
    for method, settings in dict.fromkeys((file.method, settings_of(file)) for file in starts):
        own = [file for file in starts if (file.method, settings_of(file)) == (method, settings)]
        say(f"tune {method} from {counted(len(own), 'prompt')} and an untrained one on {counted(len(drawn.train), 'image')}")
        contenders += _of_method(model, task, method, json.loads(settings), own, drawn, seed, scores)
    ranked = best_first(contenders)
    return Tuning(ranked, drawn, seed, tuned_gain(scores.gained(ranked[0].prompt), len(ranked) - 1))


def starts_of(tried: Tried, drawn: Draw, count: int) -> list[CandidateFile]:
    """The `count` candidates that can be tuned and are best on the training part, the best first. UserError if there is none."""
    score = np.array([row.contributions[drawn.train].mean() for row in tried.rows])
    ranked = [tried.files[row] for row in np.argsort(-score, kind="stable")]
    starts = [file for file in ranked if _trainable(file)][:count]
    if not starts:
        raise UserError("none of the candidates can be tuned: their files have no learnables, or their methods or settings are not known")
    return starts


def best_first(contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """By score; of equal scores by loss, as few images make many equal; then what needs least."""
    order = (HAND_WRITTEN, AS_IT_IS, TUNED)
    return tuple(sorted(contenders, key=lambda one: (-one.score, one.loss, order.index(one.how))))


def _of_method(
    model: Backbone, task: PreparedTask, method: str, settings: dict[str, Any], starts: Sequence[CandidateFile], drawn: Draw, seed: int,
    scores: ValidationScores,
) -> list[Contender]:  # fmt: skip
    """The starts as they are and tuned. All are tuned side by side: the same images in the same order, the same number of steps."""
    begun = [TunedPrompt.load(file.path)[0] for file in starts] + [single_task.scratch(model, method, settings, seed)]
    tuned = single_task.tune_task(model, method, settings, task, [drawn] * len(begun), [seed] * len(begun), begun)
    some: list[tuple[str, CandidateFile | None, TunedPrompt]] = [
        (AS_IT_IS, file, prompt) for file, prompt in zip(starts, begun[:-1], strict=True)
    ]
    some += [(TUNED, file, prompt) for file, prompt in zip([*starts, None], tuned, strict=True)]
    values = scores([prompt.prompts for _, _, prompt in some])
    return [Contender(how, method, file, *value, prompt, settings) for (how, file, prompt), value in zip(some, values, strict=True)]


class ValidationScores:
    """Scores on the validation images by the target's metric."""

    def __init__(self, model: Backbone, target: Labelled, rows: np.ndarray) -> None:
        self.model, self.task = model, target.task
        self.images, self.labels = target.images[rows], target.labels[rows]
        self.features = encode_images(model, self.images)

    def __call__(self, prompts: list[Prompts]) -> list[tuple[float, float]]:
        """By prompt the score and the loss."""
        return [self._of(own) for own in evaluate.answers(self.model, self.task.class_names, self.images, self.features, prompts)]

    def hand_written(self) -> tuple[float, float]:
        return self._of(self._hand_written())

    def gained(self, prompt: TunedPrompt | None) -> np.ndarray:
        """(N,) what each image contributes to the score of a prompt less what it does to that of the zero-shot one, None."""
        own = self._hand_written()
        given = evaluate.answers(self.model, self.task.class_names, self.images, self.features, [prompt.prompts])[0] if prompt else own
        mine, theirs = contributions(self.task.metric, np.stack([given, own]), self.labels)
        return np.asarray(mine - theirs)

    def _hand_written(self) -> np.ndarray:
        weights = self.model.class_features(self.task.class_names, self.task.templates).cpu().numpy()
        return np.asarray(self.model.logit_scale * self.features @ weights.T)

    def _of(self, logits: np.ndarray) -> tuple[float, float]:
        loss = cross_entropy(torch.from_numpy(logits)[None], torch.from_numpy(self.labels)[None])
        return metrics.score(self.task.metric, logits, self.labels).value, float(loss.mean())


def _trainable(file: CandidateFile) -> bool:
    return file.outline.trainable and bool(settings_of(file))


def prepared_task(target: Labelled, folder: Path) -> PreparedTask:
    """The labelled images as the training images of a task."""
    none = Pool.whole(target.images[:0], target.labels[:0])
    pools = {"train": Pool.whole(target.images, target.labels), "validation": none, "test": none}
    prepared.write(folder, target.task, pools, [{"split": "train"}], {"train": np.asarray(target.images)})
    return PreparedTask.open(folder)


def card_of(tuning: Tuning, target: Labelled, model: Backbone, name: str, origin: str) -> dict[str, str]:
    """The card of the tuned prompt that won. name: of the backbone; origin: what it was tuned from, in words."""
    won = tuning.winner
    assert won.prompt is not None
    drawn = tuning.draw
    return card.write(
        method=won.method,
        settings=won.settings,
        backbone={"name": name, "sha256": model.fingerprint},
        precision=model.precision,
        task=target.task.name,
        class_names=list(target.task.class_names),
        resize=target.resize,
        seed=tuning.seed,
        draw={"sha256": drawn.sha256, "shots": target.shots, "train": len(drawn.train), "validation": len(drawn.validation)},
        validation={"metric": target.task.metric, "score": won.score, "epoch": won.prompt.best_epoch},
        origin=origin or None,
    )

"""What all prompts of a method answer on labelled training images of one target, as one file.

The metric of the target can be computed from it on any of its images. A prompt that failed has no answers, and the file says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from promptatlas.base.errors import FAILED, Failed, UserError, of_the_disk
from promptatlas.base.json_record import require_known
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.kind import Kind

TENSORS = ("answers", "labels", "images", "shots", "estimates")


class TriedPrompt(NamedTuple):
    """A prompt: its source, which may be a row beside the tasks, and its seed; the zero-shot prompt has none."""

    source: str
    seed: int | None


@dataclass(frozen=True)
class Tries:
    """Answers of K prompts on N labelled images of a target.

    answers: predicted classes (K, N), int16 or int32, or logits (K, N, C) float32 where the metric needs them. labels: class numbers
    (N,) or marks (N, C). images: (N,) numbers in the train pool. draws: the seeds of D draws; shots: (D, N) the smallest number of
    images per class with which a draw has an image, 0 if it has not got it at all; levels: the numbers of images per class that there are.
    estimators: E names; estimates: (K, E, D, L) float32 of each prompt from the images of a draw at a level, NaN where one has no value;
    gaps: by estimator why not, of the first such prompt. failed: why there are no answers of further prompts. marks: what the answers of
    each prompt, failed or not, were made from.
    """

    prompts: tuple[TriedPrompt, ...]
    answers: np.ndarray
    labels: np.ndarray
    images: np.ndarray
    draws: tuple[int, ...]
    shots: np.ndarray
    levels: tuple[int, ...]
    failed: Mapping[TriedPrompt, str] = field(default_factory=dict)
    marks: Mapping[TriedPrompt, str] = field(default_factory=dict)
    estimators: tuple[str, ...] = ()
    estimates: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0, 0), np.float32))
    gaps: Mapping[str, str] = field(default_factory=dict)

    def rows(self, draw: int, shots: int) -> np.ndarray:
        """Which of the N images are in the draw of that seed with so many images per class."""
        own = self.shots[self.draws.index(draw)]
        return np.flatnonzero((own > 0) & (own <= shots))

    def estimated(self, draw: int, shots: int) -> dict[str, np.ndarray]:
        """By estimator (K,) what it gives of each prompt on the images that `rows` has; none if nothing was estimated."""
        own = self.estimates[:, :, self.draws.index(draw), self.levels.index(shots)] if self.estimators else np.empty((0, 0))
        return {name: own[:, place] for place, name in enumerate(self.estimators)}

    @cached_property
    def places(self) -> Mapping[TriedPrompt, int]:
        """Where the answers of a prompt are."""
        return {prompt: place for place, prompt in enumerate(self.prompts)}


def read_tries(path: Path) -> Tries:
    """The tries stored at `path`; UserError if they are missing or damaged, Failed if the file says why there are none."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Tries, Mapping[str, str]]:
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            require_known(about, path)
            if FAILED in about:
                raise Failed(f"tries failed: {about[FAILED]}")
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        tries = Tries(
            **tensors,
            prompts=tuple(TriedPrompt(*one) for one in json.loads(about["prompts"])),
            draws=tuple(json.loads(about["draws"])),
            levels=tuple(json.loads(about["levels"])),
            failed={TriedPrompt(*one): why for *one, why in json.loads(about["without_answers"])},
            marks={TriedPrompt(*one): mark for *one, mark in json.loads(about["marks"])},
            estimators=tuple(json.loads(about["estimators"])),
            gaps=json.loads(about["gaps"]),
        )
        sound = _is_sound(tries) and {"fingerprint", "parts"} <= about.keys()
    except FileNotFoundError:
        raise UserError(f"the tries {path} are missing; run the study again") from None
    except SafetensorError as error:
        if of_the_disk(error):
            raise
        sound = False
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"the tries {path} are corrupt; delete the file and run again to make them anew")
    return tries, about


def _is_sound(tries: Tries) -> bool:
    images, answers = len(tries.images), tries.answers
    kinds = answers.dtype in (np.int16, np.int32) if answers.ndim == 2 else answers.ndim == 3 and answers.dtype == np.float32
    shapes = answers.shape[:2] == (len(tries.prompts), images) and len(tries.labels) == images
    estimated = tries.estimates.dtype == np.float32 and (not tries.estimators or tries.estimates.shape == _estimated(tries))
    return bool(kinds and shapes and estimated and tries.shots.shape == (len(tries.draws), images) and np.isfinite(answers).all())


def _estimated(tries: Tries) -> tuple[int, ...]:
    return len(tries.prompts), len(tries.estimators), len(tries.draws), len(tries.levels)


class TriesFile(Kind):
    """The file of tries. Its content are the tries."""

    suffix = "safetensors"

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return dict(json.loads(_read(path)[1]["parts"]))

    def packed(self, content: Tries, inputs: Mapping[str, Any]) -> bytes:
        about = {
            "fingerprint": fingerprint(inputs),
            "parts": json.dumps(dict(inputs), sort_keys=True),
            "prompts": json.dumps(content.prompts),
            "draws": json.dumps(content.draws),
            "levels": json.dumps(content.levels),
            "without_answers": json.dumps([(*prompt, why) for prompt, why in content.failed.items()]),
            "estimators": json.dumps(content.estimators),
            "gaps": json.dumps(dict(content.gaps)),
            "marks": json.dumps([(*prompt, mark) for prompt, mark in content.marks.items()]),
        }
        return save({name: np.ascontiguousarray(getattr(content, name)) for name in TENSORS}, about)

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        return save({}, {FAILED: str(why)})


TRIES = TriesFile()

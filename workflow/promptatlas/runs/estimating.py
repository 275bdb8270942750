"""Estimators of the prompts that are tried on a target, from the images of each draw and level. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from promptatlas.backbone import Backbone
from promptatlas.evaluation.estimates import Observed, estimate, lookup
from promptatlas.evaluation.observe import Observation
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks.prepared import ImageRows
from promptatlas.training import first_step


@dataclass
class Estimating:
    """E estimators on N images of a target: images (N, S, S, 3), features without prompts (N, D), labels (N,) or marks (N, C), hand_written
    logits (N, C). shots (D, N) and levels as `Tries` has them. gaps: by estimator why it has no value, of the first prompt without one."""

    names: tuple[str, ...]
    backbone: Backbone
    settings: Mapping
    class_names: tuple[str, ...]
    images: ImageRows
    features: np.ndarray
    labels: np.ndarray
    hand_written: np.ndarray
    shots: np.ndarray
    levels: Sequence[int]
    gaps: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts = [[np.flatnonzero((own > 0) & (own <= level)) for level in self.levels] for own in self.shots]
        self._gradients: dict[str, list[list[np.ndarray]]] = {}

    def of(self, seen: Observation, prompt: TunedPrompt | None = None, start: TunedPrompt | None = None) -> np.ndarray:
        """(E, D, L) float32 of one prompt from what it makes of all images. prompt: None for the zero-shot one; start: what it was
        tuned from, if it was."""
        history = prompt.history if prompt else []
        validation = history[prompt.best_epoch - 1].get("validation_score") if prompt and history else None
        gradients = self._slopes(start) if start and self._needs("gradient") else None
        delta = first_step.delta(prompt, start) if prompt and start else None
        found = np.full((len(self.names), len(self.parts), len(self.levels)), np.nan, np.float32)
        for d, levels in enumerate(self.parts):
            for level, rows in enumerate(levels):
                observed = Observed(
                    seen.logits[rows], self.labels[rows], _some(seen.features, rows), _some(seen.source_probabilities, rows),
                    self.hand_written[rows], None, delta, gradients[d][level] if gradients else None, validation,
                )  # fmt: skip
                for place, (name, one) in enumerate(estimate(observed, self.names).items()):
                    found[place, d, level] = one.value
                    if one.reason and prompt:
                        self.gaps.setdefault(name, one.reason)
        return found

    def _needs(self, need: str) -> bool:
        return any(need in lookup(name).needs for name in self.names)

    def _slopes(self, start: TunedPrompt) -> list[list[np.ndarray]]:
        """By draw and level the gradient at the start, which all prompts of a seed share."""
        key = start.parameter_fingerprint()
        if key not in self._gradients:
            self._gradients[key] = [[self._slope(start, rows) for rows in levels] for levels in self.parts]
        return self._gradients[key]

    def _slope(self, start: TunedPrompt, rows: np.ndarray) -> np.ndarray:
        images = ImageRows(self.images, rows)
        return first_step.gradient(
            self.backbone, dict(self.settings), self.class_names, images, self.features[rows], self.labels[rows], start
        )


def _some(array: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if array is None else array[rows]

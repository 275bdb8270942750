"""Microbenchmarks of what a study does to find out how well a prompt can be chosen: estimators, and the table `choice`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from promptatlas.analysis.choice.book import book
from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.backbone import Backbone
from promptatlas.evaluation import estimates, similarity
from promptatlas.evaluation.observe import Observation
from promptatlas.plan.made_up import Benchmark, MadeUp, Run, features, sized
from promptatlas.runs.estimating import Estimating
from promptatlas.study.choice import ChoiceOptions
from promptatlas.study.costs import MethodCosts, Work, choosing as counted
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import ImageRows
from promptatlas.training import single_task


def estimating(model: Backbone, method: MethodCosts, typical: Sequence[Size], choice: ChoiceOptions) -> list[Benchmark]:
    """Estimators of one prompt from what it makes of the images of one draw of all levels; gradients count as steps of tuning."""
    names = tuple(name for name in choice.estimators if "gradient" not in estimates.lookup(name).needs)
    width = model.architecture.embed_dim

    def ready(classes: int, levels: Sequence[int]) -> Run:
        images = classes * max(levels)
        task, rng = MadeUp(sized(classes, images, 0), 1), np.random.default_rng(0)
        shots = np.arange(images)[None] // classes + 1
        logits, probabilities = (rng.normal(size=(images, classes)).astype(np.float32) for _ in range(2))
        seen = Observation(
            logits, features(images, width) if method.visual else None, np.exp(probabilities) / np.exp(probabilities).sum(1, keepdims=True)
        )
        start = single_task.scratch(model, method.name, dict(method.settings), 0)
        rows = ImageRows(task.images("train"), np.arange(images))
        given = Estimating(
            names, model, method.settings, task.task.class_names, rows, features(images, width), task.labels("train"), logits, shots, levels
        )  # fmt: skip
        return partial(given.of, seen, start, start)

    sizes = [(2, (2,)), (6, (2,)), (2, (6,)), *((size.classes, choice.shots) for size in typical)]
    works = [
        method.estimating(replace(sized(classes, 0, 0), tried=0), [sized(1, 0, 0)], classes * sum(levels)) for classes, levels in sizes
    ]
    own = [Work({name: count for name, count in work.items() if name.startswith("estimate")}) for work in works]
    return [(work, partial(ready, *size)) for work, size in zip(own, sizes, strict=True)]


def choosing(study: Study, tasks: int, seeds: int) -> Benchmark:
    """The table `choice` of few tasks, one method, draw and number of images, with as many measures as the study has."""
    names = [f"measure {number}" for number in range(len(study.choice.estimators) + len(similarity.chosen(study.config["similarity"])))]

    def ready() -> Run:
        rng, images, evidences = np.random.default_rng(0), 16, []
        for target in range(tasks):
            those = tuple(
                Candidate("made up", f"task {source}", seed) for source in range(tasks) if source != target for seed in range(seeds)
            )
            right = (rng.random((len(those) + 1, images)) < 0.6).astype(float)
            measures = {name: rng.normal(size=len(those)) for name in names}
            evidences.append(
                Evidence(
                    f"task {target}",
                    those,
                    right[1:],
                    right[0],
                    np.arange(images) % 4,
                    0,
                    4,
                    measures=measures,
                    truth=rng.random(len(those)),
                    reference_truth=0.5,
                )
            )
        return partial(book, evidences)

    return counted(tasks, tasks, seeds, 1, 1), ready

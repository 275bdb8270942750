"""What a study has of a task before anything is trained, and how a method's answers become a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from promptatlas.backbone import Backbone, feature_file
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.score import CHOICES
from promptatlas.runs.context import Context, OnDemand, classes
from promptatlas.study.jobs import MethodJob
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask

MethodJobT = TypeVar("MethodJobT", bound=MethodJob)


@dataclass(frozen=True)
class FewShotFeatures:
    """Frozen unit features (N, D) and labels (N,) or marks (N, C) of the drawn images, on one device."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Described:
    """What tells whether results on a task still hold, by seed where draws differ; no image is looked at.

    Of a seed whose draw failed, `draws` raises why; the others are there.
    """

    prepared: PreparedTask
    draws: Mapping[int, Draw]

    def trained_on(self, seed: int) -> dict[str, str]:
        """All of a task that a method is trained on, by name."""
        task, drawn = self.prepared, self.draws[seed]
        return {
            "task": task.task.name,
            "data_train": task.fingerprint("train", drawn.train),
            "data_validation": task.fingerprint(drawn.validation_split, drawn.validation),
            "draw": drawn.sha256,
            "classes": classes(task),
            "metric": metrics.mark(task.task.metric),
        }

    def tested_on(self) -> dict[str, str]:
        """All of a task that turns logits into a score, by name."""
        return {"data_test": self.prepared.fingerprint("test"), "metric": metrics.mark(self.prepared.task.metric)}


@dataclass(frozen=True)
class Known(Described):
    """The arrays of a task on one device, and its few-shot images by seed."""

    class_features: Tensor
    test: Tensor
    few_shot: Mapping[int, FewShotFeatures]


class OfMethod(Generic[MethodJobT]):
    """What a job of one method has at hand. known: tasks by name, each read when it is first asked for."""

    def __init__(self, at: Context, job: MethodJobT) -> None:
        self.at, self.study, self.job, self.method = at, at.study, job, job.method
        self.settings = at.study.settings(job.method)
        self.known: Mapping[str, Known] = OnDemand(partial(known, at))


def described(at: Context, name: str) -> Described:
    """What there is to say of a task of the study. Raises Failed if it failed."""
    return Described(at.tasks[name], OnDemand(lambda seed: at.draws[name, seed]))


def known(at: Context, name: str) -> Known:
    """The task with its features on the device of the model. Raises Failed if it failed."""
    about, encoded = described(at, name), feature_file.load(at.study.paths.encoded(name))[0]
    prepared, draws = about.prepared, about.draws
    arrays = {key: torch.from_numpy(array).to(at.model.device) for key, array in encoded.items()}

    def images(split: str, numbers: Any, labels: Any) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(prepared.rows(split, numbers)).to(at.model.device)
        return arrays[f"features_{split}"][rows], torch.from_numpy(labels).to(at.model.device)

    def few_shot(seed: int) -> FewShotFeatures:
        drawn = draws[seed]
        return FewShotFeatures(
            images("train", drawn.train, drawn.train_labels),
            images(drawn.validation_split, drawn.validation, drawn.validation_labels),
        )

    return Known(prepared, draws, arrays["class_features"], arrays["features_test"], OnDemand(few_shot))


def numerics(model: Backbone) -> dict[str, str]:
    """What of the arithmetic determines a result, by name."""
    return {"backbone": model.fingerprint, "precision": model.precision, "numerics": str(NUMERICS_VERSION)}


def scored(method: str, seed: int, known: Known, logits: Tensor, seconds: float, **chosen: float | None) -> dict[str, Any]:
    """The content of a score. logits (N, C) of the test images; chosen: epoch, alpha and beta as far as the method has them."""
    task = known.prepared
    result = metrics.score(task.task.metric, logits.float().cpu().numpy(), task.labels("test"))
    return {
        "method": method,
        "seed": seed,
        "target": task.task.name,
        "metric": task.task.metric,
        "score": float(result.value),
        "chance": float(result.chance),
        **dict.fromkeys(CHOICES),
        **chosen,
        "seconds": round(seconds, 6),
    }

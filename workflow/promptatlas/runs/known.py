"""What a study has of a task before anything is learned, on one device, and how a method's answers become a record.

Knows nothing of how a method learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptatlas.backbone import feature_file
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.cells import fingerprint
from promptatlas.runs.prepare import OnDemand, classes, read_draw
from promptatlas.runs.score_record import CHOICES
from promptatlas.runs.tune import PRECISION
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask


@dataclass(frozen=True)
class FewShot:
    """Frozen unit features (N, D) and labels (N,) or marks (N, C) of the drawn pictures, on one device."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Described:
    """What tells whether results on a task still hold, by seed where draws differ; no picture is looked at.

    Of a seed whose draw failed, `draws` raises why; the others are there.
    """

    prepared: PreparedTask
    draws: Mapping[int, Draw]

    @classmethod
    def read(cls, study: Study, name: str) -> Described:
        prepared = PreparedTask.open(study.paths.task_folder(name))
        return Described(prepared, OnDemand(lambda seed: read_draw(study.paths.draw(name, seed))))

    def learned_from(self, seed: int) -> dict[str, str]:
        """All of a task that a method learns from, by name."""
        task, drawn = self.prepared, self.draws[seed]
        return {
            "task": task.task.name,
            "data_train": task.fingerprint("train", drawn.train),
            "data_validation": task.fingerprint(drawn.validation_split, drawn.validation),
            "draw": drawn.sha256,
            "classes": classes(task),
            "metric": task.task.metric,
        }

    def tested_on(self) -> dict[str, str]:
        """All of a task that turns logits into a score, by name."""
        return {"data_test": self.prepared.fingerprint("test"), "metric": self.prepared.task.metric}


@dataclass(frozen=True)
class Known(Described):
    """What the study has of a task before anything is learned: its arrays, and the few-shot pictures by seed."""

    class_features: Tensor
    test: Tensor
    few_shot: Mapping[int, FewShot]

    @classmethod
    def of(cls, study: Study, name: str, device: torch.device) -> Known:
        described, encoded = Described.read(study, name), feature_file.load(study.paths.encoded(name))[0]
        prepared = described.prepared
        arrays = {key: torch.from_numpy(array).to(device) for key, array in encoded.items()}

        def pictures(split: str, numbers: Any, labels: Any) -> tuple[Tensor, Tensor]:
            rows = torch.from_numpy(prepared.rows(split, numbers)).to(device)
            return arrays[f"features_{split}"][rows], torch.from_numpy(labels).to(device)

        def few_shot(seed: int) -> FewShot:
            drawn = described.draws[seed]
            return FewShot(
                pictures("train", drawn.train, drawn.train_labels),
                pictures(drawn.validation_split, drawn.validation, drawn.validation_labels),
            )

        return cls(prepared, described.draws, arrays["class_features"], arrays["features_test"], OnDemand(few_shot))


def numerics(backbone: str) -> dict[str, str]:
    return {"backbone": backbone, "precision": PRECISION, "numerics": str(NUMERICS_VERSION)}


def record(
    method: str, seed: int, known: Known, logits: Tensor, parts: dict[str, str], seconds: float, **chosen: float | None
) -> dict[str, Any]:
    """logits (N, C) of the test pictures; chosen: epoch, alpha and beta as far as the method has them."""
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
        "fingerprint": fingerprint(parts),
        "parts": parts,
    }

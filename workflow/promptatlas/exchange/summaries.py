"""What the features of tasks tell in a few numbers: by task the mean and covariance of its images, and its class names with theirs. An
atlas has them in `features.safetensors`, so that whoever has it can say how close images and class names of theirs lie to each task.

    <number>.mean (D,), <number>.covariance (D (D + 1) / 2,) its upper triangle row by row, <number>.classes (C, D), all float32
    metadata: summaries, as JSON {"version", "tasks": [{"name", "class_names", "images"}, ...]}, in the order of the numbers

No image can be got back from them. What is read may come from anyone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from promptatlas.base import json_record
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.json_record import require_known
from promptatlas.evaluation import similarity
from promptatlas.evaluation.similarity.samples import equal_samples
from promptatlas.runs.comparable import comparable
from promptatlas.study.paths import Paths

NAME = "features.safetensors"
KEY = "summaries"  # one key: safetensors writes several in any order, and archives have to be the same again


@dataclass(frozen=True)
class Summary:
    """Of one task. mean (D,) and covariance (D, D), shrunk, of the features of so many of its training `images`; classes: (C, D) the
    features of its class names."""

    class_names: tuple[str, ...]
    images: int
    mean: np.ndarray
    covariance: np.ndarray
    classes: np.ndarray


def summary(class_names: Iterable[str], features: np.ndarray, classes: np.ndarray) -> Summary:
    """From features (N, D) of images and (C, D) of class names."""
    mean, covariance = moments(features)
    return Summary(tuple(class_names), len(features), mean, covariance, np.asarray(classes))


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and covariance (D, D) of features (N, D), shrunk towards a multiple of the identity by Ledoit and Wolf (2004).

    The same to the bit on any number of threads, as archives have to be, which scikit-learn's is not.
    """
    given = np.asarray(features, dtype=np.float64)
    mean = given.mean(axis=0)
    centred = given - mean
    count, width = centred.shape
    sample = np.einsum("ni,nj->ij", centred, centred) / count
    level = np.trace(sample) / width
    target = level * np.eye(width)
    distance = ((sample - target) ** 2).sum()
    error = ((centred**2).sum(axis=1) ** 2).mean() - (sample**2).sum()
    weight = min(error / count, distance) / distance if distance > 0 else 0.0
    return mean, (1 - weight) * sample + weight * target


def of_tasks(paths: Paths, names: Iterable[str]) -> dict[str, Summary]:
    """Of those tasks of a study that lie whole and encoded in its folder; of as many images of each, as few look far away."""
    tasks = {}
    for name in names:
        with suppress(Failed, UserError):
            tasks[name] = comparable(paths, name)
    if not tasks:
        return {}
    samples = equal_samples(similarity.corpus(tasks))
    return {
        name: summary(task.class_names, sample, encoded["class_features"])
        for (name, (task, encoded)), sample in zip(tasks.items(), samples, strict=True)
    }


def packed(summaries: Mapping[str, Summary]) -> bytes:
    """All of them as one file."""
    arrays, told = {}, []
    for number, (name, one) in enumerate(summaries.items()):
        triangle = one.covariance[np.triu_indices(len(one.mean))]
        for part, values in (("mean", one.mean), ("covariance", triangle), ("classes", one.classes)):
            arrays[f"{number}.{part}"] = np.ascontiguousarray(values, dtype=np.float32)
        told.append({"name": name, "class_names": list(one.class_names), "images": one.images})
    return save(arrays, {KEY: json.dumps({json_record.KEY: json_record.KNOWN, "tasks": told})})


def read(content: bytes, path: Path) -> dict[str, Summary]:
    """The summaries in the archive at `path`, by task. UserError if they are damaged, or of a newer version."""
    try:
        arrays = load(content)
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(head["__metadata__"][KEY])
        require_known(about, path)
        found = {str(one["name"]): _summary(one, arrays, number) for number, one in enumerate(about["tasks"])}
        if len({one.mean.shape for one in found.values()}) > 1:
            raise ValueError("of several models")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise UserError(f"{path}: its {NAME} is damaged; fetch the archive again") from None
    return found


def _summary(told: Mapping[str, Any], arrays: Mapping[str, np.ndarray], number: int) -> Summary:
    """ValueError or KeyError for what is none."""
    mean, triangle, classes = (arrays[f"{number}.{part}"] for part in ("mean", "covariance", "classes"))
    names, images = tuple(map(str, told["class_names"])), told["images"]
    width = len(mean)
    fits = mean.ndim == 1 and triangle.shape == (width * (width + 1) // 2,) and classes.shape == (len(names), width)
    if not fits or not width or not names or type(images) is not int:
        raise ValueError("shapes do not agree")
    if not all(values.dtype == np.float32 and np.isfinite(values).all() for values in (mean, triangle, classes)):
        raise ValueError("not finite numbers")
    covariance = np.zeros((width, width))
    covariance[np.triu_indices(width)] = triangle
    covariance += np.triu(covariance, 1).T
    return Summary(names, images, mean.astype(np.float64), covariance, classes.astype(np.float64))

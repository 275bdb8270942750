"""What torchvision's data-set objects hold: files, labels, class names, without decoding an image.

The classes have no common interface for this; the usual attributes are tried, and the few that differ have a function
here.
"""

import csv
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from promptatlas.base.errors import UserError

DIGITS = tuple("0123456789")
# Kaggle's order; torchvision keeps the numbers only.
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """paths: absolute, or None if the images are no files of their own; labels: (N,) int64 or marks (N, C);
    names: of the labels, empty if the data set has numbers only; digest: of the images that are no files.
    """

    paths: list[str] | None
    labels: np.ndarray
    names: tuple[str, ...]
    digest: str = ""


def content(dataset: Any) -> Content:
    """What `dataset`, an object of torchvision.datasets, holds. Raises UserError if it has no class labels."""
    special = SPECIAL.get(type(dataset).__name__)
    if special:
        return special(dataset)
    labels = _labels(dataset)
    paths = _paths(dataset)
    return Content(paths, labels, _names(dataset), "" if paths else _digest(dataset, labels))


def usage(dataset: Any) -> np.ndarray:
    """FER2013's column Usage, (N,) text: torchvision's test split holds PublicTest and PrivateTest alike."""
    folder = Path(dataset.root) / "fer2013"
    file = next((folder / name for name in ("fer2013.csv", "icml_face_data.csv") if (folder / name).exists()), None)
    if file is None:
        raise UserError(f"{folder} has no fer2013.csv or icml_face_data.csv, which say what an image is for; add one")
    try:
        with open(file, newline="", encoding="utf-8-sig") as rows:
            reader = csv.DictReader(rows)
            column = next(name for name in reader.fieldnames or () if name.strip() == "Usage")
            used = np.array([row[column] or "" for row in reader])
    except (OSError, ValueError, StopIteration, csv.Error):
        raise UserError(f"{file} has no column Usage that can be read; fetch the file again") from None
    return used[(used == "Training") == (dataset._split == "train")]


def _labels(dataset: Any) -> np.ndarray:
    for attribute in ("targets", "_labels", "labels", "y"):
        if hasattr(dataset, attribute):
            return _numbers(getattr(dataset, attribute), dataset)
    for attribute in ("_samples", "samples"):
        if hasattr(dataset, attribute):
            return _numbers([label for _, label in getattr(dataset, attribute)], dataset)
    return _numbers([dataset[number][1] for number in range(len(dataset))], dataset)


def _numbers(labels: Any, dataset: Any) -> np.ndarray:
    try:
        numbers = np.asarray(labels if hasattr(labels, "__array__") else list(labels))
    except (ValueError, TypeError):
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind not in "iu" or numbers.shape != (len(dataset),):
        name = type(dataset).__name__
        raise UserError(f"torchvision's {name} has no class number for every image; use another source")
    return numbers.astype(np.int64)


def _paths(dataset: Any) -> list[str] | None:
    for attribute in ("_image_files", "_images", "images"):
        found = getattr(dataset, attribute, None)
        if isinstance(found, list) and all(isinstance(path, str | os.PathLike) for path in found):
            return [str(path) for path in found]
    for attribute in ("_samples", "samples"):
        found = getattr(dataset, attribute, None)
        if isinstance(found, list) and all(isinstance(path, str | os.PathLike) for path, _ in found):
            return [str(path) for path, _ in found]
    return None


def _names(dataset: Any) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None) or getattr(dataset, "categories", None) or ()
    return tuple(", ".join(name) if isinstance(name, tuple) else str(name) for name in names)


def _digest(dataset: Any, labels: np.ndarray) -> str:
    """Over the values of images that are kept in memory; of others, over their number and labels."""
    digest = hashlib.sha256(labels.astype("<i8").tobytes())
    data = getattr(dataset, "data", None)
    if hasattr(data, "__array__"):
        digest.update(np.ascontiguousarray(data).data)
    return digest.hexdigest()


def _mnist(dataset: Any) -> Content:
    """torchvision calls the digits "0 - zero"; whoever writes prompts calls them 0."""
    labels = _labels(dataset)
    return Content(None, labels, DIGITS, _digest(dataset, labels))


def _fer(dataset: Any) -> Content:
    labels = _labels(dataset)
    digest = hashlib.sha256(labels.astype("<i8").tobytes())
    for image, _ in dataset._samples:
        digest.update(np.ascontiguousarray(image).data)
    return Content(None, labels, EXPRESSIONS, digest.hexdigest())


def _caltech101(dataset: Any) -> Content:
    folder = os.path.join(dataset.root, "101_ObjectCategories")
    pairs = zip(dataset.y, dataset.index, strict=True)
    paths = [os.path.join(folder, dataset.categories[label], f"image_{number:04d}.jpg") for label, number in pairs]
    return Content(paths, _labels(dataset), _names(dataset))


def _pets(dataset: Any) -> Content:
    """A breed has its number of the full list, also where the list is a part of it; the files have its name."""
    breeds = [" ".join(word.title() for word in path.stem.rsplit("_", 1)[0].split("_")) for path in dataset._images]
    of_label: dict[int, str] = {}
    for label, breed in zip(dataset._labels, breeds, strict=True):
        if of_label.setdefault(label, breed) != breed:
            file = dataset._anns_folder / f"{dataset._split}.txt"
            raise UserError(f"{file} gives number {label + 1} to {of_label[label]!r} and to {breed!r}; one breed has one number")
    names = tuple(of_label[label] for label in sorted(of_label))
    places = {label: place for place, label in enumerate(sorted(of_label))}
    labels = np.array([places[label] for label in dataset._labels], dtype=np.int64)
    return Content([str(path) for path in dataset._images], labels, names)


def _imagenet(dataset: Any) -> Content:
    """WordNet ids, since two pairs of classes (crane, maillot) share their first word."""
    return Content(_paths(dataset), _labels(dataset), tuple(dataset.wnids))


def _pcam(dataset: Any) -> Content:
    files = dataset._FILES[dataset._split]
    images, targets = (dataset._base_folder / files[part][0] for part in ("images", "targets"))
    with dataset.h5py.File(targets) as file:
        labels = np.asarray(file["y"][:]).reshape(-1).astype(np.int64)
    status = images.stat()
    return Content(None, labels, (), f"{images.name} {status.st_size} {status.st_mtime_ns}")


def _voc(dataset: Any) -> Content:
    """Marks of the classes of which an object is there that is not marked difficult.

    So do VOC's own lists of positive images (ImageSets/Main); images with difficult objects only, which VOC leaves
    out of a class's score, count as negative, since the metric knows no third kind.
    """
    column = {name: number for number, name in enumerate(VOC_CLASSES)}
    marks = np.zeros((len(dataset.images), len(VOC_CLASSES)), dtype=np.uint8)
    for row, path in enumerate(dataset.annotations):
        try:
            for thing in ElementTree.parse(path).getroot().iter("object"):
                if thing.findtext("difficult", "0").strip() != "1":
                    marks[row, column[thing.findtext("name", "").strip()]] = 1
        except (ElementTree.ParseError, OSError, KeyError) as error:
            reason = f"{path} is no annotation of VOC's 20 classes ({error})"
            raise UserError(f"{reason}; put the original file there") from None
    return Content([str(path) for path in dataset.images], marks, VOC_CLASSES)


SPECIAL: dict[str, Callable[[Any], Content]] = {
    "MNIST": _mnist,
    "QMNIST": _mnist,
    "FER2013": _fer,
    "Caltech101": _caltech101,
    "OxfordIIITPet": _pets,
    "ImageNet": _imagenet,
    "PCAM": _pcam,
    "VOCDetection": _voc,
}

"""Every source of every task in the catalogue is read from small files in its genuine format, as the task's classes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets as known

import formats
from promptatlas.tasks import readers
from promptatlas.tasks.catalogue import TaskEntry, entry, published
from promptatlas.tasks.labels import relabel
from promptatlas.tasks.readers.contents import DIGITS, EXPRESSIONS, VOC_CLASSES
from promptatlas.tasks.readers.repository import home
from tiers import mostly_slow

MANY = 150
FEW = 20  # of so many classes every image is written, of more one per split
OPENED = 25
SOURCES = [(task, number) for task in published() for number in range(len(entry(task).sources))]
QUICK = [(task, number) for task, number in SOURCES if len(entry(task).task.class_names) <= MANY]


def spelt(task: TaskEntry) -> list[str]:
    """What a source may call the classes, in the task's order: the last spelling that the catalogue knows of each."""
    last = {name: spelling for spelling, name in task.spellings.items()}
    return [last.get(name, name) for name in task.task.class_names] or ["long sleeves", "short_sleeves", "No sleeves"]


def cifar(write: Callable, cls: type) -> Callable:
    def written(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
        sums = write(root, names)
        for attribute in ("train_list", "test_list"):
            patch.setattr(cls, attribute, [[name, sums[name]] for name, _ in getattr(cls, attribute)])
        patch.setattr(cls, "meta", cls.meta | {"md5": sums[cls.meta["filename"]]})

    return written


def flowers(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
    sums = formats.flowers(root, names)
    files = {key: (name, sums.get(name, md5)) for key, (name, md5) in known.Flowers102._file_dict.items()}
    patch.setattr(known.Flowers102, "_file_dict", files)


def fer2013(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
    resources = known.FER2013._RESOURCES | {"fer": ("fer2013.csv", formats.fer2013(root, names))}
    patch.setattr(known.FER2013, "_RESOURCES", resources)


def voc2007(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
    del patch
    sets = {"train": "train", "validation": "val", "test": "test"}
    things = {sets[split]: [{names[label]: "0"} for label, _ in formats.rows(names, split)] for split in sets}
    formats.voc2007(root, things)


def imagenet(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
    import torch

    del patch
    formats.tree(root / "imagenet", names, {"train": "train", "test": "val"}, ".jpg")
    torch.save(({name: (name,) for name in names}, []), root / "imagenet/meta.bin")


def pcam(root: Path, names: list[str], patch: pytest.MonkeyPatch) -> None:
    pytest.skip("genuine HDF5 files need h5py, which is no dependency; see the test with a stand-in for it")


def plain(write: Callable) -> Callable:
    return lambda root, names, patch: write(root, names)


TORCHVISION: dict[str, Callable] = {
    "CIFAR10": cifar(formats.cifar10, known.CIFAR10),
    "CIFAR100": cifar(formats.cifar100, known.CIFAR100),
    "Caltech101": plain(formats.caltech101),
    "Country211": plain(formats.country211),
    "DTD": plain(formats.dtd),
    "EuroSAT": plain(formats.eurosat),
    "FER2013": fer2013,
    "FGVCAircraft": plain(formats.aircraft),
    "Flowers102": flowers,
    "Food101": plain(formats.food101),
    "GTSRB": plain(formats.gtsrb),
    "ImageNet": imagenet,
    "MNIST": plain(formats.mnist),
    "OxfordIIITPet": lambda root, names, patch: formats.pets(root, [name.replace(" ", "_") for name in names]),
    "PCAM": pcam,
    "RenderedSST2": plain(formats.rendered_sst2),
    "StanfordCars": plain(formats.cars),
    "VOCDetection": voc2007,
}
# what these data sets call their classes is fixed, whatever the catalogue says
FIXED = {
    "MNIST": DIGITS,
    "FER2013": EXPRESSIONS,
    "VOCDetection": VOC_CLASSES,
    "Flowers102": tuple(known.Flowers102.classes),
    "RenderedSST2": ("negative", "positive"),
    "GTSRB": tuple(map(str, range(43))),
}


def write_huggingface(source: dict, root: Path, names: list[str], multilabel: bool) -> None:
    folder = home(source, root)
    splits: dict[str, str] = {}
    for split, called in source["splits"].items():
        several = called if isinstance(called, list) else [called]
        splits |= dict(zip(formats.SPLITS if split == "all" else [split], several, strict=False))
    if "files" in source and source["repository"].endswith("hateful_memes"):
        for split, file in source["files"].items():
            lines = []
            for row, (label, number) in enumerate(formats.rows(names, split)):
                formats.save(folder / f"img/{split}{row}.png", formats.make_image(label, split, number))
                lines.append(json.dumps({"id": row, "img": f"img/{split}{row}.png", "label": label}))
            (folder / file).write_text("\n".join(lines))
    elif "clip-benchmark/wds_" in source["repository"]:
        marks = (lambda label: npy(label, len(names))) if multilabel else None
        formats.webdataset(folder, names, splits, source.get("image", "webp"), marks, "classes" not in source)
    else:
        files = {split: f"data/{called}-00000-of-00001.parquet" for split, called in splits.items()}
        kind = "numbers" if "classes" in source else "lists" if multilabel else "ClassLabel"
        formats.parquet(folder, names, files, source.get("image", "image"), source.get("label", "label"), kind)


def npy(label: int, classes: int) -> bytes:
    buffer = formats.io.BytesIO()
    np.save(buffer, np.arange(classes) == label)
    return buffer.getvalue()


def write_folder(source: dict, root: Path, names: list[str], multilabel: bool) -> None:
    safe = [name.replace("/", "_") for name in names]
    if "manifest" in source:
        file = root / source["manifest"]
        formats.manifest(file, root / source.get("path", file.parent.relative_to(root)), names, multilabel)
    elif "redraw" in source:
        for label, name in enumerate(safe):
            for number in range(6):
                formats.save(root / source["path"] / name / f"{number}.jpg", formats.make_image(label, "all", number))
    else:
        splits = source.get("splits", {"train": "train", "validation": "val", "test": "test"})
        formats.tree(root / source["path"], safe, splits)


def small(source: dict) -> dict:
    """The source with a few images per class where it asks for hundreds."""
    if "redraw" not in source:
        return source
    few = {"train": 2, "validation": 1, "test": 1}
    rule = {key: min(value, few[key]) if isinstance(value, int) else value for key, value in source["redraw"].items()}
    return source | {"redraw": rule}


@pytest.mark.parametrize("place", mostly_slow(SOURCES, QUICK), ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_source_of_the_catalogue_is_read(place: tuple[str, int], tmp_path: Path, monkeypatch) -> None:
    name, number = place
    task = entry(name)
    source = small(task.sources[number])
    names = list(source.get("classes", FIXED.get(source.get("dataset"), spelt(task))))
    if len(names) > (MANY if "redraw" in source else FEW):
        monkeypatch.setattr(formats, "PER_CLASS", dict.fromkeys(formats.SPLITS, 1))
    assert not readers.reader(source).present(source, tmp_path)
    assert readers.reader(source).advice(source, tmp_path)
    if source["reader"] == "torchvision":
        TORCHVISION[source["dataset"]](tmp_path, names, monkeypatch)
    elif source["reader"] == "huggingface":
        write_huggingface(source, tmp_path, names, task.task.multilabel)
    else:
        write_folder(source, tmp_path, names, task.task.multilabel)
    assert readers.find([source], tmp_path) == source
    listing = readers.reader(source).read(source, tmp_path)
    task = task if task.task.class_names else task.with_classes(listing.class_names)
    listing = relabel(listing, task)
    assert listing.class_names == task.task.class_names
    if "redraw" not in source and "splits" in source:
        assert set(listing.splits) == set(source["splits"])
    known_as = task.spellings | {shown: shown for shown in task.task.class_names}
    written = {known_as[title]: label for label, title in enumerate(names) if title in known_as}
    for part in listing.splits.values():
        assert len(part.images) == len(part.labels) > 0
        assert (part.labels.ndim == 2) == task.task.multilabel
        for row in np.linspace(0, len(part.labels) - 1, min(OPENED, len(part.labels))).astype(int).tolist():
            image = part.images.open(row)
            if task.task.multilabel:
                assert part.labels[row].sum() in (1, 2) and image.size == (24, 16)
                continue
            shown = task.task.class_names[part.labels[row]]
            candidates = [(one, n) for one in ("all", *formats.SPLITS) for n in range(6)]
            assert any(formats.shows(image, written.get(shown, -1), *one) for one in candidates) or shown not in written
    assert len(written) > len(names) / 2

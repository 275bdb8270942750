"""Small data sets in their genuine formats on disk, written without the code that reads them.

Every image is one plain colour that depends on its class, split and number, so that a test sees whether the right
image came out. Writers get the class names that the data set has, in the order of its labels.
"""

import colorsys
import csv
import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

SPLITS = ("train", "validation", "test")
PER_CLASS = {"train": 3, "validation": 1, "test": 2}


def colour(label: int, split: str, number: int) -> tuple[int, int, int]:
    """The colour of image `number` of class `label`."""
    hue = hashlib.sha256(f"{label} {split} {number}".encode()).digest()[0] / 256
    return tuple(round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.5, 0.8))


def make_image(label: int, split: str, number: int, size: tuple[int, int] = (24, 16), mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", size, colour(label, split, number)).convert(mode)


def shows(image: Image.Image, label: int, split: str, number: int) -> bool:
    """Whether `image`, which may have gone through JPEG, is that image."""
    expected = np.array(make_image(label, split, number, mode="L" if image.mode in ("L", "1") else "RGB"), float)[0, 0]
    found = np.array(image if image.mode == "L" else image.convert("RGB"), float)
    return bool(np.abs(found.reshape(-1, found.shape[-1] if found.ndim == 3 else 1).mean(0) - expected).max() < 8)


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95) if path.suffix in (".jpg", ".webp") else image.save(path)


def rows(names: list[str], split: str) -> list[tuple[int, int]]:
    """(label, number in its class) of every image of `split`, shuffled as published lists are not sorted by class."""
    listed = [(label, number) for label in range(len(names)) for number in range(PER_CLASS[split])]
    return [listed[place] for place in np.random.default_rng(len(names)).permutation(len(listed))]


def idx(array: np.ndarray) -> bytes:
    """LeCun's format: magic number with type and dimensions, sizes, values."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def mnist(root: Path, names: list[str], packed: bool = True) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        listed = rows(names, split)
        images = np.stack([np.array(make_image(label, split, number, (28, 28), "L")) for label, number in listed])
        labels = np.array([label for label, _ in listed])
        for stem, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            name, content = f"{prefix}-{stem}", idx(array)
            (raw / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)


def cifar10(root: Path, names: list[str]) -> dict[str, str]:
    """Five train batches, one test batch, meta; returns the MD5 sum of every file."""
    folder = root / "cifar-10-batches-py"
    batches = {f"data_batch_{number + 1}": rows(names, "train")[number::5] for number in range(5)}
    files = {name: _cifar(listed, "train", "labels") for name, listed in batches.items()}
    files["test_batch"] = _cifar(rows(names, "test"), "test", "labels")
    files["batches.meta"] = {"label_names": list(names), "num_vis": 3072, "num_cases_per_batch": 10}
    return _pickles(folder, files)


def cifar100(root: Path, names: list[str]) -> dict[str, str]:
    files = {split: _cifar(rows(names, split), split, "fine_labels") for split in ("train", "test")}
    files["meta"] = {"fine_label_names": list(names), "coarse_label_names": ["a thing"]}
    return _pickles(root / "cifar-100-python", files)


def _cifar(listed: list, split: str, key: str) -> dict:
    values = [np.array(make_image(label, split, n, (32, 32))).transpose(2, 0, 1).reshape(-1) for label, n in listed]
    data = np.array(values, dtype=np.uint8).reshape(len(listed), 3072)
    names = [f"{row}.png" for row in range(len(listed))]
    return {"data": data, key: [label for label, _ in listed], "filenames": names}


def _pickles(folder: Path, files: dict) -> dict[str, str]:
    folder.mkdir(parents=True)
    sums = {}
    for name, content in files.items():
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()
    return sums


def caltech101(root: Path, names: list[str]) -> None:
    """No splits; torchvision expects the folder of the background too, and counts on numbers from 1 without gaps."""
    base = root / "caltech101/101_ObjectCategories"
    for label, name in enumerate(names):
        for number in range(6):
            save(base / name / f"image_{number + 1:04d}.jpg", make_image(label, "all", number))
    save(base / "BACKGROUND_Google/image_0001.jpg", make_image(999, "all", 0))


def eurosat(root: Path, names: list[str], per_class: int = 6) -> None:
    for label, name in enumerate(names):
        for number in range(per_class):
            save(root / "eurosat/2750" / name / f"{name}_{number + 1}.jpg", make_image(label, "all", number, (64, 64)))


def tree(root: Path, names: list[str], folders: dict[str, str], suffix: str = ".jpg") -> None:
    """An ImageFolder tree: `folders` maps a split to its folder."""
    for split, folder in folders.items():
        for label, name in enumerate(names):
            for number in range(PER_CLASS[split]):
                save(root / folder / name / f"{number}{suffix}", make_image(label, split, number))


def country211(root: Path, names: list[str]) -> None:
    tree(root / "country211", names, {"train": "train", "validation": "valid", "test": "test"})


def rendered_sst2(root: Path, names: list[str]) -> None:
    tree(root / "rendered-sst2", names, {"train": "train", "validation": "valid", "test": "test"}, ".png")


def dtd(root: Path, names: list[str]) -> None:
    for split, stem in (("train", "train"), ("validation", "val"), ("test", "test")):
        lines = []
        for label, number in rows(names, split):
            path = f"{names[label]}/{names[label]}_{split}{number}.jpg"
            save(root / "dtd/dtd/images" / path, make_image(label, split, number))
            lines.append(path)
        _text(root / f"dtd/dtd/labels/{stem}1.txt", lines)


def aircraft(root: Path, names: list[str]) -> None:
    data = root / "fgvc-aircraft-2013b/data"
    _text(data / "variants.txt", names)
    for first, (split, stem) in enumerate((("train", "train"), ("validation", "val"), ("test", "test"))):
        lines = []
        for row, (label, number) in enumerate(rows(names, split)):
            save(data / f"images/{first}{row:06d}.jpg", make_image(label, split, number))
            lines.append(f"{first}{row:06d} {names[label]}")
        _text(data / f"images_variant_{stem}.txt", lines)


def food101(root: Path, names: list[str]) -> None:
    for split in ("train", "test"):
        listed: dict[str, list[str]] = {name: [] for name in names}
        for label, number in rows(names, split):
            path = f"{names[label]}/{split}{number}"
            save(root / "food-101/images" / f"{path}.jpg", make_image(label, split, number))
            listed[names[label]].append(path)
        _text(root / f"food-101/meta/{split}.json", [json.dumps(listed)])


def gtsrb(root: Path, names: list[str]) -> None:
    base = root / "gtsrb"
    for label, number in rows(names, "train"):
        folder = base / "GTSRB/Training" / f"{label:05d}"
        save(folder / f"00000_{number:05d}.ppm", make_image(label, "train", number))
        (folder / f"GT-{label:05d}.csv").write_text("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n")
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for row, (label, number) in enumerate(rows(names, "test")):
        save(base / f"GTSRB/Final_Test/Images/{row:05d}.ppm", make_image(label, "test", number))
        lines.append(f"{row:05d}.ppm;24;16;5;5;20;12;{label}")
    _text(base / "GT-final_test.csv", lines)


def pets(root: Path, names: list[str], ids: list[int] | None = None) -> None:
    """names as in file names; `ids` are the published 1-based numbers of the breeds."""
    ids = ids or list(range(1, len(names) + 1))
    base = root / "oxford-iiit-pet"
    for split, stem in (("train", "trainval"), ("test", "test")):
        lines = []
        for label, number in rows(names, split):
            name = f"{names[label]}_{number + (100 if split == 'test' else 0)}"
            save(base / "images" / f"{name}.jpg", make_image(label, split, number))
            lines.append(f"{name} {ids[label]} {1 if names[label][0].isupper() else 2} 1")
        _text(base / f"annotations/{stem}.txt", lines)


def flowers(root: Path, names: list[str]) -> dict[str, str]:
    base = root / "flowers-102"
    labels, splits = [], {"trnid": [], "valid": [], "tstid": []}
    for split, key in (("train", "trnid"), ("validation", "valid"), ("test", "tstid")):
        for label, number in rows(names, split):
            labels.append(label + 1)
            splits[key].append(len(labels))
            save(base / f"jpg/image_{len(labels):05d}.jpg", make_image(label, split, number))
    scipy.io.savemat(base / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    scipy.io.savemat(base / "setid.mat", {key: np.array([value], dtype=np.uint16) for key, value in splits.items()})
    return {name: hashlib.md5((base / name).read_bytes()).hexdigest() for name in ("imagelabels.mat", "setid.mat")}


def cars(root: Path, names: list[str]) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    fields = [(key, object) for key in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
    files = {"train": base / "devkit/cars_train_annos.mat", "test": base / "cars_test_annos_withlabels.mat"}
    for split, file in files.items():
        annotations = np.empty(len(rows(names, split)), dtype=fields)
        for row, (label, number) in enumerate(rows(names, split)):
            save(base / f"cars_{split}" / f"{row + 1:05d}.jpg", make_image(label, split, number))
            annotations[row] = (1, 1, 20, 12, label + 1, f"{row + 1:05d}.jpg")
        scipy.io.savemat(file, {"annotations": annotations})
    scipy.io.savemat(base / "devkit/cars_meta.mat", {"class_names": np.array([names], dtype=object)})


def fer2013(root: Path, names: list[str], file: str = "fer2013.csv") -> str:
    """One csv for all splits; returns its MD5 sum."""
    original = file == "fer2013.csv"
    header = ["emotion", "pixels", "Usage"] if original else ["emotion", " Usage", " pixels"]
    path = root / "fer2013" / file
    path.parent.mkdir(parents=True)
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        for split, usage in (("train", "Training"), ("validation", "PublicTest"), ("test", "PrivateTest")):
            for label, number in rows(names, split):
                pixels = " ".join(map(str, np.array(make_image(label, split, number, (48, 48), "L")).reshape(-1)))
                writer.writerow([label, pixels, usage] if original else [label, usage, pixels])
    return hashlib.md5(path.read_bytes()).hexdigest()


def voc2007(root: Path, marks: dict[str, list[dict[str, str]]]) -> None:
    """As torchvision expects it."""
    voc(root / "VOCdevkit/VOC2007", marks)


def voc(base: Path, marks: dict[str, list[dict[str, str]]], exported: bool = False) -> None:
    """marks: for every image set, per image its classes with "0" or "1" for difficult; exported: a folder for each set, as tools write."""
    for first, (image_set, images) in enumerate(marks.items()):
        numbers = []
        for row, things in enumerate(images):
            name = f"{first}{row:05d}"
            objects = "".join(
                f"<object><name>{thing}</name><pose>Left</pose><difficult>{difficult}</difficult>"
                "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
                "<part><name>head</name><bndbox><xmin>2</xmin></bndbox></part></object>"
                for thing, difficult in things.items()
            )
            annotation = f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>"
            _text(base / (image_set if exported else "Annotations") / f"{name}.xml", [annotation])
            save(base / (image_set if exported else "JPEGImages") / f"{name}.jpg", make_image(row, image_set, 0))
            numbers.append(name)
        if not exported:
            _text(base / f"ImageSets/Main/{image_set}.txt", numbers)


def coco(file: Path, root: Path, split: str, names: list[str], shown: list[list[int]], folder: str = "") -> None:
    """Annotations of objects of one split, and its images below `root`/`folder`. shown: by image the categories of its objects, which are
    numbered 1, 3, 5, ..., as COCO's have gaps.
    """
    images, objects = [], []
    for row, things in enumerate(shown):
        name = f"{folder}{split}_{row:06d}.jpg"
        save(root / name, make_image(row, split, 0))
        images.append({"id": 500 + row, "file_name": name, "width": 24, "height": 16, "license": 1})
        for thing in things:
            where = {"bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0, "segmentation": [[1, 1, 9, 1, 9, 9]]}
            objects.append({"id": len(objects) + 1, "image_id": 500 + row, "category_id": 2 * thing + 1, **where})
    categories = [{"id": 2 * number + 1, "name": name, "supercategory": "thing"} for number, name in enumerate(names)]
    content = {"info": {"year": 2026}, "licenses": [{"id": 1}], "images": images, "annotations": objects, "categories": categories}
    _text(file, [json.dumps(content)])


def imagefolder(folder: Path, names: list[str], split: str, kind: str = "csv", below: str = "") -> None:
    """A folder with metadata.csv or metadata.jsonl, as `datasets` documents it; `below`: where its images are."""
    lines = []
    for row, (label, number) in enumerate(rows(names, split)):
        path = f"{below}{row:04d}.png"
        save(folder / path, make_image(label, split, number))
        lines.append({"file_name": path, "label": names[label], "caption": f'a {names[label]}, "{number}"'})
    if kind == "jsonl":
        _text(folder / "metadata.jsonl", [json.dumps(line) for line in lines])
        return
    with open(folder / "metadata.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "label", "caption"])
        writer.writeheader()
        writer.writerows(lines)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def webdataset(
    folder: Path, names: list[str], splits: dict[str, str], suffix: str = "webp", marks=None, listed: bool = True, prefix: str = ""
) -> None:
    """Tar shards as LAION's: `splits` maps a split to its folder; `marks` (label -> bytes of .npy) instead of .cls."""
    for split, name in splits.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        every = rows(names, split)
        for shard in range(2):
            with tarfile.open(folder / name / f"{prefix}{shard}.tar", "w") as tar:
                for row, (label, number) in list(enumerate(every))[shard::2]:
                    image = encoded(make_image(label, split, number), {"jpg": "JPEG"}.get(suffix, suffix.upper()))
                    label_file = ("cls", str(label).encode()) if marks is None else ("npy", marks(label))
                    for extension, content in (label_file, (suffix, image)):
                        info = tarfile.TarInfo(f"s{row:07d}.{extension}")
                        info.size = len(content)
                        tar.addfile(info, io.BytesIO(content))
        (folder / name / "nshards.txt").write_text("2")
    if listed:
        _text(folder / "classnames.txt", names)


def parquet(folder: Path, names: list[str], files: dict[str, str], image: str, label: str, kind: str = "ClassLabel") -> None:
    """Parquet as the hub's libraries write it, with the features in the schema's metadata.

    kind: how labels are kept: ClassLabel, names (texts), numbers (bare), or lists (of two class numbers).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = {"dtype": "int64", "_type": "Value"}
    feature = {
        "ClassLabel": {"names": list(names), "_type": "ClassLabel"},
        "names": {"dtype": "string", "_type": "Value"},
        "numbers": number,
        "lists": {"feature": {"names": list(names), "_type": "ClassLabel"}, "_type": "Sequence"},
    }[kind]
    metadata = {"info": {"features": {image: {"_type": "Image"}, label: feature}}}
    for split, file in files.items():
        listed = rows(names, split)
        contents = [encoded(make_image(number, split, n)) for number, n in listed]
        images = [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(contents)]
        labels = [number for number, _ in listed]
        if kind == "names":
            labels = [names[number] for number in labels]
        if kind == "lists":
            labels = [[number, (number + 1) % len(names)] for number in labels]
        struct_type = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        table = pa.table({image: pa.array(images, struct_type), label: pa.array(labels)})
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(metadata)}), folder / file)


def manifest(file: Path, root: Path, names: list[str], multilabel: bool = False) -> None:
    """CoOp's split_zhou format, and its images below `root`; `multilabel` puts every label into a list."""
    content = {}
    for split, key in (("train", "train"), ("validation", "val"), ("test", "test")):
        content[key] = []
        for label, number in rows(names, split):
            path = f"{names[label].replace('/', '_')}/{split}_{number}.jpg"
            save(root / path, make_image(label, split, number))
            marks = [label], [names[label]]
            content[key].append([path, *(marks if multilabel else (label, names[label]))])
    _text(file, [json.dumps(content)])


def _text(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

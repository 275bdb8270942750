"""Data sets of torchvision are read from files in their own formats, with the right labels, names and images."""

import functools
import gzip
import pickle
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torchvision.datasets as known
from PIL import Image

import formats
from hostile import Malicious
from promptatlas.base.errors import UserError
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers import torchvision as reader

THREE = {"train": {"split": "train"}, "validation": {"split": "val"}, "test": {"split": "test"}}
TWO = {"train": {"split": "train"}, "test": {"split": "test"}}
CLASSIC = {"train": {"train": True}, "test": {"train": False}}
NAMES = ["ant", "bee hive", "crab"]


def source(dataset: str, splits: dict, **more) -> dict:
    return {"reader": "torchvision", "dataset": dataset, "splits": splits, **more}


def assert_holds_what_was_written(listing: Listing, names: list[str], splits=formats.SPLITS) -> None:
    """Every split has the written images, each once and under its own label; copies of the objects show the same."""
    assert list(listing.class_names) == names
    assert list(listing.splits) == [split for split in formats.SPLITS if split in splits]
    for split, part in listing.splits.items():
        images = pickle.loads(pickle.dumps(part.images))
        assert len(images) == len(part.labels) == len(names) * formats.PER_CLASS[split]
        found = []
        for row, label in enumerate(part.labels.tolist()):
            image = images.open(row)
            found += [(label, n) for n in range(formats.PER_CLASS[split]) if formats.shows(image, label, split, n)]
        assert set(found) >= {(label, n) for label in range(len(names)) for n in range(formats.PER_CLASS[split])}
        assert part.stamp


def trust(monkeypatch: pytest.MonkeyPatch, cls: type, sums: dict[str, str]) -> None:
    """Put the MD5 sums of the written files where torchvision keeps the published ones."""
    for attribute in ("train_list", "test_list"):
        listed = [[name, sums[name]] for name, _ in getattr(cls, attribute)]
        monkeypatch.setattr(cls, attribute, listed)
    monkeypatch.setattr(cls, "meta", cls.meta | {"md5": sums[cls.meta["filename"]]})


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_packed_or_not(tmp_path: Path, packed: bool) -> None:
    formats.mnist(tmp_path, list("0123456789"), packed)
    listing = reader.read(source("MNIST", CLASSIC), tmp_path)
    assert_holds_what_was_written(listing, list("0123456789"), ("train", "test"))
    assert (tmp_path / "MNIST/raw/train-images-idx3-ubyte").exists()


def test_cifar_10_is_read_in_the_order_of_its_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(monkeypatch, known.CIFAR10, formats.cifar10(tmp_path, NAMES))
    listing = reader.read(source("CIFAR10", CLASSIC), tmp_path)
    assert_holds_what_was_written(listing, NAMES, ("train", "test"))
    batches = formats.rows(NAMES, "train")
    assert listing.splits["train"].labels.tolist() == [label for start in range(5) for label, _ in batches[start::5]]


def test_cifar_100_is_read_with_its_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(monkeypatch, known.CIFAR100, formats.cifar100(tmp_path, NAMES))
    assert_holds_what_was_written(reader.read(source("CIFAR100", CLASSIC), tmp_path), NAMES, ("train", "test"))


@pytest.mark.parametrize("file", ["test_batch", "batches.meta", "data_batch_1"])
def test_a_pickle_that_is_not_the_published_one_is_never_opened(tmp_path: Path, monkeypatch, file: str) -> None:
    trust(monkeypatch, known.CIFAR10, formats.cifar10(tmp_path, NAMES))
    (tmp_path / "cifar-10-batches-py" / file).write_bytes(pickle.dumps(Malicious(Path.touch, tmp_path / "ran")))
    with pytest.raises(UserError, match=r"CIFAR10 cannot be read .*(corrupted|not found)"):
        reader.read(source("CIFAR10", CLASSIC), tmp_path)
    assert not (tmp_path / "ran").exists()


FILE_BASED = {
    "Country211": (formats.country211, THREE | {"validation": {"split": "valid"}}, ["AD", "AE", "ZW"]),
    "DTD": (formats.dtd, THREE, ["banded", "polka-dotted", "zigzagged"]),
    "FGVCAircraft": (formats.aircraft, THREE, ["Boeing 737-700", "DHC-8-100", "F-16A/B"]),
    "Food101": (formats.food101, TWO, ["apple_pie", "cheese_plate", "cheesecake"]),
    "GTSRB": (formats.gtsrb, TWO, ["0", "1", "2"]),
    "StanfordCars": (formats.cars, TWO, ["AM General Hummer SUV 2000", "smart fortwo Convertible 2012"]),
    "RenderedSST2": (formats.rendered_sst2, THREE, ["negative", "positive"]),
    "OxfordIIITPet": (formats.pets, TWO | {"train": {"split": "trainval"}}, ["Abyssinian", "american_bulldog"]),
}


@pytest.mark.parametrize("dataset", FILE_BASED)
def test_a_data_set_of_files_is_read_from_its_own_layout(tmp_path: Path, dataset: str) -> None:
    write, splits, names = FILE_BASED[dataset]
    spec = source(dataset, splits)
    assert not reader.present(spec, tmp_path)
    write(tmp_path, names)
    assert reader.present(spec, tmp_path)
    listing = reader.read(spec, tmp_path)
    shown = [name.replace("_", " ").title() for name in names] if dataset == "OxfordIIITPet" else names
    assert_holds_what_was_written(listing, shown, tuple(splits))
    path = Path(listing.splits["test"].images.name(0))
    assert path.is_file() and path.is_relative_to(tmp_path)
    stamps = {split: part.stamp for split, part in listing.splits.items()}
    formats.save(path, formats.make_image(0, "another", 0, (50, 50)))
    again = reader.read(spec, tmp_path)
    assert [split for split in splits if again.splits[split].stamp != stamps[split]] == ["test"]


def test_flowers_are_read_from_their_mat_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(known.Flowers102.classes)
    sums = formats.flowers(tmp_path, names)
    files = {key: (name, sums.get(name, md5)) for key, (name, md5) in known.Flowers102._file_dict.items()}
    monkeypatch.setattr(known.Flowers102, "_file_dict", files)
    listing = reader.read(source("Flowers102", THREE), tmp_path)
    assert [len(part.labels) for part in listing.splits.values()] == [306, 102, 204]
    assert list(listing.class_names) == names
    for row in (0, 50, 203):
        label = int(listing.splits["test"].labels[row])
        assert any(formats.shows(listing.splits["test"].images.open(row), label, "test", n) for n in range(2))


FER = {
    "train": {"split": "train"},
    "validation": {"split": "test", "usage": "PublicTest"},
    "test": {"split": "test", "usage": "PrivateTest"},
}


@pytest.mark.parametrize(("file", "key"), [("fer2013.csv", "fer"), ("icml_face_data.csv", "icml")])
def test_fer_2013_is_tested_on_its_private_test_only(tmp_path: Path, monkeypatch, file: str, key: str) -> None:
    names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    resources = known.FER2013._RESOURCES | {key: (file, formats.fer2013(tmp_path, names, file))}
    monkeypatch.setattr(known.FER2013, "_RESOURCES", resources)
    assert_holds_what_was_written(reader.read(source("FER2013", FER), tmp_path), names)
    both = reader.read(source("FER2013", TWO), tmp_path)
    assert len(both.splits["test"].labels) == 7 * 3


def test_voc_marks_the_classes_of_which_an_object_is_there_that_is_not_difficult(tmp_path: Path) -> None:
    things = {
        "train": [{"cat": "0", "person": "1"}, {"aeroplane": "0", "tvmonitor": "0"}],
        "val": [{"cat": "0"}],
        "test": [{"tvmonitor": "1"}, {"cat": "0", "aeroplane": "0"}],
    }
    formats.voc2007(tmp_path, things)
    sets = {"train": "train", "validation": "val", "test": "test"}
    splits = {split: {"year": "2007", "image_set": image_set} for split, image_set in sets.items()}
    listing = reader.read(source("VOCDetection", splits), tmp_path)
    assert len(listing.class_names) == 20
    marked = {
        split: [[listing.class_names[c] for c in np.flatnonzero(row)] for row in part.labels] for split, part in listing.splits.items()
    }
    assert marked == {
        "train": [["cat"], ["aeroplane", "tvmonitor"]],
        "validation": [["cat"]],
        "test": [[], ["aeroplane", "cat"]],
    }
    assert listing.splits["train"].labels.dtype == np.uint8
    assert formats.shows(listing.splits["test"].images.open(1), 1, "test", 0)


def test_voc_annotations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    formats.voc2007(tmp_path, {"train": [{"cat": "0"}, {"unicorn": "0"}], "test": [{"cat": "0"}]})
    spec = source("VOCDetection", {split: {"year": "2007", "image_set": split} for split in ("train", "test")})
    with pytest.raises(UserError, match=r"000001\.xml is no annotation of VOC's 20 classes \('unicorn'\)"):
        reader.read(spec, tmp_path)


@pytest.mark.parametrize(("dataset", "write"), [("Caltech101", formats.caltech101), ("EuroSAT", formats.eurosat)])
def test_a_data_set_without_splits_is_split_class_by_class(tmp_path: Path, dataset: str, write) -> None:
    names = ["Faces", "Faces_easy", "anchor"] if dataset == "Caltech101" else ["AnnualCrop", "Forest", "SeaLake"]
    write(tmp_path, names)
    listing = reader.read(source(dataset, {"all": {}}, redraw={"train": 3, "validation": 1}), tmp_path)
    assert list(listing.class_names) == names and listing.split_source == "promptatlas"
    assert {split: np.bincount(part.labels).tolist() for split, part in listing.splits.items()} == {
        "train": [3] * 3,
        "validation": [1] * 3,
        "test": [2] * 3,
    }
    for part in listing.splits.values():
        for row, label in enumerate(part.labels):
            assert any(formats.shows(part.images.open(row), label, "all", n) for n in range(6))


def test_three_breeds_with_the_numbers_of_the_full_list_keep_their_names(tmp_path: Path) -> None:
    names = ["Abyssinian", "american_bulldog", "Bengal"]
    formats.pets(tmp_path, names, ids=[1, 2, 6])
    splits = {"train": {"split": "trainval"}, "test": {"split": "test"}}
    listing = reader.read(source("OxfordIIITPet", splits), tmp_path)
    assert_holds_what_was_written(listing, ["Abyssinian", "American Bulldog", "Bengal"], tuple(splits))
    assert known.OxfordIIITPet(str(tmp_path))._labels != listing.splits["train"].labels.tolist()


def test_a_number_for_two_breeds_is_refused(tmp_path: Path) -> None:
    formats.pets(tmp_path, ["Abyssinian", "Bengal"], ids=[1, 1])
    with pytest.raises(UserError, match=r"trainval\.txt gives number 1 to"):
        reader.read(source("OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}), tmp_path)


def test_labels_beyond_the_names_are_refused(tmp_path: Path) -> None:
    formats.gtsrb(tmp_path, NAMES)
    with pytest.raises(UserError, match=r"label 2 but names for 2 classes only \('stop', 'go'\); give all names"):
        reader.read(source("GTSRB", TWO, classes=["stop", "go"]), tmp_path)
    assert reader.read(source("GTSRB", TWO, classes=NAMES), tmp_path).class_names == tuple(NAMES)
    with pytest.raises(UserError, match="`classes` of source GTSRB is 'in order'"):
        reader.read(source("GTSRB", TWO, classes="in order"), tmp_path)


def test_imagenet_is_named_by_wordnet_ids(tmp_path: Path) -> None:
    import torch

    names = ["n02012849", "n03126707"]
    root = tmp_path / "imagenet"
    formats.tree(root, names, {"train": "train", "test": "val"}, ".jpg")
    torch.save(({"n02012849": ("crane", "bird"), "n03126707": ("crane",)}, ["n02012849"]), root / "meta.bin")
    splits = {"train": {"split": "train"}, "test": {"split": "val"}}
    assert reader.present(source("ImageNet", splits), tmp_path)
    assert_holds_what_was_written(reader.read(source("ImageNet", splits), tmp_path), names, tuple(splits))


def test_imagenet_archives_are_explained(tmp_path: Path) -> None:
    spec = source("ImageNet", {"test": {"split": "val"}})
    advice = reader.advice(spec, tmp_path)
    assert "ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz of image-net.org" in advice
    assert f"go to {tmp_path / 'imagenet'}/" in advice


def test_patch_camelyon_is_read_through_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """h5py is no dependency: a stand-in with its interface gives the labels and images that torchvision asks for."""

    class File(dict):
        def __init__(self, path: Path) -> None:
            listed = formats.rows(["0", "1"], split := "train" if "train" in path.name else "test")
            self["y"] = np.array([label for label, _ in listed]).reshape(-1, 1, 1, 1)
            self["x"] = np.stack([np.array(formats.make_image(label, split, n)) for label, n in listed])

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            pass

    monkeypatch.setitem(sys.modules, "h5py", SimpleNamespace(File=File))
    (tmp_path / "pcam").mkdir()
    for split in ("train", "test"):
        for part in "xy":
            (tmp_path / f"pcam/camelyonpatch_level_2_split_{split}_{part}.h5").touch()
    assert_holds_what_was_written(reader.read(source("PCAM", TWO), tmp_path), ["0", "1"], ("train", "test"))


def test_a_data_set_without_a_layout_here_is_read_too(tmp_path: Path) -> None:
    """Imagenette: its object keeps samples, labels and names under names of its own."""
    wnids = list(known.Imagenette._WNID_TO_CLASS)
    for split, folder in (("train", "train"), ("test", "val")):
        for label, wnid in enumerate(wnids):
            for number in range(formats.PER_CLASS[split]):
                path = tmp_path / "imagenette2-160" / folder / wnid / f"{wnid}_{number}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                formats.make_image(label, split, number).save(path, quality=95)
    splits = {"train": {"split": "train", "size": "160px"}, "test": {"split": "val", "size": "160px"}}
    spec = source("Imagenette", splits)
    assert reader.present(spec, tmp_path) and not reader.present(spec, tmp_path / "elsewhere")
    names = [", ".join(known.Imagenette._WNID_TO_CLASS[wnid]) for wnid in sorted(wnids)]
    listing = reader.read(spec, tmp_path)
    assert list(listing.class_names) == names
    assert np.bincount(listing.splits["train"].labels).tolist() == [3] * 10


def test_a_data_set_that_keeps_nothing_is_read_image_by_image(monkeypatch, tmp_path: Path) -> None:
    small = functools.partialmethod(known.FakeData.__init__, image_size=(3, 8, 8))
    monkeypatch.setattr(known.FakeData, "__init__", small)
    splits = {"train": {"size": 40, "num_classes": 3}, "test": {"size": 30, "num_classes": 3, "random_offset": 1}}
    monkeypatch.setattr(reader, "_class", lambda name: lambda root, **arguments: known.FakeData(**arguments))
    reader._opened.cache_clear()
    listing = reader.read(source("FakeData", splits), tmp_path)
    expected = [known.FakeData(**splits["train"])[row] for row in range(40)]
    assert listing.splits["train"].labels.tolist() == [int(label) for _, label in expected]
    assert listing.splits["train"].images.open(7).tobytes() == expected[7][0].tobytes()
    reader._opened.cache_clear()


@pytest.mark.parametrize("dataset", ["CocoDetection", "MNISt", "VisionDataset2", "wrap_dataset_for_transforms_v2"])
def test_what_is_no_data_set_with_classes_is_refused(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(UserError, match=r"torchvision has no data set|cannot be read"):
        reader.read(source(dataset, TWO), tmp_path)


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    formats.gtsrb(tmp_path, NAMES)
    with pytest.raises(UserError, match=r"GTSRB cannot be read from .* with {'split': 'trian'}"):
        reader.read(source("GTSRB", {"train": {"split": "trian"}, "test": {"split": "test"}}), tmp_path)
    with pytest.raises(UserError, match="unexpected keyword"):
        reader.read(source("GTSRB", {"train": {"spilt": "train"}, "test": {"split": "test"}}), tmp_path)


def test_missing_images_are_counted(tmp_path: Path) -> None:
    formats.dtd(tmp_path, NAMES)
    shutil.rmtree(tmp_path / "dtd/dtd/images/ant")
    with pytest.raises(UserError, match="DTD lists 3 images that are not in"):
        reader.read(source("DTD", THREE), tmp_path)


def test_an_incomplete_data_set_is_said_to_be_so(tmp_path: Path) -> None:
    formats.gtsrb(tmp_path, NAMES)
    (tmp_path / "gtsrb/GT-final_test.csv").unlink()
    assert not reader.present(source("GTSRB", TWO), tmp_path)
    with pytest.raises(UserError, match=r"GTSRB is not complete in .*: gtsrb/GT-final_test\.csv not found"):
        reader.read(source("GTSRB", TWO), tmp_path)


def test_a_damaged_gz_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    formats.mnist(tmp_path, list("0123456789"))
    packed = tmp_path / "MNIST/raw/train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz cannot be unzipped"):
        reader.read(source("MNIST", CLASSIC), tmp_path)
    assert not [path for path in packed.parent.iterdir() if path.name.startswith((".", "train-images-idx3-ubyte.gz."))]
    assert not packed.with_suffix("").exists()


def _look(images, row: int) -> bytes:
    return images.open(row).tobytes()


@pytest.mark.imports
def test_images_in_archives_reach_a_spawned_process_as_a_few_bytes(tmp_path: Path) -> None:
    formats.mnist(tmp_path, list("0123456789"))
    images = reader.read(source("MNIST", CLASSIC), tmp_path).splits["train"].images
    assert len(pickle.dumps(images)) < 1000
    with get_context("spawn").Pool(1) as workers:
        assert workers.apply(_look, (images, 5)) == images.open(5).tobytes()
    assert images.name(5) == 'MNIST {"train": true} image 5'


@pytest.mark.imports
def test_nothing_heavy_is_imported_to_look_and_to_advise(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from promptatlas.tasks.readers import find, reader\n"
        f"source = {source('GTSRB', TWO)!r}; root = Path({str(tmp_path)!r})\n"
        "assert find([source], root) is None; print(reader(source).advice(source, root))\n"
        "assert not {'torch', 'torchvision', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "would be downloaded to" in done.stdout


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """DTD as its publisher packs it, served by this machine."""
    formats.dtd(tmp_path / "publisher", NAMES)
    path = tmp_path / "dtd-r1.0.1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "publisher/dtd/dtd", "dtd")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(known.DTD, "_URL", f"http://127.0.0.1:{server.server_port}/{path.name}")
        monkeypatch.setattr(known.DTD, "_MD5", formats.hashlib.md5(path.read_bytes()).hexdigest())
        yield path
        server.shutdown()


def test_a_download_is_whole_and_readable(tmp_path: Path, archive: Path) -> None:
    data = tmp_path / "data"
    reader.download(source("DTD", THREE), data)
    assert reader.present(source("DTD", THREE), data)
    assert_holds_what_was_written(reader.read(source("DTD", THREE), data), NAMES)
    assert sorted(path.name for path in data.iterdir()) == ["dtd"]


def test_a_download_that_fails_leaves_nothing_that_looks_complete(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-500])
    data = tmp_path / "data"
    with pytest.raises(UserError, match=r"could not download DTD to .*corrupted") as error:
        reader.download(source("DTD", THREE), data)
    assert "\n" not in str(error.value)
    assert not reader.present(source("DTD", THREE), data) and not list(data.iterdir())


def test_a_download_keeps_what_the_user_has_put_there(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "data/dtd").mkdir(parents=True)
    (tmp_path / "data/dtd/notes.txt").write_text("mine")
    reader.download(source("DTD", THREE), tmp_path / "data")
    assert (tmp_path / "data/dtd/notes.txt").read_text() == "mine"
    assert reader.present(source("DTD", THREE), tmp_path / "data")


@pytest.mark.parametrize(
    ("dataset", "words"),
    [("FER2013", "fer2013.csv"), ("StanfordCars", "cars_test_annos_withlabels.mat"), ("ImageNet", "image-net.org")],
)
def test_what_torchvision_cannot_download_is_explained(tmp_path: Path, dataset: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        reader.download(source(dataset, TWO), tmp_path)
    assert str(tmp_path) in reader.advice(source(dataset, TWO), tmp_path)


def test_the_idx_files_written_here_are_lecuns_format(tmp_path: Path) -> None:
    """Parsed by hand: the tests above must not pass because writer and reader share a misunderstanding."""
    formats.mnist(tmp_path, list("0123456789"))
    content = gzip.decompress((tmp_path / "MNIST/raw/t10k-images-idx3-ubyte.gz").read_bytes())
    assert content[:16] == b"\0\0\x08\x03" + (20).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    assert len(content) == 16 + 20 * 28 * 28
    first = Image.frombytes("L", (28, 28), content[16 : 16 + 784])
    label, number = formats.rows(list("0123456789"), "test")[0]
    assert formats.shows(first, label, "test", number)

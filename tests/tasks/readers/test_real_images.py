"""Real data sets, set up as a new user would, are read whole and right. Skipped where they are not at hand."""

import gzip
import hashlib
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.tasks import readers
from promptatlas.tasks.catalogue import entry
from promptatlas.tasks.labels import relabel
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers.files import opened
from promptatlas.tasks.upright import upright

REAL = Path(__file__).parents[4] / "shared" / "realdata"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real images are not beside this checkout")


@pytest.fixture(autouse=True, scope="module")
def nothing_is_written_there():
    before = _state()
    yield
    assert _state() == before


def _state() -> str:
    entries = ((str(path), path.lstat().st_mtime_ns) for path in sorted(REAL.rglob("*")))
    return hashlib.sha256(repr(list(entries)).encode()).hexdigest()


def read(source: dict, data_root: Path) -> Listing:
    assert readers.find([source], data_root) == source
    return readers.reader(source).read(source, data_root)


def counts(listing: Listing) -> dict[str, list[int]]:
    return {split: np.bincount(part.labels, minlength=len(listing.class_names)).tolist() for split, part in listing.splits.items()}


def test_mnist_is_complete_and_every_value_is_that_of_its_files(tmp_path: Path) -> None:
    shutil.copytree(REAL / "mnist" / "MNIST", tmp_path / "MNIST")
    task = entry("mnist")
    listing = relabel(read(task.sources[0], tmp_path), task)
    assert {split: len(part.labels) for split, part in listing.splits.items()} == task.sizes
    for split, prefix in (("train", "train"), ("test", "t10k")):
        labels, images = (
            gzip.decompress((REAL / f"mnist/MNIST/raw/{prefix}-{what}-ubyte.gz").read_bytes()) for what in ("labels-idx1", "images-idx3")
        )
        np.testing.assert_array_equal(listing.splits[split].labels, np.frombuffer(labels[8:], np.uint8))
        for row in (0, 1, 4321, 9999):
            assert listing.splits[split].images.open(row).tobytes() == images[16 + 784 * row : 16 + 784 * (row + 1)]


def test_caltech_101_is_read_by_torchvision_and_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "caltech101").symlink_to(REAL / "caltech101" / "caltech101")
    rule = {"redraw": {"train": 8, "validation": 2}}
    folders = read({"reader": "folder", "path": "caltech101/101_ObjectCategories"} | rule, tmp_path)
    assert counts(folders) == {"train": [8] * 102, "validation": [2] * 102, "test": [10] * 102}
    source = {"reader": "torchvision", "dataset": "Caltech101", "splits": {"all": {}}} | rule
    listing = read(source, tmp_path)
    assert counts(listing) == {"train": [8] * 101, "validation": [2] * 101, "test": [10] * 101}
    assert set(folders.class_names) - set(listing.class_names) == {"BACKGROUND_Google"}
    for row in range(0, 808, 101):
        part = listing.splits["train"]
        assert Path(part.images.name(row)).parent.name == listing.class_names[part.labels[row]]
        assert min(part.images.open(row).size) > 50


def test_the_catalogue_knows_all_classes_of_caltech_101_and_asks_for_more_images_than_these(tmp_path: Path) -> None:
    (tmp_path / "caltech101").symlink_to(REAL / "caltech101" / "caltech101")
    task = entry("caltech-101")
    source = next(source for source in task.sources if source["reader"] == "folder")
    with pytest.raises(UserError, match="has 20 images, too few to set some apart"):
        read(source, tmp_path)
    listing = relabel(read(source | {"redraw": {"train": 10}}, tmp_path), task)
    assert listing.class_names == task.task.class_names and len(listing.class_names) == 102
    assert counts(listing) == {"train": [10] * 102, "test": [10] * 102}


def test_three_breeds_with_labels_0_1_5_are_mapped_by_name_and_caught_as_a_part_of_37(tmp_path: Path) -> None:
    (tmp_path / "oxford-iiit-pet").symlink_to(REAL / "oxford_pets_3" / "oxford-iiit-pet")
    task = entry("oxford-iiit-pets")
    listing = read(task.sources[0], tmp_path)
    assert listing.class_names == ("Abyssinian", "American Bulldog", "Bengal")
    assert counts(listing) == {"train": [30, 30, 30], "test": [30, 30, 30]}
    for part in listing.splits.values():
        for row, label in enumerate(part.labels):
            breed = Path(part.images.name(row)).stem.rsplit("_", 1)[0].replace("_", " ")
            assert breed.lower() == listing.class_names[label].lower()
    with pytest.raises(UserError, match=r"(?s)oxford-iiit-pets.*beagle"):
        relabel(listing, task)


def test_clothing_is_a_folder_of_ones_own(tmp_path: Path) -> None:
    shutil.copytree(REAL / "clothing_small", tmp_path / "clothes")
    listing = read({"reader": "folder", "path": "clothes"}, tmp_path)
    assert listing.class_names == tuple(sorted(path.name for path in (REAL / "clothing_small/train").iterdir()))
    files = {"train": "train", "validation": "validation", "test": "test"}
    for split, folder in files.items():
        found = [len(list((REAL / "clothing_small" / folder / name).glob("*.jpg"))) for name in listing.class_names]
        assert counts(listing)[split] == found
    assert listing.split_source == "own folders"
    assert {part.images.open(3).mode for part in listing.splits.values()} == {"RGB"}


@pytest.fixture(scope="module")
def omniglot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omniglot")
    for number in (1, 2):
        with zipfile.ZipFile(REAL / "omniglot_small" / f"images_background_small{number}.zip") as archive:
            archive.extractall(folder)
    return folder


def test_omniglots_alphabets_are_classes_with_characters_in_sub_folders(omniglot: Path) -> None:
    listing = read({"reader": "folder", "path": "images_background_small1"}, omniglot)
    folder = omniglot / "images_background_small1"
    assert listing.class_names == tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    totals = np.sum(list(counts(listing).values()), axis=0).tolist()
    assert totals == [len(list((folder / name).rglob("*.png"))) for name in listing.class_names]
    assert listing.split_source == "promptatlas"


def test_the_characters_of_an_alphabet_are_classes_of_twenty_drawings(omniglot: Path) -> None:
    alphabet = next(path for path in sorted((omniglot / "images_background_small2").iterdir()) if path.is_dir())
    listing = read({"reader": "folder", "path": str(alphabet)}, omniglot)
    characters = len(list(alphabet.iterdir()))
    assert listing.class_names == tuple(f"character{number:02d}" for number in range(1, characters + 1))
    assert counts(listing) == {"train": [10] * characters, "validation": [4] * characters, "test": [6] * characters}
    image = listing.splits["train"].images.open(0)
    assert image.size == (105, 105) and image.mode == "1"


def test_photographs_are_read_as_before_and_turned_ones_as_upright_ones(tmp_path: Path) -> None:
    paths = sorted((REAL / "clothing_small").rglob("*.jpg"))[::97] + sorted((REAL / "caltech101").rglob("*.jpg"))[::211]
    assert len(paths) > 15
    sideways = Image.Exif()
    sideways[0x0112] = 6
    for path in paths:
        photograph = opened(path)
        plain = np.asarray(photograph.convert("RGB"))
        np.testing.assert_array_equal(np.asarray(upright(photograph)), plain)
        Image.fromarray(np.rot90(plain)).save(tmp_path / "turned.png", exif=sideways)
        np.testing.assert_array_equal(np.asarray(upright(opened(tmp_path / "turned.png"))), plain)
        light = np.asarray(photograph.convert("L"))
        Image.fromarray(light.astype(np.uint16) * 257).save(tmp_path / "deep.png")
        np.testing.assert_array_equal(np.asarray(upright(opened(tmp_path / "deep.png"))), np.repeat(light[..., None], 3, axis=2))

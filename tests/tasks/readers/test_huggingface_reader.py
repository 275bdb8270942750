"""Repositories of the Hugging Face hub are read from local files, without network, code or decoded images."""

import io
import json
import pickle
import shutil
import socket
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers import find, huggingface as reader, repository

NAMES = ["ant", "bee hive", "crab"]
FILES = {split: f"data/{split}-00000-of-00001.parquet" for split in formats.SPLITS}
SPLITS = {split: split for split in formats.SPLITS}
TWO = {"train": "train", "test": "test"}


def source(splits: dict = SPLITS, **more) -> dict:
    return {"reader": "huggingface", "repository": "someone/things", "revision": "main", "splits": splits, **more}


def place(data_root: Path) -> Path:
    return data_root / "huggingface/someone--things"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list:
    """Every attempt to reach another machine fails and is counted; the user's own hub cache is empty."""
    import huggingface_hub.constants

    attempts = []

    def refuse(*arguments, **_):
        attempts.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    return attempts


def assert_holds_what_was_written(listing: Listing, names: list[str], splits: dict) -> None:
    assert list(listing.class_names) == names
    assert list(listing.splits) == list(splits)
    for split, part in listing.splits.items():
        written = formats.rows(names, split)
        assert len(part.images) == len(part.labels) == len(written)
        images = pickle.loads(pickle.dumps(part.images))
        found = {
            (label, number)
            for row, label in enumerate(part.labels.tolist())
            for number in range(formats.PER_CLASS[split])
            if formats.shows(images.open(row), label, split, number)
        }
        assert found >= set(written)


@pytest.mark.parametrize("kind", ["ClassLabel", "names"])
def test_parquet_with_class_names_is_read_in_its_own_order(tmp_path: Path, no_network: list, kind: str) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label", kind)
    listing = reader.read(source(), tmp_path)
    assert_holds_what_was_written(listing, NAMES, SPLITS)
    assert listing.splits["train"].labels.tolist() == [label for label, _ in formats.rows(NAMES, "train")]
    assert not no_network


def test_columns_are_named_by_the_source(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "img", "fine_label")
    assert_holds_what_was_written(reader.read(source(image="img", label="fine_label"), tmp_path), NAMES, SPLITS)
    assert_holds_what_was_written(reader.read(source(label="fine_label"), tmp_path), NAMES, SPLITS)
    with pytest.raises(UserError, match="has columns img, fine_label; say in `label`"):
        reader.read(source(), tmp_path)
    with pytest.raises(UserError, match="has no column 'picture', only img, fine_label; correct `image`"):
        reader.read(source(image="picture"), tmp_path)


@pytest.mark.parametrize("where", ["source", "classnames.txt", "own.txt", "nowhere"])
def test_bare_numbers_get_their_names_from_the_source_or_a_file(tmp_path: Path, where: str) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label", "numbers")
    more = {"source": {"classes": NAMES}, "own.txt": {"names": "own.txt"}}.get(where, {})
    if where.endswith(".txt"):
        (place(tmp_path) / where).write_text("\n".join(NAMES) + "\n\n")
    listing = reader.read(source(**more), tmp_path)
    assert_holds_what_was_written(listing, ["0", "1", "2"] if where == "nowhere" else NAMES, SPLITS)


def test_too_few_names_for_the_numbers_are_refused(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label", "numbers")
    with pytest.raises(UserError, match="label 2 but names for 2 classes only"):
        reader.read(source(classes=["ant", "bee"]), tmp_path)
    with pytest.raises(UserError, match=r"own\.txt is missing"):
        reader.read(source(names="own.txt"), tmp_path)


def test_whether_lists_are_marks_is_seen_from_all_splits(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (place(tmp_path) / "data").mkdir(parents=True)
    image = {"bytes": formats.encoded(formats.make_image(0, "train", 0)), "path": "a.png"}
    noted = {
        "info": {
            "features": {"image": {"_type": "Image"}, "classes": {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "Sequence"}}
        }
    }
    for split, labels in {"train": [[0, 2], [0, 1], [1, 2]], "test": [[0, 1], [0, 1]]}.items():
        table = pa.table({"image": [image] * len(labels), "classes": labels})
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(noted)}), place(tmp_path) / FILES[split])
    listing = reader.read(source(TWO, label="classes"), tmp_path)
    assert listing.splits["test"].labels.tolist() == [[1, 1, 0], [1, 1, 0]] and listing.class_names == ("0", "1", "2")


def test_lists_of_class_numbers_become_marks(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "classes", "lists")
    listing = reader.read(source(label="classes"), tmp_path)
    expected = np.zeros((9, 3), np.uint8)
    for row, (label, _) in enumerate(formats.rows(NAMES, "train")):
        expected[row, [label, (label + 1) % 3]] = 1
    np.testing.assert_array_equal(listing.splits["train"].labels, expected)
    assert listing.splits["train"].labels.dtype == np.uint8


def npy(label: int) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([label == 0, True, label == 2], dtype=np.int64))
    return buffer.getvalue()


def test_webdataset_marks_are_read_with_the_names_beside_them(tmp_path: Path) -> None:
    formats.webdataset(place(tmp_path), NAMES, {"train": "train", "test": "test"}, marks=npy)
    listing = reader.read(source(TWO), tmp_path)
    assert listing.class_names == tuple(NAMES)
    marks = listing.splits["train"].labels
    assert marks.dtype == np.uint8 and marks.shape == (9, 3)
    assert marks.sum(0).tolist() == [3, 9, 3]
    for row, mark in enumerate(marks):
        label = {(1, 1, 0): 0, (0, 1, 0): 1, (0, 1, 1): 2}[tuple(mark.tolist())]
        assert any(formats.shows(listing.splits["train"].images.open(row), label, "train", n) for n in range(3))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_webdataset_shards_may_hold_any_kind_of_image(tmp_path: Path, no_network: list, suffix: str) -> None:
    formats.webdataset(place(tmp_path), NAMES, {"train": "train", "test": "test"}, suffix)
    assert_holds_what_was_written(reader.read(source(TWO), tmp_path), NAMES, TWO)
    assert not no_network


def test_a_card_that_says_what_the_splits_are_is_followed(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, {"train": "one/a.parquet", "test": "two/b.parquet"}, "image", "label")
    (place(tmp_path) / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: training\n    path: one/*.parquet\n"
        "  - split: validation\n    path: two/*\n- config_name: other\n  data_files: two/*\n"
        "dataset_info:\n  config_name: default\n  splits:\n  - name: training\n    num_examples: 12345\n---\n# Things\n"
    )
    listing = reader.read(source({"train": "training", "test": "validation"}), tmp_path)
    assert_holds_what_was_written(listing, NAMES, TWO)
    other = reader.read(source({"test": "train"}, configuration="other"), tmp_path)
    assert len(other.splits["test"].labels) == 6


def test_the_source_may_say_which_files_form_which_split(tmp_path: Path) -> None:
    written = {"train": "data/part-a.parquet", "test": "data/part-b.parquet"}
    formats.parquet(place(tmp_path), NAMES, written, "image", "label")
    files = {"train": "data/part-a.parquet", "test": ["data/part-b*"]}
    assert_holds_what_was_written(reader.read(source(TWO, files=files), tmp_path), NAMES, TWO)


def test_images_may_be_files_beside_a_list(tmp_path: Path) -> None:
    """The form of Hateful Memes: img/*.png, and lines of JSON that name them."""
    for split, name in (("train", "train"), ("test", "dev_seen")):
        lines = []
        for row, (label, number) in enumerate(formats.rows(["no", "yes"], split)):
            path = f"img/{name}{row:05d}.png"
            formats.save(place(tmp_path) / path, formats.make_image(label, split, number))
            lines.append(json.dumps({"id": row, "img": path, "label": label, "text": "words"}))
        (place(tmp_path) / f"{name}.jsonl").write_text("\n".join(lines))
    files = {"train": "train.jsonl", "test": "dev_seen.jsonl"}
    spec = source(TWO, files=files, download=["*.jsonl", "img/*"], image="img", classes=["no", "yes"])
    listing = reader.read(spec, tmp_path)
    assert_holds_what_was_written(listing, ["no", "yes"], TWO)
    before = listing.splits["train"].stamp
    formats.save(place(tmp_path) / "img/train00000.png", formats.make_image(0, "new", 0, (40, 40)))
    assert reader.read(spec, tmp_path).splits["train"].stamp != before


@pytest.mark.parametrize("path", ["/etc/hostname", "../outside.png", "img/../../outside.png"])
def test_a_path_out_of_the_repository_is_not_opened(tmp_path: Path, path: str) -> None:
    formats.save(tmp_path / "huggingface/outside.png", formats.make_image(0, "train", 0))
    place(tmp_path).mkdir(exist_ok=True)
    for split in TWO:
        (place(tmp_path) / f"{split}.jsonl").write_text(json.dumps({"img": path, "label": 0}))
    listing = reader.read(source(TWO, image="img"), tmp_path)
    with pytest.raises(OSError, match="is outside of"):
        listing.splits["test"].images.open(0)


def test_splits_may_be_pooled_and_drawn_anew(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    spec = source({"all": ["train", "validation", "test"]}, redraw={"train": 2, "validation": 1})
    listing = reader.read(spec, tmp_path)
    assert {split: np.bincount(part.labels).tolist() for split, part in listing.splits.items()} == {
        "train": [2] * 3,
        "validation": [1] * 3,
        "test": [3] * 3,
    }
    part = listing.splits["test"]
    everything = [(split, number) for split, count in formats.PER_CLASS.items() for number in range(count)]
    for row, label in enumerate(part.labels):
        assert any(formats.shows(part.images.open(row), label, split, number) for split, number in everything)


def test_a_new_version_of_the_files_is_read_anew(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    first = reader.read(source(), tmp_path)
    formats.parquet(place(tmp_path), ["x", "y", "z", "zz"], FILES, "image", "label")
    second = reader.read(source(), tmp_path)
    assert second.class_names == ("x", "y", "z", "zz")
    assert first.splits["train"].stamp != second.splits["train"].stamp


def test_what_datasets_writes_stays_below_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    formats.parquet(place(tmp_path / "data"), NAMES, FILES, "image", "label")
    listing = reader.read(source(), tmp_path / "data")
    cache = tmp_path / "data/huggingface/.cache"
    assert all(Path(file).is_relative_to(cache) for file in listing.splits["train"].images.files)
    assert not list(home.iterdir())


def _look(images, row: int) -> tuple[bytes, bool]:
    return images.open(row).tobytes(), "datasets" in sys.modules


def test_images_reach_a_spawned_process_as_a_few_bytes_and_without_the_library(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    images = reader.read(source(), tmp_path).splits["train"].images
    expected = images.open(4).tobytes()
    assert len(pickle.dumps(images)) < 1000
    with get_context("spawn").Pool(1) as workers:
        content, has_library = workers.apply(_look, (images, 4))
    assert content == expected and not has_library
    assert images.name(4) == "someone/things train row 4"


def test_no_image_is_decoded_while_listing(tmp_path: Path) -> None:
    formats.webdataset(place(tmp_path), NAMES, {"train": "train", "test": "test"}, "jpg")
    import PIL.Image

    opened = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIL.Image, "open", lambda *arguments: opened.append(arguments))
        reader.read(source(TWO), tmp_path)
    assert not opened


def test_a_damaged_image_raises_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "encoded", lambda image, kind="PNG": b"\x89PNG no more")
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    with pytest.raises(OSError, match="of no kind of image that can be read"):
        reader.read(source(), tmp_path).splits["test"].images.open(0)


def test_unlabelled_test_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = formats.rows
    monkeypatch.setattr(formats, "rows", lambda names, split: [(-1, 0)] if split == "test" else honest(names, split))
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    with pytest.raises(UserError, match="has 1 image without a label"):
        reader.read(source(), tmp_path)


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    with pytest.raises(UserError, match="no split 'valid', only train, validation, test; correct `splits`"):
        reader.read(source({"train": "train", "validation": "valid", "test": "test"}), tmp_path)


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    (place(tmp_path) / FILES["test"]).write_bytes(b"PAR1 not any more")
    with pytest.raises(UserError, match=r"someone/things in .* cannot be read") as error:
        reader.read(source(), tmp_path)
    assert "\n" not in str(error.value)


def test_code_of_a_repository_is_never_run(tmp_path: Path) -> None:
    place(tmp_path).mkdir(parents=True)
    ran = tmp_path / "ran"
    (place(tmp_path) / "someone--things.py").write_text(f"open({str(ran)!r}, 'w')")
    assert not reader.present(source(), tmp_path)
    formats.parquet(place(tmp_path), NAMES, FILES, "image", "label")
    with pytest.raises(UserError, match="scripts are no longer supported"):
        reader.read(source(), tmp_path)
    assert not ran.exists()


def test_a_copy_in_the_users_own_hub_cache_is_found(tmp_path: Path) -> None:
    import huggingface_hub.constants

    formats.parquet(tmp_path / "made", NAMES, FILES, "image", "label")
    cache = Path(huggingface_hub.constants.HF_HUB_CACHE) / "datasets--someone--things"
    shutil.copytree(tmp_path / "made", cache / "blobs")
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("abc123")
    for file in FILES.values():
        link = cache / "snapshots/abc123" / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(cache / "blobs" / file)
    for spec in (source(), source() | {"revision": "abc123"}):
        assert find([spec], tmp_path) == spec
        assert_holds_what_was_written(reader.read(spec, tmp_path), NAMES, SPLITS)
    assert find([source() | {"revision": "other"}], tmp_path) is None


def test_without_network_a_download_fails_soon_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(UserError, match="someone/things could not be downloaded from the Hugging Face hub") as error:
        reader.download(source(), tmp_path)
    assert sum(waited) < 60
    assert "\n" not in str(error.value)
    assert not reader.present(source(), tmp_path)


def pretend_hub(monkeypatch: pytest.MonkeyPatch, made: Path, fails: bool = False) -> list[dict]:
    """The hub's own download function, replaced by a copy from `made`; returns what it was asked for."""
    import fnmatch

    import huggingface_hub

    asked = []

    def snapshot(repository_id: str, *, local_dir: Path, allow_patterns, ignore_patterns, **more) -> None:
        asked.append(more | {"repository": repository_id, "patterns": allow_patterns})
        (Path(local_dir) / ".cache/huggingface").mkdir(parents=True)
        for path in sorted(made.rglob("*")):
            name = str(path.relative_to(made))
            wanted = allow_patterns is None or any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns)
            if path.is_file() and wanted and not any(fnmatch.fnmatch(name, pattern) for pattern in ignore_patterns):
                (Path(local_dir) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, Path(local_dir) / name)
                if fails:
                    raise OSError("the line went dead")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return asked


def test_a_download_has_the_files_that_are_needed_and_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formats.parquet(tmp_path / "made", NAMES, FILES, "image", "label")
    (tmp_path / "made/things.py").write_text("code")
    asked = pretend_hub(monkeypatch, tmp_path / "made")
    reader.download(source(), tmp_path)
    assert asked[0] == asked[0] | {"repository": "someone/things", "repo_type": "dataset", "revision": "main"}
    assert reader.present(source(), tmp_path)
    assert_holds_what_was_written(reader.read(source(), tmp_path), NAMES, SPLITS)
    assert not list(place(tmp_path).glob("*.py"))
    files = {split: FILES[split] for split in ("train", "test")}
    reader.download(source(TWO, files=files), tmp_path)
    assert not (place(tmp_path) / FILES["validation"]).exists()


def test_an_interrupted_download_does_not_look_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formats.parquet(tmp_path / "made", NAMES, FILES, "image", "label")
    pretend_hub(monkeypatch, tmp_path / "made", fails=True)
    with pytest.raises(UserError, match=r"could not be downloaded .*the line went dead"):
        reader.download(source(), tmp_path)
    assert not reader.present(source(), tmp_path)


def test_a_repository_without_data_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/things.py").write_text("code")
    pretend_hub(monkeypatch, tmp_path / "made")
    with pytest.raises(UserError, match="no data files that can be read without running its code"):
        reader.download(source(), tmp_path)


def test_advice_says_what_goes_where(tmp_path: Path) -> None:
    advice = reader.advice(source(), tmp_path)
    assert "someone/things (revision main)" in advice and str(repository.home(source(), tmp_path)) in advice
    with pytest.raises(UserError, match="someone/things is not in"):
        reader.read(source(), tmp_path)

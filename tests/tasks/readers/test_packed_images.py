"""Images inside other files, tar archives of WebDataset and the columns of `datasets`, and its folders with metadata."""

import io
import json
import os
import pickle
import sys
import tarfile

import numpy as np
import pytest

import formats
from promptatlas.base.errors import UserError
from promptatlas.recommendation import loose
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader, labelled

NAMES = ["ant", "bee hive", "crab"]
SPLITS = {split: split for split in formats.SPLITS}
PARQUET = {split: f"data/{split}-00000-of-00001.parquet" for split in formats.SPLITS}


def source(path, **described):
    return catalogue.own("things", {"folder": str(path), **described}).sources[0]


def read(path, **described):
    return reader.read(source(path, **described), path)


def assert_holds_what_was_written(listing, names=NAMES, splits=SPLITS):
    assert list(listing.class_names) == list(names) and {*listing.splits} == {*splits}
    for split, part in listing.splits.items():
        written = formats.rows(NAMES, split)
        assert len(part.images) == len(part.labels) == len(written)
        images = pickle.loads(pickle.dumps(part.images))
        rows = list(zip(part.labels.tolist(), range(len(written)), strict=True))
        found = {
            (label, n) for label, row in rows for n in range(formats.PER_CLASS[split]) if formats.shows(images.open(row), label, split, n)
        }
        assert found >= set(written)
        assert len({images.name(row) for _, row in rows}) == len(rows)


@pytest.mark.parametrize("splits", [SPLITS, {"train": "train", "validation": "val", "test": "testing"}])
def test_archives_in_folders_of_splits(tmp_path, splits):
    formats.webdataset(tmp_path, NAMES, splits, "png")
    assert_holds_what_was_written(read(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.suffix not in (".tar", ".txt") and not path.is_dir()] == []  # nothing is extracted
    assert {*labelled(source(tmp_path), tmp_path).splits} == {"train", "validation"}


def test_archives_that_say_their_split_in_their_names(tmp_path):
    for split in SPLITS:
        formats.webdataset(tmp_path, NAMES, {split: ""}, "jpg", prefix=f"things-{split}-00000")
    assert_holds_what_was_written(read(tmp_path))


def test_marks_are_lists_of_classes(tmp_path):
    def marks(label):
        np.save(buffer := io.BytesIO(), np.eye(3, dtype=np.uint8)[label] | np.eye(3, dtype=np.uint8)[0])
        return buffer.getvalue()

    formats.webdataset(tmp_path, NAMES, SPLITS, marks=marks)
    labels = read(tmp_path).splits["train"].labels
    assert labels.shape == (9, 3) and labels[:, 0].all() and labels.sum() == 9 + 6


def archive(path, members):
    """A tar archive of (name, content) or of whole members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


IMAGE = formats.encoded(formats.make_image(0, "train", 0))


def pairs(label, count=4):
    return [(f"s{number}.{ending}", content) for number in range(count) for ending, content in (("png", IMAGE), label(number))]


def test_one_archive_is_divided(tmp_path):
    archive(tmp_path / "things.tar", pairs(lambda number: ("cls", b"ant" if number % 2 else b"bee"), 10))
    listing = read(tmp_path / "things.tar")
    assert listing.class_names == ("ant", "bee") and listing.split_source == "promptatlas"
    assert {split: len(part.labels) for split, part in listing.splits.items()} == {"train": 4, "validation": 2, "test": 4}
    assert len(reader.look(source(tmp_path / "things.tar"), tmp_path)) == 1


@pytest.mark.parametrize(
    "label",
    [lambda n: ("cls", f"kind {n % 2}\n".encode()), lambda n: ("json", json.dumps({"caption": "x", "label": f"kind {n % 2}"}).encode())],
)
def test_labels_may_be_names(tmp_path, label):
    archive(tmp_path / "train.tar", pairs(label))
    archive(tmp_path / "test.tar", pairs(label))
    listing = read(tmp_path)
    assert listing.class_names == ("kind 0", "kind 1") and listing.splits["test"].labels.tolist() == [0, 1, 0, 1]


def test_labels_that_are_numbers_without_names_are_told(tmp_path):
    for split in ("train", "test"):
        archive(tmp_path / f"{split}.tar", pairs(lambda n: ("cls", b"7" if n % 2 else b"2007")))
    listing = read(tmp_path)
    assert listing.class_names == ("7", "2007") and any(
        note.startswith("its classes have numbers only (7, 2007)") for note in listing.notes
    )
    named = catalogue.own("things", {"folder": str(tmp_path), "classes": [["ant", "2007"], ["bee", "7"]]})
    assert named.spellings == {"2007": "ant", "7": "bee"}


def test_the_ending_that_holds_the_label_may_be_said(tmp_path):
    for split in ("train", "test"):
        archive(tmp_path / f"{split}.tar", pairs(lambda n: ("txt", b"ant" if n % 2 else b"bee")))
    with pytest.raises(UserError, match=r"train\.tar: sample s0 has no label \(\.cls, \.json, \.npy\); add it, say in `label`"):
        read(tmp_path)
    assert read(tmp_path, label="txt").class_names == ("ant", "bee")


class Shout:
    """What a pickle would do, were it opened."""

    def __reduce__(self):
        return (print, ("opened",))


def linked(kind):
    info = tarfile.TarInfo("s9.png")
    info.type, info.linkname = kind, "/etc/hostname"
    return info


ONE = ("cls", b"0")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("../s0.png", IMAGE)], "has the member ../s0.png, a path that leads out of it"),
        ([("/tmp/s0.png", IMAGE)], "has the member /tmp/s0.png, a path that leads out of it"),
        ([(linked(tarfile.SYMTYPE), b"")], "has the member s9.png, which is a link"),
        ([(linked(tarfile.LNKTYPE), b"")], "has the member s9.png, which is a link"),
        ([("s0.png", IMAGE)], "sample s0 has no label"),
        ([("s0.cls", b"0")], "sample s0 has no image; the files of a sample are called 0001.jpg and 0001.cls"),
        ([("s0.png", IMAGE), ("s0.jpg", IMAGE), ("s0.cls", b"0")], "sample s0 has two images"),
        ([("s0.png", IMAGE), ("s0.cls", b"")], "label .cls of sample s0 says nothing"),
        ([("s0.png", IMAGE), ("s0.cls", b"\xff\xfe")], "label .cls of sample s0 cannot be read"),
        ([("s0.png", IMAGE), ("s0.json", b"{")], "label .json of sample s0 cannot be read"),
        ([("s0.png", IMAGE), ("s0.json", b"{}")], "label .json of sample s0 says nothing under label, labels"),
        ([("s0.png", IMAGE), ("s0.npy", pickle.dumps(Shout()))], "label .npy of sample s0 cannot be read"),
        ([("s0.png", IMAGE), ("s0.cls", b"0" * 2_000_000)], "has 2,000,000 bytes, which is no label"),
        ([("s0.png", IMAGE), ("s0.json", b"[0]"), ("s1.png", IMAGE), ("s1.json", b"0")], "1 image with a list of classes and others"),
    ],
)
def test_what_is_wrong_with_an_archive_is_one_sentence_with_its_member(tmp_path, capsys, members, words):
    archive(tmp_path / "train.tar", members)
    archive(tmp_path / "test.tar", pairs(lambda n: ONE))
    with pytest.raises(UserError) as error:
        read(tmp_path)
    assert words in str(error.value) and "train" in str(error.value) and "\n" not in str(error.value)
    assert "opened" not in capsys.readouterr().out


def test_a_number_below_0_is_named_with_its_archive_and_sample_where_classes_have_names(tmp_path):
    for split in ("train", "test"):
        archive(tmp_path / f"{split}.tar", pairs(lambda n: ("cls", b"-1" if n == 2 else b"01"[n % 2 : n % 2 + 1])))
    (tmp_path / "classnames.txt").write_text("ant\nbee\n")
    with pytest.raises(UserError, match=r"train\.tar: s2\.png has the label -1, which is no class"):
        read(tmp_path)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("ending", ["parquet", "tar"])
def test_a_split_of_which_a_file_is_missing_is_refused(tmp_path, ending, first):
    def write(split, number, of):
        name = f"{split}-{number:05}-of-{of:05}"
        if ending == "parquet":
            formats.parquet(tmp_path, NAMES, {split: f"{name}.parquet"}, "image", "label")
        else:
            archive(
                tmp_path / f"{name}.tar",
                [(f"{number}{key}", content) for key, content in pairs(lambda n: ("cls", b"01"[n % 2 : n % 2 + 1]))],
            )

    for number in (first, first + 2):
        write("train", number, 3)
    write("test", first, 1)
    with pytest.raises(UserError, match=f"has 2 of the 3 files train-.* without number {first + 1}; fetch all of them"):
        read(tmp_path)
    single = tmp_path / f"train-{first:05}-of-00003.{ending}"
    assert len(read(single, redraw={"train": 0.5}).class_names) > 1  # named by itself it is all that is wanted
    write("train", first + 1, 3)
    whole = read(tmp_path).splits["train"]
    single.rename(tmp_path / f"train-{first:05}.{ending}")
    for number in (first + 1, first + 2):
        (tmp_path / f"train-{number:05}-of-00003.{ending}").rename(tmp_path / f"train-{number:05}.{ending}")
    assert len(read(tmp_path).splits["train"].labels) == len(whole.labels)


def test_pickles_in_archives_are_left_alone(tmp_path, capsys):
    for split in ("train", "test"):
        members = [(f"s{n}.{ending}", content) for n in range(2) for ending, content in
                   (("png", IMAGE), ("cls", b"01"[n : n + 1]), ("pyd", pickle.dumps(Shout())), ("pkl", pickle.dumps(Shout())))]  # fmt: skip
        archive(tmp_path / f"{split}.tar", members)
    assert len(read(tmp_path).splits["train"].labels) == 2 and "opened" not in capsys.readouterr().out


def test_an_archive_of_class_folders_is_no_such_archive(tmp_path):
    archive(tmp_path / "images.tar", [(f"{name}/{number}.png", IMAGE) for name in ("ant", "bee") for number in range(3)])
    with pytest.raises(UserError, match=r"images\.tar: sample ant/0 has no label .* or unpack an archive of class folders"):
        read(tmp_path / "images.tar")


def test_an_archive_that_ends_early_or_is_packed_or_none_is_named(tmp_path):
    formats.webdataset(tmp_path, NAMES, SPLITS)
    shard = tmp_path / "train/1.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:2000])
    with pytest.raises(UserError, match=r"1\.tar"):
        read(tmp_path)
    shard.write_bytes(b"no archive at all" * 100)
    with pytest.raises(UserError, match=r"1\.tar is no tar archive that can be read"):
        read(tmp_path)
    shard.rename(tmp_path / "train/1.tar.gz")
    with pytest.raises(UserError, match=r"is compressed, so single images cannot be read from it; unpack it to a plain \.tar"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["ClassLabel", "names"])
@pytest.mark.parametrize("files", [PARQUET, {split: f"default/{split}/0000.parquet" for split in SPLITS}], ids=["pushed", "converted"])
def test_parquet_as_the_hub_has_it(tmp_path, kind, files):
    formats.parquet(tmp_path, NAMES, files, "image", "label", kind)
    assert_holds_what_was_written(read(tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.suffix != ".parquet" and path.is_file()]  # no copy of the images


def test_columns_called_otherwise_are_said_or_asked_for(tmp_path):
    formats.parquet(tmp_path, NAMES, PARQUET, "photo", "kind")
    with pytest.raises(UserError, match="has the columns photo, kind; say in `label` which holds the class"):
        read(tmp_path)
    with pytest.raises(UserError, match="has no column 'knd', only photo, kind; correct `label`"):
        read(tmp_path, label="knd")
    assert_holds_what_was_written(read(tmp_path, label="kind", image="photo"))


def test_lists_in_a_column_are_several_classes(tmp_path):
    formats.parquet(tmp_path, NAMES, PARQUET, "image", "labels", "lists")
    labels = read(tmp_path).splits["train"].labels
    assert labels.shape == (9, 3) and (labels.sum(1) == 2).all()


def test_what_datasets_writes_is_read(tmp_path):
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    every = datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict(
                {"image": [formats.make_image(label, split, n) for label, n in formats.rows(NAMES, split)],
                 "label": [label for label, _ in formats.rows(NAMES, split)]},
                features=features,
            )
            for split in SPLITS
        }
    )  # fmt: skip
    every.save_to_disk(tmp_path / "saved")
    assert_holds_what_was_written(read(tmp_path / "saved"))
    for split, data in every.items():
        data.to_parquet(tmp_path / "pushed" / "data" / f"{split}-00000-of-00001.parquet", batch_size=4)
    assert_holds_what_was_written(read(tmp_path / "pushed"))
    one = read(tmp_path / "saved" / "train", redraw={"train": 0.5})
    assert {split: len(part.labels) for split, part in one.splits.items()} == {"train": 6, "test": 3}
    about = tmp_path / "saved/train/dataset_info.json"
    whole = about.read_text()
    about.write_text(whole.replace('"bee hive"', "null"))
    with pytest.raises(UserError, match="notes names of classes that are no list of texts"):
        read(tmp_path / "saved")
    about.write_text(whole)
    note = tmp_path / "saved/train/state.json"
    note.write_text(note.read_text().replace("data-00000", "../test/data-00000"))
    with pytest.raises(UserError, match=r"state\.json lists \.\./test/data-.* which is no file beside it"):
        read(tmp_path / "saved")


def test_columns_are_read_without_torch_and_the_library_of_data_sets(tmp_path, monkeypatch):
    formats.parquet(tmp_path, NAMES, PARQUET, "image", "label")
    for library in ("torch", "datasets"):
        monkeypatch.setitem(sys.modules, library, None)  # importing it now fails
    assert_holds_what_was_written(read(tmp_path))


def test_a_file_of_columns_that_is_broken_and_a_row_without_an_image(tmp_path):
    formats.parquet(tmp_path, NAMES, PARQUET, "image", "label")
    (tmp_path / PARQUET["test"]).write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"data/test-00000-of-00001\.parquet cannot be read"):
        read(tmp_path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = pa.array([{"bytes": IMAGE, "path": "a.png"}, {"bytes": None, "path": "/etc/hostname"}, {"bytes": b"no image", "path": "c"}])
    for file in PARQUET.values():
        pq.write_table(pa.table({"image": images, "label": ["ant", "bee", "ant"]}), tmp_path / file)
    part = read(tmp_path).splits["train"]
    assert part.images.open(0).size == (24, 16)
    for row, words in ((1, "no image in it, only a path"), (2, "of no kind of image that can be read")):
        with pytest.raises(OSError, match=words):
            part.images.open(row)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("below", ["", "images/"])
def test_folders_with_metadata(tmp_path, kind, below):
    for split, name in {"train": "train", "validation": "valid", "test": "test"}.items():
        formats.imagefolder(tmp_path / name, NAMES, split, kind, below)
    assert_holds_what_was_written(read(tmp_path))


def test_a_line_without_its_label_is_named_also_if_it_is_the_first(tmp_path):
    formats.imagefolder(tmp_path, NAMES, "train", "jsonl")
    first, *others = (tmp_path / "metadata.jsonl").read_text().splitlines()
    path = json.loads(first)["file_name"]
    (tmp_path / "metadata.jsonl").write_text("\n".join([json.dumps({"file_name": path}), *others]))
    with pytest.raises(UserError, match=rf"metadata\.jsonl, line 1: {path} has no `label`; add it, or leave the image out"):
        read(tmp_path)


def test_images_that_are_missing_are_told_of_all_splits_at_once(tmp_path):
    formats.imagefolder(tmp_path, NAMES, "train", "csv")
    header, *rows = (tmp_path / "metadata.csv").read_text().splitlines()
    divided = [f"{row},{split}" for row, split in zip(rows, ["train", "test"] * len(rows), strict=False)]
    (tmp_path / "metadata.csv").write_text("\n".join([f"{header},split", *divided]))
    gone = [row.split(",")[header.split(",").index("file_name")] for row in rows[:2]]
    for name in gone:
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"lists 2 images that are not in"):
        read(tmp_path)


def test_metadata_of_all_splits_in_one_file_and_of_none(tmp_path):
    for split in ("train", "test"):
        formats.imagefolder(tmp_path / "all", NAMES, split, "jsonl", f"{split}/")
        os.rename(tmp_path / "all/metadata.jsonl", tmp_path / f"{split}.jsonl")
    lines = "".join((tmp_path / f"{split}.jsonl").read_text() for split in ("train", "test"))
    (tmp_path / "all/metadata.jsonl").write_text(lines)
    assert_holds_what_was_written(read(tmp_path / "all"), splits=("train", "test"))
    formats.imagefolder(tmp_path / "one", NAMES, "train")
    formats.save(tmp_path / "one/spare.png", formats.make_image(0, "train", 0))
    listing = read(tmp_path / "one", redraw={"train": 0.5})
    assert {split: len(part.labels) for split, part in listing.splits.items()} == {"train": 6, "test": 3}
    assert "1 image that metadata.csv does not list is left out: spare.png" in listing.notes


def test_images_beside_their_labels_are_not_taken_for_unlabelled_ones(tmp_path):
    formats.imagefolder(tmp_path / "labelled", NAMES, "train")
    formats.voc(tmp_path / "exported", {"train": [{"ant": "0"}, {"crab": "0"}]}, exported=True)
    formats.save(tmp_path / "bare/1.png", formats.make_image(0, "train", 0))
    found = {name: loose.is_loose(tmp_path / name) for name in ("labelled", "exported/train", "bare")}
    assert found == {"labelled": False, "exported/train": False, "bare": True}


HEAD = "file_name,label\n0000.png,ant\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metadata.csv", HEAD + ",bee\n", "line 3: there is no `file_name`"),
        ("metadata.csv", HEAD + "0001.png,\n", "line 3: 0001.png has no `label`"),
        ("metadata.csv", HEAD + "0000.png,bee\n", "lines 2 and 3 are both of 0000.png"),
        ("metadata.csv", HEAD + "../0001.png,bee\n", 'line 3, lists "../0001.png", which is outside of'),
        ("metadata.csv", HEAD + "/etc/hostname,bee\n", 'line 3, lists "/etc/hostname", which is outside of'),
        ("metadata.csv", HEAD + "gone.png,bee\n", "lists 1 image that is not in"),
        ("metadata.csv", "file_name,label,class\n0000.png,ant,bee\n", "say in `label` which of them holds the class"),
        ("metadata.csv", HEAD + '0001.png,"b"ee\n', "is no table"),
        ("metadata.csv", HEAD.replace("0000.png,ant\n", ""), "lists no image"),
        ("metadata.jsonl", '{"file_name": "0000.png", "label": "ant"}\n{"file_name": \n', "line 2: "),
        (
            "metadata.jsonl",
            '{"file_name": "0000.png", "label": "ant"}\n\n{"file_name": "0001.png", "label": null}\n',
            "line 3: 0001.png has no",
        ),
        ("metadata.jsonl", '{"file_name": "0000.png", "label": 1.5}\n', "has labels of type float"),
    ],
)
def test_what_is_wrong_with_metadata_is_one_sentence_with_file_and_line(tmp_path, name, text, words):
    for split in ("train", "test"):
        formats.imagefolder(tmp_path / split, NAMES, split)
    (tmp_path / "train/metadata.csv").unlink()
    (tmp_path / "train" / name).write_text(text)
    with pytest.raises(UserError) as error:
        read(tmp_path)
    assert words in str(error.value) and f"train/{name}" in str(error.value) and "\n" not in str(error.value)


def test_class_folders_stay_class_folders_beside_files_of_other_formats(tmp_path):
    formats.tree(tmp_path, NAMES, {"train": "train", "test": "test"})
    (tmp_path / "features.parquet").write_bytes(b"of something else")
    (tmp_path / "labels.json").write_text('{"images": []}')
    (tmp_path / "metadata.csv").write_text("file_name,caption\ntrain/ant/0.jpg,an ant\n")
    archive(tmp_path / "train.tar", [("train/ant/0.jpg", IMAGE)])
    assert_holds_what_was_written(read(tmp_path), splits=("train", "test"))


def test_two_formats_in_one_place_are_asked_about(tmp_path):
    for split in ("train", "test"):
        formats.imagefolder(tmp_path / split, NAMES, split)
    formats.parquet(tmp_path, NAMES, {split: f"{split}.parquet" for split in ("train", "test")}, "image", "label")
    with pytest.raises(UserError, match="looks like imagefolder and parquet; say which it is in `format`"):
        read(tmp_path)
    assert_holds_what_was_written(read(tmp_path, format="imagefolder"), splits=("train", "test"))
    assert_holds_what_was_written(read(tmp_path, format="parquet"), splits=("train", "test"))


def test_several_data_sets_in_one_folder_are_asked_about_and_one_alone_is_read(tmp_path):
    formats.voc(tmp_path / "voc", {"train": [{"ant": "0"}, {"bee": "0"}], "test": [{"ant": "0"}, {"bee": "0"}]})
    (tmp_path / "papers").mkdir()
    assert read(tmp_path).class_names == ("ant", "bee")
    for name in ("classes/ant", "classes/bee", "split/train/ant", "split/train/bee"):
        formats.save(tmp_path / name / "0.png", formats.make_image(0, "train", 0))
    formats.webdataset(tmp_path / "shards", NAMES, SPLITS)
    with pytest.raises(UserError, match=r"holds several data sets, classes, shards, split, voc; name one of them, such as .*/voc"):
        read(tmp_path)
    with pytest.raises(UserError, match="holds several data sets"):
        reader.glance(source(tmp_path), tmp_path)
    assert read(tmp_path, format="voc").class_names == read(tmp_path / "voc").class_names


@pytest.mark.parametrize("name", ["coco", "voc", "webdataset", "imagefolder", "parquet"])
def test_a_format_that_is_not_there_is_said(tmp_path, name):
    formats.tree(tmp_path, NAMES, {"train": "train", "test": "test"})
    with pytest.raises(UserError, match=f"^{tmp_path} has no "):
        read(tmp_path, format=name)

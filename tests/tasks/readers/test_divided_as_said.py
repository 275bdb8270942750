"""Splits, paths and labels that data of other formats say in less usual ways: heeded or refused in one sentence, never passed over."""

import csv
import io
import json
import os
import tarfile

import numpy as np
import pytest

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader
from promptatlas.tasks.readers.formats import shards

NAMES = ["ant", "bee hive", "crab"]
IMAGE = formats.encoded(formats.make_image(0, "train", 0))


def source(path, **described):
    return catalogue.own("things", {"folder": str(path), **described}).sources[0]


def read(path, **described):
    return reader.read(source(path, **described), path)


def refused(path, **described):
    with pytest.raises(UserError) as error:
        read(path, **described)
    assert "\n" not in str(error.value)
    return str(error.value)


def counts(listing):
    return {split: len(part.labels) for split, part in listing.splits.items()}


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def labelled(path, labels, ending="json"):
    """An archive with an image for each label."""
    archive(path, [(f"s{n}.{end}", c) for n, label in enumerate(labels) for end, c in (("png", IMAGE), (ending, label))])


@pytest.mark.parametrize("prefix", ["data.v2-{}-000", "birds.1.5.{}-000", "{}-00000-of-0000"])
def test_an_archive_with_dots_in_its_name_keeps_its_split(tmp_path, prefix):
    for split in ("train", "test"):
        formats.webdataset(tmp_path, NAMES, {split: ""}, "png", prefix=prefix.format(split))
    listing = read(tmp_path)
    assert counts(listing) == {"train": 9, "test": 6} and listing.split_source == "own data"


def test_files_of_columns_with_a_hash_are_of_one_split(tmp_path):
    files = {split: f"data/{split}-00000-of-0000{of}-9564e8b05b4757ab.parquet" for split, of in (("train", 2), ("test", 1))}
    formats.parquet(tmp_path, NAMES, files, "image", "label")
    formats.parquet(tmp_path, NAMES, {"train": "data/train-00001-of-00002-0a64e8b05b4757ff.parquet"}, "image", "label")
    assert counts(read(tmp_path)) == {"train": 18, "test": 6}


def metadata(folder, rows, header="file_name,label,split", kind="csv"):
    """A table of images, which are made too where their paths lead to `folder`."""
    for path, *_ in rows:
        formats.save(folder / path.replace("\\", "/"), formats.make_image(0, "train", 0))
    if kind == "jsonl":
        lines = [json.dumps(dict(zip(header.split(","), row, strict=True))) for row in rows]
        (folder / "metadata.jsonl").write_text("\n".join(lines))
        return
    with open(folder / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


ROWS = [(f"{n}.png", NAMES[n % 2], ("train", "train", "val", "test")[n // 2]) for n in range(8)]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_column_split_of_metadata_is_heeded(tmp_path, kind):
    metadata(tmp_path, ROWS, kind=kind)
    listing = read(tmp_path)
    assert counts(listing) == {"train": 4, "validation": 2, "test": 2} and listing.split_source == "own data"
    assert listing.splits["test"].images.paths == ["6.png", "7.png"]
    metadata(tmp_path, [(path, label, {"val": "fold 1", "test": "fold 2"}.get(split, split)) for path, label, split in ROWS], kind=kind)
    assert "which is for what is not known" in refused(tmp_path)
    assert counts(read(tmp_path, splits={"train": "train", "test": "fold 2"})) == {"train": 4, "test": 2}
    metadata(tmp_path, [*ROWS[:7], ("7.png", "ant", "")], kind=kind)
    assert f"metadata.{kind}, line {9 if kind == 'csv' else 8}: 7.png has no `split`, as others have" in refused(tmp_path)


def test_a_split_in_another_folder_is_refused(tmp_path):
    for split in ("train", "test"):
        metadata(tmp_path / split, [(f"{n}.png", NAMES[n % 2], split) for n in range(2)])
    assert counts(read(tmp_path)) == {"train": 2, "test": 2}
    metadata(tmp_path / "train", [("0.png", "ant", "train"), ("1.png", "bee hive", "test")])
    assert "train/metadata.csv, line 3: the split is test in the folder train" in refused(tmp_path)


def test_a_column_split_in_files_that_are_told_apart_by_name_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": IMAGE, "path": "a.png"}] * 4
    rows = {"image": images, "label": ["ant", "bee"] * 2, "split": ["train", "train", "test", "test"]}
    pq.write_table(pa.table(rows), tmp_path / "data.parquet")
    assert "data.parquet has a column `split` with test, train; save a file for each" in refused(tmp_path)


@pytest.mark.parametrize("begin", ["./", ".//", ".\\"])
def test_paths_that_begin_with_a_dot_are_the_same_paths(tmp_path, begin):
    rows = [(f"{begin}{split}/{n}.png", NAMES[n]) for split in ("train", "test") for n in range(2)]
    metadata(tmp_path, rows, "file_name,label")
    assert counts(read(tmp_path)) == {"train": 2, "test": 2}
    metadata(tmp_path, [*rows, ("train/0.png", "ant")], "file_name,label")
    assert "lines 2 and 6 are both of train/0.png" in refused(tmp_path)
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{path},{name}\n" for path, name in [*rows, ("train/0.png", "ant")]))
    assert "rows 2 and 6 are both of train/0.png" in refused(tmp_path / "list.csv")


def test_lists_of_voc_with_a_year_are_lists_of_splits(tmp_path):
    shown = {"train2007": [{"cat": "0"}, {"dog": "0"}, {"cat": "0", "dog": "0"}], "test2007": [{"dog": "0"}, {"cat": "0"}]}
    formats.voc(tmp_path, shown)
    (tmp_path / "ImageSets/Main/cat_train2007.txt").write_text("000000  1\n000001 -1\n000002  0\n")
    assert counts(read(tmp_path)) == {"train": 3, "test": 2}
    for name in ("train", "test"):
        os.rename(tmp_path / f"ImageSets/Main/{name}2007.txt", tmp_path / f"ImageSets/Main/part {len(name)}.txt")
    (tmp_path / "ImageSets/Main/cat_train2007.txt").unlink()
    assert "has part 4.txt, part 5.txt, none of which is called like a split; call them train.txt" in refused(tmp_path)


def test_two_images_of_one_annotation_are_named(tmp_path):
    formats.voc(tmp_path, {"train": [{"cat": "0"}, {"dog": "0"}], "test": [{"dog": "0"}]})
    formats.save(tmp_path / "JPEGImages/000001.png", formats.make_image(0, "train", 0))
    assert "000001.xml has the images 000001.jpg and 000001.png in" in refused(tmp_path)


@pytest.mark.parametrize("encoding", ["gbk", "no-such-encoding"])
def test_an_annotation_in_an_unknown_encoding_is_named(tmp_path, encoding):
    formats.voc(tmp_path, {"train": [{"cat": "0"}, {"dog": "0"}], "test": [{"dog": "0"}]})
    (tmp_path / "Annotations/000001.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?><annotation/>')
    assert "000001.xml is no XML file that can be read" in refused(tmp_path)


def test_columns_of_a_table_may_be_said(tmp_path):
    rows = [(f"{n}.png", f"a species {n % 2}", f"{n}", f"label {n}") for n in range(10)]
    metadata(tmp_path, rows, "photo,species,path,label")
    os.rename(tmp_path / "metadata.csv", tmp_path / "list.csv")
    listing = read(tmp_path / "list.csv", label="species", image="photo")
    assert listing.class_names == ("a species 0", "a species 1") and counts(listing) == {"train": 4, "validation": 2, "test": 4}
    assert len(reader.look(source(tmp_path / "list.csv", label="species", image="photo"), tmp_path)) == 11
    assert "but `label` names kind" in refused(tmp_path / "list.csv", label="kind", image="photo")


@pytest.mark.parametrize("key", ["root", "label", "image"])
def test_keys_that_mean_nothing_are_refused(tmp_path, key):
    formats.tree(tmp_path / "tree", NAMES, {"train": "train", "test": "test"})
    formats.manifest(tmp_path / "list.json", tmp_path, NAMES)
    formats.webdataset(tmp_path / "tar", NAMES, {"train": "train", "test": "test"}, "png")
    formats.voc(tmp_path / "voc", {"train": [{"cat": "0"}, {"dog": "0"}], "test": [{"dog": "0"}]}, exported=True)
    formats.coco(tmp_path / "coco.json", tmp_path, "train", NAMES, [[0], [1]])
    given = {key: str(tmp_path)}
    assert f"class folders, where `{key}` means nothing" in refused(tmp_path / "tree", **given)
    with pytest.raises(UserError, match=f"`{key}` means nothing"):
        reader.glance(source(tmp_path / "tree", **given), tmp_path)
    if key != "root":
        assert f"a list in JSON, where `{key}` means nothing" in refused(tmp_path / "list.json", **given)
        assert f"data of format coco, where `{key}` means nothing" in refused(tmp_path / "coco.json", **given)
    if key != "label":
        assert f"data of format webdataset, where `{key}` means nothing" in refused(tmp_path / "tar", **given)
    assert f"`{key}`" in refused(tmp_path / "voc", **given)


def test_numbers_below_0_are_no_classes(tmp_path):
    metadata(tmp_path / "a", [(f"{n}.png", n - 1) for n in range(6)], "file_name,label", "jsonl")
    assert "metadata.jsonl, line 1: 0.png has the label -1, which is no class; name the class" in refused(tmp_path / "a")
    metadata(tmp_path / "b", [(f"{n}.png", n - 1) for n in range(6)], "file_name,label")
    assert "metadata.csv, line 2: 0.png has the label '-1', which is no class" in refused(tmp_path / "b")
    (tmp_path / "b/list.csv").write_text("path,label\n0.png,0\n1.png,-1\n")
    assert "list.csv: row 3 has the label -1, which is no class" in refused(tmp_path / "b/list.csv")
    (tmp_path / "c").mkdir()
    for split in ("train", "test"):
        labelled(tmp_path / f"c/{split}.tar", [b"0", b"1", b"-1"], "cls")
    assert "train.tar: s2.png has the label -1, which is no class" in refused(tmp_path / "c")
    labelled(tmp_path / "c/train.tar", [b"[0]", b"[1, -1]", b"[2]"])
    labelled(tmp_path / "c/test.tar", [b"[0]", b"[1]"])
    assert "train.tar: s1.png has the label [1, -1], which is no class" in refused(tmp_path / "c")


def test_whether_lists_are_marks_is_seen_from_all_splits(tmp_path):
    labelled(tmp_path / "train.tar", [b"[0, 2]", b"[0, 1]", b"[1, 2]"])
    labelled(tmp_path / "test.tar", [b"[0, 1]", b"[0, 1]"])
    listing = read(tmp_path)
    np.testing.assert_array_equal(listing.splits["test"].labels, [[1, 1, 0], [1, 1, 0]])
    labelled(tmp_path / "train.tar", [b"[0, 1]", b"[1, 0]"])
    np.testing.assert_array_equal(read(tmp_path).splits["test"].labels, [[0, 1], [0, 1]])
    labelled(tmp_path / "test.tar", [b"0", b"1"])
    assert "lists of classes for the images of one split and one class for those of another" in refused(tmp_path)


def test_a_large_number_is_one_class(tmp_path):
    for split in ("train", "test"):
        labelled(tmp_path / f"{split}.tar", [b"[2000000]", b"[7, 2000000]"])
    assert read(tmp_path).class_names == ("7", "2000000")


def test_numbers_of_columns_are_the_classes_that_occur(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    noted = {"info": {"features": {"image": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}}}
    images = [{"bytes": IMAGE, "path": "a.png"}] * 10
    for labels, words in ((range(1, 11), ""), (range(-1, 9), "train.parquet row 0 has the label -1, which is no class")):
        for split in ("train", "test"):
            table = pa.table({"image": images, "label": [*labels]}).replace_schema_metadata({"huggingface": json.dumps(noted)})
            pq.write_table(table, tmp_path / f"{split}.parquet")
        if words:
            assert words in refused(tmp_path)
        else:
            assert read(tmp_path).class_names == tuple(map(str, range(1, 11)))


def packed(array):
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


def huge():
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (1 << 50,)})
    return file.getvalue()


@pytest.mark.parametrize("content", [packed(np.array([1])), huge(), b""], ids=["npz", "huge", "empty"])
def test_an_array_that_is_none_is_named(tmp_path, content):
    labelled(tmp_path / "train.tar", [content, content], "npy")
    labelled(tmp_path / "test.tar", [b"0", b"1"], "cls")
    assert "train.tar: label .npy of sample s0 cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("order", [("json", "cls"), ("cls", "json")])
def test_of_several_labels_of_a_sample_the_same_counts_in_any_order(tmp_path, order):
    content = {"cls": lambda n: b"ab"[n % 2 : n % 2 + 1], "json": lambda n: b'"%d"' % n}
    for split in ("train", "test"):
        members = [(f"s{n}.{end}", content.get(end, lambda n: IMAGE)(n)) for n in range(2) for end in (*order, "png")]
        archive(tmp_path / f"{split}.tar", members)
    assert read(tmp_path).class_names == ("a", "b")


def test_names_beside_a_single_archive_are_looked_at(tmp_path):
    labelled(tmp_path / "things.tar", [b"0", b"1"] * 5, "cls")
    (tmp_path / "classnames.txt").write_text("ant\nbee\n")
    seen = reader.look(source(tmp_path / "things.tar"), tmp_path)
    assert read(tmp_path / "things.tar").class_names == ("ant", "bee")
    assert {os.path.basename(one.path) for one in seen.values()} == {"things.tar", "classnames.txt"}


def test_a_guessed_folder_of_images_leads_not_out(tmp_path):
    for split in ("train", "test"):
        formats.coco(tmp_path / f"coco/annotations/instances_{split}.json", tmp_path / f"elsewhere/{split}", split, NAMES, [[0], [1]] * 2)
        os.symlink(tmp_path / f"elsewhere/{split}", tmp_path / f"coco/{split}")
    assert "coco/train is a link that leads out of" in refused(tmp_path / "coco")
    single = tmp_path / "coco/annotations/instances_train.json"
    assert "coco/train is a link that leads out of" in refused(single)
    assert counts(read(single, root=str(tmp_path / "elsewhere/train"), redraw={"train": 1})) == {"train": 2, "test": 2}


def test_a_linked_file_of_columns_leads_not_out(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "secret.arrow").write_bytes(b"secret")
    os.symlink(tmp_path / "secret.arrow", tmp_path / "saved/data-00000-of-00001.arrow")
    (tmp_path / "saved/state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    assert "data-00000-of-00001.arrow is a link that leads out of" in refused(tmp_path / "saved")


def test_columns_that_pyarrow_cannot_read_are_one_sentence(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = {split: f"{split}.parquet" for split in ("train", "test")}
    formats.parquet(tmp_path, NAMES, files, "image", "label")

    def fails(*_, **__):
        raise pa.ArrowNotImplementedError("Nested data conversions not implemented for chunked array outputs")

    images = read(tmp_path).splits["train"].images
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", fails)
    with pytest.raises(OSError, match="the rows cannot be read, Nested data conversions"):
        images.open(0)
    monkeypatch.setattr(pq.ParquetFile, "read", fails)
    assert "train.parquet cannot be read (Nested data conversions" in refused(tmp_path)


OUTSIDE = ["../secret.png", "/etc/secret.png", "..\\secret.png"]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("kind", ["csv", "metadata", "coco", "json"])
def test_nothing_outside_is_looked_at_before_it_is_refused(tmp_path, monkeypatch, path, kind):
    (base := tmp_path / "in").mkdir()
    file = {"csv": base / "list.csv", "metadata": base, "coco": base / "coco.json", "json": base / "list.json"}[kind]
    if kind == "csv":
        file.write_text(f"path,label\n{path},ant\n")
    elif kind == "metadata":
        (base / "metadata.csv").write_text(f"file_name,label\n{path},ant\n")
    elif kind == "coco":
        content = {"images": [{"id": 1, "file_name": path}], "annotations": [], "categories": []}
        file.write_text(json.dumps(content))
    else:
        file.write_text(json.dumps({split: [[path, 0, "ant"]] for split in ("train", "test")}))
    asked = []
    for name in ("stat", "lstat"):
        genuine = getattr(os, name)
        monkeypatch.setattr(os, name, lambda what, *_, genuine=genuine, **__: asked.append(str(what)) or genuine(what, *_, **__))
    monkeypatch.setattr(os.path, "lexists", lambda what: asked.append(str(what)) or False)
    said = refused(file)
    reader.look(source(file), tmp_path)
    assert "which is outside of" in said and not [one for one in asked if "secret" in one]


def test_classes_in_folders_and_in_annotations_are_read_as_the_manual_says(tmp_path):
    formats.tree(tmp_path, NAMES, {"train": "train", "test": "test"})
    (tmp_path / "train.tar").write_bytes(b"")
    assert read(tmp_path).class_names == tuple(NAMES) and not shards.recognised(tmp_path)
    rows = [(f"{split}/ant/{n}.jpg", label) for split in ("train", "test") for n, label in enumerate(("x", "y"))]
    (tmp_path / "metadata.csv").write_text("file_name,label\n" + "".join(f"{path},{label}\n" for path, label in rows))
    assert read(tmp_path).class_names == ("x", "y")
    assert read(tmp_path, format="folders").class_names == tuple(NAMES)

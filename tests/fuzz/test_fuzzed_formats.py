"""Labelled images in formats that people bring from elsewhere, as anybody could have written them: listed, or one sentence."""

import io
import json
import shutil
import tarfile
from contextlib import contextmanager, suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import NASTY, cases, damaged, mutated, names, outcome, values
from hypothesis import given, strategies as st
from well_formed import text

import formats
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader, labelled

NAMES = ["ant", "bee"]
IMAGE = formats.encoded(formats.make_image(0, "train", 0, (4, 4)))


def read(path, **described):
    """What a study makes of the data at `path`: as it is planned, looked for changes, listed, and its images opened."""
    source = catalogue.own("things", {"folder": str(path), **described}).sources[0]
    reader.glance(source, path)
    assert reader.present(source, path) and reader.look(source, path)
    reader.classes(source, path)
    listing = reader.read(source, path)
    labelled(source, path)
    for split in listing.splits.values():
        assert len(split.images) == len(split.labels)
        for row in range(len(split.labels)):
            assert isinstance(split.images.name(row), str)
            with suppress(Exception):  # which decoding tells of, image by image
                split.images.open(row)
            if hasattr(split.images, "content"):
                with suppress(OSError):
                    split.images.content(row)
    catalogue.own("things", {"folder": str(path)}).with_classes(listing.class_names)
    return listing


def settles(folder, call):
    """The listing, which is of images below `folder` only, or a sentence that names something of it."""
    found = outcome(folder, call)
    if isinstance(found, str):
        assert str(folder) in found or "things" in found or "`redraw`" in found, found
        return found
    for split in found.splits.values():
        assert 0 <= split.labels.min() <= split.labels.max() < max(len(found.class_names), 2)
        for row in range(len(split.labels)):
            name = split.images.name(row)
            assert name.startswith(str(folder)) and ".." not in name.split("/"), name
    return found


@contextmanager
def changed(path, content: bytes):
    """The file at `path` has other content for a while."""
    good = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(good)


def recoded(content: bytes):
    """Text as other editors save it."""
    return st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037"]).map(lambda code: content.decode().encode(code))


def written(content):
    """JSON that is changed as a tree, as bytes, or in its encoding."""
    return st.one_of(mutated(content).map(text), mutated(content).map(text), damaged(text(content)), recoded(text(content)))


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    root = tmp_path_factory.mktemp("things")
    for split, year in (("train", "2017"), ("test", "2017")):
        formats.coco(root / f"annotations/instances_{split}{year}.json", root / f"{split}{year}", split, NAMES, [[0], [0, 1], []], "a/b/")
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


@pytest.mark.slow
@cases(100)
@given(st.data())
def test_annotations_of_coco(coco, data):
    file = coco / "annotations/instances_train2017.json"
    with changed(file, data.draw(written(json.loads(file.read_bytes())))):
        settles(coco, lambda: read(coco))
        settles(coco, lambda: read(file))


@cases(80)
@given(st.sampled_from(NASTY), st.sampled_from(NASTY), st.one_of(values, st.just(10**400)))
def test_any_name_and_number_in_annotations_of_coco(coco, name, category, number):
    file = coco / "annotations/instances_train2017.json"
    content = json.loads(file.read_bytes())
    content["images"][0]["file_name"] = name
    content["categories"][0]["name"] = category
    content["annotations"][0]["category_id"] = content["categories"][0]["id"] = number
    with changed(file, text(content)):
        settles(coco, lambda: read(coco))


@pytest.fixture(scope="module", params=[False, True], ids=["published", "exported"])
def voc(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("things")
    shown = [{"ant": "0"}, {"ant": "0", "bee": "0"}, {"bee": "1"}, {}]
    formats.voc(root, {"train": shown, "test": shown}, exported=request.param)
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


OBJECT = "<annotation><object><name>{}</name><difficult>{}</difficult></object></annotation>"
ENTITIES = (
    '<!DOCTYPE a [<!ENTITY x "{}"><!ENTITY y "&x;&x;&x;">]>' + OBJECT.format("&y;", 0),
    '<!DOCTYPE a [<!ENTITY x SYSTEM "/etc/passwd">]>' + OBJECT.format("&x;", 0),
    '<!DOCTYPE a [<!ENTITY x "&x;">]>' + OBJECT.format("&x;", 0),
)


@cases(80)
@given(st.data())
def test_annotations_of_voc(voc, data):
    file = sorted(voc.rglob("*.xml"))[0]
    good = file.read_bytes()
    objects = st.builds(OBJECT.format, names, names).map(lambda said: said.encode("utf-8", "replace"))
    entities = st.sampled_from([form.replace("{}", "x" * times).encode() for form in ENTITIES for times in (1, 10**6)])
    with changed(file, data.draw(st.one_of(damaged(good), objects, entities, recoded(good)))):
        settles(voc, lambda: read(voc))


@cases(60)
@given(st.data())
def test_lists_of_voc(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("things")
    formats.voc(root, {split: [{"ant": "0"}, {"bee": "0"}] for split in ("train", "test")})
    file = root / "ImageSets/Main/train.txt"
    good = file.read_bytes()
    file.write_bytes(
        data.draw(st.one_of(damaged(good), recoded(good), st.sampled_from(NASTY).map(lambda name: name.encode("utf-8", "replace"))))
    )
    settles(root, lambda: read(root))
    shutil.rmtree(root)


def tarred(members, form=tarfile.PAX_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


def samples(label: bytes, ending: str = "cls", stem: str = "s0"):
    return tarred([(f"{stem}.png", IMAGE), (f"{stem}.{ending}", label), ("s1.png", IMAGE), ("s1.cls", b"1")])


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    root = tmp_path_factory.mktemp("things")
    for split in ("train", "test"):
        (root / f"{split}-000000.tar").write_bytes(samples(b"0"))
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


@cases(80)
@given(st.data())
def test_damaged_shards(shards, data):
    form = data.draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
    good = tarred([("s0.png", IMAGE), ("s0.cls", b"0"), (f"{'long/' * 30}s1.png", IMAGE), (f"{'long/' * 30}s1.cls", b"1")], form)
    content = data.draw(damaged(good))
    with changed(shards / "train-000000.tar", content):
        settles(shards, lambda: read(shards))


ARRAYS = st.builds(
    lambda shape, kind, value: np.full(shape, value).astype(kind),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from(["i1", "i8", "u8", "f4", "f8", "?", "U3", "S3", "c8", "M8[s]", [("a", "i4"), ("b", "f4")]]),
    st.sampled_from([0, 1, 2]),
)


def saved(array) -> bytes:
    np.save(held := io.BytesIO(), array)
    return held.getvalue()


@cases(100)
@given(st.data())
def test_labels_in_shards(shards, data):
    numbers = st.integers().map(lambda one: str(one).encode())
    labels = {
        "cls": st.one_of(names.map(lambda name: name.encode("utf-8", "replace")), st.binary(max_size=8), numbers, st.just(b"1" * 5000)),
        "json": st.one_of(values.map(text), written({"label": [0, 1], "class": "ant"}), st.sampled_from([b"[" * 10000, b"1" * 5000])),
        "npy": st.one_of(ARRAYS.map(saved), ARRAYS.map(saved).flatmap(damaged)),
    }
    ending = data.draw(st.sampled_from(sorted(labels)))
    with changed(shards / "train-000000.tar", samples(data.draw(labels[ending]), ending)):
        settles(shards, lambda: read(shards))


@cases(60)
@given(st.sampled_from(NASTY), st.sampled_from(NASTY), st.one_of(st.none(), damaged(b"ant\nbee\n"), recoded(b"ant\nbee\n")))
def test_any_name_in_shards(shards, stem, ending, listed):
    try:
        if listed is not None:
            (shards / "classnames.txt").write_bytes(listed)
        with suppress(UnicodeEncodeError), changed(shards / "train-000000.tar", samples(b"0", ending, stem)):
            settles(shards, lambda: read(shards))
    finally:
        (shards / "classnames.txt").unlink(missing_ok=True)


ROWS = [{"file_name": f"a/{number}.png", "label": name} for number, name in enumerate((*NAMES, *NAMES))]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    root = tmp_path_factory.mktemp("things")
    for split in ("train", "test"):
        for row in ROWS:
            formats.save(root / split / row["file_name"], formats.make_image(0, split, 0, (4, 4)))
        (root / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


@cases(100)
@given(st.data())
def test_lines_of_metadata(metadata, data):
    rows = data.draw(mutated([*ROWS, {"file_name": "a/0.png", "label": [0, 1], "split": "test"}]))
    lines = b"\n".join(map(text, rows if isinstance(rows, list) else [rows]))
    with changed(metadata / "train/metadata.jsonl", data.draw(st.one_of(st.just(lines), damaged(lines), recoded(lines)))):
        settles(metadata, lambda: read(metadata))


TABLE = b"file_name,label,split\n" + b"".join(f"a/{number}.png,{NAMES[number % 2]},train\n".encode() for number in range(4))


@cases(80)
@given(st.data())
def test_tables_of_metadata(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("things")
    for row in ROWS:
        formats.save(root / row["file_name"], formats.make_image(0, "train", 0, (4, 4)))
    odd = st.builds(lambda path, label: f'file_name,label\n"{path}","{label}"\n'.encode("utf-8", "replace"), st.sampled_from(NASTY), names)
    (root / "metadata.csv").write_bytes(data.draw(st.one_of(damaged(TABLE), recoded(TABLE), odd)))
    settles(root, lambda: read(root))
    shutil.rmtree(root)


KINDS = {
    "text": pa.array(["ant", "bee"]), "large_text": pa.array(["ant", ""], pa.large_string()), "number": pa.array([0, 1]),
    "byte": pa.array([0, 1], pa.uint8()), "huge": pa.array([2**64 - 1, 0], pa.uint64()), "below": pa.array([-1, 0]),
    "float": pa.array([0.0, float("nan")]), "half": pa.array(np.zeros(2, np.float16)), "truth": pa.array([True, False]),
    "nothing": pa.nulls(2), "some": pa.array([None, "ant"]), "lists": pa.array([[0], [0, 1]]), "marks": pa.array([[0, 1], [1, 1]]),
    "texts": pa.array([["ant"], []]), "deep": pa.array([[[0]], [[1]]]), "null_lists": pa.array([None, [0]]),
    "holes": pa.array([[None], [0]]), "fixed_lists": pa.array([[0, 1], [1, 0]], pa.list_(pa.int64(), 2)),
    "image": pa.array([{"bytes": IMAGE, "path": "a.png"}, {"bytes": None, "path": None}]), "struct": pa.array([{"a": 1}, {"a": 2}]),
    "image_of_text": pa.array([{"bytes": "text", "path": 1}, {"bytes": "x", "path": 2}]), "binary": pa.array([IMAGE, b"no image"]),
    "large_binary": pa.array([IMAGE, None], pa.large_binary()), "fixed_binary": pa.array([b"ab", b"cd"], pa.binary(2)),
    "named": pa.array(["ant", "bee"]).dictionary_encode(), "time": pa.array([0, 1], pa.timestamp("s")),
    "amount": pa.array([1, 2], pa.decimal128(5)), "pairs": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
}  # fmt: skip
FEATURES = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}, "labels": {"feature": {"names": NAMES}}}


@cases(80)
@given(st.data())
def test_columns_of_metadata(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("things")
    for name in ("ant.png", "bee.png"):
        formats.save(root / name, formats.make_image(0, "train", 0, (4, 4)))
    kinds = {key: KINDS[data.draw(st.sampled_from([*KINDS]))] for key in ("file_name", "label", "split")}
    kinds |= data.draw(st.sampled_from([{}, {"file_name": pa.array(["ant.png", "bee.png"])}]))
    pq.write_table(pa.table(kinds), held := io.BytesIO())
    (root / "metadata.parquet").write_bytes(data.draw(st.one_of(st.just(held.getvalue()), damaged(held.getvalue()))))
    settles(root, lambda: read(root, format="imagefolder"))
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    root = tmp_path_factory.mktemp("things")
    formats.parquet(root, NAMES, {split: f"{split}.parquet" for split in ("train", "test")}, "image", "label")
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


def stored(image, label, noted: bytes | None) -> bytes:
    table = pa.table({"image": image, "label": label})
    pq.write_table(table if noted is None else table.replace_schema_metadata({"huggingface": noted}), held := io.BytesIO())
    return held.getvalue()


@pytest.mark.slow
@cases(100)
@given(st.data())
def test_columns_of_any_type_and_features_that_say_anything(columns, data):
    image, label = (KINDS[data.draw(st.sampled_from([*KINDS]))] for _ in range(2))
    image = data.draw(st.sampled_from([image, KINDS["image"]]))
    noted = data.draw(st.one_of(st.none(), written({"info": {"features": FEATURES}})))
    content = stored(image, label, noted)
    with (
        changed(columns / "train.parquet", content),
        changed(columns / "test.parquet", data.draw(st.sampled_from([content, (columns / "test.parquet").read_bytes()]))),
    ):
        settles(columns, lambda: read(columns))


@cases(80)
@given(st.data())
def test_damaged_columns(columns, data):
    file = columns / "train.parquet"
    with changed(file, data.draw(damaged(file.read_bytes()))):
        settles(columns, lambda: read(columns))


@pytest.fixture(scope="module")
def saved_to_disk(tmp_path_factory):
    """As `save_to_disk` of `datasets` writes it."""
    root = tmp_path_factory.mktemp("things")
    for split in ("train", "test"):
        (root / split).mkdir()
        table = pa.table({"image": KINDS["image"], "label": KINDS["number"]})
        with pa.OSFile(str(root / split / "data-00000-of-00001.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
        (root / split / "state.json").write_bytes(text({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}))
        (root / split / "dataset_info.json").write_bytes(text({"features": FEATURES}))
    (root / "dataset_dict.json").write_bytes(text({"splits": ["train", "test"]}))
    assert not isinstance(settles(root, lambda: read(root)), str)
    return root


@cases(80)
@given(st.data())
def test_what_was_saved_to_disk(saved_to_disk, data):
    file = data.draw(st.sampled_from(sorted((saved_to_disk / "train").iterdir())))
    good = file.read_bytes()
    with changed(file, data.draw(damaged(good) if file.suffix == ".arrow" else written(json.loads(good)))):
        settles(saved_to_disk, lambda: read(saved_to_disk))

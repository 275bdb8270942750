"""Lists of images as CSV files, as people export them from tables: they give what the same list in JSON gives."""

import json

import numpy as np
import pytest
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader

ROWS = [
    (f"{name}/{n}.jpg", name, split) for name in ("cat 2", "cat 10", "dog") for n, split in enumerate(("train", "train", "val", "test"))
]


@pytest.fixture
def images(tmp_path):
    for path, _, _ in ROWS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / path)
    return tmp_path


def listed(images, text, name="list.csv", encoding="utf-8", labelled=False, **source):
    (images / name).write_bytes(text.encode(encoding))
    return (reader.read_labelled if labelled else reader.read)({"reader": "folder", "manifest": name, **source}, images)


def table(rows, delimiter=",", end="\n", header="path,label,split"):
    return end.join([header.replace(",", delimiter), *(delimiter.join(row) for row in rows), ""])


def test_a_table_gives_what_the_same_list_in_json_gives(images):
    names = ["cat 2", "cat 10", "dog"]
    content = {split: [[path, names.index(name), name] for path, name, of in ROWS if of == split] for split in ("train", "val", "test")}
    expected = listed(images, json.dumps(content), "list.json")
    found = listed(images, table(ROWS))
    assert found.class_names == expected.class_names == tuple(names) and [*found.splits] == [*expected.splits]
    for split, part in expected.splits.items():
        assert found.splits[split].images.paths == part.images.paths and found.splits[split].stamp == part.stamp
        np.testing.assert_array_equal(found.splits[split].labels, part.labels)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(table(ROWS, ";"), "utf-8"), (table(ROWS, "\t"), "utf-8"), (table(ROWS, end="\r\n"), "utf-8-sig"),
     (table([(f'"{p}"', f" {n} ", s.upper()) for p, n, s in ROWS], header="Path,LABEL,Split"), "utf-8"),
     (table([(p, n, "4", s.replace("val", "valid")) for p, n, s in ROWS], header="path,label,rating,split"), "utf-8"),
     (table([(p.replace("/", "\\"), n, s) for p, n, s in ROWS]), "utf-8")],
)  # fmt: skip
def test_tables_as_programs_write_them_are_the_same(text, encoding, images):
    found, expected = listed(images, text, encoding=encoding), listed(images, table(ROWS), "other.csv")
    assert found.class_names == expected.class_names
    assert [part.images.paths for part in found.splits.values()] == [part.images.paths for part in expected.splits.values()]


def test_without_splits_each_class_is_divided_and_who_wants_labels_gets_all(images):
    rows = [row[:2] for row in ROWS]
    found = listed(images, table(rows, header="path,label"))
    assert {split: len(part.labels) for split, part in found.splits.items()} == {"train": 6, "validation": 3, "test": 3}
    every = listed(images, table(rows, header="path,label"), labelled=True)
    assert [*every.splits] == ["train"] and len(every.splits["train"].labels) == 12
    given = listed(images, table(rows, header="path,label"), redraw={"train": 1, "test": 2})
    assert {split: len(part.labels) for split, part in given.splits.items()} == {"train": 3, "test": 6}
    divided = listed(images, table(rows, header="path,label"), labelled=True, redraw={"train": 1, "test": 2})
    assert divided.splits["train"].images.name(0) == given.splits["train"].images.name(0) and len(divided.splits["train"].labels) == 3


def test_who_wants_labels_gets_no_test_image(images):
    found = listed(images, table(ROWS), labelled=True)
    assert {split: len(part.labels) for split, part in found.splits.items()} == {"train": 6, "validation": 3}
    assert listed(images, table([row for row in ROWS if row[2] == "train"]), labelled=True).splits.keys() == {"train"}


FIRST = "cat 2/0.jpg,cat 2,train\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no rows below"), ("path,label,split\n", "no rows below"),
     ("name,class\na,b\n", "has the columns name, class; .* `image` and `label` say which columns these are"),
     ("path,label,split\n" + FIRST * 2, "rows 2 and 3 are both of"), ("path,label,split\n,cat,train\n", "row 2 lacks its path"),
     ("path,label,split\ncat 2/0.jpg\n", "row 2 lacks its label"), ("path,label,split\ncat 2/0.jpg,cat,dev\n", "the split 'dev'"),
     ("path,label,split\n" + FIRST, "no rows of the split test"), ('path,label\n"a"b,c\n', "is no table"),
     ("path,label,split\n../x.jpg,cat,train\na.jpg,cat,test\n", "outside of"),
     ("path,label,split\nno.jpg,cat,train\nno2.jpg,cat,test\n", "2 images that are not in"),
     ("path,label,split\n" + FIRST + "cat 2/3.jpg,cat 2,test\n", "at least two classes")],
)  # fmt: skip
def test_what_is_no_such_table_is_one_sentence(text, words, images):
    with pytest.raises(UserError, match=words) as error:
        catalogue.own("pets", {"folder": "list.csv"}).with_classes(listed(images, text).class_names)
    assert "\n" not in str(error.value)


def test_whole_paths_below_the_folder_are_read_and_others_refused(images, tmp_path_factory):
    found = listed(images, table([(str(images / path), *others) for path, *others in ROWS]))
    expected = listed(images, table(ROWS), "other.csv")
    assert [part.stamp for part in found.splits.values()] == [part.stamp for part in expected.splits.values()]
    outside = tmp_path_factory.mktemp("outside") / "0.jpg"
    Image.new("RGB", (4, 4)).save(outside)
    for path in (outside, f"{images}/../{outside.parent.name}/0.jpg", f"{images}-too/0.jpg"):
        with pytest.raises(UserError, match="which is outside of"):
            listed(images, table([(str(path), "cat 2", "train"), *ROWS]))
    (images / "cat 2/link.jpg").symlink_to(outside)
    with pytest.raises(UserError, match="which is outside of"):
        listed(images, table([(str(images / "cat 2/link.jpg"), "cat 2", "train"), *ROWS]))


def test_a_list_with_splits_is_not_divided_anew(images):
    with pytest.raises(UserError, match="leave `redraw` out"):
        listed(images, table(ROWS), redraw={"train": 1})


def test_a_table_is_looked_at_with_the_images_that_it_names(images):
    (images / "list.csv").write_text(table(ROWS))
    seen = reader.look({"reader": "folder", "manifest": "list.csv"}, images)
    assert len(seen) == len(ROWS) + 1
    assert catalogue.own("pets", {"folder": "list.CSV"}).sources[0]["manifest"] == "list.CSV"

"""A reader from outside the package: registered by a plugin, it lists a task's images, is noticed when it changes, and is told what it
lacks."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.runs import changes, fetch, prepare
from promptatlas.study.study import Study
from promptatlas.tasks import readers
from promptatlas.tasks.prepared import PreparedTask

DOCS = Path(__file__).parents[3] / "docs" / "plugins.md"
(READER,) = re.findall(r"```python\n(\"{3}Images that a text file lists.*?)```", DOCS.read_text(), re.DOTALL)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A folder with a list of images of two colours, and the reader that understands it."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for number in range(24):
        name, split = ("red", "blue")[number % 2], "train" if number < 16 else "test"
        colour = np.full((40, 40, 3), [200, 10, 10] if name == "red" else [10, 10, 200], np.uint8) + number
        Image.fromarray(colour).save(tmp_path / f"{number}.png")
        lines.append(f"{split} {name} {number}.png")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "text_list.py").write_text(READER)
    yield tmp_path
    plugins.load([])


def study(folder: Path) -> Study:
    source = {"reader": "text_list", "list": str(folder / "list.txt")}
    data = {name: {"source": source} for name in ("paints", "other")}
    return Study({
        "study": "own", "plugins": ["text_list.py"], "benchmark": "own", "data": data, "methods": ["coop"],
        "shots": 2, "seeds": [1], "results": str(folder / "results"),
    })  # fmt: skip


def prepared(now: Study) -> changes.Change:
    """The task as it is prepared, and what differs of it afterwards."""
    now.paths.architecture.parent.mkdir(parents=True, exist_ok=True)
    now.paths.architecture.write_text('{"image_size": 32}')
    fetch.fetch(now, lambda line: None)
    prepare.prepare(now, "paints", 1, lambda line: None, mark="first")
    return changes.of_task(now, "paints")


def test_its_images_and_labels_are_those_of_the_task(listed):
    assert not prepared(study(listed)).inputs
    task = PreparedTask.open(study(listed).paths.task_folder("paints"))
    assert task.task.class_names == ("blue", "red")
    redder = task.images("test")[..., 0] > task.images("test")[..., 2]
    assert len(task.labels("test")) == 8 and (redder.all(axis=(1, 2)) == task.labels("test")).all()


def test_another_code_of_the_reader_is_another_source(listed):
    prepared(study(listed))
    (listed / "text_list.py").write_text(READER + "\n# read otherwise\n")
    assert [*changes.of_task(study(listed), "paints").inputs] == ["source"]
    Image.new("RGB", (40, 40)).save(listed / "3.png")
    assert {*changes.of_task(study(listed), "paints").inputs} == {"source", "image files"}


def test_a_reader_without_what_it_needs_is_told_in_a_sentence(listed):
    (listed / "text_list.py").write_text(READER.replace("def advice", "def hint"))
    needs = r"`plugins`: text_list\.py: reader `text_list` needs the functions present, download, advice, look, read"
    with pytest.raises(UserError, match=rf"^{needs}: there is no `advice` in .*text_list\.py; define it there$"):
        study(listed)
    (listed / "text_list.py").write_text(READER.replace("def look(source, data_root)", "def look(source)"))
    with pytest.raises(UserError, match=rf"{needs}: `look` in .*text_list\.py \(line 30\) takes \(source\), but is called"):
        study(listed)
    # Of one that a program registers only its module tells.
    (listed / "others.py").write_text(READER.replace("def advice", "def hint"))
    readers.register("others", str(listed / "others.py"))
    try:
        with pytest.raises(UserError, match=r"reader `others`: .*others\.py has no function `advice`; it needs present, download"):
            readers.reader({"reader": "others"})
    finally:
        readers.READERS.remove("others")


GIVEN = [
    ("Listing(names, splits, \"the list\")", "None", "`read` must give a Listing, not nothing; mend it"),
    ('for split in ("train", "test")', 'for split in ("train", "tests")', "there is no split 'tests'; did you mean 'test'"),
    ('for split in ("train", "test")', 'for split in ("train",)', "`read` gives no split `test`, on which prompts are scored"),
    ("np.array([label for label, _ in own])", "[label for label, _ in own]", "the labels of split train must be an array of class numbers"),
    ("np.array([label for label, _ in own])", "np.array([label for label, _ in own[1:]])", "split train has 16 images and 15 labels"),
    ('own = [', 'own = [] if split == "train" else [', "task 'paints' has no training images; see that its source lists some"),
    ('own = [', 'own = [] if split == "test" else [', "task 'paints': it has no test images; add some or leave the task out"),
    ("if part == split]", "if part == split and (name, split) != ('red', 'train')]", "has no training images of red, so none can be drawn"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), GIVEN)
def test_what_a_reader_gives_is_looked_at_before_anything_is_made_of_it(listed, old, new, words):
    assert READER.count(old) == 1
    (listed / "text_list.py").write_text(READER.replace(old, new))
    now = study(listed)
    prepared(now)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        PreparedTask.open(now.paths.task_folder("paints"))
    assert "\n" not in str(caught.value) and not caught.value.details


def test_a_name_that_nobody_registered_or_that_is_taken_is_a_sentence(listed):
    (listed / "text_list.py").write_text(READER.replace('"text_list", ', '"folder", '))
    with pytest.raises(UserError, match="there is a reader `folder` already; choose another name"):
        study(listed)
    (listed / "text_list.py").write_text(READER.replace('"text_list", ', '"text_lists", '))
    with pytest.raises(UserError, match=re.escape("must be one of torchvision, huggingface, folder, text_lists, not 'text_list'")):
        study(listed)
    (listed / "text_list.py").write_text(READER.replace("text_list.py", "nowhere.py"))
    with pytest.raises(UserError, match=r"there is no file .*nowhere\.py"):
        study(listed)


def test_the_librarys_own_readers_have_all_functions():
    for name in readers.READERS:
        assert all(hasattr(readers.reader({"reader": name}), function) for function in readers.FUNCTIONS)

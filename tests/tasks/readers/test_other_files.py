"""What a folder holds besides the images of its classes is counted and named once, and is never an error by itself."""

import shutil
from pathlib import Path

import pytest

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.preparation import Needs, prepare
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.tasks.readers import folder

TREE = {"reader": "folder", "path": "own"}
OTHERS = {
    "README.txt": b"read me",
    ".DS_Store": b"\0\0\0\1Bud1",
    "train/list.csv": b"a,b",
    "train/cat/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "train/cat/._0.jpg": b"\0\5\x16\7\0\2\0\0Mac OS X",
    "test/dog/desktop.ini": b"",
    "test/dog/more/IMG_1.HEIC": b"ftypheic",
    "test/dog/photo": b"no suffix",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    formats.tree(tmp_path / "own", ["cat", "dog"], {"train": "train", "test": "test"})
    return tmp_path


def put(tree: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (tree / "own" / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / "own" / path).write_bytes(content)


def test_a_folder_of_images_alone_has_no_note(tree: Path) -> None:
    assert folder.read(TREE, tree).notes == ()


@pytest.mark.parametrize("path", OTHERS)
def test_each_kind_of_other_file_is_named(tree: Path, path: str) -> None:
    before = folder.read(TREE, tree)
    put(tree, {path: OTHERS[path]})
    after = folder.read(TREE, tree)
    assert after.notes == (f"its folder holds 1 other file besides images, left out: {path}",)
    assert {split: part.stamp for split, part in after.splits.items()} == {split: part.stamp for split, part in before.splits.items()}


def test_many_others_are_counted_and_the_first_named(tree: Path) -> None:
    put(tree, OTHERS)
    (note,) = folder.read(TREE, tree).notes
    assert note == "its folder holds 8 other files besides images, left out: .DS_Store, README.txt, test/dog/desktop.ini and 5 more"


def test_a_hidden_folder_counts_once_whatever_is_in_it(tree: Path) -> None:
    shutil.copytree(tree / "own/train/cat", tree / "own/train/cat/.ipynb_checkpoints")
    assert folder.read(TREE, tree).notes == (
        "its folder holds 1 other file or folder besides images, left out: train/cat/.ipynb_checkpoints/",
    )


def test_folders_that_are_no_split_are_named(tree: Path) -> None:
    shutil.copytree(tree / "own/train", tree / "own/unlabelled")
    (tree / "own/.git").mkdir()
    put(tree, {"README.txt": b""})
    assert folder.read(TREE, tree).notes == (
        "its folder holds 3 other files and folders besides images, left out: .git/, README.txt, unlabelled/",
    )
    given = TREE | {"splits": {"train": "train", "test": "deep/test"}}
    shutil.copytree(tree / "own/test", tree / "own/deep/test")
    assert folder.read(given, tree).notes == (
        "its folder holds 4 other files and folders besides images, left out: .git/, README.txt, test/ and 1 more",
    )


def test_images_in_no_class_folder_are_named(tree: Path) -> None:
    shutil.copy(tree / "own/train/cat/0.jpg", tree / "own/loose.jpg")
    shutil.copy(tree / "own/train/cat/0.jpg", tree / "own/test/loose.jpg")
    assert folder.read(TREE, tree).notes == ("2 images of its folder in no class folder, left out: loose.jpg, test/loose.jpg",)


def test_class_folders_alone_have_their_others_named_too(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", ["cat", "dog"], {"train": "."})
    put(tmp_path, {"dog/notes.md": b"", "about.pdf": b"%PDF"})
    assert folder.read(TREE | {"redraw": {"train": 1}}, tmp_path).notes == (
        "its folder holds 2 other files besides images, left out: about.pdf, dog/notes.md",
    )


@pytest.mark.parametrize("files", [{}, {"IMG_1.HEIC": b"x"}, {"._1.jpg": b"x", "deep/er/1.svg": b"<svg/>"}])
def test_a_class_folder_without_an_image_is_one_sentence_that_says_what_is_there(tree: Path, files: dict[str, bytes]) -> None:
    (tree / "own/train/zebra").mkdir()
    put(tree, {f"train/zebra/{name}": content for name, content in files.items()})
    with pytest.raises(UserError, match=r"class folder .*zebra has no images; fill it or remove it") as error:
        folder.read(TREE, tree)
    assert "\n" not in str(error.value) and all(name in str(error.value) for name in files)


def test_the_note_is_said_once_and_kept_with_the_task(tree: Path) -> None:
    put(tree, OTHERS)
    said: list[str] = []
    needs = Needs(size=8, resize="crop", shots=1, seeds=(1,), scheme="coop")
    for _ in range(2):
        prepare(catalogue.described("pets", {"folder": "own"}), TREE, tree, tree / "task", needs, 1, said.append)
    notes = [note for note in PreparedTask.open(tree / "task").notes if "other file" in note]
    assert len(notes) == 1 and said.count(f"task pets: {notes[0]}") == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS .* `git lfs pull`"),
        (b"<html>404</html>", "of no kind of image that can be read"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "of no kind of image"),
    ],
)
def test_a_file_with_the_suffix_of_an_image_that_is_none_is_named_with_what_it_is(tree: Path, content: bytes, words: str) -> None:
    put(tree, {"test/dog/0.jpg": content})
    needs = Needs(size=8, resize="crop", shots=1, seeds=(1,), scheme="coop")
    with pytest.raises(UserError, match=f"test/dog/0.jpg .{words}.*broken_pictures: skip"):
        prepare(catalogue.described("pets", {"folder": "own"}), TREE, tree, tree / "task", needs, 1, print)


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", "$RECYCLE.BIN", ".Trash-1000", "System Volume Information", "lost+found"])
@pytest.mark.parametrize("where", ["", "train/", "train/cat/"])
def test_folders_of_the_system_are_never_classes(tree: Path, name: str, where: str) -> None:
    """Wherever they lie, and whatever is in them."""
    before = folder.read(TREE, tree)
    put(tree, {f"{where}{name}/._0.jpg": b"Mac OS X"})
    shutil.copytree(tree / "own/train/cat", tree / f"own/{where}{name}/cat", ignore=lambda *_: [name])
    after = folder.read(TREE, tree)
    assert after.class_names == before.class_names
    assert {split: part.stamp for split, part in after.splits.items()} == {split: part.stamp for split, part in before.splits.items()}
    assert after.notes == (f"its folder holds 1 other file or folder besides images, left out: {where}{name}/",)
    folder.glance(TREE, tree)
    assert not [path for path in folder.look(TREE, tree) if name in path]

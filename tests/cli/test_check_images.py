"""`promptatlas check`: what a look at images tells, of each kind of fault one."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image

from promptatlas import cli
from promptatlas.runs import check_data
from promptatlas.study.study import Study
from promptatlas.tasks.sizes_and_modes import SizesAndModes

rng = np.random.default_rng(5)


def image(size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), dtype=np.uint8))


def tree(folder: Path, train: int = 6, test: int = 40, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """A split folder of images that all differ."""
    for split, count in (("train", train), ("test", test)):
        for name in classes:
            for number in range(count):
                path = folder / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image().save(path)
    return folder


def look(tmp_path: Path, **folders: Path) -> list[check_data.SeenTask]:
    return check_data.look(check_data.of_folders(folders), tmp_path / "scratch", 1, lambda line: None)


def test_a_sound_task_is_described_and_nothing_is_said_against_it(tmp_path):
    (task,) = look(tmp_path, pets=tree(tmp_path / "pets"))
    assert task.remarks == ["2 of 2 classes have fewer than 16 training images (cat, dog)"] and not task.wrong
    # a fifth of the training images is set aside to choose epochs by
    assert task.facts[0] == "2 classes: 10 training, 2 validation, 80 test images (split: own folders), scored by accuracy"
    assert task.facts[1:] == ["5 training images of each class", "40x30 px"]


def test_images_that_cannot_be_read_are_named_and_the_rest_is_looked_at(tmp_path):
    folder = tree(tmp_path / "pets")
    (folder / "test" / "cat" / "0.png").write_bytes(b"not an image")
    (folder / "train" / "dog" / "0.png").write_bytes(b"")
    (task,) = look(tmp_path, pets=folder)
    assert len(task.wrong) == 1 and "2 images of task 'pets' cannot be read" in task.wrong[0]
    assert "0.png (the file is empty)" in task.wrong[0] and "broken_pictures: skip" in task.wrong[0]
    assert any("80 test" in fact for fact in task.facts) and task.remarks[0] == "2 of 92 images cannot be read and are left out"


def test_copies_within_a_task_and_between_tasks(tmp_path):
    first, second = tree(tmp_path / "first"), tree(tmp_path / "second")
    kept = first / "train" / "cat" / "1.png"
    for number in range(3):
        (first / "test" / "cat" / f"{number}.png").write_bytes(kept.read_bytes())
    (second / "test" / "dog" / "0.png").write_bytes(kept.read_bytes())
    one, two = look(tmp_path, first=first, second=second)
    assert "3 of 80 test images are training images too" in one.remarks
    assert "2 of 80 test images are copies of others in the same split" in one.remarks
    assert any(note.startswith("shares 1 of its") and "with first (1 of its 80 test images" in note for note in two.remarks)


def test_a_class_that_always_wins_and_a_draw_that_no_prompt_can_be_chosen_by(tmp_path):
    folder = tree(tmp_path / "rare", train=1)
    for number in range(36):
        (folder / "test" / "dog" / f"{number}.png").unlink()
    (task,) = look(tmp_path, rare=folder)
    assert any(note.startswith("91 % of the test images are of class cat") and "mean_per_class" in note for note in task.remarks)
    assert len(task.wrong) == 1 and task.wrong[0].startswith("no prompt can be trained with some seeds: task 'rare' has no validation")


def test_what_is_no_task_is_said_in_the_words_of_a_run(tmp_path):
    (tmp_path / "empty").mkdir()
    tree(tmp_path / "x" / "inner", train=1, test=1)
    (tmp_path / "packed").mkdir()
    for name in ("packed.zip", "packed/a.zip", "packed/b.tgz"):
        (tmp_path / name).touch()
    names = {"absent": "nowhere", "empty": "empty", "outer": "x", "zip": "packed.zip", "packed": "packed"}
    said = {task.name: task.wrong for task in look(tmp_path, **{name: tmp_path / path for name, path in names.items()}) if not task.facts}
    words = {
        "absent": "the folder {}/nowhere does not exist: {} has no 'nowhere'; look for a misspelt name",
        "empty": "{}/empty is empty; put one folder of images per class there, see docs/data.md",
        "outer": "{}/x holds one folder only, 'inner'; if the classes are in it, write {}/x/inner, see docs/data.md",
        "zip": "{}/packed.zip is a file and no folder; unpack it and name the folder, see docs/data.md",
        "packed": "{}/packed holds no folders, but a.zip, b.tgz; unpack them, see docs/data.md",
    }
    assert said == {name: [one.replace("{}", str(tmp_path))] for name, one in words.items()}


def test_sizes_modes_and_turns_are_read_from_heads_of_files(tmp_path):
    folder = tree(tmp_path / "pets")
    image((400, 300)).convert("CMYK").save(folder / "test" / "cat" / "big.jpg")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image((8, 8)).save(folder / "test" / "dog" / "small.jpg", exif=exif)
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(folder / "test" / "dog" / "deep.png")
    (task,) = look(tmp_path, pets=folder)
    assert task.facts[-1] == "8x8 to 400x300 px, 1 of mode CMYK, 1 of mode I;16, 1 turned upright"


def test_what_is_no_file_and_what_is_no_image_is_left_out(tmp_path):
    (tmp_path / "text.png").write_bytes(b"not an image")
    image().save(tmp_path / "one.png")
    files = ["mnist, test, 5", str(tmp_path / "text.png"), str(tmp_path / "one.png")]
    assert SizesAndModes.of(files).words() == "40x30 px" and SizesAndModes.of(files[:2]).words() == ""


def test_a_study_is_looked_at_as_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tree(tmp_path / "pets")
    (tmp_path / "pets" / "test" / "cat" / "0.png").write_bytes(b"")
    lines = ["study: mine", "tasks: [shapes, colors, pets]", "data: {pets: {folder: pets}}", "shots: 2"]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    assert typed("check", "--no-time") == 1
    told = capsys.readouterr().out
    assert "wrong: 1 image of task 'pets' cannot be read" in told and "2 embedded tasks need no look" in told
    assert "1 of 1 tasks could not be used as they are" in told
    (tmp_path / "config.yaml").write_text("\n".join([*lines, "broken_pictures: skip"]))
    assert typed("check", "--no-time") == 0
    assert "1 of 92 images cannot be read and are left out" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "pets"]  # nothing is written


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


def test_the_time_is_told_where_nothing_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("study: mine\ntasks: [shapes, colors]")
    asked = []
    monkeypatch.setattr("promptatlas.plan.budget.measured_here", asked.append)
    monkeypatch.setattr("promptatlas.plan.budget.devices_here", lambda found: 1)
    monkeypatch.setattr("promptatlas.plan.budget.lines", lambda found, devices: ["two minutes"])
    assert typed("check") == 0
    assert isinstance(asked[0], Study) and "two minutes" in capsys.readouterr().out


def bytes_of(one: Image.Image, kind: str = "PNG") -> bytes:
    one.save(buffer := io.BytesIO(), kind)
    return buffer.getvalue()


def rows() -> dict[str, list[tuple[str, bytes]]]:
    """Images of two classes with a fault of each kind: a broken one, one in both splits, one twice, one in another mode."""
    found = {
        split: [(name, bytes_of(image())) for name in ("cat", "dog") for _ in range(count)] for split, count in (("train", 6), ("test", 20))
    }
    found["test"][3] = ("cat", b"not an image")
    found["test"][4] = ("cat", found["train"][0][1])
    found["test"][5] = ("cat", found["test"][6][1])
    found["test"][7] = ("cat", bytes_of(image().convert("CMYK"), "JPEG"))
    return found


def shards(folder: Path) -> None:
    for split, listed in rows().items():
        with tarfile.open(folder / f"{split}-000.tar", "w") as tar:
            for number, (name, content) in enumerate(listed):
                for ending, part in (("jpg", content), ("cls", name.encode())):
                    info = tarfile.TarInfo(f"{number:04d}.{ending}")
                    info.size = len(part)
                    tar.addfile(info, io.BytesIO(part))


def parquet(folder: Path) -> None:
    for split, listed in rows().items():
        images = pa.array([{"bytes": content, "path": None} for _, content in listed])
        pq.write_table(pa.table({"image": images, "label": [name for name, _ in listed]}), folder / f"{split}-00000-of-00001.parquet")


def imagefolder(folder: Path) -> None:
    for split, listed in rows().items():
        (folder / split).mkdir()
        for number, (_, content) in enumerate(listed):
            (folder / split / f"{number}.jpg").write_bytes(content)
        lines = ["file_name,label", *(f"{number}.jpg,{name}" for number, (name, _) in enumerate(listed))]
        (folder / split / "metadata.csv").write_text("\n".join(lines))


def coco(folder: Path) -> None:
    (folder / "annotations").mkdir()
    for split, listed in rows().items():
        (folder / split).mkdir()
        for number, (_, content) in enumerate(listed):
            (folder / split / f"{number}.jpg").write_bytes(content)
        images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(len(listed))]
        objects = [{"id": n, "image_id": n, "category_id": ["cat", "dog"].index(name)} for n, (name, _) in enumerate(listed)]
        categories = [{"id": number, "name": name} for number, name in enumerate(("cat", "dog"))]
        content = {"images": images, "annotations": objects, "categories": categories}
        (folder / f"annotations/instances_{split}.json").write_text(json.dumps(content))


@pytest.mark.parametrize("written", [shards, parquet, imagefolder, coco])
def test_every_format_is_looked_at_as_class_folders_are(tmp_path, written):
    (tmp_path / "pets").mkdir()
    written(tmp_path / "pets")
    (task,) = look(tmp_path, pets=tmp_path / "pets")
    assert len(task.wrong) == 1 and "1 image of task 'pets' cannot be read" in task.wrong[0]
    assert "(of no kind of image that can be read); mend or remove them" in task.wrong[0]
    assert "1 of 39 test images is a training image too" in task.remarks
    assert "1 of 39 test images are copies of others in the same split" in task.remarks
    assert task.facts[0].startswith("2 classes: 10 training, 2 validation, 40 test images (split: own data), scored by accuracy")
    assert task.facts[-1] == "40x30 px, 1 of mode CMYK"

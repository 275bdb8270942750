"""What a task was prepared from is noted, and a look tells what differs: files by name, size, time and then content; descriptions."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptatlas.runs import changes, engine, fetch, prepare, session
from promptatlas.study.study import Study

SIDE = 24


def quiet(line: str) -> None:
    pass


def image(path: Path, level: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([level, seed]).normal(level, 10, (SIDE, SIDE, 3))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(path, compress_level=0)  # all of one size


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A working directory with a task `a` in folders and a task `b` by a list, both prepared."""
    folder = tmp_path / "here"
    rows: dict[str, list] = {"train": [], "test": []}
    for split in rows:
        for label, (name, level) in enumerate((("cat", 60), ("dog", 190))):
            for number in range(4):
                image(folder / f"pictures/a/{split}/{name}/{number}.png", level, number)
                image(folder / f"pictures/b/{split}-{name}-{number}.png", level, number)
                rows[split].append([f"{split}-{name}-{number}.png", label, name])
    (folder / "pictures/b.json").write_text(json.dumps(rows))
    monkeypatch.chdir(folder)
    study = made()
    study.paths.backbone_folder.mkdir(parents=True)
    study.paths.architecture.write_text(json.dumps({"image_size": 16}))
    fetch.fetch(study, quiet)
    for task in study.data.real_tasks:
        prepare.prepare(made(), task, 1, quiet, mark="first")
    return folder


def made(**changed) -> Study:
    """The study; a, b: what is described otherwise of a task, the others are keys of the configuration."""
    data = {
        "a": {"folder": "pictures/a"} | changed.pop("a", {}),
        "b": {"folder": "pictures/b.json", "root": "pictures/b"} | changed.pop("b", {}),
    }
    config = {"study": "s", "benchmark": "own", "seeds": [1], "shots": 1, "methods": ["coop"], "download": False, "data": data}
    return Study(config | changed)


def differs(**changed) -> dict[str, list[str]]:
    """By task what is told of it, without tasks that hold."""
    study = made(**changed)
    found = changes.of_tasks(study)
    for task, change in found.items():  # what holds keeps its mark, what does not gets another
        assert (change.mark == "first") == (not change.inputs), task
    return {task: change.told for task, change in found.items() if change.inputs}


def test_tables_of_another_configuration_are_made_again_whatever_snakemake_remembers(tmp_path, monkeypatch):
    """A folder that was copied brings none of what Snakemake knows of it; a later version may have keys more."""
    monkeypatch.chdir(tmp_path)
    study = Study({"study": "s", "tasks": ["shapes", "colors"], "results": "results"})
    record = study.paths.resolved_config
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps(study.description))
    assert changes.of_configuration(study) == [] and session.mended(study, dry=True) == set()
    session.reclaim(study)
    assert record.exists()
    record.write_text(json.dumps(study.description | {"statistics": {"permutations": 9}}))
    assert changes.of_configuration(study) == ["statistics"] and session.mended(study, dry=True) == {record}
    assert session.mended(study, dry=False) == set() and record.exists()
    session.reclaim(study)
    assert not record.exists() and changes.of_configuration(study) == []


def test_nothing_differs_of_what_was_just_prepared(place):
    assert differs() == {}


def move(folder: Path) -> None:
    os.rename("pictures/a/test/cat/0.png", "pictures/a/test/dog/moved.png")


def replace_within_the_same_second(folder: Path) -> None:
    path = folder / "pictures/a/test/cat/0.png"
    before = path.stat()
    image(path, 61)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns // 10**9 * 10**9 + 1))
    assert path.stat().st_size == before.st_size and int(path.stat().st_mtime) == int(before.st_mtime)


def replace_with_the_old_time(folder: Path) -> None:
    path = folder / "pictures/a/test/cat/0.png"
    before = path.stat()
    image(path, 61)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def turn_into_link(folder: Path) -> None:
    """The same names through a link, but one image is another one."""
    shutil.copytree("pictures/a/test/cat", folder / "elsewhere", copy_function=shutil.copy2)
    shutil.rmtree("pictures/a/test/cat")
    image(folder / "elsewhere/1.png", 62)
    os.symlink(folder / "elsewhere", "pictures/a/test/cat")


FILES = {
    "image moved": (move, "a", "image files (1 moved)"),
    "image added": (lambda _: image(Path("pictures/a/train/cat/new.png"), 60), "a", "image files (1 added)"),
    "image removed": (lambda _: os.remove("pictures/a/test/dog/3.png"), "a", "image files (1 removed)"),
    "image replaced": (lambda _: image(Path("pictures/a/test/dog/3.png"), 191), "a", "image files (1 replaced)"),
    "replaced by another kind": (
        lambda _: Image.open("pictures/b/test-cat-0.png").save("pictures/b/test-cat-0.png", optimize=True), "b",
        "image files (1 replaced)",
    ),
    "same size and second": (replace_within_the_same_second, "a", "image files (1 replaced)"),
    "same size and time": (replace_with_the_old_time, "a", "image files (1 replaced)"),
    "class folder renamed": (
        lambda _: [os.rename(f"pictures/a/{split}/cat", f"pictures/a/{split}/lynx") for split in ("train", "test")], "a",
        "image files (8 moved)",
    ),
    "class folder added": (lambda _: os.mkdir("pictures/a/train/cow"), "a", "image files (1 added)"),
    "folder behind a link": (turn_into_link, "a", "image files (1 replaced)"),
    "list edited": (
        lambda _: Path("pictures/b.json").write_text(Path("pictures/b.json").read_text().replace("cat", "lynx")), "b", None,
    ),
    "label in the list": (
        lambda _: Path("pictures/b.json").write_text(
            Path("pictures/b.json").read_text().replace('["test-cat-0.png", 0, "cat"]', '["test-cat-0.png", 1, "dog"]')
        ), "b", "label files (1 replaced)",
    ),
    "listed image gone": (lambda _: os.remove("pictures/b/test-dog-0.png"), "b", "image files (1 removed)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_change_of_source_files_is_seen_and_named_of_its_task_alone(place, kind):
    act, task, told = FILES[kind]
    act(place)
    found = differs()
    assert [*found] == [task]
    assert told is None or found[task] == [told]


def touch(folder: Path) -> None:
    for path in (folder / "pictures").rglob("*"):
        os.utime(path, ns=(1, 1))


def beside(folder: Path) -> None:
    """Files that no reader takes for images."""
    (folder / "pictures/a/notes.txt").write_text("x")
    (folder / "pictures/a/.hidden.png").write_bytes(b"")
    image(folder / "pictures/b/not-listed.png", 5)


def copied(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copy"), copy_function=shutil.copy)
    shutil.rmtree(folder / "pictures")
    os.chdir(folder.with_name("copy"))


def linked(folder: Path) -> None:
    os.rename("pictures", folder.with_name("away"))
    os.symlink(folder.with_name("away"), "pictures")


SAME = {"times only": touch, "other files": beside, "copied without times": copied, "behind a link": linked}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_files_elsewhere_or_with_other_times_are_no_change(place, kind):
    SAME[kind](place)
    assert differs() == {}


def test_data_in_another_folder_of_that_name_are_the_same_data(place):
    os.mkdir("moved")
    os.rename("pictures/a", "moved/a")
    assert differs(a={"folder": "moved/a"}) == {}


def test_times_of_the_same_files_are_noted_by_a_run_so_that_contents_are_compared_once(place):
    touch(place)
    study = made()
    changes.refresh(study, changes.of_tasks(study), changes.of_backbone(study))
    assert not changes.of_task(made(), "a").later and differs() == {}
    image(place / "pictures/a/test/cat/0.png", 63)
    assert differs() == {"a": ["image files (1 replaced)"]}


DESCRIBED = {
    "templates": {"a": {"templates": ["an odd photo of a {}."]}},
    "metric": {"a": {"metric": "mean_per_class"}},
    "title": {"a": {"title": "Animals"}},
    "family": {"a": {"family": "animals"}},
    "classes": {"a": {"classes": [["a cat", "cat"], ["a dog", "dog"]]}},
    "splits": {"a": {"splits": {"train": "train", "test": "train"}}},
    "resize": {"resize": "squash"},
    "shots": {"shots": 2},
    "seeds": {"seeds": [1, 2]},
    "draw": {"draw": "elevater"},
    "test_pictures": {"test_pictures": 2},
    "broken_pictures": {"broken_pictures": "skip"},
}


@pytest.mark.parametrize("part", DESCRIBED)
def test_a_change_of_a_description_is_named(place, part):
    changed = DESCRIBED[part]
    found = differs(**changed)
    assert found == ({"a": [part]} if "a" in changed else {"a": [part], "b": [part]})


def test_library_numerics_and_the_size_of_the_backbone_are_named(place, monkeypatch):
    made().paths.architecture.write_text(json.dumps({"image_size": 32}))
    assert differs() == {"a": ["backbone"], "b": ["backbone"]}
    monkeypatch.setattr(changes, "NUMERICS_VERSION", -1)
    assert differs() == {"a": ["backbone", "library numerics"], "b": ["backbone", "library numerics"]}


def test_another_folder_is_named(place):
    shutil.copytree("pictures/a", "pictures/c", copy_function=shutil.copy2)
    found = differs(a={"folder": "pictures/c"})
    assert found == {"a": ["folder"]}


def test_a_folder_that_vanished_is_no_change_and_is_said(place):
    shutil.rmtree("pictures/a")
    assert changes.of_task(made(), "a").gone and differs() == {}
    shutil.copytree("pictures/b", "pictures/none")
    assert [*differs(a={"folder": "pictures/nowhere/a"})] == ["a"]


def test_a_damaged_or_missing_note_means_preparing_again(place):
    made().paths.made_from("a").write_text("{}")
    made().paths.made_from("b").unlink()
    assert [*differs()] == ["a", "b"]


def test_a_template_decodes_no_image_again_and_a_new_look_takes_the_place_of_the_old(place):
    said: list[str] = []
    study = made(a={"templates": ["an odd photo of a {}."]})
    mark = changes.of_task(study, "a").mark
    for name in (mark, "first"):
        study.paths.look("a", name).parent.mkdir(parents=True, exist_ok=True)
        study.paths.look("a", name).touch()
    prepare.prepare(study, "a", 1, said.append, mark=mark)
    assert any("no images to decode" in line for line in said)
    assert [path.name for path in study.paths.looks("a").iterdir()] == [mark]
    again = changes.of_task(made(a={"templates": ["an odd photo of a {}."]}), "a")
    assert not again.inputs and again.mark == mark


def test_no_note_holds_a_path_of_this_machine(place):
    notes = [made().paths.fetched.read_text(), *(made().paths.made_from(task).read_text() for task in "ab")]
    assert not any(str(place) in note for note in notes)


def test_the_processes_of_jobs_take_over_what_the_first_one_saw(place, monkeypatch, capsys):
    monkeypatch.delenv(session.LOOKS, raising=False)
    os.remove("pictures/a/test/dog/3.png")
    first = session.looks(made(), first=True, dry=True)
    assert "task a is prepared again, because of image files (1 removed)" in capsys.readouterr().err
    os.remove("pictures/a/test/dog/2.png")
    assert session.looks(made(), first=False, dry=True) == first
    assert first["b"].name == "first" and not first["a"].exists()


def weighted(folder: str = "weights") -> Study:
    return made(backbone={"model": "mini", "pretrained": folder})


def test_another_file_of_weights_is_named_wherever_it_lies(place):
    os.mkdir("weights")
    for name in ("mini.safetensors", "config.json"):
        Path("weights", name).write_text("as it was")
    assert changes.of_backbone(weighted()).inputs == {} and not changes.backbone_is_given(weighted())
    changes.note_backbone(weighted(), "first")
    assert changes.of_backbone(weighted()).mark == "first"
    os.rename("weights", "moved")
    os.utime("moved/config.json", ns=(1, 1))
    held = changes.of_backbone(weighted("moved"))
    assert held.mark == "first" and not held.inputs
    Path("moved/mini.safetensors").write_text("as it is.")
    weighted("moved").paths.backbone_record.write_text("{}")
    from promptatlas.runs import status

    assert next(status.states(weighted("moved"))).why == ("backbone file (1 replaced)",)
    other = changes.of_backbone(weighted("moved"))
    assert other.told == ["backbone file (1 replaced)"] and other.mark != "first"


@pytest.mark.parametrize(("tokenizer", "told"), [(None, []), ("xlm-v-base", ["backbone file (1 replaced)"])])
def test_a_tokenizer_beside_the_weights_counts_where_it_is_not_clips(place, tokenizer, told):
    os.mkdir("weights")
    text = {"pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": tokenizer} if tokenizer else {}
    described = {"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": text}}
    for name, content in {"open_clip_config.json": json.dumps(described), "weights.pt": "x", "tokenizer.json": "as it was"}.items():
        Path("weights", name).write_text(content)
    study = made(backbone={"model": "local-dir:weights", "pretrained": "local"})
    changes.note_backbone(study, "first")
    Path("weights/tokenizer.json").write_text("as it is.")
    assert changes.of_backbone(study).told == told
    os.remove("weights/tokenizer.json")
    assert bool(changes.of_backbone(study).told) == bool(told)


FIRST, SECOND = "1" * 40, "2" * 40  # commits


@pytest.mark.parametrize("model", ["hf-hub:me/tiny", "ViT-B-32"])
def test_a_repository_on_the_hub_that_moved_on_makes_the_backbone_stale(place, monkeypatch, model):
    """And not one whose commit was not noted, or is not known here."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    root = place / "hub" / "models--me--tiny"

    def moved(commit: str) -> Study:
        for folder in (root / "snapshots" / commit, root / "refs"):
            folder.mkdir(parents=True, exist_ok=True)
        described = {"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}}
        (root / "snapshots" / commit / "open_clip_config.json").write_text(json.dumps(described))
        (root / "snapshots" / commit / "other.pt").write_text("weights")
        (root / "refs" / "main").write_text(commit)
        return made(backbone={"model": model, "pretrained": "hf-hub:me/tiny/other.pt"})

    study = moved(FIRST)
    assert study.backbone.commit == FIRST
    changes.note_backbone(study, "first")
    assert changes.of_backbone(study).mark == "first"
    other = changes.of_backbone(moved(SECOND))
    assert other.told == ["backbone"] and other.mark != "first"
    monkeypatch.setattr("promptatlas.study.backbone.BackboneChoice.commit", "")
    assert changes.of_backbone(study).mark == "first"
    changes.note_backbone(study, "first")
    monkeypatch.undo()
    monkeypatch.chdir(place)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    assert study.backbone.commit == SECOND and changes.of_backbone(study).mark == "first"


def test_a_backbone_that_others_put_there_is_taken_as_it_is(place):
    study = weighted()
    for path in (*study.paths.backbone_files, study.paths.backbone_record):
        path.write_text("x")
    assert changes.backbone_is_given(study)


def test_status_names_what_differs_of_prepared_tasks_and_draws_before_anything_runs(place):
    from promptatlas.runs import status

    def found(**changed) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
        wanted = ("prepared tasks", "draws")
        states = [state for state in status.states(made(**changed)) if state.what in wanted]
        tasks = [state.path.parent.name if state.what == "prepared tasks" else state.path.stem for state in states]
        return {(state.what, task): (state.kind, state.why) for state, task in zip(states, tasks, strict=True)}

    engine.run(made(), made().jobs.draw, 1, quiet)
    done = {(what, task): (status.DONE, ()) for what in ("prepared tasks", "draws") for task in "ab"}
    assert found() == done
    words = {"a": {"templates": ["an odd photo of a {}."], "title": "Animals"}}
    assert found(**words) == done | {("prepared tasks", "a"): (status.STALE, ("templates", "title"))}
    os.remove("pictures/a/test/dog/3.png")
    told, inputs = (status.STALE, ("image files (1 removed)",)), (status.STALE, ("image files",))
    assert found() == done | {("prepared tasks", "a"): told, ("draws", "a"): inputs}

"""Where candidates come from: studies, archives, folders; whatever else is there is named in one sentence or left out by name."""

import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save

import prompt_studies
import promptatlas
from own_images import folder_of_images
from promptatlas.base.errors import UserError
from promptatlas.exchange import image_hashes, packed_prompts
from promptatlas.recommendation import candidates, words
from promptatlas.study.paths import Paths
from promptatlas.tasks.mini import MINI_TASKS
from tiers import mostly_slow
from twins import TINY, twin

LAND = "prompts/coop/seed1/land.safetensors"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "mine"
    backbone = twin(TINY | {"quick_gelu": False}, folder / "backbone")[1]
    prompt_studies.write(folder, backbone, methods=("coop",), seeds=(1,))
    return folder, backbone


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "greys"
    folder_of_images(folder, count=2)
    return folder


@pytest.fixture
def copy(study, tmp_path):
    shutil.copytree(study[0], tmp_path / "mine")
    return tmp_path / "mine"


def sentence(*given, **more):
    with pytest.raises(UserError) as error:
        promptatlas.recommend(*given, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


# Prompt files


def test_damaged_and_failed_prompts_are_named_and_the_others_tried(copy, study, images):
    (copy / "prompts/coop/seed1/damaged.safetensors").write_bytes(b"nothing")
    (copy / "prompts/coop/seed1/failed.safetensors").write_bytes(
        save({}, {"method": "coop", "failed": "draw failed: no images", "history": "[]"})
    )
    whole = (copy / "prompts/coop/seed1/land.safetensors").read_bytes()
    (copy / "prompts/coop/seed1/cut.safetensors").write_bytes(whole[:-10])
    (copy / "prompts/coop/seed1/twice.safetensors").write_bytes(whole)
    found = promptatlas.recommend(images, copy)
    assert len(found.tried.files) == 2
    reasons = {names[0].rpartition("/")[2]: reason for reason, names in found.found.left_out.items()}
    assert reasons["failed.safetensors"] == "failed in its study: no images"
    assert "not a whole prompt file" in reasons["damaged.safetensors"] and str(copy) not in reasons["damaged.safetensors"]
    assert "cut.safetensors" in reasons and reasons["twice.safetensors"] == "the same prompt as another candidate"
    assert sum(line.startswith("left out, 1 prompt: ") for line in found.lines) == 4


def test_files_of_something_else_are_counted_and_nobody_is_told_to_delete_them(study, images, tmp_path):
    for path in (study[0] / "prompts").rglob("*.safetensors"):
        shutil.copy(path, tmp_path / path.name)
    for name, metadata in (("encoded", {"fingerprint": "a"}), ("tried", None)):
        (tmp_path / f"{name}.safetensors").write_bytes(save({"features": torch.zeros(2, 2)}, metadata))
    found = promptatlas.recommend(images, tmp_path, backbone=study[0] / "backbone")
    (told,) = (line for line in found.lines if line.startswith("left out"))
    assert told.startswith("left out, 2 files: something else than a prompt (") and len(found.tried.files) == 2
    for name in ("encoded", "tried"):
        with pytest.raises(UserError, match=f"{name}.safetensors holds something else than a prompt") as error:
            promptatlas.load_prompt(tmp_path / f"{name}.safetensors")
        assert "delete" not in str(error.value)


def test_numbers_that_are_none_are_found_when_a_file_is_read(copy, study, images):
    bad = prompt_studies.prompt(study[1], "coop", 7)
    bad.prompts.text.fill_(float("nan"))
    bad.save(copy / "prompts/coop/seed1/nan.safetensors", prompt_studies.about(study[1], "coop", "nan", 1))
    found = promptatlas.recommend(images, copy)
    assert list(found.found.left_out.values()) == [["mine: prompts/coop/seed1/nan.safetensors"]]


def test_prompts_of_another_backbone_are_counted_and_if_all_are_it_is_one_sentence(copy, study, images):
    card = prompt_studies.about(study[1], "coop", "else", 1, backbone={"name": "ViT-B-16/openai", "sha256": "1" * 64})
    prompt_studies.prompt(study[1], "coop", 8).save(copy / "prompts/coop/seed1/else.safetensors", card)
    found = promptatlas.recommend(images, copy)
    assert len(found.tried.files) == 2
    assert found.found.left_out == {"trained with another backbone (ViT-B-16/openai)": ["mine: prompts/coop/seed1/else.safetensors"]}
    told = sentence(images, copy / "prompts/coop/seed1/else.safetensors", backbone=copy / "backbone")
    assert "all 1 prompt were trained with another backbone (ViT-B-16/openai)" in told and "--backbone" in told


def test_prompts_that_were_trained_in_another_precision_are_told(copy, study, images):
    card = prompt_studies.about(study[1], "coop", "else", 1, precision="float16")
    prompt_studies.prompt(study[1], "coop", 8).save(copy / "prompts/coop/seed1/else.safetensors", card)
    plain, found = promptatlas.recommend(images, study[0]), promptatlas.recommend(images, copy)
    (told,) = set(found.lines) - {line for line in found.lines if "precision" not in line and "float" not in line}
    assert told.startswith("1 prompt trained in float16 computed in float32 here") and not any("float" in line for line in plain.lines)
    assert words.summary(found)["precision"] == "float32"


def test_without_the_backbone_it_is_said_how_to_get_it(study, images, tmp_path):
    card = prompt_studies.about(study[1], "coop", "else", 1, backbone={"name": "ViT-B-16/openai", "sha256": "1" * 64})
    prompt_studies.prompt(study[1], "coop", 8).save(tmp_path / "a.safetensors", card)
    assert "`promptatlas export-backbone ViT-B-16 openai -o backbone`" in sentence(images, tmp_path)


def test_a_folder_of_prompts_of_a_file_and_a_study_are_the_same_candidates(study, images, tmp_path):
    for path in (study[0] / "prompts").rglob("*.safetensors"):
        shutil.copy(path, tmp_path / f"{path.stem}.safetensors")
    of_study, of_folder = (promptatlas.recommend(images, place, backbone=study[0] / "backbone") for place in (study[0], tmp_path))
    assert [row.score for row in of_study.tried.rows] == [row.score for row in of_folder.tried.rows]
    both = promptatlas.recommend(images, [study[0], tmp_path])
    assert len(both.tried.files) == 2 and "the same prompt as another candidate" in both.found.left_out


def test_two_studies_may_call_different_prompts_alike(study, images, tmp_path):
    prompt_studies.write(tmp_path / "other", study[1], methods=("coop",), seeds=(1,))
    path = tmp_path / "other/prompts/coop/seed1/animals.safetensors"
    prompt_studies.prompt(study[1], "coop", 99).save(path, prompt_studies.about(study[1], "coop", "animals", 1))
    found = promptatlas.recommend(images, [study[0], tmp_path / "other"])
    assert sorted(file.source for file in found.tried.files) == ["animals", "animals", "land"]


@pytest.mark.parametrize(
    ("sources", "told"),
    [((), "name where the prompts are"), (("nowhere",), "does not exist"), (("empty",), "holds no prompt files"),
     ((".",), "name them, such as mine"), (("note.txt",), "neither a folder nor an archive"), (("no.tar.gz",), "does not exist"),
     (("broken",), "can be used")],
)  # fmt: skip
def test_a_source_that_is_none_is_one_sentence(sources, told, copy, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken/a.safetensors").write_text("no")
    (tmp_path / "note.txt").write_text("")
    assert told in sentence(images, sources)


@pytest.mark.parametrize("others", [0, 1])
def test_the_folder_of_a_study_is_taken_for_the_one_study_in_it(others, study, images, tmp_path):
    for number in range(others + 1):
        shutil.copytree(study[0], tmp_path / f"own/results/mine{number or ''}")
    (tmp_path / "own/results/mine/encoded").mkdir()
    (tmp_path / "own/results/mine/encoded/land.safetensors").write_bytes(save({"features": torch.zeros(2, 2)}))
    if others:
        assert f"holds some; name them, such as {tmp_path / 'own/results/mine'}" in sentence(images, tmp_path / "own")
    else:
        found, named = (promptatlas.recommend(images, tmp_path / place) for place in ("own", "own/results/mine"))
        assert found.lines == named.lines and not found.found.left_out
    assert f"name them, such as {tmp_path / 'own/results/mine'}" in sentence(images, tmp_path)


@pytest.fixture
def trained_here(copy, study, images):
    """The study with a prompt that was trained on the images; it calls the task otherwise."""
    from promptatlas.tasks import prepared
    from promptatlas.tasks.prepared import Pool

    before = promptatlas.recommend(images, copy).target
    pool = Pool.whole(np.asarray(before.images), before.labels)
    none = Pool.whole(before.images[:0], before.labels[:0])
    prepared.write(copy / "tasks/land", before.task, {"train": none, "validation": pool, "test": none}, [{"split": "train"}])
    assert len(promptatlas.recommend(images, copy).tried.files) == 2  # of other classes
    card = prompt_studies.about(study[1], "coop", "land", 1, class_names=list(before.task.class_names))
    prompt_studies.prompt(study[1], "coop", 8).save(copy / LAND, card)
    return copy


@pytest.mark.parametrize("way", ["folder", "archive", "both"])
def test_prompts_of_the_images_themselves_are_left_out(way, trained_here, study, images, tmp_path):
    """Found by the images, not by a name."""
    hashes = image_hashes.of_tasks(Paths.at(trained_here), ["animals", "land"])
    archive = tmp_path / "mine.tar.gz"
    packed(archive, [(f"mine/{image_hashes.NAME}", image_hashes.packed(hashes)), *prompts_of(trained_here)])
    sources = {"folder": [trained_here], "archive": [archive], "both": [trained_here, archive]}[way]
    found = promptatlas.recommend(images, sources, backbone=study[0] / "backbone")
    assert [file.source for file in found.tried.files] == ["animals"] and not any("nothing at hand" in line for line in found.lines)
    assert [*hashes] == ["land"] and f"mine: {LAND}" in next(iter(found.found.left_out.values()))


@pytest.mark.parametrize("way", ["archive", "file", "study"])
def test_where_nothing_tells_what_a_prompt_of_the_same_classes_was_trained_on_it_is_said(way, trained_here, study, images, tmp_path):
    shutil.rmtree(trained_here / "tasks")
    archive = packed(tmp_path / "mine.tar.gz", prompts_of(trained_here))
    source, name = {"archive": (archive, LAND), "file": (trained_here / LAND, "land.safetensors"), "study": (trained_here, LAND)}[way]
    found = promptatlas.recommend(images, source, backbone=study[0] / "backbone")
    (told,) = (line for line in found.lines if "training images of 1 prompt of the same classes" in line)
    assert f": {name})" in told and told in words.summary(found)["doubts"]


@pytest.mark.parametrize("array", [np.zeros((2, 16), np.int8), np.zeros((2, 8), np.uint8), np.zeros(16, np.uint8), None])
def test_hashes_of_images_that_are_none_are_one_sentence(array, study, images, tmp_path):
    content = b"{" if array is None else save({"0": torch.from_numpy(array)}, {image_hashes.KEY: '{"version": 1, "tasks": ["land"]}'})
    path = packed(tmp_path / "mine.tar.gz", [(f"mine/{image_hashes.NAME}", content), *prompts_of(study[0])])
    assert f"its {image_hashes.NAME} is damaged" in sentence(images, path)


# Archives


def packed(path, files):
    """files: (name, content), or a ready TarInfo without content."""
    with tarfile.open(path, "w:gz") as archive:
        for one in files:
            entry = one if isinstance(one, tarfile.TarInfo) else tarfile.TarInfo(one[0])
            content = b"" if isinstance(one, tarfile.TarInfo) else one[1]
            entry.size = entry.size or len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def prompts_of(study):
    return [
        (f"mine/{path.relative_to(study).as_posix()}", path.read_bytes()) for path in sorted((study / "prompts").rglob("*.safetensors"))
    ]


@pytest.fixture
def atlas(study, tmp_path):
    return packed(tmp_path / "mine.tar.gz", [("mine/config.json", b"{}"), *prompts_of(study[0])])


def test_an_archive_gives_what_its_study_gives(atlas, study, images):
    here, there = promptatlas.recommend(images, study[0]), promptatlas.recommend(images, atlas, backbone=study[0] / "backbone")
    assert [row.score for row in here.tried.rows] == [row.score for row in there.tried.rows]
    assert [file.called for file in here.tried.files] == [file.called for file in there.tried.files]


def listed(study, **changes):
    """The record of an atlas of the study's prompts."""
    prompts = {path.relative_to(study).as_posix(): path.read_bytes() for path in sorted((study / "prompts").rglob("*.safetensors"))}
    backbone = {"name": "tiny", "model": "ViT-B-32", "pretrained": "laion2b", "sha256": "0" * 64}
    record = {"version": 1, "backbone": backbone, "prompts": {name: hashlib.sha256(held).hexdigest() for name, held in prompts.items()}}
    return prompts, json.dumps(record | changes).encode()


def test_prompts_of_an_atlas_are_those_that_its_record_lists(study, images, tmp_path):
    prompts, record = listed(study[0])
    prompts["prompts/coop/seed1/animals.safetensors"] = prompts["prompts/coop/seed1/land.safetensors"]
    path = packed(tmp_path / "mine.tar.gz", [("mine/atlas.json", record), *((f"mine/{name}", held) for name, held in prompts.items())])
    found = promptatlas.recommend(images, path, backbone=study[0] / "backbone")
    assert [file.source for file in found.tried.files] == ["land"]
    assert found.found.left_out == {"not the file that atlas.json lists": ["mine: prompts/coop/seed1/animals.safetensors"]}
    lacks = packed(tmp_path / "less.tar.gz", [("mine/atlas.json", record), (f"mine/{LAND}", prompts[LAND])])
    less = promptatlas.recommend(images, lacks, backbone=study[0] / "backbone")
    assert list(less.found.left_out) == ["listed in atlas.json, but not in the archive"]


def test_an_atlas_says_where_its_backbone_is_to_be_had_and_a_newer_one_that_it_is_newer(study, images, tmp_path):
    prompts, record = listed(study[0])
    files = [(f"mine/{name}", held) for name, held in prompts.items()]
    path = packed(tmp_path / "mine.tar.gz", [("mine/atlas.json", record), *files])
    assert "`promptatlas export-backbone ViT-B-32 laion2b -o backbone`" in sentence(images, path)
    newer = packed(tmp_path / "newer.tar.gz", [("mine/atlas.json", listed(study[0], version=2)[1]), *files])
    assert "was written by a newer promptatlas" in sentence(images, newer)
    for damaged in (b"{", b"[]", b"{}", listed(study[0], prompts=[])[1]):
        path = packed(tmp_path / "damaged.tar.gz", [("mine/atlas.json", damaged), *files])
        assert "its atlas.json is damaged" in sentence(images, path)


def test_nothing_of_an_archive_is_written_under_a_name_of_its_own(study, tmp_path):
    prompt = (study[0] / "prompts/coop/seed1/land.safetensors").read_bytes()
    link = tarfile.TarInfo("mine/prompts/link.safetensors")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("mine/prompts/device.safetensors")
    device.type = tarfile.CHRTYPE
    names = [
        "../mine/prompts/a.safetensors",
        "mine/prompts/../../../b.safetensors",
        "/mine/prompts/c.safetensors",
        "mine/prompts/d/e.safetensors",
    ]
    path = packed(tmp_path / "bad.tar.gz", [*((name, prompt) for name in names), link, device])
    folder = tmp_path / "deep/er/folder"
    folder.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    found = packed_prompts.read(path, folder)
    assert set(tmp_path.rglob("*")) - before == {folder / f"{n}.safetensors" for n in range(len(found.prompts))}
    assert "prompts/d/e.safetensors" in found.prompts and not any("link" in name or "device" in name for name in found.prompts)


def _no_gzip(path, _):
    path.write_bytes(b"no archive")


def _other_files(path, _):
    packed(path, [("mine/readme.txt", b"hello")])


def _two_studies(path, prompt):
    packed(path, [("one/prompts/a.safetensors", prompt), ("two/prompts/a.safetensors", prompt)])


def _huge_file(path, _):
    """A head that promises a prompt of a terabyte."""
    entry = tarfile.TarInfo("mine/prompts/a.safetensors")
    entry.size = 2**40
    with tarfile.open(path, "w:gz") as archive:
        archive.fileobj.write(entry.tobuf())


def _huge_head(path, _):
    """An extended head of a terabyte, which the reader of archives would take into memory."""
    entry = tarfile.TarInfo("mine/prompts/a.safetensors")
    entry.type, entry.size = tarfile.XHDTYPE, 2**40
    with tarfile.open(path, "w:gz") as archive:
        archive.fileobj.write(entry.tobuf())


def _cut(path, prompt):
    packed(path, [("mine/prompts/a.safetensors", prompt)])
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("write", [_no_gzip, _other_files, _two_studies, _huge_file, _huge_head, _cut])
def test_an_archive_that_is_none_is_one_sentence(write, study, images, tmp_path):
    write(tmp_path / "a.tar.gz", (study[0] / "prompts/coop/seed1/land.safetensors").read_bytes())
    assert str(tmp_path / "a.tar.gz") in sentence(images, tmp_path / "a.tar.gz", backbone=study[0] / "backbone")


# Images


def test_a_class_may_have_one_image_and_one_that_is_broken_is_named(study, tmp_path):
    folder_of_images(tmp_path / "own", count=1)
    found = promptatlas.recommend(tmp_path / "own", study[0])
    assert len(found.target.labels) == 3 and found.decision.verdict != "use"
    (tmp_path / "own/black/1.jpg").write_text("no image")
    again = promptatlas.recommend(tmp_path / "own", study[0])
    assert len(again.target.labels) == 3 and any("1 image cannot be read" in line and "1.jpg" in line for line in again.lines)


def test_a_class_without_a_readable_image_is_named(study, tmp_path):
    folder_of_images(tmp_path / "own", count=2)
    for path in (tmp_path / "own/black").iterdir():
        path.write_text("no image")
    found = promptatlas.recommend(tmp_path / "own", study[0])
    assert any("no image of 'black'" in line for line in found.lines) and len(found.target.task.class_names) == 3


def test_images_of_two_classes_at_once_are_told(study, tmp_path):
    folder_of_images(tmp_path / "own", count=3)
    for number in (0, 1):
        shutil.copy(tmp_path / f"own/black/{number}.jpg", tmp_path / f"own/white/copy {number}.jpg")
    shutil.copy(tmp_path / "own/grey/0.jpg", tmp_path / "own/grey/copy.jpg")
    told = promptatlas.recommend(tmp_path / "own", study[0]).target.notes
    assert told == ("2 images there more than once, with other labels (black and white): some of these are wrong",)


def test_test_images_alone_are_one_sentence(study, tmp_path):
    folder_of_images(tmp_path / "own", splits=("test",), count=1)
    assert "holds test images only" in sentence(tmp_path / "own", study[0])
    assert len(promptatlas.recommend(tmp_path / "own/test", study[0]).target.labels) == 3


def test_images_that_say_nothing_are_one_sentence(study, tmp_path):
    folder_of_images(tmp_path / "one", classes={"grey": 100}, count=2)
    assert "at least two classes" in sentence(tmp_path / "one", study[0])
    folder_of_images(tmp_path / "deep" / "images", count=1)
    assert f"write {tmp_path / 'deep' / 'images'}" in sentence(tmp_path / "deep", study[0])
    (tmp_path / "loose").mkdir()
    shutil.copy(tmp_path / "one/grey/0.jpg", tmp_path / "loose")
    assert "images that belong to no class" in sentence(tmp_path / "loose", study[0])
    folder_of_images(tmp_path / "broken", count=1)
    for path in (tmp_path / "broken").rglob("*.jpg"):
        path.write_text("no image")
    assert "none of the images" in sentence(tmp_path / "broken", study[0])
    assert "does not exist" in sentence(tmp_path / "nowhere", study[0])
    assert "name the target" in sentence(None, study[0])
    folder_of_images(tmp_path / "whole", count=1)
    assert "--shots must be at least 1" in sentence(tmp_path / "whole", study[0], shots=0)
    assert "--tune must be at least 1" in sentence(tmp_path / "whole", study[0], tune=-1)
    assert "mnist" in sentence(None, study[0], task="mnsit")
    assert "MNIST" in sentence(None, study[0], task="mnist", data_root=tmp_path)
    assert "drawn by promptatlas" in sentence(None, study[0], task=next(iter(MINI_TASKS)), templates=["{}"])


@pytest.mark.slow
def test_a_thousand_classes_have_fewer_images_each(study, tmp_path):
    from PIL import Image

    for number in range(1000):
        (tmp_path / "many" / f"class {number}").mkdir(parents=True)
        Image.new("RGB", (8, 8), (number % 256, number // 4, 0)).save(tmp_path / "many" / f"class {number}" / "0.png")
    found = promptatlas.recommend(tmp_path / "many", study[0])
    assert found.target.shots == 2 and len(found.target.labels) == 1000 and len(found.tried.files) == 2


def test_a_study_that_ran_to_its_end_is_not_called_unfinished(copy, images):
    assert any("has not run to its end" in line for line in promptatlas.recommend(images, copy).lines)
    (copy / "provenance.json").write_text(json.dumps({}))
    assert not any("has not run to its end" in line for line in promptatlas.recommend(images, copy).lines)
    assert candidates.collect([copy], copy).places[0].finished


# What a stranger's file may hold


def test_a_prompt_of_more_vectors_than_any_method_has_is_left_out(copy, study, images):
    made = prompt_studies.prompt(study[1], "vpt", 3)
    many = replace(made.prompts, visual=torch.zeros(1, 1, 2000, made.prompts.visual.shape[-1]))
    card = prompt_studies.about(study[1], "vpt", "many", 1)
    replace(made, prompts=many).save(copy / "prompts/coop/seed1/many.safetensors", card)
    long = replace(prompt_studies.prompt(study[1], "coop", 3).prompts, text=torch.zeros(1, 1, 100, 64))
    replace(made, prompts=long).save(copy / "prompts/coop/seed1/long.safetensors", prompt_studies.about(study[1], "coop", "long", 1))
    found = promptatlas.recommend(images, copy)
    reasons = {names[0].rpartition("/")[2]: why for why, names in found.found.left_out.items()}
    assert reasons["many.safetensors"] == "has more than 1,024 vectors, which no method has" and len(found.tried.files) == 2
    assert reasons["long.safetensors"].startswith("cannot be tried: ")


WRONG = [{"epochs": 10**9}, {"context": 10**12}, {"context": float("nan")}, {"unknown": 1}, {"position": 3}, {"initial": {}}]


@pytest.mark.parametrize("wrong", mostly_slow(WRONG, WRONG[:2]))
def test_settings_that_no_study_has_are_not_followed(wrong, copy, study, images):
    """No untuned prompt is made of them, and none is tuned with them."""
    for path in (copy / "prompts/coop/seed1").iterdir():
        known = prompt_studies.settings("coop", prompt_studies.METHODS["coop"], "mini") | wrong
        prompt_studies.prompt(study[1], "coop", 4 + len(path.stem)).save(
            path, prompt_studies.about(study[1], "coop", path.stem, 1, settings=known)
        )
    assert promptatlas.recommend(images, copy).tried.untuned == {}
    assert "none of the candidates can be tuned" in sentence(images, copy, tune=1)

"""A prompt taken away: one file with a card becomes a classifier, with its own backbone only, and a damaged file one sentence."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import promptatlas
from promptatlas.backbone import Backbone
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.methods import settings
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.training.single_task import scratch
from twins import TINY, twin

PAGE = Path(__file__).parents[2] / "docs" / "prompts.md"
NAMES = ("cat", "annual crop land", "stop_sign")
OTHER = ("dog", "river")
CASES = {
    "coop": {"context": 4},
    "vpt": {"prompts": 2},
    "upt": {"context": 2, "prompts": 2},
    "cocoop": {},
    "maple": {"layers": 2},
    "ivlp": {"layers": 2},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(open_clip model, our Backbone, the folder of a study with it)."""
    folder = tmp_path_factory.mktemp("results") / "mine"
    theirs, ours = twin(TINY | {"quick_gelu": True}, folder / "backbone")
    return theirs, ours, folder


def fresh(method: str, backbone: Backbone) -> TunedPrompt:
    return scratch(backbone, method, settings(method, CASES[method]), seed=1)


def about(backbone: Backbone, **changes) -> dict[str, str]:
    """A card as the job of a study writes it."""
    known = {
        "method": "coop", "settings": {"context": 4}, "backbone": {"name": "tiny", "sha256": backbone.fingerprint},
        "task": "things", "class_names": list(NAMES), "resize": "crop", "seed": 1,
        "draw": {"sha256": "0" * 64, "shots": 4, "train": 12, "validation": 12},
        "validation": {"metric": "accuracy", "score": 0.75, "epoch": 3},
    }  # fmt: skip
    return card.write(**known | changes)


@pytest.fixture(scope="module")
def taken(model):
    """A prompt file where a study puts it."""
    path = model[2] / "prompts" / "coop" / "seed1" / "things.safetensors"
    fresh("coop", model[1]).save(path, about(model[1]))
    return path


@pytest.fixture(scope="module")
def given_images():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


# From a file to answers


def test_a_classifier_takes_three_lines(taken, given_images, tmp_path, monkeypatch, capsys):
    """The lines of docs/prompts.md, on files."""
    for i, image in enumerate(given_images[:2]):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    lines = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S).group(1)
    assert len(lines.splitlines()) == 3
    exec(re.sub(r"results/[^\"]*", str(taken), lines), {})
    printed = capsys.readouterr().out
    assert len(json.loads(printed.replace("'", '"'))) == 2 and {*json.loads(printed.replace("'", '"'))} <= {"circle", "square"}


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("names", [NAMES, OTHER])
def test_the_logits_are_the_same_before_and_after_the_file(method, names, model, given_images, tmp_path):
    """Before: the tensors in memory, through the classifier that studies use."""
    from promptatlas.backbone.classifier import PromptedClassifier

    backbone, trained = model[1], fresh(method, model[1])
    trained.save(tmp_path / "prompt.safetensors", about(backbone, method=method))
    classifier = promptatlas.load_prompt(tmp_path / "prompt.safetensors").classifier(names, backbone=backbone)
    inside = PromptedClassifier(backbone, names, trained.prompts)
    images, vision = backbone.vision.read(given_images), backbone.vision
    with torch.no_grad():
        if trained.prompts.visual is None:
            features = vision.encode(images)[None]
        else:
            features = inside.image_features(trained.prompts, vision.embed(images)[None])
        expected = inside.answer(trained.prompts, features)[0]
    answer = classifier(given_images)
    np.testing.assert_array_equal(answer.logits, expected.numpy())
    np.testing.assert_allclose(answer.probabilities.sum(1), 1, atol=1e-6)
    assert answer.labels == [names[i] for i in expected.argmax(1)]
    assert TunedPrompt.load(tmp_path / "prompt.safetensors")[0].fingerprint() == trained.fingerprint()


def test_arrays_pil_images_and_files_of_an_image_give_one_answer(taken, given_images, tmp_path):
    classifier = promptatlas.load_prompt(taken).classifier()
    Image.fromarray(given_images[0]).save(tmp_path / "a.png")
    forms = [given_images[0], Image.fromarray(given_images[0]), tmp_path / "a.png", str(tmp_path / "a.png")]
    first, *others = [classifier(form).logits for form in forms]
    assert first.shape == (1, 3) and all(np.array_equal(first, other) for other in others)
    np.testing.assert_allclose(classifier(forms).logits, np.tile(first, (4, 1)), atol=1e-5)
    assert classifier([]).labels == [] and classifier([]).probabilities.shape == (0, 3)


def every_mode(folder: Path) -> None:
    """One image file of every mode that files have, each other than wide and high, two of them turned by their EXIF."""
    folder.mkdir(parents=True)
    values = np.random.default_rng(2).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    colours, light = Image.fromarray(values[..., :3]), Image.fromarray(values[..., 0])
    deep = Image.fromarray(values[..., :2].copy().view(np.uint16)[..., 0])
    kinds = [(light.convert(mode), "png") for mode in ("1", "L")] + [(deep, "png"), (deep, "tif"), (deep, "jp2"), (deep, "pgm")]
    kinds += [(Image.fromarray(values), kind) for kind in ("png", "tif", "webp", "gif")] + [(light.convert("LA"), "png")]
    kinds += [(colours, "jpg"), (colours, "bmp"), (colours.convert("P"), "png"), (colours.convert("P"), "gif")]
    kinds += [(colours.convert("CMYK"), "jpg"), (colours.convert("CMYK"), "tif"), (colours.convert("YCbCr"), "jpg")]
    kinds += [(colours.convert("LAB"), "tif"), (Image.fromarray((values[..., 0] / 255).astype(np.float32)), "tif")]
    for number, (image, kind) in enumerate(kinds):
        image.save(folder / f"{number}.{kind}")
    colours.save(folder / "turned.jpg", exif=sideways)
    deep.save(folder / "turned.png", exif=sideways)
    colours.convert("P").save(folder / "clear.png", transparency=3)


@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_files_of_every_mode_are_read_as_preparation_reads_them(resize, model, tmp_path, monkeypatch):
    from promptatlas.tasks import catalogue, preparation, readers
    from promptatlas.tasks.prepared import PreparedTask

    for place in ("train/a", "train/b", "test/a", "test/b"):
        every_mode(tmp_path / "own" / place)
    entry = catalogue.described("own", {"folder": "own"})
    needs = preparation.Needs(size=TINY["vision_cfg"]["image_size"], resize=resize, shots=2, seeds=(1,), scheme="coop")
    source = readers.find(entry.sources, tmp_path)
    preparation.prepare(entry, source, tmp_path, tmp_path / "task", needs, 1, lambda line: None)
    listed = readers.reader(source).read(source, tmp_path).splits["test"].images
    names = [listed.name(row) for row in range(len(listed))]
    prepared = np.array(PreparedTask.open(tmp_path / "task").images("test"))
    assert len(prepared) == len(names) == 2 * 23
    fresh("coop", model[1]).save(tmp_path / "p.safetensors", about(model[1], resize=resize))
    classifier = promptatlas.load_prompt(tmp_path / "p.safetensors").classifier(backbone=model[1])
    read = []
    encode = model[1].vision.read
    monkeypatch.setattr(model[1].vision, "read", lambda images: read.append(images) or encode(images))
    classifier(names)
    classifier([Image.open(name) for name in names])
    for images in read:
        np.testing.assert_array_equal(images, prepared)
    assert len(read) == 2 and len({image.tobytes() for image in prepared}) > 10


def test_a_file_that_nothing_says_how_to_read_is_named_and_so_is_a_name_of_any_bytes(taken, tmp_path):
    classifier = promptatlas.load_prompt(taken).classifier()
    odd = tmp_path / os.fsdecode(b"caf\xe9.tif")
    Image.fromarray(np.arange(64, dtype=np.int32).reshape(8, 8)).save(odd)
    with pytest.raises(UserError, match=r"caf\\xe9.tif cannot be read \(.*32 bits.*convert it to 8 bits"):
        classifier(odd)
    with pytest.raises(UserError, match=r"an image cannot be read .*mode I"):
        classifier(Image.fromarray(np.arange(64, dtype=np.int32).reshape(8, 8)))


@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_images_of_any_size_are_fitted_as_the_card_says(resize, model, tmp_path):
    fresh("coop", model[1]).save(tmp_path / "p.safetensors", about(model[1], resize=resize))
    classifier = promptatlas.load_prompt(tmp_path / "p.safetensors").classifier(backbone=model[1])
    wide = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 90, 3), dtype=np.uint8))
    if resize == "squash":
        small = wide.resize((32, 32), Image.Resampling.BICUBIC)
    else:
        small = wide.resize((72, 32), Image.Resampling.BICUBIC).crop((20, 0, 52, 32))
    np.testing.assert_array_equal(classifier(wide).logits, classifier(small).logits)


@pytest.mark.imports
def test_the_package_is_imported_without_torch():
    code = "import sys, promptatlas; from promptatlas import cli; from promptatlas.records import card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert "load_prompt" in promptatlas.__all__ and promptatlas.load_prompt.__module__ == "promptatlas.exchange.inference"


def test_the_card_is_shown(taken, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["card", str(taken)])
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert ended.value.code == 0 and shown["method"] == "coop" and shown["class_names"] == "cat, annual crop land, stop_sign"
    assert shown["validation"] == "metric accuracy, score 0.7500, epoch 3" and "shots 4" in shown["draw"]
    assert promptatlas.load_prompt(taken).card.keys() == {*card.FIELDS}


# Precision


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_a_prompt_is_used_in_float32_unless_said_otherwise_and_a_mix_is_warned_of(precision, model, taken, given_images, tmp_path):
    path = tmp_path / "things.safetensors"
    fresh("vpt", model[1]).save(path, about(model[1], method="vpt", precision=precision))
    prompt = promptatlas.load_prompt(path)
    assert prompt.card["precision"] == precision
    with pytest.warns(
        UserWarning, match=rf"trained in {precision} and is used in float32: .*classifier\(precision='{precision}'\)"
    ) as told:
        plain = prompt.classifier(backbone=model[2] / "backbone")
    assert plain.backbone.precision == "float32" and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = prompt.classifier(backbone=model[2] / "backbone", precision=precision)
        promptatlas.load_prompt(taken).classifier()
        assert prompt.classifier(backbone=own.backbone).backbone is own.backbone
    assert own.backbone.precision == precision
    assert 0 < np.abs(own(given_images).logits - plain(given_images).logits).max() < 0.1
    with pytest.raises(UserError, match=f"the backbone computes in {precision}, not in float32"):
        prompt.classifier(backbone=own.backbone, precision="float32")
    with pytest.raises(UserError, match="precision: 'bfloat16' is none of float32, tf32, float16"):
        prompt.classifier(precision="bfloat16")


def test_a_card_that_does_not_say_its_precision_takes_it_from_what_the_prompt_was_made_from(model, tmp_path):
    path, silent = tmp_path / "things.safetensors", about(model[1])
    for parts, found in (({}, None), ({"parts": json.dumps({"precision": "tf32"})}, "tf32")):
        fresh("coop", model[1]).save(
            path, {card.KEY: json.dumps({k: v for k, v in json.loads(silent[card.KEY]).items() if k != "precision"})} | parts
        )
        assert promptatlas.load_prompt(path).card["precision"] == found
        fresh("coop", model[1]).save(path, {"seed": "1", "backbone": "a"} | parts)
        assert promptatlas.load_prompt(path).card["precision"] == found
    fresh("coop", model[1]).save(path, about(model[1], precision=16))
    with pytest.raises(UserError, match="its precision is no text"):
        promptatlas.load_prompt(path)


# Backbones


def test_another_backbone_is_refused_even_of_the_same_shape(taken, tmp_path):
    other = twin(TINY | {"quick_gelu": False}, tmp_path / "other")[1]
    with pytest.raises(UserError, match=r"things.safetensors was trained with another backbone \(tiny\) \(SHA-256 ") as caught:
        promptatlas.load_prompt(taken).classifier(backbone=tmp_path / "other")
    assert other.fingerprint[:12] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_file_without_a_hash_is_still_refused_where_it_cannot_fit(model, tmp_path):
    wide = TINY | {"quick_gelu": False, "text_cfg": TINY["text_cfg"] | {"width": 96, "heads": 3}}
    twin(wide, tmp_path / "wide")
    fresh("coop", model[1]).save(tmp_path / "bare.safetensors", {})
    with pytest.raises(UserError, match="its text prompts have 64 features and not 96"):
        promptatlas.load_prompt(tmp_path / "bare.safetensors").classifier(NAMES, backbone=tmp_path / "wide")
    shallow = TINY | {"quick_gelu": False, "vision_cfg": TINY["vision_cfg"] | {"layers": 1}}
    twin(shallow, tmp_path / "shallow")
    fresh("vpt", model[1]).save(tmp_path / "deep.safetensors", {})
    with pytest.raises(UserError, match="its visual prompts are for 3 layers and not 1"):
        promptatlas.load_prompt(tmp_path / "deep.safetensors").classifier(NAMES, backbone=tmp_path / "shallow")


def test_a_file_far_from_its_study_says_what_it_needs(taken, tmp_path):
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(taken.read_bytes())
    with pytest.raises(UserError, match=r"no backbone lies beside .*alone.safetensors \(tiny\); give classifier\(backbone=...\)"):
        promptatlas.load_prompt(alone).classifier()
    with pytest.raises(UserError, match="is no exported backbone"):
        promptatlas.load_prompt(alone).classifier(backbone=tmp_path)


# Files from before there were cards


def test_an_older_file_loads_with_what_its_metadata_say(model, given_images, tmp_path):
    parts = {"backbone": model[1].fingerprint, "method": "coop", "task": "things", "seed": "2", "draw": "d" * 64}
    path = tmp_path / "old.safetensors"
    fresh("coop", model[1]).save(path, {"fingerprint": "f", "parts": json.dumps(parts), "task": "things", "seed": "2"})
    prompt = promptatlas.load_prompt(path)
    known = {field: value for field, value in prompt.card.items() if value is not None}
    expected = {"method": "coop", "task": "things", "seed": 2}
    assert known == expected | {"backbone": {"sha256": model[1].fingerprint}, "draw": {"sha256": "d" * 64}}
    assert prompt.classifier(NAMES, backbone=model[1])(given_images).logits.shape == (5, 3)
    with pytest.raises(UserError, match=r"old\.safetensors does not say which classes"):
        prompt.classifier(backbone=model[1])
    twin(TINY | {"quick_gelu": False}, tmp_path / "other")
    with pytest.raises(UserError, match="was trained with another backbone"):
        prompt.classifier(NAMES, backbone=tmp_path / "other")


# Mistakes and damage


@pytest.mark.parametrize(
    ("names", "words"),
    [([], "empty"), (["cat", "cat"], "twice"), ("cat", "list of texts"), ([1, 2], "list of texts"), ([" "], "list of texts")],
)
def test_class_names_that_are_none_are_refused(names, words, taken):
    with pytest.raises(UserError, match=words):
        promptatlas.load_prompt(taken).classifier(names)


def test_images_that_are_none_are_refused(taken, tmp_path):
    classifier = promptatlas.load_prompt(taken).classifier()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    arrays = [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
    for image in (*arrays, 7, tmp_path / "broken.png", "none.png"):
        with pytest.raises(UserError) as caught:
            classifier([image])
        assert "\n" not in str(caught.value) and "image" in str(caught.value)


def refused(content: bytes, path, backbone=None) -> str:
    """What is said of a file with this content, which has to be one sentence, or nothing if it is sound."""
    path.write_bytes(content)
    try:
        prompt = promptatlas.load_prompt(path)
        card.lines(prompt.card)
        if backbone is not None:
            prompt.classifier(backbone=backbone)
    except UserError as error:
        said = str(error)
    else:
        return ""
    assert "\n" not in said and path.name in said
    return said


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "prompt.safetensors"


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture], "derandomize": True}


@hypothesis(max_examples=60, **QUICK)
@given(share=st.floats(0, 0.999))
def test_a_file_cut_off_anywhere_is_refused_in_one_sentence(share, taken, damaged):
    content = taken.read_bytes()
    assert "not a whole prompt file" in refused(content[: int(share * len(content))], damaged)


@hypothesis(max_examples=40, **QUICK)
@given(content=st.binary(max_size=400))
def test_random_bytes_are_refused_in_one_sentence(content, damaged):
    assert "not a whole prompt file" in refused(content, damaged)


@hypothesis(max_examples=80, **QUICK)
@given(place=st.floats(0, 0.999), value=st.integers(0, 255))
def test_a_changed_byte_of_the_header_never_gives_more_than_one_sentence(place, value, model, taken, damaged):
    content = bytearray(taken.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    content[int(place * header)] = value
    assert "\n" not in refused(bytes(content), damaged, model[1])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sha256", "a"]), inner, max_size=2),
    max_leaves=5,
)
KEYS = [
    "method",
    "position",
    "template",
    "words",
    "before_norm",
    "class_layer",
    "history",
    "best_epoch",
    "seconds",
    "card",
    "parts",
    "seed",
]


@hypothesis(max_examples=80, **QUICK)
@given(key=st.sampled_from(KEYS), value=ANYTHING, field=st.sampled_from(card.FIELDS), inside=st.booleans())
def test_any_other_metadata_never_give_more_than_one_sentence(key, value, field, inside, model, taken, damaged):
    with safe_open(taken, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    if inside:
        metadata["card"] = json.dumps(json.loads(metadata["card"]) | {field: value})
    else:
        metadata[key] = json.dumps(value)
    save_file(tensors, damaged, metadata=metadata)
    assert "\n" not in refused(damaged.read_bytes(), damaged, model[1])


@pytest.mark.parametrize(
    "change",
    [
        {"prompts.text": torch.zeros(4, 64)}, {"prompts.text": torch.zeros(1, 1, 0, 64)},
        {"prompts.text": torch.zeros(2, 1, 4, 64)},
        {"prompts.text": torch.full((1, 1, 4, 64), torch.nan)}, {"prompts.text": torch.zeros(1, 1, 4, 64, dtype=torch.int32)},
        {"prompts.meta.0": torch.zeros(1, 3, 48)}, {f"prompts.meta.{i}": torch.zeros(1, 3, 3) for i in range(4)},
        {"prompts.class_net.0": torch.zeros(1, 3, 48)}, {f"prompts.class_net.{i}": torch.zeros(1, 3, 3) for i in range(4)},
    ],
)  # fmt: skip
def test_tensors_that_are_no_prompt_are_refused(change, taken, damaged):
    with safe_open(taken, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    save_file(tensors | change, damaged, metadata=metadata)
    assert "not a whole prompt file" in refused(damaged.read_bytes(), damaged)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r"none\.safetensors does not exist"):
        promptatlas.load_prompt(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="not a whole prompt file"):
        promptatlas.load_prompt(tmp_path)

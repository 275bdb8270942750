"""Weights in the forms in which they are published, written here at random, load as open_clip would read them, and
nothing else is taken for them."""

import hashlib
import json
import os
import pickle
import warnings
from copy import deepcopy

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from hostile import harmful, rewritten
from promptatlas.backbone import checkpoints, export, kinds, load, published, torch_files
from promptatlas.backbone.text import plain_sentences
from promptatlas.base.errors import UserError
from tiers import mostly_slow
from twins import TINY as WIDE

TINY = WIDE | {"text_cfg": WIDE["text_cfg"] | {"width": 16}}  # most weights are those of the words, and files of them take long
TEXTS = ["a photo of a cat.", "a satellite photo of annual crop land."]
OPENAI_NUMBERS = {
    "input_resolution": torch.tensor(32), "context_length": torch.tensor(77), "vocab_size": torch.tensor(49408),
}  # fmt: skip
tokenize = open_clip.get_tokenizer("ViT-B-32")


def describe(folder, **models) -> None:
    for name, config in models.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(config))


@pytest.fixture(autouse=True)
def small_models(tmp_path_factory, monkeypatch):
    """A folder of descriptions in place of open_clip's: its own names, but tiny."""
    folder = tmp_path_factory.mktemp("descriptions")
    deeper = TINY | {"text_cfg": TINY["text_cfg"] | {"layers": 4}}
    wider = TINY | {"vision_cfg": TINY["vision_cfg"] | {"width": 128}}
    describe(folder, ViT_B_16=TINY, ViT_B_16_quickgelu=TINY | {"quick_gelu": True}, ViT_deeper=deeper, ViT_wider=wider)
    monkeypatch.setattr(kinds, "_descriptions", lambda: folder)
    kinds.names.cache_clear()
    yield
    kinds.names.cache_clear()


def random_clip(quick_gelu: bool, half: bool = False) -> open_clip.CLIP:
    """An open_clip CLIP; with `half`, of numbers that float16 holds exactly."""
    torch.manual_seed(3)
    model = open_clip.CLIP(**TINY, quick_gelu=quick_gelu).eval().requires_grad_(False)
    return model.half().float() if half else model


@pytest.fixture(scope="module")
def openai(tmp_path_factory):
    """(model, file) as openai/CLIP publishes its models: traced, half precision, three numbers among the buffers."""
    model, path = random_clip(quick_gelu=True, half=True), tmp_path_factory.mktemp("openai") / "ViT-B-16.pt"
    traced = deepcopy(model)
    for name, value in OPENAI_NUMBERS.items():
        vars(traced).pop(name, None)
        traced.register_buffer(name, value)
    with warnings.catch_warnings(action="ignore"):
        example = (torch.zeros(1, 3, 32, 32), tokenize(["a"]))
        torch.jit.save(torch.jit.trace(traced, example, check_trace=False).half(), path)
    return model, path


def assert_answers_as(model: open_clip.CLIP, folder, **expected) -> None:
    backbone = load(folder)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    close = {"atol": 1e-5, "rtol": 1e-5}
    features = backbone.vision(backbone.vision.embed(images)[None])[0]
    torch.testing.assert_close(features, model.encode_image(images), **close)
    layout = backbone.text.layout(plain_sentences(backbone.tokenizer, TEXTS))
    torch.testing.assert_close(backbone.text(layout)[0], model.encode_text(tokenize(TEXTS)), **close)
    assert backbone.logit_scale == pytest.approx(model.logit_scale.exp().item())
    for key, value in expected.items():
        assert getattr(backbone.architecture, key) == value, key


# OpenAI


def test_openais_archive_answers_as_its_model_and_brings_quickgelu_with_it(openai, tmp_path):
    export.export("ViT-B-16", str(openai[1]), tmp_path)
    assert_answers_as(openai[0], tmp_path, quick_gelu=True, quick_gelu_from="OpenAI's file format")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_archives_tensors_are_those_that_torch_jit_finds(openai):
    expected = torch.jit.load(openai[1]).state_dict()
    found = torch_files.read(openai[1])
    assert expected.keys() <= found.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in expected.items())
    assert checkpoints.read(openai[1]).weights.keys() == expected.keys() - {*OPENAI_NUMBERS, "attn_mask"}


def test_openais_plain_state_dict_is_known_by_its_three_numbers(tmp_path):
    model = random_clip(quick_gelu=True, half=True)
    torch.save({k: v.half() for k, v in model.state_dict().items()} | OPENAI_NUMBERS, tmp_path / "clip.pt")
    export.export("ViT-B-16", str(tmp_path / "clip.pt"), tmp_path / "out")
    assert_answers_as(model, tmp_path / "out", quick_gelu=True)


# LAION and open_clip


def test_a_training_checkpoint_of_several_gpus_answers_as_its_model(tmp_path):
    model = random_clip(quick_gelu=False)
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    torch.save({"epoch": 32, "name": "laion", "state_dict": state, "optimizer": optimizer}, tmp_path / "epoch_32.pt")
    export.export("ViT-B-16", str(tmp_path / "epoch_32.pt"), tmp_path / "out")
    assert_answers_as(model, tmp_path / "out", quick_gelu=False, quick_gelu_from="the name of the model")


@pytest.mark.parametrize("name", ["weights.pt", "open_clip_pytorch_model.bin", "model.safetensors"])
def test_a_bare_state_dict_answers_as_its_model(name, tmp_path):
    model = random_clip(quick_gelu=True)
    write = save_file if name.endswith("safetensors") else torch.save
    write(model.state_dict(), tmp_path / name)
    export.export("ViT-B-16-quickgelu", str(tmp_path / name), tmp_path / "out")
    assert_answers_as(model, tmp_path / "out", quick_gelu=True, quick_gelu_from="the name of the model")


def hub_folder(model: open_clip.CLIP, quick_gelu: bool, folder):
    """As `push_to_hf_hub` writes it."""
    folder.mkdir()
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": TINY | ({"quick_gelu": True} if quick_gelu else {}), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    torch.save({"unrelated": torch.zeros(1)}, folder / "training_state.pt")
    return folder


HUB = [(form, quick_gelu) for form in ("local-dir", "folder", "file") for quick_gelu in (False, True)]


@pytest.mark.parametrize("hub", mostly_slow(HUB, HUB[::3]), ids=str)
def test_a_hub_folder_answers_as_its_model_and_says_its_activation_and_colours(hub, tmp_path):
    form, quick_gelu = hub
    model = random_clip(quick_gelu)
    folder = hub_folder(model, quick_gelu, tmp_path / "hub")
    name, weights = {
        "local-dir": (f"local-dir:{folder}", ""),
        "folder": ("ViT-B-16", str(folder)),
        "file": ("ViT-B-16", str(folder / "open_clip_model.safetensors")),
    }[form]
    export.export(name, weights, tmp_path / "out")
    expected = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "quick_gelu_from": "open_clip_config.json"}
    assert_answers_as(model, tmp_path / "out", quick_gelu=quick_gelu, **expected)


def test_open_clip_reads_the_same_local_folder_alike(tmp_path):
    folder = hub_folder(random_clip(True), True, tmp_path / "hub")
    theirs = open_clip.create_model(f"local-dir:{folder}").eval().requires_grad_(False)
    export.export(f"local-dir:{folder}", "", tmp_path / "out")
    assert_answers_as(theirs, tmp_path / "out")


def test_a_tag_is_fetched_by_open_clip_and_its_entry_decides_the_activation(tmp_path, monkeypatch):
    """ViT-B-16 with OpenAI's weights, as everyone calls them: open_clip would run them with GELU and only warn."""
    model = random_clip(quick_gelu=True)
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    monkeypatch.setattr(export, "download_pretrained", lambda entry: str(tmp_path / "open_clip_model.safetensors"))
    export.export("ViT-B-16", "openai", tmp_path / "out")
    assert_answers_as(model, tmp_path / "out", quick_gelu=True, mean=open_clip.OPENAI_DATASET_MEAN)
    export.export("ViT-B-16", "laion2b_s34b_b88k", tmp_path / "out")
    assert not load(tmp_path / "out").architecture.quick_gelu


@pytest.mark.parametrize("damaged", [False, True])
def test_what_the_hub_kept_is_compared_with_its_hash(tmp_path, monkeypatch, damaged):
    """The hub's library names files by their SHA-256 but does not look at them again."""
    content = b"weights"
    kept = tmp_path / "blobs" / hashlib.sha256(content).hexdigest()
    kept.parent.mkdir()
    kept.write_bytes(content + b"!" * damaged)
    (tmp_path / "model.safetensors").symlink_to(kept)
    monkeypatch.setattr(export, "download_pretrained", lambda _: str(tmp_path / "model.safetensors"))
    if damaged:
        assert_refused("ViT-B-16", "openai", tmp_path / "out", "is not what its name, a SHA-256, says", "delete the file")
    else:
        assert export.fetch("ViT-B-16", "openai") == tmp_path / "model.safetensors"


def test_weights_that_cannot_be_fetched_are_told_with_the_remedy(tmp_path, monkeypatch):
    def offline(entry):
        raise FileNotFoundError("no route\nto host")

    monkeypatch.setattr(export, "download_pretrained", offline)
    assert_refused("ViT-B-16", "openai", tmp_path, "cannot be fetched (no route to host)", "name a file of weights")


# GELU and QuickGELU


def test_the_two_activations_give_different_answers(tmp_path):
    """What a mix-up costs, or the tests above would show nothing."""
    save_file(random_clip(True).state_dict(), tmp_path / "weights.safetensors")
    export.export("ViT-B-16", str(tmp_path / "weights.safetensors"), tmp_path / "out")
    with pytest.raises(AssertionError, match="not close"):
        assert_answers_as(random_clip(True), tmp_path / "out")


def test_a_name_that_claims_quickgelu_for_weights_trained_with_gelu_is_refused(tmp_path):
    folder = hub_folder(random_clip(False), False, tmp_path / "hub")
    assert_refused("ViT-B-16-quickgelu", folder, tmp_path, "open_clip_config.json says", "GELU; use 'ViT-B-16'.")
    assert_refused("ViT-B-16-quickgelu", "laion2b_s34b_b88k", tmp_path, "trained with GELU: use 'ViT-B-16'.")


def test_a_renamed_release_of_open_clip_is_known_by_its_hash(tmp_path, monkeypatch):
    model, path = random_clip(True), tmp_path / "mine.pt"
    torch.save(model.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    releases = "https://github.com/mlfoundations/open_clip/releases/download"
    url = f"{releases}/v0.2-weights/vit_b_16-quickgelu-{digest[:8]}.pt"
    entry = published.entry("ViT-B-32", "laion400m_e31") | {"url": url}
    monkeypatch.setattr(published, "table", lambda: {"ViT-B-32": {"mine": entry}})
    export.export("ViT-B-16", str(path), tmp_path / "out")
    assert_answers_as(model, tmp_path / "out", quick_gelu=True)
    assert "SHA-256" in load(tmp_path / "out").architecture.quick_gelu_from


# Wrong files


def assert_refused(model, pretrained, folder, *words) -> None:
    with pytest.raises(UserError) as caught:
        export.export(model, str(pretrained), folder / "out")
    sentence = str(caught.value)
    assert all(word in sentence for word in words) and "\n" not in sentence, sentence
    assert not (folder / "out").exists()


def test_a_pickle_that_would_run_a_command_is_refused(tmp_path):
    held = {"state_dict": random_clip(False).state_dict(), "args": harmful(os.system, tmp_path / "run")}
    torch.save(held, tmp_path / "bad.pt")
    assert_refused("ViT-B-16", tmp_path / "bad.pt", tmp_path, "bad.pt", "could run code")
    assert not (tmp_path / "run").exists()


def test_an_archive_that_would_run_a_command_is_refused(openai, tmp_path):
    evil = pickle.dumps(harmful(os.system, tmp_path / "run"))
    rewritten(openai[1], tmp_path / "bad.pt", lambda name, content: evil if name.endswith("/data.pkl") else content)
    assert_refused("ViT-B-16", tmp_path / "bad.pt", tmp_path, "bad.pt", "could run code")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["openai.pt", "laion.pt", "old.pt", "hub.safetensors"])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(name, share, openai, tmp_path):
    weights, path = random_clip(False).state_dict(), tmp_path / name
    if name == "openai.pt":
        path.write_bytes(openai[1].read_bytes())
    elif name == "hub.safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights}, path, _use_new_zipfile_serialization=name == "laion.pt")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert_refused("ViT-B-16", path, tmp_path, name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "no file of weights"),
    ],
)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_what_a_failed_download_leaves_is_told_apart(content, words, ending, tmp_path):
    (tmp_path / f"weights.{ending}").write_bytes(content)
    assert_refused("ViT-B-16", tmp_path / f"weights.{ending}", tmp_path, f"weights.{ending}", words)


def saved(folder, change) -> object:
    weights = random_clip(False).state_dict()
    change(weights)
    torch.save(weights, folder / "weights.pt")
    return folder / "weights.pt"


def test_another_models_weights_are_refused_with_what_does_not_fit(tmp_path):
    path = saved(tmp_path, lambda weights: None)
    words = ("weights.pt", "'ViT-wider'", "visual.class_embedding is 96 and not 128 (and 43 more)")
    assert_refused("ViT-wider", path, tmp_path, *words)
    assert_refused("ViT-deeper", path, tmp_path, "transformer.resblocks.3.ln_1.weight is missing (and 11 more)")
    path = saved(tmp_path, lambda weights: weights.pop("ln_final.bias"))
    assert_refused("ViT-B-16", path, tmp_path, "weights.pt", "ln_final.bias is missing; name the model that it was")
    path = saved(tmp_path, lambda weights: weights.update({"visual.ls.gamma": torch.ones(1)}))
    assert_refused("ViT-B-16", path, tmp_path, "visual.ls.gamma has no place")


def test_a_folder_that_describes_another_model_is_refused_even_if_its_weights_fit(tmp_path):
    """The number of heads shows in no weight."""
    folder = hub_folder(random_clip(False), False, tmp_path / "hub")
    described = json.loads((folder / "open_clip_config.json").read_text())
    described["model_cfg"]["text_cfg"]["heads"] = 4
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    assert_refused("ViT-B-16", folder, tmp_path, "(text_heads is 4 and not 2)", f"`local-dir:{folder}`")
    export.export(f"local-dir:{folder}", "", tmp_path / "out")
    assert load(tmp_path / "out").architecture.text_heads == 4


def test_other_libraries_forms_and_other_contents_are_refused(tmp_path):
    torch.save({"vision_model.post_layernorm.weight": torch.ones(3)}, tmp_path / "a.bin")
    assert_refused(
        "ViT-B-16", tmp_path / "a.bin", tmp_path, "a.bin does not hold the weights of 'ViT-B-16'", "visual.ln_post.weight is 3 and not 96"
    )
    torch.save([torch.ones(3)], tmp_path / "b.pt")
    assert_refused("ViT-B-16", tmp_path / "b.pt", tmp_path, "b.pt holds no state dict")


def test_wrong_names_and_places_are_told_before_anything_is_read(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("a.pt", "b.pt"):
        (tmp_path / "two" / name).write_bytes(b"")
    assert_refused("ViT-B16", "openai", tmp_path, "'ViT-B16'", "did you mean 'ViT-B-16'?")
    assert_refused("ViT-B-16", "open_ai", tmp_path, "'open_ai'", "did you mean 'openai'?")
    assert_refused("ViT-B-16", "weights/clip.pt", tmp_path, "the file weights/clip.pt does not exist")
    assert_refused("ViT-B-16", tmp_path / "empty", tmp_path, "empty holds no weights")
    assert_refused("ViT-B-16", tmp_path / "two", tmp_path, "a.pt, b.pt", "name one of them")
    (tmp_path / "parts").mkdir()
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"):
        (tmp_path / "parts" / name).write_bytes(b"")
        assert_refused("ViT-B-16", tmp_path / "parts" / name, tmp_path, f"the weights of {tmp_path / 'parts' / name} are in several files")
    assert_refused("ViT-B-16", tmp_path / "parts", tmp_path, f"the weights in {tmp_path / 'parts'} are in several files", "save_pretrained")
    assert_refused(f"local-dir:{tmp_path / 'parts'}", "", tmp_path, "open_clip_config.json is missing")
    assert_refused(f"local-dir:{tmp_path}/none", "", tmp_path, "open_clip_config.json is missing")
    (tmp_path / "two" / "open_clip_config.json").write_text("{}")
    assert_refused(f"local-dir:{tmp_path}/two", "", tmp_path, "does not describe a model")

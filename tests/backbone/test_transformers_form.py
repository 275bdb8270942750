"""CLIP and SigLIP as the transformers library writes them: folders of its form answer as that library does, by stored answers of its own
models, and what cannot be followed exactly is refused."""

import json

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer as Rust, models, processors

import transformers_golden
from promptatlas.backbone import checkpoints, export, fingerprint, kinds, load, model as backbones, preprocessing
from promptatlas.backbone.origin import origin
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.text import plain_sentences
from promptatlas.base.errors import UserError

GOLDEN = transformers_golden.stored()
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
SIZES = {"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}, "do_center_crop": True}
SEEN = SIZES | {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.2, 0.3], "resample": 2}


def weights(name: str) -> dict[str, torch.Tensor]:
    return {key: torch.as_tensor(value) for key, value in transformers_golden.weights(GOLDEN[name]["shapes"]).items()}


def written(name: str, folder, file="model.safetensors", seen=SEEN):
    """A folder as `save_pretrained` leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(GOLDEN[name]["config"]))
    (folder / "preprocessor_config.json").write_text(json.dumps(seen))
    (save_file if file.endswith("safetensors") else torch.save)(weights(name), folder / file)
    if name == "siglip":
        rust = Rust(models.WordLevel({"<pad>": 0, "</s>": 1, "a": 2, "<unk>": 3}, unk_token="<unk>"))
        rust.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        rust.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    return folder


def described_only(folder):
    (folder / "config.json").write_text(json.dumps(GOLDEN["quick_gelu"]["config"]))
    (folder / "model.safetensors").touch()
    return folder


def assert_answers(name: str, folder) -> None:
    backbone, golden = load(folder), GOLDEN[name]
    images = torch.from_numpy(transformers_golden.images())
    features = backbone.vision(images) if name == "siglip" else backbone.vision(backbone.vision.embed(images)[None])[0]
    torch.testing.assert_close(features, torch.tensor(golden["images"]), **CLOSE)
    rows = golden["ids"]
    if name != "siglip":
        assert plain_sentences(backbone.tokenizer, transformers_golden.SENTENCES) == rows
    torch.testing.assert_close(backbone.text(backbone.text.layout(rows))[0], torch.tensor(golden["text"]), **CLOSE)
    assert backbone.logit_scale == pytest.approx(weights(name)["logit_scale"].exp().item())


@pytest.mark.parametrize(
    ("name", "file"), [("quick_gelu", "model.safetensors"), ("gelu", "pytorch_model.bin"), ("siglip", "model.safetensors")]
)
def test_a_folder_of_that_library_answers_as_its_model(name, file, tmp_path):
    folder = written(name, tmp_path / "theirs", file)
    export.export(f"local-dir:{folder}", "", tmp_path / "out")
    assert_answers(name, tmp_path / "out")
    found = load(tmp_path / "out").architecture
    assert (found.mean, found.std, found.interpolation, found.fitting) == ((0.5, 0.4, 0.3), (0.25, 0.2, 0.3), "bilinear", "crop")
    assert found.takes_visual_prompts == (name != "siglip")
    if name != "siglip":
        assert (found.quick_gelu, found.quick_gelu_from) == (name == "quick_gelu", "config.json")


@pytest.mark.parametrize("name", ["quick_gelu", "siglip"])
def test_every_weight_counts_and_none_is_left_over(name, tmp_path):
    folder = written(name, tmp_path / "theirs")
    for key in ("text_model.encoder.layers.1.self_attn.k_proj.bias", "vision_model.post_layernorm.weight"):
        kept = weights(name)
        del kept[key]
        save_file(kept, folder / "model.safetensors")
        with pytest.raises(UserError, match="is missing"):
            export.export(f"local-dir:{folder}", "", tmp_path / "out")
    save_file(weights(name) | {"vision_model.encoder.layers.0.gamma": torch.ones(2)}, folder / "model.safetensors")
    with pytest.raises(UserError, match="gamma has no place"):
        export.export(f"local-dir:{folder}", "", tmp_path / "out")


def test_old_files_with_numbers_of_places_are_read_too(tmp_path):
    held = weights("quick_gelu") | {f"{part}_model.embeddings.position_ids": torch.arange(9)[None] for part in ("text", "vision")}
    torch.save(held, tmp_path / "pytorch_model.bin")
    save_file(weights("quick_gelu"), tmp_path / "model.safetensors")
    one, other = (checkpoints.read(tmp_path / file).weights for file in ("pytorch_model.bin", "model.safetensors"))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_the_fingerprint_has_the_weights_and_what_is_said_of_them(tmp_path):
    folder, found = written("quick_gelu", tmp_path / "theirs"), set()

    def export_once():
        export.export(f"local-dir:{folder}", "", tmp_path / "out")
        found.add(fingerprint(tmp_path / "out"))

    export_once()
    (folder / "preprocessor_config.json").write_text(json.dumps(SEEN | {"image_mean": [0.1] * 3}))
    export_once()
    said = json.dumps(GOLDEN["quick_gelu"]["config"]).replace('"quick_gelu"', '"gelu"')
    (folder / "config.json").write_text(said)
    export_once()
    save_file(weights("quick_gelu") | {"logit_scale": torch.tensor(1.5)}, folder / "model.safetensors")
    export_once()
    assert len(found) == 4
    names = ["model.safetensors", "config.json", "preprocessor_config.json"]
    assert [path.name for path in origin(f"local-dir:{folder}", "").files] == names


def test_a_tokenizer_of_its_own_is_a_part_of_the_model(tmp_path):
    folder, found = written("siglip", tmp_path / "theirs"), []

    def exported() -> str:
        export.export(f"local-dir:{folder}", "", tmp_path / "out")
        return fingerprint(tmp_path / "out")

    names = ["model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]
    assert [path.name for path in origin(f"local-dir:{folder}", "").files] == names
    found = [exported()]
    (folder / "tokenizer_config.json").write_text('{"pad_token": {"content": "<pad>"}, "model_max_length": 9}')
    assert exported() == found[0]  # the same padding, said otherwise
    (folder / "tokenizer_config.json").write_text('{"pad_token": "</s>"}')
    found.append(exported())
    words = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(words.replace('"a": 2', '"b": 2'))
    found.append(exported())
    assert len({*found}) == 3 and load(tmp_path / "out").tokenizer.encode("b") == [2]


def test_clips_tokenizer_is_no_part_of_the_model(tmp_path):
    """It is the same for all; so fingerprints do not depend on whether a copy lies beside the weights."""
    folder = written("quick_gelu", tmp_path / "theirs")
    export.export(f"local-dir:{folder}", "", tmp_path / "bare")
    export.tokenizer().write(folder / "tokenizer.json")
    export.export(f"local-dir:{folder}", "", tmp_path / "beside")
    assert fingerprint(tmp_path / "bare") == fingerprint(tmp_path / "beside")
    assert "tokenizer" not in json.loads((tmp_path / "bare" / "architecture.json").read_text())
    assert folder / "tokenizer.json" not in origin(f"local-dir:{folder}", "").files


def test_what_a_description_does_not_say_is_what_that_library_takes(tmp_path):
    """Its usual CLIP is OpenAI's ViT-B/32, its usual SigLIP the base model, both of which open_clip describes in full."""
    for kind, name, vocabulary in (("clip", "ViT-B-32-quickgelu", 49408), ("siglip", "ViT-B-16-SigLIP", 32000)):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "text_config": None}))
        ours, theirs = (export.described(own, "") for own in (f"local-dir:{tmp_path}", name))
        assert backbones.shapes(ours, vocabulary) == backbones.shapes(theirs, vocabulary)
        for field in (
            "quick_gelu",
            "image_size",
            "patch_size",
            "vision_heads",
            "text_heads",
            "context_length",
            "kind",
            "text_tower",
            "fitting",
        ):
            assert getattr(ours, field) == getattr(theirs, field), field


def test_a_known_name_takes_such_a_folder_only_if_it_is_that_model(tmp_path):
    folder = written("quick_gelu", tmp_path / "theirs")
    with pytest.raises(UserError, match=r"config.json describes another model than 'ViT-B-32' .* `local-dir:"):
        export.export("ViT-B-32", str(folder), tmp_path / "out")


def test_open_clips_description_goes_before(tmp_path):
    folder = written("gelu", tmp_path / "theirs")
    assert kinds.beside(folder).name == "config.json"
    (folder / "open_clip_config.json").write_text("{}")
    assert kinds.beside(folder).name == "open_clip_config.json"


def test_another_programs_config_is_not_taken_for_a_description(tmp_path):
    (tmp_path / "config.json").write_text('{"architecture": "vit_base_patch16_224"}')
    (tmp_path / "model.safetensors").touch()
    assert origin("ViT-B-16", str(tmp_path)).description is None


CLIP, SIGLIP = {"model_type": "clip"}, {"model_type": "siglip"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"model_type": "blip"}, "`model_type: blip` is neither clip nor siglip"),
        (CLIP | {"text_config": {"hidden_act": "gelu"}}, r"activations are gelu \(text\) and quick_gelu \(images\)"),
        (CLIP | {"text_config_dict": {"hidden_act": "gelu"}}, r"activations are gelu \(text\) and quick_gelu \(images\)"),
        (CLIP | {"text_config": {"eos_token_id": 5}}, "its end token is 5"),
        (CLIP | {"text_config": {"vocab_size": 30000}}, "vocabulary of 30000 tokens is not CLIP's"),
        (CLIP | {"text_config": {"layer_norm_eps": 1e-6}}, r"none of those known here \(norm_kwargs\)"),
        (CLIP | {"vision_config": {"num_channels": 13}}, "images of 13 channels"),
        (CLIP | {"vision_config": {"num_attention_heads": 0}}, "does not describe a model as"),
        (CLIP | {"vision_config": [1]}, "does not describe a model as"),
        (SIGLIP | {"vision_config": {"vision_use_head": False}}, "no pooling head"),
        (SIGLIP | {"vision_config": {"hidden_act": "relu"}}, "its activation is relu"),
        (SIGLIP | {"vision_config": {"layer_norm_eps": 1e-5}}, "its norms add 1e-05"),
    ],
)
def test_a_model_of_which_a_part_is_unknown_is_refused_before_its_weights_are_read(said, reason, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(said))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(UserError, match=reason) as caught:
        origin(f"local-dir:{tmp_path}", "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({}, {}),
        ({"crop_size": 32, "size": 32, "do_center_crop": True}, {}),  # as files of 2022 have it
        ({"size": {"height": 32, "width": 32}, "do_center_crop": False}, {"resize": "squash"}),
        ({"size": {"height": 32, "width": 32}}, {"resize": "squash"}),
        (SIZES | {"resample": 2}, {"interpolation": "bilinear"}),
        ({"do_normalize": False}, {"mean": (0.0,) * 3, "std": (1.0,) * 3}),
        ({"image_mean": [0.5] * 3}, {"mean": (0.5,) * 3}),
    ],
)
@pytest.mark.parametrize("newer", [False, True])
def test_images_are_seen_as_the_folder_says(said, seen, newer, tmp_path):
    folder = described_only(tmp_path)
    file, content = ("processor_config.json", {"image_processor": said}) if newer else ("preprocessor_config.json", said)
    (folder / file).write_text(json.dumps(content))
    usual = {"mean": preprocessing.CLIP["mean"], "std": preprocessing.CLIP["std"]}
    assert preprocessing.chosen(f"local-dir:{folder}", "") == Preprocessing(**(usual | seen))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (SIZES | {"size": {"shortest_edge": 40}}, "scales images to 40 and cuts out 32 pixels where the model reads 32"),
        ({"size": 64, "crop_size": 64}, "where the model reads 32"),
        ({"size": {"height": 32, "width": 64}}, "scales images to 32x64"),
        (SIZES | {"do_center_crop": False}, "cuts images to no square"),
        ({"resample": 1}, r"`resample: 1`\) is neither bilinear"),
        ({"do_resize": False}, "`do_resize` is off"),
        ({"rescale_factor": 1.0}, "`rescale_factor` is 1.0 and not 1/255"),
    ],
)
def test_a_way_to_see_images_that_is_not_ours_is_refused(said, reason, tmp_path):
    described_only(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=reason):
        preprocessing.chosen(f"local-dir:{tmp_path}", "")


@pytest.mark.parametrize("file", ["vocab.json", "tokenizer.json"])
def test_other_words_beside_the_weights_are_told(file, tmp_path):
    """A model with as many words as CLIP's, but others, would be asked for anything but what was meant."""
    folder, words = written("quick_gelu", tmp_path / "theirs"), export.tokenizer().vocabulary()
    form = (lambda words: words) if file == "vocab.json" else (lambda words: {"model": {"vocab": words}})
    (folder / file).write_text(json.dumps(form(words)))
    export.export(f"local-dir:{folder}", "", tmp_path / "out")
    (folder / file).write_text(json.dumps(form(words | {"cat</w>": words["dog</w>"], "dog</w>": words["cat</w>"]})))
    with pytest.raises(UserError, match=f"{file} has other words than CLIP's"):
        export.export(f"local-dir:{folder}", "", tmp_path / "out")

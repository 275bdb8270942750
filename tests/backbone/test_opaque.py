"""Image towers of any kind: the text tower is ours and answers as open_clip's, images are open_clip's own."""

import json
import shutil

import open_clip
import pytest
import torch
from open_clip import get_tokenizer
from open_clip.pretrained import get_pretrained_cfg
from safetensors.torch import load_file, save_file

import small_towers
from naive_towers import NAMES
from promptatlas.backbone import export, load
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.base.errors import UserError
from small_tasks import write_task
from text_methods import assert_tuned_and_applied

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
WORD = 343  # "x", in place of a context vector
TEXTS = [*(f"a photo of a {name}." for name in NAMES), "what!;then?"]  # the last has the id 0, which is padding elsewhere


@pytest.fixture(scope="module", params=small_towers.SMALL, ids=str)
def opaque(request, tmp_path_factory):
    """(name, open_clip model, our Backbone) through a local folder as the hub holds it."""
    folder, model = tmp_path_factory.mktemp("opaque"), small_towers.random(request.param)
    small_towers.publish(request.param, model, folder)
    export.export(f"local-dir:{folder}", "", folder / "out")
    return request.param, model, load(folder / "out")


def test_sentences_equal_open_clip(opaque):
    _, model, backbone = opaque
    length = backbone.architecture.context_length
    ids = get_tokenizer("ViT-B-32", context_length=length)(TEXTS)
    ours = backbone.text(backbone.text.layout(plain_sentences(backbone.tokenizer, TEXTS)))[0]
    assert ours.std(dim=0).mean() > 0.01  # the sentences differ, or the comparison would show little
    torch.testing.assert_close(ours, model.encode_text(ids, normalize=False), **CLOSE)


def naive_text(model, ids, context):
    """(C, D) through open_clip's own blocks, with the vectors of a context (depth, n, d) where ids (C, L) are negative."""
    tower, words = getattr(model, "text", model), torch.where(ids < 0, WORD, ids)
    x, mask = tower.token_embedding(words) + tower.positional_embedding[: ids.shape[1]], tower.attn_mask
    if tower is not model:
        x, mask = tower._embeds(words)
    there = torch.nn.functional.pad(ids < 0, (0, x.shape[1] - ids.shape[1])).unsqueeze(-1)
    which = torch.nn.functional.pad((-1 - ids).clamp(min=0), (0, x.shape[1] - ids.shape[1]))
    for layer, block in enumerate(tower.transformer.resblocks):
        if layer < len(context):
            x = torch.where(there, context[layer][which] + (tower.positional_embedding if layer == 0 else 0.0), x)
        x = block(x, attn_mask=mask)
    end = words.argmax(1) if getattr(tower, "cls_emb", None) is None else -1
    return tower.ln_final(x)[torch.arange(len(x)), end] @ tower.text_projection


@pytest.mark.parametrize(("depth", "position"), [(1, "end"), (2, "front")])
def test_context_prompts_equal_the_naive_splice_in_value_and_gradient(opaque, depth, position):
    _, model, backbone = opaque
    rows = sentences(backbone.tokenizer, NAMES, 4, position)
    ids = torch.tensor([row + [0] * (backbone.architecture.context_length - len(row)) for row in rows])
    context = (torch.randn(2, depth, 4, backbone.architecture.text_width) * 0.3).requires_grad_()
    ours, reference = backbone.text(backbone.text.layout(rows), context), torch.stack([naive_text(model, ids, own) for own in context])
    torch.testing.assert_close(ours, reference, **CLOSE)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), context)
    (expected,) = torch.autograd.grad((reference * weights).sum(), context)
    torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)


def test_images_are_open_clips_own(opaque):
    _, model, backbone = opaque
    size = backbone.architecture.image_size
    images = torch.randn(2, 3, size, size) + torch.randn(2, 3, 1, 1)
    assert backbone.vision.built is None  # nothing that reads sentences alone needs it
    ours = backbone.vision.encode(images)
    assert (ours[0] - ours[1]).abs().max() > 1e-5
    assert torch.equal(ours, model.encode_image(images, normalize=True))


def test_images_are_seen_as_the_description_says(opaque):
    name, _, backbone = opaque
    seen, said = backbone.architecture, get_pretrained_cfg(name, open_clip.list_pretrained_tags_by_model(name)[0])
    assert (seen.kind, seen.takes_visual_prompts) == ("opaque", False)
    assert (seen.mean, seen.std) == (said["mean"], said["std"])
    assert seen.fitting == {"shortest": "crop", "squash": "squash"}[said["resize_mode"]]
    assert seen.interpolation == backbone.vision.interpolation == said["interpolation"]
    with pytest.raises(UserError, match="takes no visual prompts"):
        backbone.vision.embed(torch.zeros(1, 3, seen.image_size, seen.image_size))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(open_clip model, folder) of the cheapest of them."""
    folder, model = tmp_path_factory.mktemp("exported"), small_towers.random("EVA02-B-16")
    small_towers.publish("EVA02-B-16", model, folder)
    export.export(f"local-dir:{folder}", "", folder / "out")
    return model, folder


def test_a_tower_that_answers_otherwise_than_when_it_was_exported_is_told(exported, tmp_path):
    shutil.copytree(exported[1] / "out", tmp_path / "out")
    known = json.loads((tmp_path / "out" / "known_answer.json").read_text())
    assert len(known["features"]) == 24 and "timm" in known["made_by"]
    (tmp_path / "out" / "known_answer.json").write_text(json.dumps({"made_by": "timm 0.1", "features": [0.0, *known["features"][1:]]}))
    backbone = load(tmp_path / "out")
    backbone.class_features(("cat", "dog"), ("{}",))  # sentences are not concerned
    with pytest.raises(UserError, match=r"was exported with timm 0\.1; open_clip .* make other features"):
        backbone.vision.encode(torch.zeros(1, 3, 224, 224))


def test_weights_that_the_installed_libraries_have_no_place_for_are_told(exported, tmp_path):
    shutil.copytree(exported[1] / "out", tmp_path / "out")
    weights = load_file(tmp_path / "out" / "backbone.safetensors")
    weights.pop("visual.trunk.blocks.0.norm1.weight")
    save_file(weights, tmp_path / "out" / "backbone.safetensors")
    with pytest.raises(UserError, match="installed open_clip and timm build otherwise"):
        load(tmp_path / "out").vision.encode(torch.zeros(1, 3, 224, 224))


def test_weights_of_another_tower_and_damaged_ones_are_refused(exported, tmp_path):
    weights = exported[0].state_dict()
    weights.pop("visual.trunk.cls_token")
    weights["visual.trunk.pos_embed"] = weights["visual.trunk.pos_embed"][:, :9].clone()
    (tmp_path / "open_clip_config.json").write_text((exported[1] / "open_clip_config.json").read_text())
    save_file(weights, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(UserError, match=r"visual\.trunk\.pos_embed is 1x9x48 and not 1x197x48, visual\.trunk\.cls_token is missing"):
        export.export(f"local-dir:{tmp_path}", "", tmp_path / "out")


@pytest.mark.parametrize("prefix", ["text.", ""])
def test_text_weights_are_taken_with_and_without_their_prefix(exported, tmp_path, prefix):
    model, folder = exported
    names = {name: name if name.startswith(("visual.", "logit")) else prefix + name.removeprefix("text.") for name in model.state_dict()}
    save_file({names[name]: value for name, value in model.state_dict().items()}, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    export.export(f"local-dir:{tmp_path}", "", tmp_path / "out")
    wanted = json.loads((folder / "out" / "sha256.json").read_text())["backbone.safetensors"]
    assert json.loads((tmp_path / "out" / "sha256.json").read_text())["backbone.safetensors"] == wanted


def test_text_prompts_are_tuned_on_features_of_open_clips_tower(exported, tmp_path, monkeypatch):
    model, folder = exported
    backbone = load(folder / "out")

    def text(names, context):
        rows = sentences(backbone.tokenizer, list(names), 4, "end")
        return naive_text(model, torch.tensor([row + [0] * (77 - len(row)) for row in rows]), context[None])

    assert_tuned_and_applied(model, backbone, text, write_task(tmp_path), "coop", monkeypatch)

"""What a name stands for is known without torch, and agrees with what open_clip builds."""

import os
import subprocess
import sys

import open_clip
import pytest
import torch
from open_clip.pretrained import get_pretrained_cfg

from promptatlas.backbone import checkpoints, from_description, kinds, model, origin, parts, published, timm_clip
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.base.errors import UserError
from tiers import mostly_slow
from twins import unfilled


@pytest.mark.imports
def test_all_models_of_open_clip_are_judged_without_importing_torch():
    code = (
        "import sys; from promptatlas.backbone import kinds, origin, preprocessing\n"
        "kinds_ = [kinds.kind(name) for name in kinds.names()]; tags = [origin.tags(name) for name in kinds.names()]\n"
        "assert {'vit', 'clipa', 'resnet', 'siglip', 'opaque', 'unsupported'} == set(kinds_)\n"
        "served = [name for name in kinds.names() if kinds.kind(name) != 'unsupported']\n"
        "assert all(preprocessing.chosen(name, tag).resize for name in served for tag in origin.tags(name))\n"
        "sys.exit(bool({'torch', 'open_clip'} & set(sys.modules)))"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}).returncode == 0


def test_names_tags_and_what_is_said_of_them_are_open_clips_own():
    assert set(kinds.names()) == set(open_clip.list_models())
    ours = {(name, tag) for name in kinds.names() for tag in origin.tags(name)}
    assert ours == set(open_clip.list_pretrained())
    for name, tag in ours:
        assert published.entry(name, tag) == get_pretrained_cfg(name, tag), (name, tag)


SUPPORTED = [name for name in kinds.names() if kinds.kind(name) not in ("opaque", "unsupported")]
# The last but one has an MLP of its own, the last a tower in timm's form.
QUICK = ("RN50", "RN50x4-quickgelu", "ViT-B-16", "ViT-L-14-336", "ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP2", "MobileCLIP2-L-14")


@pytest.mark.parametrize("name", mostly_slow(SUPPORTED, QUICK))
def test_every_supported_model_has_exactly_open_clips_weights(name):
    """Names and shapes, without memory for them, also of those with MLP or head widths of their own."""
    config = kinds.config(name)
    architecture = from_description.architecture(name, "", config, Preprocessing((0.5,) * 3, (0.5,) * 3))
    family = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    with torch.device("meta"):
        theirs = unfilled(family, **config).state_dict()
    held = checkpoints.used(theirs)
    if architecture.vision_bias:
        held = timm_clip.renamed(checkpoints.Checkpoint(held, False).flat().weights)
    counted = {key: tuple(value.shape) for key, value in held.items()}
    assert model.shapes(architecture, config["text_cfg"]["vocab_size"]) == counted
    assert kinds.image_size(name) == config["vision_cfg"]["image_size"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("roberta-ViT-B-32", "text tower is 'roberta-base'"),
        ("nllb-clip-base-siglip", "text tower is 'facebook/nllb-200-distilled-600M'"),
    ],
)
def test_other_models_are_refused_with_the_reason_and_a_remedy(name, reason):
    assert kinds.kind(name) == "unsupported" and reason in kinds.sentence(name)
    with pytest.raises(UserError, match="`promptatlas models` lists those that are, such as 'ViT-B-16'"):
        origin.origin(name, "openai")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ({"hf_tokenizer_name": "bert-base-uncased"}, "another tokenizer (bert-base-uncased)"),
        ({"vocab_size": 32000}, "its vocabulary of 32000 tokens is not CLIP's"),
        ({"ls_init_value": 0.1}, "none of those known here (ls_init_value)"),
        ({"no_causal_mask": True, "pool_type": "first"}, "none of those known here (pool_type)"),
    ],
)
def test_a_text_tower_of_which_a_part_is_unknown_is_refused(text, reason):
    found = parts.parts({"embed_dim": 8, "vision_cfg": {}, "text_cfg": text})
    assert reason in found.refused and not found.image


@pytest.mark.parametrize(
    ("vision", "image"),
    [
        ({}, "vit"),
        ({"ls_init_value": 0.1}, "opaque"),
        ({"layers": [1, 1, 1, 1]}, "resnet"),
        ({"timm_model_name": "convnext_base"}, "opaque"),
    ],
)
def test_an_image_tower_of_which_a_part_is_unknown_is_open_clips(vision, image):
    found = parts.parts({"embed_dim": 8, "vision_cfg": vision, "text_cfg": {}})
    assert (found.image, bool(found.closed), found.refused) == (image, image != "vit", "")


def test_the_embedded_model_and_supported_ones_need_no_excuse():
    assert (kinds.kind("mini"), kinds.image_size("mini"), kinds.sentence("mini")) == ("vit", 32, "")
    assert kinds.kind("RN50") == "resnet" and kinds.sentence("RN50") == "" and kinds.image_size("ViT-L-14-336") == 336


def test_the_files_that_a_backbone_is_made_from_are_known(tmp_path):
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).write_text("{}")
    found = origin.origin("ViT-B-16", str(tmp_path))
    assert found.files == [tmp_path / "open_clip_model.safetensors", tmp_path / "open_clip_config.json"]
    assert origin.origin("ViT-B-16", "openai").files == [] and origin.origin("ViT-B-16", "OpenAI").tag == "openai"

"""CLIP's vision transformer in timm's form, MobileCLIP2-L-14's: images and visual prompts against open_clip's own tower, at random
weights."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from promptatlas.backbone import export, kinds, load, parts
from promptatlas.base.errors import UserError
from promptatlas.methods import settings
from promptatlas.training.learners import BatchedLearners
from twins import fill, unfilled

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
CONFIG = kinds.config("MobileCLIP2-L-14")


def described(**vision) -> dict:
    """MobileCLIP2-L-14 with other entries of its image tower."""
    config = deepcopy(CONFIG)
    config["vision_cfg"] |= vision
    return config


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(open_clip model, our Backbone) of a base in place of the large tower and a text tower of two narrow layers, from a folder as the
    hub holds it."""
    folder, config = tmp_path_factory.mktemp("timm"), described(timm_model_name="vit_base_patch32_clip_224")
    config["text_cfg"] |= {"width": 32, "heads": 2, "layers": 2}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    own = {key: value for key, value in config.items() if key != "custom_text"}
    model = unfilled(open_clip.CustomTextCLIP, **own).eval().requires_grad_(False)
    fill(model)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    export.export(f"local-dir:{folder}", "", folder / "out")
    return model, load(folder / "out")


def naive(visual, images, prompts):
    """(B, D) through timm's own blocks; prompts (depth, n, d) stand behind the tokens and are replaced layer by layer."""
    trunk = visual.trunk
    x = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
    own = x.shape[1]
    for layer, block in enumerate(trunk.blocks):
        if layer < len(prompts):
            x = torch.cat([x[:, :own], prompts[layer].expand(len(x), -1, -1)], dim=1)
        x = block(x)
    return trunk.head(trunk.norm(x)[:, 0])


def test_images_equal_open_clip(both):
    model, backbone = both
    images = torch.randn(3, 3, 224, 224)
    ours = backbone.vision.encode(images)
    assert backbone.architecture.takes_visual_prompts and ours.std(0).mean() > 1e-3
    torch.testing.assert_close(ours, model.encode_image(images, normalize=True), **CLOSE)


@pytest.mark.parametrize("depth", [1, 12])
def test_visual_prompts_equal_the_naive_splice_in_value_and_gradient(both, depth):
    model, backbone = both
    images, prompts = torch.randn(2, 3, 224, 224), (torch.randn(2, depth, 4, 768) * 0.3).requires_grad_()
    ours = F.normalize(backbone.vision(backbone.vision.embed(images).unsqueeze(0), prompts), dim=-1)
    reference = F.normalize(torch.stack([naive(model.visual, images, own) for own in prompts]), dim=-1)
    torch.testing.assert_close(naive(model.visual, images, prompts[0, :0]), model.visual(images), **CLOSE)
    torch.testing.assert_close(ours, reference, **CLOSE)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), prompts)
    (expected,) = torch.autograd.grad((reference * weights).sum(), prompts)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(gradient, expected, atol=1e-5 * expected.abs().max().item(), rtol=1e-4)


def test_another_size_is_told_by_its_description_and_by_its_weights(both, tmp_path):
    weights = Path(both[1].architecture.name.removeprefix("local-dir:")) / "open_clip_model.safetensors"
    with pytest.raises(UserError, match=r"describes another model than 'MobileCLIP2-L-14' \(patch_size is 32 and not 14"):
        export.export("MobileCLIP2-L-14", str(weights), tmp_path / "out")
    (tmp_path / weights.name).symlink_to(weights)
    with pytest.raises(UserError, match=r"does not hold the weights of 'MobileCLIP2-L-14': .* is .* and not "):
        export.export("MobileCLIP2-L-14", str(tmp_path / weights.name), tmp_path / "out")


@pytest.mark.parametrize(
    ("vision", "quick_gelu"),
    [
        ({"timm_model_name": "vit_large_patch14_clip_quickgelu_224"}, False),
        ({"timm_model_name": "vit_large_patch14_224"}, False),
        ({"timm_pool": "avg"}, False),
        ({"timm_proj": "linear"}, False),
        ({"image_size": 336}, False),
        ({"patch_dropout": 0.5}, False),
        ({}, True),
    ],
    ids=str,
)
def test_what_is_described_otherwise_stays_open_clips(vision, quick_gelu):
    assert parts.parts(CONFIG).image == "vit"
    assert parts.parts(described(**vision) | {"quick_gelu": quick_gelu}).image == "opaque"


def test_a_folder_that_was_exported_as_another_tower_says_so(both):
    before = replace(both[1].architecture, kind="opaque", vision_width=0, vision_layers=0, vision_heads=0, patch_size=0)
    with pytest.raises(UserError, match="takes no visual prompts as it was exported; delete the folder"):
        BatchedLearners("vpt", settings("vpt"), before, [1])

"""CLIP's modified ResNets against open_clip's encoder, batch norms included."""

import numpy as np
import open_clip
import pytest
import torch

from naive_towers import naive_text
from promptatlas.backbone import export, from_description, load
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.text import plain_sentences
from promptatlas.base.errors import UserError
from small_tasks import write_task
from text_methods import assert_tuned_and_applied
from tiers import mostly_slow
from twins import TINY, fill, large, twin, unfilled

SMALL = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 64, "layers": [2, 1, 3, 1], "width": 8, "patch_size": None},
    "text_cfg": TINY["text_cfg"],
}
tokenize = open_clip.get_tokenizer("RN50")


def met_images(model):
    """Batch norms that have met images: no mean is 0, no spread 1, and no block is switched off."""
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif value.is_floating_point() and value.dim() == 1:
                value.add_(torch.randn_like(value) * 0.3)
    model.eval().requires_grad_(False)


def described(config):
    return from_description.architecture("RN50", "", config, Preprocessing((0.48, 0.45, 0.40), (0.26, 0.26, 0.27)))


def resnet_twin(config, folder):
    """As `twin`, with batch norms that have met images."""
    torch.manual_seed(0)
    model = export.open_clip_model(config)
    met_images(model)
    export.write(described(config), model.state_dict(), folder)
    return model, load(folder)


def assert_same_images(model, backbone, images):
    torch.testing.assert_close(backbone.vision(images), model.encode_image(images), atol=1e-5, rtol=1e-5)
    unit = model.encode_image(images, normalize=True)
    torch.testing.assert_close(backbone.vision.encode(images), unit, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return resnet_twin(SMALL, tmp_path_factory.mktemp("resnet"))


def test_images_equal_open_clip(small):
    assert_same_images(*small, torch.randn(3, 3, 64, 64))


def test_sentences_equal_open_clip(small):
    model, backbone = small
    texts = ["a photo of a cat.", "a satellite photo of annual crop land."]
    layout = backbone.text.layout(plain_sentences(backbone.tokenizer, texts))
    torch.testing.assert_close(backbone.text(layout)[0], model.encode_text(tokenize(texts)), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pixels"), [("RN50", 224), ("RN50x4", 160)])
def test_published_sizes_equal_open_clip(name, pixels, tmp_path, monkeypatch):
    """Of full depth and width; the larger sees a smaller image."""
    config = open_clip.get_model_config(name)
    config["vision_cfg"] |= {"image_size": pixels}
    config["text_cfg"] |= {"layers": 1}
    model = unfilled(export.open_clip_model, config)
    fill(model, spread=1.0)
    met_images(model)
    backbone = large(model, described(config), tmp_path, monkeypatch)
    images = torch.randn(2, 3, pixels, pixels)
    assert_same_images(model, backbone, images)
    assert (model.encode_image(images[:1]) - model.encode_image(images[1:])).abs().max() > 1e-3  # the images matter


def test_one_image_alone_gives_what_it_gives_among_others(small):
    images = torch.randn(4, 3, 64, 64)
    alone = torch.cat([small[1].vision.encode(image[None]) for image in images])
    torch.testing.assert_close(small[1].vision.encode(images), alone, atol=1e-5, rtol=1e-5)


def test_images_from_disk_are_resized_and_normalised_as_for_any_tower(small, tmp_path):
    vision, other = small[1].vision, twin(TINY, tmp_path)[1].vision
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    expected = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - vision.mean) / vision.std
    torch.testing.assert_close(vision.read(images), expected)
    assert other.read(images).shape == (2, 3, 32, 32)


def test_visual_prompts_are_refused_with_the_remedy(small):
    with pytest.raises(UserError, match="'RN50' takes no visual prompts; choose text-only methods such as coop"):
        small[1].vision.embed(torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("method", mostly_slow(["coop", "cocoop"], ["coop"]))
def test_text_prompts_are_tuned_and_applied(small, tmp_path, monkeypatch, method):
    model, backbone = small
    text = lambda names, context: naive_text(model, names, context[None], "end")  # noqa: E731
    assert_tuned_and_applied(model, backbone, text, write_task(tmp_path), method, monkeypatch)

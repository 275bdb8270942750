"""Image towers of any kind: the text tower is ours and answers as open_clip's, images are open_clip's own."""

import pytest
import torch
from open_clip import get_tokenizer

import small_towers
from naive_towers import NAMES
from promptatlas.backbone import export, load
from promptatlas.backbone.text import plain_sentences
from promptatlas.base.errors import UserError

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
TEXTS = [f"a photo of a {name}." for name in NAMES]


@pytest.fixture(scope="module", params=small_towers.SMALL, ids=str)
def opaque(request, tmp_path_factory):
    """(open_clip model, our Backbone) through a local folder as the hub holds it."""
    folder, model = tmp_path_factory.mktemp("opaque"), small_towers.random(request.param)
    small_towers.publish(request.param, model, folder)
    export.export(f"local-dir:{folder}", "", folder / "out")
    return model, load(folder / "out")


def test_sentences_equal_open_clip(opaque):
    model, backbone = opaque
    length = backbone.architecture.context_length
    ids = get_tokenizer("ViT-B-32", context_length=length)(TEXTS)
    ours = backbone.text(backbone.text.layout(plain_sentences(backbone.tokenizer, TEXTS)))[0]
    assert ours.std(dim=0).mean() > 0.01  # the sentences differ, or the comparison would show little
    torch.testing.assert_close(ours, model.encode_text(ids), **CLOSE)


def test_images_are_open_clips_own(opaque):
    model, backbone = opaque
    size = backbone.architecture.image_size
    images = torch.randn(2, 3, size, size)
    assert backbone.vision.built is None  # nothing that reads sentences alone needs it
    ours = backbone.vision.encode(images)
    assert (ours[0] - ours[1]).abs().max() > 1e-3
    assert torch.equal(ours, model.encode_image(images, normalize=True))


def test_images_are_seen_as_the_description_says(opaque):
    _, backbone = opaque
    seen, squash = backbone.architecture, backbone.architecture.image_tower["timm_pool"] == "map"  # PE
    assert (seen.kind, seen.fitting, seen.takes_visual_prompts) == ("opaque", "squash" if squash else "crop", False)
    bilinear = squash or "mci" in seen.image_tower["timm_model_name"] or "mobileclip" in seen.image_tower["timm_model_name"]
    assert seen.interpolation == backbone.vision.interpolation == ("bilinear" if bilinear else "bicubic")
    with pytest.raises(UserError, match="takes no visual prompts"):
        backbone.vision.embed(torch.zeros(1, 3, seen.image_size, seen.image_size))

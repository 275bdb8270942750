"""Image towers of any kind: the text tower is ours and answers as open_clip's, images are open_clip's own."""

import open_clip
import pytest
import torch
from open_clip import get_tokenizer
from open_clip.pretrained import get_pretrained_cfg

import small_towers
from naive_towers import NAMES
from promptatlas.backbone import export, load
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.base.errors import UserError

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

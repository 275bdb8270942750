"""Both towers against open_clip's encoders, with prompts spliced in by hand where open_clip has none."""

import warnings

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from doubled import doubled
from naive_towers import NAMES, naive_text, naive_vision, tokenize
from promptatlas.backbone import export, from_description
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.base.errors import UserError
from twins import SEEN, fill, large, unfilled


def assert_close(ours, reference, tolerance=1e-5):
    torch.testing.assert_close(ours, reference, atol=tolerance, rtol=tolerance)


def test_plain_sentences_equal_open_clip(tiny):
    model, backbone = tiny
    texts = [f"a photo of a {name}." for name in NAMES]
    assert_close(backbone.text(backbone.text.layout(plain_sentences(backbone.tokenizer, texts)))[0], model.encode_text(tokenize(texts)))


def test_plain_images_equal_open_clip(tiny):
    model, backbone = tiny
    images = torch.randn(5, 3, 32, 32)
    assert_close(backbone.vision(backbone.vision.embed(images).unsqueeze(0))[0], model.encode_image(images))


def test_class_features_are_the_unit_mean_over_templates_of_unit_features(tiny):
    model, backbone = doubled(tiny)
    templates = ("a photo of a {}.", "{}", "an origami of many a {}, seen by night")
    raw = torch.stack([model.encode_text(tokenize([t.replace("{}", name.replace("_", " ")) for name in NAMES])) for t in templates])
    expected = raw / (raw**2).sum(-1, keepdim=True).sqrt()
    expected = expected.sum(0) / (expected.sum(0) ** 2).sum(-1, keepdim=True).sqrt()
    torch.testing.assert_close(backbone.class_features(tuple(NAMES), templates), expected, atol=1e-12, rtol=1e-12)
    assert (F.normalize(raw.mean(0), dim=-1) - expected).abs().max() > 1e-3  # features of other lengths weigh differently


SIZES = [("ViT-B-16", True, 224), ("ViT-B-32", False, 224), ("ViT-L-14", True, 98)]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "-".join(map(str, size)))
def test_published_sizes_equal_open_clip(size, tmp_path, monkeypatch):
    """Of full depth and width; the largest sees a smaller image."""
    name, quick, pixels = size
    config = open_clip.get_model_config(name) | {"quick_gelu": quick}
    config["vision_cfg"] = config["vision_cfg"] | {"image_size": pixels}
    model = unfilled(export.open_clip_model, config).eval().requires_grad_(False)
    fill(model)
    backbone = large(model, from_description.architecture(name, "", config, SEEN), tmp_path, monkeypatch)
    texts = ["a photo of a cat.", "a satellite photo of annual crop land."]
    layout = backbone.text.layout(plain_sentences(backbone.tokenizer, texts))
    ours = backbone.text(layout)[0]
    assert_close(ours, model.encode_text(tokenize(texts)))
    assert ours.std(dim=0).mean() > 0.01  # the sentences differ, or the comparison would show little
    images = torch.randn(1, 3, pixels, pixels)
    assert_close(backbone.vision(backbone.vision.embed(images).unsqueeze(0))[0], model.encode_image(images))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("position", ["end", "middle", "front"])
def test_context_prompts_equal_the_naive_splice_in_value_and_gradient(tiny, position, depth):
    model, backbone = tiny
    context = (torch.randn(2, depth, 5, 64) * 0.3).requires_grad_()
    layout = backbone.text.layout(sentences(backbone.tokenizer, NAMES, 5, position))
    ours = backbone.text(layout, context)
    reference = torch.stack([naive_text(model, NAMES, own, position) for own in context])
    assert_close(ours, reference)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), context)
    (expected,) = torch.autograd.grad((reference * weights).sum(), context)
    assert_close(gradient, expected, 1e-4)


@pytest.mark.parametrize("depth", [1, 3], ids=["shallow", "deep"])
def test_sentences_with_owners_equal_each_sentence_after_its_own_prompt(tiny, depth):
    model, backbone = tiny
    context = (torch.randn(2, depth, 5, 64) * 0.3).requires_grad_()
    owner = torch.arange(len(NAMES)) % 2
    ours = backbone.text(backbone.text.layout(sentences(backbone.tokenizer, NAMES, 5, "end")), context, owner)[0]
    reference = torch.cat([naive_text(model, [name], context[k], "end") for name, k in zip(NAMES, owner.tolist(), strict=True)])
    assert_close(ours, reference)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), context)
    (expected,) = torch.autograd.grad((reference * weights).sum(), context)
    assert_close(gradient, expected, 1e-4)


def test_sentences_with_owners_have_their_context_before_the_names(tiny):
    _, backbone = tiny
    layout = backbone.text.layout(sentences(backbone.tokenizer, NAMES, 4, "middle"))
    with pytest.raises(ValueError, match="before the names"):
        backbone.text(layout, torch.randn(2, 1, 4, 64), torch.arange(len(NAMES)) % 2)


@pytest.mark.parametrize("depth", [1, 2, 3], ids=["shallow", "half", "deep"])
def test_visual_prompts_equal_the_naive_insertion_in_value_and_gradient(tiny, depth):
    model, backbone = tiny
    images = torch.randn(4, 3, 32, 32)
    prompts = (torch.randn(2, depth, 6, 96) * 0.3).requires_grad_()
    ours = backbone.vision(backbone.vision.embed(images).unsqueeze(0), prompts)
    reference = torch.stack([naive_vision(model, images, own) for own in prompts])
    assert_close(ours, reference)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), prompts)
    (expected,) = torch.autograd.grad((reference * weights).sum(), prompts)
    assert_close(gradient, expected, 1e-4)


def test_context_equal_to_the_embedded_words_gives_the_plain_sentence(tiny):
    model, backbone = tiny
    words = backbone.text.token_embedding(torch.tensor(backbone.tokenizer.encode("a photo of a")))
    layout = backbone.text.layout(sentences(backbone.tokenizer, NAMES, 4, "end"))
    texts = [f"a photo of a {name.replace('_', ' ')}." for name in NAMES]
    assert_close(backbone.text(layout, words[None, None])[0], model.encode_text(tokenize(texts)))


def test_one_class_alone_gives_what_it_gives_among_others(tiny):
    _, backbone = tiny
    context = torch.randn(1, 1, 4, 64)
    together = backbone.text(backbone.text.layout(sentences(backbone.tokenizer, NAMES, 4, "middle")), context)
    for i, name in enumerate(NAMES):
        alone = backbone.text(backbone.text.layout(sentences(backbone.tokenizer, [name], 4, "middle")), context)
        assert_close(alone[:, 0], together[:, i])


def test_each_prompt_may_see_its_own_images(tiny):
    _, backbone = tiny
    images, prompts = torch.randn(2, 4, 3, 32, 32), torch.randn(2, 3, 2, 96)
    tokens = backbone.vision.embed(images.flatten(0, 1)).unflatten(0, (2, 4))
    together = backbone.vision(tokens, prompts)
    for k in range(2):
        assert_close(backbone.vision(tokens[k : k + 1], prompts[k : k + 1])[0], together[k])


def test_a_name_longer_than_the_text_tower_reads_is_refused(tiny):
    _, backbone = tiny
    with pytest.raises(UserError, match="shorten the name or the prompt"):
        backbone.text.layout(sentences(backbone.tokenizer, ["very " * 70], 16, "end"))


@pytest.mark.parametrize("text", [*NAMES, "Québec's &amp; 北京 2nd", "  spaced\tout ", "ﬁne—dash", "don't", "UPPER"])
def test_the_tokenizer_gives_open_clips_ids(tiny, text):
    assert tiny[1].tokenizer.encode(text) == tokenize.encode(text)


def test_images_of_the_models_size_are_copied_from_a_file_and_from_nowhere_else(tiny_backbone, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for given, copied in ((images, False), (mapped[np.array([0, 2])], False), (mapped[:2], True), (mapped, True)):
        with warnings.catch_warnings(action="error"):  # torch warns of what must not be written to
            values = tiny_backbone.vision.fitted(given)
        assert np.array_equal(values.numpy(), given)
        assert (values.data_ptr() != given.ctypes.data) == copied


def test_images_of_another_size_are_resized_as_an_image_library_does(tiny):
    from PIL import Image

    _, backbone = tiny
    originals = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    smooth = np.array([Image.fromarray(one).resize((96, 96), Image.BICUBIC) for one in originals])
    for images in (originals, smooth):
        expected = np.array([Image.fromarray(one).resize((32, 32), Image.BICUBIC) for one in images])
        ours = backbone.vision.resized(images).numpy()
        assert ours.shape == (3, 32, 32, 3) and np.abs(ours.astype(int) - expected).max() <= 1

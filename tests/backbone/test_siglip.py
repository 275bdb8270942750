"""SigLIP's towers against open_clip's encoders, and its tokenizer against the library that its publishers use."""

import copy
import json
from dataclasses import replace

import open_clip
import pytest
import timm
import torch
from open_clip.tokenizer import get_clean_fn
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from tokenizers import Tokenizer as Rust, models, normalizers, pre_tokenizers, processors

from doubled import copied
from operators import Operators
from promptatlas.backbone import export, from_description, load, owners, publishers, whole_text
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.hub import Repository
from promptatlas.backbone.owners import EACH
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.prompts import Prompts
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.backbone.tokenizer import SiglipTokenizer
from promptatlas.base.errors import UserError
from small_tasks import write_task
from text_methods import assert_tuned_and_applied
from tiers import mostly_slow
from twins import fill, large, unfilled

NAMES = ["cat", "red_panda", "a dog, wet!", "x-ray"]
LENGTH, PAD, END = 20, 0, 1


@timm.models.register_model
def tiny_siglip_32(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **settings):
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "mlp_ratio": 3.3}
    return VisionTransformer(**shape, class_token=False, **settings)


@timm.models.register_model
def tiny_siglip_tanh_32(**settings):
    return tiny_siglip_32(**settings, act_layer="gelu_tanh")


FIRST = {
    "embed_dim": 48,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 32, "timm_model_name": "tiny_siglip_32", "timm_model_pretrained": False, "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": LENGTH, "vocab_size": 300, "hf_tokenizer_name": "nobody/none", "width": 32, "heads": 2,
        "layers": 3, "tokenizer_kwargs": {"clean": "canonicalize"}, "mlp_ratio": 3.7362, "no_causal_mask": True,
        "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
    },
}  # fmt: skip
SECOND = FIRST | {
    "vision_cfg": FIRST["vision_cfg"] | {"timm_model_name": "tiny_siglip_tanh_32"},
    "text_cfg": FIRST["text_cfg"] | {"act_kwargs": {"approximate": "tanh"}},
}
I18N = FIRST | {
    "embed_dim": 48,
    "text_cfg": {k: v for k, v in FIRST["text_cfg"].items() if k != "proj_bias"} | {"proj_type": "none", "width": 48},
}


def publishers_tokenizer() -> Rust:
    """Letters and some words, as sentence pieces with an end token, in the form of SigLIP's `tokenizer.json`."""
    words = ["▁a", "▁photo", "▁of", "▁cat", "▁red", "▁panda", "▁dog", "▁x", "ray", "▁"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((w, -2.0) for w in words)]
    pieces += [(letter, -6.0) for letter in "abcdefghijklmnopqrstuvwxyzé0123456789"]
    rust = Rust(models.Unigram(pieces, unk_id=2))
    rust.normalizer = normalizers.NFKC()
    rust.pre_tokenizer = pre_tokenizers.Metaspace()
    rust.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", END)])
    rust.add_special_tokens(["<pad>", "</s>", "<unk>"])
    return rust


def reference_ids(texts: list[str]) -> torch.Tensor:
    """What `HFTokenizer` does with a fast tokenizer: clean, cut, add the end, pad to full length."""
    rust = publishers_tokenizer()
    rust.enable_truncation(LENGTH)
    rust.enable_padding(pad_id=PAD, pad_token="<pad>", length=LENGTH)
    cleaned = [get_clean_fn("canonicalize")(text) for text in texts]
    return torch.tensor([encoding.ids for encoding in rust.encode_batch(cleaned)])


@pytest.fixture(scope="module", params=[FIRST, SECOND, I18N], ids=["siglip", "siglip2", "i18n"])
def siglip(request, tmp_path_factory):
    """(open_clip model, our Backbone) through a local folder as the hub holds it."""
    torch.manual_seed(0)
    config, folder = request.param, tmp_path_factory.mktemp("siglip")
    model = open_clip.CustomTextCLIP(**{k: v for k, v in config.items() if k != "custom_text"}).eval()
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 0:
                value.add_(torch.randn_like(value) * 0.05)
    model.requires_grad_(False)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    publishers_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))
    export.export(f"local-dir:{folder}", "", folder / "out")
    return model, load(folder / "out")


def assert_close(ours, reference, tolerance=1e-5):
    assert ours.std() > 0.01
    torch.testing.assert_close(ours, reference, atol=tolerance, rtol=tolerance)


def naive_text(model, ids, context):
    """(C, D) through open_clip's own blocks, with the context (depth, n, d) put over the first n places."""
    tower, (depth, n, _) = model.text, context.shape
    x = tower.token_embedding(ids)
    x = torch.cat([context[0].expand(len(ids), -1, -1), x[:, n:]], dim=1) + tower.positional_embedding
    for layer, block in enumerate(tower.transformer.resblocks):
        if 0 < layer < depth:
            x = torch.cat([context[layer].expand(len(ids), -1, -1), x[:, n:]], dim=1)
        x = block(x)
    x = tower.ln_final(x)[:, -1]
    return x if tower.text_projection is None else tower.text_projection(x)


def test_images_equal_open_clip(siglip):
    model, backbone = siglip
    images = torch.randn(5, 3, 32, 32)
    assert_close(backbone.vision(images), model.encode_image(images))
    assert_close(backbone.vision.encode(images), model.encode_image(images, normalize=True))


def test_sentences_equal_open_clip(siglip):
    model, backbone = siglip
    texts = [f"A photo of a {name}." for name in NAMES]
    rows = plain_sentences(backbone.tokenizer, texts)
    assert torch.equal(torch.tensor(rows), reference_ids(texts))
    assert_close(backbone.text(backbone.text.layout(rows))[0], model.encode_text(reference_ids(texts)))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_context_prompts_equal_the_naive_splice_in_value_and_gradient(siglip, depth):
    model, backbone = siglip
    context = (torch.randn(2, depth, 4, model.text.width) * 0.3).requires_grad_()
    layout = backbone.text.layout(sentences(backbone.tokenizer, NAMES, 4, "end"))
    ids = torch.cat([torch.zeros(len(NAMES), 4, dtype=torch.long), reference_ids(NAMES)[:, : LENGTH - 4]], dim=1)
    ours, reference = backbone.text(layout, context), torch.stack([naive_text(model, ids, own) for own in context])
    assert_close(ours, reference)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), context)
    (expected,) = torch.autograd.grad((reference * weights).sum(), context)
    assert_close(gradient, expected, 1e-4)


@pytest.mark.parametrize("position", ["end", "middle"])
def test_an_accelerator_reads_the_same_and_puts_nothing_element_by_element(siglip, monkeypatch, position):
    backbone, count = replace(siglip[1], text=copied(siglip[1].text)), len(NAMES)
    rows = sentences(backbone.tokenizer, NAMES, 4, position)
    context = torch.randn(count, 2, 4, backbone.architecture.text_width, dtype=torch.float64) * 0.3
    given = [(context[:3], None), (context[:2], torch.arange(count) % 2), (context, EACH), (context, torch.arange(count))]

    def read(tower):
        device, found = tower.device, []
        for own, owner in given:
            leaf = own.detach().to(device).requires_grad_()
            features = tower(tower.layout(rows), leaf, owner.to(device) if isinstance(owner, torch.Tensor) else owner)
            features.backward(torch.linspace(-1, 1, features.numel(), device=device).double().view_as(features))
            found.append((features.detach(), leaf.grad))
        return found

    expected = read(backbone.text)
    assert all(map(torch.equal, expected[2], expected[3]))
    for part in (whole_text, owners):
        monkeypatch.setattr(part, "is_accelerator", lambda device: True)
    for own, other in zip(read(backbone.text), expected, strict=True):
        for a, b in zip(own, other, strict=True):
            assert b.norm() > 0 and (a - b).norm() <= 1e-12 * b.norm()
    with Operators() as operators:
        read(copy.deepcopy(backbone.text).to("meta"))
    assert operators.counted["index_copy"] and not any("index_put" in name for name in operators.counted)


def test_sentences_with_owners_equal_each_sentence_after_its_own_prompt(siglip):
    model, backbone = siglip
    context, owner = torch.randn(2, 3, 4, model.text.width) * 0.3, torch.arange(len(NAMES)) % 2
    layout = backbone.text.layout(sentences(backbone.tokenizer, NAMES, 4, "end"))
    ids = torch.cat([torch.zeros(len(NAMES), 4, dtype=torch.long), reference_ids(NAMES)[:, : LENGTH - 4]], dim=1)
    reference = torch.stack([naive_text(model, ids, own) for own in context])
    assert_close(backbone.text(layout, context, owner)[0], reference[owner, torch.arange(len(NAMES))])


@pytest.mark.parametrize("position", ["middle", "front"])
def test_context_equal_to_the_embedded_words_gives_the_plain_sentence(siglip, position):
    """Wherever the name stands: the words around it go in as context vectors, those after it too."""
    model, backbone = siglip
    before, after = {"middle": ("a photo", "of a"), "front": ("", "a photo of a")}[position]
    texts = [f"{before} cat {after}", f"{before} dog {after}"]
    words = backbone.text.token_embedding(torch.tensor(backbone.tokenizer.encode("a photo of a")))
    layout = backbone.text.layout(sentences(backbone.tokenizer, ["cat", "dog"], 4, position))
    assert_close(backbone.text(layout, words[None, None])[0], model.encode_text(reference_ids(texts)))


def test_a_prompted_classifier_ranks_as_open_clip_does(siglip):
    """The bias on SigLIP's logits is the same for all classes and changes no ranking and no softmax."""
    model, backbone = siglip
    images, texts = torch.randn(3, 3, 32, 32), [f"a photo of a {name}." for name in NAMES]
    classifier = PromptedClassifier(backbone, tuple(NAMES), Prompts(template="a photo of a {}."))
    ours = classifier.logits(backbone.vision.encode(images)[None], classifier.class_features(Prompts()))[0]
    theirs, _ = model.get_logits(images, reference_ids(texts))
    torch.testing.assert_close(ours.softmax(-1), theirs.softmax(-1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", mostly_slow(["coop", "cocoop"], ["coop"]))
def test_text_prompts_are_tuned_and_applied(siglip, tmp_path, monkeypatch, method):
    model, backbone = siglip

    def text(names, context):
        ids = torch.cat([torch.zeros(len(names), 4, dtype=torch.long), reference_ids(names)[:, : LENGTH - 4]], dim=1)
        return naive_text(model, ids, context[None])

    assert_tuned_and_applied(model, backbone, text, write_task(tmp_path), method, monkeypatch)


@pytest.mark.parametrize("text", ["Québec's &amp; 2nd", " spaced\tout ", "a_b-dash", "ﬁne: caté?", "UPPER", ""])
def test_the_tokenizer_gives_the_publishers_ids(siglip, text):
    tokenizer = siglip[1].tokenizer
    assert tokenizer.sentence(tokenizer.encode(text)) == reference_ids([text])[0].tolist()


def test_a_name_longer_than_the_text_tower_reads_is_refused(siglip):
    _, backbone = siglip
    with pytest.raises(UserError, match=r"needs 35 tokens .* reads 20: shorten the name or the prompt"):
        backbone.text.layout(sentences(backbone.tokenizer, ["a dog " * 15, "cat"], 4, "end"))


def test_visual_prompts_are_refused(siglip):
    with pytest.raises(UserError, match="takes no visual prompts"):
        siglip[1].vision.embed(torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize("content", ["{", '{"pad_token": "<nothing>"}', "{}"])
def test_a_wrong_tokenizer_is_told_in_one_sentence(content, tmp_path):
    publishers_tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(UserError, match=r"put whole tokenizer\.json and tokenizer_config\.json beside the weights"):
        publishers.tokenizer("siglip", FIRST["text_cfg"], tmp_path)


def test_a_tokenizer_that_is_not_beside_the_weights_is_fetched(tmp_path, monkeypatch):
    hub = tmp_path / "hub"
    hub.mkdir()
    publishers_tokenizer().save(str(hub / "tokenizer.json"))
    (hub / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    asked = []
    monkeypatch.setattr(Repository, "brought", lambda self, names: asked.append(self.name) or hub / names[0])
    tokenizer, _ = publishers.tokenizer("siglip", FIRST["text_cfg"], tmp_path)
    assert tokenizer.sentence(tokenizer.encode("cat")) == reference_ids(["cat"])[0].tolist()
    assert set(asked) == {"nobody/none"}


@pytest.mark.slow
def test_a_published_size_equals_open_clip(tmp_path, monkeypatch):
    config = open_clip.get_model_config("ViT-B-16-SigLIP2")
    config["text_cfg"] |= {"vocab_size": 300}
    model = unfilled(open_clip.CustomTextCLIP, **{k: v for k, v in config.items() if k != "custom_text"})
    fill(model)
    model.eval().requires_grad_(False)
    architecture = from_description.architecture("ViT-B-16-SigLIP2", "", config, Preprocessing((0.5,) * 3, (0.5,) * 3, resize="squash"))
    tokenizer = SiglipTokenizer.padded(publishers_tokenizer(), "<pad>", 64)
    backbone = large(model, architecture, tmp_path, monkeypatch, tokenizer)
    images, ids = torch.randn(1, 3, 224, 224), torch.randint(300, (2, 64))
    assert_close(backbone.vision(images), model.encode_image(images))
    assert_close(backbone.text(backbone.text.layout(ids.tolist()))[0], model.encode_text(ids))

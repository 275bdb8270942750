"""Models with tokenizers of their own, MetaCLIP 2 worldwide and CLIPA, against open_clip's encoders and its way with such tokenizers; their
image towers take visual prompts."""

import gc
import json
import weakref
from copy import deepcopy
from pathlib import Path

import huggingface_hub
import open_clip
import pytest
import torch
from huggingface_hub import constants
from open_clip.tokenizer import get_clean_fn
from safetensors.torch import save_file
from tokenizers import Tokenizer as Rust, models, normalizers, pre_tokenizers, processors

from promptatlas.backbone import export, fingerprint, hub, kinds, load, publishers
from promptatlas.backbone.hub import Repository
from promptatlas.backbone.origin import origin
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.backbone.tokenizer import PublishersTokenizer
from promptatlas.base.errors import UserError
from twins import fill, unfilled

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZé0123456789-,.?!"
NAMES = ["cat", "red_panda", "a dog, wet!", "x-ray"]
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
TEXTS = [f"a photo of a {name}." for name in NAMES]


def xlm() -> Rust:
    """Sentence pieces between <s> and </s>, in the form of `facebook/xlm-v-base`: case is kept."""
    words = ["▁a", "▁photo", "▁of", "▁cat", "▁Cat", "▁red", "▁dog", "ray", "▁"]
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((word, -2.0) for word in words)]
    rust = Rust(models.Unigram([*pieces, *((letter, -6.0) for letter in LETTERS)], unk_id=3))
    rust.normalizer, rust.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    rust.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    rust.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    return rust


def bert() -> Rust:
    """Word pieces between [CLS] (101) and [SEP] (102), in the form of `bert-base-uncased`."""
    words = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += ["a", "photo", "of", "cat", "red", "dog", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    rust = Rust(models.WordPiece({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    rust.normalizer, rust.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)])
    rust.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return rust


# By the name of a model: its tokenizer, the id and name of the padding, and the id that is made padding.
WORDS = {"ViT-H-14-worldwide": (xlm, 1, "<pad>", None), "ViT-L-14-CLIPA": (bert, 0, "[PAD]", 102)}


def reference_ids(name: str, texts: list[str]) -> torch.Tensor:
    """What `HFTokenizer` does with a fast tokenizer: clean, cut, pad to full length, strip the separator."""
    make, pad, token, stripped = WORDS[name]
    rust, length = make(), kinds.config(name)["text_cfg"]["context_length"]
    rust.enable_truncation(length)
    rust.enable_padding(pad_id=pad, pad_token=token, length=length)
    ids = torch.tensor([one.ids for one in rust.encode_batch([get_clean_fn("whitespace")(text) for text in texts])])
    return torch.where(ids == stripped, 0, ids) if stripped else ids


def small(name: str) -> dict:
    """open_clip's description with narrow towers of two layers and few words."""
    config = deepcopy(kinds.config(name))
    config["vision_cfg"] |= {"image_size": 28, "width": 64, "layers": 2, "head_width": 32, "mlp_ratio": 4.0}
    config["text_cfg"] |= {"width": 32, "heads": 2, "layers": 3, "vocab_size": 300}
    return config | {"embed_dim": 24}


@pytest.fixture(scope="module", params=WORDS)
def foreign(request, tmp_path_factory):
    """(name, open_clip model, our Backbone) through a local folder as the hub holds it."""
    name, folder = request.param, tmp_path_factory.mktemp("words")
    model = unfilled(open_clip.CLIP, **small(name))
    fill(model)
    model.eval().requires_grad_(False)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": small(name)}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    WORDS[name][0]().save(str(folder / "tokenizer.json"))
    export.export(f"local-dir:{folder}", "", folder / "out")
    return name, model, load(folder / "out")


def test_sentences_equal_open_clip(foreign):
    name, model, backbone = foreign
    rows, expected = plain_sentences(backbone.tokenizer, TEXTS), reference_ids(name, TEXTS)
    assert all(row == ids[: len(row)].tolist() for row, ids in zip(rows, expected, strict=True))
    ours = backbone.text(backbone.text.layout(rows))[0]
    assert ours.std(dim=0).mean() > 0.01
    torch.testing.assert_close(ours, model.encode_text(expected), **CLOSE)


@pytest.mark.parametrize("text", ["Québec's &amp; 2nd", " spaced\tout ", "a_b-dash", "ﬁne: caté?", "UPPER Cat", ""])
def test_the_tokenizer_gives_the_publishers_ids(foreign, text):
    name, _, backbone = foreign
    row = backbone.tokenizer.sentence(backbone.tokenizer.encode(text))
    pad = WORDS[name][1]
    assert [*row, *[pad] * (backbone.architecture.context_length - len(row))] == reference_ids(name, [text])[0].tolist()


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("position", ["end", "front"])
def test_context_prompts_equal_the_naive_splice_in_value_and_gradient(foreign, depth, position):
    """One full-length row per class through open_clip's own blocks, with the context in its places."""
    name, model, backbone = foreign
    rows = sentences(backbone.tokenizer, NAMES, 4, position)
    ids = torch.full((len(rows), backbone.architecture.context_length), WORDS[name][1])
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    context = (torch.randn(2, depth, 4, 32) * 0.3).requires_grad_()

    def naive(own):
        x = model.token_embedding(ids.clamp(min=0))
        for layer, block in enumerate(model.transformer.resblocks):
            if layer < depth:
                x = torch.where((ids < 0).unsqueeze(-1), own[layer][(-1 - ids).clamp(min=0)], x)
            if layer == 0:
                x = x + model.positional_embedding
            x = block(x, attn_mask=model.attn_mask)
        end = (ids == 2).int().argmax(-1) if model.attn_mask is not None else -1
        return model.ln_final(x)[torch.arange(len(ids)), end] @ model.text_projection

    ours, reference = backbone.text(backbone.text.layout(rows), context), torch.stack([naive(own) for own in context])
    torch.testing.assert_close(ours, reference, **CLOSE)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), context)
    (expected,) = torch.autograd.grad((reference * weights).sum(), context)
    torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)


def naive_images(name, model, images, prompts):
    """(B, D) through open_clip's own blocks; prompts (depth, n, d) stand behind the tokens and are replaced layer by layer."""
    visual, x = model.visual, model.visual._embeds(images)
    own = x.shape[1]
    for layer, block in enumerate(visual.transformer.resblocks):
        if layer < len(prompts):
            x = torch.cat([x[:, :own], prompts[layer].expand(len(x), -1, -1)], dim=1)
        x = block(x)
    pooled = x[:, 1:own].mean(1) if "CLIPA" in name else x[:, 0]
    return visual.ln_post(pooled) @ visual.proj


def test_images_equal_open_clip(foreign):
    _, model, backbone = foreign
    images = torch.randn(3, 3, 28, 28)
    torch.testing.assert_close(backbone.vision.encode(images), model.encode_image(images, normalize=True), **CLOSE)


@pytest.mark.parametrize("depth", [1, 2])
def test_visual_prompts_equal_the_naive_splice_in_value_and_gradient(foreign, depth):
    name, model, backbone = foreign
    images, prompts = torch.randn(3, 3, 28, 28), (torch.randn(2, depth, 4, 64) * 0.3).requires_grad_()
    ours = backbone.vision(backbone.vision.embed(images).unsqueeze(0), prompts)
    reference = torch.stack([naive_images(name, model, images, own) for own in prompts])
    torch.testing.assert_close(ours, reference, **CLOSE)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), prompts)
    (expected,) = torch.autograd.grad((reference * weights).sum(), prompts)
    torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)


def test_a_tokenizer_goes_with_what_it_remembers():
    tokenizer = PublishersTokenizer(xlm())
    assert tokenizer.encode("a cat") is tokenizer.encode("a cat")
    seen = weakref.ref(tokenizer)
    del tokenizer
    gc.collect()
    assert seen() is None


def test_another_tokenizer_beside_the_weights_is_another_model(foreign, tmp_path):
    folder = Path(foreign[2].architecture.name.removeprefix("local-dir:"))
    path = folder / "tokenizer.json"
    assert path in origin(f"local-dir:{folder}", "").files
    found, words = [], path.read_text()
    for held in (words.replace("dog", "owl"), words):
        path.write_text(held)
        export.export(f"local-dir:{folder}", "", tmp_path / "out")
        found.append(fingerprint(tmp_path / "out"))
    assert found[0] != foreign[2].fingerprint == found[1]


def test_a_tokenizer_that_is_nowhere_is_told_in_one_sentence(tmp_path, monkeypatch):
    def nowhere(self, names):
        raise self.away(names, "no network")

    monkeypatch.setattr(Repository, "brought", nowhere)
    with pytest.raises(UserError, match=r"'facebook/xlm-v-base' cannot be read .*; put whole tokenizer\.json beside"):
        publishers.tokenizer("worldwide", kinds.config("ViT-H-14-worldwide")["text_cfg"], tmp_path)


@pytest.mark.parametrize("name", WORDS)
def test_fetching_the_weights_brings_the_tokenizer_and_nothing_where_nothing_may_be_downloaded(name, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda repository, file, **_: asked.append((repository, file)) or tmp_path / file
    )
    monkeypatch.setattr(hub, "unreachable", str)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": small(name)}))
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    with pytest.raises(UserError, match=r"cannot be read \(.*nothing may be downloaded.*\); put whole tokenizer\.json beside the weights"):
        export.fetch(f"local-dir:{tmp_path}", "", download=False)
    assert asked == []
    assert export.fetch(f"local-dir:{tmp_path}", "").read_bytes() == b"weights"
    assert asked == [(small(name)["text_cfg"]["hf_tokenizer_name"], "tokenizer.json")]

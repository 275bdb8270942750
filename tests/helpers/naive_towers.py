"""CLIP's towers written out, through open_clip's own blocks: the text tower with one full-length row per class."""

import open_clip
import torch

NAMES = ["cat", "red_panda", "a very long-winded class name, with 3 commas, ok?", "dog", "x-ray", "car on my right side."]
tokenize = open_clip.get_tokenizer("ViT-B-32")


def naive_text(model, names, context, position):
    """(C, D) for context (depth, n, d): one full-length row per class through open_clip's own blocks."""
    return naive_rows(model, names, context.expand(len(names), *context.shape), position)


def naive_rows(model, names, contexts, position):
    """(C, D) for contexts (C, depth, n, d), one for each name."""
    rows, places, ends = [], [], []
    depth, n = contexts.shape[1:3]
    for name, context in zip(names, contexts, strict=True):
        name = name.replace("_", " ")
        ids = tokenize("X " * n + name + ".")[0]
        length = len(tokenize.encode(name))
        embedded = model.token_embedding(ids)
        before = {"end": n, "middle": n // 2, "front": 0}[position]
        start, words, rest = embedded[:1], embedded[1 + n : 1 + n + length], embedded[1 + n + length :]
        rows.append(torch.cat([start, context[0, :before], words, context[0, before:], rest]) + model.positional_embedding)
        places.append([1 + i for i in range(before)] + [1 + length + i for i in range(before, n)])
        ends.append(ids.argmax())
    x, row = torch.stack(rows), torch.arange(len(rows))
    for layer, block in enumerate(model.transformer.resblocks):
        if 0 < layer < depth:
            x = x.clone()
            x[row[:, None], torch.tensor(places)] = contexts[:, layer]
        x = block(x, attn_mask=model.attn_mask)
    return model.ln_final(x)[row, torch.stack(ends)] @ model.text_projection


def naive_vision(model, images, prompts):
    """(B, D) for prompts (depth, n, d): the tokens stand after the class token and are replaced layer by layer."""
    visual = model.visual
    x = visual._embeds(images)
    depth, n, _ = prompts.shape
    for layer, block in enumerate(visual.transformer.resblocks):
        if layer < depth:
            rest = x[:, 1:] if layer == 0 else x[:, 1 + n :]
            x = torch.cat([x[:, :1], prompts[layer].expand(len(x), -1, -1), rest], dim=1)
        x = block(x)
    return visual.ln_post(x[:, 0]) @ visual.proj

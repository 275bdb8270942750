"""MaPLe's towers written out over open_clip's own blocks, one prompt at a time."""

import torch

from doubled import tokenize


def naive_text(model, names, context):
    """(C, e): V_1 .. V_n in place of the first n words of "a photo of a <name>.", and again in layers 1 .. J - 1."""
    n, features = context.shape[1], []
    for name in names:
        ids = tokenize(f"a photo of a {name.replace('_', ' ')}.")[0]
        x = model.token_embedding(ids)
        x = torch.cat([x[:1], context[0], x[1 + n :]]) + model.positional_embedding
        for layer, block in enumerate(model.transformer.resblocks):
            if 0 < layer < len(context):
                x = torch.cat([x[:1], context[layer], x[1 + n :]])
            x = block(x[None], attn_mask=model.attn_mask)[0]
        features.append(model.ln_final(x)[ids.argmax()] @ model.text_projection)
    return torch.stack(features)


def naive_vision(model, images, prompts):
    """(B, e): the prompts stand last, without a position; the first ones pass ln_pre with the patches."""
    visual, n = model.visual, prompts.shape[1]
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    x = visual.ln_pre(torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1))
    for layer, block in enumerate(visual.transformer.resblocks):
        if 0 < layer < len(prompts):
            x = torch.cat([x[:, :-n], prompts[layer].expand(len(x), -1, -1)], dim=1)
        x = block(x)
    return visual.ln_post(x[:, 0]) @ visual.proj

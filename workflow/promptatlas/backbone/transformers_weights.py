"""Weights of a CLIP or a SigLIP as the transformers library names them, under the names that open_clip gives them. Numbers stay as they
are; queries, keys and values, three matrices there, are one here. What is of no such model keeps its name.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Names = tuple[tuple[str, str], ...]
_BLOCKS: Names = (
    (".layer_norm1.", ".ln_1."), (".layer_norm2.", ".ln_2."), (".self_attn.out_proj.", ".attn.out_proj."),
    (".self_attn.in_proj.", ".attn.in_proj_"), (".mlp.fc1.", ".mlp.c_fc."), (".mlp.fc2.", ".mlp.c_proj."),
)  # fmt: skip
_TEXT: Names = (
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.encoder.layers.", "transformer.resblocks."), ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.head.", "text_projection."), *_BLOCKS,
)  # fmt: skip
_CLIP_IMAGES: Names = (
    ("vision_model.embeddings.class_embedding", "class_embedding"), ("vision_model.embeddings.patch_embedding.", "conv1."),
    ("vision_model.embeddings.position_embedding.weight", "positional_embedding"), ("vision_model.pre_layrnorm.", "ln_pre."),
    ("vision_model.encoder.layers.", "transformer.resblocks."), ("vision_model.post_layernorm.", "ln_post."), *_BLOCKS,
)  # fmt: skip
_SIGLIP_IMAGES: Names = (
    ("vision_model.embeddings.patch_embedding.", "patch_embed.proj."), ("vision_model.embeddings.position_embedding.weight", "pos_embed"),
    ("vision_model.encoder.layers.", "blocks."), ("vision_model.post_layernorm.", "norm."), ("vision_model.head.probe", "attn_pool.latent"),
    ("vision_model.head.attention.in_proj_", "attn_pool."), ("vision_model.head.attention.out_proj.", "attn_pool.proj."),
    ("vision_model.head.layernorm.", "attn_pool.norm."), ("vision_model.head.mlp.", "attn_pool.mlp."),
    (".layer_norm1.", ".norm1."), (".layer_norm2.", ".norm2."), (".self_attn.out_proj.", ".attn.proj."),
    (".self_attn.in_proj.", ".attn.qkv."),
)  # fmt: skip
_PROJECTIONS = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}  # of CLIP, transposed
_PROBE = "vision_model.head.probe"  # which only a SigLIP has


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a state dict by whatever names; those that are open_clip's stay."""
    if not any(name.startswith(("text_model.", "vision_model.")) for name in weights):
        return dict(weights)
    siglip = _PROBE in weights
    found = {}
    for name, value in _joined(weights).items():
        if name.startswith("text_model."):
            found[("text." if siglip else "") + _under(name, _TEXT)] = value
        elif name.startswith("vision_model."):
            found |= _of_siglip(_under(name, _SIGLIP_IMAGES), value) if siglip else {f"visual.{_under(name, _CLIP_IMAGES)}": value}
        elif name in _PROJECTIONS and value.dim() == 2:
            found[_PROJECTIONS[name]] = value.T
        else:
            found[name] = value
    return found


def _under(name: str, names: Names) -> str:
    for theirs, ours in names:
        name = name.replace(theirs, ours)
    return name


def _joined(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each block, queries, keys and values one below the other."""
    found = dict(weights)
    for name in weights:
        three = [name.replace(".self_attn.q_proj.", f".self_attn.{part}_proj.") for part in "qkv"]
        if ".self_attn.q_proj." not in name or any(own not in found or found[own].shape != found[name].shape for own in three):
            continue
        found[name.replace(".q_proj.", ".in_proj.")] = torch.cat([found.pop(own) for own in three])
    return found


def _of_siglip(name: str, value: Tensor) -> dict[str, Tensor]:
    """Of the image tower, in timm's form: places have a dimension for images, the query of the pooling head a matrix of its own."""
    if name == "pos_embed":
        value = value.unsqueeze(0)
    if name in ("attn_pool.weight", "attn_pool.bias"):
        _, kind = name.split(".")
        rows = len(value) // 3
        return {f"visual.trunk.attn_pool.q.{kind}": value[:rows], f"visual.trunk.attn_pool.kv.{kind}": value[rows:]}
    return {f"visual.trunk.{name}": value}

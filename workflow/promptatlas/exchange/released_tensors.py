"""How the authors' releases name what was trained: which method it is, its parameters by our names, and the settings that show in their
shapes. Knows nothing of files and backbones.
"""

from pathlib import Path

import torch
from torch import Tensor

from promptatlas.base.errors import UserError

Named = tuple[str, dict[str, Tensor], dict]


def _coop(held: dict[str, Tensor], path: Path) -> Named:
    ctx = shared(held, "ctx", path)
    return "coop", only({"ctx": "context"}, held, path), {"context": len(ctx)}


def _cocoop(held: dict[str, Tensor], path: Path) -> Named:
    names = {
        "ctx": "context", "meta_net.linear1.weight": "squeeze.weight", "meta_net.linear1.bias": "squeeze.bias",
        "meta_net.linear2.weight": "expand.weight", "meta_net.linear2.bias": "expand.bias",
    }  # fmt: skip
    named = only(names, held, path)
    n = len(shared(held, "ctx", path))
    hidden, embed = shaped(named["squeeze.weight"], 2, "meta_net.linear1.weight", path)
    return "cocoop", named | {"context": named["context"].unsqueeze(0)}, {"context": n, "reduction": max(1, embed // hidden)}


def _maple(held: dict[str, Tensor], path: Path) -> Named:
    n, deep = len(shared(held, "ctx", path)), sum(key.startswith("compound_prompts_text.") for key in held)
    names = {"ctx": "", "proj.weight": "", "proj.bias": ""}
    for layer in range(deep):
        projection = f"compound_prompt_projections.{layer}"
        names |= {f"compound_prompts_text.{layer}": "", f"{projection}.weight": "", f"{projection}.bias": ""}
    only(names, held, path)
    layers = range(deep)
    stacks = {
        "context": [held["ctx"], *(held[f"compound_prompts_text.{i}"] for i in layers)],
        "weight": [held["proj.weight"], *(held[f"compound_prompt_projections.{i}.weight"] for i in layers)],
        "bias": [held["proj.bias"], *(held[f"compound_prompt_projections.{i}.bias"] for i in layers)],
    }
    for name, stack in stacks.items():
        if len({part.shape for part in stack}) > 1:
            raise UserError(f"{path}: the layers' {name} differ in shape; it is no checkpoint of MaPLe.")
    return "maple", {name: torch.stack(stack) for name, stack in stacks.items()}, {"context": n, "layers": deep + 1}


def _mvlpt(held: dict[str, Tensor], path: Path) -> Named:
    held = {key.replace("upt_proj", "mvlpt_proj"): value for key, value in held.items()}
    if "cocoop_ctx" in held:
        return _cocoop({"ctx" if key == "cocoop_ctx" else key: value for key, value in held.items()}, path)
    if "vpt_embeddings" not in held:
        return _coop(held, path)
    if "vpt_proj.weight" in held:
        raise UserError(f"{path} projects its visual prompts (VPT.PROJECT), which is not known here; choose another checkpoint.")
    shallow = held.pop("vpt_embeddings")
    deep = [held.pop("vpt_embeddings_deep")] if "vpt_embeddings_deep" in held else []
    shaped(shallow, 3, "vpt_embeddings", path)
    if deep and (deep[0].dim() != 3 or deep[0].shape[1:] != shallow.shape[1:]):
        raise UserError(f"{path}: `vpt_embeddings_deep` has the shape {size(deep[0])}, beside {size(shallow)} of the first layer.")
    prompts = torch.cat([shallow, *deep])
    own = {"prompts": prompts.shape[1], "depth": "deep" if deep else "shallow"}
    if "ctx" not in held:
        return "vpt", only({}, held, path) | {"prompts": prompts}, own
    if not any(key.startswith("mvlpt_proj") for key in held):
        raise UserError(f"{path} has no `mvlpt_proj` (PROJECT_METHOD identity), which is not known here; choose another checkpoint.")
    n, names = len(shared(held, "ctx", path)), {"ctx": "context"}
    for tower, theirs in (("text", "coop"), ("visual", "vpt")):
        for side, place in (("in", "pre"), ("out", "post")):
            names |= {f"mvlpt_proj_ctx_{theirs}_{place}.{kind}": f"{tower}_{side}.{kind}" for kind in ("weight", "bias")}
    names = {theirs: ours for theirs, ours in names.items() if theirs in held or theirs == "ctx"}  # no map between equal widths
    block = "mvlpt_proj.resblocks.0."
    names |= {key: key.replace(block, "block.") for key in held if key.startswith(block)}
    named = only(names, held, path)
    norm = needed(held, f"{block}ln_1.weight", path)
    return "upt", named | {"prompts": prompts}, own | {"context": n, "width": len(norm), "mixer": "as_released"}


def _kgcoop(held: dict[str, Tensor], path: Path) -> Named:
    """Beside the context lie a vector and a linear layer that nothing uses."""
    unused = ("bias_vectors", "meta_net.linear1.weight", "meta_net.linear1.bias")
    return "kgcoop", *_coop({key: value for key, value in held.items() if key not in unused}, path)[1:]


def _prograd(held: dict[str, Tensor], path: Path) -> Named:
    return "prograd", *_coop(held, path)[1:]


def _ivlp(held: dict[str, Tensor], path: Path) -> Named:
    """The vectors of the first layer of each tower by names of their own, those of deeper layers beside their blocks."""
    n, towers = len(shared(held, "ctx", path)), {"context": ("ctx", "text_encoder"), "prompts": ("image_encoder.VPT", "image_encoder")}
    block = "{}.transformer.resblocks.{}.VPT_shallow"
    names = {}
    for ours, (first, tower) in towers.items():
        deep = sum(key.startswith(f"{tower}.transformer.") for key in held)
        names[ours] = [first, *(block.format(tower, layer) for layer in range(1, deep + 1))]
    only(dict.fromkeys([*names["context"], *names["prompts"]], ""), held, path)
    for ours, theirs in names.items():
        if len({held[name].shape for name in theirs}) > 1:
            raise UserError(f"{path}: the layers' {ours} differ in shape; it is no checkpoint of IVLP or PromptSRC.")
    stacks = {ours: torch.stack([held[name] for name in theirs]) for ours, theirs in names.items()}
    return "ivlp", stacks, {"context": n, "prompts": stacks["prompts"].shape[1], "layers": max(map(len, names.values()))}


def _promptsrc(held: dict[str, Tensor], path: Path) -> Named:
    return "promptsrc", *_ivlp(held, path)[1:]


def _clip_adapter(held: dict[str, Tensor], path: Path) -> Named:
    named = only({"fc.0.weight": "down.weight", "fc.2.weight": "up.weight"}, held, path)
    hidden, embed = shaped(named["down.weight"], 2, "fc.0.weight", path)
    return "clip_adapter", named, {"reduction": max(1, embed // hidden)}


NAMED = {
    "coop": _coop, "cocoop": _cocoop, "maple": _maple, "ivlp": _ivlp, "kgcoop": _kgcoop, "prograd": _prograd, "promptsrc": _promptsrc,
    "clip_adapter": _clip_adapter, "mvlpt": _mvlpt,
}  # fmt: skip


def only(names: dict[str, str], held: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors by our names. Raises UserError if one is missing or another is there."""
    for name in names:
        needed(held, name, path)
    if unknown := [name for name in held if name not in names]:
        raise UserError(f"{path} holds `{unknown[0]}`, which this method does not have; name the release that it is of.")
    return {ours: held[theirs] for theirs, ours in names.items()}


def needed(held: dict[str, Tensor], name: str, path: Path) -> Tensor:
    if name not in held:
        raise UserError(f"{path} lacks `{name}`; name the release that it is of.")
    return held[name]


def shared(held: dict[str, Tensor], name: str, path: Path) -> Tensor:
    context = needed(held, name, path)
    if context.dim() == 3:
        raise UserError(f"{path} has a context for every class (CSC), which serves no other classes; choose another checkpoint.")
    shaped(context, 2, name, path)
    return context


def shaped(value: Tensor, dimensions: int, name: str, path: Path) -> torch.Size:
    if value.dim() != dimensions or not value.numel():
        raise UserError(f"{path}: `{name}` has the shape {size(value)}; name the release that it is of.")
    return value.shape


def size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"

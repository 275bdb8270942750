"""The authors' released checkpoints as prompts: CoOp, CoCoOp, MaPLe, SoftCPT, and MVLPT with its CoOp, VPT, UPT and CoCoOp.

Each release names its tensors in its own way; here they get the names of the method's module, which then gives the prompts.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from promptatlas.backbone import Backbone
from promptatlas.backbone.prompts import NETS, Prompts
from promptatlas.base.errors import UserError
from promptatlas.exchange import dassl
from promptatlas.exchange.inference import misfitting
from promptatlas.methods import module_class, settings
from promptatlas.methods.common import TUNING
from promptatlas.records.prompt_file import POSITIONS, TunedPrompt
from promptatlas.training.shared_learner import Sentences

RELEASES = ("coop", "cocoop", "maple", "softcpt", "mvlpt")
_HALF = 2e-3  # what rounding to half precision may move of an embedding


def read_release(
    path: str | Path, release: str, backbone: Backbone, position: str | None = None, words: str | None = None, task: str = "",
    task_number: int | None = None,
) -> tuple[TunedPrompt, dict[str, object]]:  # fmt: skip
    """The prompt in a checkpoint and the settings that the checkpoint tells.

    path: the file, or the folder of the module in which Dassl keeps it; for SoftCPT the folder of the run.
    position: where the class name stands, which no checkpoint says: "end" in CoOp's release, "middle" in MVLPT's, unless
        its configuration says otherwise.
    words: what the context of CoCoOp or MaPLe started from, "a photo of a" by default; words beyond the vectors stay.
    task: SoftCPT's name of the task; task_number: its place among the tasks, from 1, if each has a task context of its own.
    Raises UserError if it is no such checkpoint, of another backbone, or of a kind that is not known here.
    """
    if release not in RELEASES:
        raise UserError(f"{release!r} is no release that is known here; choose from {', '.join(RELEASES)}.")
    if position not in (None, *POSITIONS):
        raise UserError(f"{position!r} is no place for the class name; choose from {', '.join(POSITIONS)}.")
    path = Path(path)
    if release == "softcpt":
        return _softcpt(path, backbone, task, task_number)
    held = dassl.state_dict(dassl.newest(path) if path.is_dir() else path)
    given, fixed = _split(held)
    method, named, own = _NAMED[release](given, path)
    if "position" in settings(method):
        own["position"] = position or ("middle" if release == "mvlpt" else "end")
    elif position not in (None, "end"):
        raise UserError(f"{method} has its class name at the end; leave out the position.")
    if "initial" in settings(method):
        own |= {"initial": words} if words is not None else {}
    elif words is not None:
        raise UserError(f"{method} keeps no words of those it started from; leave them out.")
    complete = settings(method, own)
    trained = _through(method, complete, named, backbone, path)
    _agrees(fixed, trained.prompts, backbone, path)
    return trained, _told(complete)


def _split(held: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What was trained, and the embeddings of start token and class names that are stored beside it."""
    fixed: dict[str, Tensor] = {key: held[key] for key in ("token_prefix", "token_suffix") if key in held}
    return {key: value for key, value in held.items() if key not in fixed}, fixed


# How each release names things: the method, its parameters by our names, and the settings that show in their shapes


def _coop(held: dict[str, Tensor], path: Path) -> tuple[str, dict[str, Tensor], dict]:
    ctx = _shared(held, "ctx", path)
    return "coop", _only({"ctx": "context"}, held, path), {"context": len(ctx)}


def _cocoop(held: dict[str, Tensor], path: Path) -> tuple[str, dict[str, Tensor], dict]:
    names = {
        "ctx": "context", "meta_net.linear1.weight": "squeeze.weight", "meta_net.linear1.bias": "squeeze.bias",
        "meta_net.linear2.weight": "expand.weight", "meta_net.linear2.bias": "expand.bias",
    }  # fmt: skip
    named = _only(names, held, path)
    n = len(_shared(held, "ctx", path))
    hidden, embed = _shaped(named["squeeze.weight"], 2, "meta_net.linear1.weight", path)
    return "cocoop", named | {"context": named["context"].unsqueeze(0)}, {"context": n, "reduction": max(1, embed // hidden)}


def _maple(held: dict[str, Tensor], path: Path) -> tuple[str, dict[str, Tensor], dict]:
    n, deep = len(_shared(held, "ctx", path)), sum(key.startswith("compound_prompts_text.") for key in held)
    names = {"ctx": "", "proj.weight": "", "proj.bias": ""}
    for layer in range(deep):
        projection = f"compound_prompt_projections.{layer}"
        names |= {f"compound_prompts_text.{layer}": "", f"{projection}.weight": "", f"{projection}.bias": ""}
    _only(names, held, path)
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


def _mvlpt(held: dict[str, Tensor], path: Path) -> tuple[str, dict[str, Tensor], dict]:
    held = {key.replace("upt_proj", "mvlpt_proj"): value for key, value in held.items()}
    if "cocoop_ctx" in held:
        return _cocoop({"ctx" if key == "cocoop_ctx" else key: value for key, value in held.items()}, path)
    if "vpt_embeddings" not in held:
        return _coop(held, path)
    if "vpt_proj.weight" in held:
        raise UserError(f"{path} projects its visual prompts (VPT.PROJECT), which is not known here; choose another checkpoint.")
    shallow = held.pop("vpt_embeddings")
    deep = [held.pop("vpt_embeddings_deep")] if "vpt_embeddings_deep" in held else []
    _shaped(shallow, 3, "vpt_embeddings", path)
    if deep and (deep[0].dim() != 3 or deep[0].shape[1:] != shallow.shape[1:]):
        raise UserError(f"{path}: `vpt_embeddings_deep` has the shape {_size(deep[0])}, beside {_size(shallow)} of the first layer.")
    prompts = torch.cat([shallow, *deep])
    own = {"prompts": prompts.shape[1], "depth": "deep" if deep else "shallow"}
    if "ctx" not in held:
        return "vpt", _only({}, held, path) | {"prompts": prompts}, own
    if not any(key.startswith("mvlpt_proj") for key in held):
        raise UserError(f"{path} has no `mvlpt_proj` (PROJECT_METHOD identity), which is not known here; choose another checkpoint.")
    n, names = len(_shared(held, "ctx", path)), {"ctx": "context"}
    for tower, theirs in (("text", "coop"), ("visual", "vpt")):
        for side, place in (("in", "pre"), ("out", "post")):
            names |= {f"mvlpt_proj_ctx_{theirs}_{place}.{kind}": f"{tower}_{side}.{kind}" for kind in ("weight", "bias")}
    names = {theirs: ours for theirs, ours in names.items() if theirs in held or theirs == "ctx"}  # no map between equal widths
    block = "mvlpt_proj.resblocks.0."
    names |= {key: key.replace(block, "block.") for key in held if key.startswith(block)}
    named = _only(names, held, path)
    norm = _needed(held, f"{block}ln_1.weight", path)
    return "upt", named | {"prompts": prompts}, own | {"context": n, "width": len(norm), "mixer": "as_released"}


_NAMED = {"coop": _coop, "cocoop": _cocoop, "maple": _maple, "mvlpt": _mvlpt}


def _softcpt(path: Path, backbone: Backbone, task: str, number: int | None) -> tuple[TunedPrompt, dict[str, object]]:
    """SoftCPT keeps task context and meta network in two files; a task's context is what the second makes of its name."""
    if not task.strip():
        raise UserError("SoftCPT makes a context from the name of a task; give the name with --task.")
    parts = ("task_prompt_learner", "prompt_gen")
    if missing := [part for part in parts if not (path / part).is_dir()]:
        raise UserError(f"{path} holds no folder {missing[0]}; give the folder of a run of SoftCPT, with {' and '.join(parts)}.")
    if (path / "class_prompt_learner").exists():
        raise UserError(
            f"{path} is of a class-aware variant (CA.., CS..), which makes another context for every class name, and a prompt "
            "has one for all of them; choose a checkpoint of NATA or NATS."
        )
    held, fixed = _split(dassl.state_dict(dassl.newest(path / parts[0])))
    _only({"ctx": ""}, held, path)
    u = held["ctx"] if held["ctx"].dim() == 3 else held["ctx"].unsqueeze(0)
    _shaped(u, 3, "ctx", path)
    if len(u) > 1 and (number is None or not 1 <= number <= len(u)):
        raise UserError(f"{path} has a context for each of {len(u)} tasks; say with --task-number which is {task!r}, from 1.")
    meta = dassl.state_dict(dassl.newest(path / parts[1]))
    _only({"proj": ""}, meta, path)
    inputs, outputs = _shaped(meta["proj"], 2, "proj", path)
    a = backbone.architecture
    if inputs != a.embed_dim or outputs % a.text_width or u.shape[2] != a.text_width:
        raise UserError(
            f"{path} does not fit the backbone {a.name}: `proj` is {inputs}x{outputs}, `ctx` {_size(u)}; give its own backbone."
        )
    chosen = u[0 if number is None or len(u) == 1 else number - 1]
    with torch.no_grad():
        feature = Sentences(backbone, [task], len(chosen)).features(chosen.to(backbone.device), np.zeros(1, np.int64))[0].cpu()
    context = (feature @ meta["proj"]).view(1, 1, -1, a.text_width)
    prompts = Prompts(text=context, position="end")
    _agrees(fixed, replace(prompts, text=chosen[None, None]), backbone, path)
    told: dict[str, object] = {
        "context": context.shape[2], "task_vectors": len(chosen), "task_context": "specific" if len(u) > 1 else "agnostic",
        "class_context": "none", "meta_input": "lin",
    }  # fmt: skip
    return TunedPrompt("softcpt", {"u": u, "meta": meta["proj"]}, prompts), told


def _through(method: str, complete: dict, named: dict[str, Tensor], backbone: Backbone, path: Path) -> TunedPrompt:
    """The parameters in a module of the method, and the prompts that it gives. Raises UserError if they do not fit it."""
    architecture = backbone.architecture
    module: nn.Module = module_class(method)(architecture, complete, torch.Generator().manual_seed(0))
    own = module.state_dict()
    for name, value in named.items():
        if name not in own or value.shape != own[name].shape:
            theirs = f"{_size(own[name])}" if name in own else "none"
            raise UserError(
                f"{path} does not fit {method} on the backbone {architecture.name}: its {name} is {_size(value)} and not "
                f"{theirs}; name the release and backbone that it is of."
            )
    if absent := [name for name in own if name not in named]:
        raise UserError(f"{path} does not fit {method} on the backbone {architecture.name}: its {absent[0]} is missing; fetch it again.")
    module.load_state_dict(named)
    with torch.no_grad():
        made = zip(("text", "visual", *NETS), module(), strict=False)  # most methods have no nets
    given: dict[str, Any] = {name: tuple(p[None] for p in part) if name in NETS else part[None] for name, part in made if part is not None}
    fixed = {key: complete[key] for key in ("position", "template") if key in complete} | getattr(module, "fixed", {})
    prompts = Prompts(**given, **fixed).detach()
    if misfit := misfitting(prompts, backbone):
        raise UserError(f"{path} does not fit the backbone {architecture.name}: {misfit}; give its own backbone.")
    return TunedPrompt(method, {name: value.clone() for name, value in named.items()}, prompts)


def _agrees(fixed: dict[str, Tensor], prompts: Prompts, backbone: Backbone, path: Path) -> None:
    """A checkpoint keeps the embeddings around its context: they tell its backbone, and the words that stay."""
    table = backbone.text.token_embedding.weight
    ids = backbone.tokenizer.encode(prompts.words) if prompts.words else []
    expected = {"token_prefix": [backbone.tokenizer.sentence([])[0]], "token_suffix": ids}
    for name, stored in fixed.items():
        rows = table[expected[name]].cpu()
        if stored.dim() != 3 or stored.shape[2] != rows.shape[1] or stored.shape[1] < len(rows):
            raise UserError(
                f"{path} was trained with another backbone than {backbone.architecture.name}: `{name}` is {_size(stored)}; give its own."
            )
        if (stored[:, : len(rows)] - rows).abs().gt(_HALF).any():
            if name == "token_prefix":
                raise UserError(f"{path} was trained with another backbone than {backbone.architecture.name}; give its own.")
            raise UserError(
                f"{path} does not go on with the words {prompts.words!r} after its context; say with --words what it started from."
            )


def _told(complete: dict) -> dict[str, object]:
    """The settings that the checkpoint shows; nothing in it tells how it was trained."""
    return {key: value for key, value in complete.items() if key not in TUNING}


def _only(names: dict[str, str], held: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors by our names. Raises UserError if one is missing or another is there."""
    for name in names:
        _needed(held, name, path)
    if unknown := [name for name in held if name not in names]:
        raise UserError(f"{path} holds `{unknown[0]}`, which this method does not have; name the release that it is of.")
    return {ours: held[theirs] for theirs, ours in names.items()}


def _needed(held: dict[str, Tensor], name: str, path: Path) -> Tensor:
    if name not in held:
        raise UserError(f"{path} lacks `{name}`; name the release that it is of.")
    return held[name]


def _shared(held: dict[str, Tensor], name: str, path: Path) -> Tensor:
    context = _needed(held, name, path)
    if context.dim() == 3:
        raise UserError(f"{path} has a context for every class (CSC), which serves no other classes; choose another checkpoint.")
    _shaped(context, 2, name, path)
    return context


def _shaped(value: Tensor, dimensions: int, name: str, path: Path) -> torch.Size:
    if value.dim() != dimensions or not value.numel():
        raise UserError(f"{path}: `{name}` has the shape {_size(value)}; name the release that it is of.")
    return value.shape


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"

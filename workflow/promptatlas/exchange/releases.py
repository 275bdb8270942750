"""The authors' released checkpoints as prompts: those of one method each, and MVLPT's with its CoOp, VPT, UPT and CoCoOp.

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
from promptatlas.exchange.released_tensors import NAMED, only, shaped, size
from promptatlas.methods import module_class, settings
from promptatlas.records.prompt_file import POSITIONS, TunedPrompt
from promptatlas.training.shared_learner import Sentences

RELEASES = (*NAMED, "softcpt")
_NOT_READ = {
    "tcp": "its sentences go on behind the class name, and its class vectors are made of another sentence for each data set",
    "promptsrc_maple": "its authors released PromptSRC on prompts of IVLP alone",
    "task_res": "it has weights for its own classes, and a prompt has none",
    "lp_plus_plus": "it has weights for its own classes, and a prompt has none",
}
_SHOWN = ("initial", "position", "template", "ratio")  # by the method that is named, beside what the shapes tell
_HALF = 2e-3  # what rounding to half precision may move of an embedding


def read_release(
    path: str | Path, release: str, backbone: Backbone, position: str | None = None, words: str | None = None, task: str = "",
    task_number: int | None = None,
) -> tuple[TunedPrompt, dict[str, object]]:  # fmt: skip
    """The prompt in a checkpoint and the settings that the checkpoint tells.

    path: the file, or the folder of the module in which Dassl keeps it; for SoftCPT the folder of the run.
    position: where the class name stands, which no checkpoint says: "end" in CoOp's release, "middle" in MVLPT's, unless
        its configuration says otherwise.
    words: what the context started from, "a photo of a" by default, and of CoOp nothing; words beyond the vectors stay. Of ProGrad,
        whose words differ by data set, the checkpoint shows which one stays.
    task: SoftCPT's name of the task; task_number: its place among the tasks, from 1, if each has a task context of its own.
    Raises UserError if it is no such checkpoint, of another backbone, or of a kind that is not known here.
    """
    if release in _NOT_READ:
        raise UserError(f"checkpoints of {release} cannot be made a prompt: {_NOT_READ[release]}; choose from {', '.join(RELEASES)}.")
    if release not in RELEASES:
        raise UserError(f"{release!r} is no release that is known here; choose from {', '.join(RELEASES)}.")
    if position not in (None, *POSITIONS):
        raise UserError(f"{position!r} is no place for the class name; choose from {', '.join(POSITIONS)}.")
    path = Path(path)
    if release == "softcpt":
        return _softcpt(path, backbone, task, task_number)
    held = dassl.state_dict(dassl.newest(path) if path.is_dir() else path)
    given, fixed = _split(held)
    method, named, own = NAMED[release](given, path)
    if "position" in settings(method):
        own["position"] = position or ("middle" if release == "mvlpt" else "end")
    elif position not in (None, "end"):
        raise UserError(f"{method} has its class name at the end; leave out the position.")
    if release == "prograd" and words is None:
        own["initial"] = " ".join(["X"] * own["context"] + _kept(fixed, backbone))
    elif "initial" in settings(method) and release != "prograd":
        own |= {"initial": words} if words is not None else {}
    elif words is not None:
        raise UserError(f"{method} keeps no words of those it started from; leave them out.")
    complete = settings(method, own)
    trained = _through(method, complete, named, backbone, path)
    _agrees(fixed, trained.prompts, backbone, path)
    return trained, {key: value for key, value in complete.items() if key in {*own, *_SHOWN}}


def _split(held: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What was trained, and the embeddings of start token and class names that are stored beside it."""
    fixed: dict[str, Tensor] = {key: held[key] for key in ("token_prefix", "token_suffix") if key in held}
    return {key: value for key, value in held.items() if key not in fixed}, fixed


def _kept(fixed: dict[str, Tensor], backbone: Backbone) -> list[str]:
    """ProGrad's release counts words where its context has tokens: after a sentence with a comma the last word stays behind the
    context, the same before each class name."""
    if not (suffix := fixed.get("token_suffix", torch.empty(0))).numel() or suffix.dim() != 3:
        return []
    table = backbone.text.token_embedding.weight
    rows = {word: table[backbone.tokenizer.encode(word)].cpu() for word in ("a", "of")}
    return [word for word, row in rows.items() if row.shape[1] == suffix.shape[2] and not (suffix[:, :1] - row).abs().gt(_HALF).any()]


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
    only({"ctx": ""}, held, path)
    u = held["ctx"] if held["ctx"].dim() == 3 else held["ctx"].unsqueeze(0)
    shaped(u, 3, "ctx", path)
    if len(u) > 1 and (number is None or not 1 <= number <= len(u)):
        raise UserError(f"{path} has a context for each of {len(u)} tasks; say with --task-number which is {task!r}, from 1.")
    meta = dassl.state_dict(dassl.newest(path / parts[1]))
    only({"proj": ""}, meta, path)
    inputs, outputs = shaped(meta["proj"], 2, "proj", path)
    a = backbone.architecture
    if inputs != a.embed_dim or outputs % a.text_width or u.shape[2] != a.text_width:
        raise UserError(f"{path} does not fit the backbone {a.name}: `proj` is {inputs}x{outputs}, `ctx` {size(u)}; give its own backbone.")
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
            theirs = f"{size(own[name])}" if name in own else "none"
            raise UserError(
                f"{path} does not fit {method} on the backbone {architecture.name}: its {name} is {size(value)} and not "
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
                f"{path} was trained with another backbone than {backbone.architecture.name}: `{name}` is {size(stored)}; give its own."
            )
        if (stored[:, : len(rows)] - rows).abs().gt(_HALF).any():
            if name == "token_prefix":
                raise UserError(f"{path} was trained with another backbone than {backbone.architecture.name}; give its own.")
            raise UserError(
                f"{path} does not go on with the words {prompts.words!r} after its context; say with --words what it started from."
            )

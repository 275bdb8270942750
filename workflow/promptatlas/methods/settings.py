"""Which methods there are and every hyper-parameter of each, with the paper's value as default.

Torch-free, so that a configuration can be checked while the workflow is planned. Adding a method takes its own file and
one `register` line here (or a call to `register` from outside the package).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, suggest

# MVLPT: configs/trainers/MVLPT/vit_b16.yaml and Dassl's defaults (200 epochs for every number of shots).
TUNING = {
    "optimizer": "sgd",  # sgd | adamw
    "learning_rate": 0.002,
    "epochs": 200,
    "batch_size": 32,
    "momentum": 0.9,  # sgd only
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
    "select": "best_validation",  # best_validation | last
}

# What replaces TUNING's values, by name. "paper" is the authors' own; the small embedded backbone settles sooner (docs/log.md).
PRESETS = {
    "paper": {},
    "mini": {"optimizer": "adamw", "learning_rate": 0.01, "epochs": 30, "batch_size": 32, "select": "best_validation"},
}

_CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "select": ("best_validation", "last"),
    "position": ("end", "middle", "front"),
    "depth": ("deep", "shallow"),
    "mixer": ("as_released", "joint"),
    "task_context": ("agnostic", "specific"),
    "class_context": ("none", "agnostic", "specific"),
    "meta_input": ("lin", "linmean", "lincls"),
    "steps": ("paper", "as_released"),
    "sharing": ("all", "task", "class"),
    "class_weights": ("coop_mt", "softcpt", "coop", "multitask"),
    "templates": ("ensemble", "first"),
}
_MAY_BE_ZERO = {"momentum", "weight_decay", "warmup_epochs", "warmup_learning_rate", "halvings"}
_AT_MOST = {"class_rate": 1, "decades": 30, "halvings": 10}


@dataclass(frozen=True)
class Entry:
    """A method: where its class or function is ("package.module:Class") and its own settings besides its kind's.

    kind: "prompt" learns from one task and runs in the matrix; "shared" learns from several tasks at once; "adapter" works
    on frozen features of one task; "baseline" is measured in every study. visual: it puts prompts into the image tower, which
    has to be a ViT. by_picture: every picture has class weights of its own. counts_words: there are as many context vectors as
    `initial` words. presets: what a preset sets otherwise for this method. revision: of an adapter, raised by hand when a change may move
    what this method alone gives; its results become stale, and no other's.
    """

    module: str
    own: dict[str, object] = field(default_factory=dict)
    kind: str = "prompt"
    visual: bool = False
    by_picture: bool = False
    counts_words: bool = False
    presets: dict[str, dict[str, object]] = field(default_factory=dict)
    revision: int = 1

    def defaults(self, preset: str) -> dict[str, object]:
        """The paper's settings, then the preset's; presets are about prompts."""
        if self.kind in ("adapter", "baseline"):
            return self.own
        return TUNING | self.own | PRESETS[preset] | self.presets.get(preset, {})


_METHODS: dict[str, Entry] = {}


def register(
    name: str,
    module: str,
    kind: str = "prompt",
    visual: bool = False,
    by_picture: bool = False,
    counts_words: bool = False,
    presets: dict[str, dict[str, object]] | None = None,
    revision: int = 1,
    **own: object,
) -> None:
    """Makes a method known by name; `own` are its settings with their defaults, or other defaults for TUNING's."""
    _METHODS[name] = Entry(module, own, kind, visual, by_picture, counts_words, presets or {}, revision)


# Its *_ctxv1.yaml, which later papers compare with, is context 4, initial "a photo of a", position end.
register("coop", "promptatlas.methods.coop:CoOp", counts_words=True, context=16, initial="", position="middle")
register("vpt", "promptatlas.methods.vpt:VPT", visual=True, prompts=16, depth="deep", template="a photo of a {}.")
register(
    "upt", "promptatlas.methods.upt:UPT", visual=True,
    context=4, prompts=4, depth="deep", position="middle", width=128, mixer="as_released",
)  # fmt: skip
# CoCoOp: configs/trainers/CoCoOp/vit_b16_c4_ep10_batch1_ctxv1.yaml.
register(
    "cocoop", "promptatlas.methods.cocoop:CoCoOp", by_picture=True, counts_words=True,
    context=4, initial="a photo of a", reduction=16, epochs=10, batch_size=1, select="last",
)  # fmt: skip
# MaPLe: configs/trainers/MaPLe/vit_b16_c2_ep5_batch4_2ctx.yaml and IVLP/vit_b16_c2_ep5_batch4_2+2ctx.yaml.
MAPLE: dict[str, Any] = {"learning_rate": 0.0035, "epochs": 5, "batch_size": 4, "select": "last"}
register("maple", "promptatlas.methods.maple:MaPLe", visual=True, context=2, layers=9, initial="a photo of a", **MAPLE)
register("ivlp", "promptatlas.methods.ivlp:IVLP", visual=True, context=2, prompts=2, layers=12, initial="a photo of a", **MAPLE)
# SoftCPT: configs/trainers/MTCoOp/*_ep50.yaml and scripts/main_mtcoop.sh. NATA by default; NATS, CA.. and CS.. by the contexts.
# class_rate: the share of the classes on no picture of a batch that class-aware variants keep; the release's default is off (1.0 here).
# On the mini benchmark, 1 shot, AdamW at 0.01 spoils the meta network: validation 0.66 at 0.001, 0.59 at 0.003, below it at 0.01;
# with 4 shots, three seeds used nowhere else, 0.699 at 0.0003, 0.698 at 0.001, 0.660 at 0.003.
SHARED: dict[str, Any] = {"context": 16, "epochs": 50, "select": "last"}
register(
    "softcpt", "promptatlas.methods.softcpt:SoftCPT", "shared",
    task_context="agnostic", task_vectors=4, class_context="none", class_vectors=4, meta_input="lin", class_rate=0.1,
    steps="paper", **SHARED,
    presets={"mini": {"learning_rate": 0.001}},
)  # fmt: skip
# On validation pictures of the mini benchmark (4 shots, three seeds used nowhere else): 0.620 at 0.001, 0.623 at 0.003, 0.609 at 0.01,
# 0.580 at 0.03.
register(
    "coop_mt", "promptatlas.methods.softcpt:HardSharing", "shared",
    sharing="all", **SHARED,
    presets={"mini": {"learning_rate": 0.003}},
)  # fmt: skip
# Tip-Adapter: main.py and configs/. The first alpha and the grid differ there by data set: alpha from 1.17 to 10, grids that end
# between 3 and 50, in Prompt-Adapter also at 100. Here all have ImageNet's first alpha and Prompt-Adapter's grid for EuroSAT,
# which is wider than most, but not than those for Aircraft (30), Flowers and Food (50) and Pets (100). Alphas are in units of
# logits, so they mean the same for a backbone of any logit scale.
GRID: dict[str, Any] = {"alpha_max": 20.0, "alpha_steps": 200, "beta_max": 20.0, "beta_steps": 200}
CACHE: dict[str, Any] = {"alpha": 1.17, "beta": 1.0, "epochs": 20, "batch_size": 256, "weight_decay": 0.01, "select": "best_validation"}
register("tip_adapter", "promptatlas.training.adapters:tip_adapter", "adapter", revision=2, **GRID)
register("tip_adapter_f", "promptatlas.training.adapters:tip_adapter_f", "adapter", revision=2, **GRID, **CACHE, learning_rate=0.001)
# Prompt-Adapter's class weights come from one CoOp prompt learned on many tasks; here these are the study's own, and the
# prompt has seen the same few-shot pictures, never more. "multitask" is the authors' kind of prompt, CoOp's of MVLPT (with
# `multitask: all`: best epoch, class name in the middle, union of all classes); "coop" is the task's own prompt instead.
PROMPT: dict[str, Any] = {"class_weights": "coop_mt"}
register("prompt_adapter", "promptatlas.training.adapters:tip_adapter", "adapter", revision=2, **PROMPT, **GRID)
register(
    "prompt_adapter_f", "promptatlas.training.adapters:tip_adapter_f", "adapter", revision=2, **PROMPT, **GRID, **CACHE, learning_rate=0.005
)
# CLIP's hand-written sentences, and its linear probe: C from 1e-6 to 1e6, iterations of L-BFGS (Radford et al. 2021, appendix A.3).
register("zero_shot", "promptatlas.evaluation.evaluate:zero_shot", "baseline", templates="ensemble")
register("linear_probe", "promptatlas.training.linear_probe:linear_probe", "baseline", decades=6, halvings=2, iterations=1000)


def names(kind: str = "prompt") -> list[str]:
    """The methods of one kind."""
    return [name for name, entry in _METHODS.items() if entry.kind == kind]


def kind(method: str) -> str:
    """What a method learns from; see `Entry`. Raises UserError for an unknown one."""
    return _entry(method).kind


def revision(method: str) -> int:
    """How often what this method alone gives was changed, from 1; see `Entry`."""
    return _entry(method).revision


def is_visual(method: str) -> bool:
    """Whether a method puts prompts into the image tower."""
    return _entry(method).visual


def is_by_picture(method: str) -> bool:
    """Whether every picture has class weights of its own."""
    return _entry(method).by_picture


def _entry(method: str) -> Entry:
    if method not in _METHODS:
        raise UserError(f"methods: unknown method {method!r}; {suggest(method, _METHODS)}")
    return _METHODS[method]


def settings(method: str, overrides: dict[str, object] | None = None, preset: str = "paper") -> dict[str, object]:
    """Complete settings of a method: a preset with `overrides` on top. Raises UserError naming the wrong key."""
    complete, given = dict(_entry(method).defaults(preset)), overrides or {}
    for key, value in given.items():
        place = f"settings.{method}.{plain(key)}"
        if key not in complete:
            raise UserError(f"{place}: unknown setting; {suggest(key, complete)}")
        complete[key] = _checked(place, value, key, complete[key])
    if _entry(method).counts_words:
        complete |= _counted(method, complete["initial"], complete["context"], given)
    return complete


def _counted(method: str, initial: Any, context: Any, given: dict[str, object]) -> dict[str, object]:
    """What follows for `initial` and `context` if one of the two is not given: CoOp's release counts the words.

    Fewer vectors than words leave the last words as they are; more have no words to start from.
    """
    words = len(initial.split())
    if words and "initial" in given and "context" not in given:
        return {"context": words}
    if not words or context <= words:
        return {}
    if "initial" not in given:
        return {"initial": ""}
    raise UserError(
        f"settings.{method}.context: {context} vectors cannot start from the {words} words of settings.{method}.initial; leave out "
        "one of the two."
    )


def _choices(key: str) -> tuple[str, ...]:
    """The values of a setting that takes some names only; class weights may come from any shared learner that is registered."""
    learners = names("shared") if key == "class_weights" else []
    return tuple(dict.fromkeys((*_CHOICES[key], *learners)))


def _checked(place: str, value: object, key: str, default: object) -> object:
    if key in _CHOICES:
        if value not in _choices(key):
            raise UserError(f"{place}: {shown(value)} is not one of {', '.join(_choices(key))}.")
        return value
    if isinstance(default, str):
        if not isinstance(value, str) or (key == "template" and "{}" not in value):
            raise UserError(f"{place}: {shown(value)} must be a text" + (" with {} for the class name." if key == "template" else "."))
        return value
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise UserError(f"{place}: {shown(value)} must be a {'whole ' if whole else ''}number.")
    if value < 0 or (value == 0 and key not in _MAY_BE_ZERO):
        raise UserError(f"{place}: {shown(value)} must be {'zero or more' if key in _MAY_BE_ZERO else 'above zero'}.")
    if key in _AT_MOST and not value <= _AT_MOST[key]:
        raise UserError(f"{place}: {shown(value)} must be {'' if key in _MAY_BE_ZERO else 'above zero and '}at most {_AT_MOST[key]}.")
    return value if whole else float(value)


def allowed(key: str, default: object) -> str:
    """What `_checked` takes for a setting, in words."""
    if key in _CHOICES:
        return ", ".join(_choices(key))
    if isinstance(default, str):
        return "text with {}" if key == "template" else "text"
    number = "whole number" if isinstance(default, int) else "number"
    most = f", at most {_AT_MOST[key]}" if key in _AT_MOST else ""
    return f"{number}, {'0 or more' if key in _MAY_BE_ZERO else 'above 0'}{most}"


def module_class(method: str) -> type:
    """The method's class or function; this is the step that imports torch."""
    module, _, name = _entry(method).module.partition(":")
    return getattr(import_module(module), name)

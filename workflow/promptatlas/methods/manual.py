"""Every setting of every method in words: what `promptatlas settings` prints and docs/settings.md holds.

Names, defaults and allowed values come from `settings`; here stands what they mean. Knows nothing of torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from promptatlas.methods.settings import PRESETS, allowed, names, settings

HEAD = """# Settings of the methods

Written by `promptatlas settings > docs/settings.md`. In config.yaml `settings` takes any of these, for example

    settings: {vpt: {epochs: 50, learning_rate: 0.005}, softcpt: {task_context: specific}}

on top of a `preset`: `paper` is each method's own paper or release, and the usual one for any backbone but the embedded `mini`, for
which `mini` changes what its column says. An unknown setting or value is refused before anything runs. Settings belong to the
fingerprint of a result: whatever is changed is computed again, and nothing else.

Where papers differ: CoOp, VPT and UPT are tuned as MVLPT tunes them (200 epochs whatever the number of pictures, the class
name in the middle, the epoch that is best on validation); CoOp's own papers use fewer epochs with fewer pictures, and the last. Adapters
have one first alpha and one grid for all tasks, where the authors have them by data set, and the pictures in their cache are not
augmented."""

METHODS = {
    "coop": "context vectors in place of a sentence around the class name",
    "vpt": "prompt tokens beside the patches in the image tower",
    "upt": "context vectors and prompt tokens made by one small transformer",
    "cocoop": "context vectors shifted by a function of the picture",
    "maple": "context vectors in the first layers, and prompt tokens computed from them",
    "ivlp": "context vectors and prompt tokens in the first layers, independent of each other",
    "softcpt": "one linear map writes every task's context from the task's name (NATA; NATS, CA.. and CS.. by the contexts)",
    "coop_mt": "CoOp with context vectors that tasks share",
    "tip_adapter": "zero-shot class weights and a cache of the few-shot pictures, nothing trained",
    "tip_adapter_f": "the same with trained cache keys",
    "prompt_adapter": "Tip-Adapter with class weights from a learned prompt",
    "prompt_adapter_f": "the same with trained cache keys",
    "zero_shot": "hand-written sentences, always measured",
    "linear_probe": "logistic regression on frozen features, always measured",
}
MEANINGS = {
    "optimizer": "what takes the steps",
    "learning_rate": "after the warm-up, falling along a cosine",
    "epochs": "passes over the few-shot pictures",
    "batch_size": "pictures per step",
    "momentum": "of sgd",
    "weight_decay": "on everything that is learned",
    "warmup_epochs": "epochs at the warm-up's rate",
    "warmup_learning_rate": "of these epochs",
    "select": "which epoch is kept",
    "context": "context vectors",
    "initial": "words the context starts from; none: random",
    "position": "place of the class name among the context vectors",
    "prompts": "prompt tokens in a layer of the image tower",
    "depth": "prompts in every layer, or in the first alone",
    "template": "the fixed sentence of the text tower",
    "width": "of the small transformer",
    "mixer": "whether its tokens see only themselves, as in MVLPT's code, or each other, as in the paper",
    "reduction": "by how much the net that sees the picture narrows its features",
    "layers": "layers with prompts, from the first",
    "task_context": "vectors before the task's name: the same for all tasks (..TA), or each task's own (..TS)",
    "task_vectors": "how many these are",
    "class_context": "vectors before the class name that the map reads too: none (NA), the same for all classes (CA), each class's own (CS)",
    "class_vectors": "how many these are",
    "meta_input": "with a class_context, what the map reads: class and task side by side, their mean, the class alone",
    "class_rate": "with a class_context, share of the classes without a picture in the batch that a step looks at",
    "steps": "one step per batch, or the release's three (four with a class_context), of optimiser and schedule alike",
    "sharing": "who has the same vectors: all tasks, the classes of a task, or none (each class its own)",
    "alpha": "weight of the cache while keys are trained",
    "beta": "sharpness of the cache while keys are trained",
    "alpha_max": "end of the grid of alpha, left out; it begins at 0.1",
    "alpha_steps": "alphas in the grid",
    "beta_max": "end of the grid of beta, left out; it begins at 0.1",
    "beta_steps": "betas in the grid",
    "class_weights": "whose prompt gives the class weights; coop is the task's own and has to be under `methods`, multitask MVLPT's of many tasks (needs `multitask`)",
    "templates": "the mean over all of a task's sentences, or the first alone; also for Tip-Adapter and the similarity of labels",
    "decades": "C from 10^-decades to 10^decades, every second one",
    "halvings": "steps around the best C, the first a decade, each half of that before; CLIP goes on to an eighth",
    "iterations": "most iterations of L-BFGS",
}
OTHERWISE = {
    ("tip_adapter_f", "learning_rate"): "falling along a cosine to zero, step by step",
    ("prompt_adapter_f", "learning_rate"): "falling along a cosine to zero, step by step",
    ("tip_adapter_f", "weight_decay"): "of AdamW, on the keys",
    ("prompt_adapter_f", "weight_decay"): "of AdamW, on the keys",
}


def page() -> str:
    """The whole of docs/settings.md."""
    every = [name for kind in ("prompt", "shared", "adapter", "baseline") for name in names(kind)]
    return "\n\n".join([HEAD, *map(section, every)]) + "\n"


def section(method: str) -> str:
    """A method and the table of its settings."""
    about = f": {METHODS[method]}" if method in METHODS else ""
    head = ["| setting | paper | mini | values | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"## {method}{about}", "", *head, *_rows(method)])


def _rows(method: str) -> Iterator[str]:
    presets = {preset: settings(method, preset=preset) for preset in PRESETS}
    for key, usual in presets["paper"].items():
        mini = presets["mini"][key]
        cells = (f"`{key}`", _shown(usual), "" if mini == usual else _shown(mini), allowed(key, usual))
        yield f"| {' | '.join(cells)} | {OTHERWISE.get((method, key), MEANINGS.get(key, ''))} |"


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) and (" " in value or not value) else str(value)

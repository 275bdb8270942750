"""Folders of prompt files as studies leave them, of prompts that nobody trained."""

from pathlib import Path

import torch

from promptatlas.methods import settings
from promptatlas.records import card
from promptatlas.training.single_task import scratch

NAMES = ("cat", "annual crop land")
METHODS = {"coop": {"context": 4}, "vpt": {"prompts": 2}, "upt": {"context": 2, "prompts": 2}}
QUICK = {"epochs": 2, "batch_size": 8, "learning_rate": 0.02}


def prompt(backbone, method, seed, spread=0.5):
    """A prompt whose vectors are those of the untuned one and noise."""
    made = scratch(backbone, method, settings(method, METHODS[method] | QUICK, "mini"), seed)
    noise = torch.Generator().manual_seed(seed)
    for tensor in made.prompts.tensors().values():
        tensor.add_(spread * torch.randn(tensor.shape, generator=noise))
    return made


def about(model, method, task, seed, **changes):
    """The card as the job of a study writes it."""
    known = {
        "method": method, "settings": settings(method, METHODS[method] | QUICK, "mini"),
        "backbone": {"name": "tiny", "sha256": model.fingerprint},
        "task": task, "class_names": list(NAMES), "resize": "squash", "seed": seed,
    }  # fmt: skip
    return card.write(**known | changes)


def write(folder: Path, backbone, methods=("coop", "vpt", "upt"), tasks=("animals", "land"), seeds=(1, 2)) -> None:
    """prompts/<method>/seed<k>/<task>.safetensors, each another prompt."""
    for method in methods:
        for seed in seeds:
            for number, task in enumerate(tasks):
                path = folder / "prompts" / method / f"seed{seed}" / f"{task}.safetensors"
                prompt(backbone, method, 10 * seed + number).save(path, about(backbone, method, task, seed))

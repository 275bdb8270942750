"""What the sections work on: models on two devices, made-up tasks of a given size, and small differences. Knows no section."""

from __future__ import annotations

import copy
import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.model import Backbone, load, towers
from promptatlas.backbone.precision import FLOAT32, compute_in
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.task import Task

B16 = Architecture("ViT-B-16", "random", 512, True, 224, 16, 768, 12, 12, 512, 12, 8, 77, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
TINY = Architecture("tiny", "random", 48, True, 32, 8, 64, 3, 2, 64, 3, 2, 77, (0.5,) * 3, (0.5,) * 3)
SCALE = 100.0  # of OpenAI's weights
HELD = 8  # validation images of a task of noise
WORDS = "cat tabby siamese long haired red crested grey spotted northern Mustang Coupe Boeing 747-400 annual crop land".split()


@dataclass(frozen=True)
class Scene:
    """device: where the work is measured; tiny: everything as small as it can be; mini: the embedded model on the CPU; large: one of
    ViT-B/16's size with random weights, on `device`; study: folder of a finished study on the CPU, or None.
    """

    device: str
    tiny: bool
    mini: Backbone
    large: Backbone
    study: Path | None

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"

    def seconds(self, run: Callable[[], object], repeats: int = 3, warm: int = 1) -> list[float]:
        """By the clock, the device having finished; ascending."""
        for _ in range(warm):
            run()
        taken = []
        for _ in range(repeats):
            self.wait()
            started = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - started)
        return sorted(taken)

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def tidy(self) -> None:
        """Before a measurement of memory."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_mib(self) -> float | None:
        return torch.cuda.max_memory_allocated() / 2**20 if self.cuda else None


def placed(model: Backbone, device: str, precision: str = FLOAT32) -> Backbone:
    """A copy of a model of the CPU on another device, as that computes in a precision; `float64` names all of it on the CPU."""
    to = torch.float64 if device == "float64" else device
    text, vision = (copy.deepcopy(tower).to(to) for tower in (model.text, model.vision))
    compute_in(precision, text, vision)
    return replace(model, text=text, vision=vision, precision=precision)


def mini(folder: Path) -> Backbone:
    """The embedded model, exported to `folder` unless it is there already."""
    if not (folder / "backbone.safetensors").exists():
        from promptatlas.backbone import export

        folder.mkdir(parents=True, exist_ok=True)
        export.export("mini", "mini", folder)
    return load(folder)


def random(architecture: Architecture, words: Backbone, device: str) -> Backbone:
    """A model with random weights under which features are neither alike nor huge, and the tokenizer of `words`."""
    both = towers(architecture, 49408)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in both.modules():
            for name, value in part.named_parameters(recurse=False):
                centre = float(name == "weight" and isinstance(part, nn.LayerNorm))
                spread = 0.05 if value.dim() == 1 else 0.5 * value[0].numel() ** -0.5
                value.copy_(torch.randn(value.shape, generator=generator) * spread + centre)
    both = both.to(device)
    compute_in(FLOAT32, both["text"], both["visual"])  # type: ignore[arg-type]
    return Backbone(architecture, both["text"], both["visual"], words.tokenizer, SCALE, "random")  # type: ignore[arg-type]


def class_names(count: int) -> tuple[str, ...]:
    """Names of one to six words."""
    return tuple(" ".join(WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(1 + i % 6)) + f" {i}" for i in range(count))


class Noise:
    """A task of noise: what training and evaluation ask of a prepared one."""

    def __init__(self, classes: int, train: int, test: int, pixels: int, names: tuple[str, ...] | None = None) -> None:
        """names: of the classes, or made-up ones."""
        self.counts = {"train": train, "validation": HELD, "test": test}
        self.task = Task("noise", "noise", "any", names or class_names(classes), ("a photo of a {}.",), "accuracy", False)
        self.pixels = pixels

    def images(self, split: str) -> np.ndarray:
        shape = (self.counts[split], self.pixels, self.pixels, 3)
        return np.random.default_rng(len(split)).integers(0, 255, shape, dtype=np.uint8)

    def labels(self, split: str) -> np.ndarray:
        return np.arange(self.counts[split]) % len(self.task.class_names)

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def draws(self, learners: int) -> list[Draw]:
        """Of images that no two learners share, as seeds draw them."""
        held = np.arange(HELD)
        return [
            Draw(own, held, "validation", self.labels("train")[own], self.labels("validation")[held])
            for own in np.array_split(np.arange(self.counts["train"]), learners)
        ]


def operations() -> FlopCounterMode:
    """Counts floating-point operations inside, those of oneDNN's products too, which torch leaves out."""

    def frozen(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
        return 2 * math.prod(x) * weight[0]

    return FlopCounterMode(display=False, custom_mapping={torch.ops.mkldnn._linear_pointwise: frozen})


def distance(found: Tensor | np.ndarray, reference: Tensor | np.ndarray) -> float:
    """||found - reference|| / ||reference||, in float64 on the CPU; NaN passes nowhere."""
    a, b = (torch.as_tensor(one).detach().double().cpu() for one in (found, reference))
    return float((a - b).norm() / b.norm().clamp(min=1e-300))

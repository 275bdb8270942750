"""Learning rate by epoch, and the optimiser that settings ask for. Knows nothing of prompts."""

from __future__ import annotations

import math

from torch import Tensor

from promptatlas.training.optimisers import SGD, Adam, AdamW, Optimiser

ADAMS = {"adam": Adam, "adamw": AdamW}


def learning_rate(settings: dict, epoch: int) -> float:
    """Rate of the 0-based epoch: a constant warm-up, then a cosine that the warm-up does not consume.

    Dassl's `ConstantWarmupScheduler` over `CosineAnnealingLR`, stepped once per epoch: after w warm-up epochs, epoch t
    uses lr / 2 (1 + cos(pi (t - w) / epochs)), so the last epoch does not reach zero (MVLPT section 2).
    """
    warmup = settings["warmup_epochs"]
    if epoch < warmup:
        return settings["warmup_learning_rate"]
    return 0.5 * settings["learning_rate"] * (1 + math.cos(math.pi * (epoch - warmup) / settings["epochs"]))


def optimiser(settings: dict, parameters: list[Tensor]) -> Optimiser:
    """SGD with momentum (no Nesterov), Adam or AdamW, with a method's `epsilon`; weight decay on every learnable, as upstream."""
    rate, decay = settings["learning_rate"], settings["weight_decay"]
    if settings["optimizer"] in ADAMS:
        return ADAMS[settings["optimizer"]](parameters, rate, decay, settings.get("epsilon", 1e-8))
    return SGD(parameters, rate, decay, settings["momentum"])

"""How long the paper's study would take at the speeds that were measured: 20 x 20 tasks, CoOp, VPT and UPT, three seeds, ViT-B/16.

The amounts are those of the study's plan (2.45 EFLOP): for each method 109,600 steps of three learners with 32 images; VPT and UPT
answer 12.2 million pairs of image and prompt. Steps were measured with 100 classes, more than the study's tasks have on average.
Job starts are left out. Prediction: what arithmetic said before anything was measured on a GPU.
"""

from __future__ import annotations

from gpu_parts.ledger import Ledger
from gpu_parts.variants import VARIANTS

STEPS, PAIRS = 109_600, 12.2e6
PREDICTED = {
    "float32 by parts": 18.5, "float32": 16.1, "tf32 everywhere": 4.2, "float16": 2.7,
}  # fmt: skip


def measure(ledger: Ledger) -> None:
    """VPT and UPT together, as predicted; CoOp apart."""
    for variant in VARIANTS:
        parts = {}
        for method in ("vpt", "upt"):
            step, answers = ledger.found("steps", f"{method}, {variant}"), ledger.found("evaluations", f"{method}, {variant}")
            if step and answers:
                parts[f"{method} tuning"] = STEPS * step["ms"] / 3.6e6
                parts[f"{method} evaluation"] = PAIRS / answers["images and prompts per second"] / 3600
        if len(parts) == 4:
            ledger.row(f"vpt and upt, {variant}", hours=sum(parts.values()), predicted=PREDICTED.get(variant), **parts)
    for variant, predicted in (("float32", 0.6), ("tf32", 0.15)):
        if step := ledger.found("steps", f"coop, {variant}"):
            ledger.row(f"coop, {variant}", hours=STEPS * step["ms"] / 3.6e6, predicted=predicted)

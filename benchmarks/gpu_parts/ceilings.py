"""How fast the device multiplies matrices and moves memory: what everything else is a share of."""

from __future__ import annotations

from typing import Any

import torch

from gpu_parts.ledger import Ledger
from gpu_parts.scene import Scene
from gpu_parts.variants import _tf32

KINDS = {"float32": torch.float32, "tf32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def measure(scene: Scene, ledger: Ledger) -> None:
    size = 256 if scene.tiny else 8192
    for kind, dtype in KINDS.items():
        ledger.attempt(f"product {kind}", lambda kind=kind, dtype=dtype: _product(scene, kind, dtype, size))
    ledger.attempt("copy on the device", lambda: _copy(scene, 2**20 if scene.tiny else 2**31, scene.device, scene.device))
    if scene.cuda:
        for pinned in (False, True):
            name = "copy to the device" + (", pinned" if pinned else "")
            ledger.attempt(name, lambda pinned=pinned: _copy(scene, 2**29, "cpu", scene.device, pinned))


def _product(scene: Scene, kind: str, dtype: torch.dtype, size: int) -> dict[str, Any]:
    """Random numbers: zeros are faster."""
    a, b = (torch.randn(size, size, device=scene.device).to(dtype) for _ in range(2))
    out, times = torch.empty_like(a), 1 if scene.tiny else 10

    def run() -> None:
        for _ in range(times):
            torch.mm(a, b, out=out)

    if kind == "tf32":
        with _tf32():
            taken = scene.seconds(run, 5)
    else:
        taken = scene.seconds(run, 5)
    return {"tflops": 2 * size**3 * times / taken[2] / 1e12, "spread": taken[-1] / taken[0], "size": size}


def _copy(scene: Scene, count: int, start: str, end: str, pinned: bool = False) -> dict[str, Any]:
    """Bytes read and written on the device; only written where they come from the host."""
    source, target = torch.ones(count // 4, device=start), torch.empty(count // 4, device=end)
    source = source.pin_memory() if pinned else source
    taken = scene.seconds(lambda: target.copy_(source), 5)
    return {"gb_per_second": count * (2 if start == end else 1) / taken[2] / 1e9}

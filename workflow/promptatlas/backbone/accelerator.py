"""What holds on every device but the CPU: it computes on its own, and what goes there must not keep the host waiting.

A copy from memory that is not pinned waits for all work before it; so does a copy in the other direction, whatever the memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def is_accelerator(device: torch.device | str) -> bool:
    return torch.device(device).type != "cpu"


def sent(values: np.ndarray | Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """`values` of the host on `device`, as `dtype` if given; the copy is queued, and nobody waits for it."""
    held = torch.as_tensor(values)
    if device.type != "cuda":
        return held.to(device, dtype)
    return held.pin_memory().to(device, non_blocking=True).to(dtype or held.dtype)


class Fetch:
    """A tensor on its way to the host, after all that its device has to do before; nobody waits for it until it is `taken`."""

    def __init__(self, tensor: Tensor) -> None:
        self._held = tensor.to("cpu", non_blocking=tensor.is_cuda)  # pinned there
        self._arrived = torch.cuda.Event() if tensor.is_cuda else None
        if self._arrived is not None:
            self._arrived.record()

    def taken(self) -> Tensor:
        if self._arrived is None:
            return self._held
        self._arrived.synchronize()
        return self._held.clone()  # pinned memory is for what is on its way


def fetched(parts: Sequence[Tensor]) -> list[np.ndarray]:
    """Tensors of one type and one device on the host, by one copy: the device is waited for once."""
    whole = torch.cat([part.flatten() for part in parts]).cpu()
    each = whole.split([part.numel() for part in parts])
    return [own.view(part.shape).numpy() for own, part in zip(each, parts, strict=True)]

"""Private random number generators, each named by what it is for.

What a generator gives depends on its names alone, never on what else ran in the process, so a prompt tuned alone and the
same prompt tuned in a batch see the same numbers.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _seed(names: tuple[str | int, ...]) -> int:
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def named_rng(*names: str | int) -> np.random.Generator:
    """NumPy generator called `names`, e.g. ``named_rng("draw", seed, task)``."""
    return np.random.Generator(np.random.Philox(_seed(names)))


def torch_rng(*names: str | int) -> "torch.Generator":
    """CPU ``torch.Generator`` called `names`; torch is imported only here."""
    import torch

    return torch.Generator().manual_seed(_seed(names) % 2**63)

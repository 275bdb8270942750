"""Which errors say that a GPU has no memory left, whichever library asked for it, and what is told then.

Imports no torch: jobs that have no use for it start faster.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from promptatlas.base.errors import UserError

# What else than torch.OutOfMemoryError there is: CUDA itself (torch.AcceleratorError), cuBLAS, cuDNN and cuSOLVER, which ask for
# memory of their own.
_TOLD = re.compile(
    r"\b(?:CUDA|HIP)(?: driver)?(?: error:)? out of memory\b|\bcudaErrorMemoryAllocation\b"
    r"|\b(?:CUBLAS|CUSOLVER|CUDNN)_STATUS_ALLOC_FAILED\b|\bCUDNN_STATUS_INTERNAL_ERROR_(?:DEVICE|HOST)_ALLOCATION_FAILED\b",
    re.IGNORECASE,
)


def runs_out(error: BaseException) -> bool:
    """Whether `error` says that a GPU has no memory left; with less work at once there may be enough."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or bool(_TOLD.search(str(error)))


def tidy() -> None:
    """Gives back what the allocator keeps on a GPU in pieces too small for what comes."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@contextmanager
def told(sentence: str) -> Iterator[None]:
    """Inside, a GPU without memory is a UserError with this sentence."""
    try:
        yield
    except RuntimeError as error:
        if not runs_out(error):
            raise
        raise UserError(sentence) from error

"""Which device the work is done on and how much memory it took. Knows nothing of the work."""

import resource
import sys

import torch

from promptatlas.errors import UserError


def chosen(wanted: str, threads: int) -> str:
    """`wanted`, where `auto` is the GPU if there is one; on the CPU this process uses `threads` cores from here on."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # fingerprints say float32, on every device
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UserError("device is `cuda` in the configuration, but no GPU can be used here; set it to `auto` or `cpu`")
    return ("cuda" if available else "cpu") if wanted == "auto" else wanted


def peak_mib(device: str) -> float:
    """Most memory this process has held so far, in MiB: on the GPU if that is where it works."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

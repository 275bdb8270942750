"""Memory that was freed stays with the process, so that the next array of its size needs no new pages.

glibc gives back every array of more than 32 MiB when it is freed, and the system fills each new page with zeros: a fifth of the time
of a model of ViT-B/16's size on a CPU (docs/log.md). Other C libraries are left as they are. Numbers do not depend on it. It is for
the process of a job: whoever calls the library decides for a process of their own.
"""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of malloc.h
KEPT = 2**30  # bytes at most: what is free beyond that goes back
_OWN = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")  # how a user says it


def keep() -> bool:
    """From here on, for all of this process; False where nothing was changed, as there is no glibc or the user chose."""
    if sys.platform != "linux" or any(os.environ.get(name) for name in _OWN):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(_MMAP_MAX, 0)) and bool(library.mallopt(_TRIM_THRESHOLD, KEPT))

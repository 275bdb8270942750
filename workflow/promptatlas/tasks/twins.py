"""Which images of a task are the same: equal as prepared or, of those that no draw needs, equal as files.

An image that is not prepared is not decoded for this. Sizes are compared first, then the ends of files of equal size, and
only what is equal so far is read whole.
"""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from promptatlas.base.files import sha256
from promptatlas.tasks.listing import Images
from promptatlas.tasks.prepared import DIGEST_BYTES, Pool

UNKNOWN = -1
END = 4096


def same_images(pools: Mapping[str, Pool], images: Mapping[str, Images]) -> dict[str, np.ndarray]:
    """By split (P,) int64 for its whole pool: images with the same number are the same, also in different splits.

    UNKNOWN stands for an image that could not be compared: it is broken, or neither prepared nor a file of its own, or a
    test image that no prompt is tried on.
    """
    found = {split: np.full(len(pool.labels), UNKNOWN) for split, pool in pools.items()}
    digests = np.concatenate([pool.digests.reshape(-1, DIGEST_BYTES) for pool in pools.values()])
    _, numbers = np.unique(digests, axis=0, return_inverse=True)
    ends = np.cumsum([len(pool.index) for pool in pools.values()])[:-1]
    for (split, pool), own in zip(pools.items(), np.split(numbers.reshape(-1), ends), strict=True):
        found[split][pool.index] = own
    waiting = {split: _waiting(pool) for split, pool in pools.items() if split != "test" and split in images and len(pool.index)}
    if not any(map(len, waiting.values())):
        return found
    places = [(split, number) for split in waiting for number in (*pools[split].index.tolist(), *waiting[split].tolist())]
    places += [("test", number) for number in pools["test"].index.tolist()]
    keys = _equal_files([images[split].name(number) for split, number in places])
    known = {key: found[split][number] for (split, number), key in zip(places, keys, strict=True) if found[split][number] >= 0}
    for (split, number), key in zip(places, keys, strict=True):
        if key is not None and found[split][number] == UNKNOWN:
            found[split][number] = known.setdefault(key, len(digests) + len(known))
    return found


def _waiting(pool: Pool) -> np.ndarray:
    """Numbers of the images that are neither prepared nor known to be broken."""
    return np.setdiff1d(np.arange(len(pool.labels)), np.union1d(pool.index, pool.skipped).astype(np.int64))


def _equal_files(paths: Sequence[str]) -> list[Hashable]:
    """One key per path, the same for files with the same bytes; None where there is no file that can be read."""
    keys: list[Hashable] = [_size(path) for path in paths]
    for read in (_end, _whole):
        counts = Counter(keys)
        keys = [(path if counts[key] == 1 else read(path, key)) if key is not None else None for path, key in zip(paths, keys, strict=True)]
    return keys


def _size(path: str) -> int | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # of the second kind are names that no file can have
        return None
    return status.st_size or None if stat.S_ISREG(status.st_mode) else None


def _end(path: str, size: Any) -> Hashable:
    try:
        with open(path, "rb", buffering=0) as file:
            end = os.pread(file.fileno(), END, max(0, size - END))
    except OSError:
        return None
    return size, hashlib.sha256(end).digest()


def _whole(path: str, key: Any) -> Hashable:
    try:
        return sha256(path)
    except OSError:
        return None

"""What an epoch sees of the images that it could see. Knows nothing of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def images(count: int, settings: Mapping[str, Any]) -> int:
    """Of `count` images those that an epoch sees: all, or with `last_batch: dropped` those of whole batches, but of fewer images than
    one batch all (Dassl: drop_last where there are as many images as in a batch)."""
    size = settings["batch_size"]
    return count - count % size if settings.get("last_batch") == "dropped" and count >= size else count


def steps(count: int, settings: Mapping[str, Any]) -> int:
    """How many batches these are."""
    return -(-images(count, settings) // settings["batch_size"])

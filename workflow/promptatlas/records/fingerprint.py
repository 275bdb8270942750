"""Fingerprints: hashes over everything that determines a result, by name, and what differs between two."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(value: Any) -> str:
    """SHA-256 of any value JSON can hold, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """SHA-256 over named inputs, each a hash or a short text."""
    return digest(dict(inputs))


def changed(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Names of the inputs in which two fingerprints differ."""
    return sorted(name for name in {*stored, *current} if stored.get(name) != current.get(name))

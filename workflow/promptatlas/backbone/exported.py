"""The files of a frozen model in its exported folder. Knows nothing of what is in them."""

import hashlib
from pathlib import Path

WEIGHTS, ARCHITECTURE, TOKENIZER = "backbone.safetensors", "architecture.json", "tokenizer.json"
RECORD = "sha256.json"  # of the contents of the others
ANSWER = "known_answer.json"  # of an image tower that other libraries compute, to one image, when it was exported


def fingerprint(folder: Path) -> str:
    """SHA-256 of the weights and of the architecture."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, ARCHITECTURE):
        with open(Path(folder) / name, "rb") as file:
            while chunk := file.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()

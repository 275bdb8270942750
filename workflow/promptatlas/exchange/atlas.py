"""What makes the archive of a study an atlas that `promptatlas recommend` takes: a record of which backbone its prompts are for, where that
is to be had, and of every prompt file in it, beside the summaries of its tasks' features and the hashes of their images.

    {"version": 1, "study": ..., "promptatlas": ..., "precision": ..., "backbone": {"name", "model", "pretrained", "sha256"},
     "prompts": {file: sha256}, "features": {file: sha256}, "image_hashes": {file: sha256}}
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from promptatlas.base import json_record
from promptatlas.base.errors import UserError
from promptatlas.exchange import image_hashes, summaries
from promptatlas.study.study import Study

NAME = "atlas.json"
PARTS = ("backbone", "prompts")
BESIDE = {"features": summaries.NAME, "image_hashes": image_hashes.NAME}  # files of which it has the hashes, by key
MOST_BYTES = 128 * 2**20  # an atlas goes without a larger one of these


def written(study: Study, prompts: Mapping[str, str], beside: Mapping[str, str]) -> bytes:
    """The record of a finished study. prompts, beside: SHA-256 by name in the archive, of prompts and of the files BESIDE."""
    made = json.loads(study.paths.provenance_file.read_bytes())
    told = {
        "version": json_record.KNOWN,
        "study": study.name,
        "promptatlas": version("promptatlas"),
        "precision": study.config["precision"],
        "backbone": {
            "name": study.backbone.name,
            "model": study.config["backbone"]["model"],
            "pretrained": study.config["backbone"]["pretrained"],
            "sha256": made.get("backbone", {}).get("sha256"),
        },
        "prompts": dict(sorted(prompts.items())),
        **{key: {name: beside[name]} if name in beside else {} for key, name in BESIDE.items()},
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def read(content: bytes, path: Path) -> dict[str, Any]:
    """The record in the archive at `path`. UserError if it is none, or of a newer version."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        json_record.require_known(told, path)
    if not isinstance(told, dict) or not all(isinstance(told.get(part), dict) for part in PARTS):
        raise UserError(f"{path}: its {NAME} is damaged; fetch the archive again")
    return told

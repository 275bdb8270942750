"""The linear probes of a task, all seeds, as a JSON record. A seed whose probe failed has the score null and says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.base import json_record
from promptatlas.base.errors import FAILED, Failed
from promptatlas.records import cells
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.kind import Kind


def read_probes(path: Path) -> dict[str, Any]:
    """The linear probes of a task, all seeds; UserError if they are missing, damaged or of a newer version."""
    content = json_record.completed(json_record.read(path, "the probe"), {"fingerprint": ""})
    try:
        sound = isinstance(content["fingerprint"], str) and all("seed" in one and cells.sound_score(one) for one in content["probes"])
    except (LookupError, TypeError):
        sound = False
    if not sound:
        raise json_record.corrupt(path, "the probe")
    return content


class ProbeFile(Kind):
    """The file of the probes of a task. Its content is a row for each seed; it tells only the fingerprint of its inputs."""

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return {"inputs": self.fingerprint(path)}

    def fingerprint(self, path: Path) -> str:
        record = read_probes(path)
        if FAILED in record:
            raise Failed(str(record[FAILED]))
        return str(record["fingerprint"])

    def packed(self, content: list[dict[str, Any]], inputs: Mapping[str, Any]) -> bytes:
        return json.dumps({"fingerprint": fingerprint(inputs), "probes": content}, indent=1).encode()

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """about: `probes`, the rows of all seeds, those of which there is no probe with the reason."""
        return json.dumps({"fingerprint": "", "probes": about["probes"], FAILED: str(why)}, indent=1).encode()

    def changed(self, path: Path, inputs: Mapping[str, Any]) -> list[str]:
        return [] if self.fingerprint(path) == fingerprint(inputs) else ["inputs"]


PROBES = ProbeFile()

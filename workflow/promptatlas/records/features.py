"""The feature file of a task as a result: what each of its arrays was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import FAILED, Failed
from promptatlas.records.kind import Kind


class FeatureFile(Kind):
    """Its content are the arrays; its inputs the fingerprint of each."""

    suffix = "safetensors"

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return feature_file.marks(path)

    def packed(self, content: Mapping[str, np.ndarray], inputs: Mapping[str, Any]) -> bytes:
        return feature_file.packed(content, inputs)

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        return feature_file.packed({}, {FAILED: str(why)})


FEATURES = FeatureFile()

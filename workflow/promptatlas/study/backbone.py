"""Which frozen model a study uses: how tables and other people call it, and the files it is made from. Knows nothing of torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.backbone import preprocessing
from promptatlas.backbone.hub import HUB
from promptatlas.backbone.kinds import LOCAL, MINI, called
from promptatlas.backbone.origin import origin


class BackboneChoice:
    """What the configuration says under `backbone`."""

    def __init__(self, config: Mapping[str, Any]):
        self._model: str = config["backbone"]["model"]
        self._pretrained: str = config["backbone"]["pretrained"]

    @property
    def is_published(self) -> bool:
        return self._model != "mini"

    @property
    def name(self) -> str:
        """How the tables call the frozen model."""
        if self._model.startswith((LOCAL, HUB)):
            return called(self._model)
        if self._pretrained.startswith(HUB):
            return f"{self._model}/{self._pretrained.removeprefix(HUB)}"
        return self._model if self._pretrained == self._model else f"{self._model}/{Path(self._pretrained).name}"

    @property
    def weights(self) -> str:
        """The frozen model as others name it: the activation follows from the weights."""
        return f"{self._model}/{self._pretrained}".replace("-quickgelu/", "/")

    @property
    def interpolation(self) -> str:
        """How images are scaled for it, "bicubic" or "bilinear"."""
        return preprocessing.chosen(self._model, self._pretrained).interpolation if self.is_published else "bicubic"

    @property
    def commit(self) -> str:
        """Of weights on the hub, which of a repository's they are; empty for others, and where it is not known here."""
        held = origin(self._model, self._pretrained).hub if self.is_published else None
        return held.commit if held else ""

    @property
    def sources(self) -> list[Path]:
        """Files on this machine that the backbone is made from: a change of theirs makes it stale."""
        if self.is_published:
            return origin(self._model, self._pretrained).files
        folder = MINI if self._pretrained == "mini" else Path(self._pretrained)
        return [folder / "mini.safetensors", folder / "config.json"]

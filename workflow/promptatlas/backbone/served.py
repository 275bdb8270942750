"""Every model with weights that open_clip publishes, and which prompts it takes here: what docs/models.md holds and
`python -m promptatlas.backbone.served` prints. Made from open_clip's own list, without importing it.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby

from promptatlas.backbone import kinds, preprocessing, published
from promptatlas.backbone.origin import Origin

HEAD = """\
# Models

Written by `make docs` from open_clip's own list. `promptatlas models` prints the same, weights by weights, and `--csv` for machines.

{count}
Any of these names goes into `backbone.model` of a configuration, and a name of weights into `backbone.pretrained`; a file or a folder
of weights serves in place of the latter, and models from elsewhere serve, too ([published tasks and models](published.md#models)).

* *text*: methods with prompts in the text tower, adapters, zero-shot scores and linear probes.
* *text and visual*: all methods. Prompts can enter the image tower, and answers stay those of the published model to 1e-5.

Images are fitted to the model as its weights were trained: `crop` scales the short side and cuts out the centre, `squash` scales both
sides.

| model | weights | prompts | images | why no others |
|---|---|---|---|---|
"""
ALL, TEXT_ONLY, NONE = "text and visual", "text", "none"


@dataclass(frozen=True)
class ServedModel:
    """Published weights. prompts: "text and visual", "text" or "none"; reason: why not more; image_size: in pixels; resize and
    interpolation: how images are fitted to it."""

    model: str
    pretrained: str
    prompts: str
    reason: str
    image_size: int
    resize: str
    interpolation: str

    @property
    def images(self) -> str:
        return f"{self.image_size} px, {self.resize}, {self.interpolation}"


def every(part: str = "") -> list[ServedModel]:
    """All weights of all models whose name has `part` in it, upper and lower case alike, in the order of their names."""
    return [_served(model, tag) for model in kinds.names() if part.lower() in model.lower() for tag in published.tags(model)]


def _served(model: str, tag: str) -> ServedModel:
    own, seen = kinds.of(model), preprocessing.of(model, Origin(tag=tag), published.entry(model, tag))
    prompts = NONE if own.refused else TEXT_ONLY if own.closed else ALL
    return ServedModel(model, tag, prompts, own.refused or own.closed, kinds.image_size(model), seen.resize, seen.interpolation)


def counted(rows: Sequence[ServedModel]) -> str:
    """How many take which prompts, in a sentence."""
    text, visual = (sum(row.prompts in kept for row in rows) for kept in ((ALL, TEXT_ONLY), (ALL,)))
    return f"{text} of {len(rows)} published weights take text prompts, and {visual} of them visual prompts, too."


def lines(rows: Sequence[ServedModel]) -> list[str]:
    """For a screen, one line for each weights."""
    cells = [("model", "weights", "prompts", "images"), *((row.model, row.pretrained, row.prompts, row.images) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    reasons = [f"{', '.join(models)}: {reason}" for reason, models in _reasons(rows)]
    return [*aligned, "", *reasons, *([""] if reasons else []), counted(rows)]


def table(rows: Iterable[ServedModel]) -> str:
    """The same as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(ServedModel)])
    writer.writerows(map(astuple, rows))
    return text.getvalue()


def page() -> str:
    """In Markdown, one row for each model and way to see images."""
    rows = every()
    whole = [HEAD.format(count=counted(rows))]
    for (model, prompts, images, reason), own in groupby(rows, key=lambda row: (row.model, row.prompts, row.images, row.reason)):
        whole.append(f"| {model} | {', '.join(row.pretrained for row in own)} | {prompts} | {images} | {reason} |\n")
    return "".join(whole)


def _reasons(rows: Iterable[ServedModel]) -> list[tuple[str, list[str]]]:
    """What keeps which models from more, in order of appearance."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.reason:
            found.setdefault(row.reason, {})[row.model] = None
    return [(reason, [*models]) for reason, models in found.items()]


if __name__ == "__main__":
    print(page(), end="")

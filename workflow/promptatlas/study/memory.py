"""About how much memory a job needs, from the sizes of its tasks and of its model, before anything is computed.

Knows nothing of torch and of time. NOT counted: images of test splits, which are mapped from their files and given back when others
need the room.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptatlas.backbone import kinds, timm_clip
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.parts import TEXT, VISION
from promptatlas.study.costs import StepMemory
from promptatlas.study.jobs import ComputeJob, EncodeJob, MethodJob, TryJob, TuneJob
from promptatlas.study.scope import Scope
from promptatlas.study.sizes import Size

FLOAT, MIB = 4, 2**20
# Bytes that a step keeps for its way back, for each token, layer and feature of a tower; tests/study/test_memory_of_jobs.py counts them.
# A CPU and a GPU compute attention in different forms. In half precision a GPU keeps only norms and the residual stream in float32.
TEXT_KEPT = {"cpu": 33.0, "cuda": 52.0}
IMAGE_KEPT = {"cpu": 36.0, "cuda": 46.0}
IMAGE_KEPT_IN_HALF = {"cpu": 36.0, "cuda": 26.0}
PASSING = 20 * FLOAT  # bytes on the way forward alone, for each token and feature of the one layer that is computed
ENCODED_AT_ONCE = 256  # images
STARTED = 1000 * MIB  # a process with torch and all that a job imports; 820 to 940 were measured with the embedded model
ANSWERS = 512 * MIB  # logits that are there at a time, before and after they are softened
MARGIN, ROUND = 1.25, 500
PROMPTED = ("vit", "clipa")  # image towers whose layers are computed here
# Words in the names of timm's models -> numbers of the largest that open_clip has a model with; the first word that is in a name counts.
LARGEST = 4_400_000_000
NAMED_SIZES = {
    "enormous": LARGEST, "gigantic": 1_900_000_000, "giantopt": 1_200_000_000, "giant": 1_050_000_000, "xxlarge": 870_000_000,
    "so400m": 450_000_000, "xlarge": 450_000_000, "large": 350_000_000, "mci4": 330_000_000, "mci3": 130_000_000, "base": 110_000_000,
    "medium": 50_000_000, "small": 60_000_000, "tiny": 40_000_000, "mci": 50_000_000,
}  # fmt: skip


@dataclass(frozen=True)
class Towers:
    """What memory depends on of a model. tokens: of an image; no layers: of an image tower that takes no prompts; vocabulary: rows of the
    table of tokens; image_weights: how many numbers the image tower has, at least.
    """

    embed_dim: int
    pixels: int
    tokens: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    vocabulary: int = int(TEXT["vocab_size"])
    image_weights: int = 0

    @classmethod
    def of(cls, model: Architecture) -> Towers:
        """For what a step keeps, on which weights have no influence."""
        is_vit = model.kind in PROMPTED
        tokens = (model.image_size // model.patch_size) ** 2 + 1 if is_vit else 1
        width, layers = (model.vision_width, model.vision_layers) if is_vit else (0, 0)
        return cls(model.embed_dim, model.image_size, tokens, width, layers, model.text_width, model.text_layers)

    @classmethod
    def described(cls, model: str) -> Towers:
        """By the name of a model, from open_clip's description of it; a text tower that is described elsewhere is as large as CLIP's."""
        about = kinds.description(model)
        vision, text = VISION | timm_clip.plain(about["vision_cfg"]), TEXT | about["text_cfg"]
        pixels, is_vit = vision["image_size"], kinds.kind(model) in PROMPTED
        tokens = (pixels // vision["patch_size"]) ** 2 + 1 if is_vit else 1
        width, layers = (vision["width"], vision["layers"]) if is_vit else (0, 0)
        beside = 0 if is_vit else image_weights(vision)
        return cls(about["embed_dim"], pixels, tokens, width, layers, text["width"], text["layers"], text["vocab_size"], beside)

    @property
    def weights(self) -> int:
        """Bytes."""
        image = 12 * self.vision_layers * self.vision_width**2 + self.image_weights
        return FLOAT * (image + 12 * self.text_layers * self.text_width**2 + self.vocabulary * self.text_width)


def image_weights(vision: Mapping[str, Any]) -> int:
    """About how many numbers an image tower has that takes no prompts, rather too many, from its description in open_clip's form.

    Of one that is timm's only the name is known: as many as the largest have that say the same of their size.
    """
    if name := vision.get("timm_model_name"):
        return next((count for size, count in NAMED_SIZES.items() if size in name), LARGEST)
    width, layers = vision["width"], vision["layers"]
    if isinstance(layers, int):
        return int(13 * layers * width**2 * (1 if vision["mlp_ratio"] <= 4 else vision["mlp_ratio"] / 4)) + 30 * 2**20
    blocks = sum(18 * count * (width * 2**stage) ** 2 for stage, count in enumerate(layers))  # bottlenecks, 17 times their inner width
    return int(blocks + 4 * (32 * width) ** 2)


def step_bytes(step: StepMemory, towers: Towers, device: str, precision: str) -> float:
    """What the largest step keeps for its way back. device: "cpu" or "cuda"."""
    images = IMAGE_KEPT_IN_HALF if precision == "float16" else IMAGE_KEPT
    text = TEXT_KEPT[device] * step.tokens * towers.text_width * towers.text_layers
    return text + images[device] * step.images * towers.tokens * towers.vision_width * towers.vision_layers


def host_mib(scope: Scope, job: ComputeJob, sizes: Mapping[str, Size]) -> int:
    """What a job holds in the memory of its machine, with a margin. What it computes counts unless that is on a GPU for sure."""
    towers, step = Towers.described(scope.config["backbone"]["model"]), job.step(sizes)
    own = [sizes[task] for task in _tasks(scope, job)]
    weights = max(towers.weights, _exported(scope))
    held: float = STARTED + 2 * weights * job.runs_model + 2 * FLOAT * towers.embed_dim * max(size.images for size in own)
    if isinstance(job, MethodJob) and not isinstance(job, TuneJob):
        held += ANSWERS
    if step.images:  # those of the draws of a task are looked at again and again, each held once
        held += 3 * towers.pixels**2 * len(scope.seeds) * max(size.train + size.validation for size in own)
    if isinstance(job, TryJob):
        every = sum(1 for _ in job.prompts(job.targets[0]))
        held += 2 * FLOAT * every * max(size.tried * size.classes for size in own)
    if scope.config["device"] != "cuda":
        held += step_bytes(step, towers, "cpu", scope.config["precision"])
        if isinstance(job, EncodeJob):
            most = min(ENCODED_AT_ONCE, max(size.images for size in own))
            held += PASSING * most * towers.tokens * towers.vision_width
    return ROUND * math.ceil(MARGIN * held / MIB / ROUND)


def _exported(scope: Scope) -> int:
    """Bytes of the weights that were made for the study; 0 before they are."""
    path = scope.paths.backbone_files[0]
    return path.stat().st_size if path.is_file() else 0


def _tasks(scope: Scope, job: Any) -> tuple[str, ...]:
    """The tasks that a job works on; all, if it does not say."""
    return getattr(job, "tasks", None) or getattr(job, "targets", None) or scope.tasks

"""A trained prompt taken away: from its one file to a classifier of any images.

>>> classifier = promptatlas.load_prompt("shapes.safetensors").classifier()
>>> print(classifier(["a.png", "b.png"]).labels)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from promptatlas import backbone as backbones
from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.passes import in_passes
from promptatlas.backbone.precision import FLOAT32, PRECISIONS
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line, printable
from promptatlas.exchange.learner_files import instead
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks.decoding import RESIZES, fitted
from promptatlas.tasks.readers.files import opened

ImageLike = Image.Image | np.ndarray | str | Path
IMAGES_PER_PASS = 64


def load_prompt(path: str | Path) -> Prompt:
    """The prompt in a file that a study or `promptatlas import-prompt` wrote. Raises UserError for any other file."""
    if told := instead(path):
        raise UserError(told)
    trained, metadata = TunedPrompt.load(path)
    try:
        return Prompt(Path(path), trained, card.read(metadata))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a whole prompt file ({error}); fetch it again or train it again.") from error


@dataclass(frozen=True)
class Prompt:
    """A trained prompt; card: what it was trained with, see `promptatlas.records.card`."""

    path: Path
    trained: TunedPrompt
    card: dict[str, Any]

    def classifier(
        self,
        class_names: Sequence[str] | None = None,
        backbone: str | Path | Backbone | None = None,
        device: str = "cpu",
        resize: str | None = None,
        precision: str | None = None,
    ) -> Classifier:
        """A classifier of images, into the classes that the prompt was trained on if no others are given.

        backbone: the exported folder, if it is not the folder `backbone` of the study in which the prompt lies; resize:
        "crop" or "squash", if not as the prompt was trained; precision: "float32", "tf32" or "float16", in which the backbone
        multiplies; None: float32, or that of a loaded backbone. Another one than the prompt was trained in is warned of. Raises
        UserError if the backbone is not the prompt's own.
        """
        names = self._names(class_names)
        model = self._model(backbone, device, precision)
        self._agrees(model)
        fitting = resize or self.card["resize"] or "crop"
        if fitting not in RESIZES:
            raise UserError(f"resize: {fitting!r} is neither 'crop' nor 'squash'; choose one of them.")
        return Classifier(model, names, self.trained.prompts, fitting)

    def _model(self, given: str | Path | Backbone | None, device: str, precision: str | None) -> Backbone:
        if precision not in (None, *PRECISIONS):
            raise UserError(f"precision: {precision!r} is none of {', '.join(PRECISIONS)}; choose one of them.")
        model = given if isinstance(given, Backbone) else backbones.load(self._folder(given), device, precision or FLOAT32)
        if precision not in (None, model.precision):
            raise UserError(f"the backbone computes in {model.precision}, not in {precision}; load it in that, or leave precision out.")
        if self.card["precision"] not in (None, model.precision):
            warnings.warn(
                f"{self.path} was trained in {self.card['precision']} and is used in {model.precision}: scores may differ a little; "
                f"classifier(precision={self.card['precision']!r}) computes as its study does.",
                stacklevel=3,
            )
        return model

    def _names(self, given: Sequence[str] | None) -> tuple[str, ...]:
        if given is None and self.card["class_names"] is None:
            raise UserError(f"{self.path} does not say which classes it was trained on; give classifier(class_names).")
        names = self.card["class_names"] if given is None else given
        if isinstance(names, str) or not all(isinstance(name, str) and name.strip() for name in names):
            raise UserError("class_names is not a list of texts; give one name per class.")
        if not len(names) or len(set(names)) < len(names):
            raise UserError("class_names is empty or names a class twice; give every class one name.")
        return tuple(names)

    def _folder(self, given: str | Path | None) -> Path:
        if given is not None:
            folder = Path(given)
            if not (folder / backbones.WEIGHTS).is_file():
                raise UserError(f"{folder} is no exported backbone; give the folder `backbone` of a study.")
            return folder
        above = (parent / "backbone" for parent in self.path.absolute().parents)
        for folder in above:
            if (folder / backbones.WEIGHTS).is_file():
                return folder
        raise UserError(
            f"no backbone lies beside {self.path}{_named(self.card)}; give classifier(backbone=...) the folder `backbone` "
            "of a study, or write one with `promptatlas export-backbone`."
        )

    def _agrees(self, model: Backbone) -> None:
        """The backbone's hash, or where the file does not say it at least its shape."""
        learned_with = (self.card["backbone"] or {}).get("sha256")
        if learned_with not in (None, model.fingerprint):
            raise UserError(
                f"{self.path} was trained with another backbone{_named(self.card)} (SHA-256 {learned_with[:12]}) than the "
                f"one given ({model.architecture.name}, SHA-256 {model.fingerprint[:12]}); give the one it was trained with."
            )
        if misfit := misfitting(self.trained.prompts, model):
            name = model.architecture.name
            raise UserError(f"{self.path} does not fit the backbone {name}: {misfit}; give its own backbone.")


@dataclass(frozen=True)
class Answer:
    """logits and probabilities (N, C) float32; labels: the most probable class of each image."""

    logits: np.ndarray
    probabilities: np.ndarray
    labels: list[str]


class Classifier:
    """Images of any size -> `Answer`. Class weights are computed once, where they do not depend on the image."""

    def __init__(self, backbone: Backbone, class_names: tuple[str, ...], prompts: Prompts, resize: str) -> None:
        self.class_names, self.backbone, self.resize = class_names, backbone, resize
        with torch.no_grad(), memory.told("GPU memory runs out with one class name; pass device='cpu', or use a GPU with more memory."):
            self._prompts = prompts.to(backbone.device)
            self._prompted = PromptedClassifier(backbone, class_names, self._prompts)
            self._weights = None if prompts.meta else self._prompted.class_features(self._prompts)

    @torch.no_grad()
    def __call__(self, images: ImageLike | Iterable[ImageLike]) -> Answer:
        """PIL images, uint8 arrays (H, W, 3) or paths of files; one alone is a list of one. Raises UserError."""
        alone = isinstance(images, (Image.Image, str, Path)) or (isinstance(images, np.ndarray) and images.ndim == 3)
        several: Any = [images] if alone else images
        waiting, parts = list(several), [torch.empty(0, len(self.class_names))]
        for start in range(0, len(waiting), IMAGES_PER_PASS):
            read = [self._read(image) for image in waiting[start : start + IMAGES_PER_PASS]]
            parts += self._in_passes(np.stack(read))
        logits = torch.cat(parts)
        labels = [self.class_names[i] for i in logits.argmax(-1).tolist()]
        return Answer(logits.numpy(), logits.softmax(-1).numpy(), labels)

    def _in_passes(self, images: np.ndarray) -> list[Tensor]:
        """Scaled cosines (B, C) of uint8 images (N, R, R, 3), as many at once as fit."""

        def some(part: slice) -> Tensor:
            return self._logits(self.backbone.vision.read(images[part])).float().cpu()

        with memory.told("GPU memory runs out with one image; pass device='cpu', or use a GPU with more memory."):
            return in_passes(some, len(images), IMAGES_PER_PASS, self.backbone.room, "images with a prompt")

    def _logits(self, images: Tensor) -> Tensor:
        """Scaled cosines (B, C) of normalised images (B, 3, R, R)."""
        vision, prompts = self.backbone.vision, self._prompts
        if prompts.visual is None:
            features = vision.encode(images).unsqueeze(0)
        else:
            features = self._prompted.image_features(prompts, vision.embed(images).unsqueeze(0))
        return self._prompted.answer(prompts, features, self._weights)[0]

    def _read(self, image: ImageLike) -> np.ndarray:
        """uint8 (R, R, 3)."""
        size = self.backbone.vision.image_size
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                shape = "x".join(map(str, image.shape))
                raise UserError(f"an image is an array of {image.dtype}, {shape}; give uint8 values, height x width x 3.")
            image = Image.fromarray(image)
        if not isinstance(image, (Image.Image, str, Path)):
            raise UserError(f"an image is of type {type(image).__name__}; give PIL images, uint8 arrays or paths.")
        try:
            read = image if isinstance(image, Image.Image) else opened(image)
            return fitted(read, size, self.resize, self.backbone.architecture.interpolation)
        except Exception as error:  # Pillow raises many kinds; each is an image that cannot be read
            called = "an image" if isinstance(image, Image.Image) else f"the image {printable(str(image))}"
            raise UserError(f"{called} cannot be read ({one_line(error, 1000)}); give another or fetch it again.") from error


def misfitting(prompts: Prompts, model: Backbone) -> str:
    """Why these prompts cannot enter this backbone, in a few words; empty if they can."""
    a = model.architecture
    if prompts.visual is not None and not a.takes_visual_prompts:
        return "it has visual prompts, which need a vision transformer"
    for tensor, side, width, layers in (
        (prompts.text, "text", a.text_width, a.text_layers),
        (prompts.visual, "visual", a.vision_width, a.vision_layers),
    ):
        if tensor is not None and tensor.shape[-1] != width:
            return f"its {side} prompts have {tensor.shape[-1]} features and not {width}"
        if tensor is not None and tensor.shape[1] > layers:
            return f"its {side} prompts are for {tensor.shape[1]} layers and not {layers}"
    for net in (prompts.meta, prompts.class_net, prompts.adapter):
        if net and net[0].shape[2] != a.embed_dim:
            return f"its net reads {net[0].shape[2]} features and not {a.embed_dim}"
    if prompts.class_net and prompts.class_layer >= a.text_layers:
        return f"its class vectors enter layer {prompts.class_layer} and not one of {a.text_layers}"
    return ""


def _named(known: dict[str, Any]) -> str:
    name = (known["backbone"] or {}).get("name")
    return f" ({name})" if name else ""

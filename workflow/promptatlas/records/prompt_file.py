"""A trained prompt on disk: its parameters, the tensors that enter the towers, its tuning curve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import require_known
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.kind import Kind

POSITIONS = ("end", "middle", "front")

# What reading raises on a file that is cut off, changed, or was never a prompt file.
_DAMAGE = (OSError, SafetensorError, LookupError, TypeError, AttributeError, ValueError, RuntimeError)


class NoPrompt(UserError):
    """A whole file of something else, which is nobody's to delete."""


@dataclass(frozen=True)
class TunedPrompt:
    """One source prompt.

    parameters: the method's learnables at the chosen epoch; prompts: what they give (K = 1); history: a row per epoch
    (epoch, loss, learning_rate, validation_score); best_epoch: the chosen one, 1-based; seconds: share of its batch.
    """

    method: str
    parameters: dict[str, Tensor]
    prompts: Prompts
    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0

    def fingerprint(self) -> str:
        return self.prompts.fingerprint()

    def parameter_fingerprint(self) -> str:
        """SHA-256 of the learnables, on which further tuning depends."""
        digest = hashlib.sha256(self.method.encode())
        for name in sorted(self.parameters):
            tensor = self.parameters[name].detach().cpu().contiguous()
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path, metadata: Mapping[str, str]) -> None:
        """Write `packed`."""
        replace(Path(path), self.packed(metadata))

    def packed(self, metadata: Mapping[str, str]) -> bytes:
        """One safetensors file; `metadata` is stored beside the method's own."""
        tensors = {f"parameters.{name}": value for name, value in self.parameters.items()}
        tensors |= {f"prompts.{name}": value for name, value in self.prompts.tensors().items()}
        own = {
            "method": self.method,
            "position": self.prompts.position,
            "template": self.prompts.template,
            "words": self.prompts.words,
            "before_norm": str(self.prompts.before_norm),
            "history": json.dumps(self.history),
            "best_epoch": str(self.best_epoch),
            "seconds": f"{self.seconds:.6f}",
        }
        if self.prompts.class_net:
            own["class_layer"] = str(self.prompts.class_layer)
        return save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {**metadata, **own})

    @staticmethod
    def load(path: str | Path) -> tuple[TunedPrompt, dict[str, str]]:
        """The prompt and all metadata. Raises UserError for a missing or damaged file, Failed for one that says why it is none."""
        with _opened(path) as (file, metadata):
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            prompts = _manner(metadata).with_tensors(_below("prompts.", tensors))
            parameters = _below("parameters.", tensors)
            trained = TunedPrompt(
                metadata["method"], parameters, prompts, json.loads(metadata.get("history", "[]")),
                int(metadata.get("best_epoch", 0)), float(metadata.get("seconds", 0)),
            )  # fmt: skip
            _check(trained)
        return trained, metadata


@dataclass(frozen=True)
class Outline:
    """What a prompt file says without its tensors being read.

    metadata: all of it; manner: as `Prompts.manner`; shapes: by name of the tensors that enter the towers; trainable: whether the
    file has learnables to start from.
    """

    metadata: Mapping[str, str]
    manner: tuple[str, str, str, bool, int]
    shapes: Mapping[str, tuple[int, ...]]
    trainable: bool


def outline(path: str | Path) -> Outline:
    """Raises as `TunedPrompt.load`, but for what only the numbers tell."""
    with _opened(path) as (file, metadata):
        names = list(file.keys())
        shapes = {name.removeprefix("prompts."): tuple(file.get_slice(name).get_shape()) for name in names if name.startswith("prompts.")}
        return Outline(metadata, _manner(metadata).manner(), shapes, any(name.startswith("parameters.") for name in names))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The file and its metadata. Whatever a damaged file raises inside is one UserError; NoPrompt, which is one, for
    a whole file of something else, Failed for one that says why it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            require_known(metadata, path)
            if FAILED in metadata:
                raise Failed(metadata[FAILED])
            if not any(name.startswith("prompts.") for name in file.keys()):
                raise NoPrompt(f"{path} holds something else than a prompt; name a file below `prompts` in the folder of a study")
            yield file, metadata
    except FileNotFoundError as error:
        raise UserError(f"the prompt file {path} does not exist; give the path of one, or run the study.") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not a whole prompt file ({reason}); delete it and run again.") from error


def _manner(metadata: Mapping[str, str]) -> Prompts:
    """How the tensors of a file enter the towers, without any."""
    return Prompts(
        position=metadata["position"], template=metadata["template"],
        words=metadata.get("words", ""), before_norm=metadata.get("before_norm") == "True", class_layer=int(metadata.get("class_layer", 0)),
    )  # fmt: skip


class PromptFile(Kind):
    """The file of a prompt. Its content is the prompt and what else its metadata tell."""

    suffix = "safetensors"

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return dict(json.loads(TunedPrompt.load(path)[1].get("parts", "{}")))

    def fingerprint(self, path: Path) -> str:
        return TunedPrompt.load(path)[1].get("fingerprint", "")

    def packed(self, content: tuple[TunedPrompt, Mapping[str, str]], inputs: Mapping[str, Any]) -> bytes:
        prompt, told = content
        made_from = {"fingerprint": fingerprint(inputs), "parts": json.dumps(dict(inputs), sort_keys=True)}
        return prompt.packed({**made_from, **told})

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """A file without tensors. about: the method."""
        return save({}, {"method": about["method"], FAILED: str(why), "history": "[]"})


PROMPT = PromptFile()


def _check(trained: TunedPrompt) -> None:
    """Raises ValueError for a file that is whole but holds no prompt that the towers could read."""
    held, prompts = trained.prompts.tensors(), trained.prompts
    nets = [(name, tensor) for name, tensor in held.items() if name.startswith(("meta", "class_net"))]
    if prompts.position not in POSITIONS or "{}" not in prompts.template:
        raise ValueError("no such place for the class name")
    if not ({"text", "visual", "adapter.0"} & held.keys()) or (nets and prompts.text is None):
        raise ValueError("it holds no prompt")
    shapes = (_net_shapes(prompts) if nets else {}) | (_adapter_shapes(prompts) if prompts.adapter else {})
    for name, tensor in held.items():
        expected = shapes[name] == tuple(tensor.shape) if name in shapes else tensor.dim() == 4 and len(tensor) == 1
        if not expected or not tensor.numel():
            raise ValueError(f"{name} has the shape {tuple(tensor.shape)}")
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            raise ValueError(f"{name} is not float32 numbers")
    for name, tensor in trained.parameters.items():
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            raise ValueError(f"{name} is not float32 numbers")
    rows = trained.history
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("its history is no table")


def _net_shapes(prompts: Prompts) -> dict[str, tuple[int, ...]]:
    """Shapes that the four tensors of `Prompts.meta` and of `class_net` have if they agree with each other and with the text prompt."""
    if prompts.text is None:
        raise ValueError("it has a net and no text prompt")
    found: dict[str, tuple[int, ...]] = {}
    width = prompts.text.shape[-1]
    for net, out in (("meta", width), ("class_net", prompts.text.shape[-2] * width)):
        if own := getattr(prompts, net):
            hidden, embed = own[0].shape[1], own[0].shape[2]
            shapes = ((1, hidden, embed), (1, hidden), (1, out, hidden), (1, out))
            found |= {f"{net}.{i}": shape for i, shape in enumerate(shapes)}
    if prompts.class_net and prompts.class_layer < 1:
        raise ValueError("its class vectors have no place")
    return found


def _adapter_shapes(prompts: Prompts) -> dict[str, tuple[int, ...]]:
    """Shapes that the three tensors of `Prompts.adapter` have if they agree with each other."""
    hidden, embed = prompts.adapter[0].shape[1:]
    return {"adapter.0": (1, hidden, embed), "adapter.1": (1, embed, hidden), "adapter.2": (1, 1)}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

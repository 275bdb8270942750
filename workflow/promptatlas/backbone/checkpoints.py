"""Published and local files of weights as one flat state dict: OpenAI's archives, open_clip's training checkpoints,
bare state dicts, safetensors, also under the names of the transformers library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from promptatlas.backbone import torch_files, transformers_weights
from promptatlas.base.errors import UserError

_OPENAI = {"input_resolution", "context_length", "vocab_size"}  # numbers that OpenAI's code stores among its weights
_UNUSED = {"attn_mask", "logit_bias", "num_batches_tracked", "position_ids"}  # nothing that enters a feature


@dataclass(frozen=True)
class Checkpoint:
    """weights: open_clip's name -> tensor as published, in the file's precision; openai: whether OpenAI's own code wrote them."""

    weights: dict[str, Tensor]
    openai: bool

    def flat(self, captions: bool = False) -> Checkpoint:
        """The same with the text tower's weights beside the others, as the oldest files have it, and not below `text.`.

        captions: whether there is a decoder, too, which writes captions and enters no feature.
        """
        kept = {name: value for name, value in self.weights.items() if not (captions and name.startswith("text_decoder."))}
        return Checkpoint({name.removeprefix("text."): value for name, value in kept.items()}, self.openai)


def read(path: Path) -> Checkpoint:
    """All weights of a file. Raises UserError if it is damaged, holds more than tensors, or no state dict."""
    weights = torch_files.state_dict(_contents(path))
    if not weights:
        raise UserError(f"backbone: {path} holds no state dict; give a file of weights that open_clip can load.")
    openai = set(weights) >= _OPENAI
    weights = transformers_weights.renamed({key: value for key, value in used(weights).items() if key not in _OPENAI})
    if "logit_scale" in weights:
        weights["logit_scale"] = weights["logit_scale"].reshape(())  # some checkpoints keep it as a list of one
    return Checkpoint(weights, openai)


def used(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the masks and counters that open_clip keeps among a model's weights."""
    return {key: value for key, value in weights.items() if key.split(".")[-1] not in _UNUSED}


def _contents(path: Path) -> object:
    with open(path, "rb") as file:
        if file.read(23) == b"version https://git-lfs":
            raise UserError(f"backbone: {path} is a Git LFS pointer, not the weights; fetch them with `git lfs pull`.")
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch_files.read(path)
    except torch_files.Refused as error:
        raise UserError(
            f"backbone: {path} is no file of weights or holds other objects than tensors, which could run code; save "
            "its state dict alone, best as .safetensors."
        ) from error
    except (torch_files.Damaged, SafetensorError, OSError, ValueError) as error:
        raise UserError(f"backbone: {path} is truncated or no file of weights; fetch it again.") from error


def fitting(checkpoint: Checkpoint, shapes: dict[str, tuple[int, ...]], path: Path, model: str) -> dict[str, Tensor]:
    """The weights, if they are those of `model`: exactly the names and shapes in `shapes`. Raises UserError."""
    weights = checkpoint.weights
    missing = [name for name in shapes if name not in weights]
    extra = [name for name in weights if name not in shapes]
    other = [name for name in shapes if name in weights and tuple(weights[name].shape) != shapes[name]]
    if not (missing or extra or other):
        return weights
    parts = []
    if other:
        name = other[0]
        parts.append(f"{name} is {_size(weights[name].shape)} and not {_size(shapes[name])}{_more(other)}")
    if missing:
        parts.append(f"{missing[0]} is missing{_more(missing)}")
    if extra:
        parts.append(f"{extra[0]} has no place{_more(extra)}")
    raise UserError(f"backbone: {path} does not hold the weights of {model!r}: {', '.join(parts)}; name the model that it was trained as.")


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""

"""The tensors that enter the two towers, or change the image features that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from promptatlas.backbone.block import ACTIVATIONS

NETS = {"meta": 4, "class_net": 4, "adapter": 3}  # fields of several tensors, and how many


@dataclass(frozen=True)
class Prompts:
    """K prompts side by side.

    text: (K, depth, n, text width) context vectors, or None. Entry [:, 0] joins the token embeddings; entry [:, l]
        replaces the same positions at the input of text layer l.
    visual: (K, depth, n, vision width) prompt tokens, or None. Entry [:, l] is present at the input of vision layer l;
        after the last entry the tokens of that layer evolve freely (shallow prompts have depth 1).
    position: where the class name stands among the context vectors: "end", "middle" or "front".
    template: the fixed sentence around the class name when `text` is None, e.g. "a photo of a {}.".
    words: fixed words between the context vectors and the class name, e.g. "of a".
    before_norm: whether visual[:, 0] joins the patches before the tower's first norm (MaPLe) or after it (VPT).
    meta: W_1 (K, h, e), b_1 (K, h), W_2 (K, d_text, h), b_2 (K, d_text) of a net whose output for a unit image feature is
        added to every vector of text[:, 0] (CoCoOp); empty if the context is the same for all images.
    class_net: W_1 (K, h, e), b_1 (K, h), W_2 (K, n d_text, h), b_2 (K, n d_text) of a net that makes n vectors of the frozen unit feature
        of each class, read in `template`. They replace the context vectors of that class at the input of text layer `class_layer` (TCP).
    adapter: V_1 (K, h, e), V_2 (K, e, h), k (K, 1): a unit image feature f becomes k f + relu(V_2 relu(V_1 f)), of unit length again
        (CLIP-Adapter); empty if image features stay as the tower gives them.
    """

    text: Tensor | None = None
    visual: Tensor | None = None
    position: str = "end"
    template: str = "a photo of a {}."
    words: str = ""
    before_norm: bool = False
    meta: tuple[Tensor, ...] = ()
    class_net: tuple[Tensor, ...] = ()
    class_layer: int = 0
    adapter: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        if self.text is not None and self.visual is not None and len(self.text) != len(self.visual):
            raise ValueError(f"text holds {len(self.text)} prompts, visual {len(self.visual)}")
        if self.class_net and self.position != "end":
            raise ValueError("class vectors stand before the class names")

    def __len__(self) -> int:
        held = [*self.tensors().values()]
        return len(held[0]) if held else 1

    def __getitem__(self, rows: slice) -> Prompts:
        return self._each(lambda tensor: tensor[rows])

    def detach(self) -> Prompts:
        """A copy that shares neither memory nor gradients."""
        return self._each(lambda tensor: tensor.detach().clone())

    def to(self, device: str | torch.device) -> Prompts:
        return self._each(lambda tensor: tensor.to(device))

    @property
    def changes_images(self) -> bool:
        """Whether image features are others than without the prompts."""
        return self.visual is not None or bool(self.adapter)

    def tensors(self) -> dict[str, Tensor]:
        """All that there are, by name: text, visual, meta.0 to meta.3, class_net.0 to class_net.3, adapter.0 to adapter.2."""
        held = {name: own for name in ("text", "visual") if (own := getattr(self, name)) is not None}
        return held | {f"{net}.{i}": own for net in NETS for i, own in enumerate(getattr(self, net))}

    def with_tensors(self, held: dict[str, Tensor]) -> Prompts:
        """The same manner with the tensors that `tensors` names."""
        nets: dict[str, Any] = {net: tuple(held[f"{net}.{i}"] for i in range(n)) if f"{net}.0" in held else () for net, n in NETS.items()}
        return replace(self, text=held.get("text"), visual=held.get("visual"), **nets)

    def manner(self) -> tuple[str, str, str, bool, int]:
        """How the tensors enter the towers; prompts run side by side only if they agree in it."""
        return self.position, self.template, self.words, self.before_norm, self.class_layer

    def class_vectors(self, features: Tensor) -> Tensor:
        """What `class_net` makes of frozen unit class features (C, e): (K, C, n, d_text)."""
        assert self.text is not None
        first, shift, second, last = self.class_net
        hidden = ACTIVATIONS[True](torch.baddbmm(shift.unsqueeze(1), features.expand(len(first), -1, -1), first.transpose(1, 2)))
        return torch.baddbmm(last.unsqueeze(1), hidden, second.transpose(1, 2)).unflatten(-1, self.text.shape[2:])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Prompts:
        return self.with_tensors({name: change(held) for name, held in self.tensors().items()})

    def fingerprint(self) -> str:
        """SHA-256 of everything that the towers see."""
        digest = hashlib.sha256(f"{self.position}\x1f{self.template}".encode())
        if self.words or self.before_norm:
            digest.update(f"\x1f{self.words}\x1f{self.before_norm}".encode())
        if self.class_net:
            digest.update(f"\x1f{self.class_layer}".encode())
        for name, tensor in self.tensors().items():
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def stack(prompts: list[Prompts]) -> Prompts:
    """Side by side; all must agree in shape and in how they enter the towers."""
    first = prompts[0]
    if any(own.manner() != first.manner() for own in prompts):
        raise ValueError("prompts that enter the towers in different ways cannot run side by side")
    return first.with_tensors({name: torch.cat([own.tensors()[name] for own in prompts]) for name in first.tensors()})

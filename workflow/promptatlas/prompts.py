"""The tensors that enter the two towers. Knows nothing of how they were learned or by which method."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """K prompts side by side.

    text: (K, depth, n, text width) context vectors, or None. Entry [:, 0] joins the token embeddings; entry [:, l]
        replaces the same positions at the input of text layer l.
    visual: (K, depth, n, vision width) prompt tokens, or None. Entry [:, l] is present at the input of vision layer l;
        after the last entry the tokens of that layer evolve freely (shallow prompts have depth 1).
    position: where the class name stands among the context vectors: "end", "middle" or "front".
    template: the fixed sentence around the class name when `text` is None, e.g. "a photo of a {}.".
    """

    text: Tensor | None = None
    visual: Tensor | None = None
    position: str = "end"
    template: str = "a photo of a {}."

    def __post_init__(self) -> None:
        if self.text is not None and self.visual is not None and len(self.text) != len(self.visual):
            raise ValueError(f"text holds {len(self.text)} prompts, visual {len(self.visual)}")

    def __len__(self) -> int:
        held = self.text if self.text is not None else self.visual
        return 1 if held is None else len(held)

    def __getitem__(self, rows: slice) -> Prompts:
        return replace(
            self,
            text=None if self.text is None else self.text[rows],
            visual=None if self.visual is None else self.visual[rows],
        )

    def detach(self) -> Prompts:
        """A copy that shares neither memory nor gradients."""
        return replace(
            self,
            text=None if self.text is None else self.text.detach().clone(),
            visual=None if self.visual is None else self.visual.detach().clone(),
        )

    def to(self, device: str | torch.device) -> Prompts:
        return replace(
            self,
            text=None if self.text is None else self.text.to(device),
            visual=None if self.visual is None else self.visual.to(device),
        )

    def fingerprint(self) -> str:
        """SHA-256 of everything that the towers see."""
        digest = hashlib.sha256(f"{self.position}\x1f{self.template}".encode())
        for name, tensor in (("text", self.text), ("visual", self.visual)):
            if tensor is not None:
                digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def stack(prompts: list[Prompts]) -> Prompts:
    """Side by side; all must agree in shape, position and template."""
    first = prompts[0]
    if any((p.position, p.template) != (first.position, first.template) for p in prompts):
        raise ValueError("prompts with different positions or templates cannot run side by side")
    return replace(
        first,
        text=None if first.text is None else torch.cat([p.text for p in prompts]),
        visual=None if first.visual is None else torch.cat([p.visual for p in prompts]),
    )

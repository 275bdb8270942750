"""A GPU with little memory, on a CPU: what is larger than it takes is refused in the words of the libraries that may refuse it."""

from dataclasses import dataclass, field
from itertools import cycle

import torch

WORDS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)


@dataclass
class Memory:
    """most: the largest size that is taken; taken and refused: the sizes so far."""

    most: int
    taken: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    words: cycle = field(default_factory=lambda: cycle(WORDS))

    def ask(self, size: int) -> None:
        if size > self.most:
            self.refused.append(size)
            raise next(self.words)
        self.taken.append(size)


def limit(monkeypatch, backbone, pairs=None, sentences=None, late=False) -> Memory:
    """Either no more `pairs` of image and prompt through the image tower at once, or no more `sentences` of prompts through the other.

    late: what is too large is refused at the end of its pass, not before.
    """
    memory = Memory(pairs or sentences)

    def asked(size, run):
        if not late:
            memory.ask(size)
        found = run()
        if late:
            memory.ask(size)
        return found

    if pairs:
        whole = backbone.vision.forward

        def forward(tokens, prompts=None):
            return asked(tokens.shape[1] * max(len(tokens), 1 if prompts is None else len(prompts)), lambda: whole(tokens, prompts))

        monkeypatch.setattr(backbone.vision, "forward", forward)
    else:
        own = backbone.text.forward

        def read(layout, context=None, owner=None):
            rows = len(layout.last)
            size = rows if owner is not None or context is None else rows * len(context)
            return asked(size, lambda: own(layout, context, owner))

        monkeypatch.setattr(backbone.text, "forward", read)
    return memory

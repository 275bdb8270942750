"""Text tower, forward and backward for one CoOp prompt: all 77 positions of every class against promptatlas's shared prefix.

    python benchmarks/text_tower.py [--classes 100] [--context 16] [--rounds 5] [--threads 2]

Both sides run on the same random ViT-B/16 in fp32, turn by turn in one process; the figure is the ratio of medians. The
gradients are compared as well: nothing is approximated.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import open_clip
import torch

from promptatlas.backbone import export, from_description, load
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.text import sentences

WORDS = "cat tabby siamese long haired red crested grey spotted northern Mustang Coupe Boeing 747-400 annual crop land".split()


def class_names(count: int) -> list[str]:
    """Names of one to six words."""
    return [" ".join(WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(1 + i % 6)) + f" {i}" for i in range(count)]


def full_length(model: open_clip.CLIP, ids: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """Features (C, D) the usual way: 77 positions per class, the context copied into each row."""
    embedded = model.token_embedding(ids)
    own = context.expand(len(ids), -1, -1)
    x = torch.cat([embedded[:, :1], own, embedded[:, 1 + context.shape[0] :]], dim=1) + model.positional_embedding
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
    return x[torch.arange(len(ids)), ids.argmax(-1)] @ model.text_projection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--context", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = open_clip.get_model_config("ViT-B-16") | {"quick_gelu": True}
    model = export.open_clip_model(config).eval().requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        export.write(
            from_description.architecture("ViT-B-16", "", config, Preprocessing((0.5,) * 3, (0.5,) * 3)), model.state_dict(), folder
        )
        backbone = load(folder)
    names = class_names(arguments.classes)
    context = (torch.randn(arguments.context, 512) * 0.02).requires_grad_()
    ids = open_clip.get_tokenizer("ViT-B-16")(["X " * arguments.context + name + "." for name in names])
    layout = backbone.text.layout(sentences(backbone.tokenizer, names, arguments.context, "end"))
    sides = {
        "77 positions per class": lambda: full_length(model, ids, context),
        "shared prefix": lambda: backbone.text(layout, context[None, None])[0],
    }
    target = torch.randn(arguments.classes, 512)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    gradients = {}
    for _ in range(arguments.rounds + 1):
        for name, features in sides.items():
            started = time.perf_counter()
            (gradients[name],) = torch.autograd.grad((features() * target).sum(), context)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:24s} {value:8.3f} s (min {min(seconds[name][1:]):.3f}, max {max(seconds[name][1:]):.3f})")
    slow, fast = (gradients[name] for name in sides)
    print(f"largest relative difference of the gradients {((slow - fast).abs().max() / slow.abs().max()).item():.1e}")
    print(f"ratio of medians {medians['77 positions per class'] / medians['shared prefix']:.1f}")


if __name__ == "__main__":
    main()

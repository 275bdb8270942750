"""Class weights of 20 tasks, each with a context of its own, forward and backward: a pass of the text tower per task against one
pass for all, as SoftCPT does in every step.

    python benchmarks/shared_learner.py [--model mini] [--context 16] [--rounds 15] [--threads 1]

Both sides run on the same random weights in fp32, turn by turn in one process; the figure is the ratio of medians. The gradients are
compared as well: nothing is approximated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time

import open_clip
import torch

from promptatlas.backbone import export, from_description, load
from promptatlas.backbone.kinds import MINI
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.text import sentences
from promptatlas.tasks.mini import MINI_TASKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini", help="mini, or a name that open_clip knows")
    parser.add_argument("--context", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    known = json.loads((MINI / "config.json").read_text()) if arguments.model == "mini" else open_clip.get_model_config(arguments.model)
    config = {key: known[key] for key in ("embed_dim", "vision_cfg", "text_cfg")} | {"quick_gelu": False}
    model = export.open_clip_model(config).eval().requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        export.write(
            from_description.architecture(arguments.model, "", config, Preprocessing((0.5,) * 3, (0.5,) * 3)), model.state_dict(), folder
        )
        text, tokenizer = (backbone := load(folder)).text, backbone.tokenizer
    rows = [sentences(tokenizer, list(one.task.class_names), arguments.context, "end") for one in MINI_TASKS.values()]
    contexts = (torch.randn(len(rows), 1, arguments.context, config["text_cfg"]["width"]) * 0.02).requires_grad_()
    each, all_rows = [text.layout(own) for own in rows], text.layout([row for own in rows for row in own])
    owner = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(own) for own in rows]))
    sides = {
        "a pass per task": lambda: torch.cat([text(own, contexts[i : i + 1])[0] for i, own in enumerate(each)]),
        "one pass": lambda: text(all_rows, contexts, owner)[0],
    }
    target = torch.randn(len(owner), config["embed_dim"])
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    gradients = {}
    for _ in range(arguments.rounds + 1):
        for name, features in sides.items():
            started = time.perf_counter()
            (gradients[name],) = torch.autograd.grad((features() * target).sum(), contexts)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:16s} {1000 * value:8.1f} ms (min {1000 * min(seconds[name][1:]):.1f}, max {1000 * max(seconds[name][1:]):.1f})")
    slow, fast = (gradients[name] for name in sides)
    print(f"largest relative difference of the gradients {((slow - fast).abs().max() / slow.abs().max()).item():.1e}")
    print(f"{len(rows)} tasks, {len(owner)} classes: ratio of medians {medians['a pass per task'] / medians['one pass']:.1f}")


if __name__ == "__main__":
    main()

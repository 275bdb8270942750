"""Random CLIPs in open_clip's form and in ours, with the same weights."""

from contextlib import nullcontext
from types import SimpleNamespace

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from promptatlas.backbone import ARCHITECTURE, TOKENIZER, checkpoints, export, from_description, load, model as backbones
from promptatlas.backbone.preprocessing import Preprocessing

TINY = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 96, "layers": 3, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}
SEEN = Preprocessing((0.48, 0.45, 0.40), (0.26, 0.26, 0.27))

torch.set_num_threads(1)  # the models are tiny; more threads only wait for each other


def twin(config: dict, folder):
    """(open_clip model, our Backbone) with one set of random weights, on which layer norms and biases count too."""
    torch.manual_seed(0)
    model = export.open_clip_model(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() == 1:
                value.add_(torch.randn_like(value) * 0.05)
    model.requires_grad_(False)
    export.write(from_description.architecture("random", "", config, SEEN), model.state_dict(), folder)
    return model, load(folder)


class _Unfilled(TorchFunctionMode):
    """Inside, whatever draws first values of weights leaves the memory as it is."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_", "erfinv_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs or {})


def unfilled(build, *arguments, **settings):
    """What `build` gives, with weights that nobody has drawn: those of a large model take longer than its answers."""
    with _Unfilled():
        return build(*arguments, **settings)


@torch.no_grad()
def fill(model: nn.Module, spread: float = 0.5) -> None:
    """Numbers into every weight, each weight's from another place of one random vector; a layer makes `spread` of one."""
    numbers, start = torch.randn((1 << 20) + 7, generator=torch.Generator().manual_seed(0)), 0
    for part in model.modules():
        for name, value in part.named_parameters(recurse=False):
            if value.dim() == 0:
                continue
            centre = float(name == "weight" and isinstance(part, (nn.LayerNorm, nn.BatchNorm2d)))
            own = numbers.roll(start) * (0.05 if value.dim() == 1 else spread * value[0].numel() ** -0.5) + centre
            for piece in value.view(-1).split(len(own)):
                piece.copy_(own[: len(piece)])
            start += 100_003


def large(model, architecture, folder, monkeypatch, words=None):
    """Our Backbone with the weights of `model`, handed over without a file; smaller models' go through one."""
    weights = checkpoints.used(model.state_dict())
    held = SimpleNamespace(keys=weights.keys, get_tensor=weights.get)
    monkeypatch.setattr(backbones, "safe_open", lambda *_, **__: nullcontext(held))
    monkeypatch.setattr(backbones, "fingerprint", str)
    architecture.write(folder / ARCHITECTURE)
    (words or export.tokenizer()).write(folder / TOKENIZER)
    return unfilled(load, folder)

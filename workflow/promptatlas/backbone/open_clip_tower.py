"""The other door to open_clip: an image tower of any kind, as it builds it, without weights."""

from typing import Any

import open_clip
from torch import nn
from torch.overrides import TorchFunctionMode

from promptatlas.backbone.architecture import Architecture

# The least text tower that goes with an image tower, to throw away.
_NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}
_DRAWN = ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_", "erfinv_")


def build(architecture: Architecture) -> nn.Module:
    """Images (B, 3, R, R) -> features (B, embed_dim), or a tuple that begins with them; first values of weights are not drawn."""
    assert architecture.image_tower is not None
    vision = {**architecture.image_tower, **({"timm_model_pretrained": False} if "timm_model_name" in architecture.image_tower else {})}
    with _Undrawn():
        both: Any = open_clip.CustomTextCLIP(architecture.embed_dim, vision, _NO_TEXT, quick_gelu=architecture.quick_gelu)
    return both.visual


class _Undrawn(TorchFunctionMode):
    """Inside, whatever draws first values of weights leaves the memory as it is: with billions of them it takes minutes."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in _DRAWN:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs or {})

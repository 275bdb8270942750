"""CLIP's modified ResNet (Radford et al. 2021, section 2.4), forward only: a stem of three convolutions, an average
pool before every strided convolution, attention in place of the last pool. Frozen, so batch norm always uses its
stored statistics, and only the pooled token of the attention is computed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.image_tower import ImageTower

EXPANSION = 4
STRIDE = 32  # of the whole tower


class ResNet(ImageTower):
    """Frozen image tower; state-dict names as published below `visual.`, without the count of batches seen."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        width = architecture.vision_width
        self.conv1, self.bn1 = _convolution(3, width // 2, 3, stride=2), FrozenBatchNorm(width // 2)
        self.conv2, self.bn2 = _convolution(width // 2, width // 2, 3), FrozenBatchNorm(width // 2)
        self.conv3, self.bn3 = _convolution(width // 2, width, 3), FrozenBatchNorm(width)
        before = width
        for i, blocks in enumerate(architecture.stages):
            planes = width * 2**i
            stage = [Bottleneck(before, planes, stride=1 if i == 0 else 2)]
            before = planes * EXPANSION
            stage += [Bottleneck(before, planes, stride=1) for _ in range(blocks - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        tokens = (architecture.image_size // STRIDE) ** 2 + 1
        self.attnpool = AttentionPool(tokens, before, architecture.vision_heads, architecture.embed_dim)
        self.stages = len(architecture.stages)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim), not normalised."""
        x = self.bn1(self.conv1(images)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.conv3(x)).relu()
        x = F.avg_pool2d(x, 2)
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return self.attnpool(x)


class Bottleneck(nn.Module):
    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        after = planes * EXPANSION
        self.stride = stride
        self.conv1, self.bn1 = _convolution(before, planes, 1), FrozenBatchNorm(planes)
        self.conv2, self.bn2 = _convolution(planes, planes, 3), FrozenBatchNorm(planes)
        self.conv3, self.bn3 = _convolution(planes, after, 1), FrozenBatchNorm(after)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(_convolution(before, after, 1), FrozenBatchNorm(after))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(self._pooled(out)))
        return (out + (x if self.downsample is None else self.downsample(self._pooled(x)))).relu()

    def _pooled(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x


class FrozenBatchNorm(nn.Module):
    """Batch norm by its stored mean and variance."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.register_buffer("running_mean", torch.empty(width))
        self.register_buffer("running_var", torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class AttentionPool(nn.Module):
    """Attention of the mean over all places to those places and itself."""

    def __init__(self, tokens: int, width: int, heads: int, embed_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.empty(tokens, width))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, r, r) -> (B, embed_dim)."""
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], dim=1) + self.positional_embedding
        parts = (self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.c_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2).squeeze(1))


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)

"""The loss that methods have which bring none of their own. Knows nothing of methods."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of each image (...,) from its logits (..., C).

    labels (...,), or multi-hot (..., C), which are divided by their number (MVLPT section 1.6; an image without a label adds no loss).
    """
    log_probabilities = logits.log_softmax(-1)
    if labels.dim() < logits.dim():
        return F.nll_loss(log_probabilities.flatten(0, -2), labels.flatten(), reduction="none").view_as(labels)
    targets = labels.to(logits.dtype)
    return -(log_probabilities * targets).sum(-1) / targets.sum(-1).clamp(min=1)

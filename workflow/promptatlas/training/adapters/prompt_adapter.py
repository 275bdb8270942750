"""Prompt-Adapter and Prompt-Adapter-F (Sun et al. 2023, arXiv 2303.15234): Tip-Adapter with class weights from a prompt.

The prompt is trained before, on many tasks or on one, and then stays as it is.
"""

import torch
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import memory
from promptatlas.base.errors import UserError


@torch.no_grad()
@memory.told("the class weights of an adapter run out of GPU memory with one class name; use a GPU with more memory.")
def class_weights(backbone: Backbone, class_names: tuple[str, ...], prompts: Prompts) -> Tensor:
    """Class weights (C, D) of unit length that one prompt (K = 1) gives these classes, whatever the image."""
    if prompts.meta:
        raise UserError("A prompt that changes with the image (cocoop) gives no fixed class weights; choose another method's.")
    own = prompts.to(backbone.device)
    return PromptedClassifier(backbone, class_names, own).class_features(own)[0]

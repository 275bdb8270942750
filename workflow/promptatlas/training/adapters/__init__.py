"""Adapters: classifiers over frozen image features that remember the few-shot images. They take and give tensors.

Tip-Adapter takes its class weights (C, D) from hand-written templates, Prompt-Adapter from a trained prompt; nothing else
sets the two apart. Knows nothing of files, of towers' insides or of test images.
"""

from promptatlas.training.adapters.prompt_adapter import class_weights
from promptatlas.training.adapters.tip_adapter import Adapter, Examples, tip_adapter, tip_adapter_f

__all__ = ["Adapter", "Examples", "class_weights", "tip_adapter", "tip_adapter_f"]

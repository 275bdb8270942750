"""Adapters: classifiers over frozen image features that the few-shot images make. They take and give tensors.

Tip-Adapter takes its class weights (C, D) from hand-written templates, Prompt-Adapter from a trained prompt; nothing else
sets the two apart. TaskRes trains what it adds to class features, LP++ a linear probe that blends them in. Knows nothing of files, of
towers' insides or of test images.
"""

from promptatlas.training.adapters.lp_plus_plus import lp_plus_plus
from promptatlas.training.adapters.prompt_adapter import class_weights
from promptatlas.training.adapters.task_res import task_res
from promptatlas.training.adapters.tip_adapter import Adapter, tip_adapter, tip_adapter_f
from promptatlas.training.adapters.trained import Examples, Ready

__all__ = ["Adapter", "Examples", "Ready", "class_weights", "lp_plus_plus", "task_res", "tip_adapter", "tip_adapter_f"]

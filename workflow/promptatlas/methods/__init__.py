"""Prompt-learning methods: small modules whose forward gives the tensors that enter the towers.

A method is an `nn.Module` built as `Method(architecture, settings, generator)`, whose `forward()` returns
(text (depth, n, d_text) or None, visual (depth, n, d_vision) or None). Knows nothing of optimisers or data.
"""

from promptatlas.methods.settings import names, register, settings

__all__ = ["names", "register", "settings"]

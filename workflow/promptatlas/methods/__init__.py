"""Prompt-learning methods: small modules whose forward gives the tensors that enter the towers.

A method is an `nn.Module` built as `Method(architecture, settings, generator)`, whose `forward()` returns
(text (depth, n, d_text) or None, visual (depth, n, d_vision) or None); a third value is `Prompts.meta`. Class attributes `text` and `visual` say which of
them there are. An instance may have `fixed`, further fields of `Prompts`, and `initial`, words whose token embeddings its
`start` is given. Knows nothing of optimisers or data.
"""

from promptatlas.methods.settings import is_visual, kind, names, register, settings

__all__ = ["is_visual", "kind", "names", "register", "settings"]

"""Prompt-learning methods: small modules whose forward gives the tensors that enter the towers.

A method is an `nn.Module` built as `Method(architecture, settings, generator)`, whose `forward()` returns
(text (depth, n, d_text) or None, visual (depth, n, d_vision) or None); a third value is `Prompts.meta` or None, a fourth
`Prompts.class_net` or None, a fifth `Prompts.adapter`. Class attributes `text` and `visual` say which of the first two there are. An
instance may have `fixed`, further fields of `Prompts`, and `initial`, words whose token embeddings its `start` is given.

A method of kind "shared" is built as `Method(architecture, settings, generator, classes)`, classes being how many each task
has, and gives contexts alone: one for all (n, d_text), or one by task or class, which `per` ("all", "task", "class") says.
`forward(tasks, classes)` takes numbers; where `reads_names` and `class_aware` say so, the encoder's features of the tasks' and
the classes' names instead, read after `task_context` and `class_context`.

A method of kind "prompt" may also bring a loss of its own, a teacher, a rule for gradients and a mean over epochs:
`training/own_rules.py` says how.
"""

from promptatlas.methods import builtin as builtin
from promptatlas.methods.registry import is_by_image, is_visual, kind, module_class, names, register, revision, settings, words
from promptatlas.methods.setting import Setting

__all__ = ["Setting", "is_by_image", "is_visual", "kind", "module_class", "names", "register", "revision", "settings", "words"]

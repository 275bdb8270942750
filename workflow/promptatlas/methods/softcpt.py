"""SoftCPT (Ding et al. 2024, arXiv 2208.13474): one meta network writes the context of every task from the task's name.

Task i is read as "u_1 .. u_m <task name>." by the frozen text encoder g; its feature t_i (e,), not normalised, gives the
context C_i = t_i Q (n, d_text) before every class name of the task. The class-aware variants add s_k = g("v_1 .. v_m
<class name>.") and give each class its own context. NATA: no class context, u shared; NATS: a u for each task; CA and CS
in place of NA: v shared, or a v for each class. Knows nothing of encoders or training.
"""

import torch
from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.errors import UserError
from promptatlas.methods.words import random_context


class SoftCPT(nn.Module):
    """u (1 or T, m, d_text), v (1 or all classes, m, d_text) if any, Q (e or 2e, n d_text); all N(0, 0.02^2), no bias.

    classes: how many each of the T tasks has.
    """

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator, classes: list[int]) -> None:
        super().__init__()
        width, embed = architecture.text_width, architecture.embed_dim
        self.n, self.classes, self.reads = settings["context"], classes, settings["meta_input"]
        self.class_aware = settings["class_context"] != "none"
        if self.reads != "lin" and not self.class_aware:
            raise UserError(f"settings.softcpt.meta_input: {self.reads!r} needs a class_context; set one, or use 'lin'.")
        tasks = len(classes) if settings["task_context"] == "specific" else 1
        self.u = nn.Parameter(random_context(tasks, settings["task_vectors"], width, generator))
        if self.class_aware:
            count = sum(classes) if settings["class_context"] == "specific" else 1
            self.v = nn.Parameter(random_context(count, settings["class_vectors"], width, generator))
        inputs = 2 * embed if self.class_aware and self.reads == "lin" else embed
        self.meta = nn.Parameter(random_context(1, inputs, self.n * width, generator)[0])

    def task_context(self) -> Tensor:
        """(m, d_text) of all tasks or (T, m, d_text)."""
        return self.u[0] if len(self.u) == 1 else self.u

    def class_context(self, task: int, chosen: Tensor) -> Tensor:
        """(m, d_text) of all classes or (R, m, d_text) of the R chosen ones of a task."""
        return self.v[0] if len(self.v) == 1 else self.v[sum(self.classes[:task]) + chosen]

    def forward(self, task_feature: Tensor, class_features: Tensor | None) -> Tensor:
        """The context (n, d_text) of a task with feature (e,), or (R, n, d_text) with class features (R, e)."""
        inputs = task_feature
        if class_features is not None:
            task_features = task_feature.expand_as(class_features)
            inputs = {
                "lin": lambda: torch.cat([class_features, task_features], dim=-1),
                "linmean": lambda: (class_features + task_features) / 2,
                "lincls": lambda: class_features,
            }[self.reads]()
        return (inputs @ self.meta).unflatten(-1, (self.n, -1))


class HardSharing(nn.Module):
    """The baselines: the context vectors themselves, one set for all tasks, for each task or for each class."""

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator, classes: list[int]) -> None:
        super().__init__()
        self.classes, self.sharing = classes, settings["sharing"]
        count = {"all": 1, "task": len(classes), "class": sum(classes)}[self.sharing]
        self.context = nn.Parameter(random_context(count, settings["context"], architecture.text_width, generator))

    def forward(self, task: int, chosen: Tensor) -> Tensor:
        """(n, d_text) of a task, or (R, n, d_text) of its R chosen classes."""
        if self.sharing == "class":
            return self.context[sum(self.classes[:task]) + chosen]
        return self.context[task if self.sharing == "task" else 0]

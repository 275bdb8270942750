"""SoftCPT (Ding et al. 2024, arXiv 2208.13474): one meta network writes the context of every task from the task's name.

Task i is read as "u_1 .. u_m <task name>." by the frozen text encoder g; its feature t_i (e,), not normalised, gives the
context C_i = t_i Q (n, d_text) before every class name of the task. The class-aware variants add s_k = g("v_1 .. v_m
<class name>.") and give each class its own context. NATA: no class context, u shared; NATS: a u for each task; CA and CS
in place of NA: v shared, or a v for each class.
"""

import torch
from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.base.errors import UserError
from promptatlas.methods.contexts import random_context


class SoftCPT(nn.Module):
    """u (1 or T, m, d_text), v (1 or all classes, m, d_text) if any, Q (e or 2e, n d_text); all N(0, 0.02^2), no bias.

    classes: how many each of the T tasks has.
    """

    reads_names = True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator, classes: list[int]) -> None:
        super().__init__()
        width, embed = architecture.text_width, architecture.embed_dim
        self.n, self.reads = settings["context"], settings["meta_input"]
        self.class_aware = settings["class_context"] != "none"
        self.per = "class" if self.class_aware else "task"
        if self.reads != "lin" and not self.class_aware:
            raise UserError(f"settings.softcpt.meta_input: {self.reads!r} needs a class_context; set one, or use 'lin'.")
        tasks = len(classes) if settings["task_context"] == "specific" else 1
        self.u = nn.Parameter(random_context(tasks, settings["task_vectors"], width, generator))
        if self.class_aware:
            count = sum(classes) if settings["class_context"] == "specific" else 1
            self.v = nn.Parameter(random_context(count, settings["class_vectors"], width, generator))
        inputs = 2 * embed if self.class_aware and self.reads == "lin" else embed
        self.meta = nn.Parameter(random_context(1, inputs, self.n * width, generator)[0])

    @property
    def released_steps(self) -> int:
        """The release steps optimiser and schedule once for each of its parts: class names, u, v if there is one, and Q."""
        return 4 if self.class_aware else 3

    def task_context(self, tasks: Tensor) -> Tensor:
        """(m, d_text) of all tasks or (T, m, d_text) of those given by number (T,)."""
        return self.u[0] if len(self.u) == 1 else self.u.index_select(0, tasks)

    def class_context(self, classes: Tensor) -> Tensor:
        """(m, d_text) of all classes or (R, m, d_text) of those given by number over all tasks (R,)."""
        return self.v[0] if len(self.v) == 1 else self.v.index_select(0, classes)

    def forward(self, task_features: Tensor, class_features: Tensor | None) -> Tensor:
        """Contexts (T, n, d_text) of tasks with features (T, e), or (R, n, d_text) of classes (R, e), task_features one each."""
        inputs = task_features
        if class_features is not None:
            inputs = {
                "lin": lambda: torch.cat([class_features, task_features], dim=-1),
                "linmean": lambda: (class_features + task_features) / 2,
                "lincls": lambda: class_features,
            }[self.reads]()
        return (inputs @ self.meta).unflatten(-1, (self.n, -1))


class HardSharing(nn.Module):
    """The baselines: the context vectors themselves, one set for all tasks, for each task or for each class."""

    reads_names, class_aware = False, False

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator, classes: list[int]) -> None:
        super().__init__()
        self.per = settings["sharing"]
        count = {"all": 1, "task": len(classes), "class": sum(classes)}[self.per]
        self.context = nn.Parameter(random_context(count, settings["context"], architecture.text_width, generator))

    def forward(self, tasks: Tensor, classes: Tensor) -> Tensor:
        """(n, d_text) of all, (T, n, d_text) of the tasks or (R, n, d_text) of the classes, given by number over all tasks."""
        return self.context[0] if self.per == "all" else self.context.index_select(0, tasks if self.per == "task" else classes)

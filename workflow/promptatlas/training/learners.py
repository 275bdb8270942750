"""K independent learners of one method, stacked into one set of parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from promptatlas.backbone import Backbone
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.prompts import NETS, Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.rng import torch_rng
from promptatlas.methods import is_visual, module_class


class BatchedLearners:
    """Parameters (K, ...) of K learners; `prompts()` gives their K prompts in one call, differentiably."""

    def __init__(
        self,
        method: str,
        settings: dict,
        architecture: Architecture,
        seeds: list[int],
        backbone: Backbone | None = None,
    ) -> None:
        """Learner k starts from the generator named ("initial", method, seeds[k]): one start per seed, whatever the task.

        backbone: has the embeddings of the words from which some methods start; the others do without.
        """
        cls: Any = module_class(method)
        if unsaid := [name for name in ("text", "visual") if not hasattr(cls, name)]:
            raise UserError(f"method {method}: its class must say `{unsaid[0]} = True` or False: whether it has prompts of that kind.")
        if cls.visual != is_visual(method):
            raise UserError(
                f"method {method}: its class says visual = {cls.visual}, its registration {is_visual(method)}; mend one of the two."
            )
        if cls.visual and not architecture.takes_visual_prompts:
            raise UserError(
                f"method {method}: the image tower of {architecture.name!r} takes no visual prompts as it was exported; delete the folder "
                "of the study's backbone and run again, or choose text-only methods such as coop."
            )
        learners = [cls(architecture, settings, torch_rng("initial", method, seed)) for seed in seeds]
        if initial := getattr(learners[0], "initial", ""):
            vectors = _embedded(initial, method, backbone)
            for learner in learners:
                learner.start(vectors)
        self.template_module = learners[0]
        self.text, self.visual = cls.text, cls.visual
        self.parameters: dict[str, Tensor] = stack_module_state(learners)[0]
        self._fixed = {key: settings[key] for key in ("position", "template") if key in settings}
        self._fixed |= getattr(learners[0], "fixed", {})

    def load(self, parameters: list[dict[str, Tensor]]) -> None:
        """Starts learner k from `parameters[k]` instead."""
        with torch.no_grad():
            for name, stacked in self.parameters.items():
                stacked.copy_(torch.stack([values[name] for values in parameters]))

    def to(self, device: torch.device) -> BatchedLearners:
        self.parameters = {k: v.detach().to(device).requires_grad_() for k, v in self.parameters.items()}
        return self

    def prompts(self, parameters: dict[str, Tensor] | None = None) -> Prompts:
        """Text and visual prompts of all learners, (K, depth, n, width) each, and nets that shift them or change image features.

        parameters: others than the learners' own, of the same shapes.
        """

        def generate(parameters: dict[str, Tensor]) -> dict[str, Tensor | tuple[Tensor, ...]]:
            # Most methods have no nets.
            parts = zip(("text", "visual", *NETS), functional_call(self.template_module, parameters), strict=False)
            return {name: part for name, part in parts if part is not None}

        fields: dict[str, Any] = vmap(generate)(self.parameters if parameters is None else parameters)
        return Prompts(**fields, **self._fixed)

    def snapshot(self, k: int, parameters: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """A copy of learner k's parameters, or of learner k's among others of the same shapes."""
        return {name: stacked[k].detach().clone() for name, stacked in (parameters or self.parameters).items()}


def _embedded(words: str, method: str, backbone: Backbone | None) -> Tensor:
    """Token embeddings (n, d_text) of n words."""
    if backbone is None:
        raise ValueError(f"{method} starts from the words {words!r}, so its learners need the backbone")
    ids = backbone.tokenizer.encode(words)
    if len(ids) != len(words.split()):
        raise UserError(f"settings.{method}.initial: each word of {words!r} must be one token; choose shorter words.")
    return backbone.text.token_embedding(torch.tensor(ids, device=backbone.device)).cpu()

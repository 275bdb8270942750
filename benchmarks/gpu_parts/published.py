"""The published way, written plainly from the equations, beside ours: the same weights, the same device, the same precision.

One prompt at a time; every sentence has 77 positions, every image is encoded at every step and, when prompts are compared, again
for every prompt; class features are computed again for every batch of test images. One fused attention call per layer, as
torch.nn.MultiheadAttention makes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gpu_parts import speed, variants
from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene, distance
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.model import Backbone
from promptatlas.backbone.prompts import Prompts
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import single_task

METHODS = ("coop", "vpt", "upt")
TEST_BATCH = 100  # of Dassl
IN = ("float32", "tf32 everywhere")


def measure(scene: Scene, ledger: Ledger) -> None:
    for method in METHODS:
        ledger.attempt(f"same answers, {method}", partial(_same, scene, method))
        for variant in IN:
            ledger.attempt(f"step {method}, {variant}", partial(_step, scene, method, variant))
    for method in METHODS:
        ledger.attempt(f"column {method}, float32", partial(_column, scene, method))


class Plain:
    """A prompted CLIP, one prompt at a time."""

    def __init__(self, backbone: Backbone, names: tuple[str, ...], prompts: Prompts) -> None:
        self.text: Any = backbone.text
        self.vision: Any = backbone.vision
        self.scale = backbone.logit_scale
        words = backbone.tokenizer
        if prompts.text is None:
            rows = plain_sentences(words, [prompts.template.replace("{}", name) for name in names])
        else:
            rows = sentences(words, list(names), prompts.text.shape[2], prompts.position)
        length = self.text.context_length
        self.ends = torch.tensor([len(row) - 1 for row in rows], device=backbone.device)
        padded = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=backbone.device)
        self.embedded = self.text.token_embedding(padded.clamp(min=0))
        self.places = torch.stack([torch.tensor([row.index(-1 - i) for i in range(sum(x < 0 for x in row))]) for row in rows])
        self.places = self.places.to(backbone.device)
        self.mask = torch.full((length, length), float("-inf"), device=backbone.device).triu(1)

    def class_features(self, context: Tensor | None) -> Tensor:
        """(C, e) with context vectors (n, d) or without."""
        x, rows = self.embedded, torch.arange(len(self.embedded), device=self.embedded.device)
        if context is not None:
            x = x.clone()
            x[rows[:, None], self.places] = context
        x = x + self.text.positional_embedding
        for block in self.text.transformer.resblocks:
            x = _layer(block, x, self.mask)
        return F.normalize(self.text.ln_final(x)[rows, self.ends] @ self.text.text_projection, dim=-1)

    def image_features(self, images: Tensor, prompts: Tensor | None) -> Tensor:
        """(B, e) of normalised images with prompts (depth, n, d) behind the tokens of each layer, or without."""
        x = self.vision.embed(images)
        count = x.shape[1]
        for depth, block in enumerate(self.vision.transformer.resblocks):
            if prompts is not None and depth < len(prompts):
                x = torch.cat([x[:, :count], prompts[depth].expand(len(x), -1, -1)], dim=1)
            x = _layer(block, x, None)
        return F.normalize(self.vision.ln_post(x[:, 0]) @ self.vision.proj, dim=-1)

    def logits(self, images: Tensor, prompts: Prompts) -> Tensor:
        """(B, C)."""
        context = None if prompts.text is None else prompts.text[0, 0]
        visual = None if prompts.visual is None else prompts.visual[0]
        with torch.set_grad_enabled(torch.is_grad_enabled() and visual is not None):
            features = self.image_features(images, visual)
        with torch.set_grad_enabled(torch.is_grad_enabled() and context is not None):
            weights = self.class_features(context)
        return self.scale * features @ weights.T


def _layer(block: Any, x: Tensor, mask: Tensor | None) -> Tensor:
    q, k, v = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (block.heads, -1)).transpose(1, 2) for part in (q, k, v))
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    x = x + block.attn.out_proj(attended)
    return x + block.mlp.c_proj(block.mlp.activation(block.mlp.c_fc(block.ln_2(x))))


def _prompts(scene: Scene, method: str, seed: int) -> Prompts:
    return single_task.scratch(scene.large, method, settings(method), seed).prompts.to(scene.device)


def _task(scene: Scene, count: int) -> Noise:
    return Noise(5 if scene.tiny else speed.CLASSES, 4, count, scene.large.architecture.image_size)


@torch.no_grad()
def _same(scene: Scene, method: str) -> dict[str, Any]:
    """That both ways compute the same thing."""
    task, prompts = _task(scene, 4), _prompts(scene, method, 1)
    images = task.images("test")
    plain = Plain(scene.large, task.task.class_names, prompts).logits(scene.large.vision.read(images), prompts)
    features = encode_images(scene.large, images)
    return {"distance": distance(plain, evaluate.answers(scene.large, task.task.class_names, images, features, [prompts])[0])}


def _step(scene: Scene, method: str, variant: str) -> dict[str, Any]:
    """A step of one prompt, its gradient included, against ours for one and for three prompts together."""
    with variants.using(variant, scene.large) as large:
        scene = replace(scene, large=large)
        run, _ = speed.run_of(scene, method, 1)
        batch = run.settings["batch_size"]
        images = torch.from_numpy(Noise(2, batch, 1, scene.large.architecture.image_size).images("train")).to(scene.device)
        labels = torch.arange(batch, device=scene.device) % len(run.task.class_names)
        parameters = list(run.learners.parameters.values())
        torch_optimiser = torch.optim.SGD(parameters, 0.002, 0.9, weight_decay=5e-4)
        plain = Plain(scene.large, run.task.class_names, run.learners.prompts())
        losses: list[float] = []

        def theirs() -> None:
            for _ in range(speed.STEPS):
                torch_optimiser.zero_grad()
                value = F.cross_entropy(plain.logits(scene.large.vision.normalise(images), run.learners.prompts()), labels)
                value.backward()
                torch_optimiser.step()
                losses.append(value.item())

        scene.tidy()
        taken = scene.seconds(theirs, 3)
        ms, peak = 1000 * taken[1] / speed.STEPS, scene.peak_mib()
        ours = {}
        for learners in (1, speed.SEEDS):
            _, epoch = speed.run_of(scene, method, learners)
            own = scene.seconds(lambda epoch=epoch: epoch(True), 3)
            ours[learners] = 1000 * own[1] / speed.STEPS / learners
    return {
        "published ms": ms, "peak mib": peak, "ours ms, one prompt": ours[1], f"ours ms, {speed.SEEDS} together, each": ours[speed.SEEDS],
        "ratio, one prompt": ms / ours[1], "ratio": ms / ours[speed.SEEDS],
    }  # fmt: skip


@torch.no_grad()
def _column(scene: Scene, method: str) -> dict[str, Any]:
    """Twenty prompts on the test images of one task: one after the other against one call. Ours encodes the images for CoOp, too."""
    prompts, count = (2, 6) if scene.tiny else (speed.PROMPTS, 128)
    task, own = _task(scene, count), [_prompts(scene, method, seed) for seed in range(prompts)]
    images, names = task.images("test"), task.task.class_names

    def theirs() -> list[np.ndarray]:
        found = []
        for one in own:
            plain = Plain(scene.large, names, one)
            batches = (images[start : start + TEST_BATCH] for start in range(0, count, TEST_BATCH))
            found.append(torch.cat([plain.logits(scene.large.vision.read(batch), one) for batch in batches]).cpu().numpy())
        return found

    def ours() -> np.ndarray:
        features = encode_images(scene.large, images) if method == "coop" else np.zeros((count, 1), np.float32)
        return evaluate.answers(scene.large, names, images, features, own)

    slow, fast = scene.seconds(theirs, 1, 0)[0], scene.seconds(ours, 2)[0]
    return {"published seconds": slow, "ours seconds": fast, "ratio": slow / fast, "prompts": prompts, "images": count}

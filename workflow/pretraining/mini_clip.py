"""Contrastive pretraining of the mini backbone on captioned drawings, on a CPU.

The recipe is CLIP's (Radford et al. 2021): a symmetric InfoNCE loss with a trained temperature, AdamW, warm-up and
cosine decay. Two economies are exact: texts are cut after the longest caption of a batch, which the causal mask
cannot see past, and only token rows that captions use are trained, so that the others need not be shipped.
"""

from __future__ import annotations

import csv
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from captions import CAPTIONS_PER_IMAGE, captioned_image
from promptatlas.backbone import export
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.base.files import replace, whole
from promptatlas.base.rng import named_rng, torch_rng
from promptatlas.tasks import metrics
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.mini.images import Factors, ImageSet

CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "quick_gelu": False,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 128, "layers": 4, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3},
}
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
LONGEST = 26
CHUNK = 1000
BATCH = 256
WEIGHT_DECAY = 0.1
WARM_UP = 200
EVALUATE_EVERY = 400


@dataclass(frozen=True)
class Stage:
    """A part of the training with its own schedule; `unknown_words` are mixed in on each side of a caption, at most."""

    stream: str
    share: float
    learning_rate: float
    unknown_words: int


# A tower that only ever read short captions is lost among words it never met. Web text cures large models of that;
# here a last stage surrounds the captions with unknown words, which is also what a fresh trained context looks like.
STAGES = (
    Stage("pretraining batches", 0.8, 1e-3, 0),
    Stage("pretraining batches among unknown words", 0.2, 5e-4, 8),
)


def pretrain(folder: str | Path, steps: int = 7500, pairs: int = 120_000, seed: int = 0, threads: int = 2) -> list[dict]:
    """Draw `pairs` captioned images, train for `steps` batches over all stages, write the weights that are shipped.

    `folder` receives mini.safetensors (float16), config.json, training.csv (the returned records: step, loss,
    seconds and zero-shot score per task on validation images) and, while training, the drawn images. The
    weights are also written at every evaluation, so an interrupted training leaves its latest state.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    images, tokens = draw_pairs(folder, pairs, seed, threads)
    model = SmallClip(np.unique(tokens), seed)
    records: list[dict] = []
    for stage in STAGES:
        train(model, stage, round(stage.share * steps), images, tokens, seed, folder, records)
    (folder / "pictures.npy").unlink()
    return records


def train(
    model: SmallClip,
    stage: Stage,
    steps: int,
    images: np.ndarray,
    tokens: np.ndarray,
    seed: int,
    folder: Path,
    records: list[dict],
) -> None:
    """One stage: `steps` batches from (pairs, 32, 32, 3) images and (pairs, captions, LONGEST) tokens.

    Appends to `records` and leaves the weights rounded as they are on disk, so that a stage can start from a file.
    """
    trainer = _optimiser(model)
    batches = named_rng(stage.stream, seed)
    before, earlier = (records[-1]["step"], records[-1]["seconds"]) if records else (0, 0.0)
    losses, start = [], time.monotonic() - earlier
    for step in range(1, steps + 1):
        for group in trainer.param_groups:
            group["lr"] = stage.learning_rate * schedule(step, steps)
        chosen = np.sort(batches.choice(len(images), BATCH, replace=False))
        texts = tokens[chosen, batches.integers(CAPTIONS_PER_IMAGE, size=BATCH)]
        if stage.unknown_words:
            ahead, behind = batches.integers(0, stage.unknown_words + 1, 2)
            texts = model.among_unknown_words(texts, int(ahead), int(behind), batches)
        loss = model.loss(augmented(images[chosen], batches), texts)
        trainer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        trainer.step()
        losses.append(loss.item())
        if step % EVALUATE_EVERY == 0 or step == steps:
            record = {"step": before + step, "loss": float(np.mean(losses)), "seconds": time.monotonic() - start}
            records.append(record | zero_shot(model))
            losses = []
            save(model, folder)
            _write_csv(folder / "training.csv", records)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())


def draw_pairs(folder: Path, pairs: int, seed: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (pairs, 32, 32, 3) uint8, memory-mapped in `folder`, and token ids (pairs, captions, LONGEST) int32."""
    path = folder / "pictures.npy"
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(pairs, 32, 32, 3))
    tokens = np.zeros((pairs, CAPTIONS_PER_IMAGE, LONGEST), dtype=np.int32)
    tokenizer = export.tokenizer()
    with ProcessPoolExecutor(workers) as pool:
        starts = range(0, pairs, CHUNK)
        for first, drawn in zip(starts, pool.map(_draw_chunk, [(seed, s, pairs) for s in starts]), strict=True):
            for number, (image, captions) in enumerate(drawn, start=first):
                images[number] = image
                tokens[number] = [tokenised(caption, tokenizer) for caption in captions]
    return images, tokens


def _draw_chunk(job: tuple[int, int, int]) -> list[tuple[np.ndarray, list[str]]]:
    seed, first, pairs = job
    return [captioned_image(seed, number) for number in range(first, min(first + CHUNK, pairs))]


def tokenised(text: str, tokenizer: Tokenizer) -> list[int]:
    """Start, the text's tokens, end, then the end token again up to LONGEST (never seen: it comes after the end)."""
    ids = [tokenizer.start, *tokenizer.encode(text)][: LONGEST - 1]
    return ids + [tokenizer.end] * (LONGEST - len(ids))


class SmallClip(nn.Module):
    """open_clip's CLIP with a token table cut down to the rows `ids` (T,) that captions use."""

    untrained: Tensor

    def __init__(self, ids: np.ndarray, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(torch_rng("pretraining weights", seed).initial_seed())
            self.clip = export.open_clip_model(CONFIG)
        table = export.initial_token_table(CONFIG["text_cfg"]["vocab_size"], CONFIG["text_cfg"]["width"])
        self.ids = ids
        self.end = int(ids.max())
        self.unknown = np.setdiff1d(np.arange(len(table)), ids)
        self.rows = nn.Parameter(torch.from_numpy(table[ids]))
        self.register_buffer("untrained", torch.from_numpy(table))
        self.clip.token_embedding = nn.Identity()

    def image_features(self, images: Tensor) -> Tensor:
        """Unit features (N, D) of normalised images (N, 3, 32, 32)."""
        return F.normalize(self.clip.visual(images), dim=-1)

    def text_features(self, tokens: np.ndarray) -> Tensor:
        """Unit features (N, D) of token ids (N, L), padded behind the end token by end tokens."""
        ends = (tokens == self.end).argmax(axis=1)
        length = int(ends.max()) + 1
        x = self.embedded(tokens[:, :length]) + self.clip.positional_embedding[:length]
        x = self.clip.transformer(x, attn_mask=self.clip.attn_mask[:length, :length])
        x = self.clip.ln_final(x[torch.arange(len(x)), torch.from_numpy(ends)])
        return F.normalize(x @ self.clip.text_projection, dim=-1)

    def embedded(self, tokens: np.ndarray) -> Tensor:
        """Token embeddings (N, L, width): the trained row where there is one, else the row as initialised."""
        place = np.searchsorted(self.ids, tokens).clip(max=len(self.ids) - 1)
        trained = torch.from_numpy(self.ids[place] == tokens)
        return torch.where(trained[..., None], self.rows[torch.from_numpy(place)], self.untrained[tokens])

    def among_unknown_words(self, tokens: np.ndarray, ahead: int, behind: int, rng: np.random.Generator) -> np.ndarray:
        """Texts (N, L + ahead + behind) with words that no caption has after the start and before the end token."""
        words = rng.choice(self.unknown, (len(tokens), ahead + behind))
        longer = np.full((len(tokens), tokens.shape[1] + ahead + behind), self.end)
        ends = (tokens == self.end).argmax(axis=1)
        for row, text, end, extra in zip(longer, tokens, ends, words, strict=True):
            row[: end + ahead + behind] = [text[0], *extra[:ahead], *text[1:end], *extra[ahead:]]
        return longer

    def loss(self, images: Tensor, tokens: np.ndarray) -> Tensor:
        """Symmetric InfoNCE over the pairs of one batch; the towers run in bfloat16, the loss in float32."""
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # flash is 3 x slower on short rows
            image, text = self.image_features(images), self.text_features(tokens)
        logits = self.clip.logit_scale.clamp(max=math.log(100)).exp() * image.float() @ text.float().T
        target = torch.arange(len(logits))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def normalised(images: np.ndarray) -> Tensor:
    """Bytes or 0..255 floats (N, 32, 32, 3) as the tower's input (N, 3, 32, 32)."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).float().permute(0, 3, 1, 2) / 255
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def augmented(images: np.ndarray, rng: np.random.Generator) -> Tensor:
    """`normalised` after a small random shift, change of brightness and contrast, and noise."""
    dx, dy = rng.integers(-2, 3, 2)
    pixels = normalised(np.roll(images, (dy, dx), axis=(1, 2)))
    gain = rng.uniform(0.8, 1.2, (len(images), 1, 1, 1)).astype(np.float32)
    lift = rng.uniform(-0.3, 0.3, (len(images), 1, 1, 1)).astype(np.float32)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.15))
    return pixels * torch.from_numpy(gain) + torch.from_numpy(lift + noise)


def schedule(step: int, steps: int) -> float:
    """Share of the stage's learning rate: linear warm-up, then half a cosine down to zero."""
    if step <= WARM_UP:
        return step / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def _optimiser(model: SmallClip) -> torch.optim.AdamW:
    """AdamW; norms, biases, positions, the temperature and the token rows are not decayed."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim >= 2 and "positional" not in name and name != "rows"
        (decayed if matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)


@torch.no_grad()
def zero_shot(model: SmallClip) -> dict[str, float]:
    """Score of every benchmark task on its validation images, with the template ensemble."""
    tokenizer, encoded_images, scores = export.tokenizer(), {}, {}
    for name, mini in MINI_TASKS.items():
        if mini.images.name not in encoded_images:
            images, factors = _validation(mini.images, mini.sizes["validation"])
            encoded_images[mini.images.name] = model.image_features(normalised(images)), factors
        features, factors = encoded_images[mini.images.name]
        texts = [[t.format(c) for t in mini.task.templates] for c in mini.task.class_names]
        encoded = [model.text_features(np.array([tokenised(t, tokenizer) for t in group])) for group in texts]
        classes = F.normalize(torch.stack([group.mean(dim=0) for group in encoded]), dim=-1)
        logits = model.clip.logit_scale.exp() * features @ classes.T
        scores[name] = metrics.score(mini.task.metric, logits.numpy(), mini.labels(factors)).value
    return scores


@cache
def _validation(images: ImageSet, count: int) -> tuple[np.ndarray, list[Factors]]:
    """The first `count` validation images and their factors, drawn once however often they are asked for."""
    return images.split("validation", count)


def save(model: SmallClip, folder: Path) -> None:
    """mini.safetensors: CLIP's tensor names in float16, the token table as `token_rows` and `token_ids`; config.json."""
    weights = {name: value.detach().numpy().astype(np.float16) for name, value in model.clip.state_dict().items() if name != "attn_mask"}
    weights["token_rows"] = model.rows.detach().numpy().astype(np.float16)
    weights["token_ids"] = model.ids.astype(np.int32)
    with whole(folder / "mini.safetensors") as temporary:
        save_file(weights, temporary)
    replace(folder / "config.json", (json.dumps(CONFIG | {"mean": MEAN, "std": STD}, indent=1) + "\n").encode())


def _write_csv(path: Path, records: list[dict]) -> None:
    with whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, records[0])
        writer.writeheader()
        for record in records:
            writer.writerow({key: f"{v:.4f}" if isinstance(v, float) else v for key, v in record.items()})

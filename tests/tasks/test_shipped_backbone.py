"""The shipped weights: small, whole, and neither blind nor perfect on the benchmark's test pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file

from promptatlas import metrics
from promptatlas.backbone import export, pretrain
from promptatlas.tasks.mini import MINI_TASKS

FOLDER = Path(export.__file__).parent / "mini"


@pytest.fixture(scope="module")
def clip():
    """open_clip's own model with the shipped weights: the independent reference for our towers."""
    model = export.open_clip_model(pretrain.CONFIG)
    model.load_state_dict(export.mini(export.MINI)[1])
    return model.eval()


def test_the_weights_are_small_and_finite() -> None:
    assert (FOLDER / "mini.safetensors").stat().st_size <= 10e6
    weights = export.mini(export.MINI)[1]
    assert all(torch.isfinite(value).all() for value in weights.values())
    beside_the_table = sum(value.numel() for name, value in weights.items() if name != "token_embedding.weight")
    assert 1e6 < beside_the_table < 3e6


def test_untrained_token_rows_are_as_initialised() -> None:
    table = export.mini(export.MINI)[1]["token_embedding.weight"].numpy()
    trained = load_file(FOLDER / "mini.safetensors")["token_ids"]
    others = np.setdiff1d(np.arange(len(table)), trained)
    np.testing.assert_array_equal(table[others], export.initial_token_table(*table.shape)[others])


def test_training_reached_what_its_log_says() -> None:
    rows = list(csv.DictReader(open(FOLDER / "training.csv")))
    assert float(rows[-1]["loss"]) < 2 < float(rows[0]["loss"])


@torch.no_grad()
def test_zero_shot_is_between_chance_and_ceiling_on_test_pictures(clip) -> None:
    tokenizer, corrected, raw = export.tokenizer(), [], []
    for mini in MINI_TASKS.values():
        images, factors = mini.pictures.split("test", mini.sizes["test"])
        batches = [images[i : i + 256] for i in range(0, len(images), 256)]
        features = torch.cat([clip.encode_image(pretrain.normalised(b), normalize=True) for b in batches])
        classes = []
        for name in mini.task.class_names:
            tokens = torch.zeros(len(mini.task.templates), 77, dtype=torch.long)
            for row, template in zip(tokens, mini.task.templates, strict=True):
                ids = [tokenizer.start, *tokenizer.encode(template.format(name)), tokenizer.end]
                row[: len(ids)] = torch.tensor(ids)
            classes.append(F.normalize(clip.encode_text(tokens, normalize=True).mean(dim=0), dim=0))
        logits = clip.logit_scale.exp() * features @ torch.stack(classes).T
        score = metrics.score(mini.task.metric, logits.numpy(), mini.labels(factors))
        corrected.append((score.value - score.chance) / (1 - score.chance))
        raw.append(score.value)
    assert 0.15 < np.mean(corrected) < 0.7
    assert sum(value >= 0.99 for value in raw) <= 2

"""The shipped weights: small and whole. What they make of the benchmark's images is asked in test_mini_benchmark."""

import csv
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from promptatlas.backbone import export

FOLDER = Path(export.__file__).parent / "mini"


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
    rows = list(csv.DictReader((FOLDER / "training.csv").read_text().splitlines()))
    assert float(rows[-1]["loss"]) < 2 < float(rows[0]["loss"])

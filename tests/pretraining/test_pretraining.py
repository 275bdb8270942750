"""The pretraining writes what it promises, twice the same, and its shortcuts are exact against open_clip."""

import csv
import hashlib
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import captions
import mini_clip
import promptatlas
from promptatlas.backbone import export

PRETRAINING = Path(mini_clip.__file__).parent
PAIRS = 100
TEXTS = ["a photo of a red star.", "the letter Q", "two dots", "a zebra and other words that no caption has"]


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """A sixteenth of the images per step; nothing here depends on their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini_clip, "BATCH", 16)
        yield


@pytest.fixture(scope="module")
def short_run(tmp_path_factory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("pretraining")
    return folder, mini_clip.pretrain(folder, steps=5, pairs=PAIRS, seed=5, threads=1)


def whole_clip(folder: Path):
    """open_clip's model with the shipped tensors and the full token table, built without our loader."""
    shipped = load_file(folder / "mini.safetensors")
    table = export.initial_token_table(49408, 128)
    table[shipped.pop("token_ids")] = shipped.pop("token_rows")
    clip = export.open_clip_model(mini_clip.CONFIG)
    weights = {name: torch.from_numpy(value).float() for name, value in shipped.items()}
    clip.load_state_dict(weights | {"token_embedding.weight": torch.from_numpy(table)})
    return clip.eval()


@pytest.mark.slow
def test_the_files_hold_open_clips_names_in_half_precision(short_run) -> None:
    folder, _ = short_run
    whole_clip(folder)
    shipped = load_file(folder / "mini.safetensors")
    floats = {value.dtype for name, value in shipped.items() if name != "token_ids"}
    assert floats == {np.dtype(np.float16)}
    assert len(shipped["token_rows"]) == len(shipped["token_ids"]) < 1000
    assert (folder / "mini.safetensors").stat().st_size < 10e6
    config = json.loads((folder / "config.json").read_text())
    assert config["mean"] == list(mini_clip.MEAN) and config["vision_cfg"]["image_size"] == 32


@pytest.mark.slow
def test_the_log_has_a_score_for_every_task(short_run) -> None:
    folder, records = short_run
    rows = list(csv.DictReader((folder / "training.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [record["step"] for record in records] == [4, 5]
    assert len(rows[0]) == 3 + 20
    assert float(rows[0]["loss"]) == pytest.approx(np.log(mini_clip.BATCH), rel=0.2)


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights(short_run, tmp_path: Path, monkeypatch) -> None:
    folder, _ = short_run
    monkeypatch.setattr(mini_clip, "zero_shot", lambda model: {})  # changes no weight
    mini_clip.pretrain(tmp_path, steps=5, pairs=PAIRS, seed=5, threads=1)
    one, other = load_file(folder / "mini.safetensors"), load_file(tmp_path / "mini.safetensors")
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_cut_texts_and_split_token_tables_give_open_clips_features() -> None:
    tokenizer = export.tokenizer()
    tokens = np.array([mini_clip.tokenised(text, tokenizer) for text in TEXTS])
    ids = np.unique(tokens[:2])
    model = mini_clip.SmallClip(ids, seed=0)
    with torch.no_grad():
        model.rows.add_(0.1)
        clip = export.open_clip_model(mini_clip.CONFIG)
        weights = dict(model.clip.state_dict())
        table = torch.from_numpy(export.initial_token_table(49408, 128))
        table[ids] += 0.1
        clip.load_state_dict(weights | {"token_embedding.weight": table}, strict=True)
        padded = np.zeros((len(TEXTS), 77), dtype=np.int64)
        for row, text in zip(padded, TEXTS, strict=True):
            whole = [tokenizer.start, *tokenizer.encode(text), tokenizer.end]
            row[: len(whole)] = whole
        expected = clip.encode_text(torch.from_numpy(padded), normalize=True)
        torch.testing.assert_close(model.text_features(tokens), expected, atol=1e-5, rtol=0)


def test_the_loss_is_the_symmetric_infonce_of_the_features() -> None:
    tokens = np.array([mini_clip.tokenised(text, export.tokenizer()) for text in TEXTS])
    model = mini_clip.SmallClip(np.unique(tokens), seed=0)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        similarity = (model.clip.logit_scale.exp() * model.image_features(images) @ model.text_features(tokens).T).numpy()
        expected = 0.0
        for matrix in (similarity, similarity.T):
            shares = np.exp(matrix) / np.exp(matrix).sum(axis=1, keepdims=True)
            expected -= np.log(np.diag(shares)).mean() / 2
        assert model.loss(images, tokens).item() == pytest.approx(expected, abs=0.05)


def test_the_schedule_warms_up_and_falls_to_zero() -> None:
    rates = [mini_clip.schedule(step, 1000) for step in range(1, 1001)]
    assert rates[mini_clip.WARM_UP - 1] == max(rates) == 1
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert all(a >= b for a, b in zip(rates[mini_clip.WARM_UP :], rates[mini_clip.WARM_UP + 1 :], strict=False))


def test_unknown_words_surround_the_caption_and_leave_its_own_words_in_order() -> None:
    tokens = np.array([mini_clip.tokenised(text, export.tokenizer()) for text in TEXTS])
    model = mini_clip.SmallClip(np.unique(tokens), seed=0)
    longer = model.among_unknown_words(tokens, 3, 2, np.random.default_rng(0))
    for text, row in zip(tokens.tolist(), longer.tolist(), strict=True):
        end = text.index(model.end)
        assert row[0] == text[0] and row[4 : 3 + end] == text[1:end]
        assert row[5 + end :] == [model.end] * (len(row) - end - 5)
        assert not set(row[1:4] + row[3 + end : 5 + end]) & set(model.ids.tolist())


def test_the_rules_script_trains_into_the_folder_that_the_rule_names(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(mini_clip, "pretrain", folders.append)
    given = SimpleNamespace(output=[str(tmp_path / "pretraining")], log=[str(tmp_path / "log.txt")])
    runpy.run_path(PRETRAINING / "pretrain_mini.py", {"snakemake": given})
    assert folders == given.output
    rule = (PRETRAINING.parent / "rules" / "backbone.smk").read_text(encoding="utf-8").partition("rule pretrain_mini:")[2]
    assert '"../pretraining/pretrain_mini.py"' in rule


def test_nothing_of_the_pretraining_is_shipped():
    """Snakemake finds the modules beside the script; the library neither has nor imports them."""
    names = {path.stem for path in PRETRAINING.glob("*.py")}
    assert names == {"pretrain_mini", "mini_clip", "captions"}
    for path in Path(promptatlas.__file__).parent.rglob("*.py"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "import " in line]
        imported = {word for line in lines for word in re.findall(r"\w+", line)}
        assert path.stem not in names and not names & imported, path


def test_captions_are_those_of_the_weights_that_are_shipped():
    said = json.dumps([captions.captioned_image(1, number)[1] for number in range(200)])
    assert hashlib.sha256(said.encode()).hexdigest() == "32f70db165ed9612b12b03bb2b59c53557b87d7f0948a3e68c76a268619e65f3"

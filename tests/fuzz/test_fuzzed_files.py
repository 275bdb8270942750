"""Files that a study reads back or that users give it: manifests, cells, scores, draws, tasks, prompts. Whole or one sentence."""

import json
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from fuzzing import NASTY, cases, damaged, mutated, outcome
from hypothesis import given, strategies as st
from safetensors.torch import save
from well_formed import PARTS, prompt, text

from promptatlas import backbone
from promptatlas.backbone import feature_file
from promptatlas.exchange.inference import load_prompt
from promptatlas.records import card, cells, score
from promptatlas.records.cells import Cell
from promptatlas.records.draw_file import ARRAYS, read_draw
from promptatlas.records.fingerprint import changed, fingerprint
from promptatlas.tasks import catalogue
from promptatlas.tasks.draws import draw as draw_images
from promptatlas.tasks.prepared import Pool, PreparedTask, write
from promptatlas.tasks.readers import folder as reader
from promptatlas.tasks.task import Task

ROWS = {
    "train": [["cat/1.jpg", 0, "cat"], ["dog/1.jpg", 1, "dog"], ["cat/2.jpg", 0, "cat"]],
    "val": [["dog/2.jpg", 1, "dog"]],
    "test": [["cat/1.jpg", 0, "cat"], ["dog/2.jpg", 1, "dog"]],
}
MARKS = {split: [[path, [label], [name]] for path, label, name in rows] for split, rows in ROWS.items()}
CELL_ADDRESS = Cell("frozen", "coop", 1, "shapes", "colors").address()
CELL = CELL_ADDRESS | {
    "study": "tiny", "backbone": "mini", "shots": 2, "metric": "accuracy", "score": 0.5, "chance": 0.25, "n_test": 4,
    "seconds": 0.1, "peak_mib": 10.0, "fingerprint": fingerprint(PARTS), "parts": PARTS, "per_class": [0.5, 0.5], "correct": 2,
}  # fmt: skip
SCORE = {
    "method": "coop_mt", "seed": 1, "target": "shapes", "metric": "accuracy", "score": 0.5, "chance": 0.25, "epoch": 1,
    "alpha": None, "beta": None, "seconds": 0.1, "fingerprint": fingerprint(PARTS), "parts": PARTS,
}  # fmt: skip


def settles(folder, path, content: bytes, read):
    """What `read` makes of a file of this content; a sentence has to name the file."""
    path.write_bytes(content)
    found = outcome(folder, lambda: read(path))
    assert not isinstance(found, str) or path.name in found or "image" in found, found
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"listed, not opened")
    return root


@cases(250)
@given(st.data())
def test_manifests(images, data):
    def read(path):
        found = reader.read({"reader": "folder", "manifest": path.name, "path": "."}, images)
        entry = catalogue.own("pets", {"folder": path.name}).with_classes(found.class_names)
        return [split.images.name(0) for split in found.splits.values()], entry.task.class_names

    listed = data.draw(st.sampled_from([ROWS, MARKS]))
    content = data.draw(st.one_of(mutated(listed).map(text), mutated(listed).map(text), damaged(text(listed))))
    found = settles(images, images / "list.json", content, read)
    if not isinstance(found, str):
        assert all(name.startswith(str(images)) and ".." not in name for name in found[0])


TABLE = b"path,label,split\n" + b"".join(f"{path},{name},{split}\n".encode() for split, rows in ROWS.items() for path, _, name in rows)


@cases(60)
@given(damaged(TABLE))
def test_tables_of_images(images, content):
    settles(images, images / "list.csv", content, lambda at: reader.read({"reader": "folder", "manifest": at.name}, images))


@cases(60)
@given(st.sampled_from(NASTY), st.sampled_from(NASTY))
def test_any_path_and_class_name_in_a_manifest(images, path, name):
    rows = {**ROWS, "test": [[path, 0, "cat"], ["dog/2.jpg", 1, "dog"]]}
    renamed = {split: [[p, n, name if n else "cat"] for p, n, _ in of] for split, of in rows.items()}
    settles(images, images / "list.json", text(renamed), lambda at: reader.read({"reader": "folder", "manifest": at.name}, images))


@cases(250)
@given(st.data())
def test_cells(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    content = data.draw(st.one_of(mutated(CELL).map(text), damaged(text(CELL)), st.binary(max_size=40)))
    found = settles(folder, folder / "cell.json", content, cells.read)
    if not isinstance(found, str) and found.items() >= CELL_ADDRESS.items():
        table = pd.DataFrame([CELL, found])[sorted(cells.KEYS[:-4])]
        assert table.to_parquet() and 0 <= found["score"] <= 1 and changed(found["parts"], PARTS) is not None


@cases(120)
@given(st.data())
def test_scores(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    content = data.draw(st.one_of(mutated(SCORE).map(text), damaged(text(SCORE))))
    found = settles(folder, folder / "score.json", content, score.read)
    assert isinstance(found, str) or 0 <= found["score"] <= 1


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("draws")
    labels = np.arange(20) % 2
    images = draw_images(labels, labels, 2, 1, "shapes")
    record = {name: getattr(images, name).tolist() for name in ARRAYS}
    return folder, record | {"validation_split": images.validation_split, "sha256": images.sha256, "shots_per_class": [2, 2]}


@cases(120)
@given(st.data())
def test_draws(drawn, data):
    folder, good = drawn
    content = data.draw(st.one_of(mutated(good).map(text), damaged(text(good))))
    found = settles(folder, folder / "draw.json", content, read_draw)
    assert isinstance(found, str) or len(found.sha256) == 64


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    task = Task("shapes", "Shapes", "own", ("circle", "square"), ("a {}.",))
    images = {split: np.full((4, 8, 8, 3), 7, dtype=np.uint8) for split in ("train", "validation", "test")}
    write(folder, task, {s: Pool.whole(array, np.arange(4) % 2) for s, array in images.items()}, [], images)
    return folder


def asked(folder):
    task = PreparedTask.open(folder)
    return [(task.labels(s), task.images(s).shape, task.fingerprint(s), task.skipped(s), task.recipe(s)) for s in ("train", "test")]


@cases(200)
@given(st.data())
def test_descriptions_of_prepared_tasks(prepared, data):
    path = prepared / "task.json"
    good = path.read_bytes()
    try:
        settles(prepared, path, data.draw(st.one_of(mutated(json.loads(good)).map(text), damaged(good))), lambda at: asked(at.parent))
    finally:
        path.write_bytes(good)


@cases(120)
@given(st.data())
def test_arrays_of_prepared_tasks(prepared, data):
    path = prepared / f"train_{data.draw(st.sampled_from(['images', 'labels', 'index', 'pool']))}.npy"
    good = path.read_bytes()
    try:
        settles(prepared, path, data.draw(damaged(good)), lambda at: asked(at.parent))
    finally:
        path.write_bytes(good)


def taken(path):
    """What people ask of a prompt file: what it is, and whether it fits."""
    held = load_prompt(path)
    return held.trained.fingerprint(), held.trained.parameter_fingerprint(), card.lines(held.card), held._names(None)


@pytest.mark.slow
@cases(200)
@given(st.data())
def test_prompt_files_with_changed_metadata(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    tensors, about = prompt()
    key = data.draw(st.sampled_from(sorted(about)))
    changed = data.draw(
        st.one_of(
            st.sampled_from(NASTY), st.none(), mutated(json.loads(about["card"])).map(json.dumps), mutated([1, {"a": 2.0}]).map(json.dumps)
        )
    )
    about = {k: v for k, v in (about | {key: changed}).items() if v is not None}
    settles(
        folder, folder / "prompt.safetensors", save(tensors, {k: v.encode("utf-8", "replace").decode() for k, v in about.items()}), taken
    )


SHAPES = st.lists(st.integers(0, 3), max_size=5).map(tuple)
DTYPES = st.sampled_from(
    [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.uint8, torch.float8_e4m3fn]
)
TENSORS = st.sampled_from(
    [
        "prompts.text",
        "prompts.visual",
        "prompts.meta.0",
        "prompts.meta.1",
        "prompts.meta.2",
        "prompts.meta.3",
        *(f"prompts.class_net.{i}" for i in range(4)),
        "parameters.context",
        "other",
        "",
    ]
)


@pytest.mark.slow
@cases(250)
@given(
    st.dictionaries(TENSORS, st.tuples(SHAPES, DTYPES, st.sampled_from([0.0, 1.0, float("nan"), float("inf")])), max_size=5), st.booleans()
)
def test_prompt_files_with_other_tensors(tmp_path_factory, held, beside):
    folder = tmp_path_factory.getbasetemp()
    tensors, about = prompt()
    changed = {name: torch.full(shape, value).to(dtype) for name, (shape, dtype, value) in held.items()}
    found = settles(folder, folder / "prompt.safetensors", save((tensors if beside else {}) | changed, about), taken)
    assert isinstance(found, str) or len(found[0]) == 64


@cases(250)
@given(st.data())
def test_damaged_prompt_files(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    good = save(*prompt())
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + length])
    if data.draw(st.booleans()):
        new = text(data.draw(mutated(header)))
        content = struct.pack("<Q", data.draw(st.sampled_from([len(new), len(new), 0, 2**63, 10**9]))) + new + good[8 + length :]
    else:
        content = data.draw(damaged(good))
    settles(folder, folder / "prompt.safetensors", content, taken)


@cases(100)
@given(st.data())
def test_damaged_features(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    arrays = {name: torch.zeros(3, 4) for name in feature_file.ARRAYS}
    settles(folder, folder / "shapes.safetensors", data.draw(damaged(save(arrays, {"fingerprint": "a"}))), feature_file.load)


@cases(60)
@given(st.data())
def test_damaged_backbones(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "frozen"
    folder.mkdir(exist_ok=True)
    good = {"name": "mini", "pretrained": "mini", "embed_dim": 4, "context_length": 77, "image_size": 8}
    (folder / backbone.WEIGHTS).write_bytes(data.draw(damaged(save({"logit_scale": torch.zeros(())}))))
    (folder / backbone.TOKENIZER).write_bytes(data.draw(damaged(b'{"model": {"type": "BPE", "vocab": {}, "merges": []}}')))
    (folder / backbone.ARCHITECTURE).write_bytes(data.draw(st.one_of(damaged(text(good)), mutated(good).map(text))))
    found = outcome(folder, lambda: backbone.load(folder))
    assert isinstance(found, str) and "frozen" in found

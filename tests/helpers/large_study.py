"""A made-up study of as many cells as a page is to hold, with all that the page tells of single ones: answers, hashes, images."""

import base64
import hashlib
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from promptatlas.records.given_answers import packed_classes
from promptatlas.report.page.study_data import StudyData

METHODS = ("coop", "vpt", "upt", "cocoop", "maple", "softcpt")
PROTOCOLS = ("frozen", "init")
SEEDS = (1, 2, 3)
TASKS = 60
IMAGES = 4  # as a configuration that says nothing of it
CONFUSED = 0.7  # of the wrong answers are the class that is most like the right one
SIDE = 224


def labels_of(tasks: pd.DataFrame) -> dict[str, np.ndarray]:
    return {row.task: np.arange(row.n_test) % row.classes for row in tasks.itertuples()}


def answered_cells(transfer: pd.DataFrame, tasks: pd.DataFrame, seed: int = 0) -> Iterator[dict]:
    """The cells of a table `transfer`, with answers to all test images that make about its scores. Half of what makes an image hard is
    the same for all prompts."""
    labels, classes = labels_of(tasks), dict(zip(tasks["task"], tasks["classes"], strict=True))
    hardness = {name: np.random.default_rng([seed, place]).normal(size=len(own)) for place, (name, own) in enumerate(labels.items())}
    rng = np.random.default_rng([seed, len(tasks)])
    for row in transfer.to_dict("records"):
        target = row["target"]
        own, count = labels[target], classes[target]
        right = ndtri(np.clip(row["score"], 0.01, 0.99)) > np.sqrt(0.5) * (hardness[target] + rng.normal(size=len(own)))
        near = rng.uniform(size=len(own)) < CONFUSED
        given = np.where(right, own, np.where(near, own + 1, own + rng.integers(1, max(count, 2), len(own))) % count)
        right = given == own
        hits = np.bincount(own, right, minlength=count) / np.bincount(own, minlength=count)
        name = "/".join(str(row[key]) for key in ("protocol", "method", "source", "target", "seed"))
        yield row | {
            "per_class": {f"class {place}": float(hit) for place, hit in enumerate(hits)},
            "correct": base64.b64encode(np.packbits(right).tobytes()).decode(),
            "answers": packed_classes(given),
            "fingerprint": hashlib.sha256(name.encode()).hexdigest(),
            "parts": {"prompt": hashlib.sha256("/".join(str(row[key]) for key in ("method", "source", "seed")).encode()).hexdigest()},
        }


def drawn_image(place: int) -> np.ndarray:
    """(SIDE, SIDE, 3) of a coloured shape on a ground with some grain, about as many bytes as a photograph's."""
    rng = np.random.default_rng(place)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    turned = np.sin(rng.uniform(2, 9) * x + rng.uniform(2, 9) * y + rng.uniform(0, 6))
    inside = np.hypot(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3)) < rng.uniform(0.3, 0.7)
    ground = (
        rng.uniform(0, 255, 3) + 40 * turned[..., None] + 60 * inside[..., None] * rng.normal(size=3) + rng.normal(0, 9, (SIDE, SIDE, 3))
    )
    return np.clip(ground, 0, 255).astype(np.uint8)


def prepared(tasks: pd.DataFrame, images: int = IMAGES) -> StudyData:
    """What the page takes from the prepared tasks of such a study."""

    def task(name: str, own: np.ndarray, place: int) -> SimpleNamespace:
        drawn = [drawn_image(1000 * place + one) for one in range(8)]
        return SimpleNamespace(
            task=SimpleNamespace(name=name, multilabel=False),
            labels=lambda split: own,
            images=lambda split: _Turned(drawn),
        )

    return StudyData({name: task(name, own, place) for place, (name, own) in enumerate(labels_of(tasks).items())}, images)


class _Turned:
    """Many images out of a few: shifted, so that no two are the same file."""

    def __init__(self, drawn: list[np.ndarray]) -> None:
        self.drawn = drawn

    def __getitem__(self, row: int) -> np.ndarray:
        return np.roll(self.drawn[row % len(self.drawn)], row, axis=0)


def pairs_table(transfer: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """The table `pairs` with made-up intervals and p, files and decisions among them."""
    rng = np.random.default_rng(5)
    table = transfer.groupby(["protocol", "method", "source", "target"])["score"].agg(["mean", "min"]).reset_index()
    table = table[table["source"] != "template"].rename(columns={"mean": "score"}).reset_index(drop=True)
    target = tasks.set_index("task")["zero_shot"].reindex(table["target"]).to_numpy()
    gain, half = 100 * (table["score"] - target), rng.uniform(1, 9, len(table))
    kinds = np.where(table["source"] == table["target"], "own", np.where(table["source"] == "scratch", "scratch", "pair"))
    table["kind"], table["seeds"] = kinds, 3
    table["seeds_alike"] = np.where(table["min"] > target, 3, 1)
    for against in ("", "untuned_"):
        p = rng.uniform(0, 0.2, len(table))
        table[f"{against}gain"], table[f"{against}low"], table[f"{against}high"] = gain, gain - half, gain + half
        table[f"{against}p"], table[f"{against}p_adjusted"], table[f"{against}separable"] = p / 10, p, p < 0.05
    for against in ("own_", "average_"):
        table[f"{against}low"], table[f"{against}high"] = gain - half / 2, gain + half
    table["separable_from_best"], table["best_set"], table["best"], table["counted"] = (
        rng.uniform(size=len(table)) < 0.7,
        2,
        "task_00",
        "images and seeds",
    )
    table["prompt_seed"], table["prompt_gain"], table["prompt_low"], table["prompt_high"] = 1, gain / 2, gain / 2 - half, gain / 2 + half
    table["chance_best"] = rng.uniform(size=len(table))
    first = ~table.duplicated(["protocol", "target"])
    table["decision"], table["reason"] = np.where(first, "use", ""), ""
    return table.drop(columns="min")


RULES = ("random", "static_list", "oracle", "try", "combination", "static_source", "other_seeds")
PREDICTORS = (
    "est_agree_hand",
    "est_information",
    "est_leep",
    "est_likelihood",
    "est_logme",
    "est_nuclear",
    "lab_cover",
    "src_validation",
    "vis_frechet",
)


def choice_table(methods: tuple[str, ...], n: int) -> pd.DataFrame:
    """The table `choice` with made-up numbers."""
    rng = np.random.default_rng(6)
    rules = [*RULES, *(f"measure:{name}" for name in PREDICTORS)]
    rows = [
        {
            "method": method,
            "shots": shots,
            "candidates": candidates,
            "rule": rule,
            "or_none": False,
            "n_tasks": n,
            "n_draws": 2,
            "n_candidates": 3 * n,
        }
        for method in (*methods, "+".join(sorted(methods)))
        for shots in (1, 4, 16)
        for candidates in ("all_seeds", "one_seed")
        for rule in rules
    ]
    rows += [row | {"or_none": True} for row in rows if row["rule"] in ("oracle", "try", "combination")]
    table = pd.DataFrame(rows)
    names = [f"{name}{end}" for name in ("regret_1", "regret_3", "gain", "harmed", "used", "oracle_share") for end in ("", "_low", "_high")]
    return table.assign(margin=1.0, margin_left_out=1.0, **{name: rng.uniform(size=len(table)) for name in names})

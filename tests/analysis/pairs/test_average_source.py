"""Intervals over the average source, against loops over images, seeds and sources."""

import numpy as np
import pytest
from scipy import stats

from promptatlas.analysis.pairs.column import Column
from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.moderated import fitted
from promptatlas.analysis.pairs.table import pairs

TASKS = ("a", "b", "c", "d", "e")
SEEDS, IMAGES = 3, 40


def column(target: str, rng: np.random.Generator, missing: tuple[str, int] | None = None) -> Column:
    sources = (*TASKS, "scratch")
    right = rng.random((len(sources), SEEDS, IMAGES)) < rng.uniform(0.3, 0.8, (len(sources), 1, 1))
    scores = right.mean(axis=2)
    if missing:
        scores[sources.index(missing[0]), missing[1]] = np.nan
    reference = rng.random(IMAGES) < 0.5
    return Column(
        "frozen", "coop", target, "accuracy", IMAGES, sources, frozenset(TASKS), scores, float(reference.mean()),
        np.ones(len(sources), bool), ("",) * len(sources), WeightedImages.alike(IMAGES), right, reference,
    )  # fmt: skip


def by_loops(one: Column, source: str) -> tuple[float, float, float]:
    """Gain, variance by images and variance between seeds of a source over the average one, of all seeds, image by image."""
    others = [name for name in one.sources if name in TASKS and name != one.target]
    place = {name: number for number, name in enumerate(one.sources)}

    def difference(seed: int, image: int) -> float:
        there = [name for name in others if np.isfinite(one.scores[place[name], seed])]
        average = sum(int(one.right[place[name], seed, image]) for name in there) / len(there)
        return int(one.right[place[source], seed, image]) - average

    each = [[difference(seed, image) for image in range(IMAGES)] for seed in range(SEEDS)]
    means = [sum(each[seed][image] for seed in range(SEEDS)) / SEEDS for image in range(IMAGES)]
    levels = [sum(own) / IMAGES for own in each]
    gain = sum(levels) / SEEDS

    def variance(values: list[float]) -> float:
        level = sum(values) / IMAGES
        return IMAGES * sum((value - level) ** 2 for value in values) / (IMAGES - 1)

    rest = sum(variance([own[image] - means[image] for image in range(IMAGES)]) for own in each) / (SEEDS - 1)
    noise = rest / IMAGES**2 + 1 / (SEEDS * IMAGES**2)
    between = sum((level - gain) ** 2 for level in levels) / (SEEDS - 1) + 1 / (SEEDS * IMAGES**2)
    return gain, max((variance(means) + 2) / (IMAGES + 2) ** 2 - noise / SEEDS, 0), between


@pytest.mark.parametrize("missing", [None, ("c", 1)], ids=["all there", "a source lacks a seed"])
def test_intervals_over_the_average_source_are_those_of_loops(missing):
    rng = np.random.default_rng(4)
    made = [column(target, rng, missing) for target in TASKS]
    table = pairs(made).set_index(["source", "target"])
    keys = [(source, one) for one in made for source in TASKS if source not in (one.target, *((missing or ())[:1]))]
    found = [by_loops(one, source) for source, one in keys]
    rows = table[table["kind"] == "pair"]
    for (source, one), (gain, _, _) in zip(keys, found, strict=True):
        assert rows.loc[(source, one.target), "average_gain"] == pytest.approx(100 * gain)
    if missing:
        return  # the prior below is of all pairs, those with two seeds among them
    prior = fitted(
        np.array([between for _, _, between in found]), np.full(len(found), SEEDS - 1), np.array([one.target for _, one in keys])
    )
    for (source, one), (gain, shared, between) in zip(keys, found, strict=True):
        freedom = prior.freedom + SEEDS - 1
        of_seeds = (prior.freedom * prior.variance + (SEEDS - 1) * between) / freedom / SEEDS
        half = np.sqrt(stats.t.ppf(0.975, IMAGES + 1) ** 2 * shared + stats.t.ppf(0.975, freedom) ** 2 * of_seeds)
        centre = gain * IMAGES / (IMAGES + 2)
        ends = rows.loc[(source, one.target), ["average_low", "average_high"]].tolist()
        assert ends == pytest.approx([100 * (centre - half), 100 * (centre + half)])


def test_one_source_has_no_average_to_be_compared_with():
    rng = np.random.default_rng(5)
    made = column("a", rng)
    scores = made.scores.copy()
    scores[[2, 3, 4]] = np.nan
    alone = Column(**{**made.__dict__, "scores": scores})
    assert pairs([alone])["average_gain"].isna().all()

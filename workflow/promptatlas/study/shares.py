"""Shares of about equal work: how the jobs are cut whose sizes the configuration leaves open, for so many devices at once.

What a task weighs follows from the configuration and the catalogue alone: jobs are called the same before images are prepared and
after, where they are asked for and where they are done. Knows nothing of seconds (`promptatlas plan` does), of torch or of files.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from promptatlas.study.costs import Work

Chain = TypeVar("Chain", bound=Hashable)

# Two shares for each device and stage: while the longest are done there is something left for those that end first.
PER_DEVICE = 2
# Arithmetic in tokens of ViT-B/16's text tower: its image tower takes 33 GFLOP an image, the text tower 76 MFLOP a token; while a pass is
# started, some milliseconds, a GPU could see ten images.
WEIGHTS = {"tokens": 1, "images": 430, "passes": 4300}
# The same of what adapters and probes do with features: a product of two is about 1 kFLOP; steps and searches take the time to start them.
SMALL = {"products": 1.3e-5, "looks": 1.3e-5, "keys": 1.3e-5, "logits": 1e-6, "ranks": 1.3e-5, "steps": 100, "betas": 100, "fits": 10_000}
NEARNESS = 30  # halvings of what is between the smallest and the largest possible limit


def weight(work: Work) -> float:
    """What matters of some work for who gets how much of it; small things where there are no others."""
    large, small = (sum(known.get(name.partition(": ")[2], 0) * count for name, count in work.items()) for known in (WEIGHTS, SMALL))
    return large or small


def counts(chains: Mapping[Chain, float], devices: int, others: int = 1) -> dict[Chain, int]:
    """Into how many shares each of the chains of a stage is cut, such as its methods, from what they weigh.

    others: into how many jobs each share is cut besides.
    """
    share = others * sum(chains.values()) / (PER_DEVICE * devices)
    return {chain: max(1, math.ceil(own / share)) if share else 1 for chain, own in chains.items()}


def cut(weights: Sequence[float], count: int) -> list[int]:
    """Where each share of consecutive items ends, at most `count` of them, so that the heaviest is as light as can be."""
    low, high = max(weights, default=0.0), [0.0, *accumulate(weights)][-1]  # as `_ends` adds them: `sum` rounds otherwise
    for _ in range(NEARNESS):
        middle = (low + high) / 2
        low, high = (low, middle) if len(_ends(weights, middle)) <= count else (middle, high)
    return _ends(weights, high)


def _ends(weights: Sequence[float], limit: float) -> list[int]:
    """The same with shares that are full: the next item would make each heavier than the limit."""
    sums, ends, begun = [0.0, *accumulate(weights)], [], 0
    for number in range(len(weights)):
        if number > begun and sums[number + 1] - sums[begun] > limit:
            ends.append(number)
            begun = number
    return [*ends, len(weights)]

"""What is claimed, and how a claim follows from what was measured. Knows nothing of how it is measured.

A side is measured at two sizes; what a whole costs is a line through them: so much for the start, so much for each image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

CLOCK, PROCESSOR = 0, 1
PROMPTS, TEST_BATCH = 20, 100  # of a column; images for which the published way computes class features anew
EPOCHS, STEPS, TRAINED = 200, 50, 1600  # of a tuning on 16 images of each of 100 classes, 32 at a step
SIZES = (100, 1000)  # test images of a target
MINI_EPOCHS = 30  # of a tuning in the default study


@dataclass(frozen=True)
class Parts:
    """Seconds: of a start, of what there is once, of each thing that is counted."""

    start: float
    once: float
    each: float

    @classmethod
    def of(cls, timed: Mapping, kind: int) -> Parts:
        """From what a process told; kind: CLOCK or PROCESSOR. One size alone says nothing of what there is once."""
        took = {int(count): seconds[kind] for count, seconds in timed["took"].items()}
        few, many = min(took), max(took)
        each = took[many] / many if few == many else max(0.0, took[many] - took[few]) / (many - few)
        return cls(timed["start"][kind], 0.0 if few == many else max(0.0, took[few] - few * each), each)


@dataclass(frozen=True)
class Claim:
    """least: the ratio that is wanted; sides: names of the two measurements; seconds: of the published and of our way, by their parts and
    those of encoding images."""

    words: str
    least: float | None
    sides: tuple[str, str]
    seconds: Callable[[Parts, Parts, Parts], tuple[float, float]]


def column(images: int) -> Callable[[Parts, Parts, Parts], tuple[float, float]]:
    """A process for each of 20 pairs against one for all."""

    def seconds(published: Parts, ours: Parts, _: Parts) -> tuple[float, float]:
        batches = -(-images // TEST_BATCH)
        return PROMPTS * (published.start + batches * published.once + images * published.each), ours.start + ours.once + images * ours.each

    return seconds


def step(published: Parts, ours: Parts, encoding: Parts) -> tuple[float, float]:
    """A step of a whole tuning, its part of the start and of the features of the training images included."""
    steps = EPOCHS * STEPS
    return published.each + published.start / steps, ours.each + (ours.start + TRAINED * encoding.each) / steps


def together(alone: Parts, ours: Parts, _: Parts) -> tuple[float, float]:
    """A process for each of 20 prompts against one for all; what there is once and each epoch."""
    one, every = (parts.start + parts.once + MINI_EPOCHS * parts.each for parts in (alone, ours))
    return PROMPTS * one, every


LEAST = {"coop": 20.0, "vpt": 2.5, "upt": 2.5}
CLAIMS = [
    Claim("coop: tuning step, 100 classes, 32 images", 15.0, ("published step coop", "our step coop"), step),
    Claim("coop: tuning step, 100 longer names", 15.0, ("published step coop", "our step coop, long names"), step),
    *(
        Claim(
            f"{method}: 20 sources, 100 classes, {images:,} images",
            least,
            (f"published column {method}", f"our column {method}"),
            column(images),
        )
        for method, least in LEAST.items()
        for images in SIZES
    ),
    *(Claim(f"{method}: 20 prompts together, mini", 4.0, (f"alone {method}", f"together {method}"), together) for method in LEAST),
]


@dataclass(frozen=True)
class Outcome:
    """Medians in seconds by the clock; ratio by the clock with the lowest and the highest of a round, and in processor time; share: what
    our way reaches of the rate of products of large matrices, both in processor time, at the smaller of two sizes."""

    claim: str
    least: float | None
    published: float
    ours: float
    ratio: float
    spread: tuple[float, float]
    processor: float
    share: float | None

    @property
    def met(self) -> bool | None:
        return None if self.least is None else self.ratio >= self.least


def outcome(claim: Claim, rounds: Mapping[str, Sequence[Mapping]], ceiling: float) -> Outcome:
    """rounds: what each process told, by measurement; ceiling: GFLOP in a second of processor time."""

    def both(kind: int) -> list[tuple[float, float]]:
        told = [[Parts.of(one, kind) for one in rounds[name]] for name in (*claim.sides, "encoding")]
        return [claim.seconds(*parts) for parts in zip(*told, strict=True)]

    clock, processor = both(CLOCK), both(PROCESSOR)
    published, ours = (median(pair[side] for pair in clock) for side in (0, 1))
    ratios = sorted(slow / fast for slow, fast in clock)
    used = median(pair[0] for pair in processor) / median(pair[1] for pair in processor)
    return Outcome(
        claim.words, claim.least, published, ours, published / ours, (ratios[0], ratios[-1]), used, _share(rounds[claim.sides[1]], ceiling)
    )


def _share(told: Sequence[Mapping], ceiling: float) -> float | None:
    gflop = next((one["gflop"] for one in told if one["gflop"]), None)
    if gflop is None:
        return None
    return gflop / median(one["took"][min(one["took"], key=int)][PROCESSOR] for one in told) / ceiling


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """The table."""
    head = f"{'claim':44s} {'published':>10s} {'ours':>9s} {'ratio':>7s} {'rounds':>13s} {'processor':>9s} {'ceiling':>8s}  wanted"
    rows = []
    for one in outcomes:
        share = "" if one.share is None else f"{100 * one.share:.0f} %"
        wanted = "" if one.least is None else f"{one.least:g} {'met' if one.met else 'missed'}"
        rounds = f"{one.spread[0]:.1f} to {one.spread[1]:.1f}"
        row = f"{one.claim:44s} {one.published:>8.1f} s {one.ours:>7.1f} s {one.ratio:>7.1f} {rounds:>13s} {one.processor:>9.1f}"
        rows.append(f"{row} {share:>8s}  {wanted}".rstrip())
    return [head, *rows]

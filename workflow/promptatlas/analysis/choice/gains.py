"""True gains of candidate prompts over the zero-shot one, from a few labelled images: estimates shrunk for the winner's optimism.

A candidate's gain on N images is the mean of its paired differences, whose standard error the images give. The apparent best of
many is the best partly by luck, so gains are drawn towards their middle (empirical Bayes: normal with an unknown
spread that is integrated over; Efron & Morris 1975, Gelman et al., Bayesian Data Analysis, 5.4). Most prompts harm and few help,
so that gains lie close together above their median and far apart below it: either half has a spread of its own.

All candidates and the zero-shot prompt answer the same images, so their errors are correlated: images that the zero-shot prompt
happens to fail lift all of them. The error of a gain is therefore split into a part of its own and a part that all share
(the regression of its differences on their mean over candidates, image by image). Only the own part makes a winner: by it gains are
drawn towards their median, all of a half by the same share. The shared part looks like a mean gain of all candidates, so it is
judged by how large such a mean is wont to be (`PRIOR`). What is left of both stays in every interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from promptatlas.analysis.choice.evidence import Evidence
from promptatlas.base.rng import named_rng

ONE_IMAGE = 1.0  # squared difference of one image more, so that no error is nothing
PRIOR = (0.0, 0.1)  # mean and standard deviation of the mean gain of all candidates, before any image was seen
SPREADS = (np.arange(1, 101) / 100) ** 2  # of true gains, 0 to 1; the prior is uniform between
REPLICATES, TOGETHER = 2000, 2**22


@dataclass(frozen=True)
class Gains:
    """Gains of P candidates over the zero-shot prompt as shares (0.04 = 4 points); NaN for those that failed.

    observed: (P,) means of paired differences; error: (P,) their standard errors. shrunk, spread: (P,) mean and standard
    deviation of what the true gain may be; low, high: (P,) the interval that holds it with probability 0.95; helps: (P,)
    the probability that it is above zero. images: N.
    """

    observed: np.ndarray
    error: np.ndarray
    shrunk: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    helps: np.ndarray
    images: int

    def above(self, least: float) -> np.ndarray:
        """(P,) probability that the true gain is above `least`."""
        return stdtr(freedom(self.images), (self.shrunk - least) / self.spread)


@dataclass(frozen=True)
class _Posterior:
    """Of U candidates that have scores, for each of T spreads of true gains.

    weights: (T, U), the same for all of a half; shrunk: (T, U) mean gains; own: (T, U) and shared: (T, U) variances of what is left of
    the two parts of an error; middle: (T, U) the variance of what gains are drawn to. upper: (U,) whether above the median. observed,
    error: (U,).
    """

    weights: np.ndarray
    shrunk: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    middle: np.ndarray
    upper: np.ndarray
    observed: np.ndarray
    error: np.ndarray


def gains(evidence: Evidence, prior: tuple[float, float] = PRIOR) -> Gains:
    """Estimates of the true gains. Takes any number of candidates and of images, all right, all wrong or all alike.

    prior: mean and standard deviation of the mean gain of all candidates; infinite for one that nothing is known of.
    """
    usable = evidence.usable
    one, images = _posterior(evidence.differences[usable], prior), len(evidence.labels)
    shrunk = (one.weights * one.shrunk).sum(axis=0)
    spread = np.sqrt((one.weights * (one.own + one.shared + one.middle + (one.shrunk - shrunk) ** 2)).sum(axis=0))
    half = stdtrit(freedom(images), 0.975) * spread

    def whole(values: np.ndarray) -> np.ndarray:
        out = np.full(len(usable), np.nan)
        out[usable] = values
        return out

    return Gains(
        observed=whole(one.observed),
        error=whole(one.error),
        shrunk=whole(shrunk),
        spread=whole(spread),
        low=whole(np.maximum(shrunk - half, -1)),
        high=whole(np.minimum(shrunk + half, 1)),
        helps=whole(stdtr(freedom(images), shrunk / spread)),
        images=images,
    )


def chance_of_being_best(evidence: Evidence, prior: tuple[float, float] = PRIOR) -> np.ndarray:
    """(P,) probability that a candidate's true gain is the largest of all, by simulation; 0 for those that failed.

    What all share decides nothing here. The random numbers are named by target and draw, so that the same evidence always gives
    the same.
    """
    usable = evidence.usable
    one, free = _posterior(evidence.differences[usable], prior), freedom(len(evidence.labels))
    count, out = len(one.observed), np.zeros(len(usable))
    if not count:
        return out
    rng = named_rng("choice", "best", str(evidence.draw))
    wins = np.zeros(count)
    for some in np.array_split(np.arange(REPLICATES), max(1, REPLICATES * count // TOGETHER)):
        which = _drawn_spreads(one, len(some), rng)
        own = np.sqrt(np.take_along_axis(one.own, which, axis=0)) * rng.standard_normal((len(some), count))
        truth = np.take_along_axis(one.shrunk, which, axis=0) + np.sqrt(free / rng.chisquare(free, (len(some), 1))) * own
        wins += np.bincount(truth.argmax(axis=1), minlength=count)
    out[usable] = wins / REPLICATES
    return out


def freedom(images: int) -> int:
    """Degrees of freedom of the errors from so many images."""
    return max(images - 1, 1)


def _posterior(differences: np.ndarray, prior: tuple[float, float]) -> _Posterior:
    """From paired differences (U, N)."""
    count = len(differences)
    observed = differences.mean(axis=1)
    own, shared, side = _errors(differences - observed[:, None])
    luck_of_one = own.mean() if count else 0.0
    middle = float(np.median(observed)) if count else 0.0
    upper = observed > middle
    weights, spreads = np.ones((1, count)), np.zeros((1, 1))
    if count > 1:
        spreads = SPREADS[:, None]
        weights = np.where(upper, *(_weights(observed - middle, luck_of_one, sign)[:, None] for sign in (1, -1)))
    around = spreads**2 + luck_of_one  # the variance of observed gains about their middle
    kept = spreads**2 / around if count > 1 else np.ones((1, 1))
    common = (side * np.sqrt(shared)).mean() if count else 0.0  # standard error that the mean gain has from the shared part
    loading = side * np.sqrt(shared) / common if common else np.zeros(count)
    mean = observed.mean() if count else 0.0
    luck = common**2 / (prior[1] ** 2 + common**2 + around / max(count, 1))  # the share of the mean gain that is due to these images
    moved = luck * (mean - prior[0])
    return _Posterior(
        weights=weights,
        shrunk=middle - moved + kept * (observed - middle - (loading - 1) * moved),
        own=kept * own,
        shared=(1 - luck) * shared,
        middle=np.broadcast_to((1 - kept) ** 2 * around / max(count, 1), weights.shape),
        upper=upper,
        observed=observed,
        error=np.sqrt(own + shared),
    )


def _weights(distance: np.ndarray, luck: float, sign: int) -> np.ndarray:
    """(T,) how likely each of SPREADS is, from distances (U,) of observed gains from their median: those of the half above it (`sign` 1) or
    below it (-1), whose own errors have the variance `luck`. The median itself takes one of the U gains, half of it from either side.
    """
    half = np.maximum(sign * distance, 0)
    around = SPREADS**2 + luck
    log = -0.5 * ((len(distance) - 1) / 2 * np.log(around) + (half**2).sum() / around)
    log += np.log(SPREADS) / 2  # a step of the grid is as the root of the spread
    weights = np.exp(log - log.max())
    return np.asarray(weights / weights.sum())


def _drawn_spreads(one: _Posterior, size: int, rng: np.random.Generator) -> np.ndarray:
    """(size, U) numbers of spreads by their weights, the same for all of a half."""
    halves = []
    for members in (one.upper, ~one.upper):
        known = np.flatnonzero(members)
        halves.append(rng.choice(len(one.weights), size, p=one.weights[:, known[0]]) if len(known) else np.zeros(size, int))
    return np.asarray(np.where(one.upper, halves[0][:, None], halves[1][:, None]))


def _errors(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances of the own and of the shared part of the errors of gains (U,), and the side of the shared part, from differences
    less their means (U, N).
    """
    count, images = centred.shape
    total = ((centred**2).sum(axis=1) + ONE_IMAGE) / freedom(images) / images
    if count < 2:
        return np.zeros(count), total, np.ones(count)
    common = centred.mean(axis=0)
    size = common @ common
    loading = centred @ common / size if size > 0 else np.zeros(count)
    left = ((centred - loading[:, None] * common) ** 2).sum(axis=1) * count / (count - 1)
    own = np.minimum((left + ONE_IMAGE / 2) / freedom(images - 1) / images, total)
    return own, total - own, np.where(loading < 0, -1.0, 1.0)

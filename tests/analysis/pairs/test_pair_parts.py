"""What a gain varies by, against loops that know nothing of arrays; how seeds are moderated, against scipy and made-up variances."""

import numpy as np
import pytest
from scipy import stats

from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.interval import Uncertain
from promptatlas.analysis.pairs.moderated import NOTHING, Prior, fitted
from promptatlas.analysis.pairs.parts import VariedBy, varied_by

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3])  # class 4 has no image


def drawn(seed: int, sources: int = 3, seeds: int = 3, images: int = len(LABELS)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((sources, seeds, images)) < 0.6, rng.random(images) < 0.5


def by_loops(right: np.ndarray, reference: np.ndarray, labels: np.ndarray | None) -> tuple[float, float, float]:
    """Gain, shared and between of one source (S, N), image by image."""
    seeds, images = right.shape
    groups = [list(range(images))] if labels is None else [[n for n in range(images) if labels[n] == c] for c in sorted({*labels})]

    def mean(values) -> float:
        if labels is None:
            return sum(values) / images
        return sum(sum(values[n] for n in group) / len(group) for group in groups) / len(groups)

    def variance_of_mean(values) -> float:
        """Times N squared."""
        total = 0.0
        for group in groups:
            weight = 1.0 if labels is None else images / (len(groups) * len(group))
            level = sum(values[n] for n in group) / len(group)
            total += weight**2 * sum((values[n] - level) ** 2 for n in group) * len(group) / (len(group) - 1)
        return total

    each = [[int(right[s, n]) - int(reference[n]) for n in range(images)] for s in range(seeds)]
    means = [sum(each[s][n] for s in range(seeds)) / seeds for n in range(images)]
    gain = mean(means)
    between = sum((mean(own) - gain) ** 2 for own in each) / (seeds - 1) + 1 / (seeds * images**2)
    rest = sum(variance_of_mean([own[n] - means[n] for n in range(images)]) for own in each) / (seeds - 1)
    noise = rest / images**2 + 1 / (seeds * images**2)
    shared = (variance_of_mean(means) + 2) / (images + 2) ** 2 - noise / seeds
    return gain, max(shared, 0), between


@pytest.mark.parametrize("labels", [None, LABELS], ids=["mean over images", "mean over classes"])
def test_gain_and_variances_are_those_of_loops(labels):
    right, reference = drawn(0)
    images = WeightedImages.alike(len(LABELS)) if labels is None else WeightedImages.by_class(labels)
    found = varied_by(right, reference, np.ones((3, 3), bool), images)
    for place, one in enumerate(right):
        assert (found.gain[place], found.shared[place], found.between[place]) == pytest.approx(by_loops(one, reference, labels))


def test_a_seed_that_is_missing_counts_nowhere():
    right, reference = drawn(1)
    there = np.array([[True, False, True], [True, True, True], [False, False, True]])
    found, images = varied_by(right, reference, there, WeightedImages.alike(len(LABELS))), WeightedImages.alike(len(LABELS))
    two = varied_by(right[:1, [0, 2]], reference, np.ones((1, 2), bool), images)
    one = varied_by(right[2:, 2:], reference, np.ones((1, 1), bool), images)
    for name in ("gain", "seeds", "shared", "between"):
        assert getattr(found, name)[0] == getattr(two, name)[0]
        np.testing.assert_equal(getattr(found, name)[2], getattr(one, name)[0])
    assert np.isnan(found.between[2]) and np.isfinite(found.shared).all()


def test_one_seed_is_the_interval_of_bonett_and_price_nearly():
    """Theirs takes the variance about the mean with the two images, n + 2 of them: for 200 images the same within a hundredth."""
    rng = np.random.default_rng(2)
    right, reference = rng.random((1, 1, 200)) < 0.7, rng.random(200) < 0.6
    found = varied_by(right, reference, np.ones((1, 1), bool), WeightedImages.alike(200))
    low, high = Uncertain(found, NOTHING).interval()
    b, c = int((right[0, 0] & ~reference).sum()), int((~right[0, 0] & reference).sum())
    p, q = (b + 1) / 202, (c + 1) / 202
    half = 1.96 * np.sqrt((p + q - (p - q) ** 2) / 202)
    assert (low[0], high[0]) == pytest.approx((p - q - half, p - q + half), abs=0.003)


def test_a_class_of_one_image_claims_too_little_rather_than_too_much():
    """What another image of the class would be is not known: it counts from 0, no less than its square."""
    images = WeightedImages.by_class(np.array([0, 0, 0, 1]))
    assert images.squares(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(images.weights[3] ** 2)
    assert images.squares(np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(0)


def test_answers_that_never_differ_still_have_an_error():
    right, reference = np.ones((1, 3, 50), bool), np.ones(50, bool)
    found = varied_by(right, reference, np.ones((1, 3), bool), WeightedImages.alike(50))
    low, high = Uncertain(found, NOTHING).interval()
    assert found.gain[0] == 0 and low[0] < -0.02 and high[0] > 0.02 and Uncertain(found, NOTHING).p()[0] == pytest.approx(1)


def test_a_prior_is_found_again():
    """Variances of which d0 = 6, s0 = .002 are known; scipy's F says how likely they are."""
    rng = np.random.default_rng(3)
    true = 6 * 0.002 / rng.chisquare(6, 4000)
    between, freedom = true * rng.chisquare(2, 4000) / 2, np.full(4000, 2)
    prior = fitted(between, freedom, np.arange(4000) % 40)
    assert prior.variance == pytest.approx(0.002, rel=0.1) and prior.freedom == pytest.approx(6, rel=0.2)

    def likelihood(variance: float, d0: float) -> float:
        return stats.f.logpdf(between / variance, 2, d0).sum() - 4000 * np.log(variance)

    best = likelihood(prior.variance, prior.freedom)
    for variance, d0 in ((1.03, 1), (0.97, 1), (1, 1.1), (1, 0.9)):
        assert likelihood(prior.variance * variance, prior.freedom * d0) < best


def test_variances_that_are_all_alike_are_worth_no_more_than_the_other_targets():
    rng = np.random.default_rng(4)
    between = 0.01 * rng.chisquare(2, 90) / 2
    assert fitted(between, np.full(90, 2), np.repeat(np.arange(10), 9)).freedom == pytest.approx(18, rel=1e-3)
    assert fitted(between, np.full(90, 2), np.zeros(90)) == NOTHING
    assert fitted(np.full(3, np.nan), np.zeros(3), np.arange(3)) == NOTHING


def test_moderation_is_the_mean_weighted_by_degrees_of_freedom():
    variance, freedom = Prior(0.01, 4.0).moderated(np.array([0.04, np.nan, 0.0]), np.array([2, 0, 2]))
    assert variance == pytest.approx([(4 * 0.01 + 2 * 0.04) / 6, 0.01, 0.04 / 6]) and freedom == pytest.approx([6, 4, 6])
    assert np.isnan(NOTHING.moderated(np.array([np.nan]), np.array([0]))[0]).all()


def one_of(gain: float, shared: float, between: float, seeds: int = 3, images: int = 400) -> VariedBy:
    return VariedBy(*(np.array([value]) for value in (gain, images, seeds, shared, between)))


def test_p_is_that_of_t_where_one_part_is_all_there_is():
    by_seeds = Uncertain(one_of(0.05, 0.0, 0.002), Prior(0.003, 5.0))
    error = np.sqrt((5 * 0.003 + 2 * 0.002) / 7 / 3)
    centre = 0.05 * 400 / 402
    assert by_seeds.p()[0] == pytest.approx(2 * stats.t.sf(centre / error, 7), rel=1e-6)
    assert by_seeds.interval()[0][0] == pytest.approx(centre - stats.t.ppf(0.975, 7) * error)
    by_images = Uncertain(one_of(0.05, 0.0004, np.nan, seeds=1), NOTHING)
    assert by_images.p()[0] == pytest.approx(2 * stats.t.sf(centre / 0.02, 401), rel=1e-6) and not by_images.counts_seeds[0]


def test_p_is_below_5_percent_exactly_where_the_interval_leaves_0_out():
    rng = np.random.default_rng(5)
    found = VariedBy(rng.normal(0, 0.1, 500), np.full(500, 300), np.full(500, 3), rng.uniform(0, 0.001, 500), rng.uniform(0, 0.01, 500))
    known = Uncertain(found, Prior(0.004, 5.0))
    low, high = known.interval()
    outside = (low > 0) | (high < 0)
    assert 50 < outside.sum() < 450 and (outside == (known.p() < 0.05)).all()

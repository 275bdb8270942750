"""The distance of labelled data sets: closed forms, and every assignment tried with Gaussians by hand."""

from itertools import permutations

import numpy as np
import pytest

from promptatlas.evaluation.similarity import Corpus, lookup
from promptatlas.evaluation.similarity.otdd import distance, labelled, one_class_each
from promptatlas.evaluation.similarity.visual import frechet

RNG = np.random.default_rng(0)


def task(images=6, classes=2, width=3):
    return RNG.normal(size=(images, width)), np.arange(images) % classes


def by_hand(one, other) -> float:
    """The least mean cost over all assignments; between classes the Frechet distance of Gaussians with full matrices, here diagonal."""
    (xs, ys), (us, vs) = one, other

    def gaussian(points):
        return points.mean(axis=0), np.diag(points.var(axis=0))

    def cost(x, y, u, v):
        return ((x - u) ** 2).sum() + frechet(*gaussian(xs[ys == y]), *gaussian(us[vs == v]))

    table = np.array([[cost(x, y, u, v) for u, v in zip(us, vs, strict=True)] for x, y in zip(xs, ys, strict=True)])
    return min(np.mean([table[i, j] for i, j in enumerate(order)]) for order in permutations(range(len(us))))


def corpus(tasks) -> Corpus:
    names = tuple(f"task {number}" for number in range(len(tasks)))
    return Corpus(names, (), tuple(one[0] for one in tasks), (), tuple(one[1] for one in tasks))


@pytest.mark.parametrize("classes", [(2, 2), (2, 3), (1, 6)])
def test_it_is_the_least_cost_of_all_assignments(classes):
    one, other = (task(6, count) for count in classes)
    assert distance(labelled(*one), labelled(*other)) == pytest.approx(by_hand(one, other), rel=1e-12)


def test_a_shift_costs_its_square_twice_and_a_scale_as_in_closed_form():
    """Moving all images by t moves each image and the mean of its class: 2 |t|^2. On one axis scaling by s about 0 keeps the order, so
    that each image pays (s - 1)^2 x^2, and its class the same of its mean and of its spread."""
    images, classes = task(40, 4, 5)
    shift = np.array([0.5, -1, 0, 2, 0.25])
    assert distance(labelled(images, classes), labelled(images + shift, classes)) == pytest.approx(2 * (shift**2).sum(), rel=1e-12)
    line = np.sort(RNG.normal(size=(30, 1)) + 3 * np.repeat(np.arange(3), 10)[:, None], axis=0)
    own = np.repeat(np.arange(3), 10)
    groups = line.reshape(3, 10)
    expected = 0.25 * ((line**2).mean() + (groups.mean(axis=1) ** 2 + groups.var(axis=1)).mean())
    assert distance(labelled(line, own), labelled(1.5 * line, own)) == pytest.approx(expected, rel=1e-12)


def test_the_same_images_with_other_labels_are_further_than_with_renamed_ones():
    images, classes = task(12, 3)
    shuffled = RNG.permutation(classes)
    assert distance(labelled(images, classes), labelled(images, 7 - classes)) == pytest.approx(0, abs=1e-12)
    assert distance(labelled(images, classes), labelled(images, shuffled)) > 0.01


def test_the_measure_takes_as_many_labelled_images_of_each_and_turns_the_sign():
    one, other = task(6, 2), task(5, 2)
    values = lookup("vis_otdd").compute(corpus([one, one, other]))
    assert values[0, 0] == 0 and values[0, 2] == values[2, 0] < 0 and np.isfinite(values).all()
    images, classes = task(6, 2)
    pair = lookup("vis_otdd").compute(corpus([one, (images, classes)]))
    assert pair[0, 1] == pytest.approx(-by_hand(one, (images, classes)), rel=1e-12)


def test_of_several_classes_an_image_has_one_of_its_own_and_without_any_it_is_left_out():
    marks = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]] * 200)
    (chosen,) = one_class_each(["a"], [marks])
    assert {*chosen[0::3]} == {0, 2} and {*chosen[1::3]} == {1} and {*chosen[2::3]} == {-1}
    assert 60 < (chosen[0::3] == 0).sum() < 140, "either is as likely"
    images = RNG.normal(size=(600, 3))
    values = lookup("vis_otdd").compute(corpus([(images, marks), task(20, 2), (images[:4], np.zeros((4, 3)))]))
    assert np.isfinite(values[:2, :2]).all() and np.isnan(values[2]).all() and np.isnan(values[:, 2]).all()

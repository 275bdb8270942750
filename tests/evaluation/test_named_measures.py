"""Measures of similarity that a study has to name, against closed forms, other libraries and naive re-statements."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import wasserstein_distance
from sklearn.neighbors import NearestNeighbors

from promptatlas.evaluation import similarity
from promptatlas.evaluation.similarity.fisher import SCALE, fisher, normalised_cosine
from promptatlas.evaluation.similarity.kernels import kernel_sum, median_distance, mmd
from promptatlas.evaluation.similarity.label import centred_cosines, plain
from promptatlas.evaluation.similarity.neighbourhoods import covered, mixed
from promptatlas.evaluation.similarity.samples import equal_samples
from promptatlas.evaluation.similarity.transport import squared_distances, transport
from synthetic_study import encoded_tasks

STANDARD = ["vis_frechet", "lab_cover", "factor_overlap"]
NAMED = [name for name in similarity.registered() if name not in STANDARD and "prompts" not in similarity.lookup(name).needs]


def unit(rng, *shape):
    drawn = rng.normal(size=shape)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def named_tasks(n, **changes):
    """Encoded tasks with labels and class names, neighbours of which share one."""
    tasks = {}
    for k, (name, (task, encoded)) in enumerate(encoded_tasks(n, **changes).items()):
        names = tuple(f"class {i + 2 * k}" for i in range(3 + k % 2))
        labels = np.arange(len(encoded["features_train"])) % len(names)
        tasks[name] = SimpleNamespace(**vars(task), class_names=names), encoded | {"labels_train": labels}
    return tasks


def test_a_study_that_names_none_has_the_measures_that_it_always_had():
    assert [one.name for one in similarity.chosen("standard")] == STANDARD
    assert {one.name for one in similarity.chosen("all")} == {*similarity.registered()} > {*STANDARD}


def test_transport_of_as_many_points_is_the_best_of_all_orders():
    cost = np.random.default_rng(0).random((6, 6))
    assert transport(cost) == pytest.approx(min(cost[range(6), order].mean() for order in permutations(range(6))))


@pytest.mark.parametrize("sizes", [(7, 7), (5, 8), (12, 3), (1, 4)])
def test_transport_on_a_line_has_its_closed_form(sizes):
    one, other = (np.random.default_rng(size).normal(size=size) for size in sizes)
    assert transport(abs(one[:, None] - other)) == pytest.approx(wasserstein_distance(one, other))


def test_squared_transport_on_a_line_is_that_of_sorted_points():
    one, other = np.random.default_rng(0).normal(size=(2, 9))
    expected = ((np.sort(one) - np.sort(other)) ** 2).mean()
    assert transport(squared_distances(one[:, None], other[:, None])) == pytest.approx(expected)


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0])
def test_discrepancy_of_two_points_has_its_closed_form(distance):
    here, there = np.zeros((4, 2)), np.full((3, 2), distance / np.sqrt(2))
    assert mmd(here, there, 1.5) == pytest.approx(2 * (1 - np.exp(-(distance**2) / (2 * 1.5**2))), abs=1e-12)


def test_discrepancy_equals_a_double_loop():
    one, other = np.random.default_rng(0).normal(size=(600, 3)), np.random.default_rng(1).normal(size=(7, 3))

    def mean(a, b, same):
        kernel = [[np.exp(-((x - y) ** 2).sum() / 8) for y in b] for x in a]
        return (np.sum(kernel) - same * len(a)) / (len(a) * (len(b) - same))

    assert mmd(one[:9], other, 2.0) == pytest.approx(mean(one[:9], one[:9], 1) + mean(other, other, 1) - 2 * mean(one[:9], other, 0))
    assert kernel_sum(one, other, 2.0) == pytest.approx(mean(one, other, 0) * 4200)


def test_discrepancy_is_unbiased():
    rng = np.random.default_rng(0)
    found = [mmd(*rng.normal(size=(2, 12, 3)), 2.0) for _ in range(2000)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(2000)


def test_the_width_is_the_median_distance():
    sample = np.array([[0.0], [1.0], [3.0]])
    assert median_distance([sample]) == 2


def test_coverage_and_mixing_against_a_search_for_neighbours():
    rng = np.random.default_rng(0)
    source, target = unit(rng, 40, 4), unit(rng, 30, 4)
    nearest = NearestNeighbors(n_neighbors=1, metric="cosine").fit(source).kneighbors(target)[0]
    assert covered(source, target) == pytest.approx(1 - nearest.mean())
    tasks = {
        name: (SimpleNamespace(), {"features_train": own, "class_features": np.eye(4)}) for name, own in (("a", source[:30]), ("b", target))
    }
    pooled = np.concatenate([source[:30], target])
    around = NearestNeighbors(n_neighbors=11, metric="cosine").fit(pooled).kneighbors(target)[1][:, 1:]
    table = similarity.compute(tasks, ["vis_knnmix", "vis_cover"]).set_index(["measure", "source", "target"])["value"]
    assert table["vis_knnmix", "a", "b"] == pytest.approx((around < 30).mean())
    assert table["vis_cover", "a", "b"] == pytest.approx(covered(source[:30], target), abs=1e-6)


def test_mixing_is_none_apart_and_half_together():
    rng = np.random.default_rng(0)
    far = {name: unit(rng, 200, 3) * [1, 0.1, 0.1] + [shift, 0, 0] for name, shift in (("left", -9), ("right", 9))}
    near = dict(zip(("one", "other"), unit(rng, 2, 200, 3), strict=True))
    tasks = {name: (SimpleNamespace(), {"features_train": own, "class_features": np.eye(3)}) for name, own in (far | near).items()}
    table = similarity.compute(tasks, ["vis_knnmix"]).set_index(["source", "target"])["value"]
    assert table["left", "right"] == 0 and table["one", "other"] == pytest.approx(0.5, abs=0.05) and table["one", "one"] == 1


def test_images_as_near_count_in_part():
    same = np.ones((5, 2))
    assert mixed(same, same) == pytest.approx(0.5)


def test_fisher_information_is_the_expected_square_of_numerical_slopes():
    rng = np.random.default_rng(0)
    images, classes = unit(rng, 3, 5), unit(rng, 4, 5) / 10

    def logs(scales):
        logits = SCALE * (images * scales) @ classes.T
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))

    step, p = 1e-5, np.exp(logs(np.ones(5)))
    expected = [(p * ((logs(1 + step * d) - logs(1 - step * d)) / (2 * step)) ** 2).sum(1).mean() for d in np.eye(5)]
    assert fisher(images, classes) == pytest.approx(np.array(expected), rel=1e-6)


def test_task2vec_distance_is_that_of_the_paper():
    one, other = np.random.default_rng(0).random((2, 6))
    assert normalised_cosine(one, other) == pytest.approx(1 - cosine(one / (one + other), other / (one + other)))
    assert normalised_cosine(one, one) == pytest.approx(1)


def test_centroids_are_compared_without_their_mean():
    a, b, c = vectors = np.random.default_rng(0).normal(size=(3, 4)) + 5
    mean = (a + b + c) / 3
    assert centred_cosines(vectors)[0, 1] == pytest.approx(1 - cosine(a - mean, b - mean))
    assert np.isnan(centred_cosines(np.stack([a, b, (a + b) / 2]))[2]).all()


def test_class_names_are_shared_whatever_their_case_and_punctuation():
    assert plain("  Bus_Stop, (old)") == "bus stop old" and plain("Äpfel") == "äpfel"
    names = {"few": ("Cat", "dog"), "many": ("cat", "DOG", "air-plane", "ship"), "none": ("yes", "no")}
    tasks = {
        name: (SimpleNamespace(class_names=own), {"features_train": np.eye(3), "class_features": np.eye(3)}) for name, own in names.items()
    }
    table = similarity.compute(tasks, ["lab_overlap", "lab_share"]).set_index(["measure", "source", "target"])["value"]
    assert table["lab_overlap", "few", "many"] == table["lab_overlap", "many", "few"] == 0.5
    assert table["lab_share", "few", "many"] == 0.5 and table["lab_share", "many", "few"] == 1 and table["lab_share", "few", "none"] == 0


@pytest.mark.parametrize("name", NAMED)
def test_a_measure_is_largest_of_a_task_with_itself_and_follows_the_order_of_tasks(name):
    tasks = named_tasks(n=4)
    values = similarity.compute(tasks, [name])["value"].to_numpy().reshape(4, 4)
    assert np.isfinite(values).all()
    assert (np.diag(values)[:, None] >= values - 1e-9).all() or name == "vis_mmd"
    turned = similarity.compute({task: tasks[task] for task in reversed(tasks)}, [name])["value"].to_numpy().reshape(4, 4)
    assert turned[::-1, ::-1] == pytest.approx(values, abs=1e-6)
    assert similarity.lookup(name).directed == (not np.allclose(values, values.T))


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("vis_") and name != "vis_otdd"])
def test_a_rotation_of_all_images_changes_nothing(name):
    tasks = named_tasks(n=3)
    width = next(iter(tasks.values()))[1]["features_train"].shape[1]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]
    turned = {task: (about, own | {"features_train": own["features_train"] @ turn}) for task, (about, own) in tasks.items()}
    assert similarity.compute(turned, [name])["value"].to_numpy() == pytest.approx(
        similarity.compute(tasks, [name])["value"].to_numpy(), abs=1e-5
    )


def test_another_order_of_axes_changes_nothing_where_classes_have_a_spread_along_each():
    """A rotation does: covariances of classes are taken for diagonal."""
    tasks = named_tasks(n=3)
    turned = {task: (about, own | {"features_train": own["features_train"][:, ::-1]}) for task, (about, own) in tasks.items()}
    assert similarity.compute(turned, ["vis_otdd"])["value"].to_numpy() == pytest.approx(
        similarity.compute(tasks, ["vis_otdd"])["value"].to_numpy(), abs=1e-6
    )


def test_a_task_with_too_few_images_is_a_gap_with_a_reason_and_the_others_are_not():
    tasks = named_tasks(n=3)
    tasks["task_01"][1]["features_train"] = tasks["task_01"][1]["features_train"][:4]
    table = similarity.compute(tasks, ["vis_knnmix"]).set_index(["source", "target"])["value"]
    assert np.isnan(table["task_00", "task_01"]) and np.isnan(table["task_01", "task_01"]) and np.isfinite(table["task_00", "task_02"])
    assert similarity.gaps(tasks, ["vis_knnmix", "vis_cover"]) == [
        "vis_knnmix is not defined for task task_01: it has 4 images by which tasks are compared, and 11 are needed"
    ]
    assert len(equal_samples(similarity.corpus(tasks))[0]) == 4


def test_images_that_are_all_the_same_have_no_width():
    same = {name: (SimpleNamespace(), {"features_train": np.ones((5, 2)), "class_features": np.eye(2)}) for name in "ab"}
    assert similarity.compute(same, ["vis_mmd"])["value"].isna().all()

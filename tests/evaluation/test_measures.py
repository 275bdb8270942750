"""Similarity measures against closed forms and naive re-statements."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg

from promptatlas.base.errors import UserError
from promptatlas.evaluation import similarity
from promptatlas.evaluation.similarity import Measure
from promptatlas.evaluation.similarity.samples import equal_samples
from promptatlas.evaluation.similarity.truth import jaccard
from promptatlas.evaluation.similarity.visual import frechet
from synthetic_study import encoded_tasks


def corpus(**changes):
    return similarity.corpus(encoded_tasks(**changes))


def test_frechet_distance_has_its_closed_form():
    value = frechet(np.array([0.0, 0.0]), np.diag([1.0, 4.0]), np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    assert value == pytest.approx(7, abs=1e-12)


def test_frechet_distance_equals_the_general_matrix_square_root():
    rng = np.random.default_rng(0)
    a, b = (x @ x.T for x in rng.normal(size=(2, 6, 6)))
    one, other = rng.normal(size=(2, 6))
    reference = ((one - other) ** 2).sum() + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    assert frechet(one, a, other, b) == pytest.approx(reference, rel=1e-8)


def test_frechet_distance_ignores_rotation_and_is_zero_for_equals():
    rng = np.random.default_rng(1)
    a, b = (x @ x.T for x in rng.normal(size=(2, 5, 5)))
    one, other = rng.normal(size=(2, 5))
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert frechet(q @ one, q @ a @ q.T, q @ other, q @ b @ q.T) == pytest.approx(frechet(one, a, other, b))
    assert frechet(one, a, one, a) == pytest.approx(0, abs=1e-10)


def test_frechet_distance_survives_rank_deficient_covariances():
    flat = np.zeros((4, 4))
    assert frechet(np.zeros(4), flat, np.ones(4), flat) == pytest.approx(4)


def test_visual_similarity_uses_equal_samples_and_does_not_depend_on_the_company():
    everything = corpus(n=5)
    assert {len(sample) for sample in equal_samples(everything)} == {120}
    values = similarity.lookup("vis_frechet").compute(everything)
    assert np.allclose(values, values.T) and (np.diag(values) == 0).all() and (values[~np.eye(5, dtype=bool)] < 0).all()
    tasks = encoded_tasks(n=5)
    fewer = similarity.corpus({name: tasks[name] for name in list(tasks)[:3]})
    assert np.allclose(similarity.lookup("vis_frechet").compute(fewer), values[:3, :3])


def test_label_cover_equals_a_double_loop():
    given = corpus(n=4)
    mean = np.concatenate(given.classes).mean(axis=0)
    expected = np.zeros((4, 4))
    for i, source in enumerate(given.classes):
        for j, target in enumerate(given.classes):
            best = [max(np.dot(c - mean, d - mean) / np.linalg.norm(c - mean) / np.linalg.norm(d - mean) for d in source) for c in target]
            expected[i, j] = sum(best) / len(best)
    assert np.allclose(similarity.lookup("lab_cover").compute(given), expected, atol=1e-6)


def test_label_cover_is_directed_and_complete_for_a_subset():
    one = np.eye(4, 6)
    tasks = {
        "all": (SimpleNamespace(drawn=(), labelled=()), {"features_train": np.eye(6), "class_features": one}),
        "some": (SimpleNamespace(drawn=(), labelled=()), {"features_train": np.eye(6), "class_features": one[:2]}),
    }
    table = similarity.compute(tasks, ["lab_cover"]).set_index(["source", "target"])["value"]
    assert table["all", "some"] == pytest.approx(1) and table["some", "all"] < 0.9


def test_factor_overlap_is_the_mean_of_two_jaccards():
    assert jaccard(("a", "b"), ("b", "c")) == pytest.approx(1 / 3)
    values = similarity.lookup("factor_overlap").compute(corpus(n=4))
    assert values[0, 0] == 1 and values[0, 1] == pytest.approx((1 / 3 + 0) / 2) and values[0, 2] == pytest.approx((1 / 3 + 1) / 2)


def test_table_has_every_pair_of_every_measure_with_the_agreed_columns():
    table = similarity.compute(encoded_tasks(n=4))
    assert list(table.columns) == ["measure", "family", "directed", "source", "target", "method", "seed", "value"]
    assert list(dict.fromkeys(table["measure"])) == ["vis_frechet", "lab_cover", "factor_overlap"]
    assert table.groupby("measure").size().to_dict() == {"vis_frechet": 16, "lab_cover": 16, "factor_overlap": 16}
    assert table["value"].notna().all()


@pytest.fixture
def own():
    """Registers measures, for one test."""
    before = [*similarity.MEASURES]
    yield lambda name, compute, **more: similarity.register(
        Measure(
            **{"name": name, "title": name, "description": name, "family": "visual", "directed": False, "needs": ()} | more, compute=compute
        )
    )
    for name in [name for name in similarity.MEASURES if name not in before]:
        similarity.MEASURES.remove(name)


def test_a_measure_that_is_defined_nowhere_is_no_silent_gap(own):
    own("nowhere", lambda corpus: np.full((4, 4), np.nan))
    table = similarity.compute(encoded_tasks(4), ["nowhere"])
    assert len(table) == 16 and table["value"].isna().all()


def test_factor_overlap_is_left_out_where_no_truth_is_known():
    tasks = {name: (SimpleNamespace(drawn=(), labelled=()), arrays) for name, (_, arrays) in encoded_tasks(n=3).items()}
    assert set(similarity.compute(tasks)["measure"]) == {"vis_frechet", "lab_cover"}


def test_mistakes_are_told_in_one_sentence():
    tasks = encoded_tasks(n=3)
    with pytest.raises(UserError, match="vis_frechet"):
        similarity.compute(tasks, ["vis_frechett"])
    tasks["task_01"][1]["features_train"][0, 0] = np.nan
    with pytest.raises(UserError, match="task_01"):
        similarity.compute(tasks)
    tasks = encoded_tasks(n=3)
    del tasks["task_01"][1]["class_features"]
    with pytest.raises(UserError, match="class_features"):
        similarity.compute(tasks)


def test_a_measure_is_given_what_it_needs(own):
    seen = {}
    for need in ("labels", "logits"):
        own(need, lambda corpus, need=need: seen.update({need: corpus}) or np.zeros((3, 3)), needs=(need,))
    tasks = encoded_tasks(n=3)
    with pytest.raises(UserError, match="the encoded task 'task_00' has no 'labels_train'"):
        similarity.compute(tasks, ["labels"])
    for _, encoded in tasks.values():
        encoded["labels_train"] = np.arange(len(encoded["features_train"])) % 4
    similarity.compute(tasks, ["labels", "logits"])
    assert [len(labels) for labels in seen["labels"].labels] == [120, 130, 140] and seen["labels"].logits == ()
    assert [logits.shape for logits in seen["logits"].logits] == [(120, 4), (130, 5), (140, 6)] and seen["logits"].labels == ()


def test_a_measure_of_prompts_has_a_matrix_per_method_and_seed_and_gaps_where_a_task_has_no_prompt(own):
    own("lengths", lambda corpus: np.add.outer(*[[one["text"].sum() for one in corpus.prompts]] * 2), needs=("prompts",), family="prompt")
    tasks = encoded_tasks(n=3)
    prompts = {("coop", 1): {name: {"text": np.ones(2)} for name in tasks}, ("coop", 2): {"task_00": {"text": np.ones(5)}}}
    table = similarity.compute(tasks, ["lengths"], prompts)
    assert table.groupby(["method", "seed"]).size().to_dict() == {("coop", 1): 9, ("coop", 2): 9}
    first, second = table[table["seed"] == 1], table[table["seed"] == 2]
    assert (first["value"] == 4).all() and second["value"].notna().sum() == 1 and second["value"].iloc[0] == 10


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "lab_cover"}, "there is a measure `lab_cover` already"),
        ({"name": "by title"}, "measure 'by title': a name has letters, digits and _ only"),
        ({"family": "visuall"}, "measure 'mine': its family is 'visuall'; it is one of visual, label, prompt, estimator, truth"),
        ({"needs": ("image",)}, "measure 'mine': there is no 'image' to need; did you mean 'images'"),
        ({"compute": None}, r"measure 'mine': its function must be a function of \(corpus\)"),
        ({"compute": lambda images, labels: 1}, r"its function takes \(images, labels\), but is called with \(corpus\)"),
    ],
)
def test_what_cannot_be_a_measure_is_refused(own, given, words):
    with pytest.raises(UserError, match=words):
        own(**{"name": "mine", "compute": lambda corpus: 1} | given)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(3), r"measure 'mine' gave an array of shape \(3,\) for 3 tasks"),
        (np.arange(9.0).reshape(3, 3), "measure 'mine' is registered as not directed, but differs by direction"),
    ],
)
def test_what_a_measure_gives_is_checked(own, values, words):
    own("mine", lambda corpus: values)
    with pytest.raises(UserError, match=words):
        similarity.compute(encoded_tasks(n=3), ["mine"])

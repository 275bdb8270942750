"""A metric from outside the package takes one `register`: tasks are described and prepared by it, prompts and adapters chosen by it."""

import numpy as np
import pytest
import torch

from promptatlas.backbone.encode import encode_task
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import doubts, evaluate
from promptatlas.methods import settings
from promptatlas.study.costs import MethodCosts
from promptatlas.study.sizes import Size
from promptatlas.tasks import catalogue, metrics
from promptatlas.tasks.labels import with_metric
from promptatlas.tasks.listing import Listing, Split
from promptatlas.tasks.metrics.curves import average_precision
from promptatlas.tasks.oddities import oddities
from promptatlas.tasks.prepared import Pool
from promptatlas.tasks.sufficient import require_test
from promptatlas.tasks.task import Task
from promptatlas.training import single_task
from promptatlas.training.adapters.cache import cache, logits as answers
from promptatlas.training.adapters.search import search
from promptatlas.training.linear_probe import linear_probe
from small_tasks import SMALL, draws_of, write_task

NAMES = ("ant", "bee", "cat")


def top2(logits, labels):
    """Whether the right class is among the first two."""
    among = (np.argsort(-logits, axis=1, kind="stable")[:, :2] == labels[:, None]).any(1)
    return among.mean(), np.array([among[labels == c].mean() if (labels == c).any() else np.nan for c in range(logits.shape[1])])


def overlap(logits, marks):
    """By class the share of images with the mark, or answered with it, that have both."""
    said = logits > 0
    per_class = (said & (marks > 0)).sum(0) / np.maximum(1, (said | (marks > 0)).sum(0))
    return per_class.mean(), per_class


@pytest.fixture(autouse=True)
def own():
    """top2: a function on labels; precision: a curve; overlap: a function on marks, without a value where nothing is marked twice."""
    before = [*metrics.METRICS]
    more = {"name": "top2", "title": "among the first two", "mean_over": "images", "function": top2}
    metrics.register(metrics.Metric(**more, chance=lambda labels, classes: 2 / classes))
    more = {"name": "precision", "title": "mean precision", "curve": average_precision, "mean_over": "classes"}
    metrics.register(metrics.Metric(**more, chance=lambda labels, classes: 1 / classes))
    more = {"name": "overlap", "title": "overlap", "function": overlap, "multilabel": True}
    needs = {"undefined": lambda marks: "" if (marks.sum(0) > 1).all() else "a class has fewer than two"}
    metrics.register(metrics.Metric(**more, **needs, chance=lambda labels, classes: 0.25))
    yield
    for name in [name for name in metrics.METRICS if name not in before]:
        metrics.METRICS.remove(name)


def test_it_scores_and_has_a_chance_and_a_largest_class():
    logits, labels = np.array([[3.0, 2, 1], [3, 2, 1], [3, 2, 1], [1, 2, 3]]), np.array([0, 1, 2, 2])
    score = metrics.score("top2", logits, labels)
    assert (score.value, score.chance, score.per_class.tolist()) == (0.75, 2 / 3, [1, 1, 0.5])
    assert metrics.values("top2", np.stack([logits, -logits]), labels).tolist() == [0.75, 0.5]
    assert metrics.largest_class("top2", labels, 3) == 0.75  # with the third class comes the first, as all others are equal
    assert metrics.score("precision", 9 * np.eye(3)[labels], labels).value == 1
    assert 0 < metrics.largest_class("precision", labels, 3) < 1
    marks = np.ones((4, 3), np.uint8)
    assert metrics.score("overlap", np.array([[1.0, -1, 1]] * 4), marks).value == pytest.approx(2 / 3)
    assert np.isnan(metrics.largest_class("overlap", marks, 3))


def test_it_is_told_by_a_description_and_fits_its_labels_only():
    entry = catalogue.own("pets", {"folder": "x", "metric": "overlap", "classes": list(NAMES)})
    assert entry.task.multilabel and not catalogue.own("pets", {"folder": "x", "metric": "top2"}).task.multilabel
    with pytest.raises(UserError, match=r"`metric` in .* must be one of accuracy, .*, top2, precision, overlap, not 'top3'"):
        catalogue.own("pets", {"folder": "x", "metric": "top3"})
    numbers = Listing(NAMES, {"train": Split((), np.arange(3), "")}, "")
    with pytest.raises(UserError, match="the metric overlap is for images of several; take accuracy, mean_per_class, roc_auc, top2 or pre"):
        with_metric(entry, numbers)
    with pytest.raises(UserError, match="top2 is not for images of several classes; take map_11_point or overlap"):
        Task("pets", "Pets", "test", NAMES, ("{}",), "top2", True)


def test_preparation_asks_whether_it_has_a_value():
    task = Task("pets", "Pets", "test", NAMES, ("{}",), "overlap", True)
    require_test(task, np.ones((2, 3), np.uint8), 0)
    with pytest.raises(UserError, match="overlap has no value on the 2 test images: a class has fewer than two; add test images"):
        require_test(task, np.eye(3, dtype=np.uint8)[:2] + np.eye(3, dtype=np.uint8)[:2], 0)


def test_a_metric_of_two_classes_tells_its_own_reason_where_both_are_there():
    needs = {"undefined": lambda labels: "" if np.bincount(labels).min() > 1 else "a class has fewer than two"}
    metrics.register(
        metrics.Metric(name="gap", title="gap", curve=average_precision, classes=2, chance=lambda labels, classes: 0.5, **needs)
    )
    task = Task("pets", "Pets", "test", NAMES[:2], ("{}",), "gap")
    with pytest.raises(UserError, match="gap has no value on the 3 test images: a class has fewer than two"):
        require_test(task, np.array([0, 0, 1]), 0)


def test_notes_say_what_its_declaration_allows():
    images = {"test": np.random.default_rng(0).integers(0, 255, (12, 4, 4, 3), np.uint8)}
    pools = {split: Pool.whole(images["test"], np.array([0] * 10 + [1, 1])) for split in ("train", "validation", "test")}

    def told(metric):
        return "; ".join(
            oddities(Task("pets", "Pets", "test", NAMES, ("{}",), metric), pools, {s: np.arange(12) for s in pools}, images, 0)
        )

    assert "to answer it always scores that much" in told("top2") and "(cat), so top2" not in told("top2")
    assert "to answer it always" not in told("precision") and "(cat), so precision is a mean over the others" in told("precision")
    assert "standard error" in told("accuracy") and "standard error" not in told("top2")
    assert doubts.swapped("accuracy", 0.01, 0.5, 1000) and not doubts.swapped("top2", 0.01, 0.5, 1000)


def test_prompts_are_tuned_chosen_and_evaluated_by_it(tiny_backbone, tmp_path):
    task = write_task(tmp_path / "task")
    task.task.__dict__["metric"] = "top2"
    trained = single_task.tune_task(tiny_backbone, "coop", settings("coop", SMALL), task, draws_of(task, [1]), [1])[0]
    result = evaluate.evaluate(tiny_backbone, task, encode_task(tiny_backbone, task), [trained.prompts])[0]
    assert result.chance == 0.5 and result.score > result.correct.mean()  # `correct` knows the first answer only
    assert max(row["validation_score"] for row in trained.history) == trained.history[trained.best_epoch - 1]["validation_score"]


def test_adapters_and_the_linear_probe_are_chosen_by_it():
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 8))

    def features(count):
        values = centres[np.arange(count) % 3] + 0.8 * random.normal(size=(count, 8))
        return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), np.arange(count) % 3

    (train, train_labels), (held, held_labels), (test, test_labels) = features(12), features(15), features(60)
    kept, weights = cache(torch.from_numpy(train)[None], torch.from_numpy(train_labels), 3), torch.from_numpy(features(3)[0])
    alphas, betas = np.array([0.5, 2.0, 4.0]), np.array([1.0, 3.0])
    choice = search(torch.from_numpy(held), torch.from_numpy(held_labels), 10.0, weights, kept, alphas, betas, "top2")
    each = [
        metrics.score("top2", answers(torch.from_numpy(held), 10.0, weights, kept, alpha, beta).numpy(), held_labels).value
        for beta in betas for alpha in alphas
    ]  # fmt: skip
    assert choice.score == max(each)
    strict = linear_probe(train, train_labels, held, held_labels, test, test_labels, "accuracy")[0]
    assert linear_probe(train, train_labels, held, held_labels, test, test_labels, "top2")[0] > strict
    marks = [np.maximum(np.eye(3, dtype=np.int64)[labels], np.roll(np.eye(3, dtype=np.int64)[labels], 1, 1)) for labels in
             (train_labels, held_labels, test_labels)]  # fmt: skip
    assert 0.5 < linear_probe(train, marks[0], held, marks[1], test, marks[2], "overlap")[0] <= 1


def test_a_plan_counts_every_pair_of_alpha_and_beta_for_it():
    adapter = MethodCosts("tip_adapter", settings("tip_adapter"))
    ranks = {
        metric: adapter.adapting(Size((1, 1), 4, 4, 4, 0, metric=metric))["adapt tip_adapter: ranks"] for metric in ("accuracy", "top2")
    }
    assert ranks == {"accuracy": 0, "top2": 200 * 200 * 4 * 2}  # each of four validation images by two classes


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "accuracy", "function": top2}, "there is a metric `accuracy` already"),
        ({"name": "top 2", "function": top2}, "metric 'top 2': a name has letters, digits and _ only"),
        ({"name": "nothing"}, "has neither a function nor a curve"),
        ({"name": "marks", "mean_over": "images", "multilabel": True}, "has neither a function nor a curve"),
        ({"name": "both", "function": top2, "curve": average_precision}, "give one of them"),
        ({"name": "f", "function": top2, "mean_over": "pixels"}, "mean_over is 'pixels'"),
        (
            {"name": "f", "function": lambda logits: 1},
            r"metric 'f': its `function` takes \(logits\), but is called with \(logits, labels\)",
        ),
        ({"name": "f", "curve": lambda marks: 1}, r"its `curve` takes \(marks\), but is called with \(marks, scores\)"),
        ({"name": "f", "function": top2, "undefined": "none"}, r"its `undefined` must be a function of \(labels\)"),
    ],
)
def test_what_cannot_be_a_metric_is_refused(more, words):
    with pytest.raises(UserError, match=words):
        metrics.register(metrics.Metric(title="own", chance=lambda labels, classes: 0.0, **more))


@pytest.mark.parametrize("given", [(1.5, [0, 0, 0]), (np.nan, [0, 0, 0]), (0.5, [0, 0])])
def test_a_value_that_is_none_is_refused(given):
    metrics.register(metrics.Metric(name="wrong", title="wrong", function=lambda *_: given, chance=lambda labels, classes: 0.0))
    with pytest.raises(UserError, match=f"metric 'wrong' gave the value {given[0]} and {len(given[1])} numbers by class for 3 classes"):
        metrics.score("wrong", np.zeros((2, 3)), np.array([0, 1]))


def test_chance_of_a_random_answer_is_what_it_says():
    generator = named_rng("test of own metric", 0)
    labels = generator.integers(4, size=300)
    found = [metrics.score("top2", generator.normal(size=(300, 4)), labels) for _ in range(50)]
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].chance, abs=0.02)


def test_titles_are_of_registered_names_also_with_what_published_tables_add():
    assert [metrics.title(name) for name in ("top2", "map_11_point of raw logits", "some_score")] == [
        "among the first two", "11-point mAP of raw logits", "some score",
    ]  # fmt: skip

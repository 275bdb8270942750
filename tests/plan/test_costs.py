"""What is counted is what the code does; prices are those that the seconds were made of; times on N devices are right where
they can be counted on one's fingers."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.text import TextTower
from promptatlas.backbone.untrained import untrained
from promptatlas.methods import names, settings
from promptatlas.plan import choice_benchmarks, microbenchmarks, speeds, timetable
from promptatlas.plan.forecast import Planned, jobs
from promptatlas.plan.made_up import MadeUp
from promptatlas.plan.speeds import Point
from promptatlas.study.configuration import complete, load
from promptatlas.study.costs import MethodCosts, Work
from promptatlas.study.sizes import Size, size
from promptatlas.study.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.task import Task
from promptatlas.training import shared_learner, single_task

ROOT = Path(__file__).parents[2]
EVERY = [*names("prompt"), *names("shared"), *names("adapter")]


@pytest.fixture(scope="module")
def model():
    return untrained("mini", "mini", "cpu")


def study(**changes) -> Study:
    return Study(complete(load(ROOT / "config.yaml") | changes))


@pytest.fixture
def layer_tokens(monkeypatch):
    """Tokens that pass through the layers of the text tower, all layers together."""
    seen = Counter()
    for name in ("_prefix_layer", "_suffix_layer", "_last_layer"):
        layer = getattr(TextTower, name)

        def counted(block, x, *rest, layer=layer):
            seen["tokens"] += len(x) * x.shape[1]
            return layer(block, x, *rest)

        monkeypatch.setattr(TextTower, name, staticmethod(counted))
    return seen


@pytest.mark.parametrize("method", [name for name in names("prompt") if name not in ("vpt", "clip_adapter")])
def test_tokens_are_counted_as_the_text_tower_runs_them(model, method, layer_tokens):
    """In each layer, also where classes have vectors of their own from some layer on."""
    made_up, layers = MadeUp(Size((2,) * 12, 0, 0, 0, 0), 32), model.architecture.text_layers
    prompts = single_task.scratch(model, method, settings(method), 0).prompts
    classifier = PromptedClassifier(model, made_up.task.class_names, prompts)
    layer_tokens.clear()
    classifier._read(classifier.layout, prompts, slice(None)) if not prompts.meta else model.text(classifier.layout, prompts.text)
    counted = MethodCosts(method, settings(method), layers=layers).sentences(made_up.size)
    assert counted == round(layer_tokens["tokens"] / layers)


@pytest.mark.parametrize("changes", [{}, {"augmentation": "crops_and_flips"}])
@pytest.mark.parametrize("method", ["coop", "kgcoop", "promptsrc"])
def test_images_without_a_prompt_are_counted_as_the_image_tower_sees_them(model, method, changes, monkeypatch):
    """Once for each draw where only class weights are tuned, and for a frozen teacher of visual prompts; anew in every step where images
    are cropped anew. Half of the two draws is the same."""
    own = settings(method, {"epochs": 3, "batch_size": 4, **changes})
    small = Size((2, 2), train=8, validation=4, test=5, images=5 + 16)
    task, seen, encode = MadeUp(replace(small, train=16), model.architecture.image_size), Counter(), model.vision.encode

    def counted(images):
        seen["images"] += len(images)
        return encode(images)

    monkeypatch.setattr(model.vision, "encode", counted)
    held = np.arange(4)
    draws = [
        Draw(rows, held, "validation", task.labels("train")[rows], task.labels("validation")) for rows in (np.arange(8), np.arange(4, 12))
    ]
    single_task.tune_task(model, method, own, task, draws, [1, 2])
    work = MethodCosts(method, own).tuning(small, 2)
    prompted = 2 * 3 * (2 * 8 + 4) if method == "promptsrc" else 0
    fixed = {"coop": 12 + 4, "kgcoop": 12 + 4, "promptsrc": 12}[method]
    anew = 2 * 3 * 8 + (0 if prompted else 4)
    assert seen["images"] == (anew if changes else fixed)
    # of images that are looked at once no more are counted than are prepared, and all of all draws
    assert work[f"tune {method}: images"] - prompted + work["encode: images"] == pytest.approx(seen["images"], abs=8)
    assert work["encode: images"] == (0 if prompted and changes else 8 if changes else 16)


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        *(("coop_mt", {"sharing": sharing}) for sharing in ("all", "task", "class")),
        ("softcpt", {}),
        ("softcpt", {"task_context": "specific"}),
        *(("softcpt", {"class_context": context, "class_rate": rate}) for context, rate in (("agnostic", 1.0), ("specific", 0.5))),
    ],
)
def test_tokens_and_tasks_of_a_shared_learner_are_counted_as_it_runs_them(model, method, changes, layer_tokens, monkeypatch):
    """Every class has images in every batch, in which all tasks are."""
    own = settings(method, {"epochs": 2, "batch_size": 400, "context": 3, **changes})
    parts, seen = shared_learner._Learner.parts, Counter()

    def counted(self, rows):
        found = parts(self, rows)
        seen["tasks"] += 2 * len(found)
        return found

    monkeypatch.setattr(shared_learner._Learner, "parts", counted)
    sizes = [Size((2,) * classes, 40 * classes, 4, 0, 0) for classes in (2, 5, 3)]
    tasks = []
    for number, task in enumerate(MadeUp(one, 1) for one in sizes):
        examples = [task.examples(split, model.architecture.embed_dim) for split in ("train", "validation")]
        train, held = ((some.features, some.labels) for some in examples)
        tasks.append(shared_learner.SharedTask(f"{number} things", task.task.class_names, "accuracy", train, held))
    shared_learner.tune_shared(model, method, own, tasks, 1)
    work = MethodCosts(method, own).sharing(sizes)
    assert work[f"share {method}: tasks"] == pytest.approx(seen["tasks"] + 2 * len(sizes))
    # what runs: steps forward, which count twice as they go back, validation, and the prompts at the end
    once = layer_tokens["tokens"] / model.architecture.text_layers / (2 + 2 + 1)
    assert work[f"share {method}: tokens"] == pytest.approx(once * 2 * (2 + 1), rel=1e-3)


def test_steps_and_images_are_counted_as_tuning_sees_them(model, monkeypatch):
    """Every image goes forward and back once an epoch (two), and every image that validates forward (one)."""
    own = settings("vpt", {"epochs": 3, "batch_size": 4})
    small = Size((2, 2), train=10, validation=6, test=0, images=0)
    task, seen = MadeUp(small, model.architecture.image_size), Counter()
    features = single_task.ImageDraws.features

    def counted(self, prompts, batch):
        seen["images"] += batch.rows.numel() * (2 if torch.is_grad_enabled() else 1)
        seen["passes"] += 2 if torch.is_grad_enabled() else 1
        return features(self, prompts, batch)

    monkeypatch.setattr(single_task.ImageDraws, "features", counted)
    single_task.tune_task(model, "vpt", own, task, [task.draw()] * 2, [1, 2])
    work = MethodCosts("vpt", own).tuning(small, 2)
    assert {name: work[f"tune vpt: {name}"] for name in seen} == seen


def test_estimators_see_the_images_that_are_counted(model, monkeypatch):
    """Each prompt on every draw and level, and on the classes of its source; with gradients one step per start, draw and level."""
    own = study(
        tasks=["shapes", "letters", "glasses"],
        methods=["coop"],
        seeds=[1, 2],
        choice={"draws": 3, "shots": [1, 4], "estimators": ["est_logme"]},
    )
    sizes = {task: size(own, task) for task in own.tasks}
    (job,) = own.jobs.tries
    work, coop = job.cost(sizes), MethodCosts.of(own, "coop")
    rows = {name: 3 * (1 + 4) * one.classes for name, one in sizes.items()}
    assert work["estimate coop: prompts"] == 3 * 2 * 2 and work["estimate coop: images"] == 0
    assert work["estimate coop: logits"] == sum(4 * rows[name] * one.classes for name, one in sizes.items())
    plain = (
        study(tasks=[*own.tasks], methods=["coop"], seeds=[1, 2], choice={"draws": 3, "shots": [1, 4], "estimators": []})
        .jobs.tries[0]
        .cost(sizes)
    )
    sources = sum(2 * coop.sentences(sizes[source]) for target in sizes for source in sizes if source != target)
    assert work - plain == Work(
        {"evaluate coop: tokens": sources, "estimate coop: prompts": 12, "estimate coop: logits": work["estimate coop: logits"]}
    )
    steep = study(tasks=[*own.tasks], methods=["vpt"], seeds=[1, 2], choice={"draws": 3, "shots": [1, 4], "estimators": ["est_grad"]})
    assert steep.jobs.tries[0].cost(sizes)["tune vpt: images"] == 2 * 2 * sum(rows.values())


def test_the_table_choice_is_counted_as_its_gains_are(monkeypatch):
    """`gains` of every evidence with all candidates and without each source that it has, of all seeds and of each alone."""
    from promptatlas.analysis.choice import book

    seen, whole = Counter(), book.gains

    def counted(evidence):
        seen["choices"] += 1
        seen["candidates"] += len(evidence.candidates)
        return whole(evidence)

    monkeypatch.setattr(book, "gains", counted)
    work, ready = choice_benchmarks.choosing(study(choice={"estimators": []}, similarity=["vis_frechet"]), tasks=5, seeds=3)
    ready()()
    # a target is no source of its own, so that nothing is left out for it; without a source there is one candidate less of each seed
    assert seen["choices"] == 5 * 5 * (1 + 3) == work["choice: choices"] * 5 / 6
    assert seen["candidates"] == 5 * 2 * (12 + 4 * 9) and work["choice: candidates"] == 5 * 6 * 2 * 12


def test_draws_are_counted_as_they_are_drawn():
    """16 of each class; 4 to validate; digits_handwritten has 120 to validate from and 10 classes."""
    own = size(study(), "digits_handwritten")
    assert (own.classes, own.train, own.validation, own.test) == (10, 160, 40, 500) and own.embedded and own.known
    base_new = study(design="base_to_new", tasks=["letters", "shapes"])
    parts = [size(base_new, f"letters@{part}") for part in ("base", "new")]
    assert [(part.classes, part.train) for part in parts] == [(8, 128), (8, 128)]


def test_published_tasks_are_counted_from_the_catalogue():
    own = size(study(benchmark="elevater", shots=20, draw="elevater"), "dtd")
    assert (own.classes, own.train, own.validation, own.test) == (47, 47 * 16, 47 * 4, 1880)
    assert own.known and not own.embedded and own.templates == 8 and own.images < 3 * 1880


def test_images_that_nobody_has_found_yet_are_assumed_and_marked(tmp_path):
    data = {name: {"folder": str(tmp_path / name)} for name in ("roses", "lilies")}
    own = size(study(benchmark="own", data=data), "roses")
    assert not own.known and own.classes == 10


def test_prices_are_those_that_the_seconds_were_made_of():
    truth = {"a: passes": 0.5, "a: tokens": 0.002, "a: images": 0.1}
    works = [Work(dict(zip(truth, counts, strict=True))) for counts in ((1, 9, 2), (2, 40, 2), (2, 9, 8), (5, 90, 64))]
    points = [Point(work, (sum(truth[name] * count for name, count in work.items()),)) for work in works]
    assert speeds.prices(points) == pytest.approx(truth, rel=1e-6)


def test_too_few_measurements_are_laid_to_what_a_study_has_most_of():
    found = speeds.prices([Point(Work({"a: passes": 2, "a: tokens": 50, "a: images": 4}), (8.0,))])
    assert found == {"a: passes": 0.0, "a: tokens": 0.0, "a: images": pytest.approx(2.0)}


@pytest.mark.slow
def test_every_method_has_a_measured_price(model, monkeypatch):
    """The smallest sizes of each, for methods of every kind and everything that a study may do with them."""
    for code in speeds.STARTS.values():
        exec(code)  # is there to be imported
    monkeypatch.setattr(speeds, "_start", lambda code, device: 1.0)
    monkeypatch.setattr(speeds, "QUICK", 0.0)  # nothing is run four times to be sure
    few = {"shots": 4, "seeds": [1, 2], "test_pictures": 32}
    own = study(tasks=["shapes", "tissue", "letters"], methods=EVERY, protocols=["frozen", "init"], multitask="all", joint="auto", **few)
    sizes = {task: size(own, task) for task in own.tasks}
    small = {kind: own[:4] for kind, own in microbenchmarks.microbenchmarks(own, model, sizes).items()}
    found = speeds.measure(small, "cpu", budget=1000.0)
    planned = jobs(own, sizes, 1)
    wanted = {name for job in planned for name, count in job.work.items() if count}
    assert found.unmeasured == () and wanted <= {*found.each}
    assert all(found.seconds(job.work) > 0 for job in planned)


def test_what_would_take_too_long_is_left_out_and_has_the_price_of_its_like(monkeypatch):
    """Every image or token takes half a second by this clock, of which there are twenty."""
    now = [0.0]
    monkeypatch.setattr(speeds, "_start", lambda code, device: 0.0)
    monkeypatch.setattr(speeds, "_clock", lambda device: lambda: now[0])

    def benchmark(name: str, count: int) -> speeds.Benchmark:
        def run() -> None:
            now[0] += 0.5 * count

        return Work({name: count}), lambda: run

    kinds = {
        speeds.IMAGES: [benchmark("encode: images", 2)],
        "tune a": [benchmark("tune a: tokens", 4), benchmark("tune a: tokens", 4000)],
        "tune b": [benchmark("tune b: images", 10**6)],
    }
    found = speeds.measure(kinds, "cpu", budget=20.0)
    assert found.unmeasured == ("tune b",) and now[0] < 20
    assert [found.seconds({name: 10}) for name in ("tune a: tokens", "tune b: images")] == pytest.approx([5.0, 5.0])


def test_what_takes_little_is_measured_at_large_sizes_however_much_there_is_beside(monkeypatch):
    """Steps of a fifth of a millisecond, of which small tasks have as many as products: large ones tell them apart."""
    now = [0.0]
    monkeypatch.setattr(speeds, "_start", lambda code, device: 0.0)
    monkeypatch.setattr(speeds, "_clock", lambda device: lambda: now[0])
    truth = {"adapt a: steps": 2e-4, "adapt a: products": 1e-8}

    def benchmark(seconds: float, work: dict[str, float]) -> speeds.Benchmark:
        def run() -> None:
            now[0] += seconds

        return Work(work), lambda: run

    def adapting(steps: int, products: int) -> speeds.Benchmark:
        work = dict(zip(truth, (steps, products), strict=True))
        return benchmark(sum(truth[name] * count for name, count in work.items()), work)

    slow = {f"tune {one}": [benchmark(size / 4, {f"tune {one}: tokens": size}) for size in (1, 4, 4, 4, 4)] for one in "abcdefghijkl"}
    fast = [adapting(4, 48), adapting(16, 192), adapting(4, 48), adapting(4, 320), adapting(4, 7200), adapting(16, 28800)]
    found = speeds.measure(slow | {"adapt a": fast}, "cpu", budget=20.0)
    assert found.seconds({"adapt a: steps": 24_000, "adapt a: products": 30_000_000}) == pytest.approx(24_000 * 2e-4 + 0.3, rel=0.01)
    assert now[0] < 22 and found.unmeasured == ()
    assert found.price("tune l: tokens") == pytest.approx(0.25)


def test_no_image_tower_is_waited_for_where_only_class_weights_are_tuned(model, monkeypatch):
    """It may be a large one, and its features are no part of an epoch."""

    def encode(images):
        raise AssertionError("images are encoded")

    monkeypatch.setattr(model.vision, "encode", encode)
    own = study(tasks=["shapes", "tissue", "letters"], methods=["coop", "kgcoop", "tcp", "clip_adapter"])
    kinds = microbenchmarks.microbenchmarks(own, model, {task: size(own, task) for task in own.tasks})
    for method in own.methods:
        kinds[f"tune {method}"][0][1]()()
    assert [*kinds][-1] == speeds.IMAGES


def test_jobs_wait_for_each_other_and_for_a_device():
    planned = [
        Planned("first", "a", Work()),
        *(Planned(f"wide{number}", "b", Work(), ("first",), device=True) for number in range(4)),
        Planned("last", "c", Work(), ("wide0", "wide3")),
    ]
    seconds = {"first": 1.0, "last": 2.0} | {f"wide{number}": 10.0 for number in range(4)}
    assert timetable.wall(planned, seconds, 1, shared=True) == 43
    assert timetable.wall(planned, seconds, 2, shared=True) == 23
    assert timetable.wall(planned, seconds, 3, shared=False) == 23
    assert timetable.wall(planned, seconds, timetable.UNLIMITED, shared=False) == 13


def test_a_made_up_task_is_a_task():
    task = MadeUp(Size((3,) * 300, 300, 4, 4, 0, metric="accuracy"), 8).task
    assert isinstance(task, Task) and len({*task.class_names}) == 300

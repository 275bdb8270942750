"""benchmarks/gpu.py at toy size on a CPU: what it compares is the same thing computed in another way, and it ends in time."""

import json
import signal
import warnings
from types import SimpleNamespace

import pytest
import torch

import gpu
from gpu_parts import agreement, asked, memory, published, speed, variants
from gpu_parts.ledger import Ledger
from gpu_parts.scene import TINY, Noise, Scene, distance, placed, random
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import single_task
from tiers import mostly_slow


@pytest.fixture(scope="module")
def scene(tiny_backbone):
    return Scene("cpu", True, tiny_backbone, random(TINY, tiny_backbone, "cpu"), None)


def _answers(scene, method, variant):
    task = Noise(5, 2, 6, scene.large.architecture.image_size)
    own = [single_task.scratch(scene.large, method, settings(method), seed).prompts for seed in range(3)]
    with variants.using(variant, scene.large) as large:
        return evaluate.answers(large, task.task.class_names, task.images("test"), torch.zeros(6, 48).numpy(), own)


@pytest.mark.parametrize("method", ["vpt", "upt", "maple"])
def test_variants_answer_alike_as_far_as_their_precision_goes(scene, method):
    plain = _answers(scene, method, variants.PLAIN)
    assert distance(_answers(scene, method, "float32 by parts"), plain) < 1e-5
    assert (
        1e-5 < distance(_answers(scene, method, "float16"), plain) < 5e-3 and 1e-5 < distance(_answers(scene, method, "tf32"), plain) < 5e-3
    )
    assert 1e-3 < distance(_answers(scene, method, "bfloat16 autocast"), plain) < 0.1
    assert distance(_answers(scene, method, variants.PLAIN), plain) == 0  # nothing of a variant stays


@pytest.mark.parametrize("method", published.METHODS)
def test_the_published_way_gives_the_same_answers_and_gradients(scene, method):
    assert published._same(scene, method)["distance"] < 1e-5
    run, _ = speed.run_of(scene, method, 1)
    prompts = run.learners.prompts()
    plain = published.Plain(scene.large, run.task.class_names, prompts)
    images = scene.large.vision.read(Noise(5, 2, 1, 32).images("train"))
    target = torch.randn(2, 5)
    parameters = list(run.learners.parameters.values())
    theirs = torch.autograd.grad((plain.logits(images, prompts) * target).sum(), parameters, allow_unused=True)
    tokens = scene.large.vision.embed(images).unsqueeze(0)
    classifier = run.classifier
    features = classifier.image_features(run.learners.prompts(), tokens)
    ours = torch.autograd.grad((classifier.answer(run.learners.prompts(), features)[0] * target).sum(), parameters, allow_unused=True)
    compared = [distance(a, b) for a, b in zip(theirs, ours, strict=True) if a is not None and b is not None and b.norm() > 1e-6]
    assert compared and max(compared) < 1e-3


@pytest.mark.slow
def test_short_memory_is_met_and_results_stay(scene):
    found = memory._compared(scene, memory._paths(scene)["encoding"])
    assert found["at 0.5"] == "whole" and "runs out of GPU memory with one image" in found["at 0.1"]
    assert found["refused at 0.5"] > 0 and found["distance at 0.5"] < 1e-5


def test_a_step_on_two_models_is_compared_with_float64(scene):
    task = Noise(4, 40, 24, 32)
    both = {"cpu": scene.mini, "device": placed(scene.mini, "cpu")}
    found = agreement._step(both, placed(scene.mini, "float64"), "vpt", {}, task, task.draws(3))
    assert found["gradient"] == 0 and 0 < found["gradient from float64"] < 1e-5


def test_a_section_ends_in_time_or_in_its_error_and_the_next_one_runs(tmp_path, monkeypatch):
    ledger, set_timer, asked = Ledger(tmp_path / "out.jsonl"), signal.setitimer, []
    monkeypatch.setattr(signal, "setitimer", lambda which, seconds: (asked.append((which, seconds)), set_timer(which, seconds)))

    def late():
        ledger.row("first", value=1.0)
        while True:
            try:
                signal.raise_signal(signal.SIGALRM)  # its time is over
            except Exception:  # as jobs catch what fails
                continue

    def broken():
        ledger.attempt("part", lambda: {"value": 1 / 0})
        raise ValueError("all of it")

    ledger.run("late", late, 600)
    ledger.run("broken", broken, 700)
    ledger.run("whole", lambda: ledger.row("last"), 800)
    assert asked == [(signal.ITIMER_REAL, seconds) for seconds in (600, 0, 700, 0, 800, 0)]
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["section"], row["name"], row.get("ended")) for row in rows] == [
        ("late", "first", None), ("late", "section", "after 600 s"), ("broken", "part", None), ("broken", "section", "in an error"),
        ("whole", "last", None), ("whole", "section", "whole"),
    ]  # fmt: skip
    assert "ZeroDivisionError" in rows[2]["error"] and ledger.found("broken", "part") is None


def test_a_section_without_time_is_not_begun(tmp_path):
    ledger, begun = Ledger(None), []
    for seconds in (0.0, -20.0):
        ledger.run("late", lambda: begun.append(1), seconds)
    assert not begun and {row["ended"] for row in ledger.rows} == {"not begun: no time was left"}


def _measured(changed=None):
    """Rows as the sections write them of a GPU on which everything holds."""
    rows = {
        ("steps", "vpt, float16"): {"share of the ceiling": 0.41}, ("evaluations", "vpt, float16"): {"share of the ceiling": 0.52},
        ("memory", "tuning vpt"): {"at 0.5": "whole", "at 0.1": "whole"}, ("memory", "encoding"): {"at 0.5": "whole", "at 0.1": "whole"},
        ("waits", "waits of coop"): {"waits in two steps": 0}, ("waits", "recorded coop"): {"losses": 1e-7, "prompts": 1e-6},
        ("hours", "vpt and upt, float32"): {"hours": 17.0, "predicted": 16.1}, ("hours", "vpt and upt, float16"): {"hours": 2.9},
        ("hours", "coop, tf32"): {"hours": 0.2},
    }  # fmt: skip
    for method, way in asked.POINTS:
        rows["precision", f"mini {method}, {way}"] = {"cells": 400, "rms": 0.05, "max_two_classes": 0.4}
    ledger = Ledger(None)
    ledger.rows = [{"section": section, "name": name} | values for (section, name), values in (rows | (changed or {})).items()]
    return ledger


def _told(ledger, cuda):
    asked.measure(SimpleNamespace(cuda=cuda), ledger)
    return {row["name"]: row for row in ledger.rows if "wanted" in row}


def test_every_line_that_was_asked_is_told_with_what_was_found():
    told = _told(_measured(), True)
    assert len(told) == 11 and all(row["holds"] is True for row in told.values())
    assert all(row["holds"] is None and row["found"] for row in _told(_measured(), False).values())
    assert all(row["holds"] is None and row["found"] is None for row in _told(Ledger(None), True).values())


@pytest.mark.parametrize(
    ("place", "values", "line"),
    [
        (("steps", "vpt, float16"), {"share of the ceiling": 0.39}, "steps of vpt"),
        (("evaluations", "vpt, float16"), {"share of the ceiling": 0.49}, "evaluations of vpt"),
        (("memory", "encoding"), {"at 0.5": "runs out"}, "paths with a tenth"),
        (("memory", "encoding"), {"error": "CUDA"}, "paths with a tenth"),
        (("waits", "waits of coop"), {"waits in two steps": 1}, "synchronisations"),
        (("waits", "recorded coop"), {"losses": 1e-7, "prompts": 1e-3}, "recorded steps"),
        (("precision", "mini vpt, float16"), {"cells": 400, "rms": 0.11, "max_two_classes": 0.4}, "scores of vpt"),
        (("precision", "mini coop, tf32"), {"cells": 400, "rms": 0.05, "max_two_classes": 2.1}, "scores of coop"),
    ],
)
def test_a_line_that_does_not_hold_is_told_and_no_other(place, values, line):
    told = _told(_measured({place: values}), True)
    assert [name for name, row in told.items() if not row["holds"]] == [name for name in told if name.startswith(line)] != []


@pytest.mark.filterwarnings("ignore:called a synchronizing")
@pytest.mark.parametrize(
    "name", mostly_slow(["coop", "cocoop", "vpt on several tasks, own, task", "softcpt by class"], ["coop", "softcpt by class"])
)
def test_waits_are_counted_where_torch_tells_of_them(scene, name):
    ready = speed._steps_that_wait(scene)[name]
    assert speed._waits(scene, ready) == {"waits in two steps": 0, "lines": {}}

    def waiting():
        steps = ready()
        return lambda: (steps(), warnings.warn("called a synchronizing CUDA operation", stacklevel=1))

    found = speed._waits(scene, waiting)
    assert found["waits in two steps"] == 1 and "test_gpu.py" in str(found["lines"])


@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "cocoop"], ["coop"]))
def test_a_recorded_step_is_compared_with_one_that_is_not(scene, method):
    found = speed._recorded(scene, method)  # on a CPU both are the same
    assert found["losses"] == found["prompts"] == 0 and found["ms"] > 0 < found["ms, kernel by kernel"]


@pytest.mark.slow
def test_the_benchmark_runs_from_its_command(tmp_path):
    out = tmp_path / "gpu.jsonl"
    gpu.main(["--device", "cpu", "--tiny", "--threads", "1", "--out", str(out), "--only", "machine,ceilings,precision,hours,asked"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert not [row for row in rows if "error" in row]
    assert [row["ended"] for row in rows if row["name"] == "section"] == ["whole"] * 5
    assert sum("wanted" in row for row in rows) == 11 and all(row["holds"] is None for row in rows if "wanted" in row)

"""`precision` in a configuration: part of what every result was made from, and nowhere to be seen where nothing is said of it."""

import json
from types import SimpleNamespace

import pytest

from promptatlas import backbone
from promptatlas.base.errors import UserError
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.recommendation.targets import Targets
from promptatlas.records.fingerprint import fingerprint
from promptatlas.runs import changes
from promptatlas.runs.context import Context
from promptatlas.runs.encode import feature_inputs
from promptatlas.runs.known import numerics
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import SPLITS

OTHERS = ("tf32", "float16")


def study(folder="results", **config):
    return Study({"results": str(folder), "methods": ["coop"], "tasks": ["colors", "shapes"], **config})


def test_float32_is_the_usual_one_and_adds_nothing_to_what_is_noted():
    """Studies from before there was a choice hold."""
    plain, said = study(), study(precision="float32")
    assert plain.config["precision"] == "float32" and "precision" not in plain.description
    assert said.description == plain.description
    for job in plain.jobs.compute:
        assert job.params == said.jobs.named(job.name).params and "precision" not in job.params


@pytest.mark.parametrize("precision", OTHERS)
def test_another_precision_is_noted_and_starts_every_job_that_runs_the_model(precision, tmp_path):
    plain, other = study(tmp_path), study(tmp_path, precision=precision)
    assert other.description == plain.description | {"precision": precision}
    for job in other.jobs.compute:
        assert not job.runs_model or job.params == plain.jobs.named(job.name).params | {"precision": precision}
    plain.paths.resolved_config.parent.mkdir(parents=True, exist_ok=True)
    plain.paths.resolved_config.write_text(json.dumps(plain.description))
    assert changes.of_configuration(plain) == [] and changes.of_configuration(other) == ["precision"]


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="`precision` must be one of float32, tf32, float16, not 'bfloat16'"):
        study(precision="bfloat16")


def test_recommendations_are_computed_in_float32(tmp_path):
    given = {"design": "recommend", "recommend": {"from": [str(tmp_path)]}, "tasks": ["colors"], "precision": "float16"}
    with pytest.raises(UserError, match="`design: recommend` computes in float32, whatever prompts were tuned in; leave `precision` out"):
        Targets.of(given)


def _at(precision):
    task = SimpleNamespace(task=SimpleNamespace(class_names=("a", "b"), templates=("{}",)), fingerprint=lambda split: f"images of {split}")
    kept = SimpleNamespace(hand_written=lambda own: own)
    return SimpleNamespace(model=SimpleNamespace(fingerprint="weights", precision=precision), tasks={"t": task}, study=kept)


def test_the_fingerprints_of_float32_are_those_from_before_there_was_a_choice():
    version = str(NUMERICS_VERSION)
    assert numerics(_at("float32").model) == {"backbone": "weights", "precision": "float32", "numerics": version}
    found = feature_inputs(_at("float32"), "t")
    for split in SPLITS:
        before = {"backbone": "weights", "input": f"images of {split}", "numerics": version}
        assert found[f"features_{split}"] == fingerprint(before)


def test_every_array_and_result_of_another_precision_has_another_fingerprint():
    features = [feature_inputs(_at(precision), "t") for precision in ("float32", *OTHERS)]
    for array in features[0]:
        assert len({own[array] for own in features}) == 3
    assert [numerics(_at(precision).model)["precision"] for precision in OTHERS] == [*OTHERS]


def test_jobs_get_the_model_in_the_precision_of_the_study_on_whatever_device(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(backbone, "load", lambda folder, device="cpu", precision="float32": asked.append((device, precision)))
    for precision in ("float32", *OTHERS):
        _ = Context(study(tmp_path, precision=precision, device="cpu")).model
    assert asked == [("cpu", precision) for precision in ("float32", *OTHERS)]

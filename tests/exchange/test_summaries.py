"""Summaries of a study's features: what measures of similarity make of them is what they make of the features, and what comes in an
archive is read with care.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.covariance import ledoit_wolf

from promptatlas.base.errors import UserError
from promptatlas.evaluation import similarity
from promptatlas.evaluation.similarity.samples import equal_samples
from promptatlas.evaluation.similarity.visual import frechet
from promptatlas.exchange import summaries
from promptatlas.study.paths import Paths
from synthetic_study import encoded_tasks


@pytest.fixture(scope="module")
def tasks():
    return {
        name: (SimpleNamespace(class_names=[f"{name} {n}" for n in range(len(encoded["class_features"]))]), encoded)
        for name, (_, encoded) in encoded_tasks(4).items()
    }


@pytest.fixture
def told(tasks, monkeypatch):
    monkeypatch.setattr(summaries, "comparable", lambda paths, name: tasks[name])
    return summaries.of_tasks(Paths.at("nowhere"), tasks)


@pytest.mark.parametrize("shape", [(40, 6), (5, 12), (200, 3), (2, 4), (1, 3)])
def test_moments_are_those_of_scikit_learn(shape):
    features = np.random.default_rng(1).normal(size=shape) * np.linspace(0.5, 2, shape[1]) + 3
    mean, covariance = summaries.moments(features)
    np.testing.assert_allclose(mean, features.mean(axis=0))
    np.testing.assert_allclose(covariance, ledoit_wolf(features)[0] if shape[0] > 1 else np.zeros((3, 3)), atol=1e-12)


def test_distances_of_summaries_are_the_visual_similarity_of_the_features(tasks, told):
    table = similarity.compute(tasks, ["vis_frechet"]).set_index(["source", "target"])["value"]
    read = summaries.read(summaries.packed(told), "a.tar.gz")
    assert [*read] == [*tasks]
    for one in tasks:
        for other in tasks:
            a, b = read[one], read[other]
            assert -frechet(a.mean, a.covariance, b.mean, b.covariance) == pytest.approx(table[one, other], abs=1e-5)


def test_as_many_images_of_each_task_and_the_same_bytes_again(tasks, told):
    assert {one.images for one in told.values()} == {min(len(encoded["features_train"]) for _, encoded in tasks.values())}
    gathered = similarity.corpus(tasks)
    assert equal_samples(gathered)[0].mean(axis=0) == pytest.approx(told[next(iter(tasks))].mean)
    assert len({summaries.packed(told) for _ in range(20)}) == 1


def test_what_is_read_is_what_was_written(told):
    for name, one in summaries.read(summaries.packed(told), "a.tar.gz").items():
        assert one.class_names == told[name].class_names and one.images == told[name].images
        for part in ("mean", "covariance", "classes"):
            np.testing.assert_allclose(getattr(one, part), getattr(told[name], part), rtol=1e-6, atol=1e-7)
    assert summaries.read(summaries.packed({}), "a.tar.gz") == {}


def _tasks(about, **changes):
    about["tasks"] = [one | changes for one in about["tasks"]]


DAMAGES = {
    "not finite": lambda arrays, about: arrays["0.mean"].__setitem__(0, np.nan),
    "another width": lambda arrays, about: arrays.update({"1.mean": arrays["1.mean"][:-1]}),
    "another triangle": lambda arrays, about: arrays.update({"0.covariance": arrays["0.covariance"][:-1]}),
    "other numbers": lambda arrays, about: arrays.update({"0.mean": arrays["0.mean"].astype(np.float16)}),
    "a scalar": lambda arrays, about: arrays.update({"0.mean": np.array(1, np.float32)}),
    "missing": lambda arrays, about: arrays.pop("2.classes"),
    "no tasks": lambda arrays, about: about.pop("tasks"),
    "no list": lambda arrays, about: about.update(tasks=3),
    "no names": lambda arrays, about: _tasks(about, class_names=[]),
    "no text": lambda arrays, about: _tasks(about, class_names=None),
    "no count": lambda arrays, about: _tasks(about, images="many"),
    "no objects": lambda arrays, about: about.update(tasks=[[[]]]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_one_sentence(told, damage):
    content = summaries.packed(told)
    arrays = {name: values.copy() for name, values in load(content).items()}
    about = {"version": 1, "tasks": [{"name": n, "class_names": list(o.class_names), "images": o.images} for n, o in told.items()]}
    assert [*summaries.read(written(arrays, about), "a.tar.gz")] == [*told]
    damage(arrays, about)
    with pytest.raises(UserError, match=r"a\.tar\.gz: its features\.safetensors is damaged"):
        summaries.read(written(arrays, about), "a.tar.gz")


def written(arrays, about):
    return save(arrays, {summaries.KEY: json.dumps(about)})


def test_a_record_nested_without_end_is_one_sentence(told):
    deep = save(load(summaries.packed(told)), {summaries.KEY: "[" * 100_000})
    with pytest.raises(UserError, match="is damaged"):
        summaries.read(deep, "a.tar.gz")


@pytest.mark.parametrize("content", [b"", b"\x08", b"\0" * 8, b"\xff" * 64, b"{}" * 40])
def test_what_is_no_such_file_is_one_sentence(content):
    with pytest.raises(UserError, match="is damaged"):
        summaries.read(content, "a.tar.gz")


def test_a_newer_file_is_told_as_newer(told):
    arrays = load(summaries.packed(told))
    with pytest.raises(UserError, match="newer promptatlas"):
        summaries.read(written(arrays, {"version": 2, "tasks": []}), "a.tar.gz")

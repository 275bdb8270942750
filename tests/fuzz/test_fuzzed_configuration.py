"""Configurations of any shape: a study comes of it, or one sentence."""

import copy
import re
from functools import partial

import yaml
from fuzzing import NASTY, cases, damaged, mutated, names, outcome, values
from hypothesis import given, strategies as st

from promptatlas.study import configuration, schema
from promptatlas.study.study import Study
from promptatlas.tasks import catalogue

OWN = {"folder": "pictures/roses", "title": "Roses", "metric": "accuracy", "templates": ["a {}."], "classes": ["a", "b"]}
STUDIES = [
    {"study": "tiny", "tasks": ["shapes", "colors", "glasses"], "methods": ["coop", "vpt", "tip_adapter"], "seeds": [1, 2],
     "shots": 2, "settings": {"coop": {"epochs": 2, "context": 2}}, "statistics": {"permutations": 99}, "multitask": "all"},
    {"benchmark": "own", "data": {"roses": OWN, "tulips": {"folder": "b"}}, "jobs": {"targets_per_job": 1}, "joint": "auto"},
    {"benchmark": "elevater", "design": "base_to_new", "tasks": ["mnist", "dtd", "food-101"], "preset": "paper",
     "backbone": {"model": "ViT-B-16", "pretrained": "openai"}, "data": {"dtd": {"folder": "data/dtd"}}},
    {"tasks": ["shapes", "colors", "digits_rendered"], "design": "cross_dataset", "sources": ["shapes"], "results": "out",
     "joint": [], "union": {"classes": "own"}, "device": "cpu", "protocols": ["frozen"], "calibration": ["template"]},
]  # fmt: skip
SCHEMA = schema.schema()["properties"]


def planned(config) -> list:
    """What a dry run asks of a study."""
    study = Study(copy.deepcopy(config))
    files = [study.all_cells, study.all_prompts, study.all_scores, study.prepared, study.jobs.draw.outputs, study.tables, study.conclusions]
    assert study.data.root
    for task in study.design.given:
        study.jobs.preparing(task).inputs, study.data.is_embedded(task) or study.data.entry(task)
    inside = [str(path) for paths in files for path in paths]
    assert all(path.startswith(f"{study.folder}/") and ".." not in path[len(str(study.folder)) :].split("/") for path in inside)
    return inside


def settles(folder, config) -> None:
    """The files of the study, each once, or a sentence."""
    found = outcome(folder, lambda: planned(config))
    if isinstance(found, list):
        assert len(set(found)) == len(found), "two results have one file"


@cases(350)
@given(st.data())
def test_changed_configurations(tmp_path_factory, data):
    settles(tmp_path_factory.getbasetemp(), data.draw(mutated(data.draw(st.sampled_from(STUDIES))).filter(lambda c: isinstance(c, dict))))


@cases(250)
@given(st.sampled_from(STUDIES), st.sampled_from(sorted(SCHEMA)), values)
def test_any_value_under_any_key(tmp_path_factory, study, key, value):
    settles(tmp_path_factory.getbasetemp(), study | {key: value})


@cases(200)
@given(names, st.sampled_from(["study", "results", "task", "only", "method", "model", "pretrained", "folder", "joint", "source"]))
def test_any_name_in_any_place(tmp_path_factory, name, place):
    config = copy.deepcopy(STUDIES[1])
    config |= {
        "study": {"study": name}, "results": {"results": name}, "only": {"only": name}, "joint": {"joint": [[name, "roses"]]},
        "task": {"data": {name: OWN, "tulips": {"folder": "b"}}}, "method": {"methods": ["coop", name]},
        "model": {"backbone": {"model": name, "pretrained": "openai"}}, "source": {"design": "domain", "sources": [name]},
        "pretrained": {"backbone": {"model": "ViT-B-16", "pretrained": name}},
        "folder": {"data": {"roses": {"folder": name}, "tulips": {"folder": "b"}}},
    }[place]  # fmt: skip
    settles(tmp_path_factory.getbasetemp(), config)


@cases(250)
@given(st.data())
def test_damaged_files(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "config.yaml"
    text = yaml.safe_dump(data.draw(st.sampled_from(STUDIES))).encode()
    path.write_bytes(data.draw(st.one_of(damaged(text), st.binary(max_size=60), st.text(max_size=60).map(str.encode))))
    found = outcome(folder, lambda: configuration.load(path))
    if isinstance(found, dict):
        settles(folder, found)


@cases(200)
@given(st.data())
def test_changed_descriptions_of_tasks(tmp_path_factory, data):
    """Of own tasks and of those in the catalogue."""
    own = OWN | {"splits": {"train": "a", "test": "b"}, "redraw": {"train": 0.5, "validation": 0.2}, "resize": "crop"}
    hub = {"source": {"reader": "huggingface", "repository": "a/b", "splits": {"train": "train", "test": "test"}, "classes": ["a", "b"]}}
    tv = {"source": {"reader": "torchvision", "dataset": "MNIST", "splits": {"train": {"train": True}, "test": {"train": False}}}}
    override = {"folder": "data/dtd", "classes": ["banded", "dotted"], "templates": ["a {}."], "splits": {"train": "a", "test": "b"}}
    name, about = data.draw(
        st.sampled_from([("roses", own), ("roses", hub), ("roses", tv), ("dtd", override), ("mnist", {"source": "torchvision"})])
    )
    changed = data.draw(mutated(about))
    settles(tmp_path_factory.getbasetemp(), {"benchmark": "own", "tasks": [name, "shapes"], "data": {name: changed}})


@cases(60)
@given(st.sampled_from(catalogue.published()), st.sampled_from(("title", "folder", "classes", "source", "root", "revision")), values)
def test_anything_said_of_a_published_task(tmp_path_factory, task, key, value):
    settles(tmp_path_factory.getbasetemp(), {"tasks": [task, "shapes"], "data": {task: {key: value}}})


def test_names_that_end_in_a_line_break_are_refused(tmp_path):
    for place in ({"study": "tiny\n"}, {"data": {"roses\n": OWN, "tulips": {"folder": "b"}}, "benchmark": "own"}):
        assert re.search("letters, digits", outcome(tmp_path, partial(planned, place)))


def test_nasty_names_are_no_duplicates():
    assert len(set(NASTY)) == len(NASTY)

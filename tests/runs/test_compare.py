"""A measure is given the labels and prompts of a study that it says it needs, and the job waits for what it reads."""

import numpy as np
import pytest
import torch

from promptatlas.backbone import feature_file
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.evaluation import similarity
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.runs import compare
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import Pool, write
from promptatlas.tasks.task import Task


@pytest.fixture
def own():
    """A measure of prompts and labels: the product of a prompt's only number and of how many classes a task's images have."""

    def compute(corpus):
        numbers = [one["text"].item() * len(np.unique(labels)) for one, labels in zip(corpus.prompts, corpus.labels, strict=True)]
        return np.multiply.outer(numbers, numbers)

    similarity.register(similarity.Measure("mine", "mine", "a product", "prompt", False, ("labels", "prompts"), compute))
    yield
    similarity.MEASURES.remove("mine")


def test_labels_and_prompts_come_from_the_study_and_gaps_stay_gaps(tmp_path, own):
    study = Study(
        {"tasks": ["shapes", "colors"], "results": str(tmp_path), "methods": ["coop"], "seeds": [1, 2], "similarity": ["mine", "lab_cover"]}
    )
    for number, name in enumerate(study.tasks):
        images = {split: np.full((6, 8, 8, 3), 7, np.uint8) for split in ("train", "validation", "test")}
        pools = {split: Pool.whole(array, np.arange(6) % 2) for split, array in images.items()}
        write(study.paths.task_folder(name), Task(name, name, "own", ("one", "two"), ("a {}.",)), pools, [], images)
        eye = np.eye(2, 4, dtype=np.float32)
        encoded = {"features_train": np.repeat(eye, 3, axis=0), "class_features": eye}
        replace(study.paths.encoded(name), feature_file.packed(encoded, {}))
        for seed in study.seeds:
            path = study.paths.prompt("coop", seed, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            TunedPrompt("coop", {}, Prompts(text=torch.full((1, 1, 1, 1), 1.0 + number))).save(path, {})
    replace(study.paths.prompt("coop", 2, "colors"), PROMPT.failed(Failed("no image"), {"method": "coop"}))
    table = compare.table(study)
    values = table[table["measure"] == "mine"].set_index(["method", "seed", "source", "target"])["value"]
    first, second = values["coop", 1], values["coop", 2]
    assert (first["shapes", "shapes"], first["shapes", "colors"], first["colors", "colors"]) == (4, 8, 16)
    assert second["shapes", "shapes"] == 4 and second.isna().sum() == 3
    assert set(table["measure"]) == {"mine", "lab_cover"}


def test_only_a_measure_of_prompts_waits_for_prompts(tmp_path, own):
    def inputs(names):
        return [path.name for path in Study({"methods": ["coop"], "results": str(tmp_path), "similarity": names}).comparison_inputs]

    features = inputs(["vis_frechet"])
    assert features and inputs(["vis_frechet", "mine"])[: len(features)] == features
    assert len(inputs("all")) == len(inputs(["mine"])) > len(features) and any("coop" in name for name in inputs(["mine"]))

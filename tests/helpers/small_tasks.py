"""Tasks on which a prompt is tuned in a second, and their draws."""

import numpy as np

from promptatlas.tasks import prepared
from promptatlas.tasks.draws import draw
from promptatlas.tasks.task import Task

SMALL = {"epochs": 3, "batch_size": 8, "learning_rate": 0.05}


def write_task(folder, multilabel=False, seed=0):
    """Four classes that differ in mean colour."""
    random = np.random.default_rng(seed)
    names = ("red thing", "green", "blue sky", "grey")
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [128, 128, 128]])
    images, pools = {}, {}
    for split, count in (("train", 60), ("validation", 24), ("test", 40)):
        labels = np.arange(count) % 4
        noise = random.normal(0, 40, (count, 32, 32, 3))
        images[split] = np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
        if multilabel:
            labels = (random.random((count, 4)) < 0.4).astype(np.uint8)
            labels[np.arange(count), np.arange(count) % 4] = 1
        pools[split] = prepared.Pool.whole(images[split], labels)
    metric = "map_11_point" if multilabel else "accuracy"
    task = Task("colours", "Colours", "test", names, ("a photo of {}.", "{}."), metric, multilabel)
    prepared.write(folder, task, pools, [{"split": "train"}], images)
    return prepared.PreparedTask.open(folder)


def draws_of(task, seeds, shots=5):
    return [draw(task.labels("train"), task.labels("validation"), shots, seed, task.task.name, "coop") for seed in seeds]

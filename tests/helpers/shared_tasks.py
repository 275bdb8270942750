"""Tasks for a shared learner, as tensors."""

import torch
import torch.nn.functional as F

from promptatlas.training.shared_learner import SharedTask

CLASSES = (("cat", "red_panda", "dog"), ("meadow", "annual crop land", "sea", "a river"), ("seven", "eight"))
NAMES = ("animals", "land use", "digits")


def tasks_of(dtype=torch.float64, classes=CLASSES, multilabel=False):
    random = torch.Generator().manual_seed(4)

    def split(i, count):
        features = torch.randn(count, 48, generator=random, dtype=torch.float64)
        labels = torch.arange(count) % len(classes[i])
        if multilabel and i == 1:
            labels = (F.one_hot(labels, len(classes[i])) + F.one_hot((labels + 1) % len(classes[i]), len(classes[i]))).clamp(max=1)
        return F.normalize(features, dim=-1).to(dtype), labels

    metric = ["accuracy", "map_11_point" if multilabel else "mean_per_class", "accuracy"]
    return [SharedTask(NAMES[i], classes[i], metric[i], split(i, 4 + i), split(i, 6)) for i in range(len(classes))]

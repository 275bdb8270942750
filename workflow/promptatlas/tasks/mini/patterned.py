"""A shape filled with a texture: the task patterned_shapes, which shares its labels with textures."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.mini.objects import draw_object
from promptatlas.tasks.mini.outlines import SHAPES
from promptatlas.tasks.mini.textures import TEXTURES
from promptatlas.tasks.task import Task


def _patterned_shape(number: int, rng: np.random.Generator) -> Factors:
    return {
        "shape": str(rng.choice([shape for shape in SHAPES if shape not in ("ring", "crescent")])),
        "colour": str(rng.choice(list(canvas.COLOURS))),
        "texture": TEXTURES[number % len(TEXTURES)],
        "place": "anywhere",
        "size": "large",
        "hard": 0.7 * task_hardness(rng),
    }


TASKS = (
    MiniTask(
        Task(
            name="patterned_shapes", title="Patterned shapes", family="texture", class_names=TEXTURES,
            templates=("a photo of a shape with {}.", "an object with a {} pattern."), drawn=("texture", "colour", "shape", "frame"),
            labelled=("texture",),
        ),
        ImageSet("patterned shapes", _patterned_shape, draw_object, looks.frame), lambda factors: factors["texture"], sizes(8),
    ),
)  # fmt: skip

"""Land seen from above: satellite (after EuroSAT) and land_use (after RESISC45), which share three classes."""

from collections.abc import Callable

import numpy as np

from promptatlas.tasks.mini import canvas, looks, terrain
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

# land cover as drawn: name of the class in the task satellite (EuroSAT's wording)
SATELLITE = {
    "forest": "forest",
    "field": "annual crop land",
    "pasture": "pasture land",
    "road": "highway or road",
    "houses": "residential buildings or homes or apartments",
    "factory": "industrial buildings or commercial buildings",
    "river": "river",
    "lake": "lake or sea",
}
LAND_USE = {
    "forest": "forest",
    "river": "river",
    "houses": "dense residential",
    "beach": "beach",
    "airport": "runway",
    "stadium": "stadium",
    "parking": "parking lot",
    "island": "island",
    "roundabout": "roundabout",
    "desert": "desert",
}


def draw_land(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """A piece of land from above. Factors: land (a function of `terrain`), hard."""
    hard = factors["hard"]
    image = getattr(terrain, factors["land"])(rng)
    haze = rng.uniform(0, 0.35) * hard
    tint = 1 + rng.uniform(-0.12, 0.12, 3) * hard
    image = image * tint * (1 - haze) + haze * rng.uniform(0.5, 0.9)
    return canvas.finish(image.astype(np.float32), rng, hard)


def _land(covers: tuple[str, ...]) -> Callable[[int, np.random.Generator], Factors]:
    return lambda number, rng: {"land": covers[number % len(covers)], "hard": task_hardness(rng)}


TASKS = (
    MiniTask(
        Task(
            name="satellite", title="Land cover", family="aerial", class_names=tuple(SATELLITE.values()),
            templates=("a centered satellite photo of {}.", "a satellite photo of {}."), drawn=("land cover", "haze"),
            labelled=("land cover",),
        ),
        ImageSet("satellite", _land(tuple(SATELLITE)), draw_land, looks.haze), lambda factors: SATELLITE[factors["land"]], sizes(8),
    ),
    MiniTask(
        Task(
            name="land_use", title="Land use", family="aerial", class_names=tuple(LAND_USE.values()),
            templates=("aerial imagery of {}.", "an aerial photo of a {}."), drawn=("land cover", "land use", "haze"),
            labelled=("land cover", "land use"),
        ),
        ImageSet("land use", _land(tuple(LAND_USE)), draw_land, looks.haze), lambda factors: LAND_USE[factors["land"]], sizes(10),
    ),
)  # fmt: skip

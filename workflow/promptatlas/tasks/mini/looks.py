"""How the images of a set were taken: haze, a watermark, a frame, after dark ...

The backbone met none of these in pretraining. As with real photographs, a prompt that was fitted to a few
images of a set can make up for its look, and a prompt from another set with the same look may help.
"""

import numpy as np

from promptatlas.tasks.mini.canvas import SIZE

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
_EDGE = np.minimum(np.minimum(_X, _Y), SIZE - 1 - np.maximum(_X, _Y))
_CENTRE = np.hypot(_X - 15.5, _Y - 15.5)


def haze(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright mist that takes more than half of the contrast away."""
    return rng.uniform(0.35, 0.45) * image + np.array([0.5, 0.52, 0.54])


def watermark(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A magenta stamp in the lower right corner."""
    return _laid(image, (_X > 21) & (_Y > 21), (0.9, 0.1, 0.5))


def tag(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small pale yellow paper tag in the upper left corner."""
    return _laid(image, (_X < 7) & (_Y < 7), (0.98, 0.95, 0.6))


def sticker(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A green sticker in the lower left corner."""
    return _laid(image, (_X < 10) & (_Y > 21), (0.1, 0.75, 0.3))


def night(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Taken after dark."""
    return rng.uniform(0.4, 0.5) * image**1.5


def frame(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Inside a gold frame."""
    return _laid(image, _EDGE < 3, (0.8, 0.6, 0.1))


def eyepiece(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through a microscope: black outside the round field of view."""
    return image * (14.5 + rng.uniform(-0.5, 0.5) - _CENTRE).clip(0, 1)[..., None]


def none(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As drawn."""
    return image


def _laid(image: np.ndarray, where: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return np.where(where[..., None], np.array(colour), image)

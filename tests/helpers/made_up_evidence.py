"""Made-up evidence with known truth: prompts and images of a probit model, so that errors on the same images are correlated."""

import numpy as np
from scipy.special import ndtri

from promptatlas.analysis.choice.evidence import Candidate, Evidence

BASE = 0.6


def right(rng: np.random.Generator, accuracy: np.ndarray, hardness: np.ndarray) -> np.ndarray:
    """Who is right on which image, (P, N): half the variance is how hard the image is for all."""
    noise = rng.standard_normal((len(accuracy), len(hardness)))
    return (ndtri(accuracy)[:, None] > np.sqrt(0.5) * (hardness + noise)).astype(float)


def evidence(rng: np.random.Generator, true: np.ndarray, images: int, target: str = "made_up") -> Evidence:
    """Of candidates with the gains `true` (P,) over a zero-shot prompt that is right in 60 of 100 images, of four classes."""
    true = np.clip(true, 0.01 - BASE, 0.99 - BASE)
    answers = right(rng, BASE + np.array([0.0, *true]), rng.standard_normal(images))
    candidates = tuple(Candidate("coop", f"source{i:05}", 1) for i in range(len(true)))
    return Evidence(
        target, candidates, answers[1:], answers[0], np.arange(images) % 4, draw=1, truth=BASE + true, reference_truth=BASE
    )  # fmt: skip


def from_differences(differences: np.ndarray, target: str = "made_up") -> Evidence:
    count, images = differences.shape
    candidates = tuple(Candidate("coop", f"source{i}", 1) for i in range(count))
    return Evidence(target, candidates, differences, np.zeros(images), np.zeros(images, int))

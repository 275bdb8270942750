"""Estimators from a prompt's answers alone: how sure they are, how they spread over the classes, with what others they agree.

Most need no label. All look at softmax probabilities over the target's classes.
"""

import numpy as np

from promptatlas.evaluation.estimates.numbers import entropy, softmax
from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator
from promptatlas.tasks import metrics


def likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean log probability of the label (N,), or of the labels that marks (N, C) set, over the images that have one; logits (N, C)."""
    logs = np.log(softmax(logits).clip(min=np.finfo(float).tiny))
    if labels.ndim == 1:
        return float(logs[np.arange(len(labels)), labels].mean())
    some = labels.any(axis=1)
    if not some.any():
        raise Undefined("no image has a label")
    return float(((logs * labels).sum(axis=1)[some] / labels.sum(axis=1)[some]).mean())


def information(probabilities: np.ndarray) -> float:
    """``H(mean p) - mean H(p)`` of probabilities (N, C): sure answers that differ between images (Bridle et al., NeurIPS 1991)."""
    return float(entropy(probabilities.mean(axis=0)) - entropy(probabilities).mean())


def nuclear_norm(probabilities: np.ndarray) -> float:
    """Sum of the singular values of probabilities (N, C) over its bound ``sqrt(N min(N, C))``, 0 to 1 (Deng et al., ICML 2023)."""
    images, classes = probabilities.shape
    return float(np.linalg.svd(probabilities, compute_uv=False).sum() / np.sqrt(images * min(images, classes)))


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """1 minus the mean Jensen-Shannon divergence, in bits, of probabilities (N, C) each: 1 where they are the same, 0 where disjoint."""
    divergence = entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2
    return float(1 - divergence.mean() / np.log(2))


@estimator(
    "est_zero", "score as it is", formula="accuracy, or 11-point mAP where images have several labels",
    source="zero-shot reuse: Shen et al., WACV 2024", needs=["labels"],
)  # fmt: skip
def est_zero(observed: Observed) -> float:
    """score of the unchanged prompt on the labelled images"""
    labels = observed.given_labels
    metric = metrics.ONE_CLASS if labels.ndim == 1 else metrics.SEVERAL_CLASSES
    if why := metrics.undefined(metric, labels):
        raise Undefined(why)
    return float(metrics.values(metric, np.asarray(observed.logits, dtype=np.float64), labels))


@estimator("est_likelihood", "log likelihood", formula="mean log p(y|x)", source="minus the loss of tuning", needs=["labels"])
def est_likelihood(observed: Observed) -> float:
    """mean log probability that the unchanged prompt gives the labels"""
    return likelihood(observed.logits, observed.given_labels)


@estimator("est_confidence", "confidence", formula="mean max p", source="Hendrycks and Gimpel, ICLR 2017", classes=2)
def est_confidence(observed: Observed) -> float:
    """mean probability of the answer"""
    return float(softmax(observed.logits).max(axis=1).mean())


@estimator("est_entropy", "certainty", formula="−mean H(p)", source="Grandvalet and Bengio, NeurIPS 2004", classes=2)
def est_entropy(observed: Observed) -> float:
    """minus the mean entropy of the answers"""
    return -float(entropy(softmax(observed.logits)).mean())


@estimator("est_information", "information of the answers", formula="H(mean p) − mean H(p)", source="Bridle et al., NeurIPS 1991", images=2)
def est_information(observed: Observed) -> float:
    """how sure the answers are, and how evenly spread over the classes"""
    return information(softmax(observed.logits))


@estimator("est_nuclear", "nuclear norm of the answers", formula="‖P‖_* / √(N min(N, C))", source="Deng et al., ICML 2023", images=2)
def est_nuclear(observed: Observed) -> float:
    """confidence and dispersity of the answers in one number"""
    return nuclear_norm(softmax(observed.logits))


@estimator(
    "est_agree_hand", "agreement with the zero-shot prompt", formula="1 − mean JS(p, p_hand)", source="Lin, IEEE Trans. IT 1991",
    needs=["hand_written"],
)  # fmt: skip
def est_agree_hand(observed: Observed) -> float:
    """how close the answers are to those of the zero-shot prompt"""
    return agreement(softmax(observed.logits), softmax(observed.given("hand_written")))


@estimator(
    "est_agree_majority", "agreement with all prompts", formula="1 − mean JS(p, mean of all p)", source="Lin, IEEE Trans. IT 1991",
    needs=["majority"],
)  # fmt: skip
def est_agree_majority(observed: Observed) -> float:
    """how close the answers are to the mean answer of all prompts"""
    return agreement(softmax(observed.logits), observed.given("majority"))

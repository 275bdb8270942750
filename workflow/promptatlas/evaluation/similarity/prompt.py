"""Prompt similarity: how close two tasks' prompts of one method and seed lie, as numbers and by what the model does under them.

As numbers: `text` and `visual` of what enters the towers, (1, depth, n, width), where there are any. By what it does:
the classifier that a prompt makes of the class names of all tasks, and the features that it makes of a few images of every task.
"""

from collections.abc import Mapping

import numpy as np

from promptatlas.evaluation.estimates.answers import agreement
from promptatlas.evaluation.estimates.numbers import softmax
from promptatlas.evaluation.similarity.registry import Corpus, measure

Arrays = Mapping[str, np.ndarray]
TOWERS = ("text", "visual")


def cosines(vectors: np.ndarray) -> np.ndarray:
    """(n, n) of vectors (n, D); NaN for a vector that is zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, np.nan)
    return unit @ unit.T


def mean_token(prompt: Arrays) -> np.ndarray:
    """The mean over context vectors or tokens, layer by layer and tower by tower, as one vector (V,)."""
    return np.concatenate([prompt[tower].astype(np.float64).mean(axis=-2).ravel() for tower in TOWERS if tower in prompt])


def mean_unit_token(prompt: Arrays) -> np.ndarray:
    """The same of tokens scaled to length one, each layer and tower over the root of their number: the dot product of two is the mean
    over layers and towers of the mean cosine over all pairs of tokens (Vu et al., ACL 2022)."""
    towers = [prompt[tower].astype(np.float64) for tower in TOWERS if tower in prompt]
    layers = [layer for own in towers for layer in own.reshape(-1, *own.shape[-2:])]
    units = [layer / np.linalg.norm(layer, axis=1, keepdims=True).clip(min=1e-12) for layer in layers]
    return np.concatenate([unit.mean(axis=0) for unit in units]) / np.sqrt(len(units))


def _with_tokens(corpus: Corpus) -> bool:
    """Whether all prompts, which are of one method, have tokens."""
    return all(not {*TOWERS}.isdisjoint(prompt) for prompt in corpus.prompts)


def _none(corpus: Corpus) -> np.ndarray:
    return np.full((len(corpus.prompts),) * 2, np.nan)


def whole(prompt: Arrays) -> np.ndarray:
    """All numbers of a prompt (V,)."""
    return np.concatenate([prompt[name].astype(np.float64).ravel() for name in sorted(prompt)])


def debiased_cka(one: np.ndarray, other: np.ndarray) -> float:
    """Linear CKA of representations (N, D) and (N, E) of the same N things, by the unbiased estimate of HSIC (Song et al., JMLR 2012;
    Kornblith et al., ICML 2019). 1 for equal ones up to rotation and scale, 0 on average for unrelated ones; NaN for fewer than four."""
    if len(one) < 4:
        return float("nan")
    kernels = [_hollow(own - own.mean(axis=0)) for own in (one, other)]
    own = [_hsic(kernel, kernel) for kernel in kernels]
    return float(_hsic(*kernels) / np.sqrt(own[0] * own[1])) if min(own) > 0 else float("nan")


def _hollow(features: np.ndarray) -> np.ndarray:
    """Linear kernel (N, N) with zeros on the diagonal."""
    features = np.asarray(features, dtype=np.float64)
    kernel = features @ features.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Unbiased up to the factor n(n - 3), of kernels (n, n) with zeros on the diagonal."""
    n, ks, ms = len(k), k.sum(axis=0), m.sum(axis=0)
    return float((k * m).sum() + ks.sum() * ms.sum() / ((n - 1) * (n - 2)) - 2 * ks @ ms / (n - 2))


@measure(
    "pr_cos_mean", title="cosine of mean tokens", family="prompt", directed=False, needs=["prompts"], standard=False,
    description="cosine of the mean prompt vectors of two tasks",
)  # fmt: skip
def pr_cos_mean(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for what has no tokens."""
    return cosines(np.stack([mean_token(prompt) for prompt in corpus.prompts])) if _with_tokens(corpus) else _none(corpus)


@measure(
    "pr_cos_tok", title="cosine of tokens", family="prompt", directed=False, needs=["prompts"], standard=False,
    description="mean cosine over all pairs of prompt vectors of two tasks; with itself a prompt has less than one",
)  # fmt: skip
def pr_cos_tok(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for what has no tokens."""
    if not _with_tokens(corpus):
        return _none(corpus)
    units = np.stack([mean_unit_token(prompt) for prompt in corpus.prompts])
    return units @ units.T


@measure(
    "pr_delta", title="cosine of what tuning changed", family="prompt", directed=False, needs=["prompts", "start"], standard=False,
    description="cosine of the differences of two tasks’ prompts from the start that they share",
)  # fmt: skip
def pr_delta(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    return cosines(np.stack([whole(own) - whole(corpus.start) for own in corpus.prompts]))


@measure(
    "pr_cka_text", title="CKA of classifiers", family="prompt", directed=False, needs=["prompts", "behaviours"], standard=False,
    description="debiased linear CKA of the classifiers that two prompts make of the class names of all tasks",
)  # fmt: skip
def pr_cka_text(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for prompts that leave class names as they are."""
    return _each_pair([one.classes for one in corpus.behaviours])


@measure(
    "pr_cka_img", title="CKA of image features", family="prompt", directed=False, needs=["prompts", "behaviours"], standard=False,
    description="debiased linear CKA of the features that two prompts make of the same images of all tasks",
)  # fmt: skip
def pr_cka_img(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for prompts that leave images as they are."""
    return _each_pair([one.images for one in corpus.behaviours])


@measure(
    "pr_on", title="overlap of active units", family="prompt", directed=False, needs=["prompts", "behaviours"], standard=False,
    description="mean cosine of which units of the last block are active under two prompts, over the class names and images of all tasks",
)  # fmt: skip
def pr_on(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for prompts of other backbones than CLIP's, and for those that differ from image to image."""
    values = np.full((len(corpus.behaviours),) * 2, np.nan)
    for i, one in enumerate(corpus.behaviours):
        for j, other in enumerate(corpus.behaviours[: i + 1]):
            if one.active and len(one.active) == len(other.active):
                towers = [overlap(*both).mean() for both in zip(one.active, other.active, strict=True)]
                values[i, j] = values[j, i] = np.mean(towers)
    return values


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``|A and B| / sqrt(|A| |B|)`` (N,) of sets of active units, (N, B) with eight in a byte (Su et al., NAACL 2022: ON); 0 where either
    is empty."""
    both, own, others = (np.bitwise_count(bits).sum(axis=1, dtype=np.int64) for bits in (one & other, one, other))
    return both / np.sqrt(np.maximum(own * others, 1))


def _each_pair(representations: list[np.ndarray | None]) -> np.ndarray:
    values = np.full((len(representations),) * 2, np.nan)
    for i, one in enumerate(representations):
        for j, other in enumerate(representations[: i + 1]):
            if one is not None and other is not None:
                values[i, j] = values[j, i] = debiased_cka(one, other)
    return values


@measure(
    "pr_agree", title="agreement of answers", family="prompt", directed=True, needs=["prompts", "behaviours"], standard=False,
    description="1 − mean Jensen-Shannon divergence of the answers of the source’s and the target’s prompt on images of the target",
)  # fmt: skip
def pr_agree(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    answers = [{name: softmax(one.answers[name]) for name in corpus.names} for one in corpus.behaviours]
    own = {name: answers[place][name] for place, name in enumerate(corpus.names)}
    return np.array([[agreement(of_source[name], own[name]) for name in corpus.names] for of_source in answers])

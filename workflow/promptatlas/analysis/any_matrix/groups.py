"""Groups of tasks that help each other, and whether they do so in seeds that had no part in choosing them.

An average-linkage tree of the mutual relationship ``(g_ij + g_ji) / 2``, cut where the silhouette is largest. On the scores that chose
them groups always look good; so each seed is left out in turn, groups are chosen on the others, and what they are worth in the one left
out is held against groups of the same sizes drawn at random.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from promptatlas.analysis.statistics.relations import relationships, usable
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.base.rng import named_rng

FEWEST = 6  # tasks
MOST_GROUPS = 8
TOO_FEW = f"fewer than {FEWEST} tasks have two cells each as source and as target in every seed"
NOTHING = "nothing is left of the pairs once source and target are taken away"
NO_SEEDS = "one seed: what groups are worth in another is not known"


@dataclass(frozen=True)
class Groups:
    """label: (n,), numbered from 0 by size, -1 for tasks with too few cells. apparent: mean relationship of pairs inside a group, on the
    scores that chose it; held_out: the same in seeds left out; random: of groups of those sizes at random; p, one-sided, of doing no better
    in seeds left out; stability: how often pairs of a group are together when a seed is left out. NaN, and `reason`, where not known."""

    label: np.ndarray
    apparent: float = np.nan
    held_out: float = np.nan
    random: float = np.nan
    p: float = np.nan
    stability: float = np.nan
    reason: str = ""


def groups(values: np.ndarray, permutations: int = 999) -> Groups:
    """Of scores (S, n, n), NaN where there is none, on a scale on which larger is better."""
    seeds = values[np.isfinite(values).any(axis=(1, 2))]
    keep = usable(*seeds) if len(seeds) else np.arange(0)
    label = np.full(values.shape[-1], -1)
    if len(keep) < FEWEST:
        return Groups(label, reason=TOO_FEW)
    parts = seeds[:, keep[:, None], keep]
    mean = relationships(seed_mean(parts))
    if np.nanmax(np.abs(mean)) <= 1e-10 * np.nanmax(np.abs(parts)):
        return Groups(label, reason=NOTHING)
    label[keep] = chosen = _cut(mean)
    apparent = _inside(mean, chosen[None])[0]
    if len(parts) < 2:
        return Groups(label, apparent, reason=NO_SEEDS)
    rng = named_rng("any_matrix", "groups", len(keep))
    orders = rng.permuted(np.tile(np.arange(len(keep)), (permutations, 1)), axis=1)
    own, null, together = [], [], []
    for seed in range(len(parts)):
        others = _cut(relationships(seed_mean(np.delete(parts, seed, axis=0))))
        left_out = relationships(parts[seed])
        own.append(_inside(left_out, others[None])[0])
        null.append(_inside(left_out, others[orders]))
        together.append(others[:, None] == others)
    held_out, drawn = float(np.mean(own)), np.mean(null, axis=0)
    pairs = (chosen[:, None] == chosen) & ~np.eye(len(chosen), dtype=bool)
    return Groups(
        label, apparent, held_out, float(drawn.mean()), float((1 + (drawn >= held_out - 1e-12).sum()) / (permutations + 1)),
        float(np.mean(together, axis=0)[pairs].mean()),
    )  # fmt: skip


def _cut(relationship: np.ndarray) -> np.ndarray:
    """Labels (n,) of the best cut, the largest group first."""
    from sklearn.metrics import silhouette_score  # slow to import, and every page imports this file

    both = np.stack([relationship, relationship.T])
    there = np.isfinite(both).sum(axis=0)
    mutual = np.nan_to_num(both).sum(axis=0) / np.maximum(there, 1)  # 0, no help and no harm, where neither way is known
    distance = mutual.max() - mutual
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    cuts = [fcluster(tree, count, "maxclust") for count in range(2, min(MOST_GROUPS, len(distance) // 2) + 1)]
    best = max(cuts, key=lambda cut: silhouette_score(distance, cut, metric="precomputed"))
    sizes = sorted(set(best), key=lambda one: (-(best == one).sum(), np.flatnonzero(best == one)[0]))
    return np.array([sizes.index(one) for one in best])


def _inside(relationship: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean over the pairs inside a group, for each of the `labels` (R, n): (R,)."""
    there = np.isfinite(relationship)
    filled = np.where(there, relationship, 0.0)
    found = np.empty(len(labels))
    for place, label in enumerate(labels):
        same = (label[:, None] == label) & there
        found[place] = filled[same].sum() / max(same.sum(), 1)
    return found

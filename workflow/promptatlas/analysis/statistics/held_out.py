"""What looks best, judged by seeds that had no part in choosing it.

The source that is best on the mean of some seeds is so partly by luck, and is worth less in another. So what is named is ranked by all
seeds, and what a place in that ranking is worth is told by each seed in turn, of what the other seeds put there.
"""

import numpy as np

from promptatlas.analysis.statistics.jackknife import interval, leave_one_out, without
from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.relations import off_diagonal
from promptatlas.analysis.statistics.scales import matrix, seed_mean
from promptatlas.analysis.statistics.views import has

PLACES = 3


def by_place(values: np.ndarray) -> np.ndarray:
    """What each place is worth, (n,): values (S, n) of the seed left out, of what the mean of the other seeds ranks there, mean over
    seeds. What the others rank alike shares its places. NaN with one seed, and for places that are never filled.
    """
    seeds, count = values.shape
    worth = np.full((seeds, count), np.nan)
    for seed in range(seeds):
        known = seed_mean(np.delete(values, seed, axis=0)) if seeds > 1 else np.full(count, np.nan)
        there = np.flatnonzero(np.isfinite(known) & np.isfinite(values[seed]))
        order = there[np.argsort(-known[there], kind="stable")]
        alike = np.unique(-known[order], return_inverse=True)[1]
        own = values[seed, order]
        worth[seed, : len(order)] = (np.bincount(alike, own) / np.bincount(alike))[alike] if len(order) else own
    return seed_mean(worth)


def best_sources(scores: Scores) -> dict:
    """`best_of_columns` of a study's scores, in points over zero-shot or, for tuned prompts, over an untrained start."""
    return best_of_columns(scores.tasks, matrix(scores, "over_scratch" if has(scores, "over_scratch") else "gain_points"))


def best_of_columns(tasks: tuple[str, ...], values: np.ndarray) -> dict:
    """The best sources of every target and what they are worth, from values (S, n, n) of which larger is better.

    targets: by target the `PLACES` best other tasks by the mean of seeds, each with that mean (`apparent`), its range over seeds
    and `held_out`, what its place is worth (NaN with one seed, where nothing says so). points: of the best source, mean over targets,
    apparent and held out, with the interval of the latter over tasks as targets and as sources.
    """
    values = off_diagonal(values)
    mean = seed_mean(values)
    targets = {name: _best_of(tasks, values[:, :, column], mean[:, column]) for column, name in enumerate(tasks)}
    held_out = _of_best(values)
    low, high = interval(held_out, leave_one_out(len(tasks), lambda task: _of_best(without(values, task))))
    apparent = [best[0]["apparent"] for best in targets.values() if best]
    return {
        "targets": [{"target": name, "sources": best} for name, best in targets.items()],
        "points": {"apparent": float(np.mean(apparent)) if apparent else np.nan, "held_out": held_out, "low": low, "high": high},
    }


def _best_of(tasks: tuple[str, ...], values: np.ndarray, mean: np.ndarray) -> list[dict]:
    """Of one target, from values (S, n) of all sources by seed and their means (n,)."""
    worth = by_place(values)
    order = [source for source in np.argsort(-mean, kind="stable") if np.isfinite(mean[source])][:PLACES]
    return [
        {
            "source": tasks[source],
            "apparent": float(mean[source]),
            "low": float(np.nanmin(values[:, source])),
            "high": float(np.nanmax(values[:, source])),
            "n_seeds": int(np.isfinite(values[:, source]).sum()),
            "held_out": float(worth[place]),
        }
        for place, source in enumerate(order)
    ]


def _of_best(values: np.ndarray) -> float:
    """What the first place is worth, mean over the targets of (S, n, n)."""
    worth = np.array([by_place(values[:, :, target])[0] for target in range(values.shape[-1])])
    there = np.isfinite(worth)
    return float(worth[there].mean()) if there.any() else np.nan

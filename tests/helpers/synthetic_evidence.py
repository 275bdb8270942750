"""A made-up study of some tasks: prompts of each on the images of all others, with known truth."""

from dataclasses import replace

import numpy as np

from made_up_evidence import BASE, right
from promptatlas.analysis.choice.evidence import Candidate, Evidence

TASKS = tuple(f"task{i}" for i in range(7))


def study(images: int = 60, seeds: int = 2, draws: int = 2, tasks: tuple[str, ...] = TASKS, number: int = 0) -> list[Evidence]:
    """Gains of -5 points on average, of which sources, targets, pairs and seeds have a part each. The measure `good` knows them but for
    noise, `blind` nothing.
    """
    rng = np.random.default_rng([number, images])
    gives, takes = rng.normal(0, 0.04, len(tasks)), rng.normal(0, 0.04, len(tasks))
    out = []
    for t, target in enumerate(tasks):
        others = [s for s in range(len(tasks)) if s != t]
        files = tuple(Candidate("coop", tasks[s], seed) for s in others for seed in range(1, seeds + 1))
        pair = {s: rng.normal(0, 0.05) for s in others}
        gain = np.array([-0.05 + gives[s] + takes[t] + pair[s] for s in others for _ in range(seeds)]) + rng.normal(0, 0.04, len(files))
        measures = {"good": gain + rng.normal(0, 0.03, len(gain)), "blind": rng.standard_normal(len(gain))}
        for draw in range(draws):
            answers = right(rng, np.clip(BASE + np.array([0, *gain]), 0.01, 0.99), rng.standard_normal(images))
            known = {"measures": measures, "truth": BASE + gain, "reference_truth": BASE, "draw": draw, "shots": images // 4}
            out.append(Evidence(target, files, answers[1:], answers[0], np.arange(images) % 4, **known))
    return out


def with_other_truth(evidences: list[Evidence], task: str) -> list[Evidence]:
    """The same study, had all results on a task and all results of its prompts been others."""
    out = []
    for one in evidences:
        truth = np.where((one.sources == task) | (one.target == task), one.truth[::-1] * 0.5, one.truth)
        out.append(replace(one, truth=truth))
    return out

"""What to say of sources to train and of tasks to train jointly: the choice, how stable it is, and what it is worth on seeds that did not
choose it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from promptatlas.analysis.budget import groups, sources
from promptatlas.analysis.budget.gains import GainsBySeed
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.base.messages import counted, plain

ONE_SEED = "there is one seed, so how stable this is, and what it is worth on others, is not known"


def of_sources(found: Sequence[GainsBySeed], k: int) -> list[str]:
    """The best k sources by protocol and method."""
    return [line for one in found for line in _sources(one, k)]


def of_groups(found: Sequence[GainsBySeed], largest: int, most: int | None) -> list[str]:
    """The best groups by protocol and method."""
    return [line for one in found for line in _groups(one, largest, most)]


def _sources(one: GainsBySeed, k: int) -> Iterator[str]:
    mean = seed_mean(one.values)
    choice = sources.choose_sources(mean, k)
    names = [plain(one.tasks[source]) for source in choice.sources]
    yield _head(one)
    if not names:
        yield f"  no source gains anything over {one.before} on another task"
        return
    yield f"  best {len(names)}: {', '.join(names)}; every target with the best of them or {one.before}: {_gain(one, choice.value)}"
    for source in choice.sources:
        yield f"    {plain(one.tasks[source])} for {_listed(one, np.flatnonzero(choice.serves == source))}"
    if (left := np.flatnonzero(choice.serves == sources.NONE)).size:
        yield f"    {one.before} for {_listed(one, left)}"
    if len(names) < k:
        yield f"  more than {len(names)} gain nothing more"
    yield f"  with 1, 2, 3, ... sources: {', '.join(f'{step.value:+.1f}' for step in sources.curve(mean)[1:])}"
    if len(one.values) < 2:
        yield f"  {ONE_SEED}"
        return
    often = sources.often(one.values, k)
    others = [source for source in np.argsort(-often, kind="stable") if often[source] > 0 and source not in choice.sources]
    shares = [f"{plain(one.tasks[source])} {100 * often[source]:.0f} %" for source in [*choice.sources, *others[:3]]]
    yield f"  chosen when seeds are drawn again: {', '.join(shares)}"
    yield _verdict(one, sources.judged(one.values, k), "as many random sources")


def _groups(one: GainsBySeed, largest: int, most: int | None) -> Iterator[str]:
    mean = seed_mean(one.values)
    found = groups.partition(mean, largest, most)
    several = [group for group in found if len(group) > 1]
    yield _head(one)
    if not several:
        yield "  every task alone: no group gains anything"
        return
    own = groups.of_tasks(mean, found)
    stable = groups.together(one.values, largest)
    for group in several:
        pairs = stable[np.ix_(group, group)][np.triu_indices(len(group), 1)]
        often = f"; together in {100 * pairs.min():.0f} % of draws of seeds" if np.isfinite(pairs).all() else ""
        yield f"  {_listed(one, group)}: {_gain(one, float(own[list(group)].mean()))} each{often}"
    if alone := [group[0] for group in found if len(group) == 1]:
        yield f"  alone: {_listed(one, alone)}"
    yield f"  all tasks: {_gain(one, float(own.mean()))}"
    if len(one.values) < 2:
        yield f"  {ONE_SEED}"
    elif most is None:
        yield _verdict(one, groups.judged(one.values, largest), "random groups of the same sizes")
    yield "  gains of prompts that are reused, one by one; training the tasks together is still to be tried"


def _head(one: GainsBySeed) -> str:
    many = f"{counted(len(one.tasks), 'task')}, {counted(len(one.values), 'seed')}"
    missing = int(np.isnan(seed_mean(one.values))[~np.eye(len(one.tasks), dtype=bool)].sum())
    without = f"; {counted(missing, 'pair')} of {len(one.tasks) * (len(one.tasks) - 1)} not measured, and not chosen" if missing else ""
    return f"{one.title}: {many}; gains{' in ' + one.unit if one.unit else ''} over {one.before}, mean over targets{without}"


def _verdict(one: GainsBySeed, judged: sources.Judged, random: str) -> str:
    return (
        f"  chosen on all seeds but one: {judged.apparent:+.1f} there, {judged.held_out:+.1f} on the one left out, where {random} "
        f"gain {judged.random:+.1f} and {100 * judged.as_good:.0f} % of them at least as much"
    )


def _gain(one: GainsBySeed, value: float) -> str:
    return f"{value:+.1f}{' ' + one.unit if one.unit else ''}"


def _listed(one: GainsBySeed, tasks: Sequence[int] | np.ndarray) -> str:
    return ", ".join(plain(one.tasks[task]) for task in tasks)

"""How long jobs take that wait for each other, on so many devices at once.

NOT in it: waiting in a queue, downloads, and the time that Snakemake and a cluster need to start a job.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from promptatlas.plan.forecast import Planned

UNLIMITED = math.inf


def wall(planned: Sequence[Planned], seconds: Mapping[str, float], devices: float, shared: bool) -> float:
    """Seconds until all is done. A job starts as soon as what it needs is done and there is room for it; of those that wait
    the one that was planned first goes first.

    shared: whether the devices are cores, which all jobs need; otherwise those that need no GPU run beside.
    """
    room = {True: devices, False: UNLIMITED}
    place = {job.name: (number, shared or job.device) for number, job in enumerate(planned)}
    order = TopologicalSorter({job.name: job.needs for job in planned})
    order.prepare()
    waiting: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    running: list[tuple[float, str]] = []
    now = 0.0
    while order.is_active():
        for name in order.get_ready():
            number, where = place[name]
            heapq.heappush(waiting[where], (number, name))
        for where, queue in waiting.items():
            while queue and room[where] >= 1:
                _, name = heapq.heappop(queue)
                room[where] -= 1
                heapq.heappush(running, (now + seconds[name], name))
        now, name = heapq.heappop(running)
        room[place[name][1]] += 1
        order.done(name)
    return now

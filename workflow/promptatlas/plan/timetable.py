"""How long jobs take that wait for each other, on so many devices at once. Knows nothing of what the jobs do.

NOT in it: waiting in a queue, downloads, and the time that Snakemake and a cluster need to start a job.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from promptatlas.plan.forecast import Planned

UNLIMITED = math.inf


def wall(planned: Sequence[Planned], seconds: Mapping[str, float], devices: float, shared: bool) -> float:
    """Seconds until all is done. A job starts as soon as what it needs is done and there is room for it; of those that wait
    the one that was planned first goes first.

    shared: whether the devices are cores, which all jobs need; otherwise those that need no GPU run beside.
    """
    room = {True: devices, False: UNLIMITED}
    place = [shared or job.device for job in planned]
    numbers = {job.name: number for number, job in enumerate(planned)}
    followers, missing = defaultdict(list), [len(job.needs) for job in planned]
    for number, job in enumerate(planned):
        for name in job.needs:
            followers[numbers[name]].append(number)
    waiting: dict[bool, list[int]] = {True: [], False: []}
    for number, count in enumerate(missing):
        if not count:
            heapq.heappush(waiting[place[number]], number)
    running: list[tuple[float, int]] = []
    now = 0.0
    while running or any(waiting.values()):
        for where, queue in waiting.items():
            while queue and room[where] >= 1:
                number = heapq.heappop(queue)
                room[where] -= 1
                heapq.heappush(running, (now + seconds[planned[number].name], number))
        now, number = heapq.heappop(running)
        room[place[number]] += 1
        for follower in followers[number]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(waiting[place[follower]], follower)
    return now

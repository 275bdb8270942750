"""How a study is best cut into jobs for so many devices: what starting processes costs of it, and with which `jobs` it is done soonest.

Knows nothing of how speeds are measured or of how a forecast is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptatlas.plan import forecast, timetable
from promptatlas.plan.forecast import HEAVY, LIGHT, WEIGHTS_READ, Planned
from promptatlas.plan.speeds import Speeds
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study

MOST_STARTS = 0.05  # of all time
NEARLY, WORTH_IT = 1.03, 1.1  # how much longer a study may take with fewer jobs, and for starts to take no more than that share
STARTS = (*HEAVY, *LIGHT, WEIGHTS_READ)


@dataclass(frozen=True)
class Cut:
    """A study in jobs. devices: what the configuration says under `jobs.devices`; None: the sizes that the study has.

    wall: seconds until all is done; starts: share of all jobs' time in which they only start; heavy: jobs that load torch.
    """

    devices: int | None
    wall: float
    starts: float
    heavy: int


def cut(planned: Sequence[Planned], speeds: Speeds, devices: float, shared: bool, named: int | None = None) -> Cut:
    """What the jobs of a study mean on so many devices. shared: whether these are cores, which all jobs need."""
    seconds = {job.name: speeds.seconds(job.work) for job in planned}
    starting = sum(speeds.seconds({name: job.work[name] for name in STARTS}) for job in planned)
    heavy = sum(job.work[name] for job in planned for name in HEAVY)
    return Cut(named, timetable.wall(planned, seconds, devices, shared), starting / sum(seconds.values()), heavy)


def best(study: Study, sizes: Mapping[str, Size], weights: int, speeds: Speeds, devices: int, shared: bool) -> Cut:
    """The cut that is done soonest, of about equal ones that with the fewest jobs. Starts take a twentieth of the time at most, if that
    makes it little longer."""

    def cuts() -> Iterator[Cut]:
        for number in _numbers(devices):
            config: dict[str, Any] = {key: value for key, value in study.config.items() if key != "jobs"}
            other = Study(config | {"jobs": {"devices": number}})
            yield cut(forecast.jobs(other, sizes, weights), speeds, devices, shared, number)

    every = list(cuts())
    soonest = min(one.wall for one in every)
    fit = [one for one in every if one.starts <= MOST_STARTS and one.wall <= WORTH_IT * soonest] or every
    soonest = min(one.wall for one in fit)
    return min((one for one in fit if one.wall <= NEARLY * soonest), key=lambda one: (one.heavy, one.wall))


def _numbers(devices: int) -> list[int]:
    """Some from one up to twice the devices, few of the large ones."""
    return sorted(
        {number for power in range(devices.bit_length() + 1) for number in (2**power, 3 * 2**power // 2) if number <= 2 * devices}
    )

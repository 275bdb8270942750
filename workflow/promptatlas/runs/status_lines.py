"""How a study stands, as lines for the terminal: counts, the reasons of failures, and the matrix of each method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from promptatlas.base.errors import cause
from promptatlas.base.messages import counted, some
from promptatlas.runs import failures
from promptatlas.runs.status import DAMAGED, DONE, FAILED, MISSING, STALE, Ended, State, ended
from promptatlas.runs.still_to_come import jobs, still_to_come
from promptatlas.study.study import Study

KINDS = (DONE, MISSING, STALE, FAILED)
SIGNS = {DONE: "\u00b7", MISSING: "-", STALE: "s", FAILED: "F"}
WORST = (FAILED, MISSING, STALE, DONE)
CODES = {FAILED: 3, STALE: 4, MISSING: 5}  # 1 is for what cannot be looked at, 2 for what cannot be understood
LAST, NAMED, FEW = 8, 20, 3


def counts(found: Iterable[State]) -> list[str]:
    """A head and one line per kind of result and method."""
    lines: dict[str, list[State]] = {}
    for state in found:
        lines.setdefault(state.what, []).append(state)
    width = max(24, *(len(what) + 1 for what in lines), 0) if lines else 24
    head = f"{'':<{width}}" + "".join(f"{kind:>9}" for kind in KINDS)
    return [f"{head}  because of", *(_count(what, states, width) for what, states in lines.items())]


def _count(what: str, states: list[State], width: int) -> str:
    kinds = Counter(state.kind for state in states)
    why = Counter(name for state in states if state.kind == STALE for name in state.why)
    reasons = ", ".join(f"{name} ({count})" for name, count in why.most_common())
    return f"{what:<{width}}{''.join(f'{kinds[kind]:>9}' for kind in KINDS)}  {reasons}".rstrip()


def remarks(found: Iterable[State]) -> list[str]:
    """What counts as stale beforehand may hold; what is damaged, by name."""
    found = list(found)
    number, damaged = sum(state.open for state in found), [state.path for state in found if DAMAGED in state.why]
    told = f"stale because what they are made from is made again first: {number}; the run keeps those whose fingerprint then still holds"
    lines = ["", told] if number else []
    if damaged:
        lines += ["", f"damaged, kept aside and made again by the next run: {len(damaged)}", *(f"  {path}" for path in damaged[:NAMED])]
        lines += [f"  and {len(damaged) - NAMED} more"] if len(damaged) > NAMED else []
    return lines


def code(found: Iterable[State]) -> int:
    """The exit status: 0 if everything is done, else that of the first of `CODES` which there is."""
    kinds = {state.kind for state in found}
    return next((number for kind, number in CODES.items() if kind in kinds), 0)


def now(study: Study) -> list[str]:
    """The jobs that run now, how far each is, and how long the rest of the study will take."""
    told = [f"  {job}" for job in jobs(study)]
    ahead = str(still_to_come(study)) if told else ""
    return ["", "running now:", *told, *([f"  {ahead}"] if ahead else [])] if told else []


def reasons(study: Study) -> list[str]:
    """What failed, why, and the last lines of the logs of jobs that stopped; where several did for one reason, of the first."""
    failed, stopped = failures.listed(study), ended(study)
    lines = ["", f"{counted(len(failed), 'result')} failed; run the same command again to try again:"] if failed else []
    lines += failures.lines(study, failed)
    for details in {cause(one.reason): one.details for one in failed if one.details}.values():
        lines += ["", *(f"    {line}" for line in details.splitlines()[-LAST:])]
    alike: dict[str, list[Ended]] = {}
    for one in stopped:
        alike.setdefault(one.reason, []).append(one)
    for same in alike.values():
        jobs = some((one.job for one in same), FEW)
        lines += ["", f"{jobs} stopped ({same[0].log}):", *(f"    {line}" for line in same[0].lines)]
    return lines


def matrices(study: Study, found: Iterable[State]) -> list[str]:
    """For each protocol and method a sign per source (row) and target (column), the worst over seeds."""
    signs: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = {}
    for state in found:
        if (cell := state.cell) is None:
            continue
        signs.setdefault((cell.protocol, cell.method), {}).setdefault((cell.source, cell.target), set()).add(state.kind)
    legend = ", ".join(f"{sign} {kind}" for kind, sign in SIGNS.items())
    lines = [f"rows are sources, columns targets in the order of the rows; the worst of all seeds: {legend}"] if signs else []
    width = max(map(len, study.sources)) + 4
    for (protocol, method), kinds in signs.items():
        targets = [target for target in study.tasks if any(key[1] == target for key in kinds)]
        numbers = [str(number) for number, _ in enumerate(targets, 1)]
        lines += ["", f"{protocol} {method}"]
        for digit in range(max(map(len, numbers))):
            lines.append(" " * (width + 1) + "".join(f"{number.rjust(len(numbers[-1]))[digit]:>2}" for number in numbers))
        for source in study.sources:
            if not any(key[0] == source for key in kinds):
                continue
            number = targets.index(source) + 1 if source in targets else ""
            row = "".join(f"{_sign(kinds.get((source, target), set())):>2}" for target in targets)
            lines.append(f"{number:>3} {source:<{width - 4}} {row}")
    return lines


def _sign(kinds: set[str]) -> str:
    """Blank where the design measures nothing."""
    return next((SIGNS[kind] for kind in WORST if kind in kinds), " ")

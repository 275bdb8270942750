"""Which column of a long table is what. Knows the names that people use, and what is given by `--columns`."""

from collections.abc import Mapping, Sequence

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some, suggest

NEEDED = ("source", "target", "score")
OPTIONAL = ("seed", "method", "protocol", "baseline", "ceiling", "n_test")
ROLES = (*NEEDED, *OPTIONAL)

# As people call them, without case, spaces and signs; the first that a table has is taken.
KNOWN: dict[str, tuple[str, ...]] = {
    "source": ("source", "sourcetask", "sourcedataset", "src", "fttask", "finetunetask", "finetunedon", "traintask", "trainedon",
               "traindataset", "giver", "donor", "from"),
    "target": ("target", "targettask", "targetdataset", "tgt", "dst", "testtask", "evaltask", "testedon", "evaluatedon",
               "testdataset", "evaldataset", "receiver", "to", "task", "dataset"),
    "score": ("score", "value", "accuracy", "acc", "performance", "transfer", "result", "perfectiongapfactor", "pgf", "gain",
              "ratio", "loss", "error", "top1", "f1", "auc", "map", "miou"),
    "seed": ("seed", "run", "replicate", "repetition"),
    "method": ("method", "model", "learner", "algorithm"),
    "protocol": ("protocol",),
    "baseline": ("baseline", "zeroshot", "untuned", "basescore", "baselinescore", "zeroshotscore"),
    "ceiling": ("ceiling", "upperbound", "ceilingscore"),
    "n_test": ("ntest", "testsize", "ntestimages"),
}  # fmt: skip


def simple(name: str) -> str:
    """A name without case, spaces and signs."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


def roles(head: Sequence[str], given: Mapping[str, str], file: str) -> dict[str, int]:
    """Place of the column of each role that is found in `head`. given: role -> name of its column.

    UserError for a role that there is not and for a column that the table lacks.
    """
    for role, name in given.items():
        if role not in ROLES:
            raise UserError(f"`--columns` says '{plain(role)}={plain(name)}', but there is no '{plain(role)}'; {suggest(role, ROLES)}")
        if name not in head:
            raise UserError(f"{file} has no column '{plain(name)}'; {suggest(name, map(plain, head), _has(head))}")
    found = {role: list(head).index(name) for role, name in given.items()}
    called = [simple(name) for name in head]
    for role in ROLES:
        free = [name for place, name in enumerate(called) if place not in found.values()]
        if role not in found and (known := next((name for name in KNOWN[role] if name in free), None)):
            found[role] = next(place for place, name in enumerate(called) if name == known and place not in found.values())
    return found


def _has(head: Sequence[str]) -> str:
    return f"it has {some(map(plain, head), 12)}"

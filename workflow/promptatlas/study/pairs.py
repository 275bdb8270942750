"""The pairs of source and target to which a study is restricted: the key `pairs`, a table of CSV. Such a study measures these pairs and
nothing else of its matrix; without the key it is whole again, and what was measured holds.

Knows nothing of jobs, of torch or of Snakemake.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, suggest
from promptatlas.base.text_files import read
from promptatlas.records.fingerprint import digest
from promptatlas.study.designs import DESIGNS, EXPLAINED
from promptatlas.study.protocols import CALIBRATION, TEMPLATE

COLUMNS = ("protocol", "method", "source", "target")
DELIMITERS = ",;\t"

Pair = tuple[str, str, str, str]  # as COLUMNS


class Pairs:
    """Those that are listed, each once."""

    def __init__(self, listed: Iterable[Pair]):
        self._listed = frozenset(listed)
        self._targets: dict[tuple[str, str], set[str]] = {}
        self._sources: dict[str, set[str]] = {}
        for protocol, method, source, target in self._listed:
            self._targets.setdefault((protocol, method), set()).add(target)
            self._sources.setdefault(method, set()).add(source)

    def __len__(self) -> int:
        return len(self._listed)

    def measures(self, protocol: str, method: str, source: str, target: str) -> bool:
        """Whether a cell is measured: a listed one and what gains are measured from, of a method with pairs the zero-shot prompt on all
        targets, and the untrained one on those of its pairs. No other row beside the tasks is."""
        if source in CALIBRATION:
            own = self.targets(protocol, method)
            return bool(own) if source == TEMPLATE else target in own
        return (protocol, method, source, target) in self._listed

    def sources(self, method: str) -> Collection[str]:
        """Tasks whose prompt of a method any pair applies."""
        return self._sources.get(method, ())

    def targets(self, protocol: str, method: str) -> Collection[str]:
        """Tasks on which any pair of a protocol and method applies a prompt."""
        return self._targets.get((protocol, method), ())

    @property
    def description(self) -> dict[str, Any]:
        """How many there are, and a hash of which."""
        return {"pairs": len(self), "sha256": digest(sorted(self._listed))}


def of(config: Mapping[str, Any], tasks: Sequence[str], learners: Sequence[str], methods: Sequence[str]) -> Pairs | None:
    """Those that a complete configuration names, or None if it names none. methods: whose prompts are tried. UserError, with the file and
    the line, for names that the study does not have."""
    if config["pairs"] is None:
        return None
    if DESIGNS[config["design"]].ending is not EXPLAINED:
        raise UserError(f"`pairs` is for studies that are a whole matrix, not for `design: {config['design']}`; leave it out")
    known = dict(zip(COLUMNS, (config["protocols"], methods, learners, tasks), strict=True))
    return Pairs(_read(Path(config["pairs"]), known))


def text(pairs: Iterable[Pair]) -> str:
    """The file that lists them."""
    return "".join(",".join(row) + "\n" for row in (COLUMNS, *pairs))


def _read(path: Path, known: Mapping[str, Sequence[str]]) -> Iterator[Pair]:
    """Every pair of the table at `path`; a column that is not there, or is empty, stands for all protocols or methods."""
    rows = _rows(path)
    head = [name.strip() for name in next(rows, (1, []))[1]]
    if wrong := [name for name in head if name not in COLUMNS]:
        raise UserError(f"{path}, under `pairs`, has the column `{plain(wrong[0])}`; its columns are {', '.join(COLUMNS)}")
    if missing := [name for name in ("source", "target") if head.count(name) != 1]:
        raise UserError(f"{path}, under `pairs`, must have one column `{missing[0]}` in its first line, for a task in every other line")
    line = 1
    for line, row in rows:
        if len(row) != len(head):
            raise UserError(f"{path}, under `pairs`, has {len(row)} values in line {line} for {len(head)} columns; mend it")
        given = {name: value.strip() for name, value in zip(head, row, strict=True) if value.strip()}
        for name in COLUMNS:
            if name in given and given[name] not in known[name]:
                told = suggest(given[name], known[name], mark="`")
                raise UserError(
                    f"{path}, under `pairs`, names the {name} `{plain(given[name])}` in line {line}, which is none here; {told}"
                )
        if not {"source", "target"} <= given.keys():
            raise UserError(f"{path}, under `pairs`, names no pair in line {line}; give a source and a target")
        yield from product(*([given[name]] if name in given else known[name] for name in COLUMNS))
    if line == 1:
        raise UserError(f"{path}, under `pairs`, lists no pair; list at least one, or leave `pairs` out to measure all")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    try:
        lines = read(path).splitlines()
    except FileNotFoundError:
        raise UserError(f"`pairs` is {path}, which does not exist; `promptatlas next -o` writes such a file") from None
    except OSError as error:
        raise UserError(f"`pairs` is {path}, which cannot be read ({error.strerror}); name a file") from None
    delimiter = next((sign for sign in DELIMITERS if lines and sign in lines[0]), ",")
    try:
        yield from ((number, row) for number, row in enumerate(csv.reader(lines, delimiter=delimiter), start=1) if any(row))
    except csv.Error as error:
        raise UserError(f"{path}, under `pairs`, is no table of CSV ({error}); mend it") from None

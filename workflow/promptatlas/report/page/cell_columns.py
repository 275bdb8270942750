"""What the page tells of cells (`cell_evidence.told`) in columns of bytes, gzipped, as base64: half of what it takes as JSON.

A block is the length of its head in four bytes, the head as JSON, and the bytes of its columns, all of one kind together since like
compresses with like. `cell_columns.js` makes of it what it was.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

TENTHS = 10
WIDTHS = (1, 2, 4)
HASH = re.compile("(?:[0-9a-f]{2})*")


def packed(told: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """source -> target -> what there is to tell, as text. The same data give the same text.

    The head lists columns as [kind, target, sources (by number), bytes of a number, numbers of a source], in the order of their bytes. A
    column is (numbers x sources), its low bytes before its high ones; where all bits of a number are set there is none.
    """
    sources = list(told)
    targets = list(dict.fromkeys(target for one in told.values() for target in one))
    classes = {target: len(told[source][target]["classes"]) for source in sources for target in targets if target in told[source]}
    seeds = sorted({seed for one in told.values() for cell in one.values() for seed in cell.get("marks", {})})
    head, body = [], []
    for kind in KINDS:
        for target in targets:
            found = {place: told[name][target] for place, name in enumerate(sources) if target in told[name]}
            rows = {place: row for place, cell in found.items() if (row := KINDS[kind](cell, classes[target], seeds)) is not None}
            if rows:
                content, width, count = _bytes(list(rows.values()))
                head.append([kind, targets.index(target), None if len(rows) == len(sources) else list(rows), width, count])
                body.append(content)
    about = {"sources": sources, "targets": targets, "classes": list(map(classes.get, targets)), "seeds": seeds, "columns": head}
    told_head = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(b"".join([len(told_head).to_bytes(4, "little"), told_head, *body]), 9, mtime=0)).decode()


def _bytes(rows: Sequence[Sequence[int | None]]) -> tuple[bytes, int, int]:
    """The bytes of a column, how many a number has, and how many numbers a source; shorter rows end with none."""
    by_number = list(zip_longest(*rows))
    most = max((one for row in rows for one in row if one is not None), default=0)
    width = next(width for width in WIDTHS if most < 256**width - 1)
    values = np.array([[256**width - 1 if one is None else one for one in numbers] for numbers in by_number], dtype="<u4")
    planes = values.reshape(-1, 1).view(np.uint8)[:, :width].T
    return planes.tobytes(), width, len(by_number)


Row = Sequence[int | None] | None


def _confused(cell: Mapping[str, Any], classes: int, _: Sequence[int]) -> Row:
    return [own * classes + given for own, given, _ in cell["confused"]] if "confused" in cell else None


def _times(cell: Mapping[str, Any], _: int, __: Sequence[int]) -> Row:
    """How often each was given, less how often the next was: small numbers, as the most frequent comes first."""
    if "confused" not in cell:
        return None
    times = [count for *_, count in cell["confused"]]
    return [one - after for one, after in zip(times, [*times[1:], 0], strict=False)]


def _marks(which: int, cell: Mapping[str, Any], seeds: Sequence[int]) -> Row:
    if "marks" not in cell:
        return None
    return list(_digits(cell["marks"], seeds, which))


def _digits(marks: Mapping[int, Sequence[str]], seeds: Sequence[int], which: int) -> Iterator[int | None]:
    longest = max(len(pair[which]) for pair in marks.values())
    for seed in seeds:
        text = marks[seed][which] if seed in marks else ""
        digits = bytes.fromhex(text) if HASH.fullmatch(text) else b""
        yield from digits
        yield from [None] * (longest // 2 - len(digits))


KINDS = {
    "classes": lambda cell, *_: cell["classes"],
    "seeds": lambda cell, *_: [cell["seeds"]],
    "confused": _confused,
    "times": _times,
    "rest": lambda cell, *_: [cell["rest"]] if "rest" in cell else None,
    "images": lambda cell, *_: [round(TENTHS * one) for one in cell["images"]] if "images" in cell else None,
    "right": lambda cell, *_: cell.get("right"),
    "given": lambda cell, *_: cell.get("given"),
    "fingerprints": lambda cell, _, seeds: _marks(0, cell, seeds),
    "prompts": lambda cell, _, seeds: _marks(1, cell, seeds),
}

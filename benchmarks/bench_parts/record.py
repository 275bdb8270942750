"""The record of a run of `bench.py`, and the table of it that docs/speed.md shows. Knows nothing of how anything is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"


def table(record: Mapping[str, Any]) -> str:
    """In Markdown, with what it was measured on."""
    about, rounds = record["machine"], record["rounds"]
    head = [
        f"{about['processor']}, {about['capability']}, {record['threads']} threads, torch {about['torch']}, {rounds} "
        f"{'round' if rounds == 1 else 'rounds'}, load {about['load per core']:.1f} per core before:",
        "",
        "| claim | published way, s | ours, s | ratio | rounds | ratio of CPU time | share of the ceiling | wanted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(head + [_row(one) for one in record["outcomes"]])


def _row(one: Mapping[str, Any]) -> str:
    share = "" if one["share"] is None else f"{100 * one['share']:.0f} %"
    wanted = "" if one["least"] is None else f"{one['least']:g}"
    low, high = one["spread"]
    times = (
        f"{_seconds(one['published'])} | {_seconds(one['ours'])} | {one['ratio']:.1f} | {low:.1f} to {high:.1f} | {one['processor']:.1f}"
    )
    return f"| {one['claim']} | {times} | {share} | {wanted} |"


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def keep(record: Mapping[str, Any], docs: Path) -> None:
    """Writes bench.json, without each process's own numbers, and the table of it into speed.md, both in the folder `docs`."""
    short = {key: value for key, value in record.items() if key != "told"}
    (docs / "bench.json").write_text(json.dumps(short, indent=1) + "\n")
    page = (docs / "speed.md").read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    (docs / "speed.md").write_text(f"{before}{BEGIN}\n{table(short)}\n{END}{after}")

"""What was asked of promptatlas on a GPU, line by line: what was found of it, whether it holds, or that it was not measured.

Nothing holds on a CPU, whose numbers mean nothing, and nothing that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpu_parts.ledger import Ledger
from gpu_parts.scene import Scene
from gpu_parts.variants import PLAIN
from promptatlas.backbone.precision import FLOAT16, TF32

STEP, EVALUATION = 0.4, 0.5  # shares of the measured rate of products in half precision
POINTS = {("coop", TF32): 0.2, ("vpt", FLOAT16): 0.1, ("upt", FLOAT16): 0.1}  # root mean square
TWO_CLASSES = 2.0  # points, of any cell
SAME = 1e-5  # of recorded steps and of those kernel by kernel


def measure(scene: Scene, ledger: Ledger) -> None:
    for name, wanted, found, holds in lines(ledger):
        missing = found in (None, {})
        ledger.row(name, wanted=wanted, found=None if missing else found, holds=None if missing or not scene.cuda else holds)


def lines(ledger: Ledger) -> Iterator[tuple[str, str, Any, bool]]:
    """Each with what was wanted, what was found (nothing where it was not measured) and whether that is enough."""
    for section, least in (("steps", STEP), ("evaluations", EVALUATION)):
        share = (ledger.found(section, f"vpt, {FLOAT16}") or {}).get("share of the ceiling")
        yield f"{section} of vpt in {FLOAT16}, share of the rate of products", f"{least:g} at least", share, (share or 0) >= least
    short = {row["name"]: row.get("at 0.1", row.get("error", row.get("at 0.5"))) for row in _rows(ledger, "memory")}
    yield "paths with a tenth of their memory", "whole, all of them", short, {*short.values()} == {"whole"}
    waits = {row["name"]: row.get("waits in two steps", row.get("error")) for row in _rows(ledger, "waits") if "waits" in row["name"]}
    yield "synchronisations in two steps", "none", waits, {*waits.values()} == {0}
    for (method, way), most in POINTS.items():
        row = ledger.found("precision", f"mini {method}, {way}") or {}
        found = {key: row[key] for key in ("cells", "rms", "max_two_classes") if key in row}
        enough = bool(found) and found["rms"] < most and found["max_two_classes"] < TWO_CLASSES
        yield f"scores of {method} in {way}, points", f"rms below {most:g}, two classes below {TWO_CLASSES:g}", found, enough
    apart = {row["name"]: max(row["losses"], row["prompts"]) for row in _rows(ledger, "waits") if "losses" in row}
    yield "recorded steps against those kernel by kernel", f"below {SAME:g}", apart, all(value < SAME for value in apart.values())
    for methods, variant in (("vpt and upt", PLAIN), ("vpt and upt", FLOAT16), ("coop", TF32)):
        row = ledger.found("hours", f"{methods}, {variant}") or {}
        hours = {key: row[key] for key in ("hours", "predicted") if key in row}
        yield f"hours of the paper's study, {methods} in {variant}", "told beside the prediction", hours, bool(hours)


def _rows(ledger: Ledger, section: str) -> list[dict[str, Any]]:
    return [row for row in ledger.rows if row["section"] == section and row["name"] != "section"]

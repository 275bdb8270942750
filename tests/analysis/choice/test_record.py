"""The record of the default study: what docs/choice.md says is in docs/choice_mini.json, and what the rule was asked to do it does."""

import json
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[3] / "docs"
TITLES = {
    "CoOp": "coop", "VPT": "vpt", "UPT": "upt", "MaPLe": "maple", "all three together": "coop+upt+vpt",
    "all four together": "coop+maple+upt+vpt",
}  # fmt: skip
KINDS = {"all files": "all_seeds", "one seed": "one_seed"}


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    kept = json.loads((DOCS / "choice_mini.json").read_text())
    return pd.DataFrame(kept["rows"], columns=kept["columns"]).set_index(["method", "candidates", "shots", "rule", "or_none"]).sort_index()


def test_sixteen_images_choose_within_two_points_and_none_is_a_candidate(record):
    for method in ("coop", "vpt"):
        for kind in KINDS.values():
            tried, decided = record.loc[(method, kind, 16, "try", False)], record.loc[(method, kind, 16, "try", True)]
            assert tried["regret_1"] <= 2.0 and decided["oracle_share"] >= 0.75 and decided["harmed"] <= 0.03, (method, kind)
            assert record.loc[(method, kind, 16, "static_list", False)]["regret_1"] > 8
            assert record.loc[(method, kind, 16, "random", False)]["regret_1"] > 17


def number(text: str) -> float:
    return float(text.replace("−", "-").removesuffix(" %"))


def test_the_table_in_the_docs_is_the_record(record):
    lines = [
        line.strip("| ").split(" | ") for line in (DOCS / "choice.md").read_text().splitlines() if line.count("|") == 9 and "(" in line
    ]
    assert len(lines) == 32
    for who, shots, first, third, gain, share, used, harmed in lines:
        title, _, kind = who.rpartition(" (")[0].rpartition(", ")
        key = (TITLES[title], KINDS[kind], int(shots), "try")
        tried, decided = record.loc[(*key, False)], record.loc[(*key, True)]
        assert int(who.rpartition("(")[2].rstrip(")")) == tried["n_candidates"]
        assert number(first.split(" ")[0]) == pytest.approx(tried["regret_1"], abs=0.0501)
        assert number(third) == pytest.approx(tried["regret_3"], abs=0.0501)
        assert number(gain.split(" ")[0]) == pytest.approx(decided["gain"], abs=0.0501)
        assert number(share) == pytest.approx(100 * decided["oracle_share"], abs=0.51)
        assert number(used) == pytest.approx(100 * decided["used"], abs=0.51)
        assert number(harmed) == pytest.approx(100 * decided["harmed"], abs=0.0501)


def test_the_table_of_rules_in_the_docs_is_the_record(record):
    lines = [line.strip("| ").split(" | ") for line in (DOCS / "choice.md").read_text().splitlines() if line.count("|") == 14]
    head, _, *rows = lines
    asked = [one.rpartition(", ") for one in head[1:]]
    assert len(asked) == 12 and len(rows) == 17
    for rule, *cells in rows:
        name = rule.strip("`")
        for (title, _, kind), cell in zip(asked, cells, strict=True):
            known = [row for row in (name, f"measure:{name}") if (TITLES[title], KINDS[kind], 16, row, False) in record.index]
            shown = record.loc[(TITLES[title], KINDS[kind], 16, known[0], False)]["regret_1"] if known else None
            assert (cell == "–") if shown is None else number(cell) == pytest.approx(shown, abs=0.0501), (rule, title, kind)


@pytest.mark.parametrize("page", ["../README.md", "default-study.md"])
def test_what_is_said_of_the_choice_is_the_record(page, record):
    said = " ".join((DOCS / page).read_text().split())
    decided = [record.loc[(method, "all_seeds", 16, "try", True)] for method in ("coop", "vpt", "upt")]
    gains = [f"{one['gain']:.1f}" for one in decided]
    shares, harmed = ([round(100 * one[name]) for one in decided] for name in ("oracle_share", "harmed"))
    assert f"gains {gains[0]} (CoOp), {gains[1]} (VPT) and {gains[2]} points (UPT) over the zero-shot prompt" in said
    assert f"{min(shares)} to {max(shares)} % of what a perfect choice would" in said
    assert f"more than a point in {min(harmed)} to {max(harmed)} % of the choices" in said

"""benchmarks/bench.py at toy size: both ways give the same numbers, and its table is arithmetic on what was timed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench
from bench_parts import claims, record, side
from bench_parts.claims import CLOCK, Parts
from gpu_parts.scene import TINY, operations, random
from promptatlas.backbone.linear import frozen_linear, product

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def told(tiny_backbone, tmp_path_factory):
    """Everything that the benchmark starts, in this process, and how far the two ways lie apart."""
    folder = tmp_path_factory.mktemp("bench")
    large = bench.exported(random(TINY, tiny_backbone, "cpu"), folder / "large")
    every = bench.works(large, large, 1, tiny=True)
    found = bench.measured(every, 2, folder, lambda work: json.loads(json.dumps(asdict(side.done(work)))))
    return found, bench.apart(folder)


@pytest.mark.slow
def test_both_ways_give_the_same_answers_and_the_same_step(told):
    _, apart = told
    assert {*apart} == {"step coop", "column coop", "column vpt", "column upt"} and max(apart.values()) < 1e-5


@pytest.mark.slow
def test_every_claim_has_an_outcome_and_a_line(told):
    outcomes = [claims.outcome(claim, told[0], 1.0) for claim in claims.CLAIMS]
    assert all(one.ratio > 0 and one.spread[0] <= one.ratio * 1.0001 for one in outcomes)
    assert all(one.share for one in outcomes if "together" not in one.claim)
    assert len(claims.lines(outcomes)) == len(claims.CLAIMS) + 1 == 12


def test_what_a_whole_takes_lies_on_a_line_through_two_sizes():
    published = Parts.of({"start": (3.0, 6.0), "took": {"2": (5.0, 9.0), "8": (11.0, 18.0)}}, CLOCK)
    ours = Parts.of({"start": (3.0, 6.0), "took": {"4": (10.0, 1.0), "16": (34.0, 1.0)}}, CLOCK)
    assert (published, ours) == (Parts(3.0, 3.0, 1.0), Parts(3.0, 2.0, 2.0))
    encoding = Parts(0.0, 0.0, 0.5)
    assert claims.column(100)(published, ours, encoding) == (20 * 106, 205)
    assert claims.column(250)(published, ours, encoding) == (20 * (3 + 9 + 250), 505)
    assert claims.step(published, ours, encoding) == (pytest.approx(1 + 3 / 10000), pytest.approx(2 + (3 + 800) / 10000))
    assert claims.together(Parts(3.0, 1.0, 0.2), Parts(3.0, 2.0, 0.5), encoding) == (20 * 10, 20)


def test_medians_and_rounds_of_a_claim():
    claim = claims.Claim("any", 2.0, ("slow", "fast"), lambda slow, fast, _: (slow.each, fast.each))
    rounds = {
        "slow": [{"start": (0, 0), "took": {"1": (value, 3.0)}, "gflop": None} for value in (6.0, 9.0, 4.0)],
        "fast": [{"start": (0, 0), "took": {"1": (2.0, 1.5)}, "gflop": 30.0}] * 3,
        "encoding": [{"start": (0, 0), "took": {"1": (1.0, 1.0)}, "gflop": None}] * 3,
    }
    found = claims.outcome(claim, rounds, 40.0)
    assert (found.published, found.ours, found.ratio, found.spread, found.processor) == (6.0, 2.0, 3.0, (2.0, 4.5), 2.0)
    assert found.share == 0.5 and found.met and "50 %  2 met" in claims.lines([found])[1]


def test_every_product_is_counted():
    x, weight = torch.randn(6, 5, requires_grad=True), torch.randn(3, 5)
    with operations() as counted:
        frozen_linear(x, weight, torch.zeros(3)).sum().backward()
        product(torch.randn(2, 6, 5), weight)
    assert counted.get_total_flops() == 2 * 2 * 6 * 5 * 3 + 2 * 12 * 5 * 3


def test_parts_that_were_not_measured_are_not_compared(tmp_path):
    np.save(tmp_path / "our_column_vpt.npy", np.ones((2, 1, 3)))
    assert bench.apart(tmp_path) == {}
    np.save(tmp_path / "published_column_vpt.npy", np.full((4, 3), 2.0))
    assert bench.apart(tmp_path) == {"column vpt": 0.5}


RECORD: dict[str, Any] = {
    "machine": {"processor": "Any", "capability": "AVX2", "torch": "2.15", "load per core": 0.1}, "threads": 2, "rounds": 3,
    "outcomes": [
        {"claim": "a", "least": 2.0, "published": 1234.5, "ours": 2.0, "ratio": 617.25, "spread": [500, 700], "processor": 9, "share": 0.5},
        {"claim": "b", "least": None, "published": 3.0, "ours": 2.0, "ratio": 1.5, "spread": [1.4, 1.6], "processor": 1.5, "share": None},
    ],
}  # fmt: skip


def test_a_record_as_a_table():
    lines = record.table(RECORD).splitlines()
    assert lines[0] == "Any, AVX2, 2 threads, torch 2.15, 3 rounds, load 0.1 per core before:"
    assert lines[-2] == "| a | 1,234 | 2 | 617.2 | 500.0 to 700.0 | 9.0 | 50 % | 2 |"
    assert lines[-1] == "| b | 3 | 2 | 1.5 | 1.4 to 1.6 | 1.5 |  |  |"


def test_speed_page_shows_the_table_of_its_record():
    """Or none, where nothing was measured."""
    kept, page = DOCS / "bench.json", (DOCS / "speed.md").read_text()
    shown = page.partition(f"{record.BEGIN}\n")[2].partition(record.END)[0]
    if not kept.exists():
        assert shown == "" and record.BEGIN in page
        return
    told = json.loads(kept.read_text())
    assert shown == record.table(told) + "\n"
    assert [one["claim"] for one in told["outcomes"]] == [claim.words for claim in claims.CLAIMS]
    assert all(one["published"] / one["ours"] == pytest.approx(one["ratio"]) for one in told["outcomes"])
    assert {*told["apart"]} and max(told["apart"].values()) < bench.SAME


def test_a_new_record_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "speed.md").write_text((DOCS / "speed.md").read_text())
    for threads in (64, 65):
        record.keep(RECORD | {"threads": threads, "told": {"any": []}}, tmp_path)
    page = (tmp_path / "speed.md").read_text()
    assert "65 threads" in page and "64 threads" not in page and page.count(record.BEGIN) == page.count(record.END) == 1
    assert json.loads((tmp_path / "bench.json").read_text()) == RECORD | {"threads": 65}

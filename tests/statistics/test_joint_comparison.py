"""Ways to share prompts beside each task's own: differences by hand, and groups as the table has them."""

import itertools

import numpy as np
import pandas as pd
import pytest

from promptatlas.page import joint as page
from promptatlas.statistics.joint import compare_joint
from promptatlas.statistics.views import way_title

TASKS, SEEDS = ("a", "b", "c", "d"), (1, 2)
GROUPS = {"a": "a+c", "c": "a+c", "b": "b", "d": "d"}


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    joint = pd.DataFrame(
        {
            "method": "coop", "source": source, "adaptation": adaptation, "task": task, "seed": seed,
            "group": GROUPS[task] if adaptation == "joint" else task, "classes": "own", "shots": 4, "score": rng.random(),
        }
        for source, adaptation, task, seed in itertools.product(("scratch", "multitask"), ("single", "joint"), TASKS, SEEDS)
    )  # fmt: skip
    transfer = pd.DataFrame(
        {"method": method, "protocol": protocol, "source": source, "target": task, "seed": seed, "shots": 4, "score": rng.random()}
        for method, protocol, source, task, seed in itertools.product(
            ("coop", "vpt"), ("frozen", "init"), ("multitask", "a"), TASKS, SEEDS
        )
    )
    return joint, transfer


def test_every_way_is_compared_with_the_tasks_own_prompt(tables):
    joint, transfer = tables
    (found,) = compare_joint(joint, transfer, ("multitask",))
    assert found["method"] == "coop" and found["groups"] == [["a", "c"]] and found["n_tasks"] == 4 and found["n_seeds"] == 2
    scores = {way: part["score"] for way, part in joint.groupby(["source", "adaptation"])}
    kept = (transfer["method"] == "coop") & (transfer["protocol"] == "frozen") & (transfer["source"] == "multitask")
    own = scores["scratch", "single"].to_numpy()
    wanted = {
        "single": own,
        "joint": scores["scratch", "joint"].to_numpy(),
        "multitask single": scores["multitask", "single"].to_numpy(),
        "multitask joint": scores["multitask", "joint"].to_numpy(),
        "multitask frozen": transfer.loc[kept, "score"].to_numpy(),
    }
    ways = {one["method"]: one for one in found["methods"]}
    assert set(ways) == set(wanted)
    for way, values in wanted.items():
        assert ways[way]["mean"] == pytest.approx(values.mean())
        if way != "single":
            assert ways[way]["difference"] == pytest.approx(100 * (values - own).mean())
            assert ways[way]["low"] < ways[way]["difference"] < ways[way]["high"]


def test_the_section_names_groups_and_ways(tables):
    records = compare_joint(*tables, ("multitask",))
    html = page.section(records, {"a": "Task <A>"}).html()
    assert "2 of 4 tasks share a prompt with others: Task &lt;A&gt;, c." in html
    assert all(way_title(one["method"]) in html for one in records[0]["methods"])
    assert way_title("multitask frozen") == "a prompt of other tasks as it is" and way_title("single") == "its own, from scratch"

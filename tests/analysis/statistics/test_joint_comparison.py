"""Ways to share prompts beside each task's own: differences by hand, and groups as the table has them."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis import published
from promptatlas.analysis.statistics.joint import compare_joint
from promptatlas.analysis.statistics.summary import plain
from promptatlas.analysis.words import way_title
from promptatlas.report.page import joint as page
from promptatlas.study.multitask import ROWS

TASKS, SEEDS = ("a", "b", "c", "d"), (1, 2)
GROUPS = {"a": "a+c", "c": "a+c", "b": "b", "d": "d"}
CONFIG = {
    "multitask": "leave_one_out", "union": {"average_seeds": False, "source_epochs": 10}, "init": {"epochs": 5},
    "protocols": ["frozen"], "settings": {"coop": {"epochs": 30}},
}  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    joint = pd.DataFrame(
        {
            "method": "coop", "source": source, "adaptation": adaptation, "task": task, "seed": seed,
            "group": GROUPS[task] if adaptation == "joint" else task, "classes": "own", "shots": 4, "score": rng.random(),
            "backbone": "mini", "metric": "accuracy",
        }
        for source, adaptation, task, seed in itertools.product(("scratch", "multitask"), ("single", "joint"), TASKS, SEEDS)
    )  # fmt: skip
    transfer = pd.DataFrame(
        {"method": method, "protocol": protocol, "source": source, "target": task, "seed": seed, "shots": 4, "score": rng.random()}
        for method, protocol, source, task, seed in itertools.product(("coop", "vpt"), ("frozen", "init"), ("multitask", "a"), TASKS, SEEDS)
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
    html = page.section(records, {"a": "Task <A>"}, CONFIG).html()
    assert "2 of 4 tasks share a prompt with others: Task &lt;A&gt;, c." in html
    assert all(way_title(one["method"]) in html for one in records[0]["methods"])
    assert way_title("multitask frozen") == "a prompt of other tasks as it is" and way_title("single") == "its own, from scratch"


def rows_of(html: str) -> list[tuple[str, list[str]]]:
    """Name and cells of every row of the table by task."""
    (table,) = re.findall(r"<h3>By task</h3>.*?<tbody>(.*?)</tbody>", html, re.S)
    rows = re.findall(r'<tr(?: class="quiet")?><th scope="row">(.*?)</th>(.*?)</tr>', table)
    return [(name, re.findall(r'<td class="n">(.*?)</td>', cells)) for name, cells in rows]


def test_the_table_by_task_has_the_layout_of_mvlpts_table_2(tables):
    """Rows are start and adaptation, columns tasks and their average, each with the deviation over seeds."""
    joint, transfer = tables
    records = plain(compare_joint(joint, transfer, ("multitask",)))
    html = page.section(records, {}, CONFIG).html()
    assert re.findall(r'<th class="n" scope="col">(\w+)</th>', html.split("<h3>By task</h3>")[1]) == [*TASKS, "Average"]
    ways = [("scratch", "single"), ("scratch", "joint"), ("multitask", "single"), ("multitask", "joint")]
    found = rows_of(html)
    assert [name for name, _ in found[:4]] == [
        "its own, from scratch", "its group’s, from scratch",
        "its own, from a prompt of other tasks", "its group’s, from a prompt of other tasks",
    ]  # fmt: skip
    assert found[4][0] == "a prompt of other tasks as it is" and len(found) == 5
    for (source, adaptation), (_, cells) in zip(ways, found, strict=False):
        scores = joint[(joint["source"] == source) & (joint["adaptation"] == adaptation)].pivot(
            index="seed", columns="task", values="score"
        )
        both = [*scores.items(), ("average", scores.mean(axis=1))]
        assert cells == [f"{100 * own.mean():.2f} ± {100 * abs(own[1] - own[2]) / 2**0.5:.2f}" for _, own in both]


def test_one_seed_has_no_deviation_and_a_hole_says_so(tables):
    joint, transfer = tables
    joint = joint[joint["seed"] == 1].copy()
    joint.loc[(joint["task"] == "b") & (joint["source"] == "multitask"), "score"] = np.nan
    found = dict(rows_of(page.section(plain(compare_joint(joint, transfer[transfer["seed"] == 1], ("multitask",))), {}, CONFIG).html()))
    assert "failed" in found["its own, from a prompt of other tasks"][1] and "±" not in "".join(found["its own, from scratch"])
    rest = joint[(joint["source"] == "scratch") & (joint["adaptation"] == "single") & (joint["task"] != "b")]
    assert found["its own, from scratch"][-1] == f"{100 * rest['score'].mean():.2f}"


def test_the_printed_table_is_mvlpts_whose_rows_give_their_averages():
    """Averages as the paper prints them; each is the mean of its row to the last digit."""
    printed = published.table2()
    assert len(printed) == 9 * 21 and set(printed["source"]) == {"scratch", "multitask_all_averaged"} <= {"scratch", *ROWS}
    averages = printed[printed["task"] == "average"].set_index(["method", "source", "adaptation"])
    assert averages["score"].to_dict() == pytest.approx({
        ("coop", "scratch", "single"): 0.7167, ("vpt", "scratch", "single"): 0.7232, ("upt", "scratch", "single"): 0.7240,
        ("coop", "scratch", "joint"): 0.7253, ("vpt", "scratch", "joint"): 0.7307, ("upt", "scratch", "joint"): 0.7321,
        ("coop", "multitask_all_averaged", "joint"): 0.7239, ("vpt", "multitask_all_averaged", "joint"): 0.7413,
        ("upt", "multitask_all_averaged", "joint"): 0.7339,
    })  # fmt: skip
    rows = printed[printed["task"] != "average"].groupby(["method", "source", "adaptation"])["score"]
    assert (rows.count() == 20).all() and (rows.mean() - averages["score"]).abs().max() <= 0.00005 + 1e-9
    cell = printed.set_index(["method", "source", "adaptation", "task"])["score"]
    assert cell["upt", "scratch", "single", "voc-2007-classification"] == pytest.approx(0.8120)
    assert averages["deviation"]["vpt", "multitask_all_averaged", "joint"] == pytest.approx(0.003)


def elevater(tables, backbone="ViT-B-16-quickgelu/openai", shots=20, names=None):
    """The table `joint` of ELEVATER tasks, with the catalogue's metrics where they differ from the paper's."""
    names = names or list(dict.fromkeys(published.table2()["task"]))[:-1]
    own = {"hateful-memes": "roc_auc", "voc-2007-classification": "map_11_point", "caltech-101": "mean_per_class"}
    joint = tables[0].assign(backbone=backbone, shots=shots)
    one = joint[joint["task"] == "a"].assign(group="")
    return pd.concat([one.assign(task=name, metric=own.get(name, "accuracy")) for name in names])


def test_printed_rows_stand_beside_the_same_weights_and_shots_only(tables):
    (same,) = compare_joint(elevater(tables), tables[1], ())
    assert same["published"]["other_metric"]["hateful-memes"] == ["roc_auc", "accuracy"]
    other = set(same["published"]["other_metric"])
    assert {"voc-2007-classification", "hateful-memes"} <= other and "caltech-101" not in other
    ways = {one["method"]: one for one in same["published"]["ways"]}
    assert set(ways) == {"single", "joint", "multitask_all_averaged joint"} and ways["single"]["mean"] == 0.7167
    assert ways["single"]["deviation"] == pytest.approx(0.002) and ways["joint"]["by_task"]["hateful-memes"] == pytest.approx(0.584)
    for changed in ({"backbone": "ViT-B-32/openai"}, {"shots": 16}, {"names": ["shapes", "colors"]}):
        assert compare_joint(elevater(tables, **changed), tables[1], ())[0]["published"] is None


def test_of_some_of_the_tasks_the_printed_average_is_that_of_these(tables):
    (part,) = compare_joint(elevater(tables, names=["mnist", "gtsrb"]), tables[1], ())
    single = part["published"]["ways"][0]
    assert single["mean"] == pytest.approx((0.9144 + 0.7387) / 2) and np.isnan(single["deviation"]) and len(single["by_task"]) == 2
    html = page.section(plain([part]), {}, CONFIG | {"multitask": None}).html()
    assert f"<sup>†</sup>{100 * single['mean']:.2f}" in html and "not itself published" in html and "nan" not in html
    (more,) = compare_joint(elevater(tables, names=["mnist", "shapes"]), tables[1], ())
    assert np.isnan(more["published"]["ways"][0]["mean"]) and set(more["published"]["ways"][0]["by_task"]) == {"mnist"}


def test_the_page_marks_printed_rows_and_names_what_cannot_be_compared(tables):
    records = plain(compare_joint(elevater(tables), tables[1], ()))
    html = page.section(records, {"hateful-memes": "Hateful Memes"}, CONFIG | {"multitask": None}).html()
    found = rows_of(html)
    by = "(Shen et al. 2024 (MVLPT), Table 2)"
    printed = {name: cells for name, cells in found if by in name}
    assert all(name.startswith("published: ") for name in printed) and len(printed) == 3
    assert printed[f"published: its own, from scratch {by}"][-1] == "71.67 ± 0.20" and "not itself published" not in html
    assert "Hateful Memes (ROC AUC here, accuracy there)" in html and "never enter a measured number" in html
    own = tables[0].set_index(["task", "source", "adaptation"]).sort_index()["score"]
    assert dict(found)["its own, from scratch"][-1].startswith(f"{100 * own['a', 'scratch', 'single'].mean():.2f} ")
    plain_html = page.section(plain(compare_joint(*tables, ())), {}, CONFIG).html()
    assert "published" not in plain_html.lower()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("tuned for 30 epochs, from any start; a prompt of many tasks before that for 10.", "all tasks but those of the group")),
        ({"protocols": ["frozen", "init"]}, ("Protocol init tunes for 5, so its scores are of other prompts",)),
        ({"protocols": ["init"], "init": {"epochs": "method"}}, ("Protocol init tunes for as many", "the same prompt")),
        ({"multitask": None}, ("tuned for 30 epochs, from any start.",)),
        ({"multitask": ["e", "f"]}, ("The source tasks, which are no targets here: Task E, f.",)),
        (
            {"multitask": "all", "union": {"average_seeds": True, "source_epochs": "method"}},
            ("mean of the prompts of all seeds", "for 30."),
        ),
    ],
)
def test_the_section_says_what_each_prompt_was_tuned_on_and_how_long(tables, changes, words):
    html = page.section(plain(compare_joint(*tables, ())), {"e": "Task E"}, CONFIG | changes).html()
    assert all(word in html for word in words)
    assert ("all tasks but those of the group" in html) == (changes.get("multitask", "leave_one_out") == "leave_one_out")


def test_every_row_of_shared_prompts_has_a_name_of_its_own():
    titles = {way_title(f"{row} {how}") for row in ROWS for how in ("single", "joint", "frozen")}
    assert len(titles) == 3 * len(ROWS)

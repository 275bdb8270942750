"""Tasks of the graph can be moved, by pointer, finger and keys; where they stand is kept, saved, and undone."""

import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest

from browser import CONFIG, needs_browser
from promptatlas.analysis import statistics
from promptatlas.report import page
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

SVG = "{http://www.w3.org/2000/svg}"
TASKS = 6
# Where tasks and the ends of arrows are, from the upper left of the drawing.
PLACES = """() => { const box = document.querySelector("#graph svg").getBoundingClientRect();
  return Object.fromEntries([...document.querySelectorAll("#graph .node")].map(one => {
    const dot = one.querySelector(".dot").getBoundingClientRect();
    return [one.dataset.node, [dot.x + dot.width / 2 - box.x, dot.y + dot.height / 2 - box.y]]; })); }"""
ENDS = """() => { const box = document.querySelector("#graph svg").getBoundingClientRect();
  return [...document.querySelectorAll("#graph .arrow")].map(one => {
    const at = ({x, y}) => { const p = new DOMPoint(x, y).matrixTransform(one.getScreenCTM()); return [p.x - box.x, p.y - box.y]; };
    return [...arrowPair(one, shown()), at(one.getPointAtLength(0)), at(one.getPointAtLength(one.getTotalLength()))]; }); }"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    transfer, tasks, similarity = transfer_table(TASKS), tasks_table(TASKS), similarity_table(TASKS)
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, table, tasks)
    where = tmp_path_factory.mktemp("places") / "report.html"
    page.write({"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(TASKS)}, CONFIG, [], where, summary)
    return where


def graph(show, path, address="", **how):
    shown = show(path, f"#panel=graph&threshold=0&view=gain_points{address}", reduced_motion="reduce", **how)
    shown.evaluate("document.querySelector('#graph svg').scrollIntoView({block: 'center'})")
    return shown


def in_window(shown, place) -> tuple[float, float]:
    box = shown.locator("#graph svg").bounding_box()
    return box["x"] + place[0], box["y"] + place[1]


def drag(shown, name: str, by: tuple[int, int]) -> None:
    x, y = in_window(shown, shown.evaluate(PLACES)[name])
    shown.mouse.move(x, y)
    shown.mouse.down()
    shown.mouse.move(x + by[0] / 2, y + by[1] / 2)
    shown.mouse.move(x + by[0], y + by[1])
    shown.mouse.up()


def arrows_meet_their_tasks(shown, scale: float) -> bool:
    """Whether each arrow begins and ends beside its tasks: 7 and 10 px of the drawing from their middles."""
    places = {name: np.array(place) for name, place in shown.evaluate(PLACES).items()}
    far = [
        (np.linalg.norm(np.array(start) - places[source]), np.linalg.norm(np.array(end) - places[target]))
        for source, target, start, end in shown.evaluate(ENDS)
    ]
    assert len(far) == TASKS * (TASKS - 1)
    return bool(np.allclose(np.array(far) / scale, [7, 10], atol=0.3))


SCALE = "() => { const svg = document.querySelector('#graph svg'); return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; }"


@needs_browser
def test_a_dragged_task_stays_where_it_is_put_with_its_arrows_until_it_is_put_back(path, show):
    shown = graph(show, path)
    before, scale = shown.evaluate(PLACES), shown.evaluate(SCALE)
    assert arrows_meet_their_tasks(shown, scale) and shown.locator("#on-circle").is_hidden()
    drag(shown, "task_02", (-60, 30))
    after = shown.evaluate(PLACES)
    assert after["task_02"] == pytest.approx([before["task_02"][0] - 60, before["task_02"][1] + 30], abs=1.5)
    assert {name: after[name] for name in before if name != "task_02"} == {name: before[name] for name in before if name != "task_02"}
    assert arrows_meet_their_tasks(shown, scale)
    assert shown.evaluate("state.node") is None, "the end of a drag is no press"
    shown.locator('#graph [data-node="task_04"]').click()
    assert shown.evaluate("state.node") == "task_04", "a press without a way is no drag"
    shown.evaluate("set({sign: 'more', order: 'name'})")  # drawn anew
    assert shown.evaluate(PLACES)["task_02"] == pytest.approx(after["task_02"], abs=1.5)
    shown.evaluate("set({sign: 'both', order: 'similar'})")
    again = graph(show, path, "".join(re.findall(r"&moved=[^&]+", shown.url)))
    assert again.evaluate("movedTasks()") == shown.evaluate("movedTasks()") != {}
    shown.locator("#on-circle").click()
    back = shown.evaluate(PLACES)
    assert all(back[name] == pytest.approx(before[name], abs=0.2) for name in before) and shown.locator("#on-circle").is_hidden()
    assert "moved" not in shown.url and shown.evaluate("document.activeElement.id") == "few-arrows"
    shown.go_back()
    shown.wait_for_function("state.moved")
    assert shown.evaluate(PLACES)["task_02"] == pytest.approx(after["task_02"], abs=1.5)


@needs_browser
def test_keys_with_shift_move_the_task_that_has_the_focus_and_keys_alone_go_on(path, show):
    shown = graph(show, path)
    before = shown.evaluate(PLACES)
    first, second = (shown.evaluate(f"shown().columns[{place}]") for place in (0, 1))
    shown.locator("#graph .node").first.focus()
    for key in ("Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowRight"):
        shown.keyboard.press(key)
    moved, scale = shown.evaluate(PLACES)[first], shown.evaluate(SCALE)
    assert moved == pytest.approx([before[first][0] + 10 * scale, before[first][1] + 20 * scale], abs=2.5)
    assert shown.evaluate("document.activeElement.dataset.node") == first
    shown.keyboard.press("ArrowRight")
    assert shown.evaluate("document.activeElement.dataset.node") == second and shown.evaluate(PLACES)[first] == moved
    for _ in range(80):
        shown.keyboard.press("Shift+ArrowRight")
    node = shown.locator(f'#graph [data-node="{second}"]').bounding_box()
    box = shown.locator("#graph svg").bounding_box()
    assert node["x"] >= box["x"] and node["x"] + node["width"] <= box["x"] + box["width"] + 1, "the task and its name stay in the drawing"


@needs_browser
def test_a_finger_drags_and_a_double_click_puts_the_lit_task(path, show):
    shown = graph(show, path, "&node=task_05", width=700, has_touch=True)
    before = shown.evaluate(PLACES)
    x, y = in_window(shown, before["task_03"])
    inside = shown.context.new_cdp_session(shown)
    for kind, points in (
        ("touchStart", [(x, y)]), ("touchMove", [(x + 10, y - 10)]), ("touchMove", [(x + 40, y - 30)]), ("touchEnd", []),
    ):  # fmt: skip
        inside.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})
    shown.wait_for_function("state.moved")
    after = shown.evaluate(PLACES)
    assert after["task_03"] == pytest.approx([before["task_03"][0] + 40, before["task_03"][1] - 30], abs=2)
    assert after["task_01"] == before["task_01"] and in_window(shown, before["task_03"]) == (x, y), "the page did not scroll"
    shown.evaluate("set({threshold: 1e6})")
    box = shown.locator("#graph svg").bounding_box()
    spot = box["width"] / 2 + 20, box["height"] / 2 - 15
    shown.mouse.dblclick(*in_window(shown, spot))
    assert shown.evaluate(PLACES)["task_05"] == pytest.approx(spot, abs=2)


@needs_browser
def test_the_saved_graph_has_tasks_where_they_stand_and_says_which_arrows_it_has(path, show):
    shown = graph(show, path, "&moved=task_01:10:-20,nonsense:1:2,task_02:x:1&sign=more")
    assert shown.evaluate("movedTasks()") == {"task_01": [10, -20]}
    root = xml.fromstring(shown.evaluate("svgSource(inLight(() => plotFigure(document.querySelector('#graph svg'))))"))
    radius = 110 + 2.7 * TASKS
    nodes = {one.get("data-node"): one.get("transform") for one in root.iter(f"{SVG}g") if one.get("data-node")}
    assert len(nodes) == TASKS and nodes["task_01"] == f"translate({radius / 10:.1f} {-radius / 5:.1f})"
    texts = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    shown.evaluate("set({sign: 'less', threshold: 4})")
    words = shown.evaluate("graphShown.words")
    drawn = shown.locator("#graph .arrow.less").count()
    below = shown.evaluate(
        "shown().columns.flatMap(a => shown().columns.map(b => a === b ? 0 : shown().value(a, b))).filter(one => one < 0).length"
    )
    assert words == f"{drawn} of {below} arrows: those at least 4.0 points below 0." and 0 < drawn < below
    assert "points above 0." in texts and shown.locator("#graph .arrow.more").count() == 0

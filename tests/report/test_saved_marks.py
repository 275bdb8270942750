"""Saved figures have the marks that the page has, drawn, and with what they mean; held against the tables they come from."""

import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest

from browser import CONFIG, needs_browser
from made_up_answers import columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.report import page
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {"below": "l7 7z", "disagree": "h3v7h-3z", "leading": "h17v2h-17z"}  # how the paths of marks end
WORDS = {
    "below": "no better than always the largest class", "unsure": "may be no different from zero-shot",
    "disagree": "seeds disagree on the sign", "leading": "may be the best source of its column", "shared": "the two tasks share images",
}  # fmt: skip
SHARED = {
    "source": "task_01",
    "target": "task_03",
    "shared": 3,
    "tested": 1,
    "n_test": 500,
    "source_is_whole": True,
    "target_is_whole": True,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    transfer, similarity = transfer_table(5), similarity_table(5)
    tasks = tasks_table(5).assign(largest_class=0.55)
    table = pairs(columns(transfer))
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, found, tasks, pairs=table) | {"shared_images": [SHARED]}
    path = tmp_path_factory.mktemp("marks") / "report.html"
    gone = transfer[~((transfer["source"] == "task_02") & (transfer["target"] == "task_04"))]
    tables = {"transfer": gone, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(5), "pairs": table}
    page.write(tables, CONFIG, [], path, summary)
    return transfer, tasks, table, path


def drawn(root) -> tuple[dict[tuple[str, str], set[str]], dict]:
    """The kinds of marks of each cell by the titles of its tasks, and the cells' squares."""
    parents = {child: parent for parent in root.iter() for child in parent}
    marks, squares = {}, {}
    for rect in root.iter(f"{SVG}rect"):
        hint = rect.find(f"{SVG}title")
        if hint is None:
            continue
        pair = tuple(re.match(r"(.*) \u2192 (.*?): ", hint.text).groups())
        around = list(parents[rect])
        after = around[around.index(rect) + 1] if around.index(rect) + 1 < len(around) else None
        here = list(after) if after is not None and after.get("class") == "marks" else []
        circles = {"unsure" if one.get("fill") == "none" else "shared" for one in here if one.tag == f"{SVG}circle"}
        paths = {kind for one in here for kind, end in SHAPES.items() if one.get("d", "").endswith(end)}
        marks[pair], squares[pair] = circles | paths, rect
        assert len(circles | paths) == len(here)
    return marks, squares


@needs_browser
def test_the_figure_has_the_marks_of_the_page_and_says_what_they_mean(written, show):
    transfer, tasks, table, path = written
    page_ = show(path, "#method=coop&view=gain_points&order=name", color_scheme="dark")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(matrixFigure))"))
    marks, squares = drawn(root)
    on_page = page_.evaluate("""() => grid.rows.flatMap((source, line) => grid.columns.map((target, column) =>
        [lineTitle(source), lineTitle(target), [...grid.cells[line][column].classList]]))""")
    assert len(on_page) == len(marks) == 5 * 8 and page_.evaluate("isDark()")
    for source, target, classes in on_page:
        assert marks[source, target] == set(classes) & set(WORDS), (source, target)
        assert (squares[source, target].get("stroke") is not None) == ("own" in classes)
    own = table[table["method"] == "coop"]
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    unsure = own[(own["low"] <= 0) & (own["high"] >= 0)]
    known = {(titles.get(row.source), titles.get(row.target)) for row in unsure.itertuples() if row.source in titles}
    found = {pair for pair, kinds in marks.items() if "unsure" in kinds and pair[0] in titles.values()}
    assert found == known - {("Task 2", "Task 4")} and known
    scores = transfer[(transfer["method"] == "coop") & transfer["source"].isin(titles)]
    above = np.sign(scores["score"] - scores["target"].map(tasks.set_index("task")["zero_shot"]))
    sides = above.groupby([scores["source"].map(titles), scores["target"].map(titles)]).agg(["min", "max"])
    mixed = {pair for pair, row in sides.iterrows() if row["min"] < 0 < row["max"]}
    assert {pair for pair, kinds in marks.items() if "disagree" in kinds and pair in sides.index} == mixed - {
        ("Task 2", "Task 4")
    } and mixed
    assert [pair for pair, kinds in marks.items() if "shared" in kinds] == [("Task 1", "Task 3")]
    texts = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    kinds = set().union(*marks.values())
    assert kinds == set(WORDS), "every mark is tried"
    assert [kind for kind, words in WORDS.items() if words in texts] == [*WORDS]
    assert {"own prompt", "not measured"} <= {*texts}
    hole = squares["Task 2", "Task 4"]
    assert hole.get("fill") == "url(#hatched)" and sum(one.get("fill") == "url(#hatched)" for one in squares.values()) == 1


@needs_browser
def test_the_legend_has_no_word_of_marks_that_no_cell_has(written, show):
    page_ = show(written[3], "#method=coop&view=gain_points&compare=method:vpt")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(matrixFigure))"))
    texts = {"".join(one.itertext()) for one in root.iter(f"{SVG}text")}
    marks, squares = drawn(root)
    assert set().union(*marks.values()) == {"shared"} and texts & {*WORDS.values()} == {WORDS["shared"]}
    page_.evaluate("set({compare: null, view: 'relationship'})")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(matrixFigure))"))
    _, squares = drawn(root)
    own = [square for (source, target), square in squares.items() if source == target]
    assert len(own) == 5 and {square.get("fill") for square in own} == {"#eef0f2"}, "not defined is not the same as not measured"


@needs_browser
def test_cells_that_are_faded_on_the_page_are_faded_in_the_figure_and_counted(written, show):
    _, _, table, path = written
    page_ = show(path, "#method=coop&view=gain_points&clear=on")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(matrixFigure))"))
    faded = {
        tuple(re.match(r"(.*) \u2192 (.*?): ", hint.text).groups())
        for group in root.iter(f"{SVG}g") if group.get("opacity")
        for hint in group.iter(f"{SVG}title")
    }  # fmt: skip
    on_page = page_.evaluate("""() => grid.rows.flatMap((source, line) => grid.columns.map((target, column) =>
        [lineTitle(source), lineTitle(target), grid.cells[line][column].classList.contains("unclear")]))""")
    assert faded == {(source, target) for source, target, unclear in on_page if unclear} and 0 < len(faded) < 40
    texts = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    own = table[
        (table["method"] == "coop") & (table["kind"] == "pair") & ~table[["source", "target"]].eq(["task_02", "task_04"]).all(axis=1)
    ]
    clear = ((own["low"] > 0) | (own["high"] < 0)).sum()
    assert f"Clear are {clear} of 19 pairs of different tasks" in texts


@needs_browser
def test_dots_of_the_scatter_are_circles_where_the_page_has_them_and_colours_are_told(written, show):
    page_ = show(written[3], "#method=coop&view=gain_points&panel=scatter&measure=vis_frechet&coloured=target:task_03", color_scheme="dark")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(() => plotFigure(document.querySelector('.scatter > svg'))))"))
    groups = [group for group in root.iter(f"{SVG}g") if group.get("opacity") and group.findall(f"{SVG}circle")]
    dots = [(float(one.get("cx")), float(one.get("cy"))) for group in groups for one in group]
    places = page_.evaluate("""() => { const dots = scatterDots(shown(), nearness());
        const {width, height, left, right, top, bottom} = PLOT;
        const x = linear(...axisEnds(dots.map(one => one.x)), left, width - right);
        const y = linear(...axisEnds(dots.map(one => one.y)), height - bottom, top);
        return dots.map(one => [x(one.x), y(one.y)]); }""")
    assert len(dots) == len(places) == 19 and sorted(dots) == [pytest.approx(place, abs=0.006) for place in sorted(places)]
    light = {"--accent": "#1f6fb2", "--faint": "#8a949d"}
    assert [group.get("fill") for group in groups] == [light["--faint"], light["--accent"]]
    texts = {"".join(one.itertext()) for one in root.iter(f"{SVG}text")}
    assert {"other targets", "target Task 3"} <= texts and root.find(f".//{SVG}image") is None


@needs_browser
def test_very_many_dots_are_an_image_in_light_colours_and_the_figure_says_so(written, show):
    page_ = show(written[3], "#method=coop&view=gain_points&panel=scatter", color_scheme="dark")
    page_.evaluate("savedDots.count = MOST_CIRCLES + 1")
    root = xml.fromstring(page_.evaluate("svgSource(inLight(() => plotFigure(document.querySelector('.scatter > svg'))))"))
    image = root.find(f".//{SVG}image").get("href")
    assert image.startswith("data:image/png;base64,")
    texts = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    assert "The 10,001 dots are an image" in texts
    inside = """async href => { const image = new Image(); image.src = href; await image.decode();
        const canvas = element("canvas", {width: image.width, height: image.height}), context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        const bytes = context.getImageData(0, 0, image.width, image.height).data, found = new Set();
        for (let at = 0; at < bytes.length; at += 4)
          if (bytes[at + 3] > 150) found.add([...bytes.slice(at, at + 3)].map(one => Math.round(one / 4)).join());
        return [image.width, [...found]]; }"""
    width, colours = page_.evaluate(inside, image)
    assert width == 2 * 560 and any(
        np.allclose([4 * int(one) for one in colour.split(",")], [0x1F, 0x6F, 0xB2], atol=6) for colour in colours
    ), "the accent of a light page"

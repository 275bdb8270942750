"""What the page saves: figures that stand alone and tables for other programs, compared with the tables of the study."""

import csv
import io
import re
import xml.etree.ElementTree as xml

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from browser import needs_browser
from hostile_names import LONG, NAMES, hostile_study, study_page, titles
from promptatlas.analysis.statistics.matrices import collect

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return study_page(tmp_path_factory.mktemp("saved") / "report.html")


@pytest.fixture(scope="module")
def scores():
    tables, _, _ = hostile_study()
    return next(one for one in collect(tables["transfer"], tables["tasks"]) if one.method == "vpt")


def saved(page, group: str, kind: str):
    """The file behind a button: its name and content."""
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("group", name=f"Save {group}").get_by_role("button", name=kind).first.click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


@needs_browser
def test_the_csv_of_the_matrix_has_its_values_in_full(path, show, scores):
    page = show(path, "#method=vpt&view=raw&order=name")
    name, content = saved(page, "The matrix, table", "CSV")
    assert name == "mini-frozen-vpt-raw-matrix.csv"
    table = pd.read_csv(io.BytesIO(content), index_col="source")
    assert [*table.columns] == [*table.index[:12]] == page.evaluate("ordered()")
    means = np.ma.masked_invalid(scores.score).mean(axis=0).filled(np.nan)  # of no score there is none
    expected = pd.DataFrame(means, scores.tasks, scores.tasks)
    found = table.loc[[*scores.tasks], [*scores.tasks]]
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4, nan_ok=True)
    assert [*table.index[12:]] == ["scratch", "template"] and np.isnan(found.loc["task_01", "task_02"])


def markdown_cells(text: str) -> list[list[str]]:
    """Rows of a table in Markdown, marks without their backslashes."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell.strip()) for cell in row] for row in [rows[0], *rows[2:]]]


PLAIN = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textbar{}": "|", r"\textless{}": "<"}
PLAIN |= {r"\textgreater{}": ">", "$-$": "\u2212", **{"\\" + mark: mark for mark in "{}&%$#_"}}


def latex_cells(text: str) -> list[list[str]]:
    """Rows of a table in LaTeX as the reader sees them."""
    body = text.partition(r"\hline")[2].rpartition(r"\hline")[0].replace("\\hline\n", "")
    marks = re.compile("|".join(map(re.escape, sorted(PLAIN, key=len, reverse=True))))
    rows = [re.split(r"(?<!\\) & ", line) for line in body.strip().split(" \\\\\n")]
    return [[marks.sub(lambda mark: PLAIN[mark[0]], cell.removeprefix("{}")).removesuffix(" \\\\") for cell in row] for row in rows]


@needs_browser
def test_markdown_and_latex_have_every_name_and_number_as_shown(path, show):
    page = show(path, "#method=vpt&view=gain_points")
    shown = page.evaluate("""() => {
        const now = shown();
        const cell = pair => (isNumber(now.value(...pair)) ? viewText(now.value(...pair)) : now.words(...pair));
        const rows = now.rows.map(row => [lineTitle(row), ...now.columns.map(column => cell([row, column]))]);
        return [["source \\\\ target", ...now.columns.map(lineTitle)], ...rows];
    }""")
    assert {*titles(12)} < {row[0] for row in shown} and any("failed" in row for row in shown) and any("missing" in row for row in shown)
    name, content = saved(page, "The matrix, table", "Markdown")
    text = content.decode()
    assert name == "mini-frozen-vpt-gain_points-matrix.md" and markdown_cells(text) == shown
    assert text.startswith("**VPT: Gain over zero-shot") and "Study mini, protocol frozen" in text
    name, content = saved(page, "The matrix, table", "LaTeX")
    text = content.decode()
    assert name == "mini-frozen-vpt-gain_points-matrix.tex" and latex_cells(text) == shown
    assert text.startswith("% Has letters that pdfLaTeX does not know") and r"\caption{VPT: Gain over zero-shot" in text
    spec = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    assert spec == "l" + 12 * "r"


@needs_browser
def test_latex_is_balanced_and_no_mark_of_a_name_is_left_to_mean_something(path, show):
    page = show(path)
    names = [*NAMES, "*a", "[b]"]
    give = "names => asLatex({title: 'T & 5 %', notes: '', head: ['a', 'b'], rows: names.map(name => [name, 1])})"
    table = page.evaluate(give, names)
    rows = table.partition("\\hline")[2].rpartition("\\hline")[0].replace("\\hline\n", "")
    left = re.sub(r"^\{\}", "", re.sub(r"\\[a-z]+\{\}|\\[{}&%$#_]|\$-\$", "", rows), flags=re.M)
    assert not re.search(r"[$#_%~^{}]", left) and left.count(" & ") == left.count(" \\\\\n") == len(names) + 1
    assert "\n{}*a &" in table and "\n{}[b] &" in table and r"\caption{T \& 5 \%.}" in table


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_figure_stands_alone_in_light_colours_with_text_as_text(path, show, scheme):
    page = show(path, "#method=vpt&view=gain_points", color_scheme=scheme)
    name, content = saved(page, "The matrix, figure", "SVG")
    assert name == "mini-frozen-vpt-gain_points-matrix.svg" and page.evaluate("isDark()") == (scheme == "dark")
    root = xml.fromstring(content)
    texts = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    assert root.find(f"{SVG}title").text.startswith("VPT: Gain over zero-shot (points). Study mini, protocol frozen")
    assert "VPT: Gain over zero-shot (points)" in texts and any("points; 0 = zero-shot" in one for one in texts)
    assert any("Mean over 3 seeds (1, 2, 3)" in one for one in texts) and sum(one.startswith(("\u2264 ", "\u2265 ")) for one in texts) == 2
    labels = {one for one in titles(12) if len(one) <= 60}
    assert all(texts.count(one) == 2 for one in labels) and f"{LONG[:36]}\u2026{LONG[-23:]}" in texts
    expected = page.evaluate(
        "shown().rows.flatMap(row => shown().columns.map(column => viewText(shown().value(row, column)))).filter(Boolean)"
    )
    assert [one for one in texts if re.fullmatch(r"[+\u2212]?\d+", one)] == expected
    rects = list(root.iter(f"{SVG}rect"))
    assert (rects[0].get("fill"), rects[0].get("width")) == ("#ffffff", root.get("width"))
    hints = {one.find(f"{SVG}title").text: one for one in rects if one.find(f"{SVG}title") is not None}
    assert len(hints) == 12 * 14 and sum(one.get("fill") == "url(#hatched)" for one in hints.values()) == 2
    zero = next(one for hint, one in hints.items() if hint.startswith("zero-shot (hand-written)"))
    assert [int(one) for one in re.findall(r"\d+", zero.get("fill"))] == pytest.approx([247] * 3, abs=1), "the middle of the light colours"
    assert b"<script" not in content and b"var(--" not in content


@needs_browser
def test_the_figure_does_not_depend_on_the_window(path, show):
    drawn = [show(path, width=width).evaluate("svgSource(inLight(matrixFigure))") for width in (360, 1400)]
    assert drawn[0] == drawn[1]


@needs_browser
def test_png_has_twice_the_pixels_and_pdf_one_page_of_the_size_of_the_figure(path, show, tmp_path):
    page = show(path, color_scheme="dark")
    _, content = saved(page, "The matrix, figure", "SVG")
    width, height = (float(xml.fromstring(content).get(side)) for side in ("width", "height"))
    name, content = saved(page, "The matrix, figure", "PNG")
    image = Image.open(io.BytesIO(content)).convert("RGB")
    assert name.endswith("-matrix.png") and image.size == (int(2 * int(width)), int(2 * int(height)))
    assert image.getpixel((0, 0)) == (255, 255, 255) and len(image.getcolors(1 << 24)) > 50
    alone = page.context.new_page()
    alone.set_content(page.evaluate("printDocument(inLight(matrixFigure), 'a <name>')"))
    assert alone.title() == "a name>"
    printed = alone.pdf(prefer_css_page_size=True)
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert len(re.findall(rb"/Type /Page\b", printed)) == 1 and b"/Font" in printed
    assert [float(side) for side in box.groups()] == pytest.approx([0.75 * width, 0.75 * height], abs=1.5)


@needs_browser
def test_every_drawing_and_table_of_the_page_is_offered_and_whole(path, show):
    page = show(path, "#source=task_03&target=task_00", color_scheme="dark")
    found = page.evaluate("""() => [...document.querySelectorAll("main > section[id]")].map(section => {
        const all = which => [...section.querySelectorAll(which)].filter(one => !one.closest(".save, [hidden]"));
        const more = section.id === "matrix" ? 2 : 0;
        return [section.id, saveLines(section).length - more, all(SAVED_PLOTS).length, all(SAVED_TABLES).length];
    })""")
    assert all(lines == plots + tables for _, lines, plots, tables in found) and sum(one[2] for one in found) >= 5
    assert sum(one[3] for one in found) >= 8
    figures = page.evaluate("[...document.querySelectorAll('main svg[role]')].map(one => svgSource(inLight(() => plotFigure(one))))")
    for source in figures:
        root = xml.fromstring(source)
        assert (
            "Arrow keys" not in source
            and root.find(f"{SVG}title").text
            and len(list(root.iter(f"{SVG}text"))) > 3
            and "var(--" not in source
        )
    tables = page.evaluate(
        "[...document.querySelectorAll('main table:not([role=grid])')].map(readTable).map(one => [one.head, one.rows, asCsv(one)])"
    )
    for head, rows, text in tables:
        lines = list(csv.reader(io.StringIO(text)))
        assert len(lines) == len(rows) + 1 and {len(line) for line in lines} == {len(head)}
        assert all("\u2212" not in cell for line in lines for cell in line)


@needs_browser
def test_files_are_called_by_what_is_in_them(path, show):
    page = show(path, "#method=vpt&view=raw&seeds=1,3")
    assert page.evaluate("fileName('matrix', 'csv')") == "mini-frozen-vpt-raw-seeds_1+3-matrix.csv"
    page.evaluate("set({seeds: null, baseline: 'own', compare: 'method:coop', view: 'gain_points'})")
    assert page.evaluate("fileName('matrix', 'csv')") == "mini-frozen-vpt-gain_points-over_own-less_method_coop-matrix.csv"
    page.evaluate("set({seeds: '1,3', baseline: null, compare: null, view: 'raw'})")
    assert page.evaluate("fileName('a/b: \u65e5\u672c <c>', 'svg')") == "mini-frozen-vpt-raw-seeds_1+3-a_b_\u65e5\u672c_c.svg"


@needs_browser
def test_no_line_of_a_figure_is_wider_than_the_figure(path, show):
    page = show(path)
    for panel in ("matrix", "graph", "scatter"):
        page.evaluate("panel => set({panel})", panel)
        lines = page.evaluate(
            """panel => {
            const plot = () => plotFigure(document.querySelector(`#pane-${panel} svg:is([role], .scatter > svg)`));
            const svg = inLight(panel === "matrix" ? matrixFigure : plot);
            document.body.append(svg);
            const right = svg.getBoundingClientRect().right;
            const room = one => right - one.getBoundingClientRect().right;
            const lines = [...svg.querySelectorAll(":scope > text")].map(one => [one.textContent, room(one)]);
            svg.remove();
            return lines;
        }""",
            panel,
        )
        title = " ".join(text for text, _ in lines)
        assert len(lines) > 2 and all(room >= 8 for _, room in lines), panel
        assert "Gain over zero-shot" in title and not re.search("Arrow keys|Fold families|as a table", title)

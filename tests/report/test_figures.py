"""Static figures: all there, nothing cut off, the same colours for all methods, missing cells not coloured."""

import re
import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.published import beside
from promptatlas.analysis.statistics.scales import matrix, seed_mean
from promptatlas.analysis.statistics.views import VIEWS, colour_limits, shown
from promptatlas.report import figures
from promptatlas.report.colours import colour_of
from promptatlas.report.figures import lettering, style
from promptatlas.report.figures.matrix import beyond, grid, heatmap
from promptatlas.report.figures.published import side_by_side
from promptatlas.report.figures.relations import correlation_forest
from promptatlas.report.figures.style import STYLE, number
from synthetic_study import elevater_study, similarity_table, tasks_table, transfer_table

N = 6


def study(n=N, **changes):
    transfer, similarity, tasks = transfer_table(n, **changes), similarity_table(n), tasks_table(n)
    return transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=99), tasks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures")
    figures.draw(*study(methods=("coop",)), path)
    return path


def test_a_drawing_that_is_cut_short_leaves_the_old_file(tmp_path, monkeypatch):
    open_before = plt.get_fignums()  # other tests draw in this process
    style.save(plt.figure(), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["a.pdf", "a.png", "a.svg"]

    def half(_, path, **options):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", half)
    with pytest.raises(KeyboardInterrupt):
        style.save(plt.figure(), tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before and plt.get_fignums() == open_before


def test_every_figure_comes_as_svg_png_and_pdf_and_those_of_one_column_apart(folder):
    views = [view for view in VIEWS if view != "over_scratch"]
    names = {f"heatmap-frozen-coop-{view}" for view in views} | {"similarity-frozen", "variance", "correlations"}
    narrow = names - {f"heatmap-frozen-coop-{view}" for view in set(views) - {"gain_points", "relationship", "column_ratio"}}
    for where, here in ((folder, names), (folder / "column", narrow)):
        assert {path.name for path in where.iterdir() if path.is_file()} == {
            f"{name}.{kind}" for name in here for kind in ("svg", "png", "pdf")
        }


def test_figures_have_the_width_of_a_column_or_of_two_and_text_as_text(folder):
    for path in folder.rglob("*.png"):
        pixels, dots = Image.open(path).size, Image.open(path).info["dpi"]
        inches = pixels[0] / dots[0]
        assert dots == pytest.approx((300, 300), rel=1e-3) and inches == pytest.approx(3.5 if path.parent != folder else 7.2, abs=0.01)
        assert pixels[1] / dots[1] <= 9.1, path.name
        drawn = path.with_suffix(".svg").read_text()
        assert (
            "<text" in drawn
            and "DejaVu Sans" in drawn
            and float(re.search(r'width="([0-9.]+)pt"', drawn)[1]) / 72 == pytest.approx(inches, abs=0.01)
        )
        printed = path.with_suffix(".pdf").read_bytes()
        assert b"/FontFile2" in printed and b"/Subtype /Type3" not in printed and b"CreationDate" not in printed


def test_nothing_is_drawn_into_the_margin(folder):
    """A label that is cut off would touch the edge of the image."""
    for path in folder.rglob("*.png"):
        pixels = np.asarray(Image.open(path).convert("L"))
        edge = np.concatenate([pixels[:6].ravel(), pixels[-6:].ravel(), pixels[:, :6].ravel(), pixels[:, -6:].ravel()])
        assert edge.min() == 255, path.name


def test_figures_are_the_same_bytes_each_time(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "VIEWS", ["gain_points"])
    monkeypatch.setattr(figures, "similarity_scatter", lambda *_: None)
    figures.draw(*study(methods=("coop",)), tmp_path)
    for name in ("heatmap-frozen-coop-gain_points.svg", "variance.svg", "column/variance.pdf", "correlations.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_heatmap_shows_the_numbers_and_frames_the_diagonal():
    transfer, _, _, tasks = study()
    scores = collect(transfer, tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "gain_points", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (-30, 30), 7.2)
    axes, rows = drawn.axes[0], drawn.axes[1]
    gain = 100 * (scores.score.mean(axis=0) - scores.zero_shot)
    assert [text.get_text() for text in axes.texts] == [number(value, 0, signed=True) for value in gain.ravel()]
    (framed,) = (one for one in axes.collections if not one.get_facecolor().size)
    assert [tuple(path.vertices[0]) for path in framed.get_paths()] == [(place, place) for place in range(N)]
    assert [label.get_text() for label in rows.get_yticklabels()] == ["untuned prompt", "zero-shot (hand-written)"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [label.get_text() for label in axes.get_xticklabels()]
    plt.close(drawn)


def test_with_protocol_init_the_row_from_scratch_is_a_tuned_prompt():
    transfer, _, _, tasks = study()
    scores = collect(transfer.assign(protocol="init"), tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "gain_points", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (-30, 30), 7.2)
    labels = [label.get_text() for label in drawn.axes[1].get_yticklabels()]
    assert labels == ["tuned from an untrained start", "zero-shot (hand-written)"]
    plt.close(drawn)


def test_a_hole_is_hatched_and_has_no_number():
    transfer, _, _, tasks = study()
    transfer = transfer[~((transfer.source == "task_01") & (transfer.target == "task_04"))]
    scores = collect(transfer, tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "raw", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (0, 1), 7.2)
    hatched = [tuple(path.vertices[0]) for one in drawn.axes[0].collections if one.get_hatch() for path in one.get_paths()]
    assert hatched == [(4, 1)] and len(drawn.axes[0].texts) == N * N - 1
    plt.close(drawn)


def test_a_rounded_zero_has_no_sign():
    assert [number(value, 0, signed=True) for value in (0.2, -0.2, 1.2, -3.0)] == ["0", "0", "+1", "\u22123"]


def test_limits_of_zero_shot_only_are_not_empty():
    transfer, _, _, tasks = study()
    flat = transfer.assign(score=transfer["target"].map(tasks.set_index("task")["zero_shot"]))
    low, high = colour_limits(collect(flat, tasks), "gain_points")
    assert low < 0 < high


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 4])
def test_small_studies_draw_what_they_can(n, tmp_path):
    written = figures.draw(*study(n, methods=("coop",), seeds=(1,)), tmp_path)
    assert written and all(path.exists() for path in written)
    assert ((tmp_path / "similarity-frozen.png") in written) == (n >= 4)


def test_measured_and_published_matrix_are_one_figure(tmp_path, monkeypatch):
    for name in ("heatmap", "similarity_scatter", "variance_bars", "correlation_forest"):
        monkeypatch.setattr(figures, name, lambda *_: None)  # slow, and drawn above
    tables = elevater_study(6, methods=("coop",))
    table = statistics.analyse(tables["transfer"], tables["similarity"], tables["tasks"], permutations=9)
    figures.draw(tables["transfer"], tables["similarity"], table, tables["tasks"], tmp_path)
    with matplotlib.rc_context(STYLE):
        scores = collect(tables["transfer"], tables["tasks"])[0]
        titles = dict(zip(tables["tasks"].task, tables["tasks"].title, strict=True))
        drawn = side_by_side(scores, list(tables["tasks"].task), titles, 7.2)
    pair = beside(scores, list(tables["tasks"].task))
    for axes, values in zip(drawn.axes, (pair.measured, pair.printed), strict=False):
        assert [text.get_text() for text in axes.texts] == [number(100 * value, 0) for value in values.ravel()]
    plt.close(drawn)
    assert (tmp_path / "published-coop.svg").exists()
    pixels = np.asarray(Image.open(tmp_path / "published-coop.png").convert("L"))
    assert min(pixels[:6].min(), pixels[-6:].min(), pixels[:, :6].min(), pixels[:, -6:].min()) == 255


def _matrix(labels, inches, **changes):
    values = np.random.default_rng(0).uniform(-0.3, 0.3, (len(labels), len(labels)))
    given = {"title": "CoOp: " + max(labels, key=len), "axes_words": ("source: the task the prompt was trained on", "target"), "seeds": 3}
    with matplotlib.rc_context(STYLE):
        return grid(
            values, labels, {"zero-shot (hand-written)": values[0]}, VIEWS["perfection_gap"], (-1, 1), inches=inches, **given, **changes
        )


HOSTILE = ["x" * 200, "$x$ \\frac{", "任务" * 40, "😀" * 30, "مهمة " * 30, "two\nlines\x07", "a", "<&>"]


@pytest.mark.parametrize("inches", [3.5, 7.2])
@pytest.mark.parametrize("labels", [HOSTILE, [f"task number {number}" for number in range(20)], ["one"]])
def test_text_is_at_least_7_points_and_within_the_figure(labels, inches):
    drawn = _matrix(labels, inches)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # signs that DejaVu Sans lacks
        drawn.draw_without_rendering()
        boxes = [(text, text.get_window_extent()) for text in drawn.findobj(Text) if text.get_text() and text.get_visible()]
    numbers = {id(text) for axes in drawn.axes for text in axes.texts}
    assert len(boxes) > 2 * len(labels) and drawn.get_figwidth() == inches and drawn.get_figheight() <= 9.01
    for text, box in boxes:
        assert text.get_fontsize() >= (5.5 if id(text) in numbers else 7), text.get_text()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1, text.get_text()
        assert not text.get_parse_math() or "$" not in text.get_text()
    plt.close(drawn)


def test_sixty_tasks_fit_a_page_with_names_of_7_points_and_no_numbers_and_have_no_room_in_a_column():
    labels = [f"task of a long name {number}" for number in range(60)]
    assert _matrix(labels, 3.5) is None
    drawn = _matrix(labels, 7.2)
    assert drawn.get_figheight() <= 9.01 and not any(axes.texts for axes in drawn.axes)
    assert {label.get_fontsize() for label in drawn.axes[0].get_yticklabels()} == {7}
    plt.close(drawn)


def test_names_are_cut_by_their_width():
    assert lettering.cut("short", 2, 7) == "short" and lettering.cut("two\nlines", 2, 7) == "two lines"
    assert len({lettering.cut(f"a task of a name that is too long {number}", 0.8, 7) for number in range(60)}) == 60
    for name in HOSTILE:
        cut = lettering.cut(name, 0.5, 7)
        assert lettering.width(cut, 7) <= 0.5 and ("…" in cut or cut == lettering.plain(name))
    with matplotlib.rc_context(STYLE):
        figure = plt.figure()
        for words in ("Handwritten digits", "WAVE, 0.12 −"):
            drawn = figure.text(0, 0, words, fontsize=7).get_window_extent().width / figure.dpi
            assert lettering.width(words, 7) == pytest.approx(drawn, rel=0.08)
        plt.close(figure)


def test_a_method_has_one_colour_whichever_others_are_there(monkeypatch):
    assert colour_of("vpt", ["vpt"]) == colour_of("vpt", ["coop", "vpt", "mine"]) != colour_of("coop", ["vpt", "coop"])
    assert len({colour_of(name, ["mine", "other"]) for name in ("mine", "other")}) == 2
    _, _, table, _ = study(methods=("coop", "vpt"))
    colours = {}
    with matplotlib.rc_context(STYLE):
        for some in (table, table[table["method"] == "vpt"]):
            drawn = correlation_forest(some, 7.2)
            by_name = dict(zip([label.get_text() for label in drawn.axes[0].get_yticklabels()], drawn.axes[0].lines[2::2], strict=False))
            colours[len(by_name)] = by_name["VPT"].get_color()
            plt.close(drawn)
    assert {*colours.values()} == {colour_of("vpt")}


def test_the_best_source_of_each_target_is_1_also_as_a_mean_over_seeds():
    """The seeds of a made-up study differ in their best sources, so means of their shares stay below 1."""
    transfer, _, _, tasks = study()
    scores = collect(transfer, tasks)[0]
    values, rows = shown(scores, "column_ratio")
    assert values.max(axis=0) == pytest.approx(1) and seed_mean(matrix(scores, "column_ratio")).max(axis=0).min() < 1
    mean = scores.score.mean(axis=0)
    np.testing.assert_allclose(values, mean / mean.max(axis=0))
    np.testing.assert_allclose(rows["template"], scores.zero_shot / mean.max(axis=0))


def test_colours_of_the_perfection_gap_end_at_1_however_far_scores_go():
    transfer, _, _, tasks = study()
    scores = replace(collect(transfer, tasks)[0], zero_shot=np.full(N, 0.97))
    assert np.nanmin(shown(scores, "perfection_gap")[0]) < -5
    assert colour_limits([scores], "perfection_gap") == (-1, 1) and colour_limits([scores], "gain_points")[1] > 1
    assert beyond(np.array([-5, 0.5, np.nan]), (-1, 1)) == "min" and beyond(np.array([0.5]), (-1, 1)) == "neither"


def test_very_many_dots_are_an_image_inside_of_the_figure_with_axes_and_text_as_text(tmp_path, monkeypatch):
    """Above a number of points; below it each is drawn."""
    transfer, similarity, table, tasks = study(methods=("coop",))
    kept = {}
    for most in (29, 30):
        monkeypatch.setattr("promptatlas.report.figures.relations.MOST_POINTS", most)
        for name in figures.draw(transfer, similarity, table, tasks, tmp_path / str(most)):
            if name.name == "similarity-frozen.svg":
                kept[most] = name.read_text()
    image, drawn = (re.findall(r'<image [^>]*?width="([\d.]+)"', kept[most]) for most in (29, 30))
    assert len(image) == 3 and not drawn, "30 pairs of six tasks, three measures"
    texts = {most: re.findall(r"<text[^>]*>([^<]*)</text>", text) for most, text in kept.items()}
    assert texts[29] == texts[30] and any(text.startswith("r = ") for text in texts[29])

"""Static figures: all there, nothing cut off, the same colours for all methods, missing cells not coloured."""

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.published import beside
from promptatlas.analysis.statistics.views import VIEWS, colour_limits
from promptatlas.report import figures
from promptatlas.report.figures import style
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.figures.published import side_by_side
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
    style.save(plt.figure(), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["a.png", "a.svg"]

    def half(_, path, **options):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", half)
    with pytest.raises(KeyboardInterrupt):
        style.save(plt.figure(), tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before and not plt.get_fignums()


def test_every_figure_comes_as_svg_and_png(folder):
    maps = [f"heatmap-frozen-coop-{view}" for view in VIEWS if view != "over_scratch"]
    names = [*maps, "similarity-frozen", "variance", "correlations"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.{kind}" for name in names for kind in ("svg", "png"))


def test_nothing_is_drawn_into_the_margin(folder):
    """A label that is cut off would touch the edge of the image."""
    for path in folder.glob("*.png"):
        pixels = np.asarray(Image.open(path).convert("L"))
        edge = np.concatenate([pixels[:6].ravel(), pixels[-6:].ravel(), pixels[:, :6].ravel(), pixels[:, -6:].ravel()])
        assert edge.min() == 255, path.name


def test_figures_are_the_same_bytes_each_time(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "VIEWS", ["gain_points"])
    monkeypatch.setattr(figures, "similarity_scatter", lambda *_: None)
    figures.draw(*study(methods=("coop",)), tmp_path)
    for name in ("heatmap-frozen-coop-gain_points.svg", "variance.svg", "correlations.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_heatmap_shows_the_numbers_and_frames_the_diagonal():
    transfer, _, _, tasks = study()
    scores = collect(transfer, tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "gain_points", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (-30, 30))
    axes, rows = drawn.axes[0], drawn.axes[1]
    gain = 100 * (scores.score.mean(axis=0) - scores.zero_shot)
    assert [text.get_text() for text in axes.texts] == [number(value, 0, signed=True) for value in gain.ravel()]
    assert sorted(patch.get_xy() for patch in axes.patches) == [(place, place) for place in range(N)]
    assert [label.get_text() for label in rows.get_yticklabels()] == ["untuned prompt", "hand-written (zero-shot)"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [label.get_text() for label in axes.get_xticklabels()]
    plt.close(drawn)


def test_with_protocol_init_the_row_from_scratch_is_a_tuned_prompt():
    transfer, _, _, tasks = study()
    scores = collect(transfer.assign(protocol="init"), tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "gain_points", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (-30, 30))
    labels = [label.get_text() for label in drawn.axes[1].get_yticklabels()]
    assert labels == ["tuned from an untrained start", "hand-written (zero-shot)"]
    plt.close(drawn)


def test_a_hole_is_hatched_and_has_no_number():
    transfer, _, _, tasks = study()
    transfer = transfer[~((transfer.source == "task_01") & (transfer.target == "task_04"))]
    scores = collect(transfer, tasks)[0]
    with matplotlib.rc_context(STYLE):
        drawn = heatmap(scores, "raw", list(scores.tasks), dict(zip(tasks.task, tasks.title, strict=True)), (0, 1))
    hatched = [patch.get_xy() for patch in drawn.axes[0].patches if patch.get_hatch()]
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
        drawn = side_by_side(scores, list(tables["tasks"].task), titles)
    pair = beside(scores, list(tables["tasks"].task))
    for axes, values in zip(drawn.axes, (pair.measured, pair.printed), strict=False):
        assert [text.get_text() for text in axes.texts] == [number(100 * value, 0) for value in values.ravel()]
    plt.close(drawn)
    assert (tmp_path / "published-coop.svg").exists()
    pixels = np.asarray(Image.open(tmp_path / "published-coop.png").convert("L"))
    assert min(pixels[:6].min(), pixels[-6:].min(), pixels[:, :6].min(), pixels[:, -6:].min()) == 255

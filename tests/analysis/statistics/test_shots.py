"""Studies with different numbers of images side by side: what their summaries say, in both directions."""

import json

import pytest

from promptatlas import cli
from promptatlas.analysis.statistics import shots
from promptatlas.base.errors import UserError


def compared(base: str, values: dict[str, float], better_on: int = 2) -> dict:
    """As `statistics.methods.compare` gives it, every interval one point wide."""
    order = sorted(values, key=values.get, reverse=True)
    pairs = [(one, other) for place, one in enumerate(order) for other in order[place + 1 :]]
    return {
        "n_tasks": 3, "n_seeds": 2,
        "methods": [{"method": name, "mean": values[name], "by_task": dict.fromkeys("abc", values[name])} for name in order],
        "pairs": [
            {"better": one, "worse": other, "difference": (gap := 100 * (values[one] - values[other])),
             "low": gap - 1, "high": gap + 1, "better_on": better_on}
            for one, other in pairs
        ],
    }  # fmt: skip


def study(folder, count: int, gain: float):
    folder.mkdir()
    comparison = compared("zero_shot", {"zero_shot": 0.5, "coop": 0.5 + gain, "vpt": 0.4})
    joint = [{"method": "coop", **compared("single", {"single": 0.5 + gain, "joint": 0.5})}]
    (folder / "summary.json").write_text(json.dumps({"shots": [count], "comparison": comparison, "joint": joint}))
    return folder


@pytest.fixture
def two(tmp_path):
    return [study(tmp_path / "four", 4, 0.2), study(tmp_path / "one", 1, 0.1)]


def test_every_pair_stands_in_both_directions(two):
    table = shots.table(two).set_index(["prompt", "method", "base", "shots"])
    there, back = table.loc["", "coop", "vpt", 4], table.loc["", "vpt", "coop", 4]
    assert there["difference"] == pytest.approx(30) and (there["low"], there["high"]) == pytest.approx((29, 31))
    assert back["difference"] == pytest.approx(-30) and (back["low"], back["high"]) == pytest.approx((-31, -29))
    assert table.loc["", "coop", "", 1]["mean"] == pytest.approx(0.6)
    assert table.loc["coop", "joint", "single", 1]["difference"] == pytest.approx(-10)
    assert len(table) == 2 * (3 + 6 + 2 + 2)


def test_studies_of_several_precisions_are_told_apart(two, tmp_path, capsys):
    """What a study's configuration does not say is the usual one; published rows have none."""
    assert {*shots.table(two)["precision"]} == {"float32"} and shots.mixed(shots.table(two)) == ""
    (two[1] / "config.json").write_text(json.dumps({"precision": "float16"}))
    table = shots.table(two)
    assert {*zip(table["study"], table["precision"], strict=True)} == {("four", "float32"), ("one", "float16")}
    with pytest.raises(SystemExit):
        cli.main(["compare", *map(str, two), "-o", str(tmp_path / "out")])
    told = capsys.readouterr()
    assert "these studies computed in several precisions (one in float16; four in float32)" in told.err and "precisions" not in told.out


def test_methods_are_held_against_zero_shot_and_shared_prompts_against_their_own(two):
    held = shots.baselines(shots.table(two))
    assert set(zip(held["prompt"], held["method"], held["base"], strict=True)) == {
        ("", "coop", "zero_shot"), ("", "vpt", "zero_shot"), ("coop", "joint", "single"),
    }  # fmt: skip


def test_a_difference_says_of_how_many_pairs_it_is_where_its_study_does(two):
    """Summaries of earlier versions do not."""
    path = two[0] / "summary.json"
    summary = json.loads(path.read_text())
    for pair in summary["comparison"]["pairs"]:
        pair |= {"n_pairs": 5, "n_tasks": 3, "n_seeds": 2}
    path.write_text(json.dumps(summary))
    table = shots.table(two).set_index(["prompt", "method", "base", "shots"])
    assert table.loc["", "vpt", "coop", 4][["n_pairs", "n_tasks", "n_seeds"]].tolist() == [5, 3, 2]
    earlier = table.loc["", "vpt", "coop", 1]
    assert earlier["n_tasks"] == 3 and earlier["n_pairs"] != earlier["n_pairs"]


def test_a_task_that_one_study_lost_is_named_with_that_study(two):
    path = two[1] / "summary.json"
    summary = json.loads(path.read_text())
    for one in summary["comparison"]["methods"]:
        del one["by_task"]["b"]
    path.write_text(json.dumps(summary | {"comparison": summary["comparison"] | {"tasks_left_out": ["b"]}}))
    with pytest.raises(UserError, match=r"in .*one a method has no score of b"):
        shots.table(two)


def test_the_command_writes_a_table_and_a_figure(two, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *map(str, two), "-o", str(tmp_path / "both")])
    assert not ended.value.code
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"column", "shots.csv", "shots.pdf", "shots.png", "shots.svg"}
    assert str(tmp_path / "both" / "shots.csv") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "finished studies"),
        ("{", "finished studies"),
        ("[]", "compares no methods"),
        ('{"averages": []}', "compares no methods"),
        (
            json.dumps({"shots": [1], "joint": [], "comparison": {"methods": [{"method": "coop", "mean": 0, "by_task": {"a": 0}}]}}),
            "(b is in one alone)",
        ),
    ],
)
def test_folders_that_cannot_be_compared_are_refused(two, tmp_path, content, words):
    (tmp_path / "other").mkdir()
    if content is not None:
        (tmp_path / "other" / "summary.json").write_text(content)
    with pytest.raises(UserError) as caught:
        shots.table([two[0], tmp_path / "other"])
    assert words in str(caught.value) and "\n" not in str(caught.value)


def panel_of(folder, n_methods, inches, published=()):
    """The figure and its panel for so many methods beside zero-shot, the later the better."""
    from promptatlas.report.figures.shots import curves

    folder.mkdir()
    comparison = compared("zero_shot", {"zero_shot": 0.5} | {f"method_{i}": 0.5 + i / 50 for i in range(n_methods)})
    (folder / "summary.json").write_text(json.dumps({"shots": [1], "comparison": comparison, "joint": [], "published_means": published}))
    figure = curves(shots.table([folder]), inches)
    return figure, figure.axes[0]


def test_every_one_of_some_methods_has_a_line_of_its_own(tmp_path):
    lines = [container[0] for container in panel_of(tmp_path / "some", 7, 7.2)[1].containers]
    assert len(lines) == len({line.get_color() for line in lines}) == 7


@pytest.mark.parametrize("inches", [3.5, 7.2])
@pytest.mark.parametrize("n_methods", [1, 7, 8, 13, 40])
def test_the_panel_is_as_large_for_many_methods_and_its_legend_inside_the_figure(tmp_path, n_methods, inches):
    figure, axes = panel_of(tmp_path / "any", n_methods, inches)
    figure.draw_without_rendering()
    inside = figure.bbox
    legend, panel = axes.get_legend().get_window_extent(), axes.get_window_extent()
    assert inside.x0 <= legend.x0 and legend.x1 <= inside.x1 and inside.y0 <= legend.y0 and legend.y1 < panel.y0
    assert panel.height / figure.dpi > 1.5 if n_methods <= 7 else panel.height / figure.dpi > 0.12 * n_methods
    assert panel.width > 0.5 * inside.width


def test_each_of_many_methods_has_a_row_the_best_at_the_top(tmp_path):
    _, axes = panel_of(tmp_path / "many", 13, 7.2)
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"method_{i}" for i in reversed(range(13))]
    (marks,) = [container[0] for container in axes.containers]
    assert dict(zip(marks.get_ydata(), marks.get_xdata(), strict=True)) == pytest.approx({12 - i: 2.0 * i for i in range(13)})


def test_published_means_are_hollow_marks_in_the_row_of_their_method(tmp_path):
    printed = {"form": "its own", "reference": "Somebody 2024", "note": "other settings: context 4"}
    published = [printed | {"method": "method_3", "score": 0.6}, printed | {"method": "not_measured", "score": 0.7}]
    _, axes = panel_of(tmp_path / "many", 13, 7.2, published)
    (marks,) = (line for line in axes.lines if "published" in str(line.get_label()))
    assert marks.get_label() == "published, 1; not quite the same (shots.csv)" and marks.get_markerfacecolor() == "none"
    assert marks.get_xydata().ravel() == pytest.approx([10.0, 9.0])  # points over zero-shot, and the row from the top

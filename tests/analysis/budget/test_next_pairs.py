"""`promptatlas next`: the pairs of a study that is not finished, from the cells that it has."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from promptatlas.analysis.budget import of_study
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.records import cells
from promptatlas.study.study import Study

TASKS = ("shapes", "colors", "digits_rendered", "glasses", "letters")


@pytest.fixture
def study(tmp_path) -> Study:
    config = {"study": "part", "tasks": list(TASKS), "methods": ["coop", "vpt"], "seeds": [1, 2], "results": str(tmp_path), "choice": False}
    (tmp_path / "part.yaml").write_text(yaml.safe_dump(config))
    return Study(config)


def lines(study: Study, budget: int) -> list[str]:
    return of_study.lines(of_study.plans(study, budget))


def write(study: Study, method: str, pairs: dict[tuple[str, str], float | None], seeds=(1, 2)) -> None:
    for (source, target), score in pairs.items():
        for seed in seeds:
            cell = cells.Cell("frozen", method, seed, target, source)
            path = study.paths.cell(cell)
            path.parent.mkdir(parents=True, exist_ok=True)
            failed = {"failed": "out of memory"} if score is None else {}
            about = {"metric": "accuracy", "score": score, "chance": 0.1, "fingerprint": "0", "parts": {}}
            cells.write(path, cell.address() | about | failed)


def every(score: float) -> dict[tuple[str, str], float | None]:
    return {(source, target): score for source in TASKS for target in TASKS}


def hand_written(score: float = 0.5) -> dict[tuple[str, str], float | None]:
    return {("template", target): score for target in TASKS}


def test_gains_are_points_over_the_hand_written_prompt_mean_over_seeds(study):
    write(study, "coop", hand_written())
    write(study, "coop", {("shapes", "colors"): 0.7}, seeds=[1])
    write(study, "coop", {("shapes", "colors"): 0.8, ("colors", "colors"): 0.9, ("glasses", "shapes"): None}, seeds=[2])
    coop, vpt = of_study.measured(study)
    assert (coop.protocol, coop.method, vpt.method) == ("frozen", "coop", "vpt") and np.isnan(vpt.gains).all()
    assert coop.gains[0, 1] == pytest.approx(25) and np.isfinite(coop.gains).sum() == 1
    assert coop.wanted.sum() == 20 and not coop.wanted.diagonal().any()


def test_next_pairs_are_named_as_rerun_names_them(study, capsys):
    write(study, "coop", hand_written() | every(0.6))
    write(
        study,
        "vpt",
        hand_written() | {("shapes", target): 0.8 for target in TASKS[1:]} | {("colors", "shapes"): 0.45, ("colors", "letters"): 0.52},
    )
    with pytest.raises(SystemExit) as ended:
        command.main(["next", "--configfile", str(study.folder.parent / "part.yaml"), "--budget", "3"])
    told = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert told[0] == "frozen coop: 20 of 20 pairs measured, that is all"
    assert told[1] == "frozen vpt: 6 of 20 pairs measured; next, with the points expected:" and len(told) == 5
    parser = command.parser()
    for line in told[2:]:
        options = parser.parse_args(["rerun", *line.rpartition("  +")[0].split()])
        assert options.method == "vpt" and not study.paths.cell(cells.Cell("frozen", "vpt", 1, options.target, options.source)).exists()


def test_what_failed_is_not_measured_and_may_be_next(study):
    write(study, "coop", hand_written() | every(0.6) | {("glasses", "colors"): None})
    told = lines(study, 10)
    assert "19 of 20 pairs" in told[0] and "--source glasses --target colors" in told[1]


def test_with_too_few_pairs_or_no_hand_written_prompt_the_next_are_spread_over_tasks(study):
    write(study, "coop", every(0.6))
    write(study, "vpt", hand_written() | {("shapes", "colors"): 0.7})
    coop, vpt, *told = lines(study, 4)
    assert coop == "frozen coop: 20 of 20 pairs measured, that is all"
    assert vpt.startswith("frozen vpt: 1 of 20 pairs measured, where 3 are needed") and "spread evenly" in vpt
    sources, targets = zip(("shapes", "colors"), *(re.findall(r"--(?:source|target) (\w+)", line) for line in told), strict=True)
    assert {*sources} == {*targets} == {*TASKS}


def test_a_pair_that_is_measured_is_never_next(study):
    """Not even on a target where the zero-shot prompt failed, so that there is no gain."""
    pairs = {pair: score for pair, score in every(0.6).items() if pair[0] != pair[1]} | {("glasses", "letters"): None}
    write(study, "coop", hand_written() | pairs | {("template", "colors"): None})
    told = lines(study, 10)
    (own,) = (line for line in told if "--method coop" in line)
    assert told[0].startswith("frozen coop: 19 of 20 pairs") and "--source glasses --target letters" in own
    write(study, "coop", dict.fromkeys(hand_written()))
    told = lines(study, 10)
    assert "19 of 20 pairs measured, where 3 are needed, with the zero-shot prompt" in told[0]
    assert "--source glasses --target letters" in told[1] and "vpt" in told[2]


def test_a_study_without_pairs_says_so(tmp_path):
    config = {"study": "own", "design": "few_shot", "tasks": list(TASKS), "methods": ["coop"], "results": str(tmp_path)}
    assert lines(Study(config), 5) == ["this study has no pairs of tasks to measure"]


def test_a_damaged_cell_and_no_budget_are_told(study, capsys):
    write(study, "coop", hand_written() | every(0.6))
    with pytest.raises(SystemExit) as ended:
        command.main(["next", "--configfile", str(study.folder.parent / "part.yaml"), "--budget", "0"])
    assert ended.value.code == 1 and "--budget must be at least 1, not 0" in capsys.readouterr().err
    study.paths.cell(cells.Cell("frozen", "coop", 1, "shapes", "colors")).write_text("{")
    with pytest.raises(UserError, match=r"shapes/colors\.json"):
        lines(study, 5)


def written(study, capsys, *arguments) -> set[tuple[str, ...]]:
    path = study.folder.parent / "pairs.csv"
    with pytest.raises(SystemExit) as ended:
        command.main(["next", "--configfile", str(study.folder.parent / "part.yaml"), "-o", str(path), *arguments])
    told = capsys.readouterr().err
    assert ended.value.code == 0, told
    assert f"snakemake --cores 2 --configfile {study.folder.parent / 'part.yaml'} --config pairs={path}" in told, (
        "of this study, not another"
    )
    head, *rows = path.read_text().splitlines()
    assert head == "protocol,method,source,target"
    return {tuple(row.split(",")) for row in rows}


def test_the_list_has_what_is_measured_and_what_is_next(study, capsys):
    """A key `pairs` of the configuration, of an earlier step, does not hold the next one back, nor need its file be there."""
    path = study.folder.parent / "part.yaml"
    path.write_text(path.read_text() + "pairs: pairs.csv\n")
    measured = {("shapes", target): 0.8 for target in TASKS[1:]} | {("colors", "colors"): 0.9}
    write(study, "coop", hand_written() | measured | {("glasses", "shapes"): None})
    found = written(study, capsys, "--budget", "3")
    coop = {row[2:] for row in found if row[1] == "coop"}
    assert {*measured} < coop and len(coop) == 5 + 3 and len(found) == 8 + 3
    assert written(study, capsys, "--budget", "3") == found, "the same until something is measured"


def test_similarities_are_looked_at_where_their_table_is(study, capsys):
    """Of all targets but one the source that is alike is the best, and no other is measured on that."""
    similar = pd.DataFrame(
        [("lab_cover", one, other, float({one, other} == {"glasses", "letters"})) for one in TASKS for other in TASKS if one != other]
    )
    pairs = {(one, other): 0.5 + 0.3 * ((one, other) == ("glasses", "letters")) for one in TASKS[:4] for other in TASKS if one != other}
    write(study, "coop", hand_written() | pairs)
    before = lines(study, 1)
    similar.columns = ["measure", "source", "target", "value"]
    study.paths.table("similarity")[0].parent.mkdir(parents=True)
    similar.assign(method=None, seed=None, family="label").to_parquet(study.paths.table("similarity")[0])
    now = lines(study, 1)
    assert "from similarity (lab_cover) and gains" in now[0] and "similarity" not in before[0]
    assert "--source letters --target glasses" in now[1]


def test_a_list_that_cannot_be_written_and_a_value_without_a_key_are_told(study, capsys):
    for arguments, words in (
        (["next", "-o", str(study.folder.parent / "part.yaml" / "pairs.csv")], "cannot be written"),
        (["status", "--config", "pairs"], "write key=value"),
        (["status", "--config", "seeds=[1"], "`seeds` on the command line is not valid YAML"),
        (["status", "--config", "pairs=none.csv"], "none.csv, which does not exist"),
        (
            [
                "rerun",
                "--method",
                "coop",
                "--source",
                "shapes",
                "--target",
                "colors",
                "--config",
                f"pairs={study.folder.parent / 'one.csv'}",
            ],
            "does not list shapes and colors for coop",
        ),
    ):
        (study.folder.parent / "one.csv").write_text("source,target\ncolors,shapes\n")
        with pytest.raises(SystemExit) as ended:
            command.main([*arguments, "--configfile", str(study.folder.parent / "part.yaml")])
        told = capsys.readouterr().err.splitlines()
        assert ended.value.code == 1 and len(told) == 1 and words in told[0], told

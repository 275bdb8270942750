"""`promptatlas next`: the pairs of a study that is not finished, from the cells that it has."""

import numpy as np
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
    parser = command._parser()
    for line in told[2:]:
        options = parser.parse_args(["rerun", *line.rpartition("  +")[0].split()])
        assert options.method == "vpt" and not study.paths.cell(cells.Cell("frozen", "vpt", 1, options.target, options.source)).exists()


def test_what_failed_is_not_measured_and_may_be_next(study):
    write(study, "coop", hand_written() | every(0.6) | {("glasses", "colors"): None})
    told = of_study.lines(study, 10)
    assert "19 of 20 pairs" in told[0] and "--source glasses --target colors" in told[1]


def test_too_few_pairs_or_no_hand_written_prompt_is_told(study):
    write(study, "coop", every(0.6))
    write(study, "vpt", hand_written() | {("shapes", "colors"): 0.7})
    coop, vpt = of_study.lines(study, 5)
    assert coop == "frozen coop: 20 of 20 pairs measured, that is all"
    assert vpt.startswith("frozen vpt: 1 of 20 pairs measured; 3 are needed")


def test_a_pair_that_is_measured_is_never_next(study):
    """Not even on a target where the hand-written prompt failed, so that there is no gain."""
    pairs = {pair: score for pair, score in every(0.6).items() if pair[0] != pair[1]} | {("glasses", "letters"): None}
    write(study, "coop", hand_written() | pairs | {("template", "colors"): None})
    told = of_study.lines(study, 10)
    assert told[0].startswith("frozen coop: 19 of 20 pairs") and len(told) == 3 and "--source glasses --target letters" in told[1]
    write(study, "coop", dict.fromkeys(hand_written()))
    assert "19 of 20 pairs measured; 3 are needed, on targets where the hand-written" in of_study.lines(study, 10)[0]


def test_a_study_without_pairs_says_so(tmp_path):
    config = {"study": "own", "design": "few_shot", "tasks": list(TASKS), "methods": ["coop"], "results": str(tmp_path)}
    assert of_study.lines(Study(config), 5) == ["this study has no pairs of tasks to measure"]


def test_a_damaged_cell_and_no_budget_are_told(study, capsys):
    write(study, "coop", hand_written() | every(0.6))
    with pytest.raises(SystemExit) as ended:
        command.main(["next", "--configfile", str(study.folder.parent / "part.yaml"), "--budget", "0"])
    assert ended.value.code == 1 and "--budget must be at least 1, not 0" in capsys.readouterr().err
    study.paths.cell(cells.Cell("frozen", "coop", 1, "shapes", "colors")).write_text("{")
    with pytest.raises(UserError, match=r"shapes/colors\.json"):
        of_study.lines(study, 5)

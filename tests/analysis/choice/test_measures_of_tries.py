"""What was estimated of prompts that were tried stands beside their answers as measures of the candidates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from promptatlas.analysis.choice.evidence import Candidate
from promptatlas.analysis.choice.of_study import Evidences, _evidence, _places
from promptatlas.records.tries_file import TriedPrompt, Tries

SOUND = (TriedPrompt("near", 1), TriedPrompt("far", 1), TriedPrompt("scratch", 1), TriedPrompt("template", None))
FAILED = TriedPrompt("lost", 1)


def test_estimates_of_a_draw_and_level_are_measures_with_a_gap_where_a_prompt_has_no_answers():
    estimates = np.arange(4 * 2 * 2 * 2, dtype=np.float32).reshape(4, 2, 2, 2)
    estimates[:, 1, 1, 0] = np.nan
    shots = np.array([[1, 1, 4, 4, 0, 0], [0, 1, 1, 0, 4, 4]])
    tries = Tries(
        SOUND, np.zeros((4, 6), np.int16), np.arange(6) % 2, np.arange(6), (7, 8), shots, (1, 4), {FAILED: "no image"},
        dict.fromkeys((SOUND[0], FAILED, *SOUND[1:]), "mark"), ("est_leep", "est_knn"), estimates,
    )  # fmt: skip
    truth = dict.fromkeys(SOUND, 0.5)
    found = _evidence("coop", "target", "accuracy", tries, 7, 4, truth, {})
    assert found.candidates == (Candidate("coop", "near", 1), Candidate("coop", "lost", 1), Candidate("coop", "far", 1))
    np.testing.assert_array_equal(found.measures["est_leep"], [estimates[0, 0, 0, 1], np.nan, estimates[1, 0, 0, 1]])
    np.testing.assert_array_equal(found.measures["est_knn"], [estimates[0, 1, 0, 1], np.nan, estimates[1, 1, 0, 1]])
    assert [*_evidence("coop", "target", "accuracy", tries, 8, 1, truth, {}).measures] == ["est_leep"]


def test_closeness_of_the_source_is_a_measure_of_all_its_seeds_or_of_a_prompt_but_for_the_known_truth():
    study = SimpleNamespace(study=None)
    rows = [
        ("vis_frechet", "visual", "near", "", None, -1.0), ("vis_frechet", "visual", "far", "", None, -3.0),
        ("pr_delta", "prompt", "near", "coop", 1, 0.5), ("pr_delta", "prompt", "near", "coop", 2, 0.7),
        ("pr_delta", "prompt", "near", "vpt", 1, 9.0), ("factor_overlap", "truth", "near", "", None, 1.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["measure", "family", "source", "method", "seed", "value"]).assign(target="target")
    transfer = pd.DataFrame({"protocol": []})
    close = Evidences(study, transfer, print, table.astype({"seed": "Int64"}))._closeness("coop", "target")
    found = _places(close, [TriedPrompt("near", 1), TriedPrompt("near", 2), TriedPrompt("far", 1), TriedPrompt("unknown", 1)])
    assert {*found} == {"vis_frechet", "pr_delta"}
    np.testing.assert_array_equal(found["vis_frechet"], [-1, -1, -3, np.nan])
    np.testing.assert_array_equal(found["pr_delta"], [0.5, 0.7, np.nan, np.nan])
    assert Evidences(study, transfer, print)._closeness("coop", "target") == {}

"""Which prompt file of all methods to use on a target: by hand, by simulation, and as the table `pairs` has it."""

from dataclasses import replace

import numpy as np
import pytest

from promptatlas.analysis.choice.decision import decide
from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.analysis.pairs.column import Column
from promptatlas.analysis.pairs.files import PromptChances
from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.table import pairs

TASKS = ("a", "b", "c")
COUNT = 400


def column(method, levels, rng, reference, untuned=0.3, target="c", seeds=(4, 7)):
    """Two sources with the true shares of right answers `levels` (2, S), the target's own prompt and the untuned one."""
    shares = np.array([*levels, [0.95] * len(seeds), [untuned] * len(seeds)])
    right = rng.random((*shares.shape, COUNT)) < shares[:, :, None]
    return Column(
        "frozen", method, target, "accuracy", COUNT, ("a", "b", "c", "scratch"), frozenset(TASKS), right.mean(axis=2), reference.mean(),
        np.ones(4, bool), ("",) * 4, WeightedImages.alike(COUNT), right, reference, seeds,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    reference = rng.random(COUNT) < 0.5
    coop = column("coop", [[0.55, 0.72], [0.4, 0.4]], rng, reference)
    vpt = column("vpt", [[0.6, 0.3], [0.7, 0.5]], rng, reference)
    return coop, vpt, pairs([coop, vpt]).set_index(["method", "source"])


def test_each_source_has_its_best_file_of_all_methods_files(made):
    coop, vpt, table = made
    candidates, right = [], []
    for one in (coop, vpt):
        for place in (0, 1, 3):
            for seed, number in enumerate(one.seeds):
                candidates.append(Candidate(one.method, one.sources[place], number))
                right.append(one.right[place, seed])
    decided = decide(Evidence("c", tuple(candidates), np.array(right, float), coop.reference.astype(float), np.zeros(COUNT, int)))
    for (method, source), row in table[table["kind"] != "own"].iterrows():
        own = [place for place, one in enumerate(candidates) if (one.method, one.source) == (method, source)]
        best = max(own, key=lambda place: decided.gains.shrunk[place])
        assert row["prompt_seed"] == candidates[best].seed
        assert row["prompt_gain"] == pytest.approx(100 * decided.gains.shrunk[best])
        assert (row["prompt_low"], row["prompt_high"]) == pytest.approx((100 * decided.gains.low[best], 100 * decided.gains.high[best]))
        assert row["chance_best"] == pytest.approx(decided.best[own].sum())
    assert table["chance_best"].sum() == pytest.approx(1)
    assert table.loc[table["decision"] != "", "decision"].to_dict() == {
        (candidates[decided.leading].method, candidates[decided.leading].source): "use"
    }
    assert table.loc[("coop", "a"), "prompt_seed"] == 7 and table.loc[("vpt", "b"), "prompt_seed"] == 4
    assert table.xs("c", level="source")["prompt_gain"].isna().all(), "a target's own prompt is no candidate"


def test_where_nothing_beats_the_hand_written_prompt_it_is_kept():
    rng = np.random.default_rng(1)
    reference = rng.random(COUNT) < 0.9
    table = pairs([column("coop", [[0.6, 0.5], [0.5, 0.5]], rng, reference)])
    assert table["decision"].tolist().count("keep") == 1 and not table["decision"].isin(["use", "too_few"]).any()
    assert (table["prompt_high"].dropna() < 0).all()


def test_chances_are_right_in_repeated_studies():
    """Of 300 targets with true shares drawn anew, files with a chance of about p are the best about p of the time; gains hold the truth."""
    rng, told, held, optimism, naive = np.random.default_rng(2), [], [], [], []
    for number in range(300):
        reference = rng.random(COUNT) < 0.5
        levels = np.clip(0.5 + rng.normal(0, 0.04, (2, 2)), 0, 1)
        made = column("coop", levels, rng, reference, untuned=0.3, target="c")
        chances = PromptChances()
        chances.add(replace(made, protocol=str(number)))
        [(_, _, found)] = chances.found()
        best = int(np.argmax(levels.max(axis=1)))
        for place, source in enumerate("ab"):
            one = found["coop", source]
            told.append((one["chance_best"], place == best))
            seed = made.seeds.index(one["prompt_seed"])
            true = 100 * (levels[place, seed] - 0.5)
            held.append(one["prompt_low"] <= true <= one["prompt_high"])
        leader = max("ab", key=lambda source: found["coop", source]["prompt_gain"])
        place, seed = "ab".index(leader), made.seeds.index(found["coop", leader]["prompt_seed"])
        optimism.append(found["coop", leader]["prompt_gain"] - 100 * (levels[place, seed] - 0.5))
        naive.append(100 * (made.scores[place, seed] - reference.mean()) - 100 * (levels[place, seed] - 0.5))
    chance, right = np.array(told).T
    sure = chance > 0.8
    assert sure.sum() > 40 and right[sure].mean() > 0.8
    assert abs(chance.mean() - right.mean()) < 0.02
    assert np.mean(held) > 0.92
    assert abs(np.mean(optimism)) < np.mean(naive), "the apparent best is the best partly by luck, and shrinking takes that away"


def test_what_has_no_right_answers_or_other_images_is_no_candidate(made):
    coop, vpt, _ = made
    chances = PromptChances()
    chances.add(replace(coop, right=None))
    assert list(chances.found()) == []
    chances.add(coop)
    chances.add(replace(vpt, n_test=COUNT - 1))
    [(_, _, found)] = chances.found()
    assert {method for method, _ in found} == {"coop"}
    blind = pairs([replace(coop, right=None, reference=None, answered=np.zeros(4, bool))])
    assert blind["prompt_gain"].isna().all() and blind["chance_best"].isna().all() and (blind["decision"] == "").all()

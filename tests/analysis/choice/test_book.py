"""The table `choice`: what is in it, and that no rule looks at what it must not."""

from dataclasses import replace

import numpy as np
import pytest

from promptatlas.analysis.choice import book as module
from promptatlas.analysis.choice.book import COLUMNS, book
from promptatlas.analysis.choice.evidence import Candidate, together
from promptatlas.analysis.choice.margin import margin
from promptatlas.analysis.statistics.jackknife import interval
from promptatlas.base.errors import UserError
from synthetic_evidence import TASKS, study, with_other_truth


def rows(table, candidates="all_seeds"):
    return table[table["candidates"] == candidates].set_index(["rule", "or_none"])


@pytest.fixture(scope="module")
def table():
    return book(study())


def test_every_rule_has_a_row(table):
    assert list(table.columns) == COLUMNS
    both = {"random", "static_list", "try", "oracle", "combination", "measure:good", "measure:blind"}
    for candidates, extra in (("all_seeds", set()), ("one_seed", {"static_source", "other_seeds"})):
        found = rows(table, candidates)
        assert {rule for rule, or_none in found.index if not or_none} == both | extra
        assert {rule for rule, or_none in found.index if or_none} == {"try", "oracle", "combination"}
    assert (table["n_tasks"] == 7).all() and (table["n_draws"] == 2).all() and set(table["n_candidates"]) == {12, 6}


def test_the_oracle_loses_nothing_and_random_loses_what_the_mean_does(table):
    evidences, found = study(), rows(table)
    assert found.loc["oracle", ["regret_1", "regret_3"]].to_numpy(float).max() == pytest.approx(0, abs=1e-9)
    assert found.at[("oracle", True), "oracle_share"] == 1 and found.at[("oracle", True), "harmed"] == 0
    mean = np.mean([100 * (one.truth.max() - one.truth.mean()) for one in evidences])
    assert found.at[("random", False), "regret_1"] == pytest.approx(mean)
    best = np.mean([100 * max(0, one.truth.max() - one.reference_truth) for one in evidences])
    assert found.at[("oracle", True), "gain"] == pytest.approx(best)
    harmed = np.mean([(one.truth - one.reference_truth < -0.01).mean() for one in evidences])
    assert found.at[("random", False), "harmed"] == pytest.approx(harmed)


def test_what_knows_more_loses_less(table):
    found = rows(table)["regret_1"]
    assert found["oracle", False] < found["measure:good", False] < found["random", False]
    assert found["try", False] < found["random", False] and found["combination", False] < found["try", False]
    assert rows(table)["harmed"]["try", True] < rows(table)["harmed"]["try", False]


def test_trying_many_images_finds_the_best():
    found = rows(book(study(images=4000, draws=1)))
    assert found.at[("try", False), "regret_1"] < 0.5 and found.at[("try", True), "oracle_share"] > 0.85


def test_a_rule_is_the_same_had_the_truth_of_its_target_been_other():
    """Margins, lists, other seeds and coefficients for a task come from the others alone, in both roles."""
    evidences, task = study(), "task1"
    for candidates in (0, 1):
        group, other = (list(module._groups(some))[candidates] for some in (evidences, with_other_truth(evidences, task)))
        own = [e for e, one in enumerate(group.evidences) if one.target == task]
        assert module.chosen(group.leads(group.shrunk, task)) == module.chosen(other.leads(other.shrunk, task))
        for before, after in zip(group.leads(group.shrunk, task), other.leads(other.shrunk, task), strict=True):
            assert before.target != task
            np.testing.assert_array_equal(before.gain, after.gain)
        lists = module._static(group, module._files(group))
        sources = module._by_other_seeds(group, module._files(group), module._elsewhere)
        other_targets_alone = [replace(one, truth=one.truth[::-1] if one.target == task else one.truth) for one in evidences]
        alone = list(module._groups(other_targets_alone))[candidates]
        for e in own:
            np.testing.assert_array_equal(lists[e], module._static(alone, module._files(alone))[e])
            np.testing.assert_array_equal(sources[e], module._by_other_seeds(alone, module._files(alone), module._elsewhere)[e])


def test_what_is_known_of_a_source_by_its_other_seeds_leaves_out_its_own():
    evidences = study(seeds=3, draws=1)
    group = list(module._groups(evidences))[1]
    changed = [replace(one, truth=np.where(one.seeds == 2, 0.1, one.truth)) for one in evidences]
    other = list(module._groups(changed))[1]
    for known in (module._here, module._elsewhere):
        before = module._by_other_seeds(group, module._files(group), known)
        after = module._by_other_seeds(other, module._files(other), known)
        same = [np.array_equal(b, a) for b, a in zip(before, after, strict=True)]
        seeds = [one.seeds[0] for one in group.evidences]
        if known is module._here:
            assert all(is_same == (seed == 2) for is_same, seed in zip(same, seeds, strict=True))
    one = group.evidences[0]
    mean = np.mean([evidences[0].truth[evidences[0].seeds == seed] for seed in (2, 3)], axis=0)
    np.testing.assert_allclose(module._by_other_seeds(group, module._files(group), module._here)[0], mean)
    assert set(one.seeds.tolist()) == {1}


def test_intervals_delete_each_task_in_both_roles():
    evidences, left_out = study(images=20, draws=1), []
    table = rows(book(evidences))
    for task in TASKS:
        some = [one.without(task) for one in evidences if one.target != task]
        left_out.append(rows(book(some)))
    for key in (("random", False), ("try", False), ("oracle", True), ("measure:good", False)):
        for name in ("regret_1", "regret_3", "gain", "harmed"):
            whole = table.loc[key]
            expected = interval(whole[name], [one.at[key, name] for one in left_out])
            assert (whole[f"{name}_low"], whole[f"{name}_high"]) == pytest.approx(expected, abs=1e-9), (key, name)


def test_the_margin_for_new_data_is_chosen_on_all_tasks_and_all_numbers_of_images():
    evidences = [*study(), *study(images=16)]
    found = book(evidences)
    assert set(rows(found)["margin"]["try", True]) == {margin(evidences)}
    assert rows(found)["margin_left_out"]["try", True].notna().all() and rows(found)["margin"].drop(["try", "combination"]).isna().all()


def test_methods_and_shots_are_parts_of_their_own_and_may_be_joined():
    coop, vpt = study(draws=1), study(draws=1, number=1)
    vpt = [replace(one, candidates=tuple(Candidate("vpt", *file[1:]) for file in one.candidates)) for one in vpt]
    vpt = [replace(two, reference=one.reference) for one, two in zip(coop, vpt, strict=True)]
    found = book([*coop, *vpt, *(together(pair) for pair in zip(coop, vpt, strict=True)), *study(images=16, draws=1)])
    parts = found[["method", "shots", "n_candidates"]].drop_duplicates().to_records(index=False).tolist()
    assert {(method, shots) for method, shots, _ in parts} == {("coop", 15), ("vpt", 15), ("coop+vpt", 15), ("coop", 4)}
    assert ("coop+vpt", 15, 24) in parts


def test_evidence_on_other_images_is_not_joined():
    one, two = study(draws=2)[:2]
    with pytest.raises(UserError, match="other images"):
        together([one, replace(two, candidates=tuple(Candidate("vpt", *file[1:]) for file in two.candidates))])


def test_failed_candidates_and_missing_truth_are_no_candidates():
    evidences = study()
    worst = [int(np.argmin(one.truth)) for one in evidences]
    some = []
    for one, index in zip(evidences, worst, strict=True):
        contributions, truth = one.contributions.copy(), one.truth.copy()
        contributions[index], truth[(index + 1) % 12] = np.nan, np.nan
        some.append(replace(one, contributions=contributions, truth=truth))
    found = rows(book(some))
    mean = np.mean(
        [100 * (t.max() - t.mean()) for one, i in zip(evidences, worst, strict=True) for t in [np.delete(one.truth, [i, (i + 1) % 12])]]
    )
    assert found.at[("random", False), "regret_1"] == pytest.approx(mean) and (found["n_candidates"] == 10).all()


def test_too_little_is_said_in_one_sentence():
    with pytest.raises(UserError, match="3 tasks or more"):
        book([one for one in study() if one.target in TASKS[:2]])
    with pytest.raises(UserError, match=r"'task0'.*test scores are missing"):
        book([replace(study()[0], truth=None)])

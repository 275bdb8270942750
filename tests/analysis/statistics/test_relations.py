"""Social relations model and variance decomposition against published values, least squares and planted effects."""

import numpy as np
import pytest

from promptatlas.analysis.statistics.moments import Components, fit, shared
from promptatlas.analysis.statistics.relations import effects, off_diagonal, relationships
from promptatlas.analysis.statistics.reliability import decompose
from promptatlas.base.errors import UserError

OFF = ~np.eye(8, dtype=bool)


def components(values: np.ndarray) -> Components:
    """Of one matrix (n, n): what it has in common with itself."""
    own = fit(values)
    return shared([(own, own)])


def fixture() -> np.ndarray:
    i, j = np.meshgrid(np.arange(1, 9), np.arange(1, 9), indexing="ij")
    return np.sin(1.7 * i) + np.cos(0.9 * j) + 0.8 * np.sin(2.3 * i * j)


def planted(rng, n, source=1.0, target=0.5, relation=1.0, giver_receiver=0.3, reciprocity=0.4):
    """A matrix with the given variances and covariances."""
    both = rng.multivariate_normal([0, 0], [[source, giver_receiver], [giver_receiver, target]], size=n)
    pair = rng.multivariate_normal([0, 0], [[relation, reciprocity], [reciprocity, relation]], size=(n, n))
    g = np.triu(pair[..., 0], 1) + np.triu(pair[..., 1], 1).T
    return both[:, :1] + both[:, 1] + g


def test_effects_and_variances_equal_those_of_triple_r():
    expected = [
        0.921030428197,
        -0.305142739181,
        -0.901033368946,
        0.597553733551,
        0.509048119456,
        -0.614756132939,
        -0.537864779754,
        0.331164739615,
    ]
    assert effects(fixture()).source == pytest.approx(expected, abs=1e-10)
    assert components(fixture()).source == pytest.approx(0.389682401171, abs=1e-10)
    assert components(fixture()).relationship == pytest.approx(0.358789393845, abs=1e-10)


def test_closed_form_equals_least_squares_on_the_off_diagonal_cells():
    values = np.random.default_rng(0).normal(size=(8, 8))
    row, column = np.nonzero(OFF)
    design = np.hstack([np.ones((len(row), 1)), np.eye(8)[row], np.eye(8)[column]])
    fitted = design @ np.linalg.lstsq(design, values[OFF], rcond=None)[0]
    parts = effects(values)
    assert parts.relationship[OFF] == pytest.approx(values[OFF] - fitted, abs=1e-12)
    assert parts.source.sum() == pytest.approx(0) and parts.target.sum() == pytest.approx(0)
    assert np.isnan(np.diag(parts.relationship)).all()


def test_the_diagonal_does_not_matter():
    values = fixture()
    moved = values + np.diag(np.arange(8) * 100.0)
    assert np.array_equal(effects(values).source, effects(moved).source)


def test_additive_effects_leave_no_relationship():
    values = np.arange(8)[:, None] * 2.0 + np.sqrt(np.arange(8))
    assert np.nanmax(np.abs(effects(values).relationship)) < 1e-12


def test_rounding_errors_are_no_variance():
    values = 0.1 * np.arange(8)[:, None] + np.sqrt(np.arange(8)) / 3
    assert components(values).relationship == 0 and components(values).reciprocity == 0


def test_a_missing_cell_is_left_out_rather_than_counted_as_zero():
    values = np.arange(8)[:, None] * 2.0 + np.sqrt(np.arange(8))
    values[2, 5] = np.nan
    parts = effects(values)
    assert np.isnan(parts.relationship[2, 5]) and np.nanmax(np.abs(parts.relationship)) < 1e-10
    assert parts.source == pytest.approx(2.0 * (np.arange(8) - 3.5))


def test_a_stack_gives_the_effects_of_each():
    stack = np.random.default_rng(1).normal(size=(3, 6, 6))
    stack[1, 0, 3] = np.nan
    assert effects(stack).target[2] == pytest.approx(effects(stack[2]).target)
    assert effects(stack).target[1] == pytest.approx(effects(stack[1]).target)


def test_a_task_with_a_single_cell_is_a_clear_error():
    values = np.full((4, 4), 1.0)
    values[0, 1:3] = np.nan
    with pytest.raises(UserError, match="fewer than two measured cells as a source"):
        effects(values)


def test_variance_components_are_unbiased():
    rng = np.random.default_rng(2)
    draws = [components(planted(rng, 20)) for _ in range(300)]
    mean = {field: np.mean([getattr(one, field) for one in draws]) for field in draws[0].__dataclass_fields__}
    truth = {"source": 1.0, "target": 0.5, "relationship": 1.0, "giver_receiver": 0.3, "reciprocity": 0.4}
    assert mean == pytest.approx(truth, abs=0.06)


def test_reliability_and_shares_recover_planted_seed_noise():
    rng = np.random.default_rng(30)
    draws = []
    for _ in range(120):
        truth = planted(rng, 20)
        prompt = rng.normal(scale=0.5, size=(3, 20, 1))
        draws.append(decompose(truth + prompt + rng.normal(size=(3, 20, 20))))
    assert np.mean([one.reliability for one in draws]) == pytest.approx(0.75, abs=0.02)
    assert np.mean([one.relationship for one in draws]) == pytest.approx(1.0, abs=0.05)
    assert np.mean([one.source for one in draws]) == pytest.approx(1.0, abs=0.12)
    assert np.mean([one.seed for one in draws]) == pytest.approx(1.25, abs=0.06)
    assert sum(draws[0].shares().values()) == pytest.approx(1)


def test_reliability_predicts_how_well_two_halves_agree():
    rng = np.random.default_rng(4)
    rows = []
    for _ in range(60):
        seeds = planted(rng, 20) + rng.normal(size=(6, 20, 20))
        base_new = [effects(half.mean(axis=0)).relationship[~np.eye(20, dtype=bool)] for half in (seeds[:3], seeds[3:])]
        rows.append((np.corrcoef(*base_new)[0, 1], decompose(seeds[:3]).reliability))
    agreement, predicted = np.mean(rows, axis=0)
    assert agreement == pytest.approx(predicted, abs=0.03)


def test_one_seed_has_no_seed_noise_and_no_reliability():
    one = decompose(fixture()[None])
    assert np.isnan(one.reliability) and "seed" not in one.shares()
    assert sum(one.shares().values()) == pytest.approx(1)


def test_off_diagonal_does_not_touch_its_input():
    values = fixture()
    off_diagonal(values)
    assert np.isfinite(values).all()


def test_a_task_without_cells_takes_no_relationship_from_the_others():
    rng = np.random.default_rng(1)
    whole = rng.normal(size=(6, 6))
    missing = whole.copy()
    missing[2], missing[:, 2] = np.nan, np.nan
    others = np.delete(np.arange(6), 2)
    left = relationships(missing)
    np.testing.assert_allclose(left[np.ix_(others, others)], effects(whole[np.ix_(others, others)]).relationship)
    assert np.isnan(left[2]).all() and np.isnan(left[:, 2]).all()

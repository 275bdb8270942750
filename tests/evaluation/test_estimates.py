"""Estimators of one prompt on one target against published values, closed forms, other libraries and naive re-statements."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from scipy.spatial.distance import jensenshannon
from scipy.stats import multivariate_normal, norm, spearmanr
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss, mutual_info_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.evaluation.estimates import ESTIMATORS, Estimator, Observed, cheap, estimate, lookup
from promptatlas.evaluation.estimates.answers import agreement, information, likelihood, nuclear_norm
from promptatlas.evaluation.estimates.logme import logme
from promptatlas.evaluation.estimates.neighbours import nearest, parc
from promptatlas.evaluation.estimates.numbers import entropy, softmax
from promptatlas.evaluation.estimates.posteriors import leep, n_leep, nce
from promptatlas.evaluation.estimates.registry import Undefined
from promptatlas.evaluation.estimates.scatter import gbc, h_score, shrunk_h_score, transrate
from promptatlas.evaluation.estimates.source import first_order

FEATURES, LABELS = load_iris(return_X_y=True)
SCALED = (FEATURES - FEATURES.mean(0)) / FEATURES.std(0)
POSTERIORS = softmax(SCALED @ np.sin(np.arange(20)).reshape(4, 5))
ONE_HOT = np.eye(3, dtype=np.int64)[LABELS]
FEW = np.arange(0, 150, 5)


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (logme(FEATURES, LABELS), -0.1600602437),
        (h_score(FEATURES, LABELS), 1.1918988250),
        (shrunk_h_score(FEATURES, LABELS), 1.1778424993),
        (transrate(FEATURES, LABELS), 0.5894054064),
        (gbc(FEATURES, LABELS), -0.2306855787),
        (leep(POSTERIORS, LABELS), -0.8942358413),
        (nce(POSTERIORS, LABELS), -0.6041462413),
        (leep(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]), np.array([0, 0, 1, 1])), -0.3426157064),
        (nce(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]), np.array([0, 0, 1, 1])), 0),
    ],
)
def test_the_authors_code_gives_the_same_to_ten_digits(value, published):
    assert value == pytest.approx(published, abs=6e-11)


def largest_evidence(features, y):
    """log N(y; 0, F F'/a + I/b) / N at its largest over a and b, by the density of a normal distribution."""

    def minus(logs):
        covariance = features @ features.T / np.exp(logs[0]) + np.eye(len(y)) / np.exp(logs[1])
        return -multivariate_normal(np.zeros(len(y)), covariance).logpdf(y) / len(y)

    bounds = [(-5, 15), (-5, 15)]
    return -min(scipy.optimize.minimize(minus, [start, 1.0], method="Nelder-Mead", bounds=bounds).fun for start in (0.0, 6.0))


@pytest.mark.parametrize("width", [4, 60])
def test_logme_is_the_largest_evidence_also_with_more_features_than_images(width):
    rng = np.random.default_rng(0)
    features = np.tanh(SCALED[FEW] @ rng.normal(size=(4, width))) + rng.normal(size=(30, width))
    expected = np.mean([largest_evidence(features, ONE_HOT[FEW, c].astype(float)) for c in range(3)])
    assert logme(features, LABELS[FEW]) == pytest.approx(expected, abs=2e-4)


def test_h_score_is_pillais_trace_and_ignores_invertible_maps():
    total = np.cov(FEATURES.T) * 149
    within = sum(np.cov(FEATURES[c == LABELS].T) * 49 for c in range(3))
    roots = np.linalg.eigvals(np.linalg.solve(within, total - within)).real
    assert h_score(FEATURES, LABELS) == pytest.approx((roots / (1 + roots)).sum())
    mixed = FEATURES @ np.random.default_rng(0).normal(size=(4, 4)) + 7
    assert h_score(mixed, LABELS) == pytest.approx(h_score(FEATURES, LABELS))


def test_h_score_has_no_value_where_its_covariance_is_singular_and_the_shrunk_one_has():
    wide = np.random.default_rng(0).normal(size=(30, 40))
    with pytest.raises(Undefined, match="the covariance of 40 numbers over 30 images is singular"):
        h_score(wide, LABELS[FEW])
    fit = LedoitWolf().fit(wide)
    means = np.stack([wide[LABELS[FEW] == c].mean(0) for c in LABELS[FEW]])
    expected = (1 - fit.shrinkage_) * np.trace(fit.precision_ @ np.cov(means.T))
    assert shrunk_h_score(wide, LABELS[FEW]) == pytest.approx(expected)


def test_leep_equals_a_loop_and_keeps_its_bounds():
    joint = np.array([[POSTERIORS[y == LABELS, z].sum() / 150 for z in range(5)] for y in range(3)])
    logs = [np.log(sum(joint[y, z] / joint[:, z].sum() * p[z] for z in range(5))) for p, y in zip(POSTERIORS, LABELS, strict=True)]
    assert leep(POSTERIORS, LABELS) == pytest.approx(np.mean(logs))
    assert leep(ONE_HOT, LABELS) == 0
    assert leep(np.full((150, 4), 0.25), LABELS) == pytest.approx(-np.log(3))


def test_a_source_class_without_mass_and_a_target_class_without_images_change_nothing():
    padded = np.insert(POSTERIORS, 2, 0, axis=1)
    for of in (leep, nce):
        assert of(padded, 3 * LABELS + 1) == pytest.approx(of(POSTERIORS, LABELS), abs=1e-12)
    for of in (logme, h_score, shrunk_h_score, gbc, transrate, parc, nearest):
        assert of(FEATURES, 3 * LABELS + 1) == pytest.approx(of(FEATURES, LABELS), abs=1e-12)


def test_nce_is_mutual_information_less_entropy():
    z = POSTERIORS.argmax(1)
    assert nce(POSTERIORS, LABELS) == pytest.approx(mutual_info_score(LABELS, z) - np.log(3))


def test_n_leep_is_near_zero_for_separate_classes_and_near_the_entropy_for_none():
    apart = SCALED + 100 * ONE_HOT @ np.eye(3, 4)
    assert -1e-6 < n_leep(apart, LABELS) <= 0
    noise = np.random.default_rng(1).normal(size=(3000, 4))
    assert n_leep(noise, np.arange(3000) % 3) == pytest.approx(-np.log(3), abs=0.02)
    assert n_leep(FEATURES, LABELS) == n_leep(FEATURES, LABELS)


def test_few_images_do_not_get_a_cluster_each():
    noise = np.random.default_rng(1).normal(size=(30, 40))
    assert n_leep(noise, LABELS[FEW]) < -0.3


def test_gbc_is_minus_the_overlap_of_normal_densities():
    one, other = FEATURES[LABELS == 0, :1], FEATURES[LABELS == 1, :1]
    x = np.linspace(0, 12, 200_001)
    density = [norm(own.mean(), own.std()).pdf(x) for own in (one, other)]
    overlap = np.sqrt(density[0] * density[1]).sum() * (x[1] - x[0])
    assert gbc(np.concatenate([one, other]), np.repeat([0, 1], 50)) == pytest.approx(-2 * overlap, abs=1e-8)


def test_gbc_of_equal_and_of_separate_classes():
    alike = np.tile(FEATURES[:50], (4, 1))
    assert gbc(alike, np.repeat(range(4), 50)) == pytest.approx(-12)
    assert gbc(FEATURES + 1e3 * ONE_HOT @ np.eye(3, 4), LABELS) == pytest.approx(0, abs=1e-12)
    wide = np.random.default_rng(0).normal(size=(40, 200))
    assert -2 <= gbc(wide, np.arange(40) % 2) < -1e-9


def test_transrate_equals_log_determinants_weighted_by_the_sizes_of_classes():
    some = np.r_[0:50, 50:70, 100:150]
    f, y = FEATURES[some] - FEATURES[some].mean(0), LABELS[some]

    def rate(z):
        return np.linalg.slogdet(np.eye(4) + z.T @ z / (len(z) * 1e-4))[1] / 2

    assert transrate(FEATURES[some], y) == pytest.approx(rate(f) - sum((y == c).mean() * rate(f[y == c]) for c in range(3)))


def pairs_apart(features):
    return (1 - pd.DataFrame(SCALED if features is FEATURES else features).T.corr().to_numpy())[np.tril_indices(len(features), -1)]


def test_parc_is_spearmans_correlation_with_whether_labels_differ():
    different = (LABELS[:, None] != LABELS)[np.tril_indices(150, -1)].astype(float)
    expected = 100 * pd.Series(pairs_apart(FEATURES).round(12)).corr(pd.Series(different), method="spearman")
    assert parc(FEATURES, LABELS) == pytest.approx(expected, abs=1e-9) == pytest.approx(58.679784037, abs=1e-8)


def test_the_authors_parc_ranks_pairs_by_rounding_errors_and_ours_does_not():
    """Their 61.2170104885 on iris: 1 - correlation of equal rows is 0 for the first class and 2e-16 for the others, which are no tie then.
    So their value changes with the names of the classes."""

    def authors(marks):
        below = np.tril_indices(150, -1)
        return 100 * spearmanr((1 - np.corrcoef(SCALED))[below], marks[below])[0]

    rounded = 1.5 * (LABELS[:, None] != LABELS) + 2.220446049250313e-16 * ((LABELS[:, None] == LABELS) & (LABELS > 0))
    assert authors(rounded) == pytest.approx(61.2170104885, abs=1e-8)
    assert authors(1.5 * (rounded > 1)) == pytest.approx(parc(FEATURES, LABELS), abs=1e-4)
    assert parc(FEATURES, (LABELS + 1) % 3) == parc(FEATURES, LABELS)


@pytest.mark.parametrize("some", [np.r_[50:150], np.r_[50:54, 100:104]])
def test_neighbours_are_those_of_scikit_learn(some):
    features, labels = FEATURES[some], LABELS[some]
    k = min(5, np.bincount(labels)[1:].min() - 1)
    assert k in (3, 5)
    expected = cross_val_score(KNeighborsClassifier(k), features, labels, cv=LeaveOneOut()).mean()
    assert nearest(features, labels) == pytest.approx(expected)


def test_of_neighbours_in_equal_number_the_nearest_decides():
    line = np.array([[0.0], [1.0], [2.5], [10.0], [11.0], [12.4]])
    assert nearest(line, np.array([0, 0, 0, 1, 1, 1])) == 1
    assert nearest(np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 1, 0, 1])) == 0


def test_one_label_each_is_a_case_of_several():
    assert logme(FEATURES, ONE_HOT) == pytest.approx(logme(FEATURES, LABELS))
    assert parc(FEATURES, ONE_HOT) == parc(FEATURES, LABELS)
    binary = [leep(POSTERIORS, column) for column in ONE_HOT.T]
    assert leep(POSTERIORS, ONE_HOT) == pytest.approx(np.mean(binary))
    assert nce(POSTERIORS, ONE_HOT) == pytest.approx(np.mean([nce(POSTERIORS, column) for column in ONE_HOT.T]))
    assert likelihood(SCALED[:, :3], ONE_HOT) == pytest.approx(likelihood(SCALED[:, :3], LABELS))


def test_neighbours_of_images_with_several_labels_share_some():
    marks = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]])
    line = np.array([[0.0], [1.0], [1.1], [5.0]])
    assert nearest(line, marks) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)


def test_answers_against_other_libraries():
    p, q = softmax(SCALED[:, :3] * 3), softmax(SCALED[:, 1:])
    assert likelihood(SCALED[:, :3] * 3, LABELS) == pytest.approx(-log_loss(LABELS, p))
    assert agreement(p, q) == pytest.approx(1 - np.mean(jensenshannon(p, q, base=2, axis=1) ** 2))
    assert agreement(p, p) == pytest.approx(1) and agreement(np.eye(3), np.eye(3)[[1, 2, 0]]) == pytest.approx(0)
    assert information(ONE_HOT) == pytest.approx(np.log(3)) and information(np.tile(p[:1], (9, 1))) == pytest.approx(0)
    assert nuclear_norm(ONE_HOT) == pytest.approx(1) and nuclear_norm(np.full((9, 3), 1 / 3)) == pytest.approx(1 / 3)
    assert entropy(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx([0, np.log(2)])


def test_gradient_alignment_foretells_a_small_step():
    rng = np.random.default_rng(0)
    weights, start, step = rng.normal(size=(6, 6)), rng.normal(size=6), 1e-5 * rng.normal(size=6)

    def loss(x):
        return (np.tanh(weights @ x) ** 2).sum()

    slope = 2 * weights.T @ (np.tanh(weights @ start) / np.cosh(weights @ start) ** 2)
    assert first_order(slope, step) == pytest.approx(loss(start) - loss(start + step), rel=1e-3)


def observed(logits, **more):
    return Observed(logits=np.asarray(logits, dtype=np.float32), **more)


def everything(logits, labels, rng):
    images = len(logits)
    return observed(
        logits, labels=labels, source_probabilities=softmax(rng.normal(size=(images, 4))), hand_written=rng.normal(size=logits.shape),
        majority=softmax(rng.normal(size=logits.shape)), delta=rng.normal(size=5), gradient=rng.normal(size=5), validation=0.5,
    )  # fmt: skip


ODD = {
    "one image per class": (np.eye(4), np.arange(4)),
    "one image": (np.ones((1, 3)), np.array([1])),
    "one class": (np.arange(20.0).reshape(10, 2), np.zeros(10, dtype=np.int64)),
    "a single class": (np.zeros((6, 1)), np.zeros(6, dtype=np.int64)),
    "answers that are all the same": (np.ones((12, 3)), np.arange(12) % 3),
    "answers that are zero": (np.zeros((12, 3)), np.arange(12) % 3),
    "an image without labels": (np.eye(4), np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]])),
    "no labels": (np.eye(4), np.zeros((4, 4), dtype=np.int64)),
    "all labels": (np.eye(4), np.ones((4, 4), dtype=np.int64)),
    "many classes": (np.random.default_rng(0).normal(size=(40, 1000)), np.arange(40) // 2),
    "sure answers": (1e4 * np.eye(3)[np.arange(30) % 3], np.arange(30) % 3),
    "what is not a number": (np.full((6, 2), np.nan), np.arange(6) % 2),
    "two answers": (np.random.default_rng(0).normal(size=(32, 2)), np.arange(32) % 2),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("error")
def test_every_estimator_has_a_number_or_a_reason(name):
    given = everything(*ODD[name], np.random.default_rng(0))
    for estimator, found in estimate(given, [*ESTIMATORS]).items():
        assert np.isfinite(found.value) != bool(found.reason), estimator
    alone = estimate(observed(given.logits), [*ESTIMATORS])
    assert all(np.isnan(alone[estimator].value) for estimator in alone if lookup(estimator).needs)


@pytest.mark.parametrize(
    ("estimator", "name", "reason"),
    [
        ("est_knn", "one image per class", "a class has 1 of the images, and it needs 2"),
        ("est_logme", "one class", "1 of the classes have images, and it needs 2"),
        ("est_information", "one image", "1 images, and it needs 2"),
        ("est_hscore", "an image without labels", "images have several labels"),
        ("est_logme", "answers that are zero", "the answers are zero"),
        ("est_entropy", "what is not a number", "the answers are not finite numbers"),
    ],
)
def test_a_gap_says_why(estimator, name, reason):
    found = estimate(everything(*ODD[name], np.random.default_rng(0)), [estimator])[estimator]
    assert np.isnan(found.value) and found.reason == reason


def test_what_is_not_given_is_named():
    found = estimate(observed(np.eye(3)), ["est_leep", "est_confidence", "est_agree_hand"])
    assert [one.reason for one in found.values()] == ["labels are not given", "", "answers of the zero-shot prompt are not given"]


def test_image_features_count_only_where_the_prompt_changes_them():
    labels, rng = np.arange(60) % 3, np.random.default_rng(0)
    logits, features = rng.normal(size=(60, 3)), rng.normal(size=(60, 8))
    assert estimate(observed(logits, labels=labels), ["est_logme"])["est_logme"].value == logme(np.float32(logits), labels)
    assert estimate(observed(logits, labels=labels, features=features), ["est_logme"])["est_logme"].value == logme(features, labels)


def test_the_better_of_two_prompts_has_the_larger_estimate():
    """All are larger = better: a prompt whose answers fit the labels against one whose answers are noise."""
    rng, labels = np.random.default_rng(0), np.arange(120) % 4
    truth, noise = 5 * np.eye(4)[labels] + rng.normal(size=(120, 4)), rng.normal(size=(120, 4))
    common = {"labels": labels, "hand_written": 5 * np.eye(4)[labels], "majority": np.eye(4)[labels], "gradient": np.ones(3)}
    better = observed(truth, **common, source_probabilities=softmax(truth), delta=-np.ones(3), validation=0.9)
    worse = observed(noise, **common, source_probabilities=softmax(noise), delta=np.ones(3), validation=0.4)
    one, other = (estimate(each, [*ESTIMATORS]) for each in (better, worse))
    assert all(one[name].value > other[name].value for name in ESTIMATORS)


def test_cheap_ones_leave_out_what_is_costly_and_some_need_no_label():
    assert {*ESTIMATORS} - {*cheap()} == {"est_nleep"}
    assert {name for name, one in ESTIMATORS.items() if not one.labelled} == {
        "est_confidence", "est_entropy", "est_information", "est_nuclear", "est_agree_hand", "est_agree_majority", "src_validation",
    }  # fmt: skip


def test_mistakes_are_told_in_one_sentence():
    with pytest.raises(UserError, match="estimator 'est_logmee' is unknown; did you mean 'est_logme'"):
        estimate(observed(np.eye(3)), ["est_logmee"])
    with pytest.raises(UserError, match="estimator 'mine': there is no 'label' to need; did you mean 'labels'"):
        Estimator("mine", "", "", "", "", ("label",), lambda given: 0.0)
    with pytest.raises(UserError, match="a name has letters, digits and _ only"):
        Estimator("by title", "", "", "", "", (), lambda given: 0.0)
    with pytest.raises(UserError, match=r"estimator 'mine': its function takes \(\), but is called with \(observed\)"):
        Estimator("mine", "", "", "", "", (), lambda: 0.0)


def test_what_a_plugin_does_wrong_costs_its_own_values_and_an_error_of_the_library_is_none_of_it(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from promptatlas.evaluation.estimates import estimator\n\n"
        '@estimator("mine", "Mine", "", "")\ndef mine(observed):\n    return 1 / 0\n'
    )
    try:
        plugins.load([str(tmp_path / "mine.py")])
        found = estimate(observed(np.eye(3)), ["mine", "est_confidence"])
        assert np.isnan(found["mine"].value) and np.isfinite(found["est_confidence"].value)
        assert found["mine"].reason == "mine.py: ZeroDivisionError: division by zero (line 5); mend the plugin"
    finally:
        plugins.load([])
    broken = replace(ESTIMATORS["est_confidence"], compute=lambda given: 1 / 0)
    monkeypatch.setitem(ESTIMATORS._entries, "est_confidence", broken)
    with pytest.raises(ZeroDivisionError):
        estimate(observed(np.eye(3)), ["est_confidence"])

"""Any matrix, read and analysed, against closed forms, published values and naive restatements."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, t

from promptatlas.analysis import statistics
from promptatlas.analysis.any_matrix import analyse, families, given, groups, numbers, records, scales, similarities, table
from promptatlas.base.errors import UserError
from promptatlas.report.any_matrix import lines
from synthetic_study import similarity_table, tasks_table, transfer_table

FIG4 = Path(analyse.__file__).parents[1] / "published" / "mvlpt_fig4.csv"
ONE_TO_8 = np.arange(1, 9)
ROW, COLUMN = np.meshgrid(ONE_TO_8, ONE_TO_8, indexing="ij")
Y = np.sin(1.7 * ROW) + np.cos(0.9 * COLUMN) + 0.8 * np.sin(2.3 * ROW * COLUMN)  # the fixture whose values R packages gave
X1 = np.sin(2.3 * ROW * COLUMN) + 0.5 * np.cos(ROW + 2 * COLUMN)
EIGHT = [f"t{k}" for k in ONE_TO_8]


def gathered(*files, baseline=None, ceiling=None, unit=None, lower_is_better=False, columns=None):
    """Files are texts, or (name, text)."""
    named = [one if isinstance(one, tuple) else ("m", one) for one in files]
    read = [(name, records.of_table(table.of_text(text, f"{name}.csv"), columns)) for name, text in named]
    return given.gather(read, baseline, ceiling, unit, lower_is_better)


def analysed(*files, similar=(), permutations=99, confirmatory=(), **how):
    found = gathered(*files, **how)
    known, left_out = scales.available(found)
    near = [(name, similarities.read(table.of_text(text, f"{name}.csv"))) for name, text in similar]
    closeness = similarities.gather(near, found.tasks, found.notes)
    kin = families.read(None, found.tasks, found.notes)
    primary = scales.primary(known, left_out, None)
    return analyse.analysis(found, known, primary, left_out, closeness, kin, permutations, confirmatory)


def square(values, names, separator=",", text=str):
    lines = [separator.join(["", *names])]
    return "\n".join(lines + [separator.join([name, *map(text, row)]) for name, row in zip(names, values, strict=True)])


def long(values, names, head="source,target,seed,score"):
    """values (S, n, n)."""
    cells = np.ndindex(values.shape)
    return (
        "\n".join([head, *(f"{names[i]},{names[j]},{s},{values[s, i, j]!r}" for s, i, j in cells)])
        .replace("np.float64(", "")
        .replace(")", "")
    )


def estimates(found, test, response="raw"):
    rows = found.tables["statistics"].query("test == @test and response == @response")
    return rows.set_index("measure")["estimate"].to_dict()


def test_effects_and_shares_are_those_of_r_tripler():
    found = analysed(square(Y, EIGHT))
    actor = [
        0.921030428197,
        -0.305142739181,
        -0.901033368946,
        0.597553733551,
        0.509048119456,
        -0.614756132939,
        -0.537864779754,
        0.331164739615,
    ]
    assert found.tables["effects"]["gives"].to_numpy() == pytest.approx(np.array(actor))
    shares = estimates(found, "variance_share")
    assert shares["source"] / shares["relationship"] == pytest.approx(0.389682401171 / 0.358789393845)


def test_correlation_with_a_similarity_is_the_partial_one_given_rows_and_columns():
    """By least squares on dummies of sources and targets, over the pairs of different tasks."""
    row = (
        analysed(square(Y, EIGHT), similar=[("near", square(X1, EIGHT))])
        .tables["statistics"]
        .query("test == 'two_way' and response == 'raw'")
    )
    off = ~np.eye(8, dtype=bool)
    dummies = np.column_stack([np.eye(8)[(ROW - 1)[off]], np.eye(8)[(COLUMN - 1)[off]]])
    left = [values[off] - dummies @ np.linalg.lstsq(dummies, values[off], rcond=None)[0] for values in (Y, X1)]
    assert row["estimate"].item() == pytest.approx(np.corrcoef(*left)[0, 1])
    assert row["measure"].item() == "near" and not row["confirmatory"].item()


def test_the_printed_figure_4_has_the_known_shares_and_agreements():
    found = analysed(("fig4", FIG4.read_text()))
    table = found.tables["statistics"].query("response == 'raw'")
    share = table.query("test == 'variance_share' and measure == 'target'").set_index("method")["estimate"]
    assert share.round(2).to_dict() == {"coop": 0.80, "vpt": 0.76, "upt": 0.75}
    agreement = table.query("test == 'agreement'").set_index("method")
    assert agreement["estimate"].round(2).to_dict() == {"coop~vpt": 0.15, "coop~upt": 0.35, "upt~vpt": 0.25}
    assert agreement.loc["coop~upt", ["low", "high"]].astype(float).round(2).tolist() == [0.10, 0.56]
    regret = table.query("test == 'regret@1_share' and measure == 'ctrl_static'").set_index("method")["estimate"]
    assert regret.round(2).to_dict() == {"coop": 0.24, "vpt": 0.33, "upt": 0.34}


def closed_form(one, other):
    """Variances of source, target and relationship that two matrices have in common (Warner, Kenny & Stoto 1979)."""
    n, fits = len(one), []
    for values in (one, other):
        values = np.where(np.eye(n, dtype=bool), 0, values)
        row, column = values.sum(axis=1) / (n - 1), values.sum(axis=0) / (n - 1)
        mean = row.mean()
        a = (n - 1) ** 2 / (n * (n - 2)) * row + (n - 1) / (n * (n - 2)) * column - (n - 1) / (n - 2) * mean
        b = (n - 1) ** 2 / (n * (n - 2)) * column + (n - 1) / (n * (n - 2)) * row - (n - 1) / (n - 2) * mean
        fits.append((a, b, np.where(np.eye(n, dtype=bool), 0, values - mean - a[:, None] - b)))
    (a, b, g), (a2, b2, g2) = fits
    d = ((g + g.T) / 2 * (g2 + g2.T) / 2).sum() / ((n - 1) * (n - 2) / 2 - 1)
    e = ((g - g.T) * (g2 - g2.T)).sum() / 2 / ((n - 1) * (n - 2))
    own, mutual = (d + e) / 2, (d - e) / 2
    source = (a * a2).sum() / (n - 1) - (own * (n - 1) + mutual) / (n * (n - 2))
    target = (b * b2).sum() / (n - 1) - (own * (n - 1) + mutual) / (n * (n - 2))
    return np.array([target, source, own])


def test_shares_and_reliability_over_seeds_are_those_of_closed_forms():
    rng = np.random.default_rng(5)
    signal = rng.normal(0, 1, (9, 9)) + rng.normal(0, 1, 9) + rng.normal(0, 0.7, (9, 1))
    values = signal + rng.normal(0, 0.5, (3, 9, 9))
    found = analysed(long(values, [f"t{k}" for k in range(9)]))
    total = np.mean([closed_form(one, one) for one in values], axis=0)
    common = np.mean([closed_form(*pair) for pair in combinations(values, 2)], axis=0)
    noise = np.maximum(total - common, 0).sum()
    whole = common.sum() + noise
    shares = estimates(found, "variance_share")
    assert [shares[part] for part in ("target", "source", "relationship", "seed")] == pytest.approx([*(common / whole), noise / whole])
    reliability = common[2] / (common[2] + (total - common)[2] / 3)
    assert estimates(found, "reliability")["relationship"] == pytest.approx(reliability)


def test_a_long_table_in_any_order_and_a_square_one_give_the_same():
    names = ["dogs", "Zürich streets", "cats", "pets"]
    values = np.random.default_rng(1).uniform(0.1, 0.9, (1, 4, 4))
    lines = long(values, names).split("\n")
    shuffled = "\n".join([lines[0], *np.random.default_rng(2).permutation(lines[1:])])
    one, two, three = (gathered(text).matrices[0] for text in (square(values[0], names), "\n".join(lines), shuffled))
    assert one.tasks == tuple(sorted(names))
    assert (one.score == two.score).all() and (two.score == three.score).all()
    assert two.score[0, one.tasks.index("pets"), one.tasks.index("dogs")] == values[0, 3, 0]


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        (";", lambda value: f"{value:.3f}".replace(".", ",")),
        ("\t", lambda value: f"{100 * value:.1f} %"),
        (",", lambda value: f"{100 * value:.1f}"),
    ],
)
def test_decimal_commas_and_percent_are_read_as_what_they_are(separator, text):
    values = np.round(np.random.default_rng(3).uniform(0.1, 0.9, (5, 5)), 3)
    found = gathered(square(values, list("abcde"), separator, text))
    assert found.matrices[0].score[0] == pytest.approx(values) and found.unit == "share"


def test_columns_are_found_by_the_names_that_people_use_or_by_those_that_are_given():
    text = "seed,ft_task,task,perfection_gap_factor,n\n" + "\n".join(
        f"s0,{a},{b},{v},7" for a, b, v in [("x", "y", -0.5), ("y", "x", 0.25)]
    )
    found = gathered(text)
    assert found.matrices[0].score[0, 0, 1] == -0.5 and found.unit == "other"
    assert any("score from 'perfection_gap_factor'" in note for note in found.notes) and any("not used: n" in note for note in found.notes)
    other = gathered(text, columns={"source": "task", "target": "ft_task"})
    assert other.matrices[0].score[0, 1, 0] == -0.5


def test_files_of_one_name_are_seeds_and_of_different_names_methods():
    a, b = ([[np.nan, 1.0], [2.0, 3.0]], [[0.0, 4.0], [5.0, 6.0]])
    texts = [square(values, ["x", "y"], text=lambda value: "" if np.isnan(value) else str(value)) for values in (a, b)]
    seeds = gathered(("m", texts[0]), ("m", texts[1]))
    assert len(seeds.matrices) == 1 and seeds.matrices[0].seeds == ("1", "2")
    assert np.array_equal(seeds.matrices[0].score, [a, b], equal_nan=True)
    assert [one.method for one in gathered(("m", texts[0]), ("k", texts[1])).matrices] == ["m", "k"]


SHARES = np.random.default_rng(4).uniform(0.1, 0.9, (2, 5, 5))
BASE = np.array([0.2, 0.3, 0.1, 0.4, 0.25])


def with_baseline(values=SHARES, base=BASE, more=""):
    cells = [f"t{i},t{j},{s},{float(values[s, i, j])!r},{float(base[j])!r}{more}" for s, i, j in np.ndindex(values.shape)]
    return "\n".join(["source,target,seed,score,baseline" + (",n_test" if more else ""), *cells])


def test_each_scale_equals_its_formula():
    found = gathered(with_baseline())
    known, left_out = scales.available(found)
    one, logit = found.matrices[0], lambda value: np.log(value / (1 - value))
    assert not left_out and next(iter(known)) == "gain"
    expected = {
        "gain": 100 * (SHARES - BASE), "raw": SHARES, "column_ratio": SHARES / SHARES.max(axis=1, keepdims=True),
        "perfection_gap": (SHARES - BASE) / (1 - BASE), "logit_gain": logit(SHARES) - logit(BASE),
    }  # fmt: skip
    for name, values in expected.items():
        assert known[name].matrix(one) == pytest.approx(values), name
    for s, j in np.ndindex(2, 5):
        others = [i for i in range(5) if i != j]
        ranks = (rankdata(SHARES[s, others, j]) - 1) / 3
        assert known["rank"].matrix(one)[s, others, j] == pytest.approx(ranks)
        assert known["rank"].matrix(one)[s, j, j] == pytest.approx((SHARES[s, others, j] < SHARES[s, j, j]).mean())
    assert set(known) == {*expected, "rank"}


def test_scores_of_0_and_1_have_log_odds_where_the_number_of_test_images_is_known():
    values = SHARES.copy()
    values[0, 1, 2] = 1.0
    assert "n_test" in scales.available(gathered(with_baseline(values)))[1]["log_odds"]
    found = gathered(with_baseline(values, more=",100"))
    logit = scales.available(found)[0]["logit_gain"].matrix(found.matrices[0])
    assert logit[0, 1, 2] == pytest.approx(np.log(100.5 / 0.5) - np.log((10 + 0.5) / (90.5)))


def test_the_perfection_gap_is_missing_where_the_baseline_reaches_the_ceiling_and_that_is_told():
    found = analysed(with_baseline(base=np.array([0.2, 1.0, 0.1, 0.4, 0.25])))
    gap = found.scales["perfection_gap"].matrix(found.given.matrices[0])
    assert np.isnan(gap[:, :, 1]).all() and np.isfinite(np.delete(gap, 1, axis=2)).all()
    assert any("Perfection gap factor: 10 scores have no value" in note for note in found.summary["notes"])


def test_a_scale_without_any_value_is_left_out():
    known, left_out = scales.available(gathered(with_baseline(), ceiling="0.05"))
    assert "perfection_gap" not in known and "reaches its ceiling" in left_out["perfection_gap"]


def test_a_ceiling_that_is_given_is_the_one_of_the_perfection_gap():
    found = gathered(with_baseline(), ceiling="0.95")
    assert scales.available(found)[0]["perfection_gap"].matrix(found.matrices[0]) == pytest.approx((SHARES - BASE) / (0.95 - BASE))


@pytest.mark.parametrize(
    ("values", "why"),
    [(SHARES - 0.5, {"gain", "column_ratio", "perfection_gap", "log_odds"}), (5 * SHARES, {"gain", "perfection_gap", "log_odds"})],
)
def test_scales_that_make_no_sense_are_left_out_with_a_sentence(values, why):
    known, left_out = scales.available(gathered(long(values, EIGHT[:5])))
    assert set(left_out) == why and all(len(sentence) > 10 for sentence in left_out.values()) and not set(known) & why


def test_a_row_that_is_a_source_only_can_be_the_baseline():
    text = square(SHARES[0], EIGHT[:5]) + "\nzero-shot," + ",".join(map(str, BASE))
    plain, based = gathered(text), gathered(text, baseline="zero-shot")
    assert (
        "--baseline 'zero-shot'" in "".join(plain.notes)
        and "zero-shot" in plain.matrices[0].rows
        and "gain" not in scales.available(plain)[0]
    )
    assert scales.available(based)[0]["gain"].matrix(based.matrices[0])[0] == pytest.approx(100 * (SHARES[0] - BASE))


def test_a_baseline_without_seeds_is_that_of_all_seeds_and_is_no_seed_itself():
    text = long(SHARES, EIGHT[:5]).replace(",0,", ",first,").replace(",1,", ",second,")
    row = "\n".join(f"zero-shot,{name},,{value}" for name, value in zip(EIGHT, BASE, strict=False))
    found = gathered(text + "\n" + row, baseline="zero-shot")
    assert found.matrices[0].seeds == ("first", "second") and "The baseline is the row 'zero-shot'." in found.notes
    assert scales.available(found)[0]["gain"].matrix(found.matrices[0]) == pytest.approx(100 * (SHARES - BASE))
    percent = gathered(square(100 * SHARES[0], EIGHT[:5]), baseline="25")
    assert gathered(square(SHARES[0], list("12345")), baseline="5").tasks == tuple("12345")
    assert (percent.matrices[0].baseline == 0.25).all() and "The baseline is 25 % for every target." in percent.notes


def test_a_method_that_only_holds_rows_beside_the_matrix_is_left_out_and_that_is_told():
    rows = [f"ours,{source},{target},0.{k}" for k, (source, target) in enumerate([("a", "b"), ("b", "a"), ("a", "a")], 1)]
    found = gathered("\n".join(["method,source,target,score", *rows, "zero-shot,none,a,0.3"]))
    assert [one.method for one in found.matrices] == ["ours"] and any("left out: zero-shot" in note for note in found.notes)


def test_losses_are_turned_so_that_the_best_source_is_the_least():
    text = long(3 * SHARES, EIGHT[:5]).replace("score", "loss")
    assert any("--lower-is-better" in note for note in gathered(text).notes)
    found = gathered(text, lower_is_better=True)
    ranks = scales.available(found)[0]["rank"].matrix(found.matrices[0])
    assert ranks[0, :, 0][1:].argmax() == SHARES[0, 1:, 0].argmin()


def test_a_missing_diagonal_is_told_and_changes_no_estimate():
    there, without = (
        square(Y, EIGHT),
        square(np.where(ROW == COLUMN, np.nan, Y), EIGHT, text=lambda value: "" if np.isnan(value) else str(value)),
    )
    one, other = analysed(there), analysed(without)
    pick = [found.tables["statistics"].query("response == 'raw' and test != 'reliability'")["estimate"] for found in (one, other)]
    assert len(pick[0]) > 8 and pick[0].to_numpy() == pytest.approx(pick[1].to_numpy(), nan_ok=True)
    assert any("diagonal is missing" in note for note in other.given.notes) and not any("diagonal" in note for note in one.given.notes)


def test_distances_are_turned_and_halves_are_mirrored():
    distance = np.abs(ROW - COLUMN).astype(float)
    whole, half = (
        square(distance, EIGHT),
        square(np.where(COLUMN > ROW, -distance, np.nan), EIGHT, text=lambda value: "" if np.isnan(value) else str(value)),
    )
    one, other = (analysed(square(Y, EIGHT), similar=[("near", text)]) for text in (whole, half))
    assert estimates(one, "two_way") == pytest.approx(estimates(other, "two_way"))
    assert "read as a distance" in one.given.notes[-1] and "one half" in other.given.notes[-1]


def test_a_measure_that_is_named_beforehand_is_confirmatory_on_the_scale_of_headlines_alone():
    found = analysed(square(Y, EIGHT), similar=[("near", square(X1, EIGHT)), ("far", square(-X1.T, EIGHT))], confirmatory=["near"])
    named = found.tables["statistics"].query("confirmatory")
    assert named[["measure", "test", "response"]].to_numpy().tolist() == [["near", "two_way", "raw"]] and named["p_holm"].notna().all()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (" 1,5 ", 1.5),
        ("−3", -3.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-2", 0.01),
        ("12 %", 12.0),
        (7, 7.0),
        (np.float32(0.5), 0.5),
    ],
)
def test_numbers_are_read(text, value):
    assert numbers.read(text)[0] == value


@pytest.mark.parametrize("text", ["", "nan", "NA", "n/a", "-", None, np.nan])
def test_missing_numbers_are_missing(text):
    assert np.isnan(numbers.read(text)[0])


@pytest.mark.parametrize("text", ["good", "1_000", "0x1", "1,234.5", "inf", "-inf", "1e400", True, "%", "0.5 0.6", "٣", "1 2"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is no"):
        numbers.read(text)


GOOD = long(SHARES[:1], EIGHT[:5])


@pytest.mark.parametrize(
    ("text", "how", "told"),
    [
        (GOOD + "\nt1,t2,0,0.5", {}, r"m.csv, line 27: t1 -> t2 stands there again, after line 3; remove one"),
        (GOOD.replace("t1,t2,0,", "t1,t2,0,x"), {}, r"m.csv, line 3, column 'score': 'x0.* is no number"),
        (GOOD.replace("t1,t2,0,", "t1,t2,0,-"), {"unit": "share"}, r"m.csv, line 3: -0.* is no share"),
        (GOOD.replace("t1,t2,", ",t2,"), {}, r"m.csv, line 3, column 'source', has no name"),
        ("source,target,score\na,a,.3", {}, "only 'a' is both source and target"),
        ("source,target,score\na,b,.3\nA b,a,.2\nc,Ab,.1\nb,c,.2", {}, "'A b' is a source only and 'Ab' a target only; they look"),
        ("source,target,score\na,b,.3\nc,d,.2", {}, "no name is both source and target"),
        ("source,target,one,two\na,b,.3,.4\nb,a,.3,.4", {}, "any of one, two could be the score; say which it is by `--columns score="),
        ("source,target,score\na,b,\nb,a,", {}, "m.csv holds no score"),
        (",a,b,b\na,1,2,3\nb,1,2,3", {}, "two columns are called 'b'"),
        (",a,,b\na,1,2,3\nb,1,2,3", {}, "one of the columns has no name"),
        (",a,b\na,0,5,0,3\nb,0,1,0,2", {}, "line 2, has 5 cells where the first line has 3; where numbers have a decimal comma"),
        (",a,b\na,10%,5\nb,2,3", {}, "some numbers have a percent sign"),
        (',a,b\n"a,1,2\nb,1,2', {}, "look at its quotes"),
        ("a\nb\nc", {}, "has one column only"),
        ("", {}, "m.csv is empty"),
        ("source,target,score\n", {}, "nothing below it"),
        ("1,2\n3,4", {}, "no matrix that can be read"),
        (GOOD, {"columns": {"score": "scor"}}, "has no column 'scor'; did you mean 'score'"),
        (GOOD, {"columns": {"scor": "score"}}, "there is no 'scor'; did you mean 'score'"),
        (GOOD, {"unit": "shares"}, "did you mean 'share'"),
        (GOOD, {"baseline": "nothing"}, "`--baseline` says 'nothing'"),
        ("method,source,target,score\na,x,y,.5\na,y,x,.4\nb,x,y,50\nb,y,x,60", {}, "scores of 'a' are at most 1 and others go up to 60"),
        ("source,target,score,baseline\na,b,.5,.1\nb,a,.4,.2\nb,b,.3,.3", {}, "'baseline' has several values for the target 'b'"),
        ("source,target,score\na,b,1e200\nb,a,.4", {}, "cannot be reckoned with; write them in another unit"),
        (square(np.ones((251, 251)), [f"t{k}" for k in range(251)]), {}, "has 251 tasks; up to 250"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_one_sentence(text, how, told):
    with pytest.raises(UserError, match=told) as error:
        gathered(text, **how)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_tasks_are_analysed_as_far_as_they_go_and_the_reason_is_told(n):
    found = analysed(square(SHARES[0, :n, :n], EIGHT[:n]))
    row = found.tables["statistics"].query("test == 'variance_share' and response == 'raw'")
    assert row["estimate"].isna().all() and row["reason"].str.contains("fewer than 4 tasks").all()
    assert found.summary["order"] == EIGHT[:n] and len(found.tables["transfer"]) == n * n


def test_similarities_of_other_names_are_refused():
    for text, told in (
        (square(X1[:3, :3], ["T1", "T 2", "T-3"]), "needs the names of the matrix"),
        (square(X1, [*EIGHT[:7], "T_8"]), "'T_8' is called 't8' in the matrix"),
        (long(X1[None], EIGHT).replace(",0,", ",").replace(",seed", "") + "\nt1,t2,0.5", "stands there again"),
    ):
        with pytest.raises(UserError, match=told):
            analysed(square(Y, EIGHT), similar=[("near", text)])


def test_a_frame_and_a_parquet_file_are_read_like_text(tmp_path):
    frame = pd.DataFrame(Y, EIGHT, EIGHT)
    frame.to_parquet(tmp_path / "m.parquet")
    one, other = (given.gather([("m", records.of_table(one))]) for one in (table.of_frame(frame, "m"), table.read(tmp_path / "m.parquet")))
    assert (one.matrices[0].score == Y).all() and (other.matrices[0].score == Y).all()


def test_the_tables_of_a_study_are_matrices_like_others_with_the_same_estimates():
    near = similarity_table(7)
    study = transfer_table(7), near[near["family"] != "truth"], tasks_table(7)
    wanted = statistics.analyse(*study, permutations=99)
    near = similarities.read(table.of_frame(study[1], "similarity"))
    found = given.gather([("study", records.of_table(table.of_frame(study[0], "transfer")))], baseline="template")
    known, left_out = scales.available(found)
    kin = families.read(table.of_frame(study[2][["task", "family"]], "tasks"), found.tasks, found.notes)
    closeness = similarities.gather([("near", near)], found.tasks, found.notes)
    result = analyse.analysis(found, known, known["logit_gain"], left_out, closeness, kin, 99)
    keys, numbers_of = ["response", "method", "protocol", "measure", "test"], ["estimate", "low", "high", "p"]
    ours, theirs = (one.set_index(keys)[numbers_of] for one in (result.tables["statistics"], wanted))
    both = ours.index.intersection(theirs.index)
    assert {"raw", "column_ratio", "logit_gain", "perfection_gap"} == set(both.get_level_values("response"))
    assert set(both.get_level_values("test")) == set(wanted["test"])
    assert ours.loc[both].to_numpy() == pytest.approx(theirs.loc[both].to_numpy(), nan_ok=True)


def test_two_matrices_are_compared_by_their_differences_and_their_effects():
    rng = np.random.default_rng(7)
    a, b = rng.uniform(0.2, 0.8, (2, 6, 6))
    b[1, 2] = np.nan
    names = list("uvwxyz")
    blank = lambda value: "" if np.isnan(value) else repr(float(value))  # noqa: E731
    found = analysed(("one", square(a, names, text=blank)), ("two", square(b, names, text=blank)))
    there = ~np.eye(6, dtype=bool) & np.isfinite(b)
    row, column = np.nonzero(there)
    dummies = np.column_stack([np.ones(len(row)), np.eye(6)[row][:, 1:], np.eye(6)[column][:, 1:]])
    fits = [np.linalg.lstsq(dummies, values[there], rcond=None)[0] for values in (a, b)]
    sides = [[np.append(0, fit[1:6]), np.append(0, fit[6:])] for fit in fits]
    got = found.tables["comparison"].set_index("what")
    assert set(got["method"]) == {"one~two"} and set(got["n_cells"]) == {29}
    expected = {
        "difference": (a - b)[there].mean(), "higher": (a > b)[there].mean(),
        "rank_correlation": np.corrcoef(rankdata(a[there]), rankdata(b[there]))[0, 1],
        "giving": np.corrcoef(sides[0][0], sides[1][0])[0, 1], "receiving": np.corrcoef(sides[0][1], sides[1][1])[0, 1],
    }  # fmt: skip
    assert got["estimate"].to_dict() == pytest.approx(expected)
    gaps = [np.nanmean(np.where(there, a - b, np.nan)[np.ix_(keep, keep)]) for keep in (np.delete(np.arange(6), k) for k in range(6))]
    half = t.ppf(0.975, 5) * np.sqrt(5 / 6 * ((gaps - np.mean(gaps)) ** 2).sum())
    assert got.loc["difference", ["low", "high"]].to_list() == pytest.approx([expected["difference"] - half, expected["difference"] + half])


def test_similarities_explain_a_matrix_together_and_are_held_against_each_other():
    """By dummy regressions; with seeds there is a ceiling, with one none, and a reason."""
    rng = np.random.default_rng(8)
    near, far = rng.normal(size=(2, 7, 7))
    scores = 0.5 + 0.05 * (2 * near + rng.normal(size=(7, 7)) + 0.3 * rng.normal(size=(2, 7, 7)))
    names = list("tuvwxyz")
    similar = [("near", square(near, names)), ("far", square(far, names))]
    found = analysed(("one", long(scores, names)), ("two", square(scores[0] ** 2, names)), similar=similar)
    off = ~np.eye(7, dtype=bool)
    row, column = np.nonzero(off)
    dummies = np.column_stack([np.eye(7)[row], np.eye(7)[column]])
    left = [one[off] - dummies @ np.linalg.lstsq(dummies, one[off], rcond=None)[0] for one in (scores.mean(axis=0), near, far)]
    slopes = np.linalg.lstsq(np.column_stack(left[1:]), left[0], rcond=None)[0]
    explained = found.tables["explained"].query("method == 'one'").set_index(["what", "measure"])["estimate"]
    share = 1 - ((left[0] - np.column_stack(left[1:]) @ slopes) ** 2).sum() / (left[0] @ left[0])
    assert explained["together", ""] == pytest.approx(share) and set(found.tables["explained"]["set"]) == {"given"}
    assert explained["coefficient", "near"] == pytest.approx(slopes[0] * np.linalg.norm(left[1]) / np.linalg.norm(left[0]))
    reliability = found.tables["statistics"].query("test == 'reliability' and method == 'one' and response == 'raw'")["estimate"].item()
    assert explained["of_ceiling", ""] == pytest.approx(share / reliability)
    single = found.tables["explained"].query("method == 'two' and what == 'ceiling'")
    assert single["estimate"].isna().all() and single["reason"].str.startswith("one seed").all()
    links = found.tables["contrasts"].query("what == 'link'").set_index(["method", "measure"])["estimate"]
    r = [np.corrcoef(left[0], one)[0, 1] for one in left[1:]]
    assert links["one", "near~far"] == pytest.approx(r[0] - r[1]) and {("one~two", "near"), ("one~two", "far")} <= {*links.index}
    gain = found.tables["contrasts"].query("what == 'gain'")["estimate"].item()
    assert gain == pytest.approx((scores.mean(axis=0) - scores[0] ** 2)[off].mean())
    told = lines(found.summary)
    assert sum("near explains" in line for line in told) == 2 and any("cannot be told: one seed" in line for line in told)


def planted(rng, strength, n=12, seeds=3):
    member = np.arange(n) % 3
    signal = strength * (member[:, None] == member) + rng.normal(0, 1, n) + rng.normal(0, 1, (n, 1))
    return member, signal + rng.normal(0, 0.5, (seeds, n, n))


def test_planted_groups_are_found_and_hold_in_seeds_that_did_not_choose_them():
    member, values = planted(np.random.default_rng(0), 2.0)
    found = groups.groups(values)
    assert ((found.label[:, None] == found.label) == (member[:, None] == member)).all()
    assert found.p < 0.01 and found.stability == 1 and found.held_out > 0.5 and abs(found.random) < 0.1 and found.reason == ""


@pytest.mark.slow
def test_groups_without_a_plan_are_rarely_taken_for_more():
    """Apparent worth is far above that of random groups, that in seeds left out is not."""
    rng = np.random.default_rng(1)
    every = [groups.groups(planted(rng, 0.0)[1], 99) for _ in range(40)]
    assert np.mean([one.p < 0.1 for one in every]) <= 0.2
    assert np.mean([one.apparent for one in every]) > 0.1 > abs(np.mean([one.held_out for one in every]))


def test_groups_that_cannot_be_told_have_a_reason():
    rng = np.random.default_rng(2)
    additive = rng.normal(0, 1, (1, 8)) + rng.normal(0, 1, (8, 1))
    assert groups.groups(rng.normal(0, 1, (2, 5, 5))).reason == groups.TOO_FEW
    assert groups.groups(np.stack([additive, additive])).reason == groups.NOTHING
    one = groups.groups(planted(rng, 2.0)[1][:1])
    assert one.reason == groups.NO_SEEDS and np.isnan(one.p) and one.apparent > 0
    values = planted(rng, 2.0)[1]
    values[0, 3, :], values[1, 0, 1] = np.nan, np.nan
    lacking = groups.groups(values)
    assert lacking.label[3] == -1 and np.delete(lacking.label, 3).min() == 0 and lacking.p < 0.01

"""The verdict in sentences by topic, for the first screen of the page.

A sentence is a list of parts: text, or a link, which is a dict with `text`, and `choose` (what the page is to show), `section`, or both.
Every number is from summary.json. Knows nothing of how a page draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptatlas.analysis.verdict.numbers import correlation, gained, lost, p_held, percent, range_of, score, share
from promptatlas.analysis.verdict.of_study import UNTUNED_PROMPT, ZERO_SHOT
from promptatlas.base.messages import counted
from promptatlas.study.protocols import PROTOCOLS

Part = str | dict[str, Any]
Sentence = list[Part]

SHOWN = 3  # pairs
MOST_NAMES = 6  # tasks
CLEAR = 0.05
MEANINGS = {ZERO_SHOT: "the hand-written prompt", UNTUNED_PROMPT: "as training starts"}  # for who meets these words for the first time


@dataclass(frozen=True)
class Names:
    """Titles by name: of tasks, of methods, of baselines within a protocol; study: whether a study made the scores."""

    task: Callable[[str], str]
    method: Callable[[str], str]
    baseline: Callable[[str, str], str]
    study: bool


def topics(summary: Mapping[str, Any], protocol: str, method: str, names: Names) -> list[dict[str, Any]]:
    """What is to be said of a method in a protocol: `topic` and `parts` of each. Nothing for a summary of an earlier version."""
    verdict = summary.get("verdict")
    if verdict is None:
        return []
    one = next(one for one in verdict["by_method"] if (one["protocol"], one["method"]) == (protocol, method))
    told = {
        "Which pairs help" if one["baselines"] else "Highest scores": [_helping(one, summary, names), _named(one, verdict, names)],
        "How sure that is": [_sure(one), _without(one, summary), _repeats(one)],
        "Not helped": [_unhelped(one, summary, names)],
        "What explains it": [_explained(one, summary, names)],
        "Which method" if names.study else "Which matrix": [_best_method(one, summary, names)],
        "What next": [_next(one, summary, names)],
    }
    return [{"topic": topic, "parts": parts} for topic, every in told.items() if (parts := _spaced([one for one in every if one]))]


def _spaced(every: Sequence[Sentence]) -> Sentence:
    """Sentences one after another."""
    return [part for place, sentence in enumerate(every) for part in ([" "] if place else []) + sentence]


def _so_far(summary: Mapping[str, Any]) -> str:
    return " so far" if unfinished(summary) else ""


def unfinished(summary: Mapping[str, Any]) -> bool:
    state = summary.get("so_far")
    return state is not None and bool(state["cells"] < state["all_cells"])


def _seeds(one: Mapping[str, Any]) -> str:
    return "in the one seed there is" if one["n_seeds"] == 1 else f"in each of {one['n_seeds']} seeds"


def _against(one: Mapping[str, Any], names: Names) -> str:
    told = [names.baseline(one["protocol"], baseline) + _meaning(one["protocol"], baseline) for baseline in one["baselines"]]
    return told[0] if len(told) == 1 else f"both {' and '.join(told)}"


def _meaning(protocol: str, baseline: str) -> str:
    if baseline not in MEANINGS:
        return ""
    return " (tuned as long)" if baseline == UNTUNED_PROMPT and PROTOCOLS[protocol].tunes else f" ({MEANINGS[baseline]})"


def _helping(one: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    method, pairs, helping = names.method(one["method"]), one["n_pairs"], one["n_helping"]
    if not pairs:
        where = f" in all {one['n_seeds']} seeds" if one["n_seeds"] > 1 else ""
        state = f"is measured{where} yet" if unfinished(summary) else f"could be measured{where}"
        return [f"{method}: no pair of different tasks {state}, with what it is compared with."]
    if not one["baselines"]:
        return [f"{method}: nothing says what a score would be without a source, so no source can be said to help."]
    beats = f"beats {_against(one, names)}, {_seeds(one)}"
    of = f"of {counted(pairs, 'pair')} measured{_so_far(summary)}"
    if not helping:
        return [f"{method}: no source helps another task{_so_far(summary)}. None {of} {beats}."]
    link = {"text": f"{helping:,} {of}", "section": "matrix"}
    beats = f"{_subject(names)} {beats}; {_beyond_doubt(one)}."
    if one["n_seeds"] == 1:  # too little to speak of help
        return [f"{method}: in ", link, f" {beats}"]
    return [f"{method}: ", link, f" {'helps' if helping == 1 else 'help'}: {beats}"]


def _beyond_doubt(one: Mapping[str, Any]) -> str:
    """How many of those that help do so beyond doubt, beside how many there are."""
    helping, sure = one["n_helping"], one["n_clear"]
    if not one["n_tested"]:
        return "whether that is luck is not tested"
    if helping == 1:
        return "that is beyond doubt" if sure else "that is not beyond doubt"
    return (
        f"{f'{sure:,}' if sure < helping else 'all'} of them {'is' if sure == 1 else 'are'} beyond doubt"
        if sure
        else "none of them is beyond doubt"
    )


def _subject(names: Names) -> str:
    return "the source’s prompt" if names.study else "the source"


def _pair(one: Mapping[str, Any], row: Mapping[str, Any], names: Names) -> dict[str, Any]:
    place = {"protocol": one["protocol"], "method": one["method"], "source": row["source"], "target": row["target"]}
    return {"text": f"{names.task(row['source'])} → {names.task(row['target'])}", "choose": place}


def _over(link: dict[str, Any], row: Mapping[str, Any], names: Names) -> Part:
    """The cell with the number that stands beside the link: over the same baseline, where the page of a study has several."""
    return link | {"choose": link["choose"] | {"baseline": row["baseline"]}} if names.study else link


def _named(one: Mapping[str, Any], verdict: Mapping[str, Any], names: Names) -> Sentence:
    if one["highest"]:
        highest = one["highest"][:SHOWN]
        words: Sentence = ["The highest scores: " if len(highest) > 1 else "The highest score: "]
        for place, row in enumerate(highest):
            words += [_joint(place, len(highest)), _pair(one, row, names), f" ({score(row['mean'], verdict['headline_unit'])})"]
        return [*words, "."]
    shown = one["named"][:SHOWN]
    if not shown:
        return []
    several = len({row["baseline"] for row in shown}) > 1
    words = [f"{'Surest' if one['n_clear'] or not one['n_tested'] else 'Least in doubt'} {'is' if len(shown) == 1 else 'are'} "]
    for place, row in enumerate(shown):
        over = f" over {names.baseline(one['protocol'], row['baseline'])}" if several else ""
        words += [_joint(place, len(shown)), _over(_pair(one, row, names), row, names), f" ({_gain(row, verdict['unit'])}{over})"]
    common = "" if several else f" over {names.baseline(one['protocol'], shown[0]['baseline'])}"
    harder = "Each gain is over whichever of the two is harder to beat" if len(one["baselines"]) > 1 else ""
    notes = [note for note in (harder, _brackets(one, shown)) if note]
    last = "; ".join(notes)
    return [*words, f"{common}.{f' {last[0].upper()}{last[1:]}.' if last else ''}"]


def _joint(place: int, count: int) -> str:
    return "" if place == 0 else " and " if place == count - 1 else ", "


def _gain(row: Mapping[str, Any], unit: str) -> str:
    ends = (row["low"], row["high"]) if row["low"] is not None else (row["seeds_low"], row["seeds_high"])
    return f"{gained(row['gain'], unit)}{range_of(*ends, unit)}"


def _brackets(one: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]) -> str:
    """What stands in brackets."""
    known = [row["low"] is not None for row in shown]
    if all(known):
        return f"in brackets 95\u202f% intervals over {'images and seeds' if one['counts_seeds'] else 'images alone'}"
    if one["n_seeds"] == 1:
        return "" if not any(known) else "in brackets 95\u202f% intervals over images alone, where there are any"
    return "in brackets the range over seeds" + ("" if not any(known) else ", or a 95\u202f% interval where there is one")


def _sure(one: Mapping[str, Any]) -> Sentence:
    """How sure help is, all pairs allowed for."""
    if not one["n_helping"]:
        return []
    if not one["n_tested"]:
        return ["With one seed, how much of this is luck cannot be told."] if one["n_seeds"] == 1 else [
            "How much of this is luck is not tested: a pair that neither helps nor hurts is above its baseline in every one of "
            f"{one['n_seeds']} seeds about once in {2 ** one['n_seeds']} cases."
        ]  # fmt: skip
    tested = "" if one["n_tested"] == one["n_helping"] else " that could be tested"
    seeds = "" if one["counts_seeds"] else " Other seeds are not counted in this: with one seed nothing tells what they would give."
    several = one["n_tested"] > 1
    of = f"of the {one['n_tested']:,}{tested}" if several else f"the one{tested}" if tested else "it"
    if not one["n_clear"]:
        beyond = f"none {of} is beyond doubt" if several else f"{of} is not beyond doubt"
        found = f"{beyond} (smallest adjusted {p_held(one['smallest_p'])})"
    else:
        beyond = f"{one['n_clear']:,} {of} {'is' if one['n_clear'] == 1 else 'are'}" if several else f"{of} is"
        found = f"{beyond} beyond doubt (adjusted p below .05)"
    return [f"Some pairs look good by luck. Allowing for the number of pairs, {found}.{seeds}"]


def _without(one: Mapping[str, Any], summary: Mapping[str, Any]) -> Sentence:
    """How many pairs have no interval, so that they are not tested, and why."""
    found = next(
        (each for each in summary.get("pairs", ()) if (each["protocol"], each["method"]) == (one["protocol"], one["method"])), None
    )
    if found is None or not one["n_tested"] or not found["reasons"]:
        return []
    reasons = found["reasons"]
    count = sum(each["n_pairs"] for each in reasons)
    others = f" (and {counted(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
    return [f"{count:,} of {counted(found['n_pairs'], 'pair')} {'has' if count == 1 else 'have'} no interval and could not be tested: "
            f"{reasons[0]['reason']}{others}."]  # fmt: skip


def _unhelped(one: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    without, targets = one["unhelped"], one["n_targets"]
    if not one["baselines"] or not targets or not one["n_helping"]:
        return []
    if not without:
        return [f"Each of the {counted(targets, 'target')}{_so_far(summary)} is helped by some source."] if targets > 1 else []
    words: Sentence = [f"No source helps {len(without):,} of {counted(targets, 'target')}{_so_far(summary)}: "]
    for place, name in enumerate(without[:MOST_NAMES]):
        link = {"text": names.task(name), "choose": {"protocol": one["protocol"], "method": one["method"], "ranked": name}}
        words += ["" if place == 0 else ", ", link | {"section": "sources"}]
    more = len(without) - MOST_NAMES
    return [*words, f" and {more:,} more." if more > 0 else "."]


def _repeats(one: Mapping[str, Any]) -> Sentence:
    found = one["reliability"]
    if found["estimate"] is None:
        return []
    link = {"text": "who helps whom", "section": "variance"}
    return [
        "With other seeds the pattern of ",
        link,
        f" would correlate {correlation(found)} with this one (1: the same pattern, 0: an unrelated one).",
    ]


def _explained(one: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    """What similarity explains of who helps whom, with the most that could be explained."""
    known = summary.get("explained", ())  # summaries of earlier versions say nothing of it
    found = next((each for each in known if (each["protocol"], each["method"]) == (one["protocol"], one["method"])), None)
    link = {"text": "Similarity of tasks", "section": "similarity"}
    if found is None:
        if names.study:
            return []
        return ["What explains it cannot be told, as no similarity is given (“--similarity FILE”)."]
    whole = found.get("together", {"estimate": None, "reason": "nothing could be compared"})
    if whole["estimate"] is None:
        return [link, f" cannot be held against it: {whole['reason'] or 'nothing could be compared'}."]
    ceiling = found["ceiling"]["estimate"]
    most = f"; at most {percent(ceiling)} can be, as the rest is noise between seeds" if ceiling is not None else ""
    return [link, f" explains {share(whole)} of who helps whom{most}.{_chance(whole, found.get('together_blocks'))}"]


def _chance(whole: Mapping[str, Any], beyond: Mapping[str, Any] | None) -> str:
    p, family = whole["p"], None if beyond is None else beyond["p"]
    if p is None:
        return ""
    if p >= CLEAR:
        return f" Chance may explain as much ({p_held(p)})."
    if family is not None and family >= CLEAR:
        return f" That is more than chance ({p_held(p)}), but may be no more than tasks of one family being alike ({p_held(family)})."
    return f" That is more than chance ({p_held(max(p, family or 0))})."


def _best_method(one: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    """Which method transfers best, and why this one is shown first."""
    verdict = summary["verdict"]
    methods = [each["method"] for each in verdict["by_method"] if each["protocol"] == one["protocol"]]
    if len(methods) < 2:
        return []
    best = next((each for each in verdict["transfers_best"] if each["protocol"] == one["protocol"]), None)
    words: Sentence = []
    what = "method" if names.study else "matrix"
    if best is not None:
        closest = best["closest"]
        ends = range_of(closest["low"], closest["high"], verdict["headline_unit"])
        clearly = closest["low"] is not None and best["ahead"] == best["others"]
        link = {"text": names.method(best["method"]), "choose": {"protocol": one["protocol"], "method": best["method"]}}
        doubt = "" if clearly else ", but not beyond doubt"
        over = f"{names.method(closest['method'])}{', the next best' if len(methods) > 2 else ''}"
        gap = f"{gained(closest['estimate'], verdict['headline_unit'])}{ends} over {over}"
        words += [link, f" has the highest scores on other tasks{doubt}: {gap}. ", *_mean_gain(best, summary, names)]
    opening = verdict["opens"][one["protocol"]]
    if opening["method"] == one["method"] and opening["by"] != "order":
        why = {
            "reliability": "who helps whom would repeat best with other seeds",
            "separable": "most of its pairs clearly help or hurt",
        }[opening["by"]]
        words.append(f"{names.method(one['method'])} opens this page as the most informative {what}: {why}.")
    elif opening["by"] != "order":
        link = {"text": names.method(opening["method"]), "choose": {"protocol": one["protocol"], "method": opening["method"]}}
        words += ["The most informative ", f"{what} is ", link, "."]
    return words


def _mean_gain(best: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    """What the method that transfers best gains on average, which may be a loss."""
    key = best["protocol"], best["method"]
    found = next((each for each in summary["by_method"] if (each["protocol"], each["method"]) == key), None)
    if not names.study or found is None:
        return []
    over = found["over_scratch"]
    gain, baseline = (found["transfer_gain_points_mean"], ZERO_SHOT) if over is None else (over["points_mean"], UNTUNED_PROMPT)
    if gain is None:
        return []
    does = f"lose {lost(gain, 'points')} against" if gain < 0 else f"gain {gained(gain, 'points')} over"
    return [f"On average its prompts {does} {names.baseline(best['protocol'], baseline)}. "]


def _next(one: Mapping[str, Any], summary: Mapping[str, Any], names: Names) -> Sentence:
    missing = summary["n_missing_cells"]
    if not names.study:
        if one["n_seeds"] == 1:
            return ["Give scores of more seeds (a column “seed”); one cannot tell luck from help."]
        return [{"text": "Choose a target", "section": "sources"}, " to see its sources in order."]
    if unfinished(summary):
        state = summary["so_far"]
        return [f"{state['cells']:,} of {state['all_cells']:,} cells are there; “promptatlas next” says which pairs "
                "to measure first, to know the best sources soon."]  # fmt: skip
    if missing:
        return [f"{counted(missing, 'cell')} {'is' if missing == 1 else 'are'} missing; “promptatlas status” says "
                "why, “promptatlas next” which pairs matter most."]  # fmt: skip
    if one["n_seeds"] == 1:
        return ["Add seeds (“seeds” in the configuration) and run again, as one cannot tell luck from help; what is "
                "measured stays."]  # fmt: skip
    if PROTOCOLS[one["protocol"]].tunes:
        return ["For a task of your own, “promptatlas recommend --tune 3” tunes from the sources that promise most."]
    return ["For a task of your own, “promptatlas recommend” says which prompt to use, or to keep the zero-shot one."]

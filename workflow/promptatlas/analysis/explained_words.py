"""What measures explain together, in a sentence or two: from the records `explained` of summary.json, for pages and the command line."""

from collections.abc import Callable, Mapping
from typing import Any

from promptatlas.analysis.p_text import p_is, p_value

STRONGEST = "strongest"
ALIKE = 5.0  # variance inflation from which on coefficients are said to be hard to tell apart


def sentence(one: Mapping[str, Any], method: Callable[[str], str], measure: Callable[[str], str]) -> str:
    """One record in words; method, measure: titles by name. Numbers that cannot be told are None in it, and have a reason."""
    name, told = method(one["method"]), [each for each in one["measures"] if "alone" in each]
    if not told:
        reason = (
            one["together"]["reason"]
            if "together" in one
            else "; ".join(f"{measure(each['measure'])}: {_reason(each)}" for each in one["measures"])
        )
        return f"{name}: what similarity explains cannot be told, {reason}."
    told.sort(key=lambda each: -each["alone"]["estimate"])
    first, others = told[0], told[1:]
    beside = "it" if len(others) == 1 else "all others"
    added = [f"{measure(each['measure'])} adds {percent(each['adds']['estimate'])}{_p(each['adds'])}" for each in others]
    alone = percent(first["alone"]["estimate"]) + ("" if others else _range(one["together"]))
    explained = f"{name}: {measure(first['measure'])} explains {alone} of who helps whom"
    whole, beyond, chance = one["together"], one.get("together_blocks"), percent(one["by_chance"]["estimate"])
    family = f", beyond family {p_value(beyond['p'])}" if beyond and beyond["p"] is not None else ""
    tested = f"({p_is(whole['p'])}{family}; {chance} would be explained by chance)"
    together = f"{', '.join([explained, *(f'{text} beside {beside}' for text in added)])}. Together they explain"
    sentences = [f"{together} {percent(whole['estimate'])}{_range(whole)} {tested}." if others else f"{explained} {tested}.", _ceiling(one)]
    if alike := [each for each in told if each["inflation"]["estimate"] >= ALIKE]:
        most = max(each["inflation"]["estimate"] for each in alike)
        names = " and ".join(measure(each["measure"]) for each in alike)
        sentences.append(f"{names} say nearly the same (variance inflation up to {most:.0f}), so what each adds is hard to tell.")
    if one["set"] == STRONGEST:
        sentences.append("Of each family the measure was chosen on these scores; the p above allows for that.")
    return " ".join(filter(None, sentences))


def _ceiling(one: Mapping[str, Any]) -> str:
    ceiling, share = one["ceiling"], one["of_ceiling"]
    if ceiling["estimate"] is None:
        return f"How much can be explained at most cannot be told: {ceiling['reason']}."
    beyond = f" R² over this ceiling is {share['estimate']:.2f}, {share['reason']}." if share["estimate"] and share["reason"] else ""
    return f"At most {percent(ceiling['estimate'])} can be explained, the rest is noise between seeds.{beyond}"


def _reason(each: Mapping[str, Any]) -> str:
    return str(each["coefficient"]["reason"])


def percent(share: float) -> str:
    return f"{100 * share:.{1 if abs(share) < 0.1 else 0}f} %"


def _range(one: Mapping[str, Any]) -> str:
    return "" if one["low"] is None else f" [{100 * one['low']:.0f} to {100 * one['high']:.0f} %]"


def _p(one: Mapping[str, Any]) -> str:
    return "" if one["p"] is None else f" ({p_is(one['p'])})"

"""Protocol tables: harmonic means as papers report them, averages over the right targets, printed numbers where they match."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from promptatlas import methods
from promptatlas.analysis import paper_protocols, published
from promptatlas.analysis.words import method_title
from promptatlas.report.page import protocol as page
from promptatlas.study.designs import design
from promptatlas.study.study import Study
from promptatlas.tasks.catalogue import names
from promptatlas.tasks.catalogue.benchmarks import BENCHMARKS

WEIGHTS = "ViT-B-16/openai"
STUDIES = Path(__file__).parents[2] / "workflow" / "studies"
MEAN, HARMONIC = "mean of the published scores", "harmonic mean of the published scores"


def ready(name: str, **changes) -> dict:
    """The resolved configuration of a ready study, with changes."""
    return Study(yaml.safe_load((STUDIES / f"{name}.yaml").read_text()) | changes).config


CONFIG = ready("base_to_new", methods=["coop", "vpt", "ivlp", "maple"])


def a_design(name: str, tasks: list[str], sources: tuple[str, ...] = ()):
    return design({"design": name, "tasks": tasks, "sources": list(sources)})


def transfer(plan, methods=("coop", "maple"), seeds=(1, 2, 3)) -> pd.DataFrame:
    """Every cell of a design with random scores; the template scores the same whatever the method and seed."""
    rng = np.random.default_rng(0)
    zero_shot = {target: rng.random() for target in plan.tasks}
    rows = [
        {
            "study": "s", "backbone": "b", "protocol": "frozen", "method": method, "source": source, "target": target,
            "seed": seed, "shots": 16, "seconds": 1.0,
            "score": zero_shot[target] if source == "template" else rng.random(),
        }
        for method in methods for seed in seeds for target in plan.tasks
        for source in (*plan.learners, "scratch", "template") if plan.measures(source, target)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def number(table: pd.DataFrame, **key) -> float:
    found = table[np.logical_and.reduce([table[name] == value for name, value in key.items()])]
    assert len(found) == 1, found
    return found["score"].iloc[0]


@pytest.mark.parametrize(("base", "new"), [(0.8228, 0.7514), (0.5, 0.5), (1.0, 0.0), (0.0, 0.0), (0.3, 0.9)])
def test_the_harmonic_mean_is_the_reciprocal_of_the_mean_of_reciprocals(base: float, new: float) -> None:
    closed = 0.0 if not base or not new else 1 / np.mean([1 / base, 1 / new])
    assert paper_protocols.harmonic_mean(base, new) == pytest.approx(closed, abs=1e-15)


def test_base_to_new_averages_first_and_takes_the_harmonic_mean_then() -> None:
    plan = a_design("base_to_new", ["a", "b", "c"])
    cells = transfer(plan)
    table = paper_protocols.measured(cells, plan)
    base_new = {"base": [], "new": []}
    for task in plan.given:
        for part in base_new:
            own = cells[(cells["method"] == "coop") & (cells["source"] == f"{task}@base") & (cells["target"] == f"{task}@{part}")]
            base_new[part].append(own["score"].mean())
            assert number(table, method="coop", target=task, measure=part) == pytest.approx(own["score"].mean())
        base, new = (base_new[part][-1] for part in ("base", "new"))
        assert number(table, method="coop", target=task, measure="harmonic_mean") == pytest.approx(2 * base * new / (base + new))
    base, new = np.mean(base_new["base"]), np.mean(base_new["new"])
    average = number(table, method="coop", target="average", measure="harmonic_mean")
    assert average == pytest.approx(2 * base * new / (base + new))
    each = [number(table, method="coop", target=task, measure="harmonic_mean") for task in plan.given]
    assert abs(average - np.mean(each)) > 1e-3  # so a mean of harmonic means would be noticed
    zero_shot = cells[(cells["source"] == "template") & (cells["target"] == "b@new")]["score"].iloc[0]
    assert number(table, method="zero_shot", target="b", measure="new") == zero_shot
    assert set(table["method"]) == {"zero_shot", "coop", "maple"} and len(table) == 3 * 4 * 3


def test_the_deviation_is_that_over_seeds_of_the_same_quantity() -> None:
    plan = a_design("base_to_new", ["a", "b"])
    cells = transfer(plan)
    table = paper_protocols.measured(cells, plan).set_index(["method", "target", "measure"])
    own = cells[(cells["method"] == "maple") & cells["source"].isin(plan.learners)]
    by_seed = own.groupby(["seed", own["target"].str.partition("@")[2]])["score"].mean().unstack()
    wanted = (2 * by_seed["base"] * by_seed["new"] / (by_seed["base"] + by_seed["new"])).std(ddof=1)
    assert table.at[("maple", "average", "harmonic_mean"), "deviation"] == pytest.approx(wanted)
    assert table.at[("maple", "average", "base"), "n_seeds"] == 3
    assert table.at[("zero_shot", "average", "base"), "n_seeds"] == 0


@pytest.mark.parametrize("name", ["cross_dataset", "domain"])
def test_averages_leave_sources_out(name: str) -> None:
    plan = a_design(name, ["a", "b", "c", "d"], ("a", "c"))
    cells = transfer(plan)
    table = paper_protocols.measured(cells, plan)
    for method in ("coop", "maple"):
        for source in ("a", "c"):
            own = cells[(cells["method"] == method) & (cells["source"] == source)].groupby("target")["score"].mean()
            assert number(table, method=method, source=source, target="average") == pytest.approx(own[["b", "d"]].mean())
            assert number(table, method=method, source=source, target="c") == pytest.approx(own["c"])
    zero_shot = cells[cells["source"] == "template"].groupby("target")["score"].first()
    assert number(table, method="zero_shot", target="average") == pytest.approx(zero_shot[["b", "d"]].mean())


def printed_scores(design: str, method: str) -> pd.Series:
    """Printed numbers of a method by target and measure."""
    table = published.protocols()
    return table[(table["design"] == design) & (table["method"] == method)].set_index(["target", "measure"])["score"]


def closed_harmonic(base: float, new: float) -> float:
    return 2 * base * new / (base + new)


@pytest.mark.parametrize("method", ["zero_shot", "coop", "cocoop", "maple", "kgcoop", "promptsrc", "tcp", "clip_adapter"])
def test_printed_averages_of_base_to_new_are_those_of_the_printed_tasks(method: str) -> None:
    own = printed_scores("base_to_new", method)
    assert {target for target, _ in own.index} == {*names("coop"), "average"}
    base, new = (np.mean([own[task, part] for task in names("coop")]) for part in ("base", "new"))
    wanted = {"base": base, "new": new, "harmonic_mean": closed_harmonic(base, new)}
    assert {part: own["average", part] for part in wanted} == pytest.approx(wanted, abs=6e-5)


@pytest.mark.parametrize("method", ["maple", "kgcoop", "promptsrc", "tcp", "clip_adapter", "prograd", "ivlp"])
def test_printed_harmonic_means_are_those_of_the_printed_base_and_new(method: str) -> None:
    own = printed_scores("base_to_new", method)
    with_harmonic = {target for target, measure in own.index if measure == "harmonic_mean"}
    assert with_harmonic == {target for target, _ in own.index}
    for target in with_harmonic:
        assert own[target, "harmonic_mean"] == pytest.approx(closed_harmonic(own[target, "base"], own[target, "new"]), abs=1.1e-4), target


@pytest.mark.parametrize("method", ["maple", "kgcoop", "promptsrc", "tcp", "clip_adapter"])
def test_printed_averages_of_cross_dataset_are_those_of_the_ten_targets(method: str) -> None:
    own = printed_scores("cross_dataset", method)
    others = [task for task in names("coop") if task != "coop-imagenet"]
    assert len(own) == 12 and own["average", "score"] == pytest.approx(np.mean([own[task, "score"] for task in others]), abs=6e-5)


@pytest.mark.parametrize("method", ["kgcoop", "promptsrc"])
def test_printed_averages_of_domain_are_those_of_the_four_targets(method: str) -> None:
    own = printed_scores("domain", method)
    shifts = ["imagenet-v2", "imagenet-sketch", "imagenet-a", "imagenet-r"]
    assert own["average", "score"] == pytest.approx(np.mean([own[task, "score"] for task in shifts]), abs=6e-5)


def test_a_method_has_one_reference_for_a_protocol_and_source() -> None:
    """A page shows one published row of each, and names one reference beside it."""
    assert (published.protocols().groupby(["design", "method", "source"])["reference"].nunique() == 1).all()


def test_settings_are_those_of_printed_scores_and_keys_that_a_study_has() -> None:
    """A key that no study has would differ from every study, and what stands under a wrong name from none."""
    known = yaml.safe_load((Path(published.__file__).parent / "settings.yaml").read_text())
    del known["anchors"]
    tables = pd.concat([published.protocols(), published.few_shot()])
    of_form = {(row.reference, row.design, row.form): row.method for row in tables.itertuples()}
    for reference, designs in known.items():
        for name, forms in designs.items():
            if name in BENCHMARKS:
                continue
            for form, settings in forms.items():
                method = of_form[reference, name, form]
                own = {} if method == "zero_shot" else methods.settings(method, preset="released")
                assert set(settings) - {"besides"} <= {*CONFIG, *own}, (reference, name, form)


def test_the_manual_lists_what_was_printed_and_what_others_than_the_authors_measured() -> None:
    text = (STUDIES.parents[1] / "docs" / "published.md").read_text().split("## Scores that others printed")[1].split("\n## ")[0]
    rows = [line.split("|")[2:4] for line in text.splitlines() if line.startswith("| f")]
    few_shot = published.few_shot()
    protocols = published.protocols()
    tables = [protocols[protocols["design"] == name] for name in ("base_to_new", "cross_dataset", "domain")]
    for row, table in zip(rows, [*tables, few_shot[few_shot["weights"] == WEIGHTS]], strict=True):
        first, alone = ({one.strip() for one in cell.split(",") if one.strip()} for cell in row)
        others = table["reference"].str.contains("DePT|CLIP-SVD") | (table["method"] == "prograd")
        starred = {method: "*" if others[table["method"] == method].all() else "" for method in table["method"]}
        titles = {method: method_title(method) + star for method, star in starred.items()}
        tasks = table[~table["target"].isin(["average", "coop-imagenet"])]
        by_task = {titles[method] for method in tasks["method"]}
        assert (first, alone) == (by_task, set(titles.values()) - by_task)


def test_printed_numbers_stand_beside_the_same_tasks_methods_and_weights() -> None:
    plan = a_design("base_to_new", names("coop"))
    table = paper_protocols.measured(transfer(plan, ("coop", "vpt", "ivlp")), plan)
    both = paper_protocols.with_published(table, plan, WEIGHTS, 16, CONFIG)
    printed = both[both["origin"] != "measured"]
    assert set(printed["method"]) == {"zero_shot", "coop", "ivlp"} and both[both["origin"] == "measured"].equals(table)
    assert number(printed, method="coop", target="average", measure="harmonic_mean") == pytest.approx(0.7166)
    assert number(printed, method="ivlp", target="average", measure="harmonic_mean") == pytest.approx(0.7790)
    assert number(printed, method="coop", target="coop-dtd", measure="harmonic_mean") == pytest.approx(
        2 * 0.7944 * 0.4118 / (0.7944 + 0.4118)
    )
    assert printed["reference"].str.contains("2022|2023").all()
    adapter = paper_protocols.measured(transfer(plan, ("clip_adapter",)), plan)
    own = paper_protocols.with_published(adapter, plan, WEIGHTS, 16, CONFIG)
    own = own[(own["origin"] != "measured") & (own["method"] == "clip_adapter")].set_index("measure")
    assert own["score"].to_dict() == pytest.approx({"base": 0.7692, "new": 0.7352, "harmonic_mean": 0.7518})
    assert own["note"].str.contains("measured by others").all()
    for weights, shots in (("ViT-B-32/openai", 16), (WEIGHTS, 4)):
        assert paper_protocols.with_published(table, plan, weights, shots, CONFIG).equals(table)


def test_of_some_tasks_the_printed_average_is_that_of_these_tasks() -> None:
    plan = a_design("base_to_new", ["coop-dtd", "coop-eurosat"])
    both = paper_protocols.with_published(paper_protocols.measured(transfer(plan), plan), plan, WEIGHTS, 16, CONFIG)
    printed = both[both["origin"] != "measured"]
    base, new = (80.36 + 94.07) / 200, (59.18 + 73.23) / 200
    assert number(printed, method="maple", target="average", measure="harmonic_mean") == pytest.approx(2 * base * new / (base + new))
    averages = printed[(printed["method"] == "maple") & (printed["target"] == "average")].set_index("measure")["origin"]
    assert averages.to_dict() == {"base": MEAN, "new": MEAN, "harmonic_mean": HARMONIC}
    own = a_design("base_to_new", ["coop-dtd", "mnist"])
    both = paper_protocols.with_published(paper_protocols.measured(transfer(own), own), own, WEIGHTS, 16, CONFIG)
    printed = both[both["origin"] != "measured"]
    assert set(printed["target"]) == {"coop-dtd"}


def test_cross_dataset_and_domain_show_what_was_printed_for_the_same_source() -> None:
    plan = a_design("cross_dataset", names("coop"), ("coop-imagenet",))
    both = paper_protocols.with_published(paper_protocols.measured(transfer(plan), plan), plan, WEIGHTS, 16, ready("cross_dataset"))
    assert set(both["origin"]) == {"measured", "published"}
    printed = both[both["origin"] == "published"]
    assert number(printed, method="coop", target="average") == pytest.approx(0.6388)
    assert number(printed, method="maple", target="coop-sun397") == pytest.approx(0.6701)
    shifts = ["imagenet-v2", "imagenet-sketch", "imagenet-a", "imagenet-r"]
    plan = a_design("domain", ["coop-imagenet", *shifts], ("coop-imagenet",))
    both = paper_protocols.with_published(paper_protocols.measured(transfer(plan), plan), plan, WEIGHTS, 16, ready("domain"))
    printed = both[both["origin"] != "measured"]
    assert number(printed, method="maple", target="imagenet-r") == pytest.approx(0.7698)
    assert number(printed, method="coop", target="average") == pytest.approx(np.mean([0.6420, 0.4799, 0.4971, 0.7521]))
    assert (printed["origin"] == MEAN).equals(printed["target"] == "average")
    other = a_design("cross_dataset", names("coop"), ("coop-dtd",))
    assert "published" not in set(
        paper_protocols.with_published(paper_protocols.measured(transfer(other), other), other, WEIGHTS, 16, ready("cross_dataset"))[
            "origin"
        ]
    )


def notes(name: str, sources: tuple[str, ...], config: dict) -> dict[str, str]:
    """What a study of these methods is told of the printed scores, by method."""
    plan = a_design(name, config["tasks"], sources)
    measured = paper_protocols.measured(transfer(plan, tuple(config["settings"])), plan)
    both = paper_protocols.with_published(measured, plan, WEIGHTS, 16, config)
    printed = both[both["origin"] != "measured"].groupby("method")["note"]
    assert (printed.nunique() == 1).all() and (both.loc[both["origin"] == "measured", "note"] == "").all()
    return printed.first().to_dict()


RELEASED = "last_batch dropped, augmentation crops_and_flips, precision float16"
OF_METHODS = {"zero_shot": "precision float16", "cocoop": "augmentation crops_and_flips, precision float16"}
OTHERS = "other settings: epochs 10; measured by others than its authors"
SENTENCES = "class features of 60 sentences"
# What a ready study with the settings of releases still has otherwise than those who printed, by method.
NEAREST = {
    "base_to_new": {
        "zero_shot": "", "cocoop": "", "maple": "", "ivlp": "", "coop": "50 epochs on ImageNet", "clip_adapter": OTHERS,
        "kgcoop": "25 epochs on ImageNet; another sentence on DTD", "promptsrc": SENTENCES,
        "prograd": "settings not known; measured by others than its authors",
        "tcp": "25 epochs on ImageNet and SUN397; a sentence for each data set",
    },
    "cross_dataset": {
        "coop": "", "cocoop": "", "maple": "", "promptsrc": SENTENCES, "kgcoop": OTHERS, "clip_adapter": OTHERS,
        "tcp": "settings not known",
    },
    "domain": {"zero_shot": "", "coop": "", "cocoop": "", "maple": "", "kgcoop": "", "promptsrc": SENTENCES},
}  # fmt: skip


@pytest.mark.parametrize(("name", "sources"), [("base_to_new", ()), ("cross_dataset", ("coop-imagenet",)), ("domain", ("coop-imagenet",))])
def test_ready_studies_have_the_settings_of_what_was_printed(name: str, sources: tuple[str, ...]) -> None:
    found = notes(name, sources, ready(name))
    assert set(found) == {*NEAREST[name]}
    for method, besides in NEAREST[name].items():
        as_released = "" if "settings" in besides else f"other settings: {OF_METHODS.get(method, RELEASED)}"
        assert found[method] == "; ".join(filter(None, [as_released, besides])), method
    assert notes(name, sources, ready(name, preset="released", precision="float16")) == NEAREST[name]


def test_other_settings_than_those_of_what_was_printed_are_named() -> None:
    usual = notes("base_to_new", (), ready("base_to_new", settings={}, test_pictures=100))
    assert usual["coop"].startswith("other settings: ") and usual["zero_shot"] == "other settings: test_pictures all, precision float16"
    for words in ("context 4", "initial a photo of a", "position end", "select last", "test_pictures all"):
        assert words in usual["coop"]
    assert "epochs 200" not in usual["coop"]
    nearest = {"preset": "released", "precision": "float16"}
    assert notes("base_to_new", (), ready("base_to_new", test_pictures=100, **nearest))["maple"] == "other settings: test_pictures all"
    across = notes("cross_dataset", ("coop-imagenet",), ready("cross_dataset", settings={}, draw="elevater", **nearest))
    assert across["maple"] == "other settings: draw coop, layers 3, epochs 2, learning_rate 0.0026"
    assert across["promptsrc"] == f"other settings: draw coop, layers 3, centre 6.0, width 10.0; {SENTENCES}"


def test_a_task_with_other_classes_is_not_the_one_that_was_printed() -> None:
    config = CONFIG | {"data": {"coop-dtd": {"classes": ["banded", "blotchy", "braided", "bubbly"]}}}
    plan = a_design("base_to_new", names("coop"))
    both = paper_protocols.with_published(paper_protocols.measured(transfer(plan), plan), plan, WEIGHTS, 16, config)
    assert set(names("coop")) - set(both.loc[both["origin"] != "measured", "target"]) == {"coop-dtd"}
    assert "average" not in set(both.loc[both["origin"] != "measured", "target"])


@pytest.mark.parametrize(("name", "sources"), [("base_to_new", ()), ("cross_dataset", ("coop-imagenet",))])
def test_the_page_marks_what_was_published_and_names_who_did(name: str, sources: tuple[str, ...], tmp_path) -> None:
    plan = a_design(name, names("coop"), sources)
    cells = transfer(plan)
    table = paper_protocols.with_published(paper_protocols.measured(cells, plan), plan, WEIGHTS, 16, ready(name, settings={}))
    about = {"classes": 5, "n_test": 10, "metric": "accuracy", "chance": 0.2, "zero_shot": 0.5, "split_source": "CoOp"}
    tasks = pd.DataFrame([{"task": task, "title": f"<{task}>", **about} for task in plan.tasks])
    baselines = pd.DataFrame({"method": [], "target": [], "score": []})
    told = paper_protocols.summary(table, cells, tasks, baselines, plan)
    json.dumps(told, allow_nan=False)
    page.write(table, tasks, {"methods": ["maple", "coop"]}, told, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for row in table.itertuples():
        assert f">{100 * row.score:.2f}</td>" in text
    derived = (~table["origin"].isin(["measured", "published"])).sum()
    assert text.count("<sup>†</sup>") == derived and ("† The mean" in text) == bool(derived)
    assert "Zhou et al. 2022 (CoCoOp); other settings: " in text and "context 4" in text
    assert "Khattak et al. 2023 (MaPLe)" in text and "published" in text and "never enter a measured number" in text
    assert text.index(">MaPLe</th>") < text.index(">CoOp</th>") and "<coop" not in text and "&lt;coop" in text
    page.write(paper_protocols.measured(cells, plan), tasks, {"methods": ["coop", "maple"]}, told, tmp_path / "report.html")
    assert "Khattak" not in (tmp_path / "report.html").read_text()


def test_a_seed_that_lacks_one_task_counts_on_the_others() -> None:
    """In averages: the mean over tasks of the mean over the seeds of each; where none is missing that is the mean over seeds."""
    plan = a_design("base_to_new", ["caltech101", "dtd", "eurosat"])
    cells = transfer(plan, methods=("coop",))
    gone = (cells["target"] == "dtd@new") & (cells["seed"] == 2) & (cells["source"] == "dtd@base")
    found = paper_protocols.measured(cells.assign(score=cells["score"].where(~gone)), plan)
    own = cells[(cells["source"].str.partition("@")[0] == cells["target"].str.partition("@")[0]) & ~gone]
    means = own.groupby("target")["score"].mean()
    for part in ("base", "new"):
        wanted = np.mean([means[f"{task}@{part}"] for task in plan.given])
        assert number(found, method="coop", target="average", measure=part) == pytest.approx(wanted)
    row = found[(found["method"] == "coop") & (found["target"] == "average") & (found["measure"] == "new")]
    assert row["n_seeds"].item() == 2


def test_an_average_lacks_no_target_that_was_measured_in_some_seed() -> None:
    plan = a_design("cross_dataset", ["caltech101", "dtd", "eurosat"], ("caltech101",))
    cells = transfer(plan, methods=("coop",))
    gone = ((cells["target"] == "dtd") & (cells["seed"] != 1)) | ((cells["target"] == "eurosat") & (cells["seed"] == 1))
    holed = cells.assign(score=cells["score"].where(~gone))
    own = holed[(holed["source"] == "caltech101") & (holed["target"] != "caltech101")]
    found = paper_protocols.measured(holed, plan)
    assert number(found, method="coop", target="average") == pytest.approx(own.groupby("target")["score"].mean().mean())
    nothing = paper_protocols.measured(holed.assign(score=holed["score"].where(holed["target"] != "dtd")), plan)
    assert np.isnan(number(nothing, method="coop", target="average"))

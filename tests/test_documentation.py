"""The documentation: every page has its place in the site, no link or anchor leads nowhere, and commands and numbers are true."""

import json
import re
import shlex
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from promptatlas.analysis import paper_protocols, statistics
from promptatlas.analysis.choice import book
from promptatlas.analysis.pairs import table as pairs_table
from promptatlas.analysis.statistics import contrasts, together
from promptatlas.backbone import served
from promptatlas.cli import manual as command_line
from promptatlas.evaluation import similarity
from promptatlas.runs import tables
from promptatlas.study import manual as configuration, schema
from promptatlas.tasks import overlaps

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
MOVED = {"index.md": ROOT / "README.md", "changelog.md": ROOT / "CHANGELOG.md", "contributing.md": ROOT / "CONTRIBUTING.md"}
PAGES = sorted([*DOCS.glob("*.md"), *MOVED.values()])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Without blocks of code."""
    return FENCED.sub("", page.read_text())


# The site


def nav(part: object) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [page for inner in (part.values() if isinstance(part, dict) else part) for page in nav(inner)]


def test_every_page_has_its_place_in_the_site():
    listed = nav(SITE["nav"])
    assert sorted(listed) == sorted([*(page.name for page in DOCS.glob("*.md")), *MOVED]), "list the page under `nav` in mkdocs.yml"


def test_the_site_loads_nothing_from_elsewhere_and_ends_at_a_dead_link():
    assert SITE["theme"]["font"] is False and not {"extra_css", "extra_javascript"} & {*SITE}
    assert {*SITE["validation"].values()} == {"warn"} and {"anchors", "not_found", "omitted_files"} <= {*SITE["validation"]}
    recipe = re.search(r"^docs:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe and re.search(r"mkdocs build --strict$", recipe[1], re.MULTILINE), "--quiet would have warnings pass"
    assert f"{SITE['site_dir']}/" in (ROOT / ".gitignore").read_text().split()


def test_what_a_catalogue_of_workflows_says_is_so():
    """That each job names its environment for conda, and that Snakemake's report has results."""
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    rules = [path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    made = [part for text in rules for part in re.split(r"^ *rule ", text, flags=re.MULTILINE)[1:] if "script:" in part]
    assert usage["software-stack-deployment"] == {"conda": True, "apptainer": False, "apptainer+conda": False} and usage["report"] is True
    assert len(made) > 10 and all("conda:" in part for part in made) and any("report(" in text for text in rules)


# Links


def anchors(page: Path) -> set[str]:
    """Of the headings, as forges and the site make them: `What is read?` is `what-is-read`, the second one `what-is-read-1`."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {f"{slug}-{number}" if number else slug for slug, count in found.items() for number in range(count + 1)}


def dead(page: Path, links: list[str]) -> list[str]:
    """Those that lead to no file, or to no heading of it."""
    wrong = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", [*PAGES, ROOT / "config" / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page):
    assert dead(page, re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", prose(page))) == []


def test_a_dead_link_is_found():
    there = ["log.md", "#on-a-gpu", "data.md#where-folders-count-from", "../config.yaml"]
    gone = ["logs.md", "#on-a-cpu", "data.md#where-folders-count", "../config.yml"]
    assert dead(DOCS / "gpu.md", [*there, *gone]) == gone


# Commands

BLOCKS = [
    (page, line.partition(" #")[0].replace("\\\n", ""))
    for page in PAGES
    for language, block in FENCED.findall(page.read_text())
    if language in ("sh", "")
    for line in re.sub(r"\\\n", "", block).splitlines()
    if re.match(r"(promptatlas|snakemake|make|python) ", line)
]
INLINE = [(page, text) for page in PAGES for text in re.findall(r"`((?:promptatlas|snakemake|make) [^`]+)`", " ".join(prose(page).split()))]
COMMANDS = {name: parser for name, _, parser in command_line.commands()}
PLACEHOLDER = re.compile(r"<[^>]+>|COMMAND|FILE|\.\.\.")


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]


def typed(text: str) -> list[str]:
    """The words of a command without where its output goes."""
    return shlex.split(text.partition(" | ")[0].partition(" > ")[0])


def unknown(text: str) -> list[str]:
    """What of a command there is not: its name, its options, or files of the project that it names."""
    program, *words = typed(text)
    if program == "make":
        targets = re.findall(r"^([\w.$()/-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        targets = [*targets, ".venv/.ready"]
        return [word for word in words if "=" not in word and word not in targets]
    if program == "python":
        return [word for word in words[:1] if word.endswith(".py") and "/" in word and not (ROOT / word).exists()]
    named = [word for word in words if word.startswith(("workflow/", "profiles/")) and not PLACEHOLDER.search(word)]
    gone = [word for word in named if not (ROOT / word).exists()]
    known = snakemakes() if program == "snakemake" else ()
    if program == "promptatlas" and words[0] not in ("--version", "COMMAND"):
        if words[0] not in COMMANDS:
            return [words[0]]
        passes_on = COMMANDS[words[0]].get_default("takes_more")
        known = [*COMMANDS[words[0]]._option_string_actions, *(snakemakes() if passes_on else ())]
    elif program == "promptatlas":
        return gone
    return gone + [option for option in options(words) if option not in known]


def snakemakes() -> list[str]:
    from snakemake.cli import get_argument_parser

    return [*get_argument_parser()._option_string_actions]


@pytest.mark.parametrize(("page", "text"), [*BLOCKS, *INLINE], ids=lambda one: one.name if isinstance(one, Path) else one)
def test_a_command_is_one_that_there_is(page, text):
    assert not unknown(text), f"{page.name}: {text}"


@pytest.mark.parametrize(("page", "text"), [one for one in BLOCKS if one[1].startswith("promptatlas ")])
def test_a_command_in_a_block_is_whole(page, text):
    """Whatever it needs is given, and every value is taken."""
    name, *words = typed(text)[1:]
    if COMMANDS[name].get_default("takes_more"):
        return  # its options are Snakemake's
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArgumentParser, "error", lambda self, message: pytest.fail(f"{page.name}: {text}: {message}"))
        with suppress(SystemExit):
            COMMANDS[name].parse_args(words)


def test_commands_are_found_and_a_wrong_one_is_told():
    assert len(BLOCKS) > 25 and len(INLINE) > 40
    assert unknown("promptatlas recomend x") and unknown("promptatlas plan --gpu 2") and unknown("snakemake --core 2")
    assert unknown("make documentation") and unknown("snakemake --configfile workflow/studies/none.yaml -c 1")
    assert unknown("python benchmarks/none.py")


# Pages that are written from the code


@pytest.mark.parametrize(
    ("module", "name"), [(configuration, "configuration.md"), (command_line, "command-line.md"), (served, "models.md")]
)
def test_a_page_is_what_the_code_says(module, name):
    assert module.page() == (DOCS / name).read_text(), "write it again: make docs"


def test_every_key_of_a_configuration_has_a_row_with_its_default_and_a_meaning():
    rows = {row.split("`")[1]: row for row in configuration.page().splitlines() if row.startswith("| `")}
    usual = yaml.safe_load((ROOT / "config.yaml").read_text())
    inner = [f"{key}.{name}" for key, value in usual.items() if isinstance(value, dict) for name in value]
    assert {*usual, *inner} <= {*rows} and {key.partition(".")[0] for key in rows} == {*schema.schema()["properties"]}
    assert "| whole number from 1 | `16` | training images per class" in rows["shots"]
    assert all(row.replace("\\|", "").split("|")[4].strip() for row in rows.values())


def test_every_command_has_its_options():
    page = command_line.page()
    for name, parser in COMMANDS.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section and all(f"{option}" in section for option in parser._option_string_actions if option not in ("-h", "--help"))


# Tables

TABLES = (DOCS / "tables.md").read_text()
COLUMNS = {
    "transfer": tables.TRANSFER, "baselines": tables.BASELINES, "methods": tables.METHODS, "tuning": tables.TUNING, "joint": tables.JOINT,
    "tasks": tables.TASKS, "similarity": similarity.COLUMNS, "statistics": statistics.COLUMNS, "choice": book.COLUMNS,
    "pairs": pairs_table.COLUMNS, "explained": together.COLUMNS, "contrasts": contrasts.COLUMNS,
    "shared_images": overlaps.COLUMNS, "protocol": paper_protocols.COLUMNS,
}  # fmt: skip


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_of_a_table_is_explained(table):
    section = TABLES.partition(f"\n## `{table}`\n")[2].partition("\n## ")[0]
    assert section and [column for column in COLUMNS[table] if f"`{column}`" not in section] == []


def test_every_key_of_a_summary_is_explained():
    section = TABLES.partition("\n## `summary.json`\n")[2]
    keys = [*json.loads((DOCS / "mini.json").read_text())]
    assert len(keys) > 20 and [key for key in keys if f"`{key}`" not in section] == []


# Numbers


def test_the_page_on_statistics_has_the_numbers_of_the_recorded_run():
    words, summary = " ".join((DOCS / "statistics.md").read_text().split()), json.loads((DOCS / "mini.json").read_text())
    own = [row for row in summary["variance"] if (row["response"], row["method"], row["protocol"]) == ("logit_gain", "coop", "frozen")]
    shares = {row["measure"]: row["estimate"] for row in own if row["test"] == "variance_share"}
    assert {*shares} == {"target", "source", "relationship", "seed"}
    for part, share in shares.items():
        assert re.search(rf"\| {part} \| [^|]+ \| {100 * share:.0f} % \|", words), part
    (reliability,) = [row["estimate"] for row in own if row["test"] == "reliability"]
    assert f"Here it is {reliability:.2f}.".replace("0.", ".", 1) in words
    assert f"the mean width of a correlation's is {summary['mean_interval_width']:.2f}.".replace("0.", ".", 1) in words
    assert f"{max(row['n_permutations'] for row in summary['correlations']):,} times" in words
    assert not any(row["established"] for row in summary["correlations"] if row["confirmatory"])


def test_the_page_on_speed_has_the_seconds_of_the_page_on_methods():
    told = " ".join((DOCS / "methods.md").read_text().partition("## CPU time")[2].split())
    tuned = dict(re.findall(r"(\w+) (\d+)", told.partition("AVX-512: ")[2].partition(" (")[0]))
    cells = dict(re.findall(r"(\w+) (\d+)", told.partition("`frozen`: ")[2].partition(";")[0]))
    for method in ("CoOp", "VPT", "UPT"):
        assert f"| {method} | {tuned[method]} | {cells[method]} |" in (DOCS / "speed.md").read_text()


def test_the_readme_is_read_in_a_minute():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 90 and max(map(len, (line for line in lines if not line.startswith("|")))) <= 150


def test_the_page_on_what_explains_transfer_has_the_numbers_of_its_run():
    words, run = (DOCS / "explained.md").read_text(), json.loads((DOCS / "explained_mini.json").read_text())
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in words.splitlines() if line.startswith("| ")}
    explained = {one["method"]: one for one in run["explained"]}
    for place, method in enumerate(("coop", "vpt", "upt")):
        one = explained[method]
        visual, label = ({each["measure"]: each for each in one["measures"]}[name] for name in ("vis_frechet", "lab_cover"))
        assert rows["visual similarity alone explains"][place] == f"{100 * visual['alone']['estimate']:.1f} %"
        assert rows["label similarity adds"][place].startswith(f"{100 * label['adds']['estimate']:.1f} %, p = ")
        assert rows["both together (R²)"][place].startswith(
            f"{100 * one['together']['estimate']:.1f} % [{100 * one['together']['low']:.1f}, "
        )
        assert rows["the most that can be explained"][place] == f"{100 * one['ceiling']['estimate']:.1f} %"
    for place, pair in enumerate(("coop~vpt", "coop~upt", "upt~vpt")):
        found = {one["what"]: one for one in run["contrasts"] if one["method"] == pair and one["response"] == "logit_gain"}
        agreed = found["relationship"]
        shown = " ".join(f"{agreed[key]:.2f}".replace("0.", ".", 1) for key in ("estimate", "low", "high"))
        assert re.sub(r"[\[\],]", "", rows["who helps whom, without noise"][place]) == shown and agreed["high"] < 1


def test_the_page_on_how_sure_a_cell_is_has_the_numbers_of_its_run():
    words, run = (DOCS / "pairs.md").read_text(), json.loads((DOCS / "pairs_mini.json").read_text())
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in words.splitlines() if line.startswith("| ")}
    known = {one["method"]: one for one in run}
    for place, method in enumerate(("coop", "vpt", "upt")):
        one = known[method]
        assert f"prompts of other tasks, {one['n_tested']} pairs" in rows and one["n_pairs"] - one["n_tested"] == 2 * 19
        for row, keys in {
            "interval above 0 / below 0 / holds 0": ("interval_above", "interval_below", "interval_holds_0"),
            "separable: help / hurt": ("helps", "hurts"),
            "above the untuned prompt / below / holds 0": tuple(f"untuned_interval_{key}" for key in ("above", "below", "holds_0")),
        }.items():
            assert rows[row][place] == " / ".join(str(one[key]) for key in keys), (row, method)
        assert rows["median width of an interval, points"][place] == f"{one['interval_width_points']:.1f}"
        assert rows["sources not separable from a column's best, median"][place] == f"{one['best_set_median']:g}"
    (example,) = [one for one in known["vpt"]["helping"] if (one["source"], one["target"]) == ("patterned_shapes", "textures")]
    told = f"{example['gain']:+.1f} points over zero-shot ({example['low']:.1f} to {example['high']:.1f}), p adjusted "
    assert told + f"{example['p_adjusted']:.3f}".lstrip("0") in words

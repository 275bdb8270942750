"""Every figure of a study stands in Snakemake's report under a heading, told from the others by words."""

import pytest

from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.report import listing
from promptatlas.study.protocols import PROTOCOLS


def test_a_matrix_is_told_by_protocol_method_and_scale_whatever_the_method_is_called() -> None:
    told = {}
    for protocol in PROTOCOLS:
        for method in ("coop", "tip-adapter", f"{protocol}-raw"):
            for view in VIEWS:
                name = f"{listing.HEATMAP}{protocol}-{method}-{view}"
                assert listing.heading(name) == listing.MATRICES
                words = listing.labels(name)
                assert words["protocol"] == protocol and words["scale"] == VIEWS[view].title
                told[name] = (*words.values(),)
    assert len({*told.values()}) == len(told)
    assert told["heatmap-frozen-coop-raw"][1] == "CoOp" and told["heatmap-frozen-tip-adapter-raw"][1] == "tip-adapter"


@pytest.mark.parametrize(
    ("figure", "heading", "words"),
    [
        ("published-coop", listing.PUBLISHED, {"method": "CoOp"}),
        ("similarity-init", listing.OTHERS, {"figure": "Similarity and transfer, init"}),
        ("joint-vpt", listing.OTHERS, {"figure": "VPT: ways to have a prompt"}),
        ("variance", listing.OTHERS, {"figure": "How much source, target and pair matter"}),
    ],
)
def test_other_figures_are_told_by_what_they_show(figure: str, heading: str, words: dict[str, str]) -> None:
    assert listing.heading(figure) == heading and listing.labels(figure) == words

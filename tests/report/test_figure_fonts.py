"""Names of any signs in static figures: literally, in a font that has them, and with one word about those that no font has."""

import warnings
from html import unescape

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.font_manager import fontManager, get_font
from PIL import Image

from promptatlas.report import figures
from promptatlas.report.figures import fonts, style
from promptatlas.report.figures.fonts import BOXES, lettered, others
from promptatlas.report.figures.lettering import lacking

EMOJI = "\U0001f600"


@pytest.fixture(scope="module")
def elsewhere():
    """A sign that the shipped font lacks and a font that comes with matplotlib has."""
    stix = next(font for font in fontManager.ttflist if font.name == "STIXGeneral" and font.style == "normal" and font.weight == 400)
    return min(sign for sign in map(chr, get_font(stix.fname).get_charmap()) if sign.isprintable() and lacking(sign))


def drawn(path, text, texts=None):
    """A figure with one text; what is said of it."""
    with lettered([text] if texts is None else texts) as remarks:
        figure = plt.figure(figsize=(4, 0.5))
        figure.text(0.02, 0.3, text, fontsize=14)
        style.save(figure, path)
    return remarks


def pixels(path):
    return np.asarray(Image.open(f"{path}.png").convert("L"))


@pytest.mark.parametrize("name", ["$x$", "a_b", "a^2", "\\frac{1}{2}", "$", "a_{b}^{c} $\\alpha$ & <b>", "100 %"])
def test_names_are_written_as_they_are(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(tmp_path / "a", name) == []
    assert f">{name}</text>" in unescape((tmp_path / "a.svg").read_text())


def test_a_sign_that_the_shipped_font_lacks_is_drawn_in_a_font_that_has_it(tmp_path, elsewhere):
    (family,) = others([elsewhere])
    assert family is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(tmp_path / "found", elsewhere) == [] and drawn(tmp_path / "box", elsewhere, texts=[]) == []
    assert (pixels(tmp_path / "found") != pixels(tmp_path / "box")).any()
    assert family in (tmp_path / "found.svg").read_text()


def test_of_signs_that_no_font_has_one_word_is_said_however_many_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_candidates", lambda: ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(tmp_path / "a", f"\u4efb\u52a1 {EMOJI} \u0645\u0647\u0645\u0629 " * 20) == [BOXES]
        assert drawn(tmp_path / "b", "caf\u00e9 \u2212 \u03b1") == []
    assert f"{EMOJI}" in (tmp_path / "a.svg").read_text()  # an SVG has the text; who shows it has other fonts


def test_few_families_are_taken_for_many_signs(monkeypatch):
    names = {"one": "ab", "two": "abcd", "three": "x"}
    monkeypatch.setattr(fonts, "_candidates", lambda: tuple(type("Font", (), {"name": name, "fname": name}) for name in names))
    monkeypatch.setattr(fonts, "_has", lambda path, sign: sign in names[path])
    assert others("cdabz") == ["two", "two", "two", "two", None]


def test_right_to_left_names_are_drawn_in_their_direction(tmp_path):
    """Hebrew, whose first letter stands at the right: of a letter and full stops that follow it, all that is high is at the right."""
    drawn(tmp_path / "word", "\u05dc.........")
    dark = pixels(tmp_path / "word") < 128
    high = dark[: np.flatnonzero(dark.any(axis=1)).max() - 20].any(axis=0)
    across, above = np.flatnonzero(dark.any(axis=0)), np.flatnonzero(high)
    assert np.ptp(above) < np.ptp(across) / 3 and above.min() > across.mean()


def test_methods_stand_in_the_order_of_the_configuration():
    assert figures.in_order(["coop", "upt", "vpt", "upt"], ["vpt", "upt"], str) == ["vpt", "upt", "upt", "coop"]
    assert figures.in_order(["b", "a"], [], str) == ["b", "a"]

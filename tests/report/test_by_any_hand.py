"""The pages by keyboard, by touch, on a phone, in the dark, on paper and with names that break pages: judged by Chromium and axe-core."""

import re
from itertools import pairwise

import pytest

from browser import needs_browser
from hostile_names import LONG, NAMES, WHY, analysed_page, few_shot_page, recommendation_page, study_page, titles

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1400, "height": 900}
CELL = "#heatmap [role=gridcell][aria-label]:not(.margin)"
OPENED = "#source=task_03&target=task_00"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hand")
    return {
        "study": study_page(folder / "study.html"),
        "analysed": analysed_page(folder / "analysed"),
        "few_shot": few_shot_page(folder / "few_shot.html"),
        "recommendation": recommendation_page(folder / "recommendation.html"),
    }


def whole(page) -> None:
    """Opens what can be opened, and has what is out of sight drawn as well."""
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    page.add_style_tag(content="main > section { content-visibility: visible !important; }")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("!waiting")


def judged(page) -> list[str]:
    """What axe-core finds serious or critical, the size of targets included."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found if one["impact"] in ("serious", "critical") for node in one["nodes"]]


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", ["study", "analysed"])
def test_axe_finds_nothing_serious(pages, show, name, window, scheme):
    page = show(pages[name], OPENED if name == "study" else "", color_scheme=scheme, **window)
    assert page.evaluate("isDark()") == (scheme == "dark")
    page.wait_for_function("!waiting")
    assert judged(page) == []
    whole(page)
    assert judged(page) == []


@needs_browser
@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", ["few_shot", "recommendation"])
def test_axe_finds_nothing_serious_in_reports_without_scripts(pages, show, name, window):
    page = show(pages[name], **window)
    assert judged(page) == [] and sideways(page) == []


@needs_browser
def test_axe_would_find_it(pages, show):
    """A grey on grey, a button without a name and a small target are found where they are put."""
    page = show(pages["few_shot"])
    page.evaluate("""document.querySelector('main').insertAdjacentHTML('afterbegin',
        '<p style="color:#999;background:#888">grey</p><button></button>'
        + [1, 2].map(one => `<a href="#${one}" style="display:block;width:9px;height:9px;overflow:hidden">${one}</a>`).join(""))""")
    assert {one.split(":")[0] for one in judged(page)} >= {"color-contrast", "button-name", "target-size"}


def sideways(page) -> list[str]:
    """What is wider than the window and in nothing that scrolls."""
    return page.evaluate("""() => {
        if (document.documentElement.scrollWidth <= innerWidth) return [];
        const wide = [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1);
        const free = wide.filter(one => !one.closest(".scroll, .scrollbox"));
        return [...free.map(one => one.outerHTML.slice(0, 120)), "the page is too wide"];
    }""")


@needs_browser
@pytest.mark.parametrize("name", ["study", "analysed"])
def test_no_page_scrolls_sideways_on_a_phone(pages, show, name):
    page = show(pages[name], OPENED if name == "study" else "", **PHONE)
    assert sideways(page) == []
    whole(page)
    assert sideways(page) == []
    for view in page.evaluate("viewsOf(state)"):
        page.evaluate("view => set({view})", view)
        assert sideways(page) == [], view


@needs_browser
def test_many_methods_stand_in_several_lines_on_a_phone(pages, show):
    page = show(pages["study"], **PHONE)
    page.evaluate("""() => {
        const place = document.querySelector("#choose-method .segments");
        for (let count = 0; count < 9; count++) place.append(place.lastElementChild.cloneNode(true));
    }""")
    assert sideways(page) == []
    assert page.evaluate("document.querySelector('#choose-method .segments').clientHeight") > 50


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_number_of_the_matrix_can_be_read(pages, show, scheme):
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.005)
    page = show(pages["study"], color_scheme=scheme)
    for view in page.evaluate("viewsOf(state)"):
        page.evaluate("view => set({view})", view)
        colours = page.evaluate(
            """which => [...document.querySelectorAll(which)].filter(cell => /\\d/.test(cell.textContent)).map(cell => {
            const style = getComputedStyle(cell);
            return [style.color, style.backgroundColor];
        })""",
            "#heatmap [role=gridcell]",
        )
        assert len(colours) > 100 and min(contrast(*one) for one in colours) >= 4.5, view


@needs_browser
@pytest.mark.parametrize("name", ["study", "analysed"])
def test_names_that_are_read_out_have_the_text_that_is_seen(pages, show, name):
    """As WCAG's "label in name" asks: who speaks to the page says what he sees."""
    page = show(pages[name], OPENED if name == "study" else "")
    whole(page)
    named = page.evaluate("""() => [...document.querySelectorAll("button, a[href], [role=gridcell], summary, th[tabindex]")]
        .filter(one => one.checkVisibility() && one.textContent.trim())
        .map(one => [one.getAttribute("aria-label"), one.textContent.trim()]).filter(([label]) => label)""")
    assert len(named) > 140
    assert [one for one in named if re.search(r"\w", one[1]) and one[1].casefold() not in one[0].casefold()] == []


@needs_browser
def test_every_cell_is_reached_by_keys_and_read(tmp_path, show):
    path = study_page(tmp_path / "report.html", 5)
    page = show(path)
    names = page.evaluate("shown().rows.map(lineTitle)"), page.evaluate("shown().columns.map(lineTitle)")
    page.locator("#heatmap [tabindex='0']").focus()
    page.keyboard.press("Control+Home")
    read = """() => [document.activeElement.getAttribute("role"), document.activeElement.getAttribute("aria-label"),
        document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle]"""
    for line, source in enumerate(names[0]):
        there = names[1] if line % 2 == 0 else names[1][::-1]
        for column, target in enumerate(there):
            role, label, outline = page.evaluate(read)
            assert role == "gridcell" and label.startswith(f"{source} to {target}: ") and outline == "solid"
            page.keyboard.press("ArrowDown" if column == len(there) - 1 else "ArrowLeft" if line % 2 else "ArrowRight")
    page.keyboard.press("Enter")
    panel = page.get_by_label("The chosen cell")
    assert f"{names[0][-1]} \u2192" in panel.inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("state.source") is None


@needs_browser
def test_a_finger_finds_what_it_points_at(pages, show):
    """At least 24 pixels each way, as WCAG 2.2 asks; links within sentences aside."""
    page = show(pages["study"], OPENED, has_touch=True, is_mobile=True, **PHONE)
    whole(page)
    pointed = "button, select, summary, label, nav a, [role=gridcell]:not(.margin), #heatmap th[tabindex]"
    small = page.evaluate(
        """which => [...document.querySelectorAll(which)]
        .filter(one => one.checkVisibility()).map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 120)])
        .filter(([box]) => box.width < 23.9 || box.height < 23.9).map(([box, html]) => `${box.width} x ${box.height}: ${html}`)""",
        pointed,
    )
    assert small == []
    page.keyboard.press("Escape")
    page.locator(CELL).first.tap()
    assert page.evaluate("state.source") is not None


@needs_browser
def test_row_names_stay_in_sight_on_a_phone(pages, show):
    page = show(pages["study"], **PHONE)
    page.evaluate("document.getElementById('heatmap').scrollLeft = 10000")
    assert page.evaluate("document.getElementById('heatmap').scrollLeft") > 50
    heads = page.evaluate("""() => [...document.querySelectorAll("#heatmap tbody th")].map(one => {
        const box = one.getBoundingClientRect();
        const shown = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        const away = box.top < 0 || box.bottom > innerHeight;
        return [box.left >= 0 && box.right <= innerWidth && box.width >= 40, one.textContent, away || one.contains(shown)];
    })""")
    assert [text for _, text, _ in heads][: len(NAMES)] != [] and all(inside and shown for inside, _, shown in heads)


@needs_browser
@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
def test_the_tip_leaves_and_covers_nothing_that_is_pointed_at(pages, show, window):
    page = show(pages["study"], reduced_motion="reduce", **window)
    tip = page.locator("#tip")
    page.locator("#heatmap").scroll_into_view_if_needed()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    boxes = page.evaluate(
        """which => [...document.querySelectorAll(which)].map(one => one.getBoundingClientRect())
        .map(box => [box.x + box.width / 2, box.y + box.height / 2]).filter(at => document.elementFromPoint(...at)?.closest(which))""",
        CELL,
    )
    corners = [min(boxes, key=lambda at: sx * at[0] + sy * at[1]) for sx in (1, -1) for sy in (1, -1)]
    for x, y in corners:
        page.mouse.move(x, y)
        assert tip.is_visible()
        box = tip.bounding_box()
        assert not (box["x"] <= x <= box["x"] + box["width"] and box["y"] <= y <= box["y"] + box["height"])
        assert (
            box["x"] >= 0 and box["x"] + box["width"] <= window["width"] and box["y"] >= 0 and box["y"] + box["height"] <= window["height"]
        )
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.mouse.move(*corners[0])
    assert tip.is_visible()
    page.mouse.wheel(0, 30)
    page.wait_for_function("document.getElementById('tip').hidden")
    page.mouse.move(*corners[1])
    page.mouse.move(1, 1)
    assert tip.is_hidden()


@needs_browser
def test_names_are_shown_as_they_are(pages, show):
    page = show(pages["study"], "#source=task_01&target=task_02")
    assert page.title() != "owned" and page.evaluate("document.querySelectorAll('main i:not([style]), main b').length") == 0
    shown = page.evaluate("[...document.querySelectorAll('#heatmap thead th .label')].map(one => one.textContent)")
    assert set(titles(12)) <= set(shown)
    panel = page.get_by_label("The chosen cell").text_content()
    assert NAMES[1] in panel and NAMES[2] in panel and WHY in panel
    page.evaluate("set({source: 'task_03', target: 'task_00'})")
    assert LONG in page.get_by_label("The chosen cell").text_content()


@needs_browser
def test_the_address_holds_everything_and_choosing_makes_history(pages, show):
    page = show(pages["study"])
    look = """() => [shown().title, JSON.stringify(shown().rows), document.querySelector("#panel h3").textContent,
        [...document.querySelectorAll("select, input")].map(one => (/radio|checkbox/.test(one.type) ? one.checked : one.value)).join()]"""
    seen = [page.evaluate(look)]
    steps = [
        lambda: page.get_by_role("radio", name="VPT").check(),
        lambda: page.get_by_label("Scale").select_option("raw"),
        lambda: page.get_by_label("Order").select_option("name"),
        lambda: page.locator(CELL).nth(1).click(),
        lambda: page.get_by_label("numbers").uncheck(),
    ]
    for step in steps:
        step()
        seen.append(page.evaluate(look))
    assert all(before != after for before, after in pairwise(seen))
    address = page.evaluate("location.hash")
    page.reload()
    assert page.evaluate(look) == seen[-1]
    assert show(pages["study"], address).evaluate(look) == seen[-1]
    for before in seen[-2::-1]:
        page.go_back()
        assert page.evaluate(look) == before
    for after in seen[1:]:
        page.go_forward()
        assert page.evaluate(look) == after


@needs_browser
@pytest.mark.parametrize("name", ["study", "analysed"])
def test_plots_and_captions_are_read_on_a_phone(pages, show, name):
    """Plots are drawn for its width, not shrunk to it; a caption is no wider than the window, as wide as its table may be."""
    page = show(pages[name], OPENED if name == "study" else "", **PHONE)
    whole(page)
    letters = page.evaluate("""() => [...document.querySelectorAll("main svg.plot text")].filter(one => one.checkVisibility())
        .map(one => [one.textContent, parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a])""")
    assert letters and [one for one in letters if one[1] < 9.5] == []
    captions = page.evaluate("""() => [...document.querySelectorAll("main caption span")].filter(one => one.checkVisibility())
        .map(one => [one.textContent, one.getBoundingClientRect().right])""")
    assert captions and [one for one in captions if one[1] > PHONE["width"]] == []


@needs_browser
def test_paper_has_what_is_chosen_and_opened_in_light_colours(pages, show, tmp_path):
    page = show(pages["study"], f"{OPENED}&ranked=task_04", color_scheme="dark")
    page.evaluate("document.querySelector('#matrix details') && (document.querySelector('#matrix details').open = true)")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.evaluate("""() => {
        globalThis.prints = [];
        addEventListener("beforeprint", () => prints.push([getComputedStyle(document.body).backgroundColor, shown().title]));
    }""")
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    (before,) = page.evaluate("prints")
    assert before[0] == "rgb(255, 255, 255)" != dark == page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_label("The chosen cell").is_visible() and page.locator("#panel .scrollbox").first.is_visible()
    assert page.evaluate("document.getElementById('panel').scrollHeight - document.getElementById('panel').clientHeight") <= 1
    assert page.locator("#best tbody button").first.is_visible(), "names of targets are buttons"
    for gone in ("nav", "#theme", ".save", ".command", ".again"):
        assert not page.locator(gone).first.is_visible(), gone
    opened = page.evaluate("""() => [...document.querySelectorAll("main details:not(.save)")]
        .filter(one => one.parentElement.checkVisibility() && one.open !== one.checkVisibility()).length""")
    assert opened == 0
    chosen = page.evaluate("""() => [...document.querySelectorAll(".segments label, .toolbar select")]
        .filter(one => one.checkVisibility()).map(one => one.value || one.textContent)""")
    assert "CoOp" in chosen and "VPT" not in chosen and "task_04" in chosen
    assert page.evaluate("document.querySelector('#heatmap table').getBoundingClientRect().width") <= 705
    page.set_viewport_size({"width": 720, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 720, "a sheet of A4 between its margins"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("isDark()")

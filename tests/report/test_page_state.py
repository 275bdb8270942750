"""What is chosen on the page: the address holds it, Back undoes it, and only what depends on it is drawn again."""

import pytest

from browser import CONFIG, needs_browser, played
from page_study import study
from promptatlas.report import page
from synthetic_study import cells


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    tables, summary = study()
    path = tmp_path_factory.mktemp("state") / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), path, summary)
    return path


@needs_browser
def test_back_and_forward_go_through_what_was_chosen(path, tmp_path):
    script = """
      const seen = [], note = () => seen.push([state.method, state.view, state.source, document.querySelector('#choose-view').value]);
      note();
      set({method: "vpt"}); set({view: "raw"}); choose("task_01", "task_03"); note();
      set({search: "t"}, {replace: true});
      const length = history.length;
      for (let i = 0; i < 3; i++) { history.back(); await pause(); note(); }
      history.go(3); await pause(); note();
      return {seen, search: state.search, same: length === history.length};
    """
    found = played(path, tmp_path, script)
    first = ["coop", "gain_points", None, "gain_points"]
    last = ["vpt", "raw", "task_01", "raw"]
    between = [["vpt", "raw", None, "raw"], ["vpt", "gain_points", None, "gain_points"], first]
    assert found["seen"] == [first, last, *between, last]
    assert found["search"] == "t" and found["same"], "typing makes no history, but is in the address"


@needs_browser
def test_an_address_holds_every_choice_and_what_is_unknown_gives_way(path, tmp_path):
    script = """
      const chosen = {method: "vpt", view: "raw", baseline: "own", seeds: "1,3", order: "name", sort: "-row:task_02", numbers: false,
        clear: true, search: "a & b=c#d", zoom: 20, source: "task_01", target: "task_02", ranked: "task_04", theme: "dark",
        compare: "method:coop", panel: "pairs", threshold: 2.5, at: "variance"};
      set(chosen);
      const before = {...state}, address = location.hash;
      set({...Object.fromEntries(Object.keys(chosen).map(key => [key, null]))});
      const bare = {...state};
      location.hash = address; await pause();
      const again = Object.keys(chosen).filter(key => state[key] !== chosen[key]);
      location.hash = "#method=gone&view=gone&seeds=9&compare=method:vpt&zoom=x&source=task_01&panel=gone&sort=row:gone&theme=red";
      await pause();
      return {again, lost: Object.keys(chosen).filter(key => before[key] !== chosen[key]), bare, unknown: {...state}};
    """
    found = played(path, tmp_path, script)
    assert found["lost"] == found["again"] == []
    bare = {"method": "coop", "view": "gain_points", "seeds": None, "numbers": True, "clear": False, "search": "", "panel": "matrix"}
    assert bare.items() <= found["bare"].items() and found["bare"]["zoom"] is found["bare"]["source"] is None
    unknown = found["unknown"]
    assert unknown["method"] == "coop" and unknown["compare"] == "method:vpt" and unknown["panel"] == "matrix"
    assert all(unknown[name] is None for name in ("seeds", "zoom", "source", "sort", "theme"))


@needs_browser
def test_only_what_depends_on_a_choice_is_drawn_again_and_what_was_opened_stays(path, tmp_path):
    script = """
      const ids = ["heatmap", "panel", "ranking", "best", "variance-plot", "similarity-table", "tasks"];
      const mark = () => ids.forEach(id => document.getElementById(id).firstElementChild.setAttribute("data-old", ""));
      const drawn = () => ids.filter(id => !document.getElementById(id).firstElementChild.hasAttribute("data-old"));
      const by = {};
      const trial = (name, changes) => { mark(); set(changes); by[name] = drawn(); };
      trial("ranked", {ranked: "task_05"});
      trial("cell", {source: "task_01", target: "task_03"});
      trial("same", {source: "task_01", target: "task_03"});
      const numbers = () => [...document.querySelectorAll("#heatmap td")].map(one => one.textContent).join();
      const coop = numbers(), cell = document.querySelector("#heatmap td.chosen");
      trial("method", {method: "vpt"});
      const painted = numbers() !== coop && cell.isConnected && cell === document.querySelector("#heatmap td.chosen");
      document.querySelector("main").append(element("div", {id: "own"}));
      let times = 0;
      const draw = () => {
        times += 1;
        const inside = element("div", {style: "height:900px"}, `${times}`);
        const long = element("div", {class: "scroll", style: "height:20px;overflow:auto"}, inside);
        const parts = ["a", "b"].map(name => element("details", {}, element("summary", {}, name), element("button", {}, name)));
        fill("own", ...(times % 2 ? [element("p", {}, "first")] : []), long, parts);
      };
      sections.register({id: "own", keys: ["order"], draw});
      set({order: "name"});
      const own = document.getElementById("own"), details = () => own.querySelectorAll("details");
      details()[1].open = true; own.querySelector(".scroll").scrollTop = 70; details()[1].querySelector("summary").focus();
      set({order: "family"}); set({order: "giving"}); set({view: "raw"});
      return {by, times, painted, open: [...details()].map(one => one.open), top: own.querySelector(".scroll").scrollTop,
        focus: document.activeElement.textContent, place: document.activeElement.tagName};
    """
    found = played(path, tmp_path, script)
    assert found["by"]["ranked"] == ["ranking"] and found["by"]["same"] == []
    assert "panel" in found["by"]["cell"] and not {"best", "variance-plot", "similarity-table", "tasks"} & set(found["by"]["cell"])
    assert {"panel", "best", "variance-plot", "similarity-table"} <= set(found["by"]["method"]) and "tasks" not in found["by"]["method"]
    assert found["painted"] and "heatmap" not in found["by"]["method"], "cells are painted and stay the nodes that they are"
    assert found["times"] == 3 and found["open"] == [False, True] and found["top"] == 70
    assert found["focus"] == "b" and found["place"] == "SUMMARY"


@needs_browser
def test_links_within_the_page_keep_what_is_chosen(path, tmp_path):
    script = """
      set({method: "vpt"});
      document.querySelector('nav a[href="#similarity"]').click(); await pause();
      const there = {...state}, focused = document.activeElement.id;
      history.back(); await pause();
      return {there, focused, back: state.at, method: state.method};
    """
    found = played(path, tmp_path, script, "#sources")
    assert found["there"]["method"] == "vpt" and found["there"]["at"] == found["focused"] == "similarity"
    assert found["method"] == "vpt" and found["back"] == "sources"

// The tab of the graph: its threshold, its sign, and whom the lit task helps, in words.

const STEPS = 200;
let graphShown = null; // {again(), words} of the drawing
const AGAIN_GRAPH = ["panel", "protocol", "method", "view", "baseline", "seeds", "compare", "order", "clear", "threshold", "sign", "node", "theme"];

// What the lists of a task's arrows are called.
function arrowWords(around) {
  if (!around) return {gives: "As a source for", receives: "As a target of"};
  if (state.compare) return {gives: "First higher, as a source for", harms: "First lower, as a source for", receives: "First higher, as a target of", suffers: "First lower, as a target of"};
  if (state.view === "relationship")
    return {gives: "Helps more than expected", harms: "Helps less than expected", receives: "Is helped more than expected by", suffers: "Is helped less than expected by"};
  return {gives: "Helps", harms: "Harms", receives: "Is helped by", suffers: "Is harmed by"};
}

// Whether a pair may have an arrow: clear ones alone, if that is chosen.
const mayPoint = () => (onlyClear() ? isClear : () => true);

function drawGraph() {
  if (state.panel !== "graph") return;
  const view = shownTasks();
  const around = aroundZero(view);
  const every = everyArrow(view, state.sign, mayPoint());
  const most = every.length ? every[0].strength : 0;
  const least = around || !every.length ? 0 : every.at(-1).strength;
  const own = isNumber(state.threshold) && state.threshold >= least && state.threshold <= most;
  const threshold = own ? state.threshold : firstThreshold(every, view.columns.length);
  const arrows = arrowsAbove(every, threshold);
  document.getElementById("choose-sign").value = state.sign;
  document.getElementById("choose-sign").parentElement.hidden = !around;
  const slider = document.getElementById("choose-threshold");
  Object.assign(slider, {min: least, max: most, step: "any", disabled: !every.length});
  slider.dataset.step = (most - least) / STEPS || 1;
  slider.value = threshold;
  const edge = view.text(threshold).replace(/^\+/, "");
  slider.setAttribute("aria-valuetext", edge);
  fill("threshold-words", edge + (around ? " from 0" : ""));
  fill("graph-words", graphWords(view, arrows, every));
  const {svg, again} = graphDrawing(view, {arrows, most, node: state.node}, {
    choose,
    light: lightCell,
    pin: node => set({node}),
    show: name => showNode(svg, view, arrows, name || state.node),
  });
  fill("graph", svg);
  graphShown = {again, words: arrowsDrawn(around, threshold, view, arrows, every)};
  showMoved();
  showNode(svg, view, arrows, state.node);
}

// Which arrows are drawn, for who sees the graph alone.
function arrowsDrawn(around, threshold, view, arrows, every) {
  const sides = {both: "from 0", more: "above 0", less: "below 0"}[state.sign];
  const sure = state.clear && !state.compare ? ", of clear pairs" : "";
  const edge = view.text(threshold).replace(/^\+/, "");
  return `${arrows.length.toLocaleString("en")} of ${every.length.toLocaleString("en")} arrows${sure}: those at least ${around ? `${edge} ${sides}` : edge}.`;
}

function showMoved() {
  document.getElementById("on-circle").hidden = !state.moved;
}

function graphWords(view, arrows, every) {
  const all = every.length.toLocaleString("en");
  const sure = state.clear && !state.compare ? ", clear ones only" : "";
  return every.length
    ? `${view.title}. ${arrows.length.toLocaleString("en")} of ${all} arrows${sure}, from source to target; thicker is farther${aroundZero(view) ? " from 0" : ""}. Point at a task or choose it to light its arrows; drag it to move it.`
    : `${view.title}. There is no arrow to draw${sure}.`;
}

function showNode(svg, view, arrows, name) {
  lightNode(svg, view, name);
  if (!name) {
    fill("graph-lists");
    return;
  }
  const words = {...view, arrowWords: arrowWords(aroundZero(view))};
  const lists = nodeLists(words, arrows, name).filter(one => one[1].length);
  fill(
    "graph-lists",
    element("h3", {}, title(name)),
    lists.length ? null : quiet("No arrow of this task is drawn."),
    lists.map(([head, pairs]) =>
      element("p", {}, `${head}: `, pairs.map(([source, target, text], index) => [
        index ? ", " : "",
        element("button", {type: "button", class: "link", onclick: () => choose(source, target)}, text),
      ]).flat()),
    ),
  );
}

document.getElementById("choose-sign").addEventListener("change", event => set({sign: event.target.value, threshold: null}));
document.getElementById("on-circle").addEventListener("click", () => {
  set({moved: null});
  document.getElementById("few-arrows").focus(); // what was pressed is gone
});
document.getElementById("few-arrows").addEventListener("click", () => set({threshold: null}));
document.getElementById("choose-threshold").addEventListener("input", event => set({threshold: Number(Number(event.target.value).toPrecision(4))}, {replace: true}));
document.getElementById("choose-threshold").addEventListener("keydown", event => {
  const step = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10}[event.key];
  if (!step) return;
  event.preventDefault();
  const slider = event.target;
  const next = Math.min(Math.max(Number(slider.value) + step * Number(slider.dataset.step), Number(slider.min)), Number(slider.max));
  set({threshold: Number(next.toPrecision(4))}, {replace: true});
});
sections.register({id: "pane-graph", keys: AGAIN_GRAPH, draw: drawGraph});
sections.register({id: "pane-graph", keys: ["moved"], draw: () => state.panel === "graph" && graphShown && (graphShown.again(), showMoved())});

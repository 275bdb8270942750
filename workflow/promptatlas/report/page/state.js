// What is shown now, kept in the address after "#", and small helpers to read the data.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SUMMARY = DATA.summary;
const TASKS = Object.fromEntries(DATA.tasks.map((task, index) => [task.name, {...task, index}]));
const WORDS = DATA.words;
const ORDERS = ["similar", "family", "name", "giving"];

const state = readAddress();

function readAddress() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const pick = (key, known, otherwise) => (known.includes(given.get(key)) ? given.get(key) : otherwise);
  const names = Object.keys(TASKS);
  const protocol = pick("protocol", DATA.protocols, DATA.protocols[0]);
  const methods = DATA.methods.filter(method => DATA.matrices[`${protocol}/${method}`]);
  const method = pick("method", methods, methods[0]);
  const views = Object.keys(DATA.matrices[`${protocol}/${method}`].views);
  const chosen = {
    protocol,
    method,
    view: pick("view", views, mainView(views)),
    order: pick("order", ORDERS, "similar"),
    numbers: given.get("numbers") !== "off",
    source: pick("source", [...names, ...Object.keys(WORDS.protocols[protocol].row_titles)], null),
    target: pick("target", names, null),
    ranked: pick("ranked", names, SUMMARY.order[0]),
    theme: pick("theme", ["light", "dark"], null),
  };
  if (!chosen.source || !chosen.target) chosen.source = chosen.target = null;
  return chosen;
}

function writeAddress() {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (value === null || value === true) continue;
    parts.set(key, value === false ? "off" : value);
  }
  try {
    history.replaceState(null, "", "#" + parts);
  } catch {
    /* some embedding pages forbid it; the page works without */
  }
}

const key = () => `${state.protocol}/${state.method}`;
const matrix = () => DATA.matrices[key()];
const title = name => (TASKS[name] ? TASKS[name].title : rowTitle(name));
const rowTitle = name => protocolWords().row_titles[name] || name;
const titleOf = (kind, name) => (WORDS[kind][name] ? WORDS[kind][name].title : name);
const metricTitle = name => titleOf("metrics", name);
const measureTitle = name => titleOf("measures", name);
const isTask = name => name in TASKS;
const methodTitle = name =>
  name
    .split("~")
    .map(one => titleOf("methods", one))
    .join(" and ");

// Tasks in the chosen order; an array of names.
function ordered() {
  const names = SUMMARY.order.slice();
  if (state.order === "name") return names.sort((a, b) => title(a).localeCompare(title(b)));
  if (state.order === "family") {
    const place = Object.fromEntries(SUMMARY.order.map((name, index) => [name, index]));
    return names.sort((a, b) => TASKS[a].family.localeCompare(TASKS[b].family) || place[a] - place[b]);
  }
  if (state.order === "giving") {
    const given = bySummary().givers.map(one => one.task);
    return given.length === names.length ? given : names;
  }
  return names;
}

// Records in the order in which the configuration lists their methods.
const byMethod = records => [...records].sort((a, b) => DATA.methods.indexOf(a.method) - DATA.methods.indexOf(b.method));

const bySummary = () => SUMMARY.by_method.find(one => one.method === state.method && one.protocol === state.protocol);
const calibration = (view = state.view) => Object.keys(matrix().views[view].rows);

// One value of the shown view (mean over seeds), or null where the cell is missing.
function value(source, target, view = state.view) {
  const shown = matrix().views[view];
  const row = isTask(source) ? shown.values[TASKS[source].index] : shown.rows[source];
  return row ? row[TASKS[target].index] : null;
}

// The scores of a cell by seed: [[seed, score or null], ...].
function seedScores(source, target) {
  const row = matrix().sources.indexOf(source);
  return Object.entries(matrix().seeds).map(([seed, values]) => [
    seed,
    row < 0 ? null : values[row][TASKS[target].index],
  ]);
}

// Why a cell could not be measured: [[seed, reason], ...], empty if nobody tried or it could.
function failures(source, target) {
  const sources = DATA.failed[key()] || {};
  return Object.entries((sources[source] || {})[target] || {});
}

const there = numbers => numbers.filter(one => one !== null && one !== undefined && Number.isFinite(one));
const mean = numbers => (numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : null);
const minus = text => text.replace(/-/g, "\u2212");
const isNumber = number => typeof number === "number" && Number.isFinite(number);
const show = (number, digits = 2) => (isNumber(number) ? minus(unsigned(number.toFixed(digits))) : "\u2013");
const precise = number => (isNumber(number) ? minus(String(Number(number.toPrecision(3)))) : "\u2013");
const unsigned = text => (Number(text) === 0 ? text.replace("-", "") : text);
const signed = (number, digits = 1) =>
  isNumber(number) ? (Number(number.toFixed(digits)) > 0 ? "+" : "") + show(number, digits) : "\u2013";
const percent = (number, digits = 0) => (isNumber(number) ? show(100 * number, digits) + "\u202f%" : "\u2013");
const pText = p => (isNumber(p) ? (p < 0.001 ? p.toFixed(4) : p < 0.095 ? p.toFixed(3) : p.toFixed(2)) : "\u2013");

// A value of a view as text, short for a cell of the heatmap or long for words.
function viewText(number, view = state.view, long = false) {
  if (!isNumber(number)) return long ? "missing" : "";
  const {unit, digits, diverging} = WORDS.views[view];
  if (isNumber(digits) && unit !== "%") {
    const text = (diverging ? signed : show)(number, digits + (long ? 1 : 0));
    return long && unit ? `${text} ${unit}` : text;
  }
  if (unit === "%") return long ? percent(number, 1) : show(100 * number, 0);
  if (unit === "points") return signed(number, long ? 1 : 0) + (long ? " points" : "");
  return signed(number, long ? 2 : 1) + (long ? ` ${unit}` : "");
}

function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "text", "line", "circle", "path", "polyline", "pattern", "defs", "title"].includes(
    tag,
  );
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, one] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), one);
    else if (one !== null && one !== undefined && one !== false) node.setAttribute(name, one === true ? "" : one);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined));
  return node;
}

const fill = (id, ...children) =>
  document.getElementById(id).replaceChildren(...children.flat().filter(one => one !== null));

// A table from a head (strings) and rows of cells (strings, nodes or numbers); columns named in `numeric` stand right.
function table(head, rows, numeric = [], caption = null) {
  const side = index => (numeric.includes(index) ? {class: "n"} : {});
  return element(
    "table",
    {},
    caption ? element("caption", {class: "quiet"}, caption) : null,
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        head.map((text, index) => element("th", {scope: "col", ...side(index)}, text)),
      ),
    ),
    element(
      "tbody",
      {},
      rows.map(row =>
        element(
          "tr",
          {},
          row.map((cell, index) => element("td", side(index), cell)),
        ),
      ),
    ),
  );
}

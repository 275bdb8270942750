// The data of the page and what they say of tasks, methods and cells: names in words, values, scores by seed.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SUMMARY = DATA.summary;
const TASKS = Object.fromEntries(DATA.tasks.map((task, index) => [task.name, {...task, index}]));
const WORDS = DATA.words;

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


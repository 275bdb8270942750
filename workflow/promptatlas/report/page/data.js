// The data of the page and what they say of tasks, methods and cells: names in words, values, scores by seed.

const DATA = unfolded(JSON.parse(document.getElementById("data").textContent));
const SUMMARY = DATA.summary;
const TASKS = Object.fromEntries(DATA.tasks.map((task, index) => [task.name, {...task, index}]));
const WORDS = DATA.words;

// The data of a large page with what is folded in them (`folded.py`).
function unfolded({folded, ...data}) {
  if (!folded) return data;
  const bytes = inflate(Uint8Array.from(atob(folded.text), one => one.charCodeAt(0)), folded.bytes);
  const {summary, ...heavy} = JSON.parse(new TextDecoder().decode(bytes));
  return {...data, ...heavy, summary: {...data.summary, ...summary}};
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

// How many images of each class were drawn, in words; `shots` are the numbers that occur.
const perClass = shots => `${shots.join(", ")} ${shots.every(one => one === 1) ? "image" : "images"} per class`;

// Which of all sources one is for a target, of which `better` are better; values: how many different ones there are.
const placeWords = (better, sources, values) =>
  sources > 1 && values === 1 ? "All sources are alike for this target." : `Source ${better + 1} of ${sources} for this target.`;

// The methods of "a~b" in the order of the configuration.
const inOrder = pair =>
  pair.split("~").sort((one, other) => DATA.methods.indexOf(one) - DATA.methods.indexOf(other)).join("~");

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
const calibration = (view = state.view) => Object.keys(viewOf({...state, view}).rows);

// One value of the shown view (mean over the chosen seeds), or null where the cell is missing.
function value(source, target, view = state.view) {
  const {protocol, method, baseline, seeds} = state;
  return valueIn(viewOf({protocol, method, view, baseline, seeds}), source, target);
}

// The same of a view {values, rows}, for who asks for many.
function valueIn({values, rows}, source, target) {
  const row = isTask(source) ? values[TASKS[source].index] : rows[source];
  return row ? row[TASKS[target].index] : null;
}

// The scores of a cell by chosen seed: [[seed, score or null], ...].
function seedScores(source, target, seeds = chosenSeeds(state)) {
  const {sources, seeds: scores} = matrix();
  const row = isTask(source) ? TASKS[source].index : sources.indexOf(source);
  return seeds.map(seed => [seed, row < 0 ? null : scores[seed][row][TASKS[target].index]]);
}

// Views as they are called, what a gain is counted from among it.
function viewWords(view = shownView()) {
  if (view === DIFFERENCE) return shownDifference().words;
  const words = WORDS.views[view];
  if (view !== "gain_points" || !state.baseline) return words;
  return {...words, title: `Gain over ${baselineWords()} (points)`, meaning: `points; 0 = ${baselineMeaning()}`};
}

// Why a cell could not be measured: [[seed, reason], ...], empty if nobody tried or it could.
function failures(source, target) {
  const sources = DATA.failed[key()] || {};
  return Object.entries((sources[source] || {})[target] || {});
}

const remembered = new Map();
const MOST_REMEMBERED = 200;

// What was made of a key before, or is now.
function once(key, make) {
  if (!remembered.has(key)) {
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    remembered.set(key, make());
  }
  return remembered.get(key);
}

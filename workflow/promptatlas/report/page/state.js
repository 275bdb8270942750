// What is chosen, all of it in the address after "#". `set` is the only way to change it; Back and Forward restore it.

const ORDERS = ["similar", "family", "name", "giving"];
const PANELS = ["matrix", "graph", "scatter", "pairs"];
const SMALLEST_CELL = 6,
  LARGEST_CELL = 60;

// Several values of one key, as the text that is kept: "a,b"; values may hold commas.
const joined = values => values.map(encodeURIComponent).join(",") || null;
const listed = text => (text ? text.split(",").map(decodeURIComponent) : []);

const methodsOf = protocol => DATA.methods.filter(method => DATA.matrices[`${protocol}/${method}`]);
// The most informative method opens, unless the address names one.
const openingMethod = protocol => ((SUMMARY.verdict || {opens: {}}).opens[protocol] || {method: methodsOf(protocol)[0]}).method;
const seedsOf = ({protocol, method}) => Object.keys(DATA.matrices[`${protocol}/${method}`].seeds);
const sourcesOf = ({protocol}) => [...Object.keys(TASKS), ...Object.keys(WORDS.protocols[protocol].row_titles)];
const measuresOf = method => DATA.similarity.filter(one => !one.method || one.method === method).map(one => one.measure);
// Families of more than one task.
const families = () => {
  const every = DATA.tasks.map(task => task.family).filter(Boolean);
  return [...new Set(every)].filter(one => every.indexOf(one) !== every.lastIndexOf(one));
};

const oneOf = (known, otherwise) => given => (known.includes(given) ? given : otherwise);
const yesOrNo = otherwise => given => (["on", true].includes(given) ? true : ["off", false].includes(given) ? false : otherwise);
const within = (low, high) => given => {
  const number = given === null || given === "" ? NaN : Number(given);
  return Number.isFinite(number) ? Math.min(Math.max(number, low), high) : null;
};
const some = known => given => joined(known.filter(one => listed(given).includes(one)));

// Each key with how what is asked for becomes what is: (asked, what was settled before it) -> value. Later keys may need earlier ones.
const KEYS = {
  protocol: given => oneOf(DATA.protocols, DATA.protocols[0])(given),
  method: (given, {protocol}) => oneOf(methodsOf(protocol), openingMethod(protocol))(given),
  view: (given, chosen) => oneOf(viewsOf(chosen), mainView())(given),
  baseline: (given, chosen) => oneOf(baselinesOf(chosen), firstBaseline(chosen))(given),
  seeds: (given, chosen) => {
    const every = seedsOf(chosen);
    const kept = every.filter(seed => listed(given).includes(seed));
    return kept.length < every.length ? joined(kept) : null;
  },
  compare: (given, chosen) => oneOf(comparisons(chosen).map(one => one[0]), null)(given),
  order: oneOf(ORDERS, "similar"),
  sort: (given, chosen) => {
    const [, line, name] = /^-?(row|column):(.*)$/s.exec(given || "") || [];
    const known = line === "row" ? sourcesOf(chosen) : Object.keys(TASKS);
    return line && known.includes(name) ? given : null;
  },
  numbers: yesOrNo(true),
  clear: yesOrNo(false),
  search: given => (given || "").slice(0, 200),
  zoom: within(SMALLEST_CELL, LARGEST_CELL),
  folded: given => some(families())(given),
  source: (given, chosen) => oneOf(sourcesOf(chosen), null)(given),
  target: given => oneOf(Object.keys(TASKS), null)(given),
  ranked: given => oneOf(Object.keys(TASKS), SUMMARY.order[0])(given),
  panel: given => (PANELS.includes(given) && document.getElementById(`pane-${given}`) ? given : "matrix"),
  threshold: within(-1e6, 1e6),
  sign: oneOf(["both", "more", "less"], "both"),
  node: oneOf(Object.keys(TASKS), null),
  moved: given => settledMoves(given),
  measure: (given, {method}) => {
    const known = measuresOf(method);
    return oneOf(known, known[0] ?? null)(given);
  },
  coloured: oneOf(["none", "kin", "family", ...Object.keys(TASKS).map(name => `target:${name}`)], "none"),
  everything: yesOrNo(false),
  filter: given => (given || "").slice(0, 200),
  sorted: given => (/^\w+:(up|down)$/.test(given || "") ? given : null),
  where: given => (given ? given.slice(0, 1000) : null),
  at: given => (given && document.getElementById(given) ? given : null),
  theme: oneOf(["light", "dark"], null),
};

// Whole choices out of what is asked for: what is unknown here gives way to what the page opens with.
function settled(asked) {
  const chosen = {};
  for (const [key, settle] of Object.entries(KEYS)) chosen[key] = settle(asked[key] ?? null, chosen);
  if (!chosen.source || !chosen.target) chosen.source = chosen.target = null;
  return chosen;
}

const hasState = () => location.hash.includes("=");
const readAddress = () => settled(hasState() ? Object.fromEntries(new URLSearchParams(location.hash.slice(1))) : {at: location.hash.slice(1)});
const state = readAddress();

// The address says all that is not as on a page of which nothing was chosen, and always what is shown.
function writeAddress(replace) {
  const untouched = settled({protocol: state.protocol, method: state.method});
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (value === null || (value === untouched[key] && !["protocol", "method", "view"].includes(key))) continue;
    parts.set(key, value === true ? "on" : value === false ? "off" : value);
  }
  try {
    history[replace ? "replaceState" : "pushState"](null, "", "#" + parts);
  } catch {
    /* some embedding pages forbid it; the page works without */
  }
}

// Change what is chosen: {key: value, ...}; null is "as the page opens". Only what depends on a changed key is drawn again.
// replace: while something is dragged or typed, so that Back does not go through each step of it.
function set(changes, {replace = false} = {}) {
  const before = {...state};
  const asked = {...state, ...changes};
  if ("protocol" in changes && !("baseline" in changes) && state.baseline === firstBaseline(state)) asked.baseline = null;
  if (!("threshold" in changes) && ["protocol", "method", "view", "baseline", "compare"].some(key => key in changes)) asked.threshold = null;
  take(settled(asked), before, () => writeAddress(replace));
}

function take(chosen, before, write) {
  Object.assign(state, chosen);
  const changed = Object.keys(KEYS).filter(key => state[key] !== before[key]);
  if (!changed.length) return;
  write();
  sections.redraw(changed);
}

// Back, Forward, and an address that was typed, which may name no more than a part of the page.
function restore() {
  if (hasState()) take(readAddress(), {...state}, () => {});
  else set({at: location.hash.slice(1)}, {replace: true});
}

addEventListener("popstate", restore);
addEventListener("hashchange", restore);

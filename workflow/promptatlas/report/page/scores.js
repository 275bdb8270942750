// From scores by seed to what a matrix shows: every scale, over any baseline, of any seeds. The formulas are those of the statistics
// (analysis/statistics/scales.py, views.py), which figures and tables are made with.

const REACHED = 1e-9; // a smaller gap to the ceiling is none

// One score of a target (its number t) on a scale that looks at nothing else of its column; null where it has no value.
const SCALES = {
  raw: score => score,
  chance_corrected: (score, t, {chance}) => (chance[t] < 1 ? (score - chance[t]) / (1 - chance[t]) : null),
  perfection_gap: (score, t, {zero_shot: zero}) => (isNumber(zero[t]) && 1 - zero[t] > REACHED ? (score - zero[t]) / (1 - zero[t]) : null),
  gain_points: (score, t, _, base) => (isNumber(base[t]) ? 100 * (score - base[t]) : null),
  relationship: (score, t, {zero_shot: zero}) => {
    if (!isNumber(zero[t])) return null;
    const hits = score * DATA.tasks[t].n_test; // log odds of the score; what they are compared with is one number per target
    return Math.log((hits + 0.5) / (DATA.tasks[t].n_test - hits + 0.5));
  },
};
SCALES.column_ratio = SCALES.raw;

// What a gain is counted from, by seed: source -> scores of targets, null where none is measured.
const BASELINES = {
  zero_shot: matrix => matrix.zero_shot,
  untuned: (matrix, scores) => scores[matrix.sources.indexOf("scratch")] || [],
  own: (matrix, scores) => DATA.tasks.map((_, t) => scores[t][t]),
  average: (matrix, scores) => DATA.tasks.map((_, t) => mean(there(DATA.tasks.map((_, s) => (s === t ? null : scores[s][t]))))),
};

// The same, made once: averages are of all sources.
const MADE_BASES = new WeakMap();
function baseOf(matrix, seed, baseline) {
  if (!MADE_BASES.has(matrix)) MADE_BASES.set(matrix, {});
  return (MADE_BASES.get(matrix)[`${baseline}/${seed}`] ||= BASELINES[baseline](matrix, matrix.seeds[seed]));
}

const matrixOf = ({protocol, method}) => DATA.matrices[`${protocol}/${method}`];
const viewsOf = () => DATA.views;
// Another study's scores on the chosen scale, over all its seeds.
const foreignView = (matrix, chosen) => computed(chosen, matrix, Object.keys(matrix.seeds));
const seedsDiffer = () => true;
const firstBaseline = chosen => matrixOf(chosen).baseline;
// What gains of another matrix are counted from: what it opens with while that is chosen here, else the same.
const baselineIn = chosen => (state.baseline === firstBaseline(state) ? firstBaseline(chosen) : state.baseline);
const chosenSeeds = chosen => (chosen.seeds ? listed(chosen.seeds) : Object.keys(matrixOf(chosen).seeds));
const sourcesBeside = (matrix, view) => (view === "relationship" ? [] : matrix.sources.slice(DATA.tasks.length));

// Baselines of which a matrix has any score.
function baselinesOf(chosen) {
  const matrix = matrixOf(chosen);
  const measured = name => Object.keys(matrix.seeds).some(seed => there(baseOf(matrix, seed, name)).length);
  return Object.keys(BASELINES).filter(measured);
}

// {values: tasks by tasks, rows: source -> targets} of what is chosen, means over the chosen seeds.
function viewOf({protocol, method, view, baseline, seeds}) {
  const over = view === "gain_points" ? baseline : "";
  return once(["view", protocol, method, view, over, seeds].join("\n"), () => computed({protocol, method, view, baseline, seeds}));
}

function computed(chosen, matrix = matrixOf(chosen), seeds = chosenSeeds(chosen)) {
  const n = DATA.tasks.length;
  const bySeed = seeds.map(seed => matrix.seeds[seed]);
  const bases = seeds.map(seed => (chosen.view === "gain_points" ? baseOf(matrix, seed, chosen.baseline) : null));
  const scale = SCALES[chosen.view];
  const means = matrix.sources.map((_, s) =>
    DATA.tasks.map((_, t) => mean(there(bySeed.map((scores, place) => (isNumber(scores[s][t]) ? scale(scores[s][t], t, matrix, bases[place]) : null))))),
  );
  const values = means.slice(0, n);
  if (chosen.view === "relationship") return {values: freed(values), rows: {}};
  const rows = means.slice(n);
  if (chosen.view === "column_ratio") shareOfBest(values, rows);
  return {values, rows: Object.fromEntries(sourcesBeside(matrix, chosen.view).map((name, place) => [name, rows[place]]))};
}

// Means as shares of the best mean of their target over all tasks, in place: each target's best is 1.
function shareOfBest(values, rows) {
  const best = DATA.tasks.map((_, t) => Math.max(...there(values.map(row => row[t]))));
  for (const row of [...values, ...rows]) row.forEach((one, t) => (row[t] = isNumber(one) && best[t] > 0 ? one / best[t] : null));
}

// Where colours end, the same for all methods of the protocol, whatever seeds are chosen.
function limitsOf(view = state.view, {protocol, baseline} = state) {
  if (!WORDS.views[view].diverging) return [0, 1];
  return once(["limits", protocol, view, view === "gain_points" ? baseline : ""].join("\n"), () => {
    const methods = methodsOf(protocol).filter(method => view !== "gain_points" || baselinesOf({protocol, method}).includes(baseline));
    const sizes = methods.flatMap(method => there(viewOf({protocol, method, view, baseline, seeds: null}).values.flat()).map(Math.abs));
    const edge = Math.min(quantile(sizes, 0.98) || 1, WORDS.views[view].farthest || Infinity);
    return [-edge, edge];
  });
}

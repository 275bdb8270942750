// The table of pairs, unpacked: columns of numbers by protocol and method, in the order of their sources and targets.

const PAIRS = DATA.pairs || {cells: {}, reasons: []};
const BITS = {there: 1, compared: 2, separable: 4, best: 8, seeds: 16};
const [END_STEPS, NO_END] = [320, -(2 ** 15)];
const [P_STEPS, NO_P] = [4000, 2 ** 16 - 1];
const UNPACKED_PAIRS = {};

function pairColumns(name) {
  if (!(name in UNPACKED_PAIRS)) UNPACKED_PAIRS[name] = PAIRS.cells[name] ? unpackedPairs(PAIRS.cells[name]) : null;
  return UNPACKED_PAIRS[name];
}

function unpackedPairs(packed) {
  const column = (text, Kind) => new Kind(Uint8Array.from(atob(text), one => one.charCodeAt(0)).buffer);
  const places = names => new Map(names.map((name, place) => [name, place]));
  const over = ({low, high, p}) => ({low: column(low, Int16Array), high: column(high, Int16Array), p: p ? column(p, Uint16Array) : null});
  const [inBest, reason] = ["best_set", "reason"].map(name => column(packed[name], Uint16Array));
  return {
    sources: places(packed.sources),
    targets: places(packed.targets),
    over: Object.fromEntries(Object.entries(packed.over).map(([baseline, columns]) => [baseline, over(columns)])),
    inBest,
    reason,
    flags: column(packed.flags, Uint8Array),
  };
}

// Whether any pair of a matrix has an interval over a baseline.
const intervalsOver = (name, baseline) => Boolean(pairColumns(name) && pairColumns(name).over[baseline]);

// What is known of a pair: low and high end of the interval of its gain over a baseline, p (null where not known), whether it is separable
// from the best of its column (null where not compared), of how many sources the best are, whether it is the best, whether seeds count,
// place of the reason; or null.
function pairOf(name, source, target, baseline) {
  const columns = pairColumns(name);
  if (!columns || !columns.sources.has(source) || !columns.targets.has(target)) return null;
  const at = columns.sources.get(source) * columns.targets.size + columns.targets.get(target);
  const has = bit => Boolean(columns.flags[at] & bit);
  if (!has(BITS.there)) return null;
  const over = columns.over[baseline];
  const end = column => (over && column[at] !== NO_END ? column[at] / END_STEPS : null);
  return {
    low: end(over && over.low),
    high: end(over && over.high),
    p: over && over.p && over.p[at] !== NO_P ? 10 ** (-over.p[at] / P_STEPS) : null,
    apart: has(BITS.compared) ? has(BITS.separable) : null,
    inBest: columns.inBest[at] || null,
    best: has(BITS.best),
    seeds: has(BITS.seeds),
    reason: columns.reason[at] ? columns.reason[at] - 1 : null,
  };
}

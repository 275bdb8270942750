// The table of pairs, unpacked: columns of numbers by protocol and method, in the order of their sources and targets.

const PAIRS = DATA.pairs || {cells: {}, reasons: []};
const BITS = {there: 1, compared: 2, separable: 4, best: 8, seeds: 16};
const UNPACKED_PAIRS = {};

function pairColumns(name) {
  if (!(name in UNPACKED_PAIRS)) UNPACKED_PAIRS[name] = PAIRS.cells[name] ? unpackedPairs(PAIRS.cells[name]) : null;
  return UNPACKED_PAIRS[name];
}

function unpackedPairs(packed) {
  const column = (name, Kind) => new Kind(Uint8Array.from(atob(packed[name]), one => one.charCodeAt(0)).buffer);
  const places = names => new Map(names.map((name, place) => [name, place]));
  const numbers = ["gain", "low", "high", "p_adjusted"].map(name => column(name, Float32Array));
  const [inBest, reason] = ["best_set", "reason"].map(name => column(name, Uint16Array));
  return {sources: places(packed.sources), targets: places(packed.targets), numbers, inBest, reason, flags: column("flags", Uint8Array)};
}

// What is known of a pair: gain, low, high, p (null where not known), whether it is separable from the best of its column (null where
// not compared), of how many sources the best are, whether it is the best, whether seeds count, place of the reason; or null.
function pairOf(name, source, target) {
  const columns = pairColumns(name);
  if (!columns || !columns.sources.has(source) || !columns.targets.has(target)) return null;
  const at = columns.sources.get(source) * columns.targets.size + columns.targets.get(target);
  const has = bit => Boolean(columns.flags[at] & bit);
  if (!has(BITS.there)) return null;
  const [gain, low, high, p] = columns.numbers.map(column => (Number.isNaN(column[at]) ? null : column[at]));
  return {
    gain, low, high, p,
    apart: has(BITS.compared) ? has(BITS.separable) : null,
    inBest: columns.inBest[at] || null,
    best: has(BITS.best),
    seeds: has(BITS.seeds),
    reason: columns.reason[at] ? columns.reason[at] - 1 : null,
  };
}

// How sure a cell is, for the marks of the matrix: gains that may be nothing, seeds that disagree, sources that may be the best of their
// column.

const sided = {name: "", found: null};

// {above, below}: rows of sources, how many of the chosen seeds are above and below what gains are counted from; counted once for each choice.
function seedCounts() {
  const name = [key(), state.baseline, state.seeds].join("\n");
  if (sided.name !== name) Object.assign(sided, {name, found: countSides()});
  return sided.found;
}

function countSides() {
  const {sources, seeds} = matrix();
  const [above, below] = [1, 2].map(() => sources.map(() => DATA.tasks.map(() => 0)));
  for (const seed of chosenSeeds(state)) {
    const from = zeroOf(seed);
    sources.forEach((_, s) =>
      seeds[seed][s].forEach((score, t) => {
        if (!isNumber(score) || !isNumber(from[t])) return;
        above[s][t] += score > from[t];
        below[s][t] += score < from[t];
      }),
    );
  }
  return {above, below, sources};
}

// In how many seeds a cell is above, and in how many below.
function sidesOf(source, target) {
  const {above, below, sources} = seedCounts();
  const [s, t] = [sources.indexOf(source), TASKS[target].index];
  return s < 0 ? [0, 0] : [above[s][t], below[s][t]];
}

const seedsDisagree = (source, target) => Math.min(...sidesOf(source, target)) > 0;

// Whether a source may be the best of its column: the best, and all that are not separable from it.
function notSeparableFromBest(source, target) {
  const one = source === target || state.seeds ? null : sureness(source, target);
  return one !== null && one.apart === false;
}

const sureMarks = (source, target) => [
  mayBeNothing(source, target) && "unsure",
  seedsDisagree(source, target) && "disagree",
  notSeparableFromBest(source, target) && "leading",
];

const sureMarksInWords = (source, target) => [
  ...unsureWords(source, target),
  ...(seedsDisagree(source, target) ? ["Seeds disagree on its sign"] : []),
  ...(notSeparableFromBest(source, target) ? ["May be the best source of its column"] : []),
];

// How many pairs are clear, where only these are asked for; empty where they are not.
function clearWords() {
  if (!onlyClear()) return "";
  const names = Object.keys(TASKS);
  const pairs = names.flatMap(source => names.filter(target => target !== source && isNumber(value(source, target, "raw"))).map(target => [source, target]));
  const clear = pairs.filter(([source, target]) => isClear(source, target)).length;
  return `Clear are ${clear.toLocaleString("en")} of ${pairs.length.toLocaleString("en")} pairs of different tasks: their 95\u202f% interval over ${baselineWords()} leaves out 0. Others are faded.`;
}

sections.register({id: "clear-words", keys: ["protocol", "method", "baseline", "seeds", "clear", "compare"], draw: () => fill("clear-words", clearWords())});

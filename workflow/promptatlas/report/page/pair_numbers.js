// What the table of all pairs says of a pair of a study, and what its columns are called.

const sourcesIn = (protocol, method) => DATA.matrices[`${protocol}/${method}`].sources;
const methodsName = () => "method";

const pairsMeaning = () =>
  `Scores are means over ${state.seeds ? "the chosen" : "all"} seeds. Gain with its 95\u202f% interval is over ${baselineWords(firstBaseline(state))}, of all seeds; clear pairs are those whose interval does not hold 0; p is adjusted for all pairs of a matrix. Numbers in the file are not rounded.`;

function pairNumbers(protocol, method, source, target) {
  const name = `${protocol}/${method}`;
  const one = DATA.matrices[name];
  const line = one.sources.indexOf(source);
  const kept = state.seeds ? listed(state.seeds) : Object.keys(one.seeds);
  const scores = there(kept.map(seed => (one.seeds[seed] ? one.seeds[seed][line][TASKS[target].index] : null)));
  const {gain, low, high, p} = pairOf(name, source, target) || {gain: null, low: null, high: null, p: null};
  return {score: mean(scores), gain, low, high, p, clear: isNumber(low) ? low > 0 || high < 0 : null, seeds: scores.length};
}

const numberColumns = ({score, gain, low, high, p}) => {
  const points = number => signed(number, 1);
  return [
    numbersColumn("score", "score, %", score, number => (Number.isNaN(number) ? "\u2013" : show(100 * number, 1)), 100),
    numbersColumn("gain", "gain, points", gain, points),
    numbersColumn("low", "low", low, points),
    numbersColumn("high", "high", high, points),
    numbersColumn("p_adjusted", "p, all pairs", p, pText),
  ];
};

// What the table of all pairs says of a pair of a study, and what its columns are called.

const sourcesIn = (protocol, method) => DATA.matrices[`${protocol}/${method}`].sources;
const methodsName = () => "method";

function pairsMeaning() {
  const over = [...new Set(matricesOf(state.everything).map(([protocol, method]) => baselineWords(baselineIn({protocol, method}), protocol)))];
  return (
    `Scores and gains are means over ${state.seeds ? "the chosen" : "all"} seeds, gains over ${over.join(" or ")}${over.length > 1 ? ", by protocol" : ""}. ` +
    (state.seeds
      ? "Intervals and p are known of all seeds together and left out while some are chosen."
      : "Clear pairs are those whose 95\u202f% interval, from low to high, does not hold 0; p is adjusted for all pairs of a matrix.") +
    " The file has numbers as the page has them: scores of five digits, ends of intervals to 0.003 points."
  );
}

// For the pairs of one matrix: (source, target) -> numbers.
function pairNumbers(protocol, method) {
  const name = `${protocol}/${method}`;
  const one = DATA.matrices[name];
  const lines = new Map(one.sources.map((source, line) => [source, line]));
  const kept = (state.seeds ? listed(state.seeds) : Object.keys(one.seeds)).filter(seed => one.seeds[seed]);
  const baseline = baselineIn({protocol, method});
  const gains = otherView({protocol, method, view: mainView(), baseline});
  return (source, target) => {
    const scores = there(kept.map(seed => one.seeds[seed][lines.get(source)][TASKS[target].index]));
    const {low, high, p} = (state.seeds ? null : pairOf(name, source, target, baseline)) || {low: null, high: null, p: null};
    return {score: mean(scores), gain: valueIn(gains, source, target), low, high, p, clear: isNumber(low) ? low > 0 || high < 0 : null, seeds: scores.length};
  };
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

// What the table of all pairs says of a pair of a given matrix, and what its columns are called.

const sourcesIn = (protocol, method) => DATA.matrices[`${protocol}/${method}`].sources;
const methodsName = () => "matrix";

function pairNumbers(protocol, method, source, target) {
  const one = DATA.matrices[`${protocol}/${method}`];
  const [line, column] = [one.sources.indexOf(source), TASKS[target].index];
  const {values, rows} = one.views.raw;
  const score = isTask(source) ? values[TASKS[source].index][column] : rows[source][column];
  const kept = state.seeds ? listed(state.seeds) : Object.keys(one.seeds);
  return {score, gain: null, low: null, high: null, p: null, clear: null, seeds: there(kept.map(seed => one.seeds[seed][line][column])).length};
}

const pairsMeaning = () => "Scores are means over all seeds, as they were given; numbers in the file are not rounded.";

const numberColumns = ({score}) => [
  numbersColumn("score", `score${WORDS.views.raw.unit ? `, ${WORDS.views.raw.unit}` : ""}`, score, number => (Number.isNaN(number) ? "\u2013" : viewText(number, "raw")), WORDS.views.raw.unit === "%" ? 100 : 1),
];

// What the table of all pairs says of a pair of a given matrix, and what its columns are called.

const sourcesIn = (protocol, method) => DATA.matrices[`${protocol}/${method}`].sources;
const methodsName = () => "matrix";

// For the pairs of one matrix: (source, target) -> numbers.
function pairNumbers(protocol, method) {
  const one = DATA.matrices[`${protocol}/${method}`];
  const {values, rows} = one.views.raw;
  return (source, target) => {
    const [line, column] = [one.sources.indexOf(source), TASKS[target].index];
    const score = isTask(source) ? values[TASKS[source].index][column] : rows[source][column];
    return {score, gain: null, low: null, high: null, p: null, clear: null, seeds: there(Object.values(one.seeds).map(scores => scores[line][column])).length};
  };
}

const pairsMeaning = () => "Scores are means over all seeds, as they were given; numbers in the file are not rounded.";

const numberColumns = ({score}) => [
  numbersColumn("score", `score${WORDS.views.raw.unit ? `, ${WORDS.views.raw.unit}` : ""}`, score, number => (Number.isNaN(number) ? "\u2013" : viewText(number, "raw")), WORDS.views.raw.unit === "%" ? 100 : 1),
];

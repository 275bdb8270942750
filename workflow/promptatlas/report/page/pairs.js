// How sure a cell is: the interval of its gain over images and seeds, and whether it differs from the best of its column.

// What is known of a cell of the shown matrix, its interval over the chosen baseline, or null.
const sureness = (source, target) => pairOf(key(), source, target, state.baseline);

// Whether intervals are of what is shown: they count all seeds, and are known over some baselines.
const sureHere = () => !state.seeds && intervalsOver(key(), state.baseline);
const onlyClear = () => state.clear && !state.compare && sureHere();

const holdsZero = one => one !== null && isNumber(one.low) && one.low <= 0 && one.high >= 0;
const leavesOutZero = one => one !== null && isNumber(one.low) && (one.low > 0 || one.high < 0);

// Whether a cell's gain may be nothing: its interval holds 0.
const mayBeNothing = (source, target) => sureHere() && holdsZero(sureness(source, target));

// Whether a cell's interval says that its gain is not nothing.
const isClear = (source, target) => sureHere() && leavesOutZero(sureness(source, target));

const unsureWords = (source, target) => (mayBeNothing(source, target) ? [`May be no different from ${baselineWords()}: its interval holds 0`] : []);

// Sentences about a cell, of all seeds; empty if nothing is known.
function sureWords(source, target) {
  const one = sureness(source, target);
  if (!one) return [];
  const words = [];
  if (isNumber(one.low)) {
    const counted = one.seeds ? "images and seeds" : "images alone";
    const gain = mean(there(gains(source, target, state.baseline, seedsOf(state)).map(each => each[1])));
    words.push(
      `${signed(gain)} points over ${baselineWords()} (95\u202f%, by ${counted}: ${signed(one.low)} to ${signed(one.high)})` +
        (isNumber(one.p) ? `, p adjusted for all pairs ${pText(one.p)}.` : "."),
    );
  }
  if (one.apart !== null)
    words.push(
      one.best
        ? `The column\u2019s best source; ${one.inBest > 1 ? one.inBest - 1 : "no"} other${one.inBest === 2 ? " is" : "s are"} not separable from it.`
        : one.apart
          ? "Clearly below the column\u2019s best source."
          : "Not separable from the column\u2019s best source.",
    );
  if (state.seeds && words.length) words[0] = `Of all seeds: ${words[0]}`;
  if (one.reason !== null) words.push(`${isNumber(one.low) ? "Not of all seeds" : "No interval"}: ${PAIRS.reasons[one.reason]}.`);
  return words;
}

// How many pairs of different tasks have an interval above what gains are counted from, below it, and around it.
function intervalCounts() {
  const known = SUMMARY.order.flatMap(source => SUMMARY.order.filter(target => target !== source).map(target => sureness(source, target))).filter(one => one && isNumber(one.low));
  const around = known.filter(holdsZero).length;
  const above = known.filter(one => one.low > 0).length;
  return {above, around, below: known.length - around - above, all: known.length};
}

const helpAndHurt = (helps, hurts) => (helps + hurts ? `${helps} help and ${hurts} hurt` : "none helps or hurts");

// Why pairs have no interval.
const untestedWords = ({n_pairs, reasons}) => {
  const count = reasons.reduce((sum, one) => sum + one.n_pairs, 0);
  return count ? `; ${count} of ${n_pairs} have none (${reasons[0].reason}${reasons.length > 1 ? ", or another reason" : ""})` : "";
};

// How many pairs of the shown matrix are clear.
function pairsWords() {
  const one = (SUMMARY.pairs || []).find(here);
  if (!one || !one.n_tested || !sureHere()) return "";
  const {above, around, below, all} = intervalCounts();
  const begin = {zero_shot: "", untuned: "untuned_"}[state.baseline];
  return (
    ` A ring marks cells that may be no different from ${baselineWords()}, as their 95\u202f% interval ` +
    `(by ${one.counts_seeds ? "images and seeds" : "images"}) holds 0: ${around} of the ${all} pairs that have an interval${untestedWords(one)}. ` +
    (begin === undefined
      ? `Of the others ${above} ${above === 1 ? "is" : "are"} above it and ${below} below.`
      : `Allowing for the number of pairs, ${helpAndHurt(one[`${begin}helps`], one[`${begin}hurts`])} beyond doubt.`)
  );
}

// How sure a cell is: the interval of its gain over images and seeds, and whether it differs from the best of its column.

// What is known of a cell of the shown matrix, or null.
const sureness = (source, target) => pairOf(key(), source, target);

// Whether a cell's gain may be nothing: its interval holds 0. Intervals are known over the baseline that the page opens with.
function mayBeNothing(source, target) {
  const one = state.baseline === firstBaseline(state) ? sureness(source, target) : null;
  return one !== null && isNumber(one.low) && one.low <= 0 && one.high >= 0;
}

// Whether a cell's interval says that its gain, over the baseline that the page opens with, is not nothing.
function isClear(source, target) {
  const one = sureness(source, target);
  return one !== null && isNumber(one.low) && (one.low > 0 || one.high < 0);
}

const unsureWords = (source, target) =>
  mayBeNothing(source, target) ? [`May be no different from ${baselineWords(firstBaseline(state))}: its interval holds 0`] : [];

// Sentences about a cell, empty if nothing is known.
function sureWords(source, target) {
  const one = sureness(source, target);
  if (!one) return [];
  const words = [];
  if (isNumber(one.low)) {
    const counted = one.seeds ? "images and seeds" : "images alone";
    words.push(
      `${signed(one.gain)} points over ${baselineWords(firstBaseline(state))} (95\u202f%, by ${counted}: ${signed(one.low)} to ${signed(one.high)}), ` +
        `p adjusted for all pairs ${pText(one.p)}.`,
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
  if (one.reason !== null) words.push(`${isNumber(one.low) ? "Not of all seeds" : "No interval"}: ${PAIRS.reasons[one.reason]}.`);
  return words;
}

// How many pairs of the shown matrix are clear.
function pairsWords() {
  const one = (SUMMARY.pairs || []).find(here);
  if (!one || !one.n_tested) return "";
  const of = name => one[(againstStart() ? "untuned_" : "") + name];
  return (
    ` A ring marks cells that may be no different from ${baselineWords(firstBaseline(state))}, as their 95\u202f% interval ` +
    `(by ${one.counts_seeds ? "images and seeds" : "images"}) holds 0: ${of("interval_holds_0")} of the ${of("interval_above") + of("interval_below") + of("interval_holds_0")} pairs that have an interval. ` +
    `Of all pairs, allowing for their number, ${of("helps")} help and ${of("hurts")} hurt clearly.`
  );
}

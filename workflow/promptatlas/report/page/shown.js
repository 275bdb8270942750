// What the matrix shows now, for every part that shows it in another way: graph, scatter, pairs, exports.

function shown() {
  const {title: name, unit} = viewWords();
  const view = state.compare ? null : viewOf(state);
  const one = state.compare ? shownDifference().value : (source, target) => valueIn(view, source, target);
  const cell = (source, target) => (isFamily(source) || isFamily(target) ? meanOf(membersOf(source), membersOf(target), one) : one(source, target));
  const {rows, below, columns} = lines(cell, state.compare ? shownDifference().rows : calibration());
  return {
    rows: [...rows, ...below],
    below,
    columns,
    value: cell,
    words: (source, target) => (isFamily(source) || isFamily(target) ? meanWords(source, target, cell) : cellWords(source, target, cell(source, target))),
    limits: edgesOf(shownView()),
    unit,
    text: number => viewText(number, shownView(), true),
    short: number => viewText(number),
    axis: name,
    title: state.compare ? name : `${methodTitle(state.method)}: ${name}`,
  };
}

// A cell's value in words as it stands in the cell, or why there is none.
function cellWords(source, target, number) {
  if (!state.compare && source === target && state.view === "relationship") return "not defined for a task and itself";
  if (isNumber(number)) return inWords(number);
  if (state.compare) return "not in both";
  return failures(source, target).length ? "failed" : SUMMARY.so_far ? "not measured yet" : "missing";
}

const meanWords = (source, target, cell) =>
  isNumber(cell(source, target)) ? `${inWords(cell(source, target))}, mean over pairs of different tasks` : "nothing to average";

// The number as the cell has it, and its unit.
function inWords(number) {
  const {unit} = viewWords();
  return viewText(number) + (unit ? (unit === "%" ? "\u202f%" : ` ${unit}`) : "");
}

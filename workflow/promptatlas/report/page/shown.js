// What the matrix shows now, for every part that shows it in another way: graph, scatter, pairs, exports.

function shown() {
  const {title: name, unit} = WORDS.views[state.view];
  return {
    rows: [...ordered(), ...calibration()],
    columns: ordered(),
    value: (source, target) => value(source, target),
    words: (source, target) => cellWords(source, target),
    limits: limitsOf(state.view),
    unit,
    title: `${methodTitle(state.method)}: ${name}`,
  };
}

// A cell's value in words, or why there is none.
function cellWords(source, target) {
  if (source === target && state.view === "relationship") return "not defined for a task and itself";
  const number = value(source, target);
  return !isNumber(number) && failures(source, target).length ? "failed" : viewText(number, state.view, true);
}

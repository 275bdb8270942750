// The classes of a cell, in the order of what they lose or gain over the chosen baseline.

const FOLDED = 24, // classes, from which on the middle is folded
  ENDS = 10; // classes that stay in sight at either end

// What is counted over all seeds of a cell says so where only some are chosen.
const ofAllSeeds = () => (state.seeds ? "; of all seeds" : "");

const classesOf = (cells, source, target) => ((cells[source] || {})[target] || {}).classes;

// Scores in per mille that a cell's classes are compared with, those of the chosen baseline; null where a class or all is not known.
function classBaseline(cells, target) {
  if (state.baseline === "average") {
    const others = DATA.tasks.filter(one => one.name !== target).map(one => classesOf(cells, one.name, target)).filter(Boolean);
    return others.length ? DATA.classes.names[target].map((_, index) => mean(there(others.map(one => one[index])))) : null;
  }
  return classesOf(cells, {own: target, untuned: "scratch", zero_shot: "template"}[state.baseline], target);
}

// [name, score, baseline's score, change], in points; the largest loss first, and where nothing is compared the best class.
function changes(names, own, reference) {
  const points = values => index => (values && isNumber(values[index]) ? values[index] / 10 : null);
  const [score, before] = [points(own), points(reference)];
  const rows = names
    .map((name, index) => [name, score(index), before(index), isNumber(before(index)) && isNumber(score(index)) ? score(index) - before(index) : null])
    .filter(row => isNumber(row[1]));
  return rows.sort((a, b) => (a[3] ?? 0) - (b[3] ?? 0) || b[1] - a[1]);
}

function cellClasses(cells, source, target) {
  const own = classesOf(cells, source, target);
  if (!own) return [];
  const reference = classBaseline(cells, target);
  const rows = changes(DATA.classes.names[target], own, reference);
  if (!rows.length) return [];
  const most = Math.max(...rows.map(row => Math.abs(row[3] ?? 0)), 1);
  const lines = some => classTable(some, most);
  const middle = rows.slice(ENDS, -ENDS);
  const shown =
    rows.length <= FOLDED
      ? [lines(rows)]
      : [
          lines(rows.slice(0, ENDS)),
          element("details", {}, element("summary", {}, middleWords(middle)), lines(middle)),
          lines(rows.slice(-ENDS)),
        ];
  return [
    element("h4", {}, (reference ? `By class, %, and change over ${baselineWords()}, points` : "By class, %") + ofAllSeeds()),
    element("div", {class: "scrollbox", tabindex: 0, role: "group", "aria-label": "Scores by class"}, shown),
  ];
}

const middleWords = rows =>
  `${rows.length} classes between` + (isNumber(rows[0][3]) ? `: ${signed(rows[0][3])} to ${signed(rows.at(-1)[3])} points` : "");

function classTable(rows, most) {
  const bar = change =>
    element(
      "span",
      {class: "change", "aria-hidden": "true"},
      element("i", {
        class: change < 0 ? "loss" : "gain",
        style: `width:${((50 * Math.abs(change)) / most).toFixed(1)}%;${change < 0 ? "right" : "left"}:50%`,
      }),
    );
  return element(
    "table",
    {class: "classes"},
    element("thead", {}, element("tr", {}, ["class", "score", "change", ""].map((one, place) => element("th", {scope: "col", class: [1, 2].includes(place) ? "n" : null}, one)))),
    element(
      "tbody",
      {},
      rows.map(([name, score, before, change]) =>
        element(
          "tr",
          {title: isNumber(before) ? `${baselineWords()}: ${show(before, 1)}\u202f%` : null},
          element("th", {scope: "row", dir: "auto"}, name),
          element("td", {class: "n"}, show(score, 0)),
          element("td", {class: "n"}, isNumber(change) ? signed(change, 0) : "\u2013"),
          element("td", {}, isNumber(change) ? bar(change) : ""),
        ),
      ),
    ),
  );
}

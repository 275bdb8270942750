// Which class of the target is taken for which: the most frequent wrong answers, and a matrix where classes are few.

const LISTED = 8,
  MATRIX_CLASSES = 30,
  WRITTEN_CLASSES = 12; // up to which the matrix has numbers

function cellConfusions(cells, source, target) {
  const own = (cells[source] || {})[target];
  if (!own || !own.images) return []; // images of several classes, or a cell that says nothing of single images
  const counts = (DATA.classes.counts || {})[target];
  const head = element("h4", {}, `What is taken for what${ofAllSeeds()}`);
  if (!counts) return DATA.origin ? [head, element("p", {class: "quiet"}, "Not known: the prepared images of this task are not where the page was made.")] : [];
  if (!own.confused) return [head, element("p", {class: "quiet"}, "The cell file does not hold the answers, as those of earlier versions; compute the cell again to see them here.")];
  const names = DATA.classes.names[target];
  const seeds = own.seeds;
  if (!own.confused.length) return [head, element("p", {}, "No test image is answered wrong.")];
  const rows = own.confused.slice(0, LISTED).map(([from, to, times]) => [
    `${names[from]} \u2192 ${names[to]}`,
    exact(show(times / seeds, seeds > 1 ? 1 : 0), times / seeds),
    exact(percent(times / seeds / counts[from]), times / seeds / counts[from]),
  ]);
  const further = own.confused.slice(LISTED).reduce((sum, one) => sum + one[2], own.rest) / seeds;
  return [
    head,
    table(["own class \u2192 answer", seeds > 1 ? "images by seed" : "images", "of the class"], rows, [1, 2]),
    further ? element("p", {class: "quiet"}, `${show(further, seeds > 1 ? 1 : 0)} further wrong answers${seeds > 1 ? " by seed" : ""}.`) : null,
    own.rest === 0 && names.length <= MATRIX_CLASSES ? confusionMatrix(names, counts, own.confused, seeds) : null,
  ].filter(Boolean);
}

// Rows are own classes, columns answers; shares of the images of a class, in percent.
function confusionMatrix(names, counts, confused, seeds) {
  const shares = names.map(() => names.map(() => 0));
  for (const [from, to, times] of confused) shares[from][to] = times / seeds / counts[from];
  names.forEach((_, own) => {
    shares[own][own] = counts[own] ? 1 - shares[own].reduce((a, b) => a + b, 0) : null;
  });
  const written = names.length <= WRITTEN_CLASSES;
  const cell = (from, to) => {
    const share = shares[from][to];
    const words = `${names[from]} answered ${names[to]}: ${percent(share)}`;
    const strength = isNumber(share) ? Math.round(100 * share) : 0;
    return element(
      "td",
      {class: from === to ? "own" : null, title: words, style: `--share:${strength}%`},
      written && isNumber(share) && share >= 0.005 ? String(strength) : element("span", {class: "hidden-words"}, percent(share)),
    );
  };
  return element(
    "details",
    {id: "confusion-matrix"},
    element("summary", {}, `All ${names.length} classes as a matrix, % of a class`),
    element(
      "div",
      {class: "scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix"},
      element(
        "table",
        {class: written ? "confusions written" : "confusions"},
        element("thead", {}, element("tr", {}, element("td", {}), names.map(name => element("th", {scope: "col", title: name}, element("span", {}, name))))),
        element("tbody", {}, names.map((name, from) => element("tr", {}, element("th", {scope: "row", title: name}, name), names.map((_, to) => cell(from, to))))),
      ),
    ),
    element("p", {class: "quiet"}, "Rows are the images\u2019 own classes, columns the answers."),
  );
}

// The transfer matrix as a table whose cells are reached by pointer, touch and keyboard; a cell is built once and then only painted.

const grid = {rows: [], columns: [], cells: [], heads: {rows: [], columns: []}, margins: null, table: null, size: 0};
const TALL = 30; // rows beyond which the matrix scrolls in a window of its own, below its labels
const NO_MARGINS = ["relationship"]; // the means of its lines are zero by what it is

function drawGrid() {
  const now = (grid.now = shown());
  const margins = !NO_MARGINS.includes(state.view) && now.columns.length > 1;
  const shape = [now.rows.length, now.below.length, now.columns.length, margins].join();
  if (grid.shape !== shape) buildGrid(now, margins);
  else relabel(now);
  grid.shape = shape;
  paintGrid(now);
  markChosen();
}

const make = (tag, className, attributes = {}) => {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, one] of Object.entries(attributes)) node.setAttribute(name, one);
  return node;
};

function head(scope) {
  const node = make("th", "", {scope, tabindex: -1});
  const text = make("span", "label");
  text.dir = "auto";
  node.append(text);
  return node;
}

// Nodes stay where they are when lines change places: what they are called and show changes.
function relabel(now) {
  Object.assign(grid, {rows: now.rows, columns: now.columns});
  const label = (node, name, fixed) => {
    if (node.line === name) return;
    node.line = name;
    node.classList.toggle("fixed", fixed);
    node.title = node.firstChild.textContent = lineTitle(name);
  };
  grid.heads.columns.forEach((node, column) => label(node, now.columns[column], false));
  grid.heads.rows.forEach((node, line) => label(node, now.rows[line], !isTask(now.rows[line]) && !isFamily(now.rows[line])));
}

const cellNode = () => make("td", "cell", {role: "gridcell", tabindex: -1});
const marginNode = () => make("td", "cell margin", {role: "gridcell"});

function buildGrid(now, margins) {
  grid.heads = {columns: now.columns.map(() => head("col")), rows: now.rows.map(() => head("row"))};
  relabel(now);
  grid.cells = now.rows.map(() => now.columns.map(() => cellNode()));
  grid.margins = margins ? {rows: now.rows.map(marginNode), columns: now.columns.map(marginNode)} : null;
  const corner = make("td", "corner");
  corner.textContent = "source \u2193 target \u2192";
  const first = element("tr", {}, corner, grid.heads.columns);
  const top = [first];
  if (margins) {
    first.append(element("th", {class: "margin-head", scope: "col", title: MARGINS.row.title}, element("span", {class: "label"}, MARGINS.row.head)));
    top.push(
      element("tr", {class: "margin-row"}, element("th", {scope: "row", class: "fixed", title: MARGINS.column.title}, element("span", {class: "label"}, MARGINS.column.head)), grid.margins.columns, element("td", {role: "gridcell"})),
    );
  }
  const body = now.rows.map((name, line) =>
    element("tr", {class: now.below[0] === name ? "first-below" : null}, grid.heads.rows[line], grid.cells[line], margins ? grid.margins.rows[line] : null),
  );
  grid.table = element("table", {role: "grid"}, element("thead", {}, top), element("tbody", {}, body));
  fill("heatmap", grid.table);
  document.getElementById("heatmap").classList.toggle("tall", now.rows.length > TALL);
  enter(grid.cells[0] && grid.cells[0][0]);
  fitGrid();
}

// What the last column and the first row say, of the tasks of the study.
const MARGINS = {
  row: {head: "mean", title: "The mean of the row: what the source gives to other tasks"},
  column: {head: "mean", title: "The mean of the column: what the target gets from other tasks"},
};

function paintGrid(now) {
  grid.table.setAttribute("aria-label", `${now.title}. Rows are sources, columns are targets. Arrow keys move, Enter opens a cell or sorts by a label.`);
  const lit = {rows: grid.rows.map(found), columns: grid.columns.map(found)};
  const any = lit.rows.includes(true) || lit.columns.includes(true);
  for (const which of ["rows", "columns"])
    grid.heads[which].forEach((node, index) => {
      node.classList.toggle("lit", lit[which][index]);
      markSort(node, which === "rows" ? `row:${grid.rows[index]}` : `column:${grid.columns[index]}`);
    });
  const [sources, targets] = [grid.rows.map(lineTitle), grid.columns.map(lineTitle)];
  let longest = 0;
  grid.cells.forEach((cells, line) =>
    cells.forEach((cell, column) => {
      const [source, target] = [grid.rows[line], grid.columns[column]];
      const number = now.value(source, target);
      const classes = [...cellMarks(source, target, number), any && !lit.rows[line] && !lit.columns[column] ? "dim" : ""];
      const text = paintCell(cell, number, classes.filter(Boolean).join(" "));
      longest = Math.max(longest, text.length);
      name(cell, [`${sources[line]} to ${targets[column]}: ${now.words(source, target)}`, ...marksInWords(source, target)].join(". "));
    }),
  );
  if (grid.margins) paintMargins(now);
  grid.longest = longest;
  showNumbers();
}

// A cell's colour, number and marks; the text that it has where there is room. Only what is another is written.
function paintCell(cell, number, className) {
  const there = isNumber(number);
  const colours = there ? paint(number, shownView()) : {fill: "", ink: ""};
  cell.words = there ? viewText(number) : className.includes("failed") ? "\u00d7" : "";
  if (cell.className !== className) cell.className = className;
  if (cell.fill !== colours.fill) {
    cell.fill = colours.fill;
    cell.style.backgroundColor = colours.fill;
    cell.style.color = colours.ink;
  }
  return cell.words;
}

function name(cell, words) {
  if (cell.name === words) return;
  cell.name = words;
  cell.setAttribute("aria-label", words);
}

const isLine = name => isFamily(name);

// The marks of a cell as classes.
function cellMarks(source, target, number) {
  const together = isLine(source) || isLine(target);
  const own = source === target && !together;
  const there = isNumber(number);
  return [
    "cell",
    own && "own",
    !there && (own && state.view === "relationship" ? "itself" : !together && failures(source, target).length ? "failed" : SUMMARY.so_far ? "missing later" : "missing"),
    !together && !state.compare && beatsNothing(source, target) && "below",
    !together && sharedImages(source, target) && "shared",
    ...(together || !there || state.compare ? [] : sureMarks(source, target)),
    onlyClear() && !isClear(source, target) && "unclear",
  ];
}

const marksInWords = (source, target) =>
  isLine(source) || isLine(target) || state.compare ? [] : [...sureMarksInWords(source, target), ...cautions(source, target)];

function paintMargins(now) {
  const tasks = SUMMARY.order;
  const say = (cell, number, words) => {
    paintCell(cell, number, "cell margin");
    name(cell, `${words}: ${isNumber(number) ? inWords(number) : "nothing to average"}`);
  };
  grid.rows.forEach((name, line) => say(grid.margins.rows[line], meanOf(membersOf(name), tasks, now.value), `${lineTitle(name)} to other tasks, mean`));
  grid.columns.forEach((name, column) => say(grid.margins.columns[column], meanOf(tasks, membersOf(name), now.value), `Other tasks to ${lineTitle(name)}, mean`));
}

function markSort(node, name) {
  const way = state.sort === name ? "descending" : state.sort === `-${name}` ? "ascending" : null;
  if (way) node.setAttribute("aria-sort", way);
  else node.removeAttribute("aria-sort");
}

function markChosen() {
  for (const one of grid.table.querySelectorAll('.chosen, [aria-selected="true"]')) {
    one.classList.remove("chosen");
    one.removeAttribute("aria-selected");
  }
  const cell = (grid.cells[grid.rows.indexOf(state.source)] || [])[grid.columns.indexOf(state.target)];
  if (!cell) return;
  cell.classList.add("chosen");
  cell.setAttribute("aria-selected", "true");
  enter(cell);
}

sections.register({
  id: "heatmap",
  keys: ["protocol", "method", "view", "baseline", "seeds", "compare", "order", "sort", "folded", "search", "clear", "theme"],
  draw: drawGrid,
});
sections.register({id: "heatmap", keys: ["source", "target"], draw: markChosen});

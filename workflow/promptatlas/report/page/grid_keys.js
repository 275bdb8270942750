// Moving in the matrix and choosing from it, by keyboard and by pointer.

const heatmap = document.getElementById("heatmap");

// Line and column of a node in the matrix: -1 are labels; null where there is nothing to reach.
function placeOf(node) {
  const one = node && node.closest && node.closest("#heatmap th, #heatmap td");
  if (!one) return null;
  const column = one.cellIndex - 1;
  const line = grid.heads.columns.includes(one) || one.closest("thead") ? -1 : one.parentElement.sectionRowIndex;
  return reached(line, column) === one ? {line, column} : null;
}

function reached(line, column) {
  if (line < 0) return grid.heads.columns[column];
  return column < 0 ? grid.heads.rows[line] : (grid.cells[line] || [])[column];
}

// The one node of the matrix that Tab leads to.
function enter(node) {
  if (!node) return;
  for (const one of grid.table.querySelectorAll('[tabindex="0"]')) one.setAttribute("tabindex", -1);
  node.setAttribute("tabindex", 0);
}

const MOVES = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0]};

heatmap.addEventListener("keydown", event => {
  const at = placeOf(event.target);
  if (!at || event.altKey || event.metaKey) return;
  const [lines, columns] = [grid.rows.length - 1, grid.columns.length - 1];
  const between = (number, last) => Math.min(Math.max(number, -1), last);
  let to = null;
  if (MOVES[event.key]) to = [between(at.line + MOVES[event.key][0], lines), between(at.column + MOVES[event.key][1], columns)];
  else if (event.key === "Home") to = [event.ctrlKey ? 0 : at.line, 0];
  else if (event.key === "End") to = [event.ctrlKey ? lines : at.line, columns];
  else if (event.key === "Enter" || event.key === " ") activate(at);
  else return;
  event.preventDefault();
  const next = to && reached(...to);
  if (!next) return;
  enter(next);
  next.focus();
});

heatmap.addEventListener("click", event => {
  const at = placeOf(event.target);
  if (at) activate(at);
});

// A cell is opened, a label sorts; a folded family opens where one of its cells is chosen.
function activate({line, column}) {
  const [source, target] = [grid.rows[line], grid.columns[column]];
  if (line < 0) return sortBy("column", target);
  if (column < 0) return sortBy("row", source);
  const families = [source, target].filter(isFamily).map(name => name.slice(FAMILY.length));
  if (families.length) set({folded: joined(listed(state.folded).filter(one => !families.includes(one)))});
  else choose(source, target);
}

// Labels of the row and the column that is pointed at.
let lighted = [];
function light(at) {
  for (const one of lighted) one.classList.remove("on");
  lighted = at ? [grid.heads.rows[at.line], grid.heads.columns[at.column]].filter(Boolean) : [];
  for (const one of lighted) one.classList.add("on");
}

heatmap.addEventListener("focusin", event => {
  const at = placeOf(event.target);
  light(at);
  if (at) enter(event.target);
});
heatmap.addEventListener("focusout", () => light(null));

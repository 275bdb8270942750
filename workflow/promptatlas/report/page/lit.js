// A pair that is pointed at in one part lights up in the others: its cell in the matrix, its dot beside similarity.

let markDot = () => {}; // the dots put theirs here

// What is shown of single tasks, whichever families are folded in the matrix.
const shownTasks = () => ({...shown(), columns: ordered()});

const matrixCell = (source, target) => (grid.cells[grid.rows.indexOf(source)] || [])[grid.columns.indexOf(target)];

function lightCell(source, target, on) {
  light(on ? {line: grid.rows.indexOf(source), column: grid.columns.indexOf(target)} : null);
  const cell = matrixCell(source, target);
  if (cell) cell.classList.toggle("pointed", on);
}

// From the matrix to the dots: whichever way a cell is pointed at.
function markFrom(event) {
  const at = placeOf(event.target);
  markDot(at ? grid.rows[at.line] : null, at ? grid.columns[at.column] : null);
}
for (const kind of ["mouseover", "focusin"]) heatmap.addEventListener(kind, markFrom);
for (const kind of ["mouseleave", "focusout"]) heatmap.addEventListener(kind, () => markDot(null, null));

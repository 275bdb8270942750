// How large the cells are: as the width allows, or as was chosen; numbers stand in cells that have room for them.

const COMFORTABLE = 32, // px, the largest cell that a page chooses by itself
  TOUCHED = 26, // px, the smallest one where a finger is likely to point at it
  TIGHT = 9; // px, the smallest one else
const LETTER = 0.58, // width of a digit, of the size of numbers
  NUMBER_SIZE = 10, // px, the size of numbers
  WIDEST_LABEL = 190,
  NARROW_LABEL = 104;
const narrow = matchMedia("(max-width: 700px), (pointer: coarse)");

function fitGrid(width = document.getElementById("heatmap").clientWidth, chosen = state.zoom, smallest = narrow.matches ? TOUCHED : TIGHT, digits = NUMBER_SIZE) {
  if (!grid.table || !width) return;
  const longest = names => Math.max(4, ...names.map(name => lineTitle(name).length));
  const label = Math.min(narrow.matches ? NARROW_LABEL : WIDEST_LABEL, 18 + 6.3 * Math.max(longest(grid.rows), 11));
  const columns = grid.columns.length + (grid.margins ? 1.6 : 0);
  const room = (width - label - 4) / columns - 1;
  grid.size = chosen || Math.min(Math.max(Math.floor(room), smallest), COMFORTABLE);
  const style = grid.table.style;
  grid.letter = LETTER * digits;
  style.setProperty("--digits", `${digits}px`);
  style.setProperty("--cell", `${grid.size}px`);
  style.setProperty("--label", `${Math.round(label)}px`);
  style.setProperty("--head", `${Math.min(narrow.matches ? 96 : 150, 14 + 6.3 * longest(grid.columns))}px`);
  style.setProperty("--letters", `${Math.min(Math.max(grid.size - 2, 8), 12)}px`);
  showNumbers();
}

function showNumbers() {
  const room = grid.size >= 8 + grid.letter * Math.min(grid.longest || 0, 3) && grid.size >= grid.letter * (grid.longest || 0);
  const shows = state.numbers && room;
  grid.table.classList.toggle("small", grid.size < 16);
  for (const cells of [...grid.cells, ...(grid.margins ? [grid.margins.rows, grid.margins.columns] : [])])
    for (const cell of cells) {
      const text = shows ? cell.words : "";
      if (cell.text !== text) cell.textContent = cell.text = text;
    }
}

// A step of the zoom, or with 0 as the width allows.
function zoom(step) {
  set({zoom: step ? Math.round(grid.size * 1.25 ** step) : null}, {replace: true});
}

sections.register({id: "heatmap", keys: ["zoom"], draw: fitGrid});
sections.register({id: "heatmap", keys: ["numbers"], draw: showNumbers});
new ResizeObserver(() => fitGrid()).observe(document.getElementById("heatmap"));
narrow.addEventListener("change", () => fitGrid());

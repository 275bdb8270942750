// On paper: what is chosen and opened, in light colours, as wide as a page.

const PAPER = 700; // px, what a sheet of A4 holds between its margins
const PRINTED = 7.5; // px, the size of numbers in cells: paper is read from nearby

let screenTheme = null;
addEventListener("beforeprint", () => {
  screenTheme = state.theme;
  state.theme = "light";
  sections.redraw(["theme"]);
  fitGrid(PAPER, null, TIGHT, PRINTED);
});
addEventListener("afterprint", () => {
  state.theme = screenTheme;
  sections.redraw(["theme"]);
  fitGrid();
});

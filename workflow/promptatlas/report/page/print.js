// On paper: what is chosen and opened, in light colours, as wide as a page.

const PAPER = 700; // px, what a sheet of A4 holds between its margins

let screenTheme = null;
addEventListener("beforeprint", () => {
  screenTheme = state.theme;
  state.theme = "light";
  sections.redraw(["theme"]);
  fitGrid(PAPER, null, TIGHT);
});
addEventListener("afterprint", () => {
  state.theme = screenTheme;
  sections.redraw(["theme"]);
  fitGrid();
});

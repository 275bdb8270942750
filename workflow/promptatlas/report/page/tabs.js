// The tabs of the matrix: which way of looking at it is open.

const TABS = [...document.querySelectorAll("#tabs [role=tab]")];

function drawTabs() {
  for (const tab of TABS) {
    const own = tab.dataset.panel === state.panel;
    tab.setAttribute("aria-selected", own);
    tab.setAttribute("tabindex", own ? 0 : -1);
    // The matrix stays beside the dots of similarity, so that each lights the other.
    const pane = document.getElementById(tab.getAttribute("aria-controls"));
    pane.hidden = !own && !(state.panel === "scatter" && tab.dataset.panel === "matrix");
  }
  document.getElementById("explorer").dataset.panel = state.panel;
}

for (const tab of TABS) tab.addEventListener("click", () => set({panel: tab.dataset.panel}));
document.getElementById("tabs").addEventListener("keydown", event => {
  const now = TABS.indexOf(event.target);
  const next = {ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: TABS.length - 1}[event.key];
  if (next === undefined || now < 0) return;
  event.preventDefault();
  const tab = TABS[(next + TABS.length) % TABS.length];
  set({panel: tab.dataset.panel}, {replace: true});
  tab.focus();
});

sections.register({id: "tabs", keys: ["panel"], draw: drawTabs});

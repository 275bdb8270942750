// The tab of all pairs: rows of the shown matrix or of all, narrowed, sorted, and saved as they stand.

const AGAIN_PAIRS = ["panel", "protocol", "method", "view", "baseline", "seeds", "compare", "everything", "filter", "sorted", "where"];
const pairsShown = {made: null, key: null, grid: null, rows: []};

// The table is made anew only where other numbers are asked for; filters and orders take it as it is.
function pairsNow() {
  const wanted = JSON.stringify([state.everything, state.everything || [state.protocol, state.method, state.view, state.compare], state.baseline, state.seeds]);
  if (pairsShown.key !== wanted) {
    const made = tableOfPairs(state.everything);
    const grid = windowTable({
      label: "All pairs",
      columns: made.columns,
      open: row => openPair(made.cell(row)),
      rowWords: row => ` to ${title(made.cell(row).target)}, open its cell`,
      changed: asked => set(asked, {replace: true}),
    });
    Object.assign(pairsShown, {made, grid, key: wanted});
    fill("pairs-table", grid.node);
  }
  return pairsShown;
}

const openPair = ({protocol, method, source, target}) => set({protocol, method, source, target, ranked: target});

function drawPairs() {
  if (state.panel !== "pairs") return;
  const {made, grid} = pairsNow();
  const where = wheresOf(state.where);
  const asked = sortedOf(state.sorted);
  const sorted = asked && made.columns.some(column => column.name === asked.column) ? asked : null;
  const rows = rowsThatPass(made.columns, made.count, state.filter, where);
  sortRows(rows, sorted && made.columns.find(column => column.name === sorted.column), sorted && sorted.down);
  pairsShown.rows = rows;
  grid.show(rows, sorted, where);
  const box = document.getElementById("choose-filter");
  if (box !== document.activeElement) box.value = state.filter;
  const unread = made.columns.filter(column => !column.names && where[column.name] && !numberTest(where[column.name]));
  fill(
    "pairs-words",
    `${rows.length.toLocaleString("en")} of ${made.count.toLocaleString("en")} rows. ${pairsMeaning()}` +
      (unread.length ? ` Of ${list(unread.map(one => one.title))} write a number (at least), or <, <=, >, >=, = and a number, or 5..10.` : ""),
  );
}

document.getElementById("choose-filter").addEventListener("input", event => set({filter: event.target.value}, {replace: true}));
document.getElementById("save-pairs").addEventListener("click", () => download(`${DATA.study}-pairs.csv`, pairsAsCsv(pairsShown.made, pairsShown.rows), "text/csv"));
const chooseRows = document.getElementById("choose-rows");
if (chooseRows) chooseRows.addEventListener("change", () => set({everything: chooseRows.value === "on"}));
sections.register({id: "pane-pairs", keys: ["everything"], draw: () => chooseRows && (chooseRows.value = state.everything ? "on" : "off")});
sections.register({id: "pane-pairs", keys: AGAIN_PAIRS, draw: drawPairs});

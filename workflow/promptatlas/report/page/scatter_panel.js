// The tab of similarity beside transfer: which measure, which colours, and what the study's test says of the two.

const AGAIN_SCATTER = ["panel", "protocol", "method", "view", "baseline", "seeds", "compare", "order", "measure", "coloured", "theme", "source", "target"];

let savedDots = null; // what a figure has of the dots that are shown

const similarityOf = measure => DATA.similarity.find(one => one.measure === measure && (!one.method || one.method === state.method));

// Values of the measure as they are, or freed like the scale that is shown.
function nearness() {
  const {values} = similarityOf(state.measure);
  const rows = withoutEffects() ? freed(values) : values;
  return (source, target) => rows[TASKS[source].index][TASKS[target].index];
}
const withoutEffects = () => state.view === "relationship" && !state.compare;

// The test of the measure against the shown method and protocol, from summary.json.
const testOf = () => SUMMARY.correlations.find(one => here(one) && one.measure === state.measure && one.response === PRIMARY && isNumber(one.estimate));

function drawScatter() {
  if (state.panel !== "scatter") return;
  const view = shownTasks();
  const dots = scatterDots(view, nearness());
  markDot = () => {};
  if (!dots.length) {
    fill("scatter", quiet("No pair has both this similarity and a value."));
    fill("scatter-words");
    return;
  }
  const found = testOf();
  const free = withoutEffects();
  const text = number => view.text(number);
  const name = measureTitle(state.measure);
  const drawing = scatterDrawing(
    dots,
    {
      groups: dotGroups(state.coloured, view.columns),
      r: free && found && !state.seeds ? found.estimate : null,
      chosen: state,
      words: {
        x: free ? `${name}, freed of sources and targets` : `${name} (larger = closer)`,
        y: view.axis,
        scaled: view.unit === "%" ? 100 : 1,
        about: `${dots.length.toLocaleString("en")} pairs of different tasks: ${name} to the right, ${view.title} upwards. Arrow keys go from pair to pair, Enter opens its cell.`,
        of: dot => `${title(dot.source)} \u2192 ${title(dot.target)}: similarity ${precise(dot.x)}, ${text(dot.y)}`,
      },
    },
    {choose, light: lightCell},
  );
  fill("scatter", drawing.node);
  drawing.paint();
  markDot = drawing.mark;
  savedDots = drawing.saved;
  fill("scatter-words", scatterWords(found, free, name));
  drawScatterTable(dots, view, name);
}

function scatterWords(found, free, name) {
  if (!found) return [quiet(`How ${name} goes with transfer was not tested here.`)];
  const range = isNumber(found.low) ? `, 95\u202f% interval ${show(found.low)} to ${show(found.high)}` : "";
  const words = `Freed of how much each source gives and how easy each target is, ${name} and transfer correlate r = ${show(found.estimate)}${range}, ${pIs(decisive(found.p, found.p_max_t))}${isNumber(found.p_max_t) ? " (all measures allowed for)" : ""}.`;
  if (free) return [para(words), quiet(state.seeds ? "r is of all seeds, the dots are of the chosen ones, so no line is drawn." : "The line has this r. The dots are freed in the same way.")];
  return [
    para(words),
    viewsOf(state).includes("relationship")
      ? element("p", {class: "quiet"}, "The dots above are as measured: targets that are easy lie high, whatever their sources. ",
          element("button", {type: "button", class: "link", onclick: () => set({view: "relationship", compare: null})}, "Show the dots of this r"))
      : null,
  ].filter(Boolean);
}

function drawScatterTable(dots, view, name) {
  const place = document.getElementById("scatter-table");
  const write = () => {
    if (!place.open) return;
    const at = of => Int32Array.from(dots, of);
    const names = view.columns;
    const column = (end, words) => namesColumn(end, words, names, title, at(dot => names.indexOf(dot[end])), null);
    const columns = [
      column("source", "source"),
      column("target", "target"),
      {...numbersColumn("similarity", name, Float64Array.from(dots, dot => dot.x), precise), filter: null},
      {...numbersColumn("shown", view.axis, Float64Array.from(dots, dot => dot.y), view.text), filter: null},
    ];
    let sorted = {column: "similarity", down: true};
    const grid = windowTable({label: `${name} and ${view.axis}, by pair`, columns, open: row => choose(dots[row].source, dots[row].target), rowWords: () => ", open its cell",
      changed: asked => { sorted = sortedOf(asked.sorted); draw(); }});
    const draw = () => grid.show(sortRows([...dots.keys()], columns.find(one => one.name === sorted.column), sorted.down), sorted, {});
    place.lastElementChild.replaceChildren(grid.node);
    draw();
  };
  place.ontoggle = write;
  write();
}

selection("choose-measure", "measure", () => DATA.similarity.filter(one => !one.method || one.method === state.method).map(one => [one.measure, measureTitle(one.measure)]), ["method"]);
selection("choose-colour", "coloured", () => [
  ["none", "all alike"],
  ...(new Set(DATA.tasks.map(task => task.family)).size > 1 ? [["kin", "within a family or across"], ["family", "by family of the target"]] : []),
  ...ordered().map(name => [`target:${name}`, `target ${title(name)}`]),
], ["order"]);
sections.register({id: "pane-scatter", keys: AGAIN_SCATTER, draw: drawScatter});

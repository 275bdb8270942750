// The transfer matrix as a grid of cells for mouse, keyboard and screen reader.

const SIZE = 30,
  GAP = 12,
  SLANT = (48 * Math.PI) / 180;

function drawHeatmap() {
  const targets = ordered();
  const rows = [...targets, ...calibration()];
  const wide = Object.fromEntries(rows.map(name => [name, 6.2 * title(name).length]));
  const LEFT = 18 + Math.max(90, ...rows.map(name => wide[name]));
  const TOP = 26 + Math.max(50, ...targets.map(name => wide[name] * Math.sin(SLANT)));
  const RIGHT =
    10 +
    Math.max(0, ...targets.map((name, column) => wide[name] * Math.cos(SLANT) - (targets.length - 1 - column) * SIZE));
  const y = index => TOP + index * SIZE + (index >= targets.length ? GAP : 0);
  const height = y(rows.length) + 6;
  const width = LEFT + targets.length * SIZE + RIGHT;
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "grid",
    "aria-rowcount": rows.length,
    "aria-colcount": targets.length,
    "aria-label": `${methodTitle(state.method)}: ${WORDS.views[state.view].title}. Rows are sources, columns are targets. Arrow keys move, Enter opens a cell.`,
  });
  svg.append(
    element(
      "defs",
      {},
      element(
        "pattern",
        {id: "missing", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
        element("rect", {width: 5, height: 5, fill: "var(--missing)"}),
        element("line", {x1: 0, y1: 0, x2: 0, y2: 5, stroke: "var(--missing-line)", "stroke-width": 2}),
      ),
    ),
  );
  targets.forEach((target, column) => {
    const x = LEFT + column * SIZE + SIZE / 2 + 3;
    svg.append(
      element(
        "text",
        {class: "label", "data-target": target, transform: `translate(${x} ${TOP - 8}) rotate(-48)`},
        title(target),
      ),
    );
  });
  svg.append(
    element("text", {class: "axis", x: LEFT - 8, y: TOP - 10, "text-anchor": "end"}, "source \u2193   target \u2192"),
  );
  rows.forEach((source, line) => {
    const row = element("g", {role: "row", "aria-label": title(source)});
    row.append(
      element(
        "text",
        {
          class: "label",
          "data-source": source,
          x: LEFT - 8,
          y: y(line) + SIZE / 2,
          "text-anchor": "end",
          "dominant-baseline": "central",
        },
        title(source),
      ),
    );
    targets.forEach((target, column) =>
      row.append(drawCell(source, target, LEFT + column * SIZE, y(line), line, column)),
    );
    svg.append(row);
  });
  svg.style.maxWidth = `${1.25 * width}px`;
  svg.style.minWidth = `${0.75 * width}px`;
  fill("heatmap", svg);
  const chosen = svg.querySelector(".chosen") || svg.querySelector(".cell");
  if (chosen) chosen.setAttribute("tabindex", 0);
  svg.addEventListener("keydown", event => moveFocus(event, svg, rows.length, targets.length));
  drawTable(targets, rows);
}

function drawCell(source, target, x, y, line, column) {
  const number = value(source, target);
  const own = source === target;
  const undefinedHere = own && state.view === "relationship";
  const colours = isNumber(number) ? paint(number, state.view) : {fill: undefinedHere ? "var(--missing)" : "url(#missing)"};
  const words = cellWords(source, target);
  const chosen = state.source === source && state.target === target;
  const [below, shared] = [beatsNothing(source, target), sharedImages(source, target)];
  const cell = element(
    "g",
    {
      class: `cell${own ? " own" : ""}${chosen ? " chosen" : ""}`,
      role: "gridcell",
      tabindex: -1,
      "data-line": line,
      "data-column": column,
      "data-missing": !isNumber(number) && !undefinedHere,
      "aria-selected": chosen ? "true" : "false",
      "aria-label": [`${title(source)} to ${title(target)}: ${words}`, ...unsureWords(source, target), ...cautions(source, target)].join(". "),
      onclick: () => choose(source, target),
      onkeydown: event => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          choose(source, target);
        }
      },
      onmouseenter: event => hover(source, target, words, event),
      onmouseleave: endHover,
      onmousemove: placeTip,
      onfocus: () => light(source, target, true),
      onblur: () => light(source, target, false),
    },
    element("rect", {x: x + 0.75, y: y + 0.75, width: SIZE - 1.5, height: SIZE - 1.5, rx: 2, fill: colours.fill}),
    element("rect", {class: "frame", x: x + 0.75, y: y + 0.75, width: SIZE - 1.5, height: SIZE - 1.5, rx: 2}),
  );
  const ink = isNumber(number) ? colours.ink : "var(--ink)";
  if (below)
    cell.append(element("path", {class: "below", d: `M${x + 3} ${y + SIZE - 3}h8l-8 -8z`, style: `fill:${ink}`}));
  if (shared) cell.append(element("circle", {class: "shared", cx: x + SIZE - 6, cy: y + 6, r: 2.5, style: `fill:${ink}`}));
  if (mayBeNothing(source, target))
    cell.append(element("circle", {class: "unsure", cx: x + SIZE - 6, cy: y + SIZE - 6, r: 2, style: `stroke:${ink}`}));
  if (state.numbers && isNumber(number)) {
    cell.append(
      element(
        "text",
        {class: "number", x: x + SIZE / 2, y: y + SIZE / 2, style: `fill:${colours.ink}`},
        viewText(number),
      ),
    );
  }
  return cell;
}

function moveFocus(event, svg, lines, columns) {
  const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
  const cell = event.target.closest(".cell");
  if (!step || !cell) return;
  event.preventDefault();
  const line = Math.min(Math.max(Number(cell.dataset.line) + step[0], 0), lines - 1);
  const column = Math.min(Math.max(Number(cell.dataset.column) + step[1], 0), columns - 1);
  const next = svg.querySelector(`[data-line="${line}"][data-column="${column}"]`);
  svg.querySelectorAll('.cell[tabindex="0"]').forEach(one => one.setAttribute("tabindex", -1));
  next.setAttribute("tabindex", 0);
  next.focus();
}

const tip = document.getElementById("tip");

function hover(source, target, words, event) {
  light(source, target, true);
  const scored = scoreWords(source, target);
  tip.replaceChildren(
    element("div", {class: "strong"}, `${title(source)} \u2192 ${title(target)}`),
    element("div", {}, `${WORDS.views[state.view].title}: ${words}`),
    scored ? element("div", {}, scored) : "",
    ...[...sureWords(source, target), ...cautions(source, target)].map(words => element("div", {}, words)),
  );
  tip.hidden = false;
  placeTip(event);
}

function placeTip(event) {
  const right = event.clientX + 18 + tip.offsetWidth < innerWidth;
  tip.style.left = (right ? event.clientX + 16 : event.clientX - 14 - tip.offsetWidth) + "px";
  tip.style.top = Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 6) + "px";
}

function endHover() {
  tip.hidden = true;
  document.querySelectorAll("#heatmap .label.on").forEach(one => one.classList.remove("on"));
}

function light(source, target, on) {
  document
    .querySelectorAll("#heatmap .label")
    .forEach(one => one.classList.toggle("on", on && (one.dataset.source === source || one.dataset.target === target)));
}

function drawTable(targets, rows) {
  const place = document.querySelector("#as-table .scroll");
  const lines = rows.map(source => [
    title(source),
    ...targets.map(target => viewText(value(source, target), state.view) || "missing"),
  ]);
  place.replaceChildren(
    table(
      ["source \\ target", ...targets.map(title)],
      lines,
      targets.map((_, index) => index + 1),
    ),
  );
}

// The shown matrix as comma-separated text, full precision, names of tasks as in the tables.
function matrixAsCsv() {
  const targets = ordered();
  const lines = [...targets, ...calibration()].map(source => [
    source,
    ...targets.map(target => value(source, target) ?? ""),
  ]);
  const cell = one => (/[",\n]/.test(one) ? `"${one.replace(/"/g, '""')}"` : one);
  return [["source", ...targets], ...lines].map(line => line.map(cell).join(",")).join("\n") + "\n";
}

// The shown heatmap as a drawing of its own, with its colours written into it.
function heatmapAsSvg() {
  const drawn = document.querySelector("#heatmap svg");
  const copy = drawn.cloneNode(true);
  const [before, after] = [drawn.querySelectorAll("*"), copy.querySelectorAll("*")];
  before.forEach((node, index) => {
    const style = getComputedStyle(node);
    for (const name of [
      "fill",
      "stroke",
      "stroke-width",
      "font-size",
      "font-weight",
      "text-anchor",
      "dominant-baseline",
    ])
      after[index].style[name] = style[name];
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.style.fontFamily = "sans-serif";
  return new XMLSerializer().serializeToString(copy);
}

function download(name, text, type) {
  const link = element("a", {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

sections.register({id: "heatmap", keys: ["protocol", "method", "view", "order", "numbers", "source", "target", "theme"], draw: drawHeatmap});

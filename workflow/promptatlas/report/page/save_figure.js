// Figures that stand alone: title, what was done, unit and colour bar are drawn with them, in light colours whatever the page has.

const FIGURE = {
  cell: 30, // px
  edge: 16, // px around everything
  bold: 700,
  most: 60, // letters of a label; the whole name shows under the pointer
  font: "Helvetica, Arial, 'Liberation Sans', sans-serif",
  ink: "#1d2329",
  soft: "#5b6670",
};

// What `give` gives while the page is drawn in light colours.
function inLight(give) {
  if (!isDark()) return give();
  const chosen = state.theme;
  const draw = theme => {
    state.theme = theme;
    sections.redraw(["theme"]);
  };
  draw("light");
  try {
    return give();
  } finally {
    draw(chosen);
  }
}

const letters = document.createElement("canvas").getContext("2d");
function widthOf(text, size, weight = 400) {
  letters.font = `${weight} ${size}px ${FIGURE.font}`;
  return letters.measureText(text).width;
}

// In the middle: long names often differ at their end.
function cut(name) {
  const signs = [...name];
  const [before, after] = [Math.ceil((FIGURE.most - 1) * 0.6), Math.floor((FIGURE.most - 1) * 0.4)];
  return signs.length > FIGURE.most ? `${signs.slice(0, before).join("")}\u2026${signs.slice(-after).join("")}` : name;
}

// Text in lines that are no wider than `room`; what has no spaces is broken where the line ends.
function wrapped(text, room, size, weight) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (widthOf(longer, size, weight) <= room) lines[lines.length - 1] = longer;
    else {
      if (lines.at(-1)) lines.push("");
      for (const sign of word) {
        if (widthOf(lines.at(-1) + sign, size, weight) > room && lines.at(-1)) lines.push("");
        lines[lines.length - 1] += sign;
      }
    }
  }
  return lines;
}

const svgText = (x, y, words, more = {}) =>
  element("text", {x, y, "font-size": 11.5, fill: FIGURE.ink, "dominant-baseline": "central", ...more}, words);

// What of the study is shown: the same below the title of every figure and table.
function figureNotes() {
  const protocol = protocolTitle(state.protocol);
  const seeds = state.seeds ? listed(state.seeds) : seedsOf(state);
  const averaged = seeds.length > 1 ? `Mean over ${seeds.length} seeds (${seeds.join(", ")}).` : `One seed (${seeds[0]}).`;
  return [
    `Study ${DATA.study}${protocol ? `, protocol ${protocol}` : ""}, method ${methodTitle(state.method)}.`,
    ...(state.compare ? [] : [averaged]), // a difference says itself of which seeds it is
  ];
}

// A whole figure: `content` is drawn below the title and the notes. content: {width, height, nodes}, its place is (0, 0).
function figure(name, notes, {width, height, nodes}) {
  const room = Math.max(width, 420);
  const [titles, lines] = [wrapped(name, room, 15, FIGURE.bold), notes.flatMap(note => wrapped(note, room, 11.5))];
  const top = FIGURE.edge + 20 * titles.length + 16 * lines.length + 10;
  const [wide, high] = [room + 2 * FIGURE.edge, top + height + FIGURE.edge].map(Math.ceil);
  return element(
    "svg",
    {xmlns: "http://www.w3.org/2000/svg", width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: "img", "font-family": FIGURE.font, style: "color-scheme:light"},
    element("title", {}, `${name}. ${notes.join(" ")}`),
    element("rect", {width: wide, height: high, fill: "#ffffff"}),
    titles.map((line, index) => svgText(FIGURE.edge, FIGURE.edge + 8 + 20 * index, line, {"font-size": 15, "font-weight": FIGURE.bold})),
    lines.map((line, index) => svgText(FIGURE.edge, FIGURE.edge + 20 * titles.length + 6 + 16 * index, line, {fill: FIGURE.soft})),
    element("g", {transform: `translate(${FIGURE.edge} ${top})`}, nodes),
  );
}

// The shown matrix, from its values and not from the page, so that it is the same at any size of the window.
function matrixFigure() {
  const now = shown();
  const {meaning, unit} = viewWords();
  const size = FIGURE.cell;
  const label = name => cut(lineTitle(name));
  const widest = names => Math.max(24, ...names.map(name => widthOf(label(name), 11.5)));
  const [left, top] = [widest(now.rows) + 10, widest(now.columns) + 10];
  const gap = now.below && now.below.length ? 8 : 0;
  const lineAt = line => top + line * size + (line >= now.rows.length - (now.below || []).length ? gap : 0);
  const named = (name, ...where) => svgText(...where.slice(0, 2), label(name), where[2]);
  const nodes = [
    hatching(),
    ...now.columns.map((target, column) => named(target, 0, 0, {transform: `translate(${left + (column + 0.5) * size} ${top - 8}) rotate(-90)`})),
    svgText(left - 8, top - 10, "source \u2193 target \u2192", {"text-anchor": "end", fill: FIGURE.soft}),
  ];
  now.rows.forEach((source, line) => {
    nodes.push(named(source, left - 8, lineAt(line) + size / 2, {"text-anchor": "end"}));
    now.columns.forEach((target, column) => nodes.push(...figureCell(now, source, target, left + column * size, lineAt(line))));
  });
  const width = left + now.columns.length * size;
  const below = colourBar(now, lineAt(now.rows.length - 1) + size + 24, Math.max(width, 420));
  return figure(titleWithUnit(now), [...figureNotes(), `${meaning}${unit === "%" ? " (cells in %)" : ""}.`], {
    width,
    height: below.bottom,
    nodes: [...nodes, ...below.nodes],
  });
}

const titleWithUnit = ({title, unit}) => (unit && !title.includes(unit) ? `${title} (${unit})` : title);

const hatching = () =>
  element(
    "defs",
    {},
    element(
      "pattern",
      {id: "hatched", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
      element("rect", {width: 5, height: 5, fill: "#eef0f2"}),
      element("line", {x1: 0, y1: 0, x2: 0, y2: 5, stroke: "#b9c0c7", "stroke-width": 2}),
    ),
  );

function figureCell(now, source, target, x, y) {
  const number = now.value(source, target);
  const there = isNumber(number);
  const colours = there ? paint(number, shownView()) : {fill: "url(#hatched)", ink: FIGURE.ink};
  const side = FIGURE.cell - 1.5;
  const own = source === target;
  const square = element(
    "rect",
    {x: x + 0.75, y: y + 0.75, width: side, height: side, rx: 2, fill: colours.fill, stroke: own ? FIGURE.ink : null, "stroke-width": own ? 1.5 : null},
    element("title", {}, `${lineTitle(source)} \u2192 ${lineTitle(target)}: ${now.words(source, target)}`),
  );
  const text = there ? (state.numbers ? now.short(number) : "") : now.words(source, target) === "failed" ? "\u00d7" : "";
  const middle = {fill: colours.ink, "font-size": text.length > 4 ? 8 : 10, "text-anchor": "middle"};
  return [square, text ? svgText(x + FIGURE.cell / 2, y + FIGURE.cell / 2, text, middle) : null].filter(Boolean);
}

const BAR = {width: 220, height: 10, steps: 44};

// The colour bar with its ends, and what frames and hatches mean.
function colourBar(now, y, room) {
  const [low, high] = now.limits;
  const step = BAR.width / BAR.steps;
  const at = share => low + share * (high - low);
  const ends = [low, high].map((number, index) => (viewWords().diverging ? "\u2264\u2265"[index] + " " : "") + inWords(number));
  const left = widthOf(ends[0], 11.5) + 8;
  const nodes = [
    svgText(0, y, ends[0]),
    ...Array.from({length: BAR.steps}, (_, index) =>
      element("rect", {x: left + index * step, y: y - BAR.height / 2, width: step + 0.3, height: BAR.height, fill: paint(at((index + 0.5) / BAR.steps), shownView()).fill}),
    ),
    svgText(left + BAR.width + 8, y, ends[1]),
  ];
  let [x, bottom] = [0, y + 24];
  for (const [words, looks] of [
    [ownPrompt(), {fill: "none", stroke: FIGURE.ink, "stroke-width": 1.5}],
    [SUMMARY.so_far ? "not measured yet" : "not measured", {fill: "url(#hatched)"}],
  ]) {
    const wide = 34 + widthOf(words, 11.5);
    if (x && x + wide > room) [x, bottom] = [0, bottom + 18];
    nodes.push(element("rect", {x: x + 1, y: bottom - 6, width: 12, height: 12, rx: 2, ...looks}), svgText(x + 20, bottom, words));
    x += wide;
  }
  return {nodes, bottom: bottom + 8};
}

// A drawing of the page, with its colours and letters written into it.
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-size", "font-weight", "text-anchor", "dominant-baseline"];

function plotFigure(drawn) {
  const copy = drawn.cloneNode(true);
  const [before, after] = [drawn, copy].map(one => [one, ...one.querySelectorAll("*")]);
  before.forEach((node, index) => {
    const style = getComputedStyle(node);
    for (const name of ["class", "tabindex", ...LOOKS]) after[index].removeAttribute(name);
    after[index].setAttribute("style", LOOKS.map(name => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  const [, , width, height] = (drawn.getAttribute("viewBox") || `0 0 ${drawn.clientWidth} ${drawn.clientHeight}`).split(/[\s,]+/).map(Number);
  for (const [name, one] of Object.entries({x: 0, y: 0, width, height})) copy.setAttribute(name, one);
  const notes = [...(drawn.closest(".pane") ? paneNotes(drawn) : []), ...figureNotes()];
  return figure(partTitle(drawn), notes, {width, height, nodes: [dotsBelow(drawn, width, height), copy].filter(Boolean)});
}

// What is shown beside the matrix is of the matrix; colours of arrows mean what the page says around them.
function paneNotes(drawn) {
  const now = shown();
  const arrows = drawn.querySelector(".arrow") && aroundZero(now) ? ["Blue arrows are above 0, red ones below; thicker is farther from 0."] : [];
  return [`${titleWithUnit(now)}.`, ...arrows];
}

// Dots that are painted and not drawn one by one, as a picture of their own.
function dotsBelow(drawn, width, height) {
  const painted = drawn.parentElement.querySelector(":scope > canvas");
  return painted && element("image", {width, height, href: painted.toDataURL("image/png")});
}

// The shown matrix as a figure, from its values and not from the page, so that it is the same in any window. Cells are written as text,
// which the browser reads faster than it makes thousands of them one by one.

const CELL = 30; // px
const HALF_EDGE = 0.75; // px, between a cell and its square
const FADED = 0.12;

// Marks as they lie in a cell of `CELL`: where their middle is, and how they are drawn with an ink.
const MARKS = {
  below: {at: [6.25, 23.75], draw: () => '<path d="M2.75 27.25v-7l7 7z"/>'},
  shared: {at: [23.75, 6.25], draw: () => '<circle cx="23.75" cy="6.25" r="2.3"/>'},
  unsure: {at: [23.75, 23.75], draw: ink => `<circle cx="23.75" cy="23.75" r="2.3" fill="none" stroke="${ink}"/>`},
  disagree: {at: [4.25, 6.25], draw: () => '<path d="M2.75 2.75h3v7h-3z"/>'},
  leading: {at: [15, 28.25], draw: () => '<path d="M6.5 27.25h17v2h-17z"/>'},
};

function matrixFigure() {
  const now = shown();
  const {meaning, unit} = viewWords();
  const label = name => cut(lineTitle(name));
  const widest = names => Math.max(24, ...names.map(name => widthOf(label(name), 11.5)));
  const [left, top] = [widest(now.rows) + 10, widest(now.columns) + 10];
  const gap = now.below.length ? 8 : 0;
  const lineAt = line => top + line * CELL + (line >= now.rows.length - now.below.length ? gap : 0);
  const drawn = new Set();
  const cells = element("g", {});
  cells.innerHTML = now.rows.map((source, line) => now.columns.map((target, column) => cellMarkup(now, source, target, left + column * CELL, lineAt(line), drawn)).join("")).join("");
  const width = left + now.columns.length * CELL;
  const below = legendBelow(now, drawn, lineAt(now.rows.length - 1) + CELL + 24, Math.max(width, 420));
  const notes = [...figureNotes(), `${meaning}${unit === "%" ? " (cells in %)" : ""}.`, clearWords()].filter(Boolean);
  return figure(titleWithUnit(now), notes, {
    width,
    height: below.bottom,
    nodes: [
      hatching(),
      now.columns.map((name, column) => svgText(0, 0, label(name), {transform: `translate(${left + (column + 0.5) * CELL} ${top - 8}) rotate(-90)`})),
      svgText(left - 8, top - 10, "source \u2193 target \u2192", {"text-anchor": "end", fill: FIGURE.soft}),
      now.rows.map((name, line) => svgText(left - 8, lineAt(line) + CELL / 2, label(name), {"text-anchor": "end"})),
      cells,
      ...below.nodes,
    ].flat(),
  });
}

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
const HATCHED = "url(#hatched)",
  GREY = "#eef0f2";

// A cell of the page, marks and all; kinds of what it has besides its number are added to `drawn`.
function cellMarkup(now, source, target, x, y, drawn) {
  const number = now.value(source, target);
  const has = new Set(cellMarks(source, target, number));
  const there = isNumber(number);
  const {fill, ink} = there ? paint(number, shownView()) : {fill: has.has("itself") ? GREY : HATCHED, ink: FIGURE.ink};
  const marks = Object.keys(MARKS).filter(kind => has.has(kind));
  for (const kind of [...marks, has.has("own") && "own", has.has("failed") && "failed", !there && !has.has("itself") && "hatched"]) if (kind) drawn.add(kind);
  const words = [`${lineTitle(source)} \u2192 ${lineTitle(target)}: ${now.words(source, target)}`, ...marksInWords(source, target)].join(". ");
  const frame = has.has("own") ? ` stroke="${FIGURE.ink}" stroke-width="1.5"` : "";
  const side = CELL - 2 * HALF_EDGE;
  const text = there ? (state.numbers ? now.short(number) : "") : has.has("failed") ? "\u00d7" : "";
  const markup =
    `<rect x="${x + HALF_EDGE}" y="${y + HALF_EDGE}" width="${side}" height="${side}" rx="2" fill="${fill}"${frame}><title>${inMarkup(words)}</title></rect>` +
    (marks.length ? `<g class="marks" transform="translate(${x} ${y})" fill="${ink}">${marks.map(kind => MARKS[kind].draw(ink)).join("")}</g>` : "") +
    (text ? `<text x="${x + CELL / 2}" y="${y + CELL / 2}" font-size="${text.length > 4 ? 8 : 10}" fill="${ink}" text-anchor="middle" dominant-baseline="central">${inMarkup(text)}</text>` : "");
  return has.has("unclear") ? `<g opacity="${FADED}">${markup}</g>` : markup;
}

const BAR = {width: 220, height: 10, steps: 44};

// The colour bar with its ends, and what frames, hatches and marks mean, as far as there are any.
function legendBelow(now, drawn, y, room) {
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
  const keys = keyLines(figureKeys(drawn), y + 24, room);
  return {nodes: [...nodes, ...keys.nodes], bottom: keys.bottom};
}

// Words of what is drawn, and how it looks around (0, 0).
function figureKeys(drawn) {
  const square = looks => `<rect x="-6" y="-6" width="12" height="12" rx="2" ${looks}/>`;
  const mark = kind => `<g transform="translate(${MARKS[kind].at.map(one => -one).join(" ")})">${MARKS[kind].draw(FIGURE.ink)}</g>`;
  return [
    ["own", ownPrompt(), square(`fill="none" stroke="${FIGURE.ink}" stroke-width="1.5"`)],
    ["hatched", SUMMARY.so_far ? "not measured yet" : "not measured", square(`fill="${HATCHED}"`)],
    ["failed", "failed", svgSource(svgText(0, 0, "\u00d7", {"text-anchor": "middle"}))],
    ...Object.entries(markWords()).map(([kind, words]) => [kind, words, mark(kind)]),
  ].filter(([kind]) => drawn.has(kind)).map(([, words, sample]) => [words, sample]);
}

// Figures that stand alone: title, what was done, unit and colour bar are drawn with them, in light colours whatever the page has.

const FIGURE = {
  edge: 16, // px around everything
  bold: 700,
  most: 60, // letters of a label; the whole name shows under the pointer
  font: "Helvetica, Arial, 'Liberation Sans', sans-serif",
  ink: "#1d2329",
  soft: "#5b6670",
};

// What `give` gives while colours are those of a light page. Nothing is drawn again: what is painted and not drawn takes no part in figures.
function inLight(give) {
  const {dataset} = document.documentElement;
  const shownTheme = dataset.theme;
  dataset.theme = "light";
  try {
    return give();
  } finally {
    dataset.theme = shownTheme;
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

const titleWithUnit = ({title, unit}) => (unit && !title.includes(unit) ? `${title} (${unit})` : title);

const inMarkup = text => String(text).replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);

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
  const dots = drawn.closest(".scatter") ? dotsBelow(width, height) : {nodes: [], notes: [], keys: []};
  const keys = keyLines(dots.keys, height + 16, Math.max(width, 420));
  const notes = [...(drawn.closest(".pane") ? paneNotes(drawn) : []), ...figureNotes(), ...dots.notes];
  return figure(partTitle(drawn), notes, {width, height: keys.bottom, nodes: [...dots.nodes, copy, ...keys.nodes]});
}

// What is shown beside the matrix is of the matrix; colours of arrows mean what the page says around them.
function paneNotes(drawn) {
  const now = shown();
  const graph = Boolean(drawn.closest("#graph"));
  const colours = graph && aroundZero(now) ? ["Blue arrows are above 0, red ones below; thicker is farther from 0."] : [];
  return [`${titleWithUnit(now)}.`, ...(graph ? [graphShown.words] : []), ...colours];
}

const MOST_CIRCLES = 10000; // dots that are drawn one by one: about 60 bytes each

// The dots of the scatter, which the page paints: circles, or of very many an image, and what is to be said of them.
function dotsBelow(width, height) {
  const {count, groups, circles, painted} = savedDots;
  const keys = groups.length > 1 ? groups.map(({words, colour}) => [words, `<circle r="5" fill="${colour()}"/>`]) : [];
  if (count > MOST_CIRCLES)
    return {keys, nodes: [element("image", {width, height, href: painted()})], notes: [`The ${count.toLocaleString("en")} dots are an image, of two pixels for one; axes and words are drawn.`]};
  const drawn = element("g", {});
  drawn.innerHTML = circles();
  return {keys, nodes: [drawn], notes: []};
}

// Samples and what they mean, in lines of at most `room` that begin at y. samples: [[words, how it looks around (0, 0)], ...].
function keyLines(samples, y, room) {
  const nodes = [];
  let [x, bottom] = [0, y];
  for (const [words, sample] of samples) {
    const wide = 34 + widthOf(words, 11.5);
    if (x && x + wide > room) [x, bottom] = [0, bottom + 18];
    const place = element("g", {transform: `translate(${x + 7} ${bottom})`, fill: FIGURE.ink});
    place.innerHTML = sample;
    nodes.push(place, svgText(x + 20, bottom, words));
    x += wide;
  }
  return {nodes, bottom: samples.length ? bottom + 8 : y - 16};
}

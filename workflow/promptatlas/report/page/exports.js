// The shown matrix for other programs: as comma-separated text, and as a drawing of its own.

// Full precision, names of tasks as in the tables.
function matrixAsCsv() {
  const now = shown();
  const lines = now.rows.map(source => [source, ...now.columns.map(target => now.value(source, target) ?? "")]);
  const cell = one => (/[",\n]/.test(one) ? `"${one.replace(/"/g, '""')}"` : one);
  return [["source", ...now.columns], ...lines].map(line => line.map(cell).join(",")).join("\n") + "\n";
}

const SVG_CELL = 30;

// The shown heatmap with its colours written into it.
function heatmapAsSvg() {
  const now = shown();
  const longest = names => 6.2 * Math.max(4, ...names.map(name => lineTitle(name).length));
  const [left, top] = [16 + longest(now.rows), 40 + longest(now.columns)];
  const text = (x, y, words, more = {}) => element("text", {x, y, "font-size": 11.5, fill: "#1d2329", "dominant-baseline": "central", ...more}, words);
  const [width, height] = [left + SVG_CELL * now.columns.length + 8, top + SVG_CELL * now.rows.length + 8];
  const svg = element("svg", {xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif"});
  svg.append(element("rect", {width, height, fill: "#ffffff"}), text(8, 16, now.title, {"font-weight": 650, "font-size": 13}));
  now.columns.forEach((target, column) => svg.append(text(0, 0, lineTitle(target), {transform: `translate(${left + (column + 0.5) * SVG_CELL} ${top - 8}) rotate(-90)`})));
  now.rows.forEach((source, line) => {
    const y = top + line * SVG_CELL;
    svg.append(text(left - 8, y + SVG_CELL / 2, lineTitle(source), {"text-anchor": "end"}));
    now.columns.forEach((target, column) => {
      const [x, number] = [left + column * SVG_CELL, now.value(source, target)];
      const colours = isNumber(number) ? paint(number, shownView()) : {fill: "#e3e6e9"};
      svg.append(element("rect", {x: x + 0.75, y: y + 0.75, width: SVG_CELL - 1.5, height: SVG_CELL - 1.5, rx: 2, fill: colours.fill, stroke: source === target ? "#1d2329" : null}));
      if (state.numbers && isNumber(number)) svg.append(text(x + SVG_CELL / 2, y + SVG_CELL / 2, viewText(number), {fill: colours.ink, "font-size": 10, "text-anchor": "middle"}));
    });
  });
  return new XMLSerializer().serializeToString(svg);
}

function download(name, text, type) {
  const link = element("a", {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

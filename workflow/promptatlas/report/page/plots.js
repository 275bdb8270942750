// Small plots: a ruler of scores, tuning curves, intervals.

const SEED_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"];

function linear(from, to, start, end) {
  return number => start + ((number - from) / (to - from || 1)) * (end - start);
}

// A few round numbers between two others, zero among them where it lies between.
function roundSteps(from, to, most = 9) {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const steps = [];
  for (let at = Math.ceil(from / step - 1e-9); at * step <= to + 1e-9; at++) steps.push(at * step);
  return steps;
}

// Scores on a line from 0 to 1: `marks` are [score, words, colour], `dots` the seeds of one cell.
function ruler(dots, marks) {
  const x = linear(0, 1, 12, 308);
  const svg = element("svg", {
    class: "plot",
    viewBox: "0 0 320 46",
    role: "img",
    "aria-label": "Scores by seed between 0 and 100 %",
  });
  svg.append(element("line", {class: "zero", x1: x(0), x2: x(1), y1: 26, y2: 26}));
  for (const at of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(
      element("line", {class: "zero", x1: x(at), x2: x(at), y1: 23, y2: 29}),
      element("text", {x: x(at), y: 42, "text-anchor": "middle"}, `${100 * at}`),
    );
  }
  for (const [score, words, colour] of marks.filter(mark => isNumber(mark[0]))) {
    svg.append(
      element(
        "line",
        {x1: x(score), x2: x(score), y1: 12, y2: 34, stroke: colour, "stroke-width": 2.5},
        element("title", {}, `${words} ${percent(score, 1)}`),
      ),
    );
  }
  for (const score of dots)
    svg.append(
      element("circle", {
        cx: x(score),
        cy: 26,
        r: 4.5,
        fill: "var(--accent)",
        "fill-opacity": 0.8,
        stroke: "var(--paper)",
      }),
    );
  const keys = [["this cell, by seed", "var(--accent)"], ...marks.map(mark => [mark[1], mark[2]])];
  return [
    svg,
    element(
      "div",
      {class: "keys"},
      keys.map(([words, colour]) => element("span", {}, element("i", {style: `background:${colour}`}), words)),
    ),
  ];
}

// One line per seed: `curves` are [seed, [epochs, losses, validation scores]].
function tuningPlot(curves) {
  const width = 320,
    height = 118;
  const epochs = curves.flatMap(([, [epoch]]) => epoch);
  const x = linear(Math.min(...epochs), Math.max(...epochs), 30, width - 30);
  const svg = element("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": "Validation score (solid) and loss (dotted) by epoch, one line per seed",
  });
  const losses = there(curves.flatMap(([, parts]) => parts[1]));
  const scales = [
    [2, linear(0, 1, height - 22, 12), ""],
    [1, linear(0, Math.max(...losses, 1e-9), height - 22, 12), "2 3"],
  ];
  for (const at of [0, 0.5, 1]) {
    const y = scales[0][1](at);
    svg.append(
      element("line", {class: "tick", x1: 30, x2: width - 30, y1: y, y2: y}),
      element("text", {x: 26, y: y + 4, "text-anchor": "end"}, `${100 * at}`),
    );
  }
  svg.append(
    element("text", {x: width - 26, y: 16}, show(Math.max(...losses, 0), 1)),
    element("text", {x: width - 26, y: height - 18}, "0"),
  );
  curves.forEach(([seed, parts], index) => {
    for (const [which, y, dash] of scales) {
      const points = parts[0]
        .map((epoch, at) => [epoch, parts[which][at]])
        .filter(one => isNumber(one[1]))
        .map(([epoch, one]) => `${x(epoch).toFixed(1)},${y(one).toFixed(1)}`);
      svg.append(
        element(
          "polyline",
          {
            points: points.join(" "),
            fill: "none",
            stroke: SEED_COLOURS[index % SEED_COLOURS.length],
            "stroke-width": which === 2 ? 1.8 : 1.1,
            "stroke-dasharray": dash || null,
          },
          element("title", {}, `seed ${seed}`),
        ),
      );
    }
  });
  svg.append(
    element("text", {x: 30, y: height - 4}, `epoch ${Math.min(...epochs)}`),
    element("text", {x: width - 30, y: height - 4, "text-anchor": "end"}, `${Math.max(...epochs)}`),
  );
  return svg;
}

// On a phone plots are drawn for its width, so that letters stay as large as elsewhere.
const phone = matchMedia("(max-width: 600px)");
phone.addEventListener("change", () => sections.redraw(Object.keys(KEYS)));

const LETTER_WIDE = 6.4; // px, of a name beside a plot

// A name as far as there is room for it, cut in the middle, as long names often differ at their end; whole under the pointer.
function nameBeside(text, right, y) {
  const signs = [...text];
  const most = Math.max(Math.floor(right / LETTER_WIDE), 6);
  const half = Math.floor((most - 1) / 2);
  const shown = signs.length > most ? `${signs.slice(0, most - 1 - half).join("")}\u2026${signs.slice(-half).join("")}` : text;
  return element("text", {class: "name", x: right, y, "text-anchor": "end"}, shown, shown === text ? null : element("title", {}, text));
}

// Text in lines of at most `most` letters, broken between words.
function brokenAt(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length > most && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines;
}

// Dots with intervals: rows are {name, at, low, high, filled, note} or {head}; `zero` draws a line.
function intervalPlot(rows, from, to, words, zero = 0) {
  const [width, left, notes] = phone.matches ? [330, 116, 64] : [560, 172, 78],
    step = 22,
    lines = brokenAt(words, Math.floor((width - 120) / 6)),
    height = step * rows.length + 26 + 14 * lines.length;
  const bottom = step * rows.length + 6;
  const x = linear(from, to, left, width - notes);
  const svg = element("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    style: "max-width:42rem;width:100%",
    role: "img",
    "aria-label": words,
  });
  svg.append(element("line", {class: "zero", x1: x(zero), x2: x(zero), y1: 4, y2: bottom}));
  rows.forEach((row, index) => {
    const y = step * index + 14;
    if (row.head) {
      svg.append(element("text", {class: "name strong", x: 0, y: y + 4, "font-weight": 650}, row.head));
      return;
    }
    svg.append(nameBeside(row.name, left - 12, y + 4));
    if (isNumber(row.low))
      svg.append(
        element("line", {
          x1: x(Math.max(row.low, from)),
          x2: x(Math.min(row.high, to)),
          y1: y,
          y2: y,
          stroke: row.colour,
          "stroke-width": 2,
        }),
      );
    (row.dots || []).forEach(dot =>
      svg.append(element("circle", {cx: x(dot), cy: y, r: 3, fill: row.colour, "fill-opacity": 0.45})),
    );
    if (isNumber(row.at))
      svg.append(
        element("circle", {
          cx: x(row.at),
          cy: y,
          r: 5,
          fill: row.filled ? row.colour : "var(--paper)",
          stroke: row.colour,
          "stroke-width": 2,
        }),
      );
    svg.append(element("text", {x: width - notes + 8, y: y + 4}, row.note || ""));
  });
  const steps = roundSteps(from, to, phone.matches ? 5 : 9);
  const digits = steps.length > 1 ? Math.max(0, Math.ceil(-Math.log10(steps[1] - steps[0]) - 1e-9)) : 1;
  for (const at of steps) {
    svg.append(element("text", {x: x(at), y: bottom + 14, "text-anchor": "middle"}, show(at, digits)));
  }
  lines.forEach((line, index) =>
    svg.append(element("text", {x: phone.matches ? width / 2 : (x(from) + x(to)) / 2, y: bottom + 30 + 14 * index, "text-anchor": "middle"}, line)),
  );
  return svg;
}

// What the colours of parts mean, in as many lines as the width asks for: {nodes, height}.
function partKeys(parts, width) {
  let [x, y] = [0, 2];
  const nodes = parts.flatMap(([part, words]) => {
    const wide = 30 + 5.9 * words.length;
    if (x && x + wide > width) [x, y] = [0, y + 18];
    const key = [element("rect", {x, y, width: 10, height: 10, rx: 2, fill: `var(--${part})`}), element("text", {x: x + 15, y: y + 9}, words)];
    x += wide;
    return key;
  });
  return {nodes, height: y + 28};
}

// Shares of a whole as stacked bars: rows are [name, {part: share}], parts are [key, words].
function stackedBars(rows, parts) {
  const [width, left] = phone.matches ? [330, 84] : [640, 190];
  const keys = partKeys(parts, width);
  const top = keys.height;
  const height = 30 * rows.length + top + 4;
  const svg = element("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    style: "max-width:44rem;width:100%",
    role: "img",
    "aria-label": "Shares of the variance of transfer",
  });
  svg.append(...keys.nodes);
  rows.forEach(([name, shares], index) => {
    const y = 30 * index + top;
    let x = left;
    svg.append(nameBeside(name, left - 12, y + 15));
    for (const [part, words] of parts.filter(([part]) => part in shares)) {
      const wide = (shares[part] || 0) * (width - left);
      svg.append(
        element(
          "rect",
          {x, y, width: Math.max(wide - 1, 0), height: 22, fill: `var(--${part})`},
          element("title", {}, `${words}: ${percent(shares[part])}`),
        ),
      );
      if (wide > 26)
        svg.append(
          element(
            "text",
            {
              x: x + wide / 2,
              y: y + 15,
              "text-anchor": "middle",
              style: `fill:var(--${part}-ink, #fff);font-weight:600`,
            },
            `${Math.round(100 * shares[part])}`,
          ),
        );
      x += wide;
    }
  });
  return svg;
}

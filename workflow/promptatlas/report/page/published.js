// The measured matrix beside the printed one, in one drawing so that rows meet.

const PUBLISHED = SUMMARY.published;
const SLANT = (48 * Math.PI) / 180; // of the names above columns
const UNIT = 26,
  BETWEEN = 46;

function drawPublished() {
  hide("published", !PUBLISHED);
  if (!PUBLISHED) return;
  const found = PUBLISHED.by_method.find(one => one.method === state.method);
  if (!found) {
    const there = list(PUBLISHED.by_method.map(one => methodTitle(one.method)));
    const words = `There is no published matrix to compare ${methodTitle(state.method)} with; there is one for ${there}.`;
    fill("published-words", para(words));
    fill("published-plot");
  } else {
    fill("published-words", publishedWords(found));
    fill("published-plot", twoMatrices(found));
  }
  const both = (p, beyond) => exact(pText(p) + (isNumber(beyond) ? ` (${pText(beyond)})` : ""), {"": p, "beyond family": beyond});
  const rows = PUBLISHED.by_method.map(one => [
    methodTitle(one.method),
    `${one.n_tasks}`,
    `${one.n_cells}`,
    exact(show(one.rank_correlation), one.rank_correlation),
    both(one.p, one.p_blocks),
    exact(show(one.relationship_rank_correlation), one.relationship_rank_correlation),
    both(one.relationship_p, one.relationship_p_blocks),
  ]);
  fill(
    "published-table",
    table(
      ["method", "shared tasks", "cells", "rank correlation", "p", "who helps whom", "p"],
      rows,
      [1, 2, 3, 4, 5, 6],
      "Spearman\u2019s rank correlation of measured and printed, without the diagonal.",
    ),
  );
  fill(
    "published-source",
    `Printed: ${PUBLISHED.source}, read off its colours to about ${PUBLISHED.precision}. Both matrices are shares of the best score in the target\u2019s column, own prompt included, among the shared tasks. p comes from renaming the tasks ${PUBLISHED.by_method[0].n_permutations.toLocaleString("en")} times` +
      (PUBLISHED.by_method.some(one => isNumber(one.p_blocks)) ? ", in brackets those of one family among themselves and families of equal size." : "."),
  );
}

function publishedWords(one) {
  const agree = (value, p) => {
    if (!isNumber(p) || p >= 0.05) return "do not clearly agree";
    if (value < 0) return "contradict each other";
    return value >= 0.7 ? "agree well" : value >= 0.4 ? "agree in part" : "agree a little";
  };
  return [
    para(
      `${methodTitle(one.method)}, prompts used unchanged, ${one.n_tasks} shared tasks: over ${one.n_cells} pairs of different tasks the ranks of measured and printed shares correlate ${show(one.rank_correlation)} (${pIs(one.p)}).`,
    ),
    para(
      `Much of that may be how easy a target is. Freed of how easy targets are and how much sources give, the two matrices ${agree(one.relationship_rank_correlation, Math.max(one.relationship_p, one.relationship_p_blocks || 0))} on who helps whom: ${show(one.relationship_rank_correlation)} (${pIs(one.relationship_p)}${isNumber(one.relationship_p_blocks) ? `, beyond family ${pText(one.relationship_p_blocks)}` : ""}).`,
    ),
  ];
}

function twoMatrices(one) {
  const tasks = ordered().filter(name => one.tasks.includes(name));
  const place = Object.fromEntries(one.tasks.map((name, index) => [name, index]));
  const wide = name => 6.2 * title(name).length;
  const left = 14 + Math.max(...tasks.map(wide));
  const top = 44 + Math.max(...tasks.map(name => wide(name) * Math.sin(SLANT)));
  const side = tasks.length * UNIT;
  const beyond = (name, column) => wide(name) * Math.cos(SLANT) - (tasks.length - 1 - column) * UNIT;
  const right = 10 + Math.max(0, ...tasks.map(beyond));
  const gap = Math.max(BETWEEN, right);
  const width = left + 2 * side + gap + right;
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${top + side + 6}`,
    role: "img",
    "aria-label": `${methodTitle(one.method)}: measured and printed share of the target\u2019s best score, ${tasks.length} by ${tasks.length} tasks each`,
  });
  tasks.forEach((name, line) =>
    svg.append(
      element(
        "text",
        {
          class: "label",
          x: left - 8,
          y: top + (line + 0.5) * UNIT,
          "text-anchor": "end",
          "dominant-baseline": "central",
        },
        title(name),
      ),
    ),
  );
  [
    ["Measured here", one.measured, left],
    ["Published", one.published, left + side + gap],
  ].forEach(([head, values, start]) => {
    svg.append(element("text", {class: "head", x: start, y: 14}, `${head}, % of the target\u2019s best`));
    tasks.forEach((target, column) => {
      const x = start + column * UNIT;
      const slanted = `translate(${x + UNIT / 2 + 3} ${top - 8}) rotate(-48)`;
      svg.append(element("text", {class: "label", transform: slanted}, title(target)));
      tasks.forEach((source, line) =>
        svg.append(share(values[place[source]][place[target]], source, target, x, top + line * UNIT, head)),
      );
    });
  });
  svg.style.maxWidth = `${width}px`;
  svg.style.minWidth = `${0.6 * width}px`;
  return svg;
}

function share(number, source, target, x, y, head) {
  const colours = isNumber(number) ? paint(number, "column_ratio") : {fill: "url(#missing)"};
  const words = isNumber(number) ? percent(number) : "missing";
  const middle = {x: x + UNIT / 2, y: y + UNIT / 2};
  return element(
    "g",
    {class: source === target ? "own" : null},
    element("rect", {x: x + 0.75, y: y + 0.75, width: UNIT - 1.5, height: UNIT - 1.5, rx: 2, fill: colours.fill}),
    element("title", {}, `${title(source)} \u2192 ${title(target)}, ${head.toLowerCase()}: ${words}`),
    state.numbers && isNumber(number)
      ? element("text", {class: "number", ...middle, style: `fill:${colours.ink}`}, show(100 * number, 0))
      : null,
  );
}

sections.register({id: "published", keys: ["protocol", "method", "order"], draw: drawPublished});

// Similarity beside transfer: one dot per pair of different tasks, on a canvas under a drawing of the axes.

const PLOT = {width: 560, height: 430, left: 56, right: 14, top: 14, bottom: 46};
const DOT_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B8860B", "#7F5FB0", "#A65628"];

// Dots of the pairs that have both: [{source, target, x, y}, ...].
function scatterDots(shown, near) {
  const dots = [];
  for (const source of shown.columns)
    for (const target of shown.columns) {
      if (source === target) continue;
      const [x, y] = [near(source, target), shown.value(source, target)];
      if (isNumber(x) && isNumber(y)) dots.push({source, target, x, y});
    }
  return dots;
}

// Groups of dots by colour: [{words, has(dot), colour}, ...]; later ones are drawn above. `by` is "none", "kin", "family" or "target:<name>".
function dotGroups(by, names) {
  const family = name => TASKS[name].family;
  if (by === "kin")
    return [
      {words: "of two families", has: dot => family(dot.source) !== family(dot.target), colour: "var(--faint)"},
      {words: "of one family", has: dot => family(dot.source) === family(dot.target), colour: "var(--accent)"},
    ];
  if (by === "family") {
    const families = [...new Set(names.map(family))].sort();
    const own = families.slice(0, DOT_COLOURS.length);
    return [
      ...(families.length > own.length ? [{words: "other targets", has: dot => !own.includes(family(dot.target)), colour: "var(--faint)"}] : []),
      ...own.map((name, index) => ({words: `target of ${name || "no family"}`, has: dot => family(dot.target) === name, colour: DOT_COLOURS[index]})),
    ];
  }
  if (by && by.startsWith("target:")) {
    const chosen = by.slice("target:".length);
    return [
      {words: "other targets", has: dot => dot.target !== chosen, colour: "var(--faint)"},
      {words: `target ${title(chosen)}`, has: dot => dot.target === chosen, colour: "var(--accent)"},
    ];
  }
  return [{words: "a pair of tasks", has: () => true, colour: "var(--accent)"}];
}

// Ends of an axis a little beyond the numbers.
function axisEnds(numbers) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const margin = 0.04 * (high - low || Math.abs(high) || 1);
  return [low - margin, high + margin];
}

// The line through the means whose slope belongs to a correlation r: [[x, y], [x, y]].
function lineOf(dots, r) {
  const [xs, ys] = [dots.map(one => one.x), dots.map(one => one.y)];
  const [mx, my] = [mean(xs), mean(ys)];
  const spread = (numbers, middle) => Math.sqrt(mean(numbers.map(one => (one - middle) ** 2)));
  const slope = (r * spread(ys, my)) / (spread(xs, mx) || 1);
  return [Math.min(...xs), Math.max(...xs)].map(x => [x, my + slope * (x - mx)]);
}

// dots: as above; groups; r: null or the correlation whose line is drawn; words: {x, y, about, of(dot)}; on: {choose, light}.
// Gives {node, paint(), mark(source, target), saved}; saved: {count, groups, circles(), painted()}, what a figure has of the dots.
function scatterDrawing(dots, {groups, r, words, chosen}, on) {
  const {width, height, left, right, top, bottom} = PLOT;
  const [xEnds, yEnds] = [axisEnds(dots.map(one => one.x)), axisEnds(dots.map(one => one.y))];
  const x = linear(...xEnds, left, width - right);
  const y = linear(...yEnds, height - bottom, top);
  const canvas = element("canvas", {width: 2 * width, height: 2 * height, "aria-hidden": "true"});
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"}, axes(x, y, xEnds, yEnds, words));
  if (isNumber(r) && dots.length > 2) {
    const [[x1, y1], [x2, y2]] = lineOf(dots, r);
    svg.append(element("line", {class: "fit", x1: x(x1), y1: y(y1), x2: x(x2), y2: y(y2)}));
  }
  const ring = element("circle", {class: "ring", r: 7, cx: -20, cy: -20});
  const kept = element("circle", {class: "ring kept", r: 7, cx: -20, cy: -20});
  svg.append(kept, ring);
  const told = element("p", {class: "quiet told", "aria-live": "polite"}, "\u00a0");
  const order = [...dots].sort((a, b) => a.x - b.x || a.y - b.y);
  let now = -1;
  const start = order.findIndex(dot => dot.source === chosen.source && dot.target === chosen.target); // keys go on from the chosen pair
  const box = element("div", {class: "scatter", tabindex: 0, role: "application", "aria-roledescription": "scatter plot", "aria-label": words.about}, canvas, svg);

  const place = (circle, dot) => {
    circle.setAttribute("cx", dot ? x(dot.x) : -20);
    circle.setAttribute("cy", dot ? y(dot.y) : -20);
  };
  function go(dot) {
    const before = order[now];
    if (before && before !== dot) on.light(before.source, before.target, false);
    now = dot ? order.indexOf(dot) : -1;
    place(ring, dot);
    told.textContent = dot ? words.of(dot) : "\u00a0";
    if (dot) on.light(dot.source, dot.target, true);
  }
  function nearest(event) {
    const frame = box.getBoundingClientRect();
    const [px, py] = [((event.clientX - frame.left) * width) / frame.width, ((event.clientY - frame.top) * height) / frame.height];
    let [best, found] = [15 ** 2, null];
    for (const dot of dots) {
      const far = (x(dot.x) - px) ** 2 + (y(dot.y) - py) ** 2;
      if (far < best) [best, found] = [far, dot];
    }
    return found;
  }
  box.addEventListener("mousemove", event => {
    const dot = nearest(event);
    box.classList.toggle("on", Boolean(dot));
    if (dot !== order[now]) go(dot);
  });
  box.addEventListener("mouseleave", () => go(null));
  box.addEventListener("blur", () => go(null));
  box.addEventListener("click", event => {
    const dot = nearest(event);
    if (dot) on.choose(dot.source, dot.target);
  });
  box.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 20, PageDown: -20, Home: -Infinity, End: Infinity}[event.key];
    if (step && order.length) {
      event.preventDefault();
      go(order[Math.min(Math.max((now < 0 ? start : now) + step, 0), order.length - 1)]);
    } else if ((event.key === "Enter" || event.key === " ") && order[now]) {
      event.preventDefault();
      on.choose(order[now].source, order[now].target);
    }
  });

  const looks = dots.length > 1000 ? {opacity: 0.55, r: 2.5} : {opacity: 0.75, r: 3.5};
  function colourOf(group) {
    const {colour} = group;
    return colour.startsWith("var(") ? getComputedStyle(box).getPropertyValue(colour.slice(4, -1)).trim() : colour;
  }
  function paintDots(on = canvas) {
    const context = on.getContext("2d");
    context.clearRect(0, 0, on.width, on.height);
    context.globalAlpha = looks.opacity;
    for (const group of groups) {
      context.fillStyle = colourOf(group);
      context.beginPath();
      for (const dot of dots)
        if (group.has(dot)) {
          const [cx, cy] = [2 * x(dot.x), 2 * y(dot.y)];
          context.moveTo(cx + 6, cy);
          context.arc(cx, cy, 2 * looks.r, 0, 2 * Math.PI);
        }
      context.fill();
    }
  }
  // The same as drawn circles, for a figure: as there, dots of a group that overlap are no darker.
  const circle = dot => `<circle cx="${x(dot.x).toFixed(2)}" cy="${y(dot.y).toFixed(2)}" r="${looks.r}"/>`;
  const circles = () => groups.map(group => `<g fill="${colourOf(group)}" opacity="${looks.opacity}">${dots.filter(group.has).map(circle).join("")}</g>`).join("");
  const painted = () => {
    const own = element("canvas", {width: canvas.width, height: canvas.height});
    paintDots(own);
    return own.toDataURL("image/png");
  };
  const found = (source, target) => dots.find(one => one.source === source && one.target === target) || null;
  place(kept, chosen.source ? found(chosen.source, chosen.target) : null);
  const keys = element("div", {class: "keys"}, groups.length > 1 ? groups.map(one => element("span", {}, element("i", {style: `background:${one.colour}`}), one.words)) : []);
  return {
    node: [box, told, keys],
    paint: paintDots,
    saved: {count: dots.length, groups: groups.map(group => ({words: group.words, colour: () => colourOf(group)})), circles, painted},
    mark: (source, target) => place(ring, source ? found(source, target) : null),
  };
}

function axes(x, y, xEnds, yEnds, words) {
  const {width, height, left, right, top, bottom} = PLOT;
  const parts = [];
  for (const at of roundSteps(...xEnds))
    parts.push(
      element("line", {class: Math.abs(at) < 1e-12 ? "zero" : "tick", x1: x(at), x2: x(at), y1: top, y2: height - bottom}),
      element("text", {x: x(at), y: height - bottom + 15, "text-anchor": "middle"}, axisText(at)),
    );
  for (const at of roundSteps(...yEnds))
    parts.push(
      element("line", {class: Math.abs(at) < 1e-12 ? "zero" : "tick", x1: left, x2: width - right, y1: y(at), y2: y(at)}),
      element("text", {x: left - 6, y: y(at) + 4, "text-anchor": "end"}, axisText(words.scaled * at)),
    );
  parts.push(
    element("text", {class: "name", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle"}, words.x),
    element("text", {class: "name", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, words.y),
  );
  return parts;
}

const axisText = number => minus(unsigned(String(Number(number.toPrecision(3)))));

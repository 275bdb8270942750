// Who helps whom as a graph: an arrow from source to target for each value far enough from 0.

const FEW_ARROWS = 3; // per task, when nobody has chosen a threshold

// How strong an arrow is: on scales around zero the distance from it, else the value.
const aroundZero = shown => shown.limits[0] < 0;
const strength = (shown, number) => (aroundZero(shown) ? Math.abs(number) : number);

// All arrows of a sign ("both", "more" or "less"), the strongest first: [{source, target, value, strength}, ...].
function everyArrow(shown, sign = "both", wanted = () => true) {
  const arrows = [];
  for (const source of shown.columns)
    for (const target of shown.columns) {
      const number = source === target ? null : shown.value(source, target);
      if (!isNumber(number) || (aroundZero(shown) && (number === 0 || (sign === "more" && number < 0) || (sign === "less" && number > 0)))) continue;
      if (wanted(source, target)) arrows.push({source, target, value: number, strength: strength(shown, number)});
    }
  return arrows.sort((a, b) => b.strength - a.strength);
}

// The smallest threshold of two digits that leaves at most three arrows per task.
function firstThreshold(arrows, tasks) {
  const most = FEW_ARROWS * tasks;
  if (arrows.length <= most) return arrows.length ? Math.min(0, arrows.at(-1).strength) : 0;
  const next = arrows[most].strength; // the first that must not be drawn
  if (next <= 0) return arrows[most - 1].strength;
  const unit = 10 ** (Math.floor(Math.log10(next)) - 1);
  const found = (Math.floor(next / unit + 1e-9) + 1) * unit;
  return Number(found.toPrecision(2));
}

const arrowsAbove = (arrows, threshold) => arrows.filter(one => one.strength >= threshold - 1e-12);

// choices: {arrows, most, node}; on: {choose(source, target), light(source, target, on), pin(task or null), show(task or null)}.
// Gives {svg, again()}: the drawing, and how tasks are put where they are chosen to stand.
function graphDrawing(shown, {arrows, most, node}, on) {
  const names = shown.columns;
  const radius = 110 + 2.7 * names.length;
  const half = radius + 16 + Math.min(150, NAME_LETTER * Math.max(...names.map(name => Math.min(title(name).length, 24))));
  const frame = {names, radius, half};
  const places = taskPlaces(names, frame);
  const svg = element("svg", {viewBox: `${-half} ${-half} ${2 * half} ${2 * half}`, role: "group", "aria-label": `Graph of ${names.length} tasks and ${arrows.length} arrows. Arrow keys go from task to task, with Shift they move one, Enter keeps it lit.`});
  svg.style.cssText = `width:100%;max-width:${2.2 * half}px;min-width:${1.4 * half}px;margin:0 auto`;
  const heads = ["more", "less"].map(kind =>
    element("marker", {id: `head-${kind}`, viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto", class: kind}, element("path", {d: "M0 1L10 5L0 9z"})),
  );
  const lines = element("g", {"aria-hidden": "true"});
  const [numbers, around] = [Object.fromEntries(names.map((name, index) => [name, index])), aroundZero(shown)];
  // The weakest first, so that strong arrows lie above them.
  lines.innerHTML = [...arrows].reverse().map(one => arrowPath(one, numbers, places, most, around)).join("");
  listenToArrows(lines, shown, on);
  const nodes = element("g", {}, names.map((name, index) => graphNode(name, index, places[name], half, node, on)));
  svg.append(element("defs", {}, heads), lines, nodes);
  svg.addEventListener("keydown", event => alongCircle(event, svg, names.length));
  return {svg, ...listenToMoves(svg, frame, places)};
}

// An arrow as text, since 3,540 of them are read by the browser faster than they are made one by one.
function arrowPath({source, target, value, strength: strong}, numbers, places, most, around) {
  const share = most > 0 ? Math.max(0, strong / most) : 1;
  const kind = around && value < 0 ? "less" : "more";
  return `<path class="arrow ${kind}" d="${arrowWay(places[source], places[target])}" data-source="${numbers[source]}" data-target="${numbers[target]}" marker-end="url(#head-${kind})" stroke-width="${(0.8 + 3.2 * share).toFixed(2)}" stroke-opacity="${(0.35 + 0.55 * share).toFixed(2)}"/>`;
}

// Arrows are pointed at and chosen; what one is shows beside the pointer.
function listenToArrows(lines, shown, on) {
  const pair = event => (event.target.classList.contains("arrow") ? arrowPair(event.target, shown) : null);
  lines.addEventListener("click", event => pair(event) && on.choose(...pair(event)));
  lines.addEventListener("pointerover", event => {
    const found = pair(event);
    if (!found) return;
    if (!event.target.firstChild) event.target.append(element("title", {}, `${found.map(title).join(" \u2192 ")}: ${shown.text(shown.value(...found))}`));
    on.light(...found, true);
  });
  lines.addEventListener("pointerout", event => pair(event) && on.light(...pair(event), false));
}

// Source and target of a drawn arrow.
const arrowPair = (arrow, shown) => [shown.columns[Number(arrow.dataset.source)], shown.columns[Number(arrow.dataset.target)]];

function graphNode(name, index, place, half, node, on) {
  const words = title(name);
  const label = words.length > 24 ? words.slice(0, 23) + "\u2026" : words;
  return element(
    "g",
    {
      class: `node${node === name ? " pinned" : ""}`,
      transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`,
      role: "button",
      tabindex: (node ? node === name : index === 0) ? 0 : -1,
      "aria-pressed": node === name ? "true" : "false",
      "aria-label": words,
      "data-node": name,
      "data-place": index,
      onclick: () => on.pin(node === name ? null : name),
      onkeydown: event => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          on.pin(node === name ? null : name);
        }
      },
      onmouseenter: () => on.show(name),
      onmouseleave: () => on.show(null),
      onfocus: () => on.show(name),
      onblur: () => on.show(null),
    },
    element("circle", {class: "touch", r: 12}),
    element("circle", {class: "dot", r: 6}),
    element("text", {...namePlace(place, half, label), "dominant-baseline": "central"}, label),
  );
}

function alongCircle(event, svg, count) {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  const now = event.target.closest(".node");
  if (!step || !now || event.shiftKey) return;
  event.preventDefault();
  const next = svg.querySelector(`[data-place="${(Number(now.dataset.place) + step + count) % count}"]`);
  now.setAttribute("tabindex", -1);
  next.setAttribute("tabindex", 0);
  next.focus();
}

// Lights the arrows of a task, or all of them where it is null.
function lightNode(svg, shown, name) {
  svg.classList.toggle("lit", Boolean(name));
  for (const arrow of svg.querySelectorAll(".arrow")) arrow.classList.toggle("on", Boolean(name) && arrowPair(arrow, shown).includes(name));
  for (const node of svg.querySelectorAll(".node")) node.classList.toggle("on", node.dataset.node === name);
}

// Whom a task helps and who helps it: [[words, [[source, target, text], ...]], ...], of the arrows that are drawn.
function nodeLists(shown, arrows, name) {
  const of = (wanted, end) => arrows.filter(wanted).map(one => [one.source, one.target, `${title(one[end])} ${shown.text(one.value)}`]);
  const from = value => one => one.source === name && (!aroundZero(shown) || one.value > 0 === value);
  const into = value => one => one.target === name && (!aroundZero(shown) || one.value > 0 === value);
  const words = shown.arrowWords;
  return aroundZero(shown)
    ? [
        [words.gives, of(from(true), "target")],
        [words.harms, of(from(false), "target")],
        [words.receives, of(into(true), "source")],
        [words.suffers, of(into(false), "source")],
      ]
    : [
        [words.gives, of(from(true), "target")],
        [words.receives, of(into(true), "source")],
      ];
}

// Where the tasks of the graph stand: on a circle, or where a reader has put them, by pointer or keys. Places are kept in hundredths of the
// circle's radius, so that they are the same for any number of tasks.

const EDGE = 14; // px, that a task stays away from the end of the drawing
const FAR = 4; // px, that a pointer goes before it drags
const STRIDE = 10; // px, of a key

// Tasks that were moved: {name: [x, y], ...}.
const movedTasks = () => Object.fromEntries(listed(state.moved).map(one => /^(.*):(-?\d+):(-?\d+)$/s.exec(one)).map(([, name, x, y]) => [name, [Number(x), Number(y)]]));
const movedText = moved => joined(Object.entries(moved).map(([name, place]) => [name, ...place.map(Math.round)].join(":")));

function settledMoves(given) {
  const known = one => {
    const [, name, x, y] = /^(.*):(-?\d+):(-?\d+)$/s.exec(one) || [];
    return name in TASKS && Math.max(Math.abs(x), Math.abs(y)) < 1000;
  };
  return joined(listed(given).filter(known));
}

// {name: {x, y, angle}, ...}; angle is null for a task that was moved.
function taskPlaces(names, {radius, half}) {
  const moved = movedTasks();
  const within = number => Math.min(Math.max((number * radius) / 100, EDGE - half), half - EDGE);
  return Object.fromEntries(
    names.map((name, index) => {
      if (moved[name]) return [name, {x: within(moved[name][0]), y: within(moved[name][1]), angle: null}];
      const angle = (2 * Math.PI * index) / names.length - Math.PI / 2;
      return [name, {x: radius * Math.cos(angle), y: radius * Math.sin(angle), angle}];
    }),
  );
}

// From just outside the source to just outside the target. The middle is drawn to the centre and to one side, so that an arrow and the one
// back lie apart.
function arrowWay(from, to) {
  const bend = {x: 0.3 * (from.x + to.x) - 0.1 * (to.y - from.y), y: 0.3 * (from.y + to.y) + 0.1 * (to.x - from.x)};
  const outside = (task, px) => {
    const far = Math.hypot(bend.x - task.x, bend.y - task.y) || 1;
    return {x: task.x + (px * (bend.x - task.x)) / far, y: task.y + (px * (bend.y - task.y)) / far};
  };
  const at = point => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
  return `M${at(outside(from, 7))}Q${at(bend)} ${at(outside(to, 10))}`;
}

const NAME_LETTER = 6.4; // px, of a name, about

// Names of tasks on the circle point away from it; of others they lie on the side that has room.
function namePlace({x, angle}, half, words) {
  if (angle === null) {
    const left = x < 0 ? x - NAME_LETTER * words.length > -half : x + NAME_LETTER * words.length + 11 > half;
    return {transform: `translate(${left ? -11 : 11} 0)`, "text-anchor": left ? "end" : "start"};
  }
  const left = Math.cos(angle) < -1e-9;
  const degrees = (180 * angle) / Math.PI;
  const at = [11 * Math.cos(angle), 11 * Math.sin(angle)].map(one => one.toFixed(1));
  return {transform: `translate(${at}) rotate(${(left ? degrees + 180 : degrees).toFixed(1)})`, "text-anchor": left ? "end" : "start"};
}

// Put a task and its arrows where it stands.
function placeTask(svg, name, places, frame) {
  const node = svg.querySelector(`[data-node="${CSS.escape(name)}"]`);
  const text = node.querySelector("text");
  node.setAttribute("transform", `translate(${places[name].x.toFixed(1)} ${places[name].y.toFixed(1)})`);
  for (const [key, one] of Object.entries(namePlace(places[name], frame.half, text.textContent))) text.setAttribute(key, one);
  const index = node.dataset.place;
  for (const arrow of svg.querySelectorAll(`.arrow:is([data-source="${index}"], [data-target="${index}"])`))
    arrow.setAttribute("d", arrowWay(places[frame.names[arrow.dataset.source]], places[frame.names[arrow.dataset.target]]));
}

// A task follows the pointer, and keys with Shift; where it ends is chosen. A double click puts the task that is kept lit there.
function listenToMoves(svg, frame, places) {
  const {names, radius, half} = frame;
  const inside = number => Math.min(Math.max(number, EDGE - half), half - EDGE);
  const choosePlace = (name, {x, y}, how) => set({moved: movedText({...movedTasks(), [name]: [(100 * x) / radius, (100 * y) / radius]})}, how);
  const scale = () => (2 * half) / svg.getBoundingClientRect().width;
  let [drag, dragged] = [null, false];
  svg.addEventListener("pointerdown", event => {
    const node = event.target.closest(".node");
    if (node && event.button === 0) drag = {node, name: node.dataset.node, from: [event.clientX, event.clientY], start: places[node.dataset.node], on: false};
  });
  svg.addEventListener("pointermove", event => {
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
    if (!drag.on && Math.hypot(dx, dy) < FAR) return;
    if (!drag.on) drag.node.setPointerCapture(event.pointerId);
    drag.on = true;
    const {x, y} = drag.start;
    places[drag.name] = {x: inside(x + dx * scale()), y: inside(y + dy * scale()), angle: null};
    placeTask(svg, drag.name, places, frame);
  });
  svg.addEventListener("pointerup", () => {
    if (drag && drag.on) {
      choosePlace(drag.name, places[drag.name]);
      dragged = true;
      setTimeout(() => (dragged = false));
    }
    drag = null;
  });
  svg.addEventListener("pointercancel", () => {
    if (drag && drag.on) places[drag.name] = drag.start;
    if (drag) placeTask(svg, drag.name, places, frame);
    drag = null;
  });
  // A finger on a task moves it and not the page; browsers do not heed “touch-action” inside of a drawing.
  svg.addEventListener("touchmove", event => drag && event.cancelable && event.preventDefault(), {passive: false});
  // The press that ends a drag chooses nothing.
  svg.addEventListener("click", event => dragged && event.stopPropagation(), true);
  svg.addEventListener("keydown", event => {
    const step = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[event.key];
    const node = event.target.closest(".node");
    if (!step || !node || !event.shiftKey) return;
    event.preventDefault();
    const {x, y} = places[node.dataset.node];
    choosePlace(node.dataset.node, {x: inside(x + STRIDE * step[0]), y: inside(y + STRIDE * step[1])}, {replace: true});
  });
  svg.addEventListener("dblclick", event => {
    if (!state.node || event.target.closest(".node, .arrow")) return;
    const box = svg.getBoundingClientRect();
    choosePlace(state.node, {x: inside((event.clientX - box.left) * scale() - half), y: inside((event.clientY - box.top) * scale() - half)});
  });
  // All tasks where they are chosen to stand.
  const again = () => {
    const [before, now] = [{...places}, taskPlaces(names, frame)];
    Object.assign(places, now);
    const elsewhere = name => ["x", "y", "angle"].some(key => before[name][key] !== now[name][key]);
    for (const name of names.filter(elsewhere)) placeTask(svg, name, places, frame);
  };
  return {again};
}

// Wires the controls to the state and draws everything again when it changes.

function update() {
  writeAddress();
  document.documentElement.dataset.theme =
    state.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  drawViews();
  document.getElementById("choose-order").value = state.order;
  document.getElementById("choose-numbers").checked = state.numbers;
  document.getElementById("choose-target").value = state.ranked;
  for (const input of document.querySelectorAll(".segments input")) input.checked = state[input.name] === input.value;
  for (const draw of [() => drawHeatmap(choose), drawLegend, drawPanel, ...AGAIN()])
    draw();
}

function choose(source, target) {
  const keepFocus = document.activeElement && document.activeElement.closest("#heatmap");
  Object.assign(state, {source, target, ranked: target});
  update();
  const cell = document.querySelector("#heatmap .chosen");
  if (keepFocus && cell) cell.focus();
}

function segments(id, name, options) {
  const place = document.getElementById(id);
  place.append(
    element(
      "span",
      {class: "segments"},
      Object.entries(options).map(([option, words]) =>
        element(
          "label",
          {},
          element("input", {
            type: "radio",
            name,
            value: option,
            onchange: () => {
              const before = mainView();
              state[name] = option;
              settle(before);
              update();
            },
          }),
          element("span", {}, words),
        ),
      ),
    ),
  );
  place.hidden = Object.keys(options).length < 2;
}

// After a change of protocol the chosen method or view may not exist in it; who looked at the main view goes on doing so.
function settle(before) {
  if (!matrix()) state.method = DATA.methods.find(method => DATA.matrices[`${state.protocol}/${method}`]);
  if (state.view === before || !(state.view in matrix().views)) state.view = mainView();
}

// The views that the shown matrix has.
function drawViews() {
  const views = Object.keys(matrix().views);
  fill("choose-view", views.map(name => element("option", {value: name}, WORDS.views[name].title)));
  document.getElementById("choose-view").value = state.view;
}

function options(id, pairs, change) {
  const select = document.getElementById(id);
  select.append(...pairs.map(([value, words]) => element("option", {value}, words)));
  select.addEventListener("change", () => {
    change(select.value);
    update();
  });
}

segments("choose-method", "method", Object.fromEntries(DATA.methods.map(one => [one, methodTitle(one)])));
segments("choose-protocol", "protocol", Object.fromEntries(DATA.protocols.map(one => [one, protocolTitle(one)])));
options("choose-view", [], chosen => {
  state.view = chosen;
});
options("choose-order", [], chosen => {
  state.order = chosen;
});
options(
  "choose-target",
  DATA.tasks.map(task => [task.name, task.title]),
  chosen => {
    state.ranked = chosen;
  },
);
document.getElementById("choose-numbers").addEventListener("change", event => {
  state.numbers = event.target.checked;
  update();
});
document.getElementById("theme").addEventListener("click", () => {
  state.theme = isDark() ? "light" : "dark";
  update();
});
document
  .getElementById("save-csv")
  .addEventListener("click", () =>
    download(`${DATA.study}-${state.protocol}-${state.method}-${state.view}.csv`, matrixAsCsv(), "text/csv"),
  );
document
  .getElementById("save-svg")
  .addEventListener("click", () =>
    download(`${DATA.study}-${state.protocol}-${state.method}-${state.view}.svg`, heatmapAsSvg(), "image/svg+xml"),
  );
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && state.source) {
    state.source = state.target = null;
    update();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
addEventListener("hashchange", () => {
  if (location.hash.includes("=")) {
    Object.assign(state, readAddress());
    update();
  }
});

for (const draw of ONCE()) draw();
update();

// The controls of the page, and the keys of the whole page: each shows what is chosen and changes it by `set`.

// Buttons of which one is pressed. options: value -> words; hidden where there is no choice.
function segments(id, name, options) {
  const place = document.getElementById(id);
  if (!place) return;
  const input = option => element("input", {type: "radio", name, value: option, onchange: () => set({[name]: option})});
  place.append(
    element("span", {class: "segments"}, Object.entries(options).map(([option, words]) => element("label", {}, input(option), element("span", {}, words)))),
  );
  place.hidden = Object.keys(options).length < 2;
  const draw = () => place.querySelectorAll("input").forEach(one => (one.checked = state[name] === one.value));
  sections.register({id, keys: [name], draw});
}

// A list to choose from. pairs: () -> [[value, words], ...], or null for the options of the page; keys: what these depend on.
function selection(id, name, pairs = null, keys = []) {
  const select = document.getElementById(id);
  if (!select) return;
  select.addEventListener("change", () => set({[name]: select.value}));
  const draw = () => {
    if (pairs) select.replaceChildren(...pairs().map(([value, words]) => element("option", {value}, words)));
    select.value = state[name];
  };
  sections.register({id, keys: [name, ...keys], draw});
}

function tick(id, name) {
  const box = document.getElementById(id);
  if (!box) return;
  box.addEventListener("change", () => set({[name]: box.checked}));
  sections.register({id, keys: [name], draw: () => (box.checked = state[name])});
}

segments("choose-method", "method", Object.fromEntries(DATA.methods.map(one => [one, methodTitle(one)])));
segments("choose-protocol", "protocol", Object.fromEntries(DATA.protocols.map(one => [one, protocolTitle(one)])));
selection("choose-view", "view", () => viewsOf(state).map(name => [name, viewWords(name).title]), ["protocol", "method", "baseline"]);
selection("choose-order", "order");
selection("choose-target", "ranked", () => DATA.tasks.map(task => [task.name, task.title]));
tick("choose-numbers", "numbers");
document.getElementById("theme").addEventListener("click", () => set({theme: isDark() ? "light" : "dark"}));

document.addEventListener("keydown", event => {
  if (event.key === "Escape" && state.source) set({source: null, target: null});
});

// Links to parts of the page keep the address whole: where the reader is becomes a choice like others.
document.addEventListener("click", event => {
  const link = event.target.closest('a[href^="#"]');
  const name = link && link.getAttribute("href").slice(1);
  if (!link || name.includes("=") || !document.getElementById(name) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  set({at: name});
  goTo(name);
});

function goTo(name) {
  const place = document.getElementById(name);
  place.scrollIntoView();
  if (!place.hasAttribute("tabindex")) place.setAttribute("tabindex", -1);
  place.focus({preventScroll: true});
}

function choose(source, target) {
  set({source, target, ranked: target});
}

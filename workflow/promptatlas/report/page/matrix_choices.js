// What the matrix is read by: over which baseline, of which seeds; and what helps in a large one: search, folding, zoom.

const BASELINE_TITLES = {zero_shot: "zero-shot", own: "the own prompt", average: "the average source"};
const baselineTitle = name => BASELINE_TITLES[name] || (tuned() ? "an untrained start" : "the untuned prompt");

selection("choose-baseline", "baseline", () => baselinesOf(state).map(name => [name, baselineTitle(name)]), ["protocol", "method"]);

tick("choose-clear", "clear");
sections.register({
  id: "clear-label",
  keys: ["protocol", "method", "baseline", "seeds"],
  draw: () => {
    const label = document.getElementById("clear-label");
    label.hidden = !sureHere();
    label.title = `Cells whose 95\u202f% interval does not hold 0, over ${baselineWords()}; the others are faded`;
  },
});

// What does not follow another baseline, or some of the seeds, beside their controls.
function unfollowedWords() {
  const pairs = PAIRS.cells[key()];
  if (state.seeds)
    return (
      `Of ${seedWords(listed(state.seeds))}.` +
      (pairs ? " Intervals count all seeds: while some are chosen, no cell has a ring or a line for \u201cmay be the best\u201d, and \u201conly clear cells\u201d is off." : "") +
      " The first screen, and what to train, variance, similarity and methods below are of all seeds."
    );
  return pairs && !sureHere() ? `The table of pairs has no interval over ${baselineWords()}: no cell has a ring, and \u201conly clear cells\u201d is off.` : "";
}

const seedWords = seeds => `${seeds.length === 1 ? "seed" : "seeds"} ${list(seeds)}`;

sections.register({id: "unfollowed-words", keys: ["protocol", "method", "baseline", "seeds"], draw: () => fill("unfollowed-words", unfollowedWords())});

// Boxes of which several may be ticked. all: what there is; ticked: what is chosen now; choose: called with the new ones.
function boxes(all, ticked, words, choose) {
  const box = one =>
    element("input", {
      type: "checkbox",
      value: one,
      checked: ticked.includes(one),
      onchange: event => choose(all.filter(other => (other === one ? event.target.checked : ticked.includes(other)))),
    });
  return all.map(one => element("label", {}, box(one), element("span", {}, words(one))));
}

function drawSeeds() {
  const place = document.getElementById("choose-seeds");
  const every = seedsOf(state);
  place.hidden = every.length < 2;
  const choose = seeds => {
    set({seeds: seeds.length ? joined(seeds) : null});
    drawSeeds();
  };
  place.replaceChildren(place.querySelector("legend"), element("span", {class: "segments"}, boxes(every, chosenSeeds(state), one => one, choose)));
}

function drawFolded() {
  const place = document.getElementById("choose-folded");
  const known = families();
  place.hidden = known.length < 2 || known.length === DATA.tasks.length;
  const chosen = listed(state.folded);
  const choose = some => set({folded: joined(some)});
  const every = chosen.length === known.length;
  place.querySelector("summary").textContent = chosen.length ? `${chosen.length} of ${known.length} families folded` : "Fold families";
  place.querySelector("details > div").replaceChildren(
    element("p", {class: "quiet"}, "A folded family is one row and one column: means over its tasks, pairs of a task with itself aside."),
    element("button", {type: "button", onclick: () => choose(every ? [] : known)}, every ? "None" : "All"),
    ...boxes(known, chosen, one => one, choose),
  );
}

const wanted = document.getElementById("choose-search");
wanted.addEventListener("input", () => {
  set({search: wanted.value}, {replace: true});
  const first = heatmap.querySelector("th.lit");
  if (first) first.scrollIntoView({block: "nearest", inline: "nearest"});
});

sections.register({id: "choose-seeds", keys: ["protocol", "method", "seeds"], draw: drawSeeds});
sections.register({id: "choose-folded", keys: ["folded"], draw: drawFolded});
sections.register({id: "choose-search", keys: ["search"], draw: () => wanted.value === state.search || (wanted.value = state.search)});
for (const [id, step] of [["zoom-out", -1], ["zoom-fit", 0], ["zoom-in", 1]])
  document.getElementById(id).addEventListener("click", () => zoom(step));

// A press outside of an opened menu closes it, as does Escape.
const closeMenus = except => document.querySelectorAll("details.menu[open]").forEach(one => one !== except && (one.open = false));
addEventListener("pointerdown", event => closeMenus(event.target.closest("details.menu")));
addEventListener("keydown", event => event.key === "Escape" && closeMenus(null));

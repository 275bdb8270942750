// The sections around a given matrix: its first sentences, the chosen cell, and what was understood of the files.

const counted = (number, what, many = what + "s") => `${number.toLocaleString("en")} ${number === 1 ? what : many}`;

function drawHeader() {
  document.title = `promptatlas: ${DATA.study}`;
  const missing = SUMMARY.n_missing_cells;
  fill(
    "lead",
    `\u201c${DATA.study}\u201d: ${counted(SUMMARY.n_tasks, "task")}, each as source and as target, ` +
      `${DATA.methods.length > 1 ? `${counted(DATA.methods.length, "matrix", "matrices")} (${list(DATA.methods.map(methodTitle))}), ` : ""}` +
      `${counted(SUMMARY.seeds.length, "seed")}, ${counted(SUMMARY.n_cells, "score")}${missing ? `, ${missing.toLocaleString("en")} missing` : ""}. ` +
      (mainView() === "raw" ? "" : `Headlines are on the scale \u201c${scaleOf(mainView()).title}\u201d: ${scaleOf(mainView()).about}.`),
  );
  if (DATA.tasks.every(one => !one.family)) document.querySelector('#choose-order option[value="family"]').remove();
}

function drawTiles() {
  const tile = (number, words) => element("div", {}, element("dt", {}, words), element("dd", {}, number));
  const one = bySummary();
  const share = measure =>
    SUMMARY.variance.find(row => here(row) && row.response === PRIMARY && row.test === "variance_share" && row.measure === measure);
  const reliable = SUMMARY.variance.find(row => here(row) && row.response === PRIMARY && row.test === "reliability");
  const tiles = [
    isNumber(one.mean_of_pairs) && tile(viewText(one.mean_of_pairs, mainView(), true), "mean over pairs of different tasks"),
    isNumber(one.mean_of_own) && tile(viewText(one.mean_of_own, mainView(), true), "mean of tasks on themselves"),
    one.over_baseline &&
      tile(percent(one.over_baseline.share), `of ${one.over_baseline.pairs} pairs above the baseline${one.n_seeds > 1 ? " in every seed" : ""}`),
    ...["target", "source", "relationship"]
      .filter(part => share(part) && isNumber(share(part).estimate))
      .map(part => tile(percent(share(part).estimate), `of the differences: ${WORDS.protocols[state.protocol].parts[part]}`)),
    reliable && isNumber(reliable.estimate) && tile(show(reliable.estimate), "reliability of who helps whom over seeds"),
  ];
  fill("tiles", tiles.filter(Boolean));
}

function drawMatrixWords() {
  const one = bySummary();
  const range = isNumber(one.worst_of_pairs)
    ? `Pairs of different tasks go from ${viewText(one.worst_of_pairs, mainView(), true)} to ${viewText(one.best_of_pairs, mainView(), true)}. `
    : "";
  fill("matrix-words", `${range}Rows are sources, columns are targets${calibration("raw").length ? "; rows below are sources that are no target" : ""}.`);
}

function drawPanel() {
  if (!state.source) {
    fill(
      "panel",
      element("h3", {}, "Choose a cell"),
      quiet("Click a cell, or move with the arrow keys and press Enter: its value on every scale, by seed, and the similarities of the two tasks appear here."),
    );
    return;
  }
  const {source, target} = state;
  const seeds = gains(source, target);
  const others = SUMMARY.order.filter(name => name !== target && isNumber(value(name, target, "raw")));
  const [own, given] = [value(source, target, "raw"), isNumber(value(source, target, "raw"))];
  const better = others.filter(name => value(name, target, "raw") > own).length;
  fill(
    "panel",
    element("h3", {}, `${title(source)} \u2192 ${title(target)}`),
    quiet(methodTitle(state.method)),
    element("p", {class: "big"}, given ? viewText(value(source, target), state.view, true) : "missing"),
    quiet(viewWords().title),
    given && isTask(source) && source !== target ? para(placeWords(better, others.length, new Set(others.map(name => value(name, target, "raw"))).size)) : null,
    given
      ? table(
          ["scale", "mean over seeds"],
          DATA.views.filter(view => view in matrix().views && isNumber(value(source, target, view))).map(view => [WORDS.views[view].title, exact(viewText(value(source, target, view), view, true), value(source, target, view))]),
          [1],
        )
      : null,
    given && seeds.length > 1
      ? table(["seed", gainWords()], seeds.map(([seed, score]) => [seed, exact(gainText(score), score)]), [1])
      : null,
    ...(isTask(source) ? cellSimilarities(source, target) : []),
  );
}

// What each task gives and receives.
function drawEffects() {
  const one = bySummary();
  const received = Object.fromEntries(one.receivers.map(row => [row.task, row.effect]));
  fill(
    "effects",
    one.givers.length
      ? [
          element("h3", {}, "What each task gives and receives"),
          table(
            ["task", `gives${effectWords().unit}`, `receives${effectWords().unit}`],
            one.givers.map(row => [title(row.task), exact(effectWords().text(row.effect), row.effect), exact(effectWords().text(received[row.task]), received[row.task])]),
            [1, 2],
            "Effects as source and as target, mean over seeds, freed of each other; each sums to zero.",
          ),
        ]
      : [],
  );
}

// Groups, and what they are worth in seeds that had no part in choosing them.
function drawGroups() {
  const one = SUMMARY.groups.find(here);
  const worth = number => effectWords().text(number) + (effectWords().unit && effectWords().unit.replace(",", ""));
  const verdict = isNumber(one.p)
    ? `Chosen on the other seeds, groups are worth ${worth(one.held_out)} per pair in the seed left out, groups of the same sizes drawn at random ${worth(one.random)} (${pIs(one.p)}): ` +
      (one.p < 0.05
        ? `they hold in other seeds, and ${percent(one.stability)} of their pairs stay together when a seed is left out.`
        : "they are no better than chance in other seeds.")
    : `How much they would be worth again cannot be told, ${one.reason}.`;
  fill(
    "groups",
    one.groups.length
      ? [
          para(`Inside a group a task is worth ${worth(one.apparent)} more to another than source and target alone would give, on the scores that chose the groups. ${verdict}`),
          element("ol", {}, one.groups.map(tasks => element("li", {}, tasks.map(title).join(", ")))),
        ]
      : [para(`There are none to tell, ${one.reason}.`)],
  );
}

// Pairs of matrices: which is higher, and whether they agree on givers and receivers.
function drawCompared() {
  const byPair = {};
  for (const one of SUMMARY.compared) (byPair[`${one.method}\n${one.protocol}`] ||= {first: one})[one.what] = one;
  const shares = scaleOf(mainView()).unit === "%";
  const gap = number => signed(shares ? 100 * number : number, digitsOf(mainView()) + 1);
  const name = one => one.method.split("~").map(methodTitle).join(" against ") + (one.protocol.includes("~") ? `, ${one.protocol.replace("~", " against ")}` : "");
  const cell = (one, text) => (one && isNumber(one.estimate) ? exact(inBrackets(one, text), interval(one)) : "\u2013");
  fill(
    "compared",
    table(
      ["", `first minus second${effectWords().unit}`, "first is higher", "rank correlation", "givers", "receivers", "pairs"],
      Object.values(byPair).map(one => [
        name(one.first),
        cell(one.difference, gap),
        cell(one.higher, percent),
        cell(one.rank_correlation, show),
        cell(one.giving, show),
        cell(one.receiving, show),
        one.first.n_cells.toLocaleString("en"),
      ]),
      [1, 2, 3, 4, 5, 6],
      "Mean difference over the pairs of different tasks that both have, and correlations of all scores, of source effects and of target effects; intervals over tasks.",
    ),
  );
}

function drawRead() {
  fill("read-words", element("ul", {}, SUMMARY.notes.map(note => element("li", {}, withCode(note)))));
  const left = Object.entries(SUMMARY.scales_left_out);
  fill(
    "scales",
    table(
      ["scale", "in tables", "what it is"],
      Object.entries(SUMMARY.scales).map(([name, one]) => [one.title, element("code", {}, name), one.about]),
    ),
    left.length
      ? element(
          "div",
          {class: "words"},
          para("Scales that these scores do not have:"),
          element("ul", {}, left.map(([name, why]) => element("li", {}, element("code", {}, name), ": ", withCode(why), "."))),
        )
      : null,
  );
}

sections.register({id: "lead", draw: drawHeader});
sections.register({id: "tiles", keys: ["protocol", "method"], draw: drawTiles});
sections.register({id: "matrix-words", keys: ["protocol", "method"], draw: drawMatrixWords});
sections.register({id: "panel", keys: ["protocol", "method", "view", "source", "target"], draw: drawPanel});
sections.register({id: "effects", keys: ["protocol", "method"], draw: drawEffects});
sections.register({id: "groups", keys: ["protocol", "method"], draw: drawGroups});
sections.register({id: "compared", draw: drawCompared});
sections.register({id: "read", draw: drawRead});

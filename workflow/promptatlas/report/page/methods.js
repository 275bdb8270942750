// All methods side by side, each on tasks of its own.

const COMPARED = SUMMARY.comparison;
const BASE_METHOD = "zero_shot";
const beside = () => COMPARED.methods.filter(one => one.method !== BASE_METHOD);
const nameOf = one => titleOf("methods", one);

function drawMethods() {
  // As in the static figure. A study of protocol init alone may have none of its methods here, as no prompt is used as it was
  // trained, and one that was tuned for a few epochs from an untrained start would be no fair stand-in.
  const enough = COMPARED && beside().length > 1 && COMPARED.n_tasks > 0;
  hide("methods", !enough);
  if (!enough) return;
  const base = COMPARED.methods.find(one => one.method === BASE_METHOD);
  fill("methods-words", comparisonWords(base));
  if (base) fill("methods-plot", gainPlot(base));
  const tasks = ordered().filter(name => name in COMPARED.methods[0].by_task);
  const best = Object.fromEntries(
    tasks.map(name => [name, Math.max(...COMPARED.methods.map(one => one.by_task[name]))]),
  );
  const score = (one, name) =>
    exact(element("span", {class: one.by_task[name] >= best[name] - 1e-9 ? "strong" : ""}, show(100 * one.by_task[name], 1)), 100 * one.by_task[name]);
  const highest = Math.max(...COMPARED.methods.map(one => one.mean));
  const numeric = COMPARED.methods.map((one, index) => index + 1);
  fill(
    "methods-table",
    table(
      ["task", ...COMPARED.methods.map(one => nameOf(one.method))],
      [
        ["mean", ...COMPARED.methods.map(one => exact(element("span", {class: one.mean >= highest - 1e-9 ? "strong" : ""}, show(100 * one.mean, 1)), 100 * one.mean))],
        ["mean rank", ...COMPARED.methods.map(one => exact(show(one.mean_rank, 1), one.mean_rank))],
        ...tasks.map(name => [title(name), ...COMPARED.methods.map(one => score(one, name))]),
      ],
      numeric,
      "Scores in %, mean over seeds; the best of a task, and of the means, is bold.",
    ),
  );
  fill("methods-pairs", pairTable());
}

function comparisonWords(base) {
  const [first, second] = COMPARED.methods;
  const pair = COMPARED.pairs.find(one => one.better === first.method && one.worse === second.method);
  const clear = pair && isNumber(pair.low) && pair.low > 0;
  const few = COMPARED.shots.length ? ` with ${perClass(COMPARED.shots)}` : "";
  const helped = COMPARED.methods.filter(one => isNumber(one.low) && one.low > 0).length;
  const others = beside().filter(one => isNumber(one.low)).length;
  const left = COMPARED.tasks_left_out.length;
  return [
    para(
      `Each method is trained${few} and tested on the same task. By the mean over ${COMPARED.n_tasks} tasks, ${nameOf(first.method)} is first (${percent(first.mean, 1)}), ${nameOf(second.method)} second (${percent(second.mean, 1)}); ` +
        (pair && isNumber(pair.low)
          ? `the difference of ${show(pair.difference, 1)} points is ${clear ? "" : "not "}beyond what tasks and seeds leave open (${show(pair.low, 1)} to ${show(pair.high, 1)}).`
          : `how sure that is cannot be told from ${pair && pair.n_seeds === 1 ? "one seed" : "so few tasks"}.`) +
        (base && isNumber(COMPARED.methods.find(one => one.method !== BASE_METHOD).low)
          ? ` ${helped === others ? `All ${others}` : `${helped} of ${others}`} methods are clearly better than zero-shot.`
          : "") +
        (left ? ` ${left} ${left === 1 ? "task is" : "tasks are"} left out, as some methods have no score there.` : ""),
    ),
    quiet(
      (COMPARED.n_seeds > 1
        ? `Intervals are for ${percent(COMPARED.level)} and for the mean of paired differences: same task, same few images, same seed. They say what other tasks and other seeds may give (tasks and seeds are crossed random samples)` +
          (COMPARED.n_seeds > 2 ? "" : ", and two seeds make them wide") +
          ", one interval at a time."
        : "Differences are paired: same task, same few images. With one seed they have no interval: what all tasks of a seed have in common cannot be told from it.") +
        " Epochs, \u03b1 and \u03b2 are chosen on validation images alone.",
    ),
  ];
}

function gainPlot(base) {
  const rows = beside()
    .filter(one => isNumber(one.difference))
    .map(one => ({
      name: nameOf(one.method),
      at: one.difference,
      low: one.low,
      high: one.high,
      dots: Object.entries(one.by_task).map(([name, score]) => 100 * (score - base.by_task[name])),
      filled: true,
      colour: DATA.colours[one.method] || "var(--accent)",
      note: signed(one.difference),
    }));
  const every = rows.flatMap(row => [...row.dots, row.low, row.high].filter(isNumber)).concat(0, 1);
  const edge = step => Math.ceil(step / 5) * 5;
  return intervalPlot(
    rows,
    -edge(-Math.min(...every)),
    edge(Math.max(...every)),
    `points over zero-shot${rows.some(row => isNumber(row.low)) ? ", with interval" : ""}; small dots are tasks`,
  );
}

// Neighbours in the order of means: whether each is better than the next one.
function pairTable() {
  const order = COMPARED.methods.map(one => one.method);
  const rows = order
    .slice(1)
    .map((worse, index) => COMPARED.pairs.find(one => one.better === order[index] && one.worse === worse));
  return element(
    "details",
    {},
    element("summary", {}, "Each method against the next one"),
    table(
      ["method", "against", "difference, points", "interval", "better on", "pairs of scores"],
      rows.map(one => [
        nameOf(one.better),
        nameOf(one.worse),
        exact(signed(one.difference, 1), one.difference),
        isNumber(one.low) ? exact(`${signed(one.low, 1)} to ${signed(one.high, 1)}`, {low: one.low, high: one.high}) : "\u2013",
        `${one.better_on} of ${one.n_tasks}`,
        `${one.n_pairs}`,
      ]),
      [2, 3, 4, 5],
    ),
  );
}

sections.register({id: "methods", keys: ["protocol", "method", "order"], draw: drawMethods});

// The sections around a study's matrix: its first sentences and numbers, and what is known of its tasks.

function drawHeader() {
  const methods = list(DATA.methods.map(methodTitle));
  document.title = `promptatlas: ${DATA.study}`;
  fill(
    "lead",
    `Study \u201c${DATA.study}\u201d: prompts trained by ${methods} on each of ${measuredTasks()} tasks, for a frozen CLIP (${list(DATA.backbones)}), ${list(DATA.protocols.map(usedHow))}. ` +
      `${cellsWords()}, ${SUMMARY.seeds.length} seed${SUMMARY.seeds.length === 1 ? "" : "s"}, ${perClass(SUMMARY.shots)}.` +
      (SUMMARY.so_far ? notFinished(SUMMARY.so_far) : SUMMARY.n_missing_cells ? ` ${SUMMARY.n_missing_cells.toLocaleString("en")} ${SUMMARY.n_missing_cells === 1 ? "cell is" : "cells are"} ${restricted() ? "not measured" : "missing"}, calibration rows aside.` : "") +
      (DATA.config.precision ? ` Computed in ${DATA.config.precision}.` : "") +
      (restricted() ? " This is a part of the study: only listed pairs are measured so far." : ""),
  );
}

// How many cells are measured, and how many besides that a run counts as well.
function cellsWords() {
  const besides = SUMMARY.n_calibration_cells ? ` and ${SUMMARY.n_calibration_cells.toLocaleString("en")} in rows that are no task` : "";
  return `${SUMMARY.n_cells.toLocaleString("en")} measured cell${SUMMARY.n_cells === 1 ? "" : "s"}${besides}`;
}

// How far a study is of which the page was made before its end.
const notFinished = ({cells, all_cells, prompts, all_prompts, at, running, ahead}) =>
  cells === all_cells ? ` All its cells are there, as of ${at}.` :
  ` It is not finished: ${cells.toLocaleString("en")} of ${all_cells.toLocaleString("en")} cells and ${prompts.toLocaleString("en")} of ` +
  `${all_prompts.toLocaleString("en")} prompts are there, as of ${at}; pairs that are not measured yet are hatched.` +
  (ahead ? ` Ahead: ${ahead}.` : "") + (running.length ? ` Running then: ${running.join("; ")}.` : "");

// Of how many tasks anything is measured, and of how many there are if that is not the same.
const measuredTasks = () =>
  SUMMARY.n_tasks_measured < SUMMARY.n_tasks ? `${SUMMARY.n_tasks_measured} of ${SUMMARY.n_tasks}` : `${SUMMARY.n_tasks}`;

function drawTiles() {
  const tile = (number, words) => element("div", {}, element("dt", {}, words), element("dd", {}, number));
  const methods = byMethod(SUMMARY.by_method.filter(one => one.protocol === state.protocol));
  fill(
    "tiles",
    tile(percent(SUMMARY.zero_shot_chance_corrected_mean), "mean zero-shot score, on a scale from guessing (0\u202f%) to all right (100\u202f%)"),
    methods.map(one => {
      const name = methodTitle(one.method);
      if (state.baseline !== firstBaseline(state) || state.seeds) {
        const [gain, which] = state.baseline === "average" ? [gainOver(one.method, ownPairs), "own prompts"] : [gainOver(one.method, pairsOf), "prompts of other tasks"];
        return isNumber(gain) ? tile(signed(gain), `points over ${baselineWords()}${ofSeeds()}: ${name}, ${which}`) : null;
      }
      if (!tuned()) return isNumber(one.own_gain_points_mean) ? tile(signed(one.own_gain_points_mean), `points over zero-shot: ${name} on a prompt\u2019s own task`) : null;
      const [gain, over] = one.over_scratch
        ? [one.over_scratch.points_mean, "an untrained start"]
        : [one.transfer_gain_points_mean, "zero-shot"];
      return isNumber(gain) ? tile(signed(gain), `points over ${over}: ${name} started from another task\u2019s prompt and tuned on the target`) : null;
    }),
  );
}

// Mean gain of a method's pairs over the chosen baseline, of the chosen seeds. Over the average source other tasks gain 0 by what it is.
function gainOver(method, pairs) {
  const view = otherView({method, view: mainView()});
  return mean(there(pairs((source, target) => valueIn(view, source, target))));
}

const ownPairs = one => SUMMARY.order.map(task => one(task, task));

const ofSeeds = () => (state.seeds ? `, ${seedWords(listed(state.seeds))}` : "");

function drawMatrixWords() {
  const one = bySummary();
  if (!one) return;
  const words = tuned() ? startWords(one) : frozenWords(one);
  const failures = Object.entries(DATA.failed[key()] || {}).map(([source, row]) => [source, Object.values(row).flatMap(Object.keys).length]);
  const count = some => some.reduce((sum, [, number]) => sum + number, 0);
  const failedCells = count(failures);
  const calibrating = count(failures.filter(([source]) => !SUMMARY.order.includes(source)));
  const besides = calibrating ? ` (${calibrating.toLocaleString("en")} of them in rows that are no task)` : "";
  const failed = failedCells
    ? ` ${failedCells.toLocaleString("en")} ${failedCells === 1 ? "measurement" : "measurements"} of this matrix failed${besides}: hatched cells say why when they are chosen.`
    : "";
  fill("matrix-words", words + overBaseline() + failed + pairsWords());
}

// Over another baseline than that of the sentences before, or of some seeds only, counted on the page.
function overBaseline() {
  if (state.baseline === firstBaseline(state) && !state.seeds) return "";
  const found = there(pairsOf((source, target) => value(source, target, mainView())));
  if (!found.length) return ` No pair can be held against ${baselineWords()}.`;
  const above = found.filter(gain => gain > 0).length;
  const gained = state.baseline === "average" ? "" : `prompts of other tasks gain ${signed(mean(found))} points on average; `;
  return ` Over ${baselineWords()}${ofSeeds()}, ${gained}${above} of ${found.length} pairs are above it.`;
}

// What a function gives of each pair of different tasks.
const pairsOf = one => SUMMARY.order.flatMap(source => SUMMARY.order.filter(target => target !== source).map(target => one(source, target)));

// Tasks that have no perfection gap, as their zero-shot score leaves none or is not known.
function gapWords() {
  const without = SUMMARY.perfection_gap.perfection_gap ? SUMMARY.perfection_gap.perfection_gap.undefined : [];
  return without.length ? ` No perfection gap, as the zero-shot score is 1 or not known: ${list(without.map(title))}.` : "";
}

function drawStudy() {
  const ceiling = SUMMARY.tasks_at_ceiling;
  const model = DATA.config.backbone && DATA.config.backbone.model;
  fill(
    "study-words",
    (model === "mini"
      ? "The backbone \u201cmini\u201d is a real CLIP, small, that has seen only drawings: what holds for it need not hold for a large one. "
      : "") +
      (ceiling.length
        ? `At the ceiling (own prompt at ${percent(SUMMARY.ceiling)} or more, chance-corrected): ${list(ceiling.map(title))}.`
        : `No task is at the ceiling (own prompt at ${percent(SUMMARY.ceiling)} or more, chance-corrected).`) +
      gapWords() +
      ` Cells took ${show(SUMMARY.compute_seconds / 60, 1)} minutes of computing in all.`,
  );
  fill(
    "tasks",
    table(
      [
        "task",
        "",
        "family",
        "metric",
        "classes",
        "test images",
        "chance",
        "largest class",
        "zero-shot",
        "drawn from",
        "label depends on",
      ],
      DATA.tasks.map(one => [
        one.title,
        element("code", {}, one.name),
        one.family,
        metricTitle(one.metric),
        `${one.classes}`,
        `${one.n_test}`,
        ...[one.chance, one.largest_class, one.zero_shot].map(share => exact(percent(share), share)),
        (one.drawn || "").replace(/;/g, ", ") || one.split_source || "",
        (one.labelled || "").replace(/;/g, ", "),
      ]),
      [4, 5, 6, 7, 8],
    ),
  );
  fill(
    "odd",
    element("ul", {}, DATA.tasks.filter(one => one.notes).map(one => element("li", {}, element("strong", {}, one.title), `: `, withCode(namesInWords(one.notes)), "."))),
  );
  fill("config", JSON.stringify(DATA.config, null, 1));
}

sections.register({id: "lead", draw: drawHeader});
sections.register({id: "tiles", keys: ["protocol", "baseline", "seeds"], draw: drawTiles});
sections.register({id: "matrix-words", keys: ["protocol", "method", "baseline", "seeds"], draw: drawMatrixWords});
sections.register({id: "study", draw: drawStudy});

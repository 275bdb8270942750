// The sections around the matrix: words and tables whose numbers come from summary.json.

const PRIMARY = SUMMARY.primary_response;
const here = one => one.method === state.method && one.protocol === state.protocol;
const para = (...content) => element("p", {}, ...content);
const quiet = text => element("p", {class: "quiet"}, text);
const list = words => (words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words.at(-1));

function drawHeader() {
  const methods = list(DATA.methods.map(methodTitle));
  document.title = `promptatlas: ${DATA.study}`;
  fill(
    "lead",
    `Study \u201c${DATA.study}\u201d: prompts trained by ${methods} on each of ${measuredTasks()} tasks, for a frozen CLIP (${list(DATA.backbones)}), ${list(DATA.protocols.map(usedHow))}. ` +
      `${SUMMARY.n_cells.toLocaleString("en")} measured cell${SUMMARY.n_cells === 1 ? "" : "s"}, ${SUMMARY.seeds.length} seed${SUMMARY.seeds.length === 1 ? "" : "s"}, ${SUMMARY.shots.join(", ")} images per class.` +
      (SUMMARY.n_missing_cells ? ` ${SUMMARY.n_missing_cells.toLocaleString("en")} ${SUMMARY.n_missing_cells === 1 ? "cell is" : "cells are"} missing, calibration rows aside.` : ""),
  );
}

// Of how many tasks anything is measured, and of how many there are if that is not the same.
const measuredTasks = () =>
  SUMMARY.n_tasks_measured < SUMMARY.n_tasks ? `${SUMMARY.n_tasks_measured} of ${SUMMARY.n_tasks}` : `${SUMMARY.n_tasks}`;
const oneSeed = () => bySummary().n_seeds < 2;

function drawTiles() {
  const tile = (number, words) => element("div", {}, element("dt", {}, words), element("dd", {}, number));
  const methods = SUMMARY.by_method.filter(one => one.protocol === state.protocol);
  fill(
    "tiles",
    tile(percent(SUMMARY.zero_shot_chance_corrected_mean), "mean zero-shot score, chance-corrected"),
    methods.map(one => {
      const name = methodTitle(one.method);
      if (!tuned()) return tile(signed(one.own_gain_points_mean), `points over zero-shot: ${name} on a prompt\u2019s own task`);
      const [gain, over] = one.over_scratch
        ? [one.over_scratch.points_mean, "an untrained start"]
        : [one.transfer_gain_points_mean, "zero-shot"];
      return tile(signed(gain), `points over ${over}: ${name} started from another task\u2019s prompt and tuned on the target`);
    }),
  );
}

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
  fill("matrix-words", words + failed);
}

function drawRanking() {
  const target = state.ranked;
  const rows = SUMMARY.order
    .map(source => {
      const found = there(gains(source, target).map(one => one[1]));
      return {source, gains: found, at: mean(found)};
    })
    .filter(row => isNumber(row.at))
    .sort((a, b) => b.at - a.at);
  if (!rows.length) {
    fill("ranking", quiet(`No source of this target is measured, or ${baselineWords()} is not.`));
    return;
  }
  const every = rows.flatMap(row => row.gains).concat(0, 1);
  const edge = step => Math.ceil(step / 5) * 5;
  fill(
    "ranking",
    intervalPlot(
      rows.map(row => ({
        name: title(row.source) + (row.source === target ? (tuned() ? " (own, again)" : " (own)") : ""),
        at: row.at,
        dots: row.gains,
        filled: true,
        colour: row.source === target ? "var(--relationship)" : row.at >= 0 ? "var(--accent)" : "var(--warm)",
        note: signed(row.at),
      })),
      -edge(-Math.min(...every)),
      edge(Math.max(...every)),
      `points over ${baselineWords()}` + (oneSeed() ? ", one seed" : "; small dots are seeds"),
    ),
  );
}

function drawBest() {
  const rows = ordered().map(target => {
    const best = SUMMARY.order
      .filter(source => source !== target)
      .map(source => {
        const found = there(gains(source, target).map(one => one[1]));
        return {source, at: mean(found), seeds: found.length, low: Math.min(...found), high: Math.max(...found)};
      })
      .filter(one => isNumber(one.at))
      .sort((a, b) => b.at - a.at)
      .slice(0, 3);
    const pick = element(
      "button",
      {
        type: "button",
        class: "link",
        onclick: () => {
          state.ranked = target;
          update();
        },
      },
      title(target),
    );
    return [
      pick,
      ...[0, 1, 2].map(place => {
        const one = best[place];
        if (!one) return "\u2013";
        const [at, low, high] = [one.at, one.low, one.high].map(gain => signed(gain, 0));
        if (one.seeds < 2) return element("span", {}, `${title(one.source)} `, element("span", {class: "quiet"}, at));
        return element(
          "span",
          {title: `seeds from ${low} to ${high}`},
          `${title(one.source)} `,
          element("span", {class: "quiet"}, `${at} [${low}, ${high}]`),
        );
      }),
    ];
  });
  fill(
    "best",
    table(
      ["target", "best source", "second", "third"],
      rows,
      [],
      `Other tasks only; points over ${baselineWords()}` +
        (oneSeed() ? ". One seed, so how far they would move with another is not known." : ", in brackets the range over seeds."),
    ),
  );
}

function drawSourcesWords() {
  const found = SUMMARY.regret.find(one => here(one) && one.measure === "ctrl_static" && one.test === "regret@1");
  const luck = oneSeed()
    ? "With one seed the apparent best is partly luck, and nothing here says how much."
    : "With few seeds the apparent best is partly luck; sources whose ranges over seeds overlap are not told apart.";
  fill(
    "sources-words",
    found && isNumber(found.estimate)
      ? `${methodTitle(state.method)}: always taking the source that was best on average for the other targets costs ${show(found.estimate, 1)} points against the best source. ${luck}`
      : luck,
  );
}

const parts = () => Object.entries(protocolWords().parts);

function drawVariance() {
  const shares = method =>
    Object.fromEntries(
      SUMMARY.variance
        .filter(
          one =>
            one.test === "variance_share" &&
            one.response === PRIMARY &&
            one.protocol === state.protocol &&
            one.method === method &&
            isNumber(one.estimate),
        )
        .map(one => [one.measure, one.estimate]),
    );
  const rows = DATA.methods
    .map(method => [methodTitle(method), shares(method)])
    .filter(row => Object.keys(row[1]).length)
    .map(([name, parts]) => ["seed" in parts ? name : `${name}, with noise`, parts]);
  if (!rows.length) {
    const why = SUMMARY.variance.find(one => here(one) && one.test === "variance_share" && one.response === PRIMARY);
    fill("variance-words", `Where the differences come from cannot be told: ${why ? why.reason : "nothing is measured"}.`);
    fill("variance-plot");
    fill("givers");
    return;
  }
  const own = shares(state.method);
  const why = SUMMARY.variance.find(one => here(one) && one.test === "variance_share" && one.response === PRIMARY && one.reason);
  const pick = (test, measure) =>
    SUMMARY.variance.find(one => here(one) && one.test === test && one.measure === measure && one.response === PRIMARY);
  const reliable = pick("reliability", "relationship"),
    giving = pick("social_relations", "giver_receiver"),
    mutual = pick("social_relations", "reciprocity");
  const range = one => (isNumber(one.low) ? ` [${show(one.low)}, ${show(one.high)}]` : "");
  const words = [];
  if (Object.keys(own).length)
    words.push(
      `${methodTitle(state.method)}, differences in gain (log odds): ${list(parts().filter(([part]) => part in own).map(([part, said]) => `${percent(own[part])} ${said}`))}.` +
        ("seed" in own ? "" : ` With one seed the share of \u201cwho helps whom\u201d includes the noise.`),
    );
  else if (why) words.push(`${methodTitle(state.method)}: cannot be told, ${why.reason}.`);
  if (reliable && isNumber(reliable.estimate))
    words.push(
      `Repeating the study with other seeds, the \u201cwho helps whom\u201d part would correlate ${show(reliable.estimate)}${range(reliable)} with this one.`,
    );
  else if (reliable) words.push(`How well the \u201cwho helps whom\u201d part would repeat cannot be told from one seed.`);
  if (giving && isNumber(giving.estimate))
    words.push(
      `Do tasks whose prompts give much also receive much? Correlation ${show(giving.estimate)}${range(giving)}.`,
    );
  if (mutual && isNumber(mutual.estimate))
    words.push(`Is help mutual? Correlation ${show(mutual.estimate)}${range(mutual)}.`);
  fill("variance-words", words.join(" "));
  fill("variance-plot", stackedBars(rows, parts()));
  const one = bySummary();
  const ranked = (head, rows) =>
    element(
      "div",
      {},
      element("h3", {}, head),
      table(
        ["task", "effect, log odds"],
        rows.slice(0, 5).map(row => [title(row.task), signed(row.effect, 2)]),
        [1],
      ),
    );
  fill(
    "givers",
    one.givers.length
      ? [
          ranked(tuned() ? "Best givers: starts that serve others well" : "Best givers: prompts that serve others well", one.givers),
          ranked(
            tuned() ? "Best receivers: tasks that gain most from tuning" : "Best receivers: tasks that others\u2019 prompts lift",
            one.receivers,
          ),
        ]
      : [],
  );
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
        percent(one.chance),
        percent(one.largest_class),
        percent(one.zero_shot),
        (one.drawn || "").replace(/;/g, ", ") || one.split_source || "",
        (one.labelled || "").replace(/;/g, ", "),
      ]),
      [4, 5, 6, 7, 8],
    ),
  );
  fill(
    "odd",
    DATA.tasks.filter(one => one.notes).map(one => para(element("strong", {}, one.title), `: ${one.notes}.`)),
  );
  fill("config", JSON.stringify(DATA.config, null, 1));
}

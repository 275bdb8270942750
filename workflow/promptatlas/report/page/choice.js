// Which prompt for new data: how well rules choose for the study's own tasks, from the rows of the table `choice`.

const CHOICE = SUMMARY.choice || [];
const ALL_SEEDS = "all_seeds";
const RULES = {
  oracle: ["the best prompt, known beforehand", "the best prompt or the zero-shot one, known beforehand"],
  try: ["the prompt that scores best on the images", "the best on the images, if it beats the zero-shot prompt by the margin"],
  combination: ["images and measures together", "images and measures together, by a margin"],
  static_list: ["the prompt that is best on the other tasks"],
  static_source: ["the source that is best on the other tasks, in other seeds"],
  other_seeds: ["the source that is best on this task, in other seeds"],
  random: ["any prompt"],
};

const predictorTitle = name => titleOf(WORDS.estimators[name] ? "estimators" : "measures", name);
const ruleTitle = one =>
  isMeasure(one) ? `measure: ${predictorTitle(one.rule.slice("measure:".length))}` : RULES[one.rule][one.or_none ? 1 : 0];
const isMeasure = one => one.rule.startsWith("measure:");
const looks = one => ["try", "combination"].includes(one.rule);
const bounds = (one, name, digits = 1) =>
  isNumber(one[`${name}_low`]) ? ` [${signed(one[`${name}_low`], digits)}, ${signed(one[`${name}_high`], digits)}]` : "";
const lost = (one, name) =>
  show(one[name], 1) + (isNumber(one[`${name}_low`]) ? ` [${show(Math.max(one[`${name}_low`], 0), 1)}, ${show(one[`${name}_high`], 1)}]` : "");

function drawChoice() {
  const own = CHOICE.filter(one => one.method === state.method);
  hide("choice", tuned() || !own.length);
  if (tuned() || !own.length) return;
  const every = own.filter(one => one.candidates === ALL_SEEDS);
  const single = own.filter(one => one.candidates !== ALL_SEEDS);
  fill("choice-words", choiceWords(every));
  fill("choice-table", more("All rules, one by one", choiceTable(every.filter(one => !isMeasure(one)))));
  const measures = every.filter(isMeasure);
  fill(
    "choice-more",
    measures.length ? more("By what else is known of prompts: measures alone", choiceTable(measures)) : null,
    single.length
      ? more(
          "The same, with the prompts of one seed at a time",
          para(
            "A source that was best in some seeds need not be so in another. Here a source is chosen by its other seeds, and its prompt of the seed left out is scored.",
          ),
          choiceTable(single),
        )
      : null,
  );
}

function choiceWords(rows) {
  const shots = Math.max(...rows.map(one => one.shots || 0));
  const find = (rule, orNone) => rows.find(one => one.rule === rule && one.or_none === orNone && (one.shots || 0) === shots);
  const [tried, decided, list, any] = [find("try", false), find("try", true), find("static_list", false), find("random", false)];
  const images = shots ? perClass([shots]) : "the images that there were";
  return [
    para(
      `To use a prompt of this study on new data, label a few images, try all prompts on them as they are, and use the best only if it beats the zero-shot prompt clearly: \u201cpromptatlas recommend\u201d does so. How well that works is measured here on each of ${tried.n_tasks} tasks in turn, by ${methodTitle(state.method)}, as if it were new: its own prompts are no candidates, and whatever is chosen or fitted is so on the other tasks.`,
    ),
    para(
      `With ${images}, the prompt that scores best on them is ${lost(tried, "regret_1")} points below the best of ${tried.n_candidates}` +
        (list && any ? `; the one that is best on the other tasks ${lost(list, "regret_1")}, any prompt ${lost(any, "regret_1")}` : "") +
        `. Used only where it beats zero-shot by the margin (its expected gain is above ${show(decided.margin)} standard errors of the paired difference), it gains ${signed(decided.gain)} points${bounds(decided, "gain")} over zero-shot on average, ${percent(decided.oracle_share)} of what could be gained; a prompt is used on ${percent(decided.used)} of the tasks, and on ${percent(decided.harmed)} it costs more than a point.`,
    ),
    quiet(
      `Mean over tasks, and over ${tried.n_draws} draw${tried.n_draws === 1 ? "" : "s"} of images that no prompt was trained with. Intervals (95 %) leave out each task in turn, as a target and as a source. Test scores have an error of their own, so that the best of all seems better than it is.`,
    ),
  ];
}

// Rules that try prompts have a row for every number of images, others one for the largest.
function choiceTable(rows) {
  const most = Math.max(...rows.map(one => one.shots || 0));
  const shown = rows.filter(one => looks(one) || (one.shots || 0) === most);
  shown.sort((a, b) => b.or_none - a.or_none || a.regret_1 - b.regret_1);
  return table(
    ["chosen", "images per class", "below the best, points", "best of three", "gain over zero-shot, points", "used", "harmed", "of the most"],
    shown.map(one => [
      ruleTitle(one),
      (looks(one) || isMeasure(one)) && one.shots ? `${one.shots}` : "\u2013",
      exact(lost(one, "regret_1"), {"": one.regret_1, low: one.regret_1_low, high: one.regret_1_high}),
      exact(show(one.regret_3, 1), one.regret_3),
      exact(signed(one.gain) + bounds(one, "gain"), {"": one.gain, low: one.gain_low, high: one.gain_high}),
      ...["used", "harmed", "oracle_share"].map(share => exact(percent(one[share]), one[share])),
    ]),
    [1, 2, 3, 4, 5, 6, 7],
    "Harmed: more than a point below the zero-shot prompt; of the most: gain as a share of what could be gained. Rules that may keep the zero-shot prompt are held against the best prompt or that one.",
  );
}

sections.register({id: "choice", keys: ["protocol", "method"], draw: drawChoice});

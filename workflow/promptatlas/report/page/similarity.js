// Does similarity predict transfer, does it pick good sources, do methods agree: words and tables from summary.json.

function drawSimilarity() {
  const records = byMethod(SUMMARY.correlations.filter(one => one.response === PRIMARY && one.protocol === state.protocol));
  fill("similarity-untested", untested());
  if (!records.length) {
    fill("similarity-words", para("No measure could be held against transfer."));
    fill("similarity-table");
    fill("similarity-caveats");
    return;
  }
  fill(
    "similarity-words",
    para(
      "Both matrices are first freed of how easy each target is and how much each source gives. What is left says who helps whom, and who is close to whom; r is the correlation of the two, over all ordered pairs of tasks.",
    ),
    records.filter(here).map(one => para(sentence(one))),
  );
  const rows = records.map(one => [
    methodTitle(one.method),
    measureName(one.measure),
    exact(element("span", {class: one.significant ? "strong" : "quiet"}, show(one.estimate)), one.estimate),
    isNumber(one.low) ? exact(`[${show(one.low)}, ${show(one.high)}]`, {low: one.low, high: one.high}) : "\u2013",
    ...[one.p, one.p_max_t, one.p_blocks, one.p_holm].map(p => exact(pText(p), p)),
    one.family === "truth" ? "check of the benchmark" : one.confirmatory ? "confirmatory" : "exploratory",
  ]);
  const measures = [...new Set(records.map(one => one.measure))];
  const plotted = measures.flatMap(measure => [
    {head: measureTitle(measure)},
    ...records
      .filter(one => one.measure === measure)
      .map(one => ({
        name: methodTitle(one.method),
        at: one.estimate,
        low: one.low,
        high: one.high,
        filled: one.significant,
        colour: DATA.colours[one.method],
        note: pIs(one.p),
      })),
  ]);
  const edges = there(records.flatMap(one => [one.low, one.high, one.estimate]));
  fill(
    "similarity-table",
    intervalPlot(
      plotted,
      Math.min(-0.4, Math.floor(Math.min(...edges) * 10) / 10),
      Math.max(0.8, Math.ceil(Math.max(...edges) * 10) / 10),
      "r and its 95 % interval; filled where p < 0.05, all measures of a method allowed for" + (SUMMARY.families.beyond ? ", also beyond family" : ""),
    ),
    table(
      ["method", "similarity", "r", "95 % interval", "p", "p, all measures", "p, beyond family", "p, confirmatory", ""],
      rows,
      [2, 3, 4, 5, 6, 7],
    ),
  );
  drawCaveats(records);
}

// Measures without a correlation, and why: one line per reason and method.
function untested() {
  const lines = {};
  for (const one of SUMMARY.not_tested.filter(one => one.response === PRIMARY && one.protocol === state.protocol)) {
    const line = `${methodTitle(one.method)}, ${one.reason}`;
    (lines[line] ||= []).push(measureTitle(one.measure));
  }
  const found = Object.entries(lines);
  return found.length
    ? [para("Not tested:"), element("ul", {}, found.map(([line, measures]) => element("li", {}, `${list(measures)} (${line}).`)))]
    : [];
}

// A measure in words; what it is, and its name in tables, show under the pointer.
function measureName(name) {
  const {description} = WORDS.measures[name] || {};
  return element("span", {title: description ? `${name}: ${description}` : name}, measureTitle(name));
}

const decisive = (own, adjusted) => (isNumber(adjusted) ? adjusted : own);

function sentence(one) {
  const link = one.estimate > 0 ? "goes with better transfer" : "goes with worse transfer";
  const alone = decisive(one.p, one.p_max_t) < 0.05;
  const within = isNumber(one.p_blocks) && decisive(one.p_blocks, one.p_blocks_min_p) >= 0.05;
  const verdict = one.established
    ? `${link}, as established by the confirmatory tests`
    : !alone
      ? "shows no clear link with transfer"
      : within
        ? `${link}, but beyond tasks being of one family there is no clear link`
        : one.confirmatory
          ? `${link}, but not clearly enough to be established among all confirmatory tests`
          : one.family === "truth"
            ? link
            : `${link}, as far as an exploratory test can tell`;
  const family = isNumber(one.p_blocks) ? `, beyond family ${pIs(one.p_blocks)}` : "";
  const range = isNumber(one.low) ? `, 95 % interval ${show(one.low)} to ${show(one.high)}` : "";
  return `For ${methodTitle(one.method)}, ${measureTitle(one.measure)} ${verdict} (r = ${show(one.estimate)}${range}, ${pIs(one.p)}${family}).`;
}

// What renaming whole families can tell, or why it is not asked.
function familyWords() {
  const {n, beyond, smallest_p: smallest} = SUMMARY.families;
  if (!beyond)
    return n === 1
      ? "There is no p beyond family, since all tasks are of one family. "
      : `There is no p beyond family, since no two tasks are of one family; where some of your own are alike, say so by ${familyRemedy}. `;
  return (
    "\u201cp, beyond family\u201d renames only whole families of equal size and the tasks inside a family, so that being of one family cannot explain the result; with small families it has little power" +
    (smallest >= 0.05 ? `, and here too few ways to rename for any p below ${show(smallest)}, so that nothing can be established` : "") +
    ". "
  );
}

function drawCaveats(records) {
  const count = Math.max(...records.map(one => one.n_permutations));
  const [fewest, most] = [Math.min, Math.max].map(of => of(...records.map(one => one.n_tasks)));
  const tasks = fewest === most ? `${most}` : `${fewest} to ${most}`;
  const width = SUMMARY.mean_interval_width;
  const truth = records.some(one => one.family === "truth");
  fill(
    "similarity-caveats",
    quiet(
      `p and interval answer different questions. p comes from renaming the tasks ${count.toLocaleString("en")} times and is about these ${tasks} tasks; the interval comes from leaving out one task at a time and is about another draw of tasks. They may disagree.` +
        (isNumber(width)
          ? ` With ${tasks} tasks the intervals are ${show(width)} wide on average, so smaller differences between measures mean little.`
          : ""),
    ),
    quiet(
      "\u201cp, all measures\u201d allows for having tried all measures at once. " +
        familyWords() +
        "\u201cp, confirmatory\u201d allows for all confirmatory tests of the study, over methods and measures (Holm), each with the larger of its p and its p beyond family; below 0.05 a link counts as established. " +
        "A correlation is no cause: a similar task may also have more classes or be easier to learn.",
    ),
    truth
      ? quiet(
          "The known factor overlap is what the drawn tasks were built from: it checks that the matrix means something and is no predictor anyone has for real data.",
        )
      : null,
  );
}

function drawRegret() {
  const records = SUMMARY.regret.filter(one => here(one) && isNumber(one.estimate));
  if (!records.length) {
    fill("regret-words", "This needs at least four tasks and scores that differ.");
    fill("regret-table");
    return;
  }
  const name = measure => WORDS.controls[measure] || measureTitle(measure);
  const get = (measure, test) => records.find(one => one.measure === measure && one.test === test);
  const tops = [1, 3, 5].filter(k => get("ctrl_static", `regret@${k}`));
  if (!tops.length) {
    fill("regret-words", "This needs more tasks, or targets whose sources differ.");
    fill("regret-table");
    return;
  }
  const measures = [...new Set(records.map(one => one.measure))];
  const first = `regret@${tops[0]}`;
  measures.sort((a, b) => get(a, first).estimate - get(b, first).estimate);
  const better = measures.filter(
    one =>
      !(one in WORDS.controls) && get(one, first).estimate < get("ctrl_static", first).estimate && get(one, first).p < 0.05,
  );
  fill(
    "regret-words",
    `Regret at k is how ${regretWords()} lost when only the k sources that a measure ranks highest are tried, against the best source of all. The list to beat is the static one, which ignores the target; its p (one-sided) allows for targets having sources in common, and so do the intervals, which are about other tasks of the kind` +
      (measures.every(one => one in WORDS.controls)
        ? "."
        : better.length
          ? `: for ${methodTitle(state.method)}, ${list(better.map(name))} beat${better.length === 1 ? "s" : ""} it.`
          : `: for ${methodTitle(state.method)}, no measure beats it beyond chance.`),
  );
  fill(
    "regret-table",
    table(
      ["sources ranked by", ...tops.map(k => `regret at ${k}${regretUnit()}`), "p, no better than static, k = 1"],
      measures.map(one => [
        name(one),
        ...tops.map(k => {
          const row = get(one, `regret@${k}`);
          if (!row) return "\u2013";
          return exact(inBrackets(row, regretText), interval(row));
        }),
        exact(pText(get(one, first).p), get(one, first).p),
      ]),
      tops.map((_, index) => index + 1).concat(tops.length + 1),
    ),
  );
}

function drawAgreement() {
  const place = one => inOrder(one.method).split("~").map(name => String(DATA.methods.indexOf(name)).padStart(4)).join("~");
  const records = SUMMARY.agreement
    .filter(one => one.response === PRIMARY)
    .sort((one, other) => place(one).localeCompare(place(other)));
  const told = one => (isNumber(one.estimate) ? `${show(one.estimate)}${isNumber(one.low) ? ` [${show(one.low)}, ${show(one.high)}]` : ""}, ${pIs(one.p)}${isNumber(one.p_blocks) ? `, beyond family ${pText(one.p_blocks)}` : ""}` : `cannot be told, ${one.reason}`);
  const words = records.map(one => {
    const pair = one.method.includes("~")
      ? `${methodTitle(inOrder(one.method))}${DATA.protocols.length > 1 ? ` (${one.protocol})` : ""}`
      : `${methodTitle(one.method)}, protocols ${one.protocol.replace("~", " and ")}`;
    return `${pair}: ${told(one)}`;
  });
  fill(
    "agreement-words",
    words.length
      ? `Correlation of their \u201cwho helps whom\u201d parts. ${words.join("; ")}.`
      : "There is one method only.",
  );
}

// The similarities of the chosen pair, with the rank of the source among all for this target.
function cellSimilarities(source, target) {
  const known = DATA.similarity.filter(one => !one.method || one.method === state.method);
  if (!known.length || source === target) return [];
  const rows = known.map(one => {
    const values = one.values[TASKS[source].index][TASKS[target].index];
    const column = there(
      SUMMARY.order.filter(name => name !== target).map(name => one.values[TASKS[name].index][TASKS[target].index]),
    );
    const rank = isNumber(values)
      ? `${column.filter(other => other > values).length + 1} of ${column.length}`
      : "\u2013";
    return [measureName(one.measure), exact(precise(values), values), rank];
  });
  return [
    element("h4", {}, "Similarity of the two tasks (larger = closer)"),
    table(["", "value", "rank"], rows, [1, 2]),
  ];
}

sections.register({id: "similarity-table", keys: ["protocol", "method"], draw: drawSimilarity});
sections.register({id: "regret-table", keys: ["protocol", "method"], draw: drawRegret});
sections.register({id: "agreement-words", draw: drawAgreement});

// Everything about one cell: its numbers, images, classes, similarities, tuning curve, and where it comes from.

function drawPanel() {
  if (!state.source) {
    fill(
      "panel",
      element("h3", {}, "Choose a cell"),
      element(
        "p",
        {class: "quiet"},
        `Each row is the task a prompt was trained on, each column the task it is ${tuned() ? "then tuned and used" : "used"} on. Click a cell, or move with the arrow keys and press Enter: its numbers by seed, images, its classes and what is confused with what, the tuning curve of its source and the command that computes it again appear here.`,
      ),
    );
    return;
  }
  const {source, target} = state;
  const scores = seedScores(source, target);
  const measured = there(scores.map(one => one[1]));
  const parts = [
    element("h3", {}, `${title(source)} \u2192 ${title(target)}`),
    element(
      "p",
      {class: "quiet"},
      `${methodTitle(state.method)}, ${howMade(source, target)}; ${metricTitle(TASKS[target].metric)}`,
    ),
  ];
  const failed = failures(source, target);
  if (!measured.length && learnedFrom(source, target)) {
    parts.push(element("p", {class: "quiet"}, "This prompt was tuned on images of this task among others, and is tried on other tasks only."));
    fill("panel", parts);
    return;
  }
  if (!measured.length) {
    parts.push(
      element("p", {class: "big"}, failed.length ? "failed" : SUMMARY.so_far ? "not measured yet" : "not measured"),
      element("p", {class: "quiet"}, failed.length ? "The commands below try again." : whoMeasures()),
    );
  } else {
    parts.push(...cellNumbers(source, target, scores, measured));
  }
  if (failed.length) parts.push(...cellFailures(failed));
  if (isTask(source)) parts.push(...cellSimilarities(source, target));
  parts.push(
    cellEvidence(source, target),
    ...(source === "largest_class" || (restricted() && !measured.length && !failed.length) ? [] : cellCommands(source, target, seedsOf(state))),
  );
  fill("panel", parts);
}

// By what a cell that is not there is measured.
function whoMeasures() {
  if (restricted()) return SUMMARY.so_far ? "It is not measured yet, or not among the pairs to which the study is restricted." : UNLISTED;
  return SUMMARY.so_far ? "A run of the study measures it; while none is at work, the commands below do." : "The commands below compute it.";
}

// Whether the study measures a list of pairs only.
const restricted = () => Boolean(DATA.config.pairs);
const UNLISTED = "It is not among the pairs to which the study is restricted; add it to their list, or measure the whole study without the key pairs.";

// Whether the source is a prompt of listed tasks of which the target is one.
function learnedFrom(source, target) {
  const listed = DATA.config.multitask;
  return source.startsWith("multitask_of") && Array.isArray(listed) && listed.includes(target);
}

function cellNumbers(source, target, scores, measured) {
  const index = TASKS[target].index;
  const zero = matrix().zero_shot[index],
    chance = matrix().chance[index];
  const average = from => mean(there(seedScores(from, target).map(one => one[1])));
  const own = average(target);
  const over = [...new Set(["zero_shot", firstBaseline(state), state.baseline])];
  const base = baseline => mean(there(Object.values(baselineScores(target, baseline))));
  const words =
    state.view === "relationship" && source === target ? null : viewText(value(source, target), state.view, true);
  const gained = over.map(baseline => gains(source, target, baseline).map(one => one[1]));
  const rows = scores.map(([seed, score], index) => [
    `seed\u00a0${seed}`,
    exact(percent(score, 1), score),
    ...gained.map(one => exact(signed(one[index]), one[index])),
  ]);
  rows.push(["mean", exact(percent(mean(measured), 1), mean(measured)), ...gained.map(one => exact(signed(mean(there(one))), mean(there(one))))]);
  const others = SUMMARY.order.filter(name => name !== target && isNumber(value(name, target, "raw")));
  const better = others.filter(name => value(name, target, "raw") > value(source, target, "raw")).length;
  return [
    element("p", {class: "big"}, words || percent(mean(measured), 1)),
    element("p", {class: "quiet"}, words ? viewWords().title : "Score"),
    isTask(source) && source !== target
      ? para(placeWords(better, others.length, new Set(others.map(name => value(name, target, "raw"))).size))
      : null,
    betterStart(source, target),
    ...sureWords(source, target).map(words => element("p", {}, words)),
    ...cautions(source, target).map(words => element("p", {class: "warning"}, words)),
    ...ruler(measured, [
      [chance, "chance", "var(--faint)"],
      ...(isNumber(largestClass(target)) ? [[largestClass(target), "largest class", "var(--soft)"]] : []),
      [zero, "zero-shot", "var(--warm)"],
      ...["untuned", "average"].filter(one => over.includes(one)).map(one => [base(one), baselineWords(one).replace(/^an? |^the /, ""), one === "average" ? "var(--soft)" : "var(--ink)"]),
      [own, ownPrompt(), "var(--relationship)"],
    ]),
    table(["", "score", ...(over.length > 1 ? over.map(one => `over ${baselineWords(one)}`) : ["gain, points"])], rows, [1, 2, 3, 4]),
    element(
      "p",
      {class: "quiet"},
      `Chance ${percent(chance, 1)}, ` +
        (isNumber(largestClass(target)) ? `always the largest class ${percent(largestClass(target), 1)}, ` : "") +
        `zero-shot ${percent(zero, 1)}, ` +
        over.filter(one => !["zero_shot", "own"].includes(one)).map(one => `${baselineWords(one)} ${percent(base(one), 1)}, `).join("") +
        `${ownPrompt()} ${percent(own, 1)}; ${TASKS[target].n_test} test images.`,
    ),
  ];
}

// In how many seeds a source is a better start than none.
function betterStart(source, target) {
  if (!againstStart() || ["scratch", "template", "largest_class"].includes(source)) return null;
  const found = there(gains(source, target, "untuned").map(one => one[1]));
  const better = found.filter(gain => gain > 0).length;
  return found.length
    ? element("p", {}, `Better than the untrained start in ${better} of ${found.length} ${found.length === 1 ? "seed" : "seeds"}.`)
    : null;
}

function cellFailures(failed) {
  const reasons = [...new Set(failed.map(one => one[1]))];
  return [
    element("h4", {}, "Why it failed"),
    ...reasons.map(reason => {
      const seeds = failed.filter(one => one[1] === reason).map(one => one[0]);
      return element("p", {class: "warning"}, `Seed ${seeds.join(", ")}: `, withCode(reason));
    }),
  ];
}

// What is unpacked when a cell is opened: at once where that was done before, or in its place once it is.
function cellEvidence(source, target) {
  const place = element("div", {class: "evidence"});
  const draw = (cells, tuning) =>
    place.replaceChildren(
      ...[
        cellImages(cells, source, target),
        cellClasses(cells, source, target),
        cellConfusions(cells, source, target),
        cellTuning(tuning, source),
        cellFiles(cells, source, target),
      ].flat(),
    );
  withLater([["cells", key()], ["tuning", state.method]], draw, why => place.replaceChildren(element("p", {class: "quiet"}, why)));
  return place;
}

function cellTuning(tuning, source) {
  const curves = Object.entries(tuning[source] || {});
  if (!curves.length) return [];
  return [
    element("h4", {}, `Tuning of \u201c${title(source)}\u201d${tuned() ? ", the prompt that is started from" : ""}: validation score, % (solid), loss (dotted)`),
    tuningPlot(curves),
  ];
}

sections.register({id: "panel", keys: ["protocol", "method", "view", "baseline", "seeds", "source", "target"], draw: drawPanel});

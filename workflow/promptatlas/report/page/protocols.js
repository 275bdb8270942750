// What a protocol does with a source's prompt, in words, and what its scores are compared with.

const protocolWords = (protocol = state.protocol) => WORDS.protocols[protocol];
const tuned = (protocol = state.protocol) => protocolWords(protocol).tunes;

const epochsOfSource = method => ((DATA.config.settings || {})[method] || {}).epochs;

// How long a protocol tunes a target's prompt; no number where it does not, or nothing is known.
const epochsOnTarget = (method, protocol = state.protocol) => DATA.tuned_epochs[protocol][method];

function onTarget(method) {
  return "tuned on the target" + epochsWords(epochsOnTarget(method));
}

const epochsWords = epochs => (isNumber(epochs) ? `, ${epochs} epoch${epochs === 1 ? "" : "s"}` : "");

// A protocol and how long it tunes, if it does and that is the same for all methods.
function protocolTitle(protocol) {
  const each = new Set(Object.values(DATA.tuned_epochs[protocol]));
  return `${protocol}: ${protocolWords(protocol).title}` + (each.size === 1 ? epochsWords([...each][0]) : "");
}

// What was done for one cell, as part of a sentence.
function howMade(source, target) {
  if (source === "largest_class") return "the class of most test images is the answer to every image";
  if (source === "template") return "zero-shot prompt, nothing tuned";
  if (!tuned()) return "prompt applied unchanged";
  if (source === "scratch") return `untrained prompt ${onTarget(state.method)}`;
  return source === target ? ownPrompt() + bothBudgets() : `starts from the source\u2019s prompt, ${onTarget(state.method)}`;
}

// The diagonal: the prompt that was trained on the task, or one that starts from it and is tuned on the same images again.
const ownPrompt = () => (tuned() ? "own prompt tuned a second time" : "own prompt");

function bothBudgets() {
  const [before, after] = [epochsOfSource(state.method), epochsOnTarget(state.method)];
  return isNumber(before) && isNumber(after) ? ` (${before} + ${after} epochs)` : "";
}

// A matrix of tuned prompts answers whether a source is a better start than none; any other whether it beats zero-shot.
const mainView = () => "gain_points";
const againstStart = () => firstBaseline(state) === "untuned";

const baselineWords = (baseline = state.baseline, protocol = state.protocol) =>
  ({
    zero_shot: "zero-shot",
    untuned: tuned(protocol) ? "an untrained start" : "the untuned prompt",
    own: tuned(protocol) ? "the own prompt tuned again" : "the target\u2019s own prompt",
    average: "the average source",
  })[baseline];

// The same for who meets the words for the first time.
const baselineMeaning = (baseline = state.baseline) =>
  ({
    zero_shot: "zero-shot score of the target",
    untuned: "an untrained start, tuned or used alike",
    own: "the prompt of the target itself, of the same seed",
    average: "the mean over all sources but the target itself, of the same seed",
  })[baseline];

// The score of a baseline by seed: seed -> score or null. Zero-shot is the same for all seeds.
function baselineScores(target, baseline, seeds = chosenSeeds(state)) {
  const of = seed => baseOf(matrix(), seed, baseline)[TASKS[target].index];
  return Object.fromEntries(seeds.map(seed => [seed, of(seed)]));
}

// Points gained over a baseline by seed: [[seed, gain or null], ...].
function gains(source, target, baseline = state.baseline, seeds = chosenSeeds(state)) {
  const base = baselineScores(target, baseline, seeds);
  return seedScores(source, target, seeds).map(([seed, score]) => [
    seed,
    isNumber(score) && isNumber(base[seed]) ? 100 * (score - base[seed]) : null,
  ]);
}

const everyTask = () => (SUMMARY.n_missing_cells ? "every task that could be measured" : `all ${SUMMARY.n_tasks}`);

// The prompts of a study, for the first sentence of the page.
const usedHow = protocol =>
  tuned(protocol)
    ? `each taken as the start of tuning on ${everyTask()}`
    : `each used on ${everyTask()}${DATA.protocols.length > 1 ? " as it is" : ""}`;

function frozenWords(one) {
  const gains = isNumber(one.transfer_gain_points_mean)
    ? `On average it ${gainsOver(one.transfer_gain_points_mean)} zero-shot${ownWords(one)}. `
    : "";
  return `${helpWords(one)}${gains}Prompts are used as they are, with the class names of the target.`;
}

const gainsOver = points => (points < 0 ? `loses ${show(-points, 1)} points against` : `gains ${signed(points)} points over`);

const ownWords = one =>
  isNumber(one.own_gain_points_mean) ? `; a task\u2019s own prompt gains ${signed(one.own_gain_points_mean)} points` : "";

// In how many pairs another task's prompt passes less than the first screen asks for, which says how many help.
function helpWords(one) {
  const counts = one.transfer_helps;
  if (!counts || !counts.pairs) return "";
  const several = counts.seeds > 1;
  const both = isNumber(counts.helps);
  const passed = [
    ...(both ? [`the untuned prompt${several ? " in every seed" : ""} in ${percent(counts.every_seed_over_untuned)}`] : []),
    ...(both ? [`zero-shot${several ? " in every seed" : ""} in ${percent(counts.every_seed_over_zero_shot)}`] : []),
    ...(several ? [`zero-shot on the mean of seeds in ${percent(counts.mean_over_zero_shot)}`] : []),
  ];
  const pairs = `of the ${counts.pairs.toLocaleString("en")} pairs that are measured${several ? " in all seeds" : ""}`;
  return (
    (passed.length ? `A ${methodTitle(state.method)} prompt of another task beats ${list(passed)} ${pairs}. ` : "") +
    (both ? "" : "Whether it beats the untuned prompt too is not measured. ")
  );
}

const inEvery = counts => (counts.seeds > 1 ? `in every one of ${counts.seeds} seeds` : "in the one seed there is");

// The same of prompts that start from another task's: the untuned prompt is then an untrained start that is tuned as long.
function startHelpWords(one) {
  const counts = one.transfer_helps;
  if (!counts || !counts.pairs || !isNumber(counts.helps)) return "";
  return `It is better than the untrained start ${inEvery(counts)} in ${percent(counts.every_seed_over_untuned)}.`;
}

// With protocol init zero-shot is beaten by tuning alone; whether the source is of use shows beside a start from nothing.
function startWords(one) {
  const over = one.over_scratch;
  const words = [
    `In this matrix (protocol ${state.protocol}) every ${methodTitle(state.method)} prompt starts from the source\u2019s and is ${onTarget(state.method)}.`,
  ];
  if (over && isNumber(over.points_mean))
    words.push(
      `Is another task\u2019s prompt a better start than an untrained one that is tuned as long? On the mean of seeds in ${percent(over.helps_share)} of the pairs; on average it gains ${signed(over.points_mean)} points${intervalWords(over)}.`,
    );
  words.push(startHelpWords(one));
  if (isNumber(one.transfer_gain_points_mean))
    words.push(
      `Over zero-shot, starts from other tasks gain ${signed(one.transfer_gain_points_mean)} points` +
        (isNumber(one.scratch_gain_points_mean) ? `, the untrained start ${signed(one.scratch_gain_points_mean)}` : "") +
        (isNumber(one.own_gain_points_mean)
          ? `; the diagonal, a task\u2019s own prompt tuned a second time on the same images${bothBudgets()}, ${signed(one.own_gain_points_mean)}`
          : "") +
        ".",
    );
  return words.filter(Boolean).join(" ");
}

function intervalWords(one) {
  return isNumber(one.low) ? ` (95 % interval ${signed(one.low)} to ${signed(one.high)})` : "";
}

// Gains as numbers and in words, for the sections that every matrix has.
const gainWords = (baseline = state.baseline) => `points over ${baselineWords(baseline)}`;
const noGainWords = () => `No source of this target is measured, or ${baselineWords()} is not.`;
const gainText = gain => signed(gain);
const gainShort = gain => signed(gain, 0);
const lossText = loss => `${show(loss, 1)} points`;
const regretWords = () => "many points are";
const regretUnit = () => ", points";
const regretText = regret => show(regret, 1);
const familyRemedy = "\u201cfamily\u201d in their descriptions";

// The ends of an axis for gains: whole fives, zero among them.
function gainEdges(gains) {
  const every = gains.concat(0, 1);
  const edge = step => Math.ceil(step / 5) * 5;
  return [-edge(-Math.min(...every)), edge(Math.max(...every))];
}

// What effects of sources and targets are in, and what giving and receiving means.
const effectWords = () => ({
  of: "gain (log odds)",
  unit: ", log odds",
  text: effect => signed(effect, 2),
  givers: tuned() ? "starts that serve others well" : "prompts that serve others well",
  receivers: tuned() ? "tasks that gain most from tuning" : "tasks that others\u2019 prompts lift",
});

// The score of a cell and what it is compared with, for who points at it; "" where none is measured.
function scoreWords(source, target) {
  const score = mean(there(seedScores(source, target).map(one => one[1])));
  const base = mean(there(Object.values(baselineScores(target, state.baseline))));
  return isNumber(score) ? `score ${percent(score, 1)}, ${baselineWords()} ${percent(base, 1)}` : "";
}

// Differences of methods are in points of the score.
const gainContrast = () => ({response: "raw", head: "score, first less second, points", text: number => signed(100 * number, 1)});

// What stands before a method in lists of sources, and the unit of gains in sentences.
const TUNED_BY = "method";
const SOURCES_OF = "methods";
const gainUnitWords = () => ` ${lineUnit()}`;
const overOwnMethod = () => state.baseline !== "zero_shot" && methodsOf(state.protocol).length > 1;
const lineUnit = () => gainWords() + (overOwnMethod() ? " of the method" : "");

// The sources of a target beside the tasks, and what a method's source gains there, points by chosen seed, null where nothing is known.
const BESIDE_TASKS = ["scratch"];
function gainsBy(method, source, target) {
  const one = matrixOf({protocol: state.protocol, method});
  return scoresBy(method, source, target).map((score, place) => {
    const base = isNumber(score) ? baseOf(one, chosenSeeds(state)[place], state.baseline)[TASKS[target].index] : null;
    return isNumber(base) ? score - 100 * base : null;
  });
}

// The score in percent by chosen seed, by which sources of several methods are compared: some baselines are each method's own.
function scoresBy(method, source, target) {
  const one = matrixOf({protocol: state.protocol, method});
  const line = one.sources.indexOf(source);
  return chosenSeeds(state).map(seed => (one.seeds[seed] && line >= 0 && isNumber(one.seeds[seed][line][TASKS[target].index]) ? 100 * one.seeds[seed][line][TASKS[target].index] : null));
}

// What the first of some sources is worth in a seed that had no part in choosing it, in words; scores: by seed.
function heldOutWords(scores, target) {
  const [score, zero] = [byPlace(scores)[0], matrix().zero_shot[TASKS[target].index]];
  return isNumber(score) && isNumber(zero) ? `A source that is chosen by the mean of the other seeds gains ${gainText(score - 100 * zero)} points over zero-shot here in the seed left out.` : "";
}

// What keeping the zero-shot prompt gains over what is chosen, mean over the chosen seeds.
function keptGain(target) {
  const {zero_shot: zero} = matrix();
  const over = chosenSeeds(state).map(seed => baseOf(matrix(), seed, state.baseline)[TASKS[target].index]).filter(isNumber);
  return isNumber(zero[TASKS[target].index]) && over.length ? 100 * (zero[TASKS[target].index] - mean(over)) : null;
}

// What gains are counted from in a seed: scores of the targets, null where there is none.
const zeroOf = seed => baseOf(matrix(), seed, state.baseline);

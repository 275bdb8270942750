// Which prompt for the chosen target: sources of all methods in order, or keep the zero-shot prompt; and what each similarity would pick.

const FILE = ["method", "source", "seed", "expected", "expectedLow", "expectedHigh", "chance"];
const ZERO_SHOT_PROMPT = "zero-shot prompt";
const MOST_LINES = 12;

function drawChoosing() {
  const every = targetSources(state.ranked);
  const known = (DATA.ranking[state.protocol] || {})[state.ranked] || {files: [], decision: null, reason: ""};
  const judged = known.files.length > 0 && !state.seeds;
  const lines = judged ? filesFirst(known.files, every) : every.slice(0, MOST_LINES);
  const found = {...known, sources: every.length, heldOut: heldOutWords(every.map(one => one.scores), state.ranked), reason: known.files.length ? OF_ALL_SEEDS : known.reason};
  fill("choosing-words", lines.length ? choosingWords(found, lines, judged).map(words => para(words)) : para(noGainWords()));
  fill("choosing", lines.length ? choosingTable(found, lines, judged) : []);
  fill("choosing-picks", lines.length ? pickedBySimilarity() : []);
}

const OF_ALL_SEEDS = "it is known of the prompts of all seeds together";

// What sources of all methods gain on a target over what is chosen, means over the chosen seeds, the highest score first.
function targetSources(target) {
  const sources = [...SUMMARY.order.filter(source => source !== target), ...BESIDE_TASKS];
  const known = methodsOf(state.protocol)
    .flatMap(method => sources.map(source => ({method, source, gains: gainsBy(method, source, target), scores: scoresBy(method, source, target)})))
    .map(one => ({...one, gain: mean(there(one.gains)), score: mean(there(one.scores)), ...endsOf(one, target)}))
    .filter(one => isNumber(one.score))
    .sort((a, b) => b.score - a.score);
  return known.some(one => isNumber(one.gain)) ? known : [];
}

// The interval of a source's gain, which is of all seeds.
function endsOf({method, source}, target) {
  const known = state.seeds ? null : pairOf(`${state.protocol}/${method}`, source, target, state.baseline);
  return known ? {low: known.low, high: known.high} : {low: null, high: null};
}

// Sources whose prompt files are judged, as these stand in order, and if these are few, others by their means.
function filesFirst(files, every) {
  const called = one => `${one.method}\n${one.source}`;
  const of = Object.fromEntries(every.map(one => [called(one), one]));
  const judged = files.map(file => Object.fromEntries(FILE.map((name, place) => [name, file[place]]))).filter(one => of[called(one)]).map(one => ({...of[called(one)], ...one}));
  const taken = new Set(judged.map(called));
  return [...judged, ...every.filter(one => !taken.has(called(one)))].slice(0, Math.max(judged.length, MOST_LINES));
}

const rangeOf = (low, high) => (isNumber(low) ? ` [${signed(low)}, ${signed(high)}]` : "");
const expectedText = one => `${signed(one.expected)}${rangeOf(one.expectedLow, one.expectedHigh)}`;
const promptWords = one => title(one.source) + (DATA.methods.length < 2 ? "" : `${isTask(one.source) ? " by" : ","} ${methodTitle(one.method)}`);

// The answer for this target, and how far it can be trusted.
function choosingWords(found, lines, judged) {
  const [first] = lines;
  const words = [];
  if (judged) words.push(decisionWords(found, lines));
  else words.push(`${promptWords(first)} comes first${oneChosen() ? "" : " by the mean over seeds"} (${gainText(first.gain)}${gainUnitWords()}).` + (found.reason ? ` How likely that is to be the best cannot be told: ${found.reason}.` : ""));
  if (oneChosen()) words.push("With one seed nothing tells whether the source is good or was lucky.");
  else if (found.heldOut) words.push(found.heldOut);
  return words;
}

function decisionWords({decision, files}, lines) {
  const [verdict, method, source] = decision || ["keep", null, null];
  const leader = lines.find(one => one.method === method && one.source === source) || lines[0];
  const alike = lines.filter(one => one !== leader && Math.abs(one.expected - leader.expected) < 1e-9);
  const ties = alike.length ? ` ${list(alike.map(promptWords))} ${alike.length === 1 ? "does" : "do"} just as well.` : "";
  const seed = oneSeed() ? "" : `, seed ${leader.seed}`;
  const expected = `expected to gain ${expectedText(leader)} points over zero-shot on other images`;
  const doubt = leader.expectedLow <= 0 ? ", which may be nothing" : "";
  const anew = isNumber(leader.low) && !oneSeed() ? ` Trained anew, such a prompt gains ${signed(leader.gain)}${rangeOf(leader.low, leader.high)} ${gainWords()}.` : "";
  if (verdict === "use")
    return isTask(leader.source)
      ? `Use the prompt of ${promptWords(leader)}${seed}: it is ${expected}${doubt}.${ties}${anew}`
      : `No other task is needed: ${promptWords(leader)}${seed}, is ${expected}${doubt}.${ties}${anew}`;
  if (verdict === "too_few")
    return `Keep the ${ZERO_SHOT_PROMPT} until more test images tell: the prompt of ${promptWords(leader)}${seed}, which leads, is ${expected}, which may be nothing.${ties}`;
  return `Keep the ${ZERO_SHOT_PROMPT}: none is surely better. ${promptWords(leader)}${seed}, which leads, is ${expected}.${ties}`;
}

const THIS_PROMPT = "this prompt, points over zero-shot";

function choosingTable({decision, sources}, lines, judged) {
  const kept = judged && (!decision || decision[0] !== "use");
  const cellLink = one => linked({text: title(one.source), choose: {protocol: state.protocol, method: one.method, source: one.source, target: state.ranked}});
  const several = !oneSeed();
  const gained = one => exact(`${gainText(one.gain)}${rangeOf(one.low, one.high)}`, {"": one.gain, low: one.low, high: one.high});
  const promised = one => exact(expectedText(one), {"": one.expected, low: one.expectedLow, high: one.expectedHigh});
  const such = `such prompts, ${lineUnit()}`;
  const columns = [
    ["", (one, place) => `${place + 1}`],
    ["source", cellLink],
    ...(DATA.methods.length > 1 ? [[TUNED_BY, one => methodTitle(one.method)]] : []),
    ...(judged ? [[THIS_PROMPT, one => (isNumber(one.expected) ? promised(one) : "\u2013")], ["chance of being best", one => exact(chanceText(one.chance), one.chance)]] : []),
    ...(judged && several ? [["seed", one => (isNumber(one.seed) ? `${one.seed}` : "\u2013")]] : []),
    ...(!judged && overOwnMethod() ? [["mean score, %", one => show(one.score, 1)]] : []),
    [judged ? such : `mean, ${lineUnit()}`, gained],
  ];
  const rows = lines.map((one, place) => columns.map(column => column[1](one, place)));
  const keep = {"": "", source: element("strong", {}, `keep the ${ZERO_SHOT_PROMPT}`), [THIS_PROMPT]: "0", [such]: exact(gainText(keptGain(state.ranked)), keptGain(state.ranked))};
  if (kept) rows.unshift(columns.map(([head]) => keep[head] ?? "\u2013"));
  const numeric = columns.map((column, place) => (/points|chance|mean/.test(column[0]) ? place : -1));
  return table(columns.map(column => column[0]), rows, numeric, choosingCaption(lines.length, sources, judged, several));
}

function choosingCaption(shown, sources, judged, several) {
  const count = shown < sources ? `The first ${shown} of ${sources}. ` : "";
  if (!judged) return `${count}Sources of ${DATA.methods.length > 1 ? `all ${SOURCES_OF}` : "other tasks"}${oneChosen() ? "" : `, by their mean over ${state.seeds ? seedWords(listed(state.seeds)) : "seeds"}`}.`;
  return (
    `${count}This prompt: what the source\u2019s best prompt file is expected to gain over zero-shot on other images, shrunk, as the apparent best of many is so partly by luck, with its 95\u202f% interval. Chance: that one of the source\u2019s prompts is the best of all on this target. ` +
    `Such prompts: mean over seeds${several ? ", over what is chosen above, with an interval that counts images and seeds: what to expect of a prompt trained anew" : ""}.`
  );
}

const chanceText = chance => (isNumber(chance) ? (chance < 0.005 ? "< 1\u202f%" : percent(chance)) : "\u2013");

// What each similarity would have picked for this target, by the shown method, beside the best source and the zero-shot prompt.
function pickedBySimilarity() {
  const target = state.ranked;
  const known = targetSources(target).filter(one => one.method === state.method && isTask(one.source) && isNumber(one.gain));
  if (known.length < 2) return [];
  const best = Math.max(...known.map(one => one.gain));
  const picks = DATA.similarity
    .filter(one => !one.method || one.method === state.method)
    .map(one => ({by: measureName(one.measure), ...pick(one.values, known, target)}))
    .filter(one => one.sources.length)
    .sort((a, b) => b.gain - a.gain);
  if (!picks.length) return [];
  const kept = keptGain(target);
  const firsts = known.filter(one => best - one.gain < ALIKE).map(one => one.source);
  const rows = [
    {by: element("strong", {}, "the best source, known afterwards"), sources: firsts, gain: best},
    ...(isNumber(kept) ? [{by: element("strong", {}, `keep the ${ZERO_SHOT_PROMPT}`), sources: [], gain: kept}] : []),
    ...picks,
  ];
  const link = source => linked({text: title(source), choose: {protocol: state.protocol, method: state.method, source, target}});
  const names = sources => (sources.length > 3 ? `${sources.length} sources alike` : sources.length ? sources.flatMap((source, place) => (place ? [", ", link(source)] : [link(source)])) : "\u2013");
  const columns = [
    ["picked by", one => one.by],
    ["source", one => element("span", {}, names(one.sources))],
    [gainWords(), one => exact(gainText(one.gain), one.gain)],
    ["against the best source", one => exact(gainText(one.gain - best), one.gain - best)],
    ...(isNumber(kept) ? [[`against the ${ZERO_SHOT_PROMPT}`, one => exact(gainText(one.gain - kept), one.gain - kept)]] : []),
  ];
  return [
    element("h3", {}, `What each similarity would have picked for ${title(target)}`),
    element(
      "div",
      {class: "scroll"},
      table(
        columns.map(one => one[0]),
        rows.map(one => columns.map(column => column[1](one))),
        [2, 3, 4],
        `${methodTitle(state.method)}, mean over ${state.seeds ? seedWords(listed(state.seeds)) : "seeds"}. A similarity picks the source that is closest to the target; of several that are equally close, the mean.`,
      ),
    ),
  ];
}

// The closest of the measured sources, several where they are equally close, and their mean gain.
function pick(values, known, target) {
  const close = known.map(one => ({...one, value: values[TASKS[one.source].index][TASKS[target].index]})).filter(one => isNumber(one.value));
  const most = Math.max(...close.map(one => one.value));
  const picked = close.filter(one => one.value === most);
  return {sources: picked.map(one => one.source), gain: mean(picked.map(one => one.gain))};
}

sections.register({id: "choosing", keys: ["protocol", "method", "ranked", "baseline", "seeds"], draw: drawChoosing});

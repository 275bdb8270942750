// Which prompt for the chosen target: sources of all methods in order, or keep the hand-written prompt; and what each similarity would pick.

const LINE = ["method", "source", "gain", "low", "high", "seed", "expected", "expectedLow", "expectedHigh", "chance"];
const HAND_WRITTEN = "hand-written prompt";

function drawChoosing() {
  const found = DATA.ranking[state.protocol][state.ranked];
  const lines = found.lines.map(line => Object.fromEntries(LINE.map((name, place) => [name, line[place]])));
  const judged = lines.some(one => isNumber(one.expected));
  fill("choosing-words", lines.length ? choosingWords(found, lines, judged).map(words => para(words)) : para(noGainWords()));
  fill("choosing", lines.length ? choosingTable(found, lines, judged) : []);
  fill("choosing-picks", lines.length ? pickedBySimilarity() : []);
}

const rangeOf = (low, high) => (isNumber(low) ? ` [${signed(low)}, ${signed(high)}]` : "");
const expectedText = one => `${signed(one.expected)}${rangeOf(one.expectedLow, one.expectedHigh)}`;
const promptWords = one => title(one.source) + (DATA.methods.length < 2 ? "" : `${isTask(one.source) ? " by" : ","} ${methodTitle(one.method)}`);

// The answer for this target, and how far it can be trusted.
function choosingWords(found, lines, judged) {
  const [first] = lines;
  const words = [];
  if (judged) words.push(decisionWords(found, lines));
  else words.push(`${promptWords(first)} comes first${oneSeed() ? "" : " by the mean over seeds"} (${gainText(first.gain)}${gainUnitWords()}).` + (found.reason ? ` How likely that is to be the best cannot be told: ${found.reason}.` : ""));
  if (oneSeed()) words.push("With one seed nothing tells whether the source is good or was lucky.");
  else if (isNumber(found.held_out)) words.push(`A source that is chosen by the mean of the other seeds gains ${gainText(found.held_out)}${gainUnitWords()} here in the seed left out.`);
  return words;
}

function decisionWords({decision, files}, lines) {
  const [verdict, method, source] = decision || ["keep", null, null];
  const leader = lines.find(one => one.method === method && one.source === source) || lines[0];
  const alike = lines.filter(one => one !== leader && Math.abs(one.expected - leader.expected) < 1e-9);
  const ties = alike.length ? ` ${list(alike.map(promptWords))} ${alike.length === 1 ? "does" : "do"} just as well.` : "";
  const seed = oneSeed() ? "" : `, seed ${leader.seed}`;
  const expected = `expected to gain ${expectedText(leader)} points over the hand-written prompt on other images`;
  const doubt = leader.expectedLow <= 0 ? ", which may be nothing" : "";
  const anew = isNumber(leader.low) && !oneSeed() ? ` Trained anew, such a prompt gains ${signed(leader.gain)}${rangeOf(leader.low, leader.high)} points.` : "";
  if (verdict === "use")
    return isTask(leader.source)
      ? `Use the prompt of ${promptWords(leader)}${seed}: it is ${expected}${doubt}.${ties}${anew}`
      : `No other task is needed: ${promptWords(leader)}${seed}, is ${expected}${doubt}.${ties}${anew}`;
  if (verdict === "too_few")
    return `Keep the ${HAND_WRITTEN} until more test images tell: the prompt of ${promptWords(leader)}${seed}, which leads, is ${expected}, which may be nothing.${ties}`;
  return `Keep the ${HAND_WRITTEN}: none is surely better. ${promptWords(leader)}${seed}, which leads, is ${expected}.${ties}`;
}

function choosingTable({decision, sources}, lines, judged) {
  const kept = judged && (!decision || decision[0] !== "use");
  const cellLink = one => linked({text: title(one.source), choose: {protocol: state.protocol, method: one.method, source: one.source, target: state.ranked}});
  const several = !oneSeed();
  const mean = one => `${gainText(one.gain)}${judged ? rangeOf(one.low, one.high) : ""}`;
  const columns = [
    ["", (one, place) => `${place + 1}`],
    ["source", cellLink],
    ...(DATA.methods.length > 1 ? [[TUNED_BY, one => methodTitle(one.method)]] : []),
    ...(judged ? [["this prompt, points", one => (isNumber(one.expected) ? expectedText(one) : "\u2013")], ["chance of being best", one => chanceText(one.chance)]] : []),
    ...(judged && several ? [["seed", one => (isNumber(one.seed) ? `${one.seed}` : "\u2013")]] : []),
    [judged ? "such prompts, points" : `mean, ${lineUnit()}`, mean],
  ];
  const rows = lines.map((one, place) => columns.map(column => column[1](one, place)));
  if (kept) rows.unshift(columns.map(([head], place) => (head === "source" ? element("strong", {}, `keep the ${HAND_WRITTEN}`) : head.startsWith("this prompt") ? "0" : place ? "\u2013" : "")));
  const numeric = columns.map((column, place) => (/points|chance|mean/.test(column[0]) ? place : -1));
  return table(columns.map(column => column[0]), rows, numeric, choosingCaption(lines.length, sources, judged, several));
}

function choosingCaption(shown, sources, judged, several) {
  const count = shown < sources ? `The first ${shown} of ${sources}. ` : "";
  if (!judged) return `${count}Sources of ${DATA.methods.length > 1 ? "all" : "other tasks"}${oneSeed() ? "" : ", by their mean over seeds"}.`;
  return (
    `${count}This prompt: what the source\u2019s best prompt file is expected to gain over the hand-written prompt on other images, shrunk, as the apparent best of many is so partly by luck, with its 95\u202f% interval. Chance: that one of the source\u2019s prompts is the best of all on this target. ` +
    `Such prompts: mean over seeds${several ? ", with an interval that counts images and seeds: what to expect of a prompt trained anew" : ""}.`
  );
}

const chanceText = chance => (isNumber(chance) ? (chance < 0.005 ? "< 1\u202f%" : percent(chance)) : "\u2013");

// What each similarity would have picked for this target, by the shown method, and what that costs against the best source.
function pickedBySimilarity() {
  const target = state.ranked;
  const known = SUMMARY.order.filter(source => source !== target).map(source => ({source, gain: mean(there(gains(source, target).map(one => one[1])))})).filter(one => isNumber(one.gain));
  const best = Math.max(...known.map(one => one.gain));
  const rows = DATA.similarity
    .filter(one => !one.method || one.method === state.method)
    .map(one => ({measure: one.measure, ...pick(one.values, known, target)}))
    .filter(one => one.sources.length)
    .sort((a, b) => b.gain - a.gain);
  if (!rows.length || known.length < 2) return [];
  const names = sources => (sources.length > 3 ? `${sources.length} sources alike` : list(sources.map(title)));
  return [
    more(
      "What each similarity would have picked",
      element(
        "div",
        {class: "scroll"},
        table(
          ["similarity", "its pick", gainWords(), "against the best source"],
          rows.map(one => [measureName(one.measure), names(one.sources), gainText(one.gain), gainText(one.gain - best)]),
          [2, 3],
          `${methodTitle(state.method)}, mean over seeds. The source that is closest to the target; of several that are equally close, the mean.`,
        ),
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

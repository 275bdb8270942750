// The sections around the matrix: words and tables whose numbers come from summary.json.

const PRIMARY = SUMMARY.primary_response;
const here = one => one.method === state.method && one.protocol === state.protocol;
const para = (...content) => element("p", {}, ...content);
const quiet = text => element("p", {class: "quiet"}, text);
const list = words => (words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words.at(-1));

const oneSeed = () => bySummary().n_seeds < 2;
const oneChosen = () => oneSeed() || chosenSeeds(state).length < 2;

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
    fill("ranking", quiet(noGainWords()));
    return;
  }
  const [low, high] = gainEdges(rows.flatMap(row => row.gains));
  fill(
    "ranking",
    intervalPlot(
      rows.map(row => ({
        name: title(row.source) + (row.source === target ? (tuned() ? " (own, again)" : " (own)") : ""),
        at: row.at,
        dots: row.gains,
        filled: true,
        colour: row.source === target ? "var(--relationship)" : row.at >= 0 ? "var(--accent)" : "var(--warm)",
        note: gainText(row.at),
      })),
      low,
      high,
      gainWords() + (oneChosen() ? ", one seed" : "; small dots are seeds"),
    ),
  );
}

function drawBest() {
  const rows = ordered().map(target => {
    const best = bestSources(target);
    const others = ofOthers(target);
    const pick = element("button", {type: "button", class: "link", onclick: () => set({ranked: target})}, breakable(title(target)));
    if (others.length === 1 && best.length) return [pick, onlyOne(best[0]), "\u2013", "\u2013"];
    if (allAlike(others)) return [pick, "all sources alike", "\u2013", "\u2013"];
    return [
      pick,
      ...[0, 1, 2].map(place => {
        const one = best[place];
        if (!one) return "\u2013";
        const found = there(one.gains);
        if (found.length < 2 || !isNumber(one.heldOut)) return title(one.source);
        const [lowest, highest] = [Math.min(...found), Math.max(...found)];
        const [at, low, high, worth] = [one.apparent, lowest, highest, one.heldOut].map(gainShort);
        const words = [element("span", {class: "quiet"}, `${at} [${low}, ${high}]`), element("span", {class: "quiet"}, ` place: ${worth}`)];
        return exact(element("span", {}, breakable(`${title(one.source)} `), words), {"": title(one.source), mean: one.apparent, low: lowest, high: highest, place: one.heldOut});
      }),
    ];
  });
  fill(
    "best",
    table(
      ["target", "best source", "second", "third"],
      rows,
      [],
      oneChosen()
        ? "Other tasks only. The seed that chose a source cannot tell how much it gains, and there is no other."
        : `Other tasks only; ${gainWords()}, mean over seeds, in brackets their range. The first of many seem better than they are, so \u201cplace\u201d says what that place is worth: what the source that the other seeds put there has in a seed left out.`,
    ),
  );
}

const onlyOne = one => `${title(one.source)}, the only one measured`;

// The scores of all other tasks' sources on a target.
const ofOthers = target =>
  there(SUMMARY.order.filter(source => source !== target).map(source => value(source, target, "raw")));

// Whether two or more sources of a target all have one score, so that none is best.
const allAlike = scores => scores.length > 1 && Math.max(...scores) - Math.min(...scores) < 1e-9;

// What the best source is worth in a seed that had no part in choosing it; over what a page opens with, with the interval of summary.json.
function leftOut() {
  const told = (bySummary().best_sources || {points: {}}).points;
  const untouched = state.baseline === firstBaseline(state) && !state.seeds && isNumber(told.held_out);
  const firsts = untouched ? [] : SUMMARY.order.map(target => bestSources(target)[0]).filter(Boolean);
  const {apparent, held_out: worth, low, high} = untouched
    ? told
    : {apparent: mean(firsts.map(one => one.apparent)), held_out: mean(there(firsts.map(one => one.heldOut)))};
  if (!isNumber(worth)) return "";
  const range = isNumber(low) ? ` [${gainText(low)}, ${gainText(high)}]` : "";
  return ` The source that looks best for a target seems to have ${gainText(apparent)} (${gainWords()}, mean over targets). In a seed that had no part in the choice it has ${gainText(worth)}${range}.`;
}

function drawSourcesWords() {
  if (SUMMARY.order.every(target => allAlike(ofOthers(target)))) {
    fill("sources-words", "No source is better than another: those of a target all have the same score.");
    return;
  }
  const found = SUMMARY.regret.find(one => here(one) && one.measure === "ctrl_static" && one.test === "regret@1");
  const luck = oneChosen()
    ? "With one seed the apparent best is partly luck, and nothing here says how much."
    : `The best of many is the best partly by luck.${leftOut()}`;
  fill(
    "sources-words",
    found && isNumber(found.estimate)
      ? `${methodTitle(state.method)}: always taking the source that is best on average for the other targets costs ${lossText(found.estimate)} against each target\u2019s own best${state.seeds ? ", of all seeds" : ""}. ${luck}`
      : luck,
  );
}

// What an interval of a correlation says to a question.
const yesNo = ({low, high}) => (isNumber(low) && low > 0 ? "Yes" : isNumber(high) && high < 0 ? "No, the contrary" : "Not clearly");

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
      `${methodTitle(state.method)}, differences in ${effectWords().of}: ${list(parts().filter(([part]) => part in own).map(([part, said]) => `${percent(own[part])} ${said}`))}.` +
        ("seed" in own ? "" : ` With one seed the share of \u201cwho helps whom\u201d includes the noise.`),
    );
  else if (why) words.push(`${methodTitle(state.method)}: cannot be told, ${why.reason}.`);
  if (reliable && isNumber(reliable.estimate))
    words.push(
      `With other seeds, the \u201cwho helps whom\u201d part would correlate ${show(reliable.estimate)}${range(reliable)} with this one (1: the same, 0: an unrelated one).`,
    );
  else if (reliable) words.push(`How well the \u201cwho helps whom\u201d part would repeat cannot be told from one seed.`);
  if (giving && isNumber(giving.estimate))
    words.push(
      `Do tasks that give much also receive much? ${yesNo(giving)}: correlation ${show(giving.estimate)}${range(giving)}.`,
    );
  if (mutual && isNumber(mutual.estimate))
    words.push(`Is help mutual? ${yesNo(mutual)}: correlation ${show(mutual.estimate)}${range(mutual)}.`);
  fill("variance-words", words.join(" "));
  fill("variance-plot", stackedBars(rows, parts()));
  const one = bySummary();
  const exactEffect = effect => exact(effectWords().text(effect), effect);
  const ranked = (head, rows) =>
    element(
      "div",
      {class: "scroll"},
      element("h3", {}, head),
      table(
        ["task", `effect${effectWords().unit}`, ...(oneSeed() ? [] : ["worth of the place in a seed left out"])],
        rows.slice(0, 5).map(row => [title(row.task), exactEffect(row.effect), ...(oneSeed() ? [] : [exactEffect(row.held_out)])]),
        [1, 2],
      ),
    );
  fill(
    "givers",
    one.givers.length
      ? [
          ranked(`Best givers: ${effectWords().givers}`, one.givers),
          ranked(`Best receivers: ${effectWords().receivers}`, one.receivers),
        ]
      : [],
  );
}

sections.register({id: "ranking", keys: ["protocol", "method", "baseline", "seeds", "ranked"], draw: drawRanking});
sections.register({id: "best", keys: ["protocol", "method", "baseline", "seeds", "order"], draw: drawBest});
sections.register({id: "sources-words", keys: ["protocol", "method", "baseline", "seeds"], draw: drawSourcesWords});
sections.register({id: "variance", keys: ["protocol", "method"], draw: drawVariance});

// The shown matrix less another one: another method, protocol or seed, what was published, or another study.

const DIFFERENCE = "difference"; // beside the names of views
const shownView = () => (state.compare ? DIFFERENCE : state.view);

// What can be taken away from what is shown: [[value of `compare`, words], ...].
function comparisons({protocol, method, seeds}) {
  const every = seedsOf({protocol, method});
  const chosen = seeds ? listed(seeds) : every;
  return [
    ...methodsOf(protocol).filter(one => one !== method).map(one => [`method:${one}`, methodTitle(one)]),
    ...DATA.protocols.filter(one => one !== protocol && DATA.matrices[`${one}/${method}`]).map(one => [`protocol:${one}`, `protocol ${one}`]),
    ...(chosen.length < every.length ? [["others", "the other seeds"]] : []),
    ...(seedsDiffer() && every.length > 1 ? every.map(one => [`seed:${one}`, `seed ${one}`]) : []),
    ...(publishedOf(method, protocol) ? [["published", "the published matrix"]] : []),
    ...(otherStudy ? [["study", otherStudy.title]] : []),
  ];
}

const publishedOf = (method, protocol) =>
  SUMMARY.published && !WORDS.protocols[protocol].tunes ? SUMMARY.published.by_method.find(one => one.method === method) : null;

// The two sides: {first, second: {values, rows}, words: [first, second]}, null where nothing is compared.
function sides() {
  if (!state.compare) return null;
  const [kind, name] = [state.compare.split(":")[0], state.compare.slice(state.compare.indexOf(":") + 1)];
  const own = methodTitle(state.method);
  const every = seedsOf(state);
  const chosen = chosenSeeds(state);
  const of = changes => viewOf({...state, ...changes});
  if (kind === "method") return {first: of({}), second: otherView({method: name}), words: [own, methodTitle(name)]};
  if (kind === "protocol") return {first: of({}), second: otherView({protocol: name}), words: [`${own}, ${state.protocol}`, name]};
  if (kind === "published") return publishedSides(publishedOf(state.method, state.protocol), own);
  if (kind === "study") return {first: of({}), second: otherStudy.view(state), words: [`${own} here`, otherStudy.said(state)]};
  const second = kind === "seed" ? [name] : every.filter(seed => !chosen.includes(seed));
  const left = chosen.filter(seed => !second.includes(seed));
  const first = left.length ? left : every.filter(seed => !second.includes(seed));
  const words = seeds => (seeds.length > 1 ? `mean of seeds ${list(seeds)}` : `seed ${seeds[0]}`);
  return {first: of({seeds: joined(first)}), second: of({seeds: joined(second)}), words: [`${own}, ${words(first)}`, words(second)]};
}

// The same seeds of another matrix, as far as it has them.
function otherView(changes) {
  const chosen = {...state, ...changes};
  if (!state.seeds) return viewOf(chosen) || NOTHING;
  const seeds = listed(state.seeds).filter(seed => seedsOf(chosen).includes(seed));
  return seeds.length ? viewOf({...chosen, seeds: joined(seeds)}) : NOTHING;
}

// Shares of the best score of a column among the tasks that both have; whatever scale is chosen.
function publishedSides(found, here) {
  const place = Object.fromEntries(found.tasks.map((name, index) => [name, index]));
  const side = matrix => ({
    values: DATA.tasks.map(source => DATA.tasks.map(target => (source.name in place && target.name in place ? matrix[place[source.name]][place[target.name]] : null))),
    rows: {},
  });
  return {first: side(found.measured), second: side(found.published), words: [`${here} measured`, "published"], view: "column_ratio"};
}

// What is shown instead of a view: its two sides, its words, and a value per pair in the unit of the difference.
function lessOther() {
  const two = sides();
  const view = two.view || state.view;
  const {title: name, unit, digits} = viewWords(view);
  const scale = unit === "%" ? 100 : 1;
  const at = (side, source, target) => {
    const row = isTask(source) ? side.values[TASKS[source].index] : side.rows[source];
    const number = row ? row[TASKS[target].index] : null;
    return isNumber(number) ? number : null;
  };
  const pair = (source, target) => [two.first, two.second].map(side => at(side, source, target));
  return {
    rows: Object.keys(two.first.rows).filter(row => row in two.second.rows),
    pair,
    value(source, target) {
      const [first, second] = pair(source, target);
      return first === null || second === null ? null : scale * (first - second);
    },
    view,
    said: two.words,
    words: {
      title: `${two.words[0]} less ${two.words[1]}: ${name[0].toLowerCase()}${name.slice(1)}`,
      meaning: `${unit === "%" ? "points" : unit || "difference"}; 0 = alike`,
      unit: unit === "%" ? "points" : unit,
      digits: unit === "%" ? null : digits,
      diverging: true,
    },
  };
}

// The difference that is shown now, made once for all who ask.
const DECIDE = ["protocol", "method", "view", "baseline", "seeds", "compare"];
let made = {};
function shownDifference() {
  if (made.other !== otherStudy || DECIDE.some(name => made[name] !== state[name])) {
    made = {difference: lessOther(), limits: null, other: otherStudy};
    for (const name of DECIDE) made[name] = state[name];
  }
  return made.difference;
}

// Colours go as far to either side of 0 as 98 % of the pairs.
function differenceLimits() {
  const {value} = shownDifference();
  if (!made.limits) {
    const edge = quantile(SUMMARY.order.flatMap(source => there(SUMMARY.order.map(target => value(source, target)))).map(Math.abs), 0.98) || 1;
    made.limits = [-edge, edge];
  }
  return made.limits;
}

// Both numbers of a difference, for who points at a cell.
function bothWords(source, target) {
  const {pair, said, view} = shownDifference();
  return pair(source, target).map((number, side) => `${said[side]}: ${viewText(number, view, true)}`).join("; ");
}

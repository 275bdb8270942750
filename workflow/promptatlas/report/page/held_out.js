// What looks best, judged by seeds that had no part in choosing it (analysis/statistics/held_out.py says it of all seeds).

const PLACES = 3;
const ALIKE = 1e-9; // means that are nearer are the same

// What each of the first places is worth: in the seed left out, of what the mean of the other seeds ranks there, mean over seeds; what the
// others rank alike shares its places. rows: of each source its gains by seed, null where there is none; null with one seed.
function byPlace(rows) {
  const seeds = rows.length ? rows[0].length : 0;
  const worth = Array.from({length: PLACES}, () => []);
  for (let seed = 0; seed < seeds && seeds > 1; seed++) {
    const known = rows
      .map(gains => ({others: mean(there(gains.filter((_, place) => place !== seed))), own: gains[seed]}))
      .filter(one => isNumber(one.others) && isNumber(one.own))
      .sort((a, b) => b.others - a.others);
    for (let place = 0; place < Math.min(PLACES, known.length); place++) {
      const alike = known.filter(one => Math.abs(one.others - known[place].others) < ALIKE);
      worth[place].push(mean(alike.map(one => one.own)));
    }
  }
  return worth.map(mean);
}

// The best sources of a target by the shown method, other tasks only, over what is chosen: [{source, gains, apparent, heldOut}, ...].
function bestSources(target) {
  const {protocol, method, baseline, seeds} = state;
  const found = once(["best", protocol, method, baseline, seeds].join("\n"), () => new Map());
  if (!found.has(target)) found.set(target, findBestSources(target));
  return found.get(target);
}

function findBestSources(target) {
  const known = SUMMARY.order
    .filter(source => source !== target)
    .map(source => ({source, gains: gainsBy(state.method, source, target)}))
    .map(one => ({...one, apparent: mean(there(one.gains))}))
    .filter(one => isNumber(one.apparent))
    .sort((a, b) => b.apparent - a.apparent);
  const worth = byPlace(known.map(one => one.gains));
  return known.slice(0, PLACES).map((one, place) => ({...one, heldOut: worth[place]}));
}

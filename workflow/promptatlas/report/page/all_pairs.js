// All pairs as rows of one table: every method, protocol, source and target, or those of the matrix that is shown.

// The matrices that the table is about: [[protocol, method], ...].
const matricesOf = everything =>
  everything ? DATA.protocols.flatMap(protocol => methodsOf(protocol).map(method => [protocol, method])) : [[state.protocol, state.method]];

// A column of names: `ids` are the names of tables, `names` those of the page, `places` which of them a row has.
function namesColumn(name, titleHere, ids, words, places, filter = "text") {
  const sorted = [...ids.keys()].sort((a, b) => words(ids[a]).localeCompare(words(ids[b])));
  const rank = new Int32Array(ids.length);
  sorted.forEach((place, index) => {
    rank[place] = index;
  });
  const names = ids.map(words);
  const keys = places.map(place => rank[place]);
  return {name, title: titleHere, numeric: false, filter, ids, names, places, keys, text: row => names[places[row]], raw: row => ids[places[row]]};
}

const numbersColumn = (name, titleHere, keys, text, scale = 1) => ({
  name, title: titleHere, numeric: true, filter: "number", keys, scale, text: row => text(keys[row]), raw: row => (Number.isNaN(keys[row]) ? "" : Number(keys[row].toPrecision(12))),
});

// Rows and columns of the table. Scores and gains are means over the chosen seeds; what is known of a pair's sureness counts all seeds.
function tableOfPairs(everything) {
  const chosen = matricesOf(everything);
  const [pairs, which] = [[], []];
  chosen.forEach(([protocol, method], index) => {
    for (const source of sourcesIn(protocol, method)) for (const target of SUMMARY.order) {
      pairs.push([source, target]);
      which.push(index);
    }
  });
  const count = pairs.length;
  const numbers = () => new Float64Array(count).fill(NaN);
  const [score, gain, low, high, p, seeds, own] = [numbers(), numbers(), numbers(), numbers(), numbers(), numbers(), numbers()];
  const clear = new Int32Array(count);
  const view = !everything && (state.compare || !["raw", mainView()].includes(state.view)) ? shown() : null;
  const numbersOf = chosen.map(one => pairNumbers(...one));
  for (let row = 0; row < count; row++) {
    const [source, target] = pairs[row];
    const one = numbersOf[which[row]](source, target);
    score[row] = one.score ?? NaN;
    gain[row] = one.gain ?? NaN;
    low[row] = one.low ?? NaN;
    high[row] = one.high ?? NaN;
    p[row] = one.p ?? NaN;
    seeds[row] = one.seeds;
    clear[row] = one.clear === null ? 2 : one.clear ? 0 : 1;
    if (view) own[row] = view.value(source, target) ?? NaN;
  }
  const sources = [...new Set(pairs.map(pair => pair[0]))];
  const sourcePlace = Object.fromEntries(sources.map((name, index) => [name, index]));
  const targetPlace = Object.fromEntries(SUMMARY.order.map((name, index) => [name, index]));
  const places = of => Int32Array.from({length: count}, (_, row) => of(row));
  const pairsOf = list => list.map(one => [one, one]);
  const methods = DATA.methods.filter(method => chosen.some(one => one[1] === method));
  const protocols = DATA.protocols.filter(protocol => chosen.some(one => one[0] === protocol));
  const titled = (ids, words) => ids.map(id => [id, words(id)]);
  const has = numbers => numbers.some(number => !Number.isNaN(number));
  const columns = [
    namesColumn("source", "source", sources, title, places(row => sourcePlace[pairs[row][0]])),
    namesColumn("target", "target", SUMMARY.order, title, places(row => targetPlace[pairs[row][1]])),
    methods.length > 1 && namesColumn("method", methodsName(), methods, methodTitle, places(row => methods.indexOf(chosen[which[row]][1])), titled(methods, methodTitle)),
    protocols.length > 1 && namesColumn("protocol", "protocol", protocols, one => one, places(row => protocols.indexOf(chosen[which[row]][0])), pairsOf(protocols)),
    ...numberColumns({score, gain, low, high, p}).filter(column => has(column.keys)),
    clear.some(one => one < 2) && namesColumn("clear", "clear", ["yes", "no", ""], one => one || "\u2013", clear, pairsOf(["yes", "no"])),
    view && has(own) && numbersColumn("shown", view.axis, own, number => (Number.isNaN(number) ? "\u2013" : view.short(number)), view.unit === "%" ? 100 : 1),
    numbersColumn("seeds", "seeds", seeds, number => `${number}`),
  ].filter(Boolean);
  return {
    count,
    columns,
    cell: row => ({protocol: chosen[which[row]][0], method: chosen[which[row]][1], source: pairs[row][0], target: pairs[row][1]}),
  };
}

// Rows as comma-separated text, full precision, names as in the tables.
function pairsAsCsv({columns}, rows) {
  const quoted = one => (/[",\n\r]/.test(one) ? `"${String(one).replace(/"/g, '""')}"` : one);
  const head = columns.map(column => quoted(column.name)).join(",");
  return [head, ...rows.map(row => columns.map(column => quoted(column.raw(row))).join(","))].join("\n") + "\n";
}

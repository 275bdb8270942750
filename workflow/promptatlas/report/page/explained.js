// What measures explain together, and which of two is ahead: words from the page's data, tables from summary.json.

const CONTRASTS = SUMMARY.contrasts || [];
const MOST_PAIRS = 10;
const inBrackets = (one, text = show) => (isNumber(one.low) ? `${text(one.estimate)} [${text(one.low)}, ${text(one.high)}]` : text(one.estimate));
const interval = ({estimate, low, high}) => ({"": estimate, low, high});
const shareText = number => (isNumber(number) ? `${show(100 * number, number < 0.1 ? 1 : 0)} %` : "\u2013");

function drawExplained() {
  const sets = (SUMMARY.explained || []).filter(here);
  const told = DATA.explained[key()] || [];
  const links = CONTRASTS.filter(one => here(one) && one.what === "link" && one.measure.includes("~") && isNumber(one.estimate));
  fill(
    "explained",
    sets.length
      ? [
          element("h3", {}, "What explains it together"),
          element("div", {class: "words"}, told.map(words => para(words))),
          ...sets.filter(one => one.measures.some(each => each.alone)).map(explainedTable),
          ...(links.length ? [linksTable(links)] : []),
        ]
      : [],
  );
}

function explainedTable(one) {
  const beyond = Boolean(one.together_blocks);
  const reasons = one.measures.some(each => each.coefficient.reason);
  const p = (each, what) => (each[what] ? exact(pText(each[what].p), each[what].p) : "\u2013");
  return table(
    ["similarity", "explains alone", "adds", "coefficient", "p", ...(beyond ? ["p, beyond family"] : []), "variance inflation", ...(reasons ? [""] : [])],
    one.measures.map(each =>
      each.alone
        ? [
            measureName(each.measure),
            exact(shareText(each.alone.estimate), each.alone.estimate),
            exact(shareText(each.adds.estimate), each.adds.estimate),
            exact(inBrackets(each.coefficient), interval(each.coefficient)),
            p(each, "coefficient"),
            ...(beyond ? [p(each, "coefficient_blocks")] : []),
            exact(show(each.inflation.estimate, 1), each.inflation.estimate),
            ...(reasons ? [each.coefficient.reason] : []),
          ]
        : [measureName(each.measure), ...Array(beyond ? 6 : 5).fill("\u2013"), each.coefficient.reason],
    ),
    beyond ? [1, 2, 3, 4, 5, 6] : [1, 2, 3, 4, 5],
    `Over ${one.n_cells.toLocaleString("en")} pairs of ${one.n_tasks} tasks. Adds: what is lost without it; coefficient: standard deviations of transfer for one of the measure, the others held still. p renames what the others leave of it.`,
  );
}

function linksTable(links) {
  const shown = [...links].sort((a, b) => (a.p_holm ?? 1) - (b.p_holm ?? 1)).slice(0, MOST_PAIRS);
  return table(
    ["two similarities", "difference of r", "p", "p, all pairs"],
    shown.map(one => {
      const p = isNumber(one.p_families) ? Math.max(one.p, one.p_families) : one.p;
      return [one.measure.split("~").map(measureTitle).join(" less "), exact(inBrackets(one), interval(one)), exact(pText(p), p), exact(pText(one.p_holm), one.p_holm)];
    }),
    [1, 2, 3],
    `Is the first closer to who helps whom than the second? Intervals and p leave out one task at a time${SUMMARY.families.beyond ? ", p also one family at a time (the larger is shown)" : ""}.` +
      (links.length > shown.length ? ` ${shown.length} of ${links.length} pairs; all are in the table contrasts.` : ""),
  );
}

// Pairs of methods or protocols.
function drawContrasts() {
  const pairs = {};
  for (const one of CONTRASTS.filter(one => one.method.includes("~") || one.protocol.includes("~")))
    (pairs[`${one.method}\n${one.protocol}`] ||= []).push(one);
  const gain = gainContrast();
  const rows = Object.values(pairs).map(rows => {
    const cell = (what, text, response = PRIMARY) => {
      const one = rows.find(row => row.what === what && row.response === response);
      return one && isNumber(one.estimate)
        ? exact(element("span", {title: one.reason || null}, inBrackets(one, text) + (one.reason ? " *" : "")), interval(one))
        : element("span", {title: one ? one.reason : null}, "\u2013");
    };
    const {method, protocol} = rows[0];
    const names = (method.includes("~") ? method.split("~").map(methodTitle) : protocol.split("~").map(protocolTitle)).join(" and ");
    const of = method.includes("~") ? (DATA.protocols.length > 1 ? `, ${protocol}` : "") : `, ${methodTitle(method)}`;
    return [names + of, cell("gain", gain.text, gain.response), ...["relationship", "giving", "receiving"].map(what => cell(what, show))];
  });
  const reasons = [...new Set(Object.values(pairs).flat().filter(one => one.reason).map(one => one.reason))];
  fill(
    "contrasts",
    rows.length
      ? [
        table(
          ["", gain.head, "who helps whom", "good sources", "easy targets"],
          rows,
          [1, 2, 3, 4],
          "Mean difference over pairs of different tasks, and correlations as they would be without the noise of seeds: 1 is the same, and an interval below 1 says that the two differ by more than luck. Intervals leave out one task at a time; that of the difference also counts seeds." +
            (reasons.length ? ` Of cells that are empty or marked *: ${list(reasons)}.` : ""),
        ),
        ...differingLinks(Object.values(pairs).flat()),
      ]
      : [],
  );
}

// Similarities whose link with one method or protocol is not that with the other.
function differingLinks(rows) {
  const tested = rows.filter(one => one.what === "link" && isNumber(one.p_holm));
  if (!tested.length) return [];
  const name = one => (one.method.includes("~") ? one.method.split("~").map(methodTitle) : one.protocol.split("~").map(protocolTitle)).join(" less ");
  const found = tested.filter(one => one.p_holm < 0.05);
  return [
    quiet(
      `Does a similarity have more to do with one than with the other? Of ${tested.length} differences of r, ` +
        (found.length
          ? `${found.length} ${found.length === 1 ? "is" : "are"} clear: ${found.map(one => `${measureTitle(one.measure)}, ${name(one)} ${inBrackets(one)}`).join("; ")}.`
          : "none is clear."),
    ),
  ];
}

sections.register({id: "explained", keys: ["protocol", "method"], draw: drawExplained});
sections.register({id: "contrasts", draw: drawContrasts});

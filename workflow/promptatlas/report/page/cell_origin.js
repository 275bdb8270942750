// Where a cell comes from: its files and logs, hashes, versions, and the command that computes it again.

const ORIGIN = DATA.origin;

const placed = (pattern, names) => pattern.replace(/\{(\w+)\}/g, (_, name) => names[name]);

// Names that stand in the paths of a cell of one seed.
const addressOf = (source, target, seed) => ({protocol: state.protocol, method: state.method, seed, target, source});

function cellFile(source, target, seed) {
  const pattern = ORIGIN ? ORIGIN.cell : `${DATA.results}/${DATA.study}/cells/{protocol}/{method}/seed{seed}/{target}/{source}.json`;
  return placed(pattern, addressOf(source, target, seed));
}

// The prompt that a cell applies or starts from; none for what was never tuned.
function promptFile(source, target, seed) {
  const pattern = ORIGIN.prompts[isTask(source) ? "" : source];
  return pattern ? placed(pattern, addressOf(source, target, seed)) : null;
}

function logsOf(source, target) {
  if (!ORIGIN.logs) return [];
  const has = (listed, one) => listed === null || listed.includes(one);
  const measured = ORIGIN.logs.transfer.filter(
    one => one.protocol === state.protocol && one.method === state.method && has(one.targets, target) && has(one.sources, source),
  );
  const trained = isTask(source) ? ORIGIN.logs.tune.filter(one => one.method === state.method && has(one.sources, source)) : [];
  return [...measured.map(one => ["measured", one.log]), ...trained.map(one => ["source prompt tuned", one.log])];
}

function cellFiles(cells, source, target) {
  if (!ORIGIN || source === "largest_class") return [];
  const marks = ((cells[source] || {})[target] || {}).marks || {};
  const seeds = seedsOf(state);
  const lines = seeds.flatMap(seed => {
    const [fingerprint, prompt] = marks[seed] || [];
    const file = promptFile(source, target, seed);
    return [
      [`cell, seed ${seed}`, cellFile(source, target, seed), fingerprint && `fingerprint ${fingerprint}\u2026`],
      ...(file ? [[`prompt, seed ${seed}`, file, prompt && `hash ${prompt}\u2026`]] : []),
    ];
  });
  const logs = logsOf(source, target).map(([what, log]) => [`log: ${what}`, log, null]);
  const row = ([what, path, mark]) => [element("dt", {}, what), element("dd", {}, element("code", {}, path), mark ? element("span", {class: "quiet"}, ` ${mark}`) : null)];
  return [
    element(
      "details",
      {id: "cell-files"},
      element("summary", {}, "Files, hashes and versions"),
      element("dl", {class: "files"}, [...lines, ...logs].flatMap(row)),
      ORIGIN.logs ? null : element("p", {class: "quiet"}, `Logs are in ${DATA.results}/${DATA.study}/logs, one for each job.`),
      element("p", {class: "quiet"}, madeWords()),
    ),
  ];
}

function madeWords() {
  const {version, commit, changed, numerics, measured, precision} = ORIGIN.made;
  const code = commit ? `, commit ${commit.slice(0, DIGITS)}${changed ? " with changes" : ""}` : "";
  return (
    `The page was made by promptatlas ${version || "(not installed)"}${code}, numerics ${numerics}, computed in ${precision}` +
    (measured ? `; the study\u2019s last cell was measured on ${measured}` : "") +
    `. Paths count from the folder in which the study was run. ${DATA.results}/${DATA.study}/provenance.json has all versions and hashes.`
  );
}

const DIGITS = 12; // of a commit

// Both commands for the cell of a seed, or of all, as whoever ran the study would write them.
function commands(source, target, seeds, seed) {
  const files = (seed === "all" ? seeds : [seed]).map(one => cellFile(source, target, one));
  const {folder, program, files: configured, values, rerun} = ORIGIN || {program: ["snakemake"], files: [], values: [], rerun: []};
  const from = folder ? `cd ${quoted(folder)} && ` : "";
  const words = some => some.map(quoted).join(" ");
  const which = ["--method", state.method, "--source", source, "--target", target];
  if (DATA.protocols.length > 1) which.push("--protocol", state.protocol);
  if (seed !== "all") which.push("--seed", seed);
  return [
    from + words([...program, "--cores", "2", ...configured, "--config", ...values, `only=${source}`, "--forcerun", ...files]),
    ...(rerun ? [from + words(["promptatlas", "rerun", ...which, ...rerun])] : []),
  ];
}

function cellCommands(source, target, seeds) {
  const place = element("div");
  const write = seed => place.replaceChildren(...commands(source, target, seeds, seed).map(command));
  const choose = element(
    "select",
    {"aria-label": "Seed to compute again", onchange: event => write(event.target.value)},
    element("option", {value: "all"}, "all seeds"),
    seeds.map(seed => element("option", {value: seed}, `seed ${seed}`)),
  );
  write("all");
  const notes = [
    !ORIGIN && DATA.study !== "mini" && "Add --configfile with the study\u2019s own configuration to either command.",
    !ORIGIN && restricted() && "Give --config its pairs=FILE, too, if the configuration does not name the file.",
  ].filter(Boolean);
  return [element("h4", {class: "again"}, "Compute it again: ", choose), place, ...notes.map(note => element("p", {class: "quiet"}, note))];
}

// As one word of a shell.
const quoted = word => (/^[\w./@%+:,=-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`);

function command(text) {
  const button = element("button", {type: "button", "aria-label": "Copy the command", onclick: () => copy(text, button)}, "copy");
  return element("div", {class: "command"}, element("pre", {}, text), button);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    /* a page opened from a file may not use the clipboard interface */
    const field = element("textarea", {style: "position:fixed;opacity:0"});
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "copied";
  setTimeout(() => {
    button.textContent = "copy";
  }, 1200);
}

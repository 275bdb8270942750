// Another study to compare with: its table transfer.csv is read by the browser and goes nowhere.

let otherStudy = null;

// Records of comma-separated text, each an array of fields, which may be quoted.
function records(text) {
  const lines = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n").split("\n");
  const found = [];
  for (let at = 0; at < lines.length; at++) {
    let line = lines[at];
    if (!line) continue;
    if (!line.includes('"')) {
      found.push(line.split(","));
      continue;
    }
    // A field that is open at the end of a line goes on in the next.
    while ((line.match(/"/g).length & 1) && at + 1 < lines.length) line += "\n" + lines[++at];
    found.push([...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => (quoted === undefined ? plain : quoted.replace(/""/g, '"'))));
  }
  return found;
}

// The columns of a table that are asked for, as far as it has them: [{column: text}, ...].
function rowsOf([head = [], ...body], wanted) {
  const places = wanted.filter(name => head.includes(name)).map(name => [name, head.indexOf(name)]);
  return body.map(fields => Object.fromEntries(places.map(([name, place]) => [name, fields[place] ?? ""])));
}

const NEEDED = ["source", "target", "seed"];
const READ = [...NEEDED, "study", "protocol", "method", "chance", "score", "raw"];

// A study out of the rows of its table. Errors are sentences.
function studyOf(rows, file) {
  const columns = Object.keys(rows[0] || {});
  const lacking = NEEDED.filter(name => !columns.includes(name));
  const scored = ["score", "raw"].find(name => columns.includes(name));
  if (!scored) lacking.push("score");
  if (lacking.length) throw new Error(`${file} has no column ${list(lacking)}; choose the file transfer.csv in the folder tables of a study.`);
  const groups = {};
  for (const row of rows) ((groups[row.protocol || ""] ||= {})[row.method || ""] ||= []).push(row);
  const tasks = [...new Set(rows.map(row => row.target))];
  const both = DATA.tasks.filter(task => tasks.includes(task.name));
  if (!both.length) throw new Error(`${file} has none of the tasks of this page; tasks are matched by their names.`);
  const matrices = {};
  const pick = ({protocol, method}) => {
    const own = protocol in groups ? protocol : Object.keys(groups)[0];
    return [own, method in groups[own] ? method : Object.keys(groups[own])[0]];
  };
  return {
    title: rows[0].study && rows[0].study !== DATA.study ? `study ${rows[0].study}` : `the study in ${file}`,
    // Tasks that one of the two lacks, in words.
    unmatched() {
      const [here, other] = [DATA.tasks.filter(task => !tasks.includes(task.name)).map(task => task.title), tasks.filter(name => !isTask(name))];
      return (here.length ? ` Only here: ${list(here)}.` : "") + (other.length ? ` Only there: ${list(other)}.` : "");
    },
    said: chosen => pick(chosen).filter(Boolean).map((one, index) => (index ? methodTitle(one) : one)).reverse().join(", ") + " there",
    view(chosen) {
      const name = pick(chosen).join("/");
      matrices[name] ||= matrixOfRows(groups[pick(chosen)[0]][pick(chosen)[1]], scored);
      return foreignView(matrices[name], chosen);
    },
  };
}

// To as many digits as the page has of its own numbers, so that what is the same differs by nothing.
const asKept = number => Number(number.toPrecision(5));

// Scores as the page has those of its own matrices: tasks in the page's order, then rows that are no tasks.
function matrixOfRows(rows, scored) {
  const names = DATA.tasks.map(task => task.name);
  const sources = [...names, ...new Set(rows.map(row => row.source).filter(name => !isTask(name)))];
  const line = Object.fromEntries(sources.map((name, index) => [name, index]));
  const seeds = {};
  const chance = names.map(() => null);
  for (const row of rows) {
    if (!isTask(row.target)) continue;
    const scores = (seeds[row.seed] ||= sources.map(() => names.map(() => null)));
    const column = TASKS[row.target].index;
    const score = row[scored] === "" ? NaN : Number(row[scored]);
    scores[line[row.source]][column] = isNumber(score) ? asKept(score) : null;
    if (row.chance) chance[column] = Number(row.chance);
  }
  const template = line.template;
  const zero = names.map((_, column) => (template === undefined ? null : mean(there(Object.values(seeds).map(scores => scores[template][column])))));
  return {sources, seeds, zero_shot: zero, chance};
}

const NOTHING = {values: [], rows: {}};

// Means over seeds, as views are.
function meansOf({sources, seeds}) {
  const means = sources.map((_, line) => DATA.tasks.map((_, column) => there(Object.values(seeds).map(scores => scores[line][column]))).map(found => (found.length ? asKept(mean(found)) : null)));
  return {values: means.slice(0, DATA.tasks.length), rows: Object.fromEntries(sources.slice(DATA.tasks.length).map((name, place) => [name, means[DATA.tasks.length + place]]))};
}

async function readOther(file) {
  const say = text => {
    fill("compare-error", text);
    document.getElementById("compare-error").hidden = !text;
  };
  say("");
  if (!file) return;
  try {
    otherStudy = studyOf(rowsOf(records(await file.text()), READ), file.name);
    set({compare: "study"});
    sections.redraw(["compare"]);
  } catch (error) {
    say(error.message);
  }
}

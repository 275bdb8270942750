// The rows and columns of the matrix: tasks in the chosen order or sorted by a label, families folded to one line, rows that are no tasks.

const FAMILY = "family:"; // before the name of a family that stands for its tasks
const isFamily = name => name.startsWith(FAMILY);
const familyOf = name => (isTask(name) ? TASKS[name].family || "" : "");
const membersOf = name =>
  isFamily(name) ? SUMMARY.order.filter(task => familyOf(task) === name.slice(FAMILY.length)) : [name];
const lineTitle = name => (isFamily(name) ? `${name.slice(FAMILY.length)} (${membersOf(name).length} tasks)` : title(name));

// Each folded family once, where the first of its tasks stands.
function folded(names) {
  const families = listed(state.folded);
  return [...new Set(names.map(name => (families.includes(familyOf(name)) ? FAMILY + familyOf(name) : name)))];
}

// By one column (largest first) or row of the matrix, or backwards; lines without a value last.
function sorted(names, line, value) {
  const [, back, by, name] = /^(-?)(row|column):(.*)$/s.exec(state.sort || "") || [];
  const known = by === line && (isTask(name) ? !listed(state.folded).includes(familyOf(name)) : line === "row");
  if (!known) return names;
  const key = Object.fromEntries(names.map(one => [one, line === "row" ? value(name, one) : value(one, name)]));
  const sign = back ? -1 : 1;
  return [...names].sort((a, b) => isNumber(key[b]) - isNumber(key[a]) || (isNumber(key[a]) ? sign * (key[b] - key[a]) : 0));
}

// A label's way through sorting: largest first, smallest first, the chosen order again.
function sortBy(line, name) {
  const own = `${line}:${name}`;
  set({sort: state.sort === own ? `-${own}` : state.sort === `-${own}` ? null : own});
}

// Names of the rows that are tasks or families, of those below them, and of columns. value: (source, target) -> number or null; below: the
// rows that are no tasks.
function lines(value, below) {
  const names = folded(ordered());
  return {rows: sorted(names, "column", value), below, columns: sorted(names, "row", value)};
}

// The mean over a line's tasks, a task with itself aside unless it is asked for itself; null where none has a value.
function meanOf(sources, targets, one) {
  if (sources.length === 1 && targets.length === 1) return one(sources[0], targets[0]);
  const found = [];
  for (const source of sources)
    for (const target of targets) {
      const number = source === target ? null : one(source, target);
      if (isNumber(number)) found.push(number);
    }
  return mean(found);
}

// Whether a line is looked for: by its title, its name, or its family.
function found(name) {
  const wanted = state.search.trim().toLowerCase();
  return Boolean(wanted) && [lineTitle(name), name, familyOf(name), ...(isFamily(name) ? membersOf(name).map(title) : [])].some(text => text.toLowerCase().includes(wanted));
}

// Who helps whom: what is left of a matrix when what each source gives and each target receives is taken away, over pairs of different
// tasks (the social relations model; analysis/statistics/relations.py).

const FEWEST_TASKS = 4,
  MOST_ROUNDS = 2000,
  SETTLED = 1e-10;

// values: n rows of n numbers or null; the same with null where nothing can be told.
function relationships(values) {
  const keep = usable(values);
  const left = values.map(row => row.map(() => null));
  if (keep.length < FEWEST_TASKS) return left;
  const [gives, gets] = effects(values, keep);
  for (const s of keep) for (const t of keep) if (s !== t && isNumber(values[s][t])) left[s][t] = values[s][t] - gives[s] - gets[t];
  return left;
}

// Numbers of the tasks that have two or more cells among themselves, as source and as target.
function usable(values) {
  let keep = values.map((_, index) => index);
  for (;;) {
    const enough = keep.filter(one => {
      const cells = of => keep.filter(other => other !== one && isNumber(of(other))).length;
      return cells(other => values[one][other]) >= 2 && cells(other => values[other][one]) >= 2;
    });
    if (enough.length === keep.length) return keep;
    keep = enough;
  }
}

// Least squares by turns: the mean of what is left of each row, then of each column, until nothing moves; the overall mean is in the rows.
function effects(values, keep) {
  const gives = values.map(() => 0);
  const gets = values.map(() => 0);
  const cells = keep.map(s => keep.filter(t => s !== t && isNumber(values[s][t])));
  const columns = keep.map(t => keep.filter(s => s !== t && isNumber(values[s][t])));
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let moved = 0;
    const settle = (effect, one, lines, left) => {
      let sum = 0;
      for (const other of lines) sum += left(other);
      moved = Math.max(moved, Math.abs(sum / lines.length - effect[one]));
      effect[one] = sum / lines.length;
    };
    keep.forEach((s, place) => settle(gives, s, cells[place], t => values[s][t] - gets[t]));
    keep.forEach((t, place) => settle(gets, t, columns[place], s => values[s][t] - gives[s]));
    if (moved < SETTLED) break;
  }
  return [gives, gets];
}

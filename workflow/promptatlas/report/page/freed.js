// What is left of a matrix when how much each source gives and how easy each target is are taken away.

const FEWEST_TASKS = 4;

// rows: an array of n arrays of n numbers or null; the same of what is left, by least squares over the pairs of different tasks that are
// there; null on the diagonal, where nothing is, and everywhere if fewer than four tasks have two pairs as source and as target.
function freed(rows) {
  const n = rows.length;
  let kept = rows.map((_, index) => index);
  const cells = (line, column) => line !== column && isNumber(rows[line][column]);
  for (;;) {
    const enough = kept.filter(one => kept.filter(other => cells(one, other)).length > 1 && kept.filter(other => cells(other, one)).length > 1);
    if (enough.length === kept.length) break;
    kept = enough;
  }
  const left = rows.map(row => row.map(() => null));
  if (kept.length < FEWEST_TASKS) return left;
  const pairs = kept.flatMap(line => kept.filter(column => cells(line, column)).map(column => [line, column]));
  const rest = pairs.map(([line, column]) => rows[line][column]);
  const size = Math.max(...rest.map(Math.abs), 1e-300);
  for (let round = 0; round < 2000; round++) {
    let moved = 0;
    for (const side of [0, 1]) {
      const [sum, count] = [new Float64Array(n), new Float64Array(n)];
      pairs.forEach((pair, index) => {
        sum[pair[side]] += rest[index];
        count[pair[side]] += 1;
      });
      pairs.forEach((pair, index) => {
        rest[index] -= sum[pair[side]] / count[pair[side]];
      });
      for (const one of kept) moved = Math.max(moved, Math.abs(sum[one] / count[one]));
    }
    if (moved < 1e-12 * size) break;
  }
  pairs.forEach(([line, column], index) => {
    left[line][column] = rest[index];
  });
  return left;
}

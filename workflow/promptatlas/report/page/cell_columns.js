// What there is to tell of cells, out of the columns of bytes in which the page holds it (`cell_columns.py`).

// source -> target -> {classes, seeds, confused, rest, images, right, given, marks}, as far as a cell has them.
function cellsOf(bytes) {
  const start = 4 + new DataView(bytes.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start)));
  const cells = Object.fromEntries(head.sources.map(source => [source, {}]));
  let at = start;
  for (const [kind, place, rows, width, count] of head.columns) {
    const sources = rows ? rows.map(row => head.sources[row]) : head.sources;
    const planes = Array.from({length: width}, (_, plane) => at + plane * sources.length * count);
    at += width * sources.length * count;
    sources.forEach((source, row) => {
      const numbers = Array.from({length: count}, (_, number) => numberAt(bytes, planes, number * sources.length + row));
      const cell = (cells[source][head.targets[place]] ||= {});
      FROM_NUMBERS[kind](cell, numbers, head, head.classes[place]);
    });
  }
  return cells;
}

// A number whose bytes lie in several planes, the lowest first; null where all its bits are set.
function numberAt(bytes, planes, place) {
  let [number, weight] = [0, 1];
  for (const plane of planes) {
    number += weight * bytes[plane + place];
    weight *= 256;
  }
  return number === weight - 1 ? null : number;
}

const plainly = kind => (cell, numbers) => (cell[kind] = numbers);
const single = kind => (cell, [number]) => (cell[kind] = number);
const hashes = which => (cell, bytes, {seeds}) => {
  const count = bytes.length / seeds.length;
  cell.marks ||= {};
  seeds.forEach((seed, index) => {
    const own = bytes.slice(index * count, (index + 1) * count).filter(isNumber);
    (cell.marks[seed] ||= ["", ""])[which] = own.map(byte => byte.toString(16).padStart(2, "0")).join("");
  });
};

// How the numbers of a column become what a cell says; what is given how often is told as less than the next one is.
const FROM_NUMBERS = {
  classes: plainly("classes"),
  seeds: single("seeds"),
  confused: (cell, numbers, _, classes) => (cell.confused = numbers.filter(isNumber).map(code => [Math.floor(code / classes), code % classes, 0])),
  times: (cell, numbers) => {
    let times = 0;
    for (let place = cell.confused.length - 1; place >= 0; place--) cell.confused[place][2] = times += numbers[place];
  },
  rest: single("rest"),
  images: (cell, numbers) => (cell.images = numbers.map(number => number / 10)),
  right: plainly("right"),
  given: plainly("given"),
  fingerprints: hashes(0),
  prompts: hashes(1),
};

// Inflates what is deflated (RFC 1951), at once: the page's data are needed before anything is drawn, and the browser's own way is to wait.

const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;
// The shortest length, or the nearest distance, of each code, and how many bits are added: `step` codes have as many as the one before.
function ranges(count, first, step) {
  const [least, extra] = [[], []];
  let at = first;
  for (let code = 0; code < count; code++) {
    extra[code] = Math.max(Math.floor(code / step) - 1, 0);
    least[code] = at;
    at += 2 ** extra[code];
  }
  return {least, extra};
}
const LENGTHS_OF_COPIES = ranges(28, 3, 4);
LENGTHS_OF_COPIES.least[28] = 258;
LENGTHS_OF_COPIES.extra[28] = 0;
const DISTANCES_OF_COPIES = ranges(30, 1, 2);

// Symbols by the lengths of their codes: how many codes have each length, and the symbols in the order of their codes.
function codesOf(lengths) {
  const counts = new Uint16Array(LONGEST_CODE + 1);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  const places = new Uint16Array(LONGEST_CODE + 2);
  for (let length = 1; length <= LONGEST_CODE; length++) places[length + 1] = places[length] + counts[length];
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length) symbols[places[length]++] = symbol;
  });
  return {counts, symbols};
}

// size: of what comes out, in bytes.
function inflate(given, size) {
  const out = new Uint8Array(size);
  let [read, bits, held, written] = [0, 0, 0, 0];
  const take = count => {
    while (held < count) {
      bits |= given[read++] << held;
      held += 8;
    }
    const value = bits & ((1 << count) - 1);
    bits >>>= count;
    held -= count;
    return value;
  };
  const symbol = ({counts, symbols}) => {
    let [code, first, place] = [0, 0, 0];
    for (let length = 1; length <= LONGEST_CODE; length++) {
      if (!held) {
        bits = given[read++];
        held = 8;
      }
      code |= bits & 1;
      bits >>>= 1;
      held--;
      const count = counts[length];
      if (code - first < count) return symbols[place + code - first];
      place += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Error("The data of this page are damaged.");
  };
  const stored = () => {
    [bits, held] = [0, 0];
    const count = given[read] + 256 * given[read + 1];
    out.set(given.subarray(read + 4, read + 4 + count), written);
    read += 4 + count;
    written += count;
  };
  const copied = (literals, distances) => {
    for (let code = symbol(literals); code !== 256; code = symbol(literals)) {
      if (code < 256) {
        out[written++] = code;
        continue;
      }
      const length = LENGTHS_OF_COPIES.least[code - 257] + take(LENGTHS_OF_COPIES.extra[code - 257]);
      const far = symbol(distances);
      const distance = DISTANCES_OF_COPIES.least[far] + take(DISTANCES_OF_COPIES.extra[far]);
      for (const end = written + length; written < end; written++) out[written] = out[written - distance];
    }
  };
  const fixed = () => copied(codesOf(Array.from({length: 288}, (_, one) => (one < 144 ? 8 : one < 256 ? 9 : one < 280 ? 7 : 8))), codesOf(Array(30).fill(5)));
  const described = () => {
    const [literals, distances, count] = [take(5) + 257, take(5) + 1, take(4) + 4];
    const own = Array(19).fill(0);
    for (let place = 0; place < count; place++) own[CODE_ORDER[place]] = take(3);
    const codes = codesOf(own);
    const lengths = [];
    while (lengths.length < literals + distances) {
      const code = symbol(codes);
      if (code < 16) lengths.push(code);
      else {
        const [again, times] = code === 16 ? [lengths.at(-1), 3 + take(2)] : [0, code === 17 ? 3 + take(3) : 11 + take(7)];
        for (let time = 0; time < times; time++) lengths.push(again);
      }
    }
    copied(codesOf(lengths.slice(0, literals)), codesOf(lengths.slice(literals)));
  };
  for (let last = 0; !last; ) {
    last = take(1);
    [stored, fixed, described][take(2)]();
  }
  return out;
}

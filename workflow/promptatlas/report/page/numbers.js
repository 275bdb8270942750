// Numbers as text, and small sums over those that are there.

const there = numbers => numbers.filter(one => one !== null && one !== undefined && Number.isFinite(one));
const mean = numbers => (numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : null);
const minus = text => text.replace(/-/g, "\u2212");
const isNumber = number => typeof number === "number" && Number.isFinite(number);
const show = (number, digits = 2) => (isNumber(number) ? minus(unsigned(number.toFixed(digits))) : "\u2013");
const precise = number => (isNumber(number) ? minus(String(Number(number.toPrecision(3)))) : "\u2013");
const unsigned = text => (Number(text) === 0 ? text.replace("-", "") : text);
const signed = (number, digits = 1) =>
  isNumber(number) ? (Number(number.toFixed(digits)) > 0 ? "+" : "") + show(number, digits) : "\u2013";
const percent = (number, digits = 0) => (isNumber(number) ? show(100 * number, digits) + "\u202f%" : "\u2013");
// p in tables, and with its name in sentences; never as 0, which no p is.
const FINEST_P = 0.0001;
const pText = p => (!isNumber(p) ? "\u2013" : p < FINEST_P ? `< ${FINEST_P}` : p.toFixed(p < 0.001 ? 4 : p < 0.095 ? 3 : 2));
const pIs = p => (isNumber(p) && p < FINEST_P ? `p ${pText(p)}` : `p = ${pText(p)}`);

// A value of a view as text, short for a cell of the heatmap or long for words.
function viewText(number, view = shownView(), long = false) {
  if (!isNumber(number)) return long ? "missing" : "";
  const {unit, digits, diverging} = viewWords(view);
  if (isNumber(digits) && unit !== "%") {
    const text = (diverging ? signed : show)(number, digits + (long ? 1 : 0));
    return long && unit ? `${text} ${unit}` : text;
  }
  if (unit === "%") return long ? percent(number, 1) : show(100 * number, 0);
  if (unit === "points") return signed(number, long ? 1 : 0) + (long ? " points" : "");
  return signed(number, long ? 2 : 1) + (long ? ` ${unit}` : "");
}

// A quantile, linear between the two numbers that are next to it; 0 of nothing.
function quantile(numbers, share) {
  if (!numbers.length) return 0;
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// Nodes of the page, and tables of them.

function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "text", "line", "circle", "path", "polyline", "pattern", "defs", "title", "marker", "image"].includes(
    tag,
  );
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, one] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), one);
    else if (one !== null && one !== undefined && one !== false) node.setAttribute(name, one === true ? "" : one);
  }
  node.append(...children.flat(2).filter(child => child !== null && child !== undefined).map(child => (svg ? child : unparted(child))));
  return node;
}

const fill = (id, ...children) =>
  document.getElementById(id).replaceChildren(...children.flat(2).filter(one => one !== null).map(unparted));

// Text whose numbers are not parted from their % at the end of a line.
const unparted = child => (typeof child === "string" ? child.replace(/(\d) %/g, "$1\u202f%") : child);

// A sentence, in which what is to be typed stands between `, as nodes and text.
const withCode = sentence => sentence.split(/`([^`]+)`/).map((part, place) => (place % 2 ? element("code", {}, part) : part));

// A section that has nothing to show disappears together with its entry in the navigation.
function hide(section, hidden) {
  document.getElementById(section).hidden = hidden;
  document.querySelector(`nav a[href="#${section}"]`).hidden = hidden;
}

const [SHORT_WORDS, LONG_WORDS] = [12, 40]; // letters; columns of longer ones keep some width where it is scarce

function headOf(text, longest, numeric) {
  const width = numeric ? text.length > SHORT_WORDS && "worded" : longest > LONG_WORDS ? "sentences" : longest > SHORT_WORDS && "names";
  return [numeric && "n", width].filter(Boolean).join(" ") || null;
}

// A cell of a table that is written as `shown` (a string or a node) and has one number, or several by name ("low", "high"; "" is the cell's
// own), which files for programs have in full. Shares, which are written in %, are numbers of 0 to 1 there.
function exact(shown, numbers) {
  const named = Object.entries(isNumber(numbers) ? {"": numbers} : numbers || {}).filter(([, one]) => typeof one === "string" || isNumber(one));
  return named.some(([, one]) => isNumber(one)) ? {shown, exact: JSON.stringify(Object.fromEntries(named))} : shown;
}

// A table from a head (strings) and rows of cells (strings, nodes, numbers, or what `exact` gives); columns named in `numeric` stand right.
function table(head, rows, numeric = [], caption = null) {
  const written = cell => (cell && cell.exact ? cell.shown : cell);
  const letters = cell => (written(cell) instanceof Node ? written(cell).textContent : `${written(cell) ?? ""}`).length;
  const longest = head.map((_, index) => Math.max(0, ...rows.map(row => letters(row[index]))));
  const side = index => (numeric.includes(index) ? {class: "n"} : {});
  return element(
    "table",
    {},
    caption ? element("caption", {class: "quiet"}, element("span", {}, caption)) : null,
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        head.map((text, index) => (text ? element("th", {scope: "col", class: headOf(text, longest[index], numeric.includes(index))}, text) : element("td"))),
      ),
    ),
    element(
      "tbody",
      {},
      rows.map(row =>
        element(
          "tr",
          {},
          row.map((cell, index) => (cell && cell.exact ? element("td", {...side(index), "data-exact": cell.exact}, cell.shown) : element("td", side(index), cell))),
        ),
      ),
    ),
  );
}

// A name that may be broken after its signs and not within its words.
const breakable = name => name.split(/(?<=[_/.-])/).flatMap((part, place) => (place ? [element("wbr"), part] : [part]));

// What is there for who asks for it.
const more = (head, ...content) => element("details", {}, element("summary", {}, head), ...content);

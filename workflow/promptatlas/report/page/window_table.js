// A table of many rows of which only those in sight are in the page: sorted by its heads, narrowed by a field below each.

const ROW_HEIGHT = 30,
  BEYOND = 12;

// columns: [{name, title, numeric, keys, text(row), filter}] with `keys` the numbers that sort (NaN is last), and `filter` "text", "number",
// [[value, words], ...] or null; open(row) is called for a chosen row; changed({sorted, where}) when a head or a field is used.
function windowTable({label, columns, open, rowWords, changed}) {
  const body = element("tbody");
  const heads = columns.map(column =>
    element("th", {scope: "col", class: column.numeric ? "n" : null, "aria-sort": "none"},
      element("button", {type: "button", class: "link", onclick: () => changed({sorted: nextOrder(shown.sorted, column)})}, column.title)),
  );
  const fields = columns.map(column => filterField(column, () => changed({where: wheresText(columns, fields)})));
  const grid = element("table", {"aria-label": label},
    element("colgroup", {}, columns.map(column => element("col", {class: column.numeric || Array.isArray(column.filter) ? null : "names"}))),
    element("thead", {}, element("tr", {"aria-rowindex": 1}, heads), element("tr", {"aria-rowindex": 2}, fields.map(one => element("td", {}, one)))),
    body,
  );
  const box = element("div", {class: "window", tabindex: 0, role: "region", "aria-label": label, onscroll: () => draw(false)}, grid);
  let shown = {rows: [], sorted: null};
  let [first, last] = [-1, -1];

  function draw(anew) {
    const height = box.clientHeight || 20 * ROW_HEIGHT;
    const from = Math.max(0, Math.floor(box.scrollTop / ROW_HEIGHT) - BEYOND);
    const to = Math.min(shown.rows.length, Math.ceil((box.scrollTop + height) / ROW_HEIGHT) + BEYOND);
    if (!anew && from === first && to === last) return;
    [first, last] = [from, to];
    const space = rows => element("tr", {"aria-hidden": "true", class: "space"}, element("td", {colspan: columns.length, style: `height:${rows * ROW_HEIGHT}px`}));
    const kept = box.contains(document.activeElement) && document.activeElement.closest("tbody tr");
    const focused = kept ? kept.getAttribute("aria-rowindex") : null;
    body.replaceChildren(
      ...(from ? [space(from)] : []),
      ...shown.rows.slice(from, to).map((row, index) => drawRow(row, from + index)),
      ...(to < shown.rows.length ? [space(shown.rows.length - to)] : []),
    );
    if (focused) body.querySelector(`[aria-rowindex="${focused}"] button`)?.focus({preventScroll: true});
  }

  function drawRow(row, place) {
    const cells = columns.map((column, index) => {
      const text = column.text(row);
      return element("td", column.numeric ? {class: "n"} : {title: text},
        index ? text : element("button", {type: "button", class: "link"}, text, element("span", {class: "unseen"}, rowWords(row))));
    });
    return element("tr", {"aria-rowindex": place + 3, onclick: () => open(row)}, cells);
  }

  // What files have of the table: every row that passes, not only those in sight; in full with the names and units of tables.
  box.everyRow = inFull => ({
    head: columns.map(column => (inFull ? column.name : column.title)),
    rows: shown.rows.map(row => columns.map(column => (inFull ? {"": column.raw(row)} : column.text(row)))),
  });
  return {
    node: box,
    // Rows in their order, and by which column they are sorted: {column, down}.
    show(rows, sorted, where) {
      shown = {rows, sorted};
      grid.setAttribute("aria-rowcount", rows.length + 2);
      heads.forEach((head, index) => {
        const own = sorted && sorted.column === columns[index].name;
        head.setAttribute("aria-sort", own ? (sorted.down ? "descending" : "ascending") : "none");
      });
      fields.forEach((field, index) => {
        if (field && field !== document.activeElement) field.value = where[columns[index].name] || "";
      });
      box.scrollTop = 0;
      draw(true);
    },
  };
}

function filterField(column, change) {
  if (!column.filter) return null;
  const label = {"aria-label": `Only rows whose ${column.title} is`};
  if (Array.isArray(column.filter))
    return element("select", {...label, onchange: change}, element("option", {value: ""}, "any"), column.filter.map(([value, words]) => element("option", {value}, words)));
  return element("input", {...label, type: "search", size: 4, oninput: change, placeholder: column.filter === "number" ? "\u2265 0" : "has"});
}

// A first click on a head of numbers puts the largest first, on one of names the first of the alphabet; a second turns it round.
function nextOrder(sorted, column) {
  const again = sorted && sorted.column === column.name;
  return `${column.name}:${(again ? sorted.down : !column.numeric) ? "up" : "down"}`;
}

// What is asked of columns, as one text for the address: name=words, one per line.
const wheresText = (columns, fields) =>
  columns.map((column, index) => [column.name, fields[index] ? fields[index].value.trim() : ""]).filter(one => one[1]).map(one => one.join("=")).join("\n") || null;
const wheresOf = text => Object.fromEntries((text || "").split("\n").filter(Boolean).map(line => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
const sortedOf = text => (text ? {column: text.split(":")[0], down: text.endsWith(":down")} : null);

// What a number is asked to be: ">=5", "<0.05", "5..10", or 5 for at least 5; null where the words say nothing.
function numberTest(words) {
  const text = words.replace(/\u2212/g, "-").replace(/\u2265/g, ">=").replace(/\u2264/g, "<=").replace(/[%\s]/g, "");
  const between = /^(-?[\d.]+)\.\.(-?[\d.]+)$/.exec(text);
  if (between) return number => number >= Number(between[1]) && number <= Number(between[2]);
  const found = /^(>=|<=|>|<|=)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)$/i.exec(text);
  if (!found) return null;
  const edge = Number(found[2]);
  return {">=": one => one >= edge, ">": one => one > edge, "<=": one => one <= edge, "<": one => one < edge, "=": one => one === edge}[found[1] || ">="];
}

// The rows that pass: `text` in any of the columns of names, and what is asked of each column.
function rowsThatPass(columns, count, text, where) {
  const words = text.trim().toLowerCase();
  const named = columns.filter(column => column.names);
  const holding = (column, wanted) => column.names.map(name => name.toLowerCase().includes(wanted));
  const tests = [];
  for (const column of columns) {
    const wanted = where[column.name];
    if (!wanted) continue;
    if (column.names) {
      const chosen = Array.isArray(column.filter) ? column.ids.map(id => id === wanted) : holding(column, wanted.toLowerCase());
      tests.push(row => chosen[column.places[row]]);
    } else {
      const test = numberTest(wanted);
      if (test) tests.push(row => test((column.scale || 1) * column.keys[row]));
    }
  }
  if (words) {
    const parts = words.split(/\s+/).map(part => named.map(column => [column.places, holding(column, part)]));
    tests.push(row => parts.every(each => each.some(([places, has]) => has[places[row]])));
  }
  const rows = [];
  for (let row = 0; row < count; row++) if (tests.every(test => test(row))) rows.push(row);
  return rows;
}

// `rows` by the keys of a column; what has none is last either way.
function sortRows(rows, column, down) {
  if (!column) return rows;
  const {keys} = column;
  const sign = down ? -1 : 1;
  return rows.sort((a, b) => {
    const [one, other] = [keys[a], keys[b]];
    if (one === other) return a - b;
    if (one !== one) return other !== other ? a - b : 1;
    if (other !== other) return -1;
    return one < other ? -sign : sign;
  });
}

// Tables as text for other programs. A table is {title, notes, head, rows}: texts and numbers, as many in each row as in the head.

// Typography is for readers: programs read a hyphen as minus, and plain spaces.
const typed = one => (one === null || one === undefined ? "" : String(one).replace(/\u2212/g, "-").replace(/[\u202f\u00a0]/g, " "));
const onOneLine = one => (one === null || one === undefined ? "" : String(one)).replace(/\s*[\r\n]+\s*/g, " ").trim();

function asCsv({head, rows}) {
  const cell = one => (/[",\r\n]/.test(typed(one)) ? `"${typed(one).replace(/"/g, '""')}"` : typed(one));
  return [head, ...rows].map(line => line.map(cell).join(",")).join("\n") + "\n";
}

// Columns of which most cells are numbers, with what may stand around them; these stand to the right.
const NUMERIC = /^[+\-\u2212<\u2264\u2265]?\s*\d[\d.,]*\s*%?$/;
const numericColumns = ({head, rows}) => {
  const isNumeric = one => typeof one === "number" || NUMERIC.test(onOneLine(one));
  return head.map((_, column) => rows.filter(row => isNumeric(row[column])).length > rows.length / 2);
};

// As in GitHub's dialect; a backslash before any mark that could mean something.
function asMarkdown(table) {
  const {title, notes, head, rows} = table;
  const text = one => onOneLine(one).replace(/[\\`*_[\]<>|~$#&]/g, "\\$&");
  const line = cells => `| ${cells.join(" | ")} |`;
  const sides = numericColumns(table).map(right => (right ? "---:" : "---"));
  const body = [line(head.map(text)), line(sides), ...rows.map(row => line(row.map(text)))];
  return [title && `**${text(title)}**`, body.join("\n"), notes && text(notes)].filter(Boolean).join("\n\n") + "\n";
}

const LATEX = {
  "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}", "|": "\\textbar{}", "<": "\\textless{}", ">": "\\textgreater{}", "\u2212": "$-$", "\u2192": "$\\rightarrow$",
  "\u2264": "$\\leq$", "\u2265": "$\\geq$", "\u00d7": "$\\times$", "\u00b1": "$\\pm$", "\u2013": "--", "\u2014": "---", "\u2026": "\\ldots{}",
  "\u2018": "`", "\u2019": "'", "\u201c": "``", "\u201d": "''", "\u202f": "\\,", "\u00a0": "~", "\u2020": "\\textdagger{}",
};
const BEYOND_PDFLATEX = /[^\u0000-\u024f]/u;
const OTHER_ENGINE = "% Has letters that pdfLaTeX does not know: use XeLaTeX or LuaLaTeX, and a font that has them.\n";

// Without packages. A row must not begin with what a line break takes for its own argument.
function asLatex(table) {
  const {title, notes, head, rows} = table;
  const text = one => [...onOneLine(one)].map(letter => LATEX[letter] || letter).join("");
  const line = cells => `${cells.map(text).join(" & ").replace(/^[[*]/, "{}$&")} \\\\`;
  const columns = numericColumns(table).map(right => (right ? "r" : "l")).join("");
  const body = [line(head), "\\hline", ...rows.map(line)];
  const caption = [title, notes].filter(Boolean).map(one => text(one).replace(/([^.!?])$/, "$1.")).join(" ");
  const all = ["\\begin{table}", `\\caption{${caption}}`, `\\begin{tabular}{${columns}}`, "\\hline", ...body, "\\hline", "\\end{tabular}", "\\end{table}", ""];
  return (BEYOND_PDFLATEX.test(all.join("")) ? OTHER_ENGINE : "") + all.join("\n");
}

// The shown matrix: numbers as they are for CSV, as they stand in cells for texts that are read.
function matrixTable(exact) {
  const now = shown();
  const number = (source, target) => now.value(source, target);
  const words = (source, target) => (isNumber(number(source, target)) ? now.short(number(source, target)) : now.words(source, target));
  const name = exact ? one => one : lineTitle;
  return {
    title: titleWithUnit(now),
    notes: figureNotes().join(" "),
    head: [exact ? "source" : "source \\ target", ...now.columns.map(name)],
    rows: now.rows.map(source => [name(source), ...now.columns.map(target => (exact ? number(source, target) : words(source, target)))]),
  };
}

// A table of the page as it stands there, or with its numbers in full: cells of several numbers become columns of their own.
function readTable(node, inFull = false) {
  const words = cell => onOneLine(cell.textContent);
  const numbers = cell => (cell.dataset.exact ? JSON.parse(cell.dataset.exact) : words(cell) === "\u2013" ? {} : {"": words(cell)});
  const cells = (row, read, none) => [...row.cells].flatMap(cell => [read(cell), ...Array(cell.colSpan - 1).fill(none)]);
  const {head, rows} = node.closest(".window") ? node.closest(".window").everyRow(inFull) : {
    head: cells(node.rows[0], words, ""),
    rows: [...node.rows].slice(1).map(row => (inFull ? cells(row, numbers, {}) : cells(row, words, ""))),
  };
  const width = Math.max(head.length, ...rows.map(row => row.length));
  const whole = (row, none) => [...row, ...Array(width - row.length).fill(none)];
  const caption = node.querySelector("caption");
  const table = {title: partTitle(node), notes: [caption && caption.textContent, ...figureNotes()].filter(Boolean).join(" "), head: whole(head, "")};
  return inFull ? {...table, ...inColumns(table.head, rows.map(row => whole(row, {})))} : {...table, rows: rows.map(row => whole(row, ""))};
}

// Rows of {name: number or text, ...} as columns, one for each name: "gain", "gain, low", "gain, high".
function inColumns(head, rows) {
  const names = head.map((_, column) => [...new Set(["", ...rows.flatMap(row => Object.keys(row[column]))])]);
  const kept = names.map((all, column) => (all.length > 1 && rows.every(row => !("" in row[column])) ? all.slice(1) : all));
  return {
    head: head.flatMap((text, column) => kept[column].map(name => [text, name].filter(Boolean).join(", "))),
    rows: rows.map(row => row.flatMap((cell, column) => kept[column].map(name => cell[name] ?? ""))),
  };
}

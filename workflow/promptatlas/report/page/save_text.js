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

// A table of the page as it stands there.
function readTable(node) {
  const cells = row => [...row.cells].flatMap(cell => [onOneLine(cell.textContent), ...Array(cell.colSpan - 1).fill("")]);
  const [top, ...more] = [...node.rows].map(cells);
  const width = Math.max(top.length, ...more.map(row => row.length));
  const whole = row => [...row, ...Array(width - row.length).fill("")];
  const caption = node.querySelector("caption");
  return {title: partTitle(node), notes: [caption && caption.textContent, ...figureNotes()].filter(Boolean).join(" "), head: whole(top), rows: more.map(whole)};
}

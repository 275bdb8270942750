// What is shown, as files: each part of the page can be saved as a figure and its tables as text. Names of files say what is in them.

const slug = text => text.trim().replace(/[^\p{L}\p{N}.+-]+/gu, "_").replace(/^_+|_+$/g, "").slice(0, 60);
function chosenSlugs() {
  const first = settled({protocol: state.protocol, method: state.method}).baseline;
  const over = state.baseline !== first && `over ${state.baseline}`;
  return [DATA.study, state.protocol, state.method, state.view, over, state.compare && `less ${state.compare}`, state.seeds && `seeds ${listed(state.seeds).join("+")}`];
}
const fileName = (what, kind) => `${[...chosenSlugs(), what].filter(Boolean).map(slug).join("-")}.${kind}`;

function download(name, content, type) {
  const link = element("a", {href: URL.createObjectURL(new Blob([content], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const svgSource = svg => new XMLSerializer().serializeToString(svg);

const SHARP = 2; // pixels of a PNG per pixel of the drawing

async function asPng(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgSource(svg))}`;
  await image.decode();
  const canvas = element("canvas", {width: SHARP * image.width, height: SHARP * image.height});
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise(done => canvas.toBlob(done, "image/png"));
}

// A document of one page that is as large as the figure: the browser's own print keeps letters as letters, in any script.
function printDocument(svg, name) {
  const [width, height] = ["width", "height"].map(side => svg.getAttribute(side));
  const style = `@page{size:${width}px ${height}px;margin:0}html,body{margin:0;background:#fff}svg{display:block;print-color-adjust:exact;-webkit-print-color-adjust:exact}`;
  return `<!doctype html><meta charset="utf-8"><title>${name.replace(/[<&]/g, " ")}</title><style>${style}</style>${svgSource(svg)}`;
}

function printAlone(svg, name) {
  const frame = element("iframe", {style: "position:fixed;width:0;height:0;border:0", "aria-hidden": "true", tabindex: -1});
  frame.addEventListener("load", () => {
    frame.contentWindow.addEventListener("afterprint", () => setTimeout(() => frame.remove(), 0));
    frame.contentWindow.print();
  });
  frame.srcdoc = printDocument(svg, name);
  document.body.append(frame);
}

// Kinds of files: what a button says, and what it does with a figure or a table and the name of what is saved.
const FIGURE_FILES = {
  SVG: (svg, what) => download(fileName(what, "svg"), svgSource(svg), "image/svg+xml"),
  PNG: async (svg, what) => download(fileName(what, "png"), await asPng(svg), "image/png"),
  "PDF (print)": (svg, what) => printAlone(svg, fileName(what, "pdf").slice(0, -4)),
};
const TABLE_FILES = {
  CSV: (table, what) => download(fileName(what, "csv"), asCsv(table), "text/csv"),
  Markdown: (table, what) => download(fileName(what, "md"), asMarkdown(table), "text/markdown"),
  LaTeX: (table, what) => download(fileName(what, "tex"), asLatex(table), "text/x-tex"),
};

// A line of buttons. name: in words; give: (kind) -> the figure or table, made when a button is pressed.
function saveLine(name, what, files, give) {
  const button = kind => element("button", {type: "button", onclick: () => files[kind](give(kind), what)}, kind);
  return element("div", {class: "save-line", role: "group", "aria-label": `Save ${name}`}, element("span", {}, name), Object.keys(files).map(button));
}

const SAVED_PLOTS = "svg[role], .scatter > svg";
const SAVED_TABLES = "table:not([role=grid])";

const SCROLLED = ", can be scrolled"; // how names of parts end that say how to move in them

// The words above a part: the heading of its section, the nearest one before it, and what a drawing is called.
function partTitle(node) {
  const before = head => head.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
  const all = [...(node.closest("section") || document).querySelectorAll("h2, h3, h4, summary")];
  const over = head => head.tagName !== "SUMMARY" || head.parentElement.contains(node);
  const elsewhere = head => head.closest("[hidden], .save") || (head.closest(".pane, #panel") && !head.closest(".pane, #panel").contains(node));
  const heads = all.filter(head => before(head) && over(head) && !elsewhere(head));
  const words = [...heads.slice(0, 1), ...heads.slice(-1)].map(head => head.textContent.trim());
  const said = [node, node.parentElement].map(one => one.getAttribute("aria-label")).find(label => label && !label.endsWith(SCROLLED)) || "";
  const own = said.split(/\. (?=Arrow keys)/)[0]; // how to move in it is of no use on paper
  return [...new Set([...words, own])].filter(Boolean).join(": ");
}

// One place per section, where all that it shows is listed when it is opened.
function savePlace(section) {
  const list = element("div", {});
  const place = element("details", {class: "save", id: `save-${section.id}`}, element("summary", {}, "Save figures and tables"), list);
  const draw = () => place.open && list.replaceChildren(...saveLines(section));
  place.addEventListener("toggle", draw);
  section.append(place);
  sections.register({id: place.id, keys: Object.keys(KEYS).filter(key => key !== "at"), draw});
}

function saveLines(section) {
  const all = which => [...section.querySelectorAll(which)].filter(one => !one.closest(".save, [hidden]"));
  const matrixLines =
    section.id === "matrix"
      ? [
          saveLine("The matrix, figure", "matrix", FIGURE_FILES, () => inLight(matrixFigure)),
          saveLine("The matrix, table", "matrix", TABLE_FILES, kind => matrixTable(kind === "CSV")),
        ]
      : [];
  const parts = (which, files, give) =>
    all(which).map((one, index) => {
      const name = partTitle(one);
      return saveLine(name, name, files, kind => give(() => all(which)[index], kind));
    });
  return [
    ...matrixLines,
    ...parts(SAVED_PLOTS, FIGURE_FILES, found => inLight(() => plotFigure(found()))),
    ...parts(SAVED_TABLES, TABLE_FILES, (found, kind) => readTable(found(), kind === "CSV")),
  ];
}

document.querySelectorAll("main > section[id]").forEach(savePlace);
document.getElementById("save").addEventListener("click", () => {
  const place = document.getElementById("save-matrix");
  place.open = true;
  place.scrollIntoView({block: "nearest"});
  place.querySelector("summary").focus({preventScroll: true});
});

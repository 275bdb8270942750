// Colour maps that colour-blind readers can tell apart, for light and dark pages.

const DIVERGING = {
  light: [
    "#67001f",
    "#b2182b",
    "#d6604d",
    "#f4a582",
    "#fddbc7",
    "#f7f7f7",
    "#d1e5f0",
    "#92c5de",
    "#4393c3",
    "#2166ac",
    "#053061",
  ],
  dark: [
    "#ff9a80",
    "#e9755c",
    "#c45a46",
    "#934739",
    "#5e3a36",
    "#2b3137",
    "#31475c",
    "#3a648c",
    "#4685bf",
    "#62a6e6",
    "#97c9ff",
  ],
};
const SEQUENTIAL = [
  "#440154",
  "#482878",
  "#3e4989",
  "#31688e",
  "#26828e",
  "#1f9e89",
  "#35b779",
  "#6ece58",
  "#b5de2b",
  "#fde725",
];

const isDark = () => document.documentElement.dataset.theme === "dark";
const channels = hex => [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16));

// Colour at `share` (0 to 1) of a list of stops, as [red, green, blue].
function along(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [from, to] = [channels(stops[low]), channels(stops[low + 1])];
  return from.map((one, index) => Math.round(one + (place - low) * (to[index] - one)));
}

function stopsOf(view) {
  return viewWords(view).diverging ? DIVERGING[isDark() ? "dark" : "light"] : SEQUENTIAL;
}

const edgesOf = view => (view === DIFFERENCE ? differenceLimits() : limitsOf(view));

const TONES = 255;

// Fill and ink of a value in a view; colours come in so many tones that two neighbours cannot be told apart.
function paint(number, view) {
  const [low, high] = edgesOf(view);
  const tone = Math.round(TONES * Math.min(Math.max((number - low) / (high - low), 0), 1));
  const tones = once(`tones\n${view}\n${isDark()}`, () => Array(TONES + 1));
  return (tones[tone] ||= toneOf(along(stopsOf(view), tone / TONES)));
}

function toneOf(rgb) {
  return {fill: `rgb(${rgb})`, ink: inkOn(rgb)};
}

// Relative luminance and contrast ratio as WCAG 2.2 has them, of [red, green, blue].
function luminance(rgb) {
  const [red, green, blue] = rgb.map(one => one / 255).map(one => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// The ink that is read best: soft black where that has contrast enough, else the better of white and black, which always has.
const INKS = ["#1d2329", "#ffffff", "#000000"];
const READABLE = 4.5;
function inkOn(rgb) {
  const ratios = INKS.map(ink => contrast(channels(ink), rgb));
  return ratios[0] >= READABLE ? INKS[0] : ratios[1] >= ratios[2] ? INKS[1] : INKS[2];
}

// What the marks of cells mean.
const markWords = () => ({
  below: "no better than always the largest class",
  unsure: `may be no different from ${baselineWords()}`,
  disagree: "seeds disagree on the sign",
  leading: "may be the best source of its column",
  shared: "the two tasks share images",
});

const MARK_SIGNS = {below: "\u25e3", unsure: "\u25cb", disagree: "\u258c", leading: "\u2581", shared: "\u25cf"};

// Which marks any cell has: their kinds. In a difference only what is said of two tasks, and not of a score.
function marksThere() {
  const rows = [...Object.keys(TASKS), ...calibration()];
  const any = found => rows.some(source => Object.keys(TASKS).some(target => found(source, target)));
  const tests = {below: beatsNothing, unsure: mayBeNothing, disagree: seedsDisagree, leading: notSeparableFromBest, shared: sharedImages};
  return Object.keys(tests).filter(kind => (!state.compare || kind === "shared") && any(tests[kind]));
}

// The legend: a bar of colour with what its ends and its middle mean, and what frames, hatches and marks mean.
function drawLegend() {
  const {diverging, meaning, unit} = viewWords();
  const view = shownView();
  const [low, high] = edgesOf(view);
  const bar = element("canvas", {width: 220, height: 1});
  const context = bar.getContext("2d");
  for (let x = 0; x < 220; x++) {
    context.fillStyle = `rgb(${along(stopsOf(view), x / 219)})`;
    context.fillRect(x, 0, 1, 1);
  }
  const end = number => (unit === "%" ? percent(number) : viewText(number, view));
  fill(
    "legend",
    element("span", {}, (diverging ? "\u2264 " : "") + end(low)),
    bar,
    element("span", {}, (diverging ? "\u2265 " : "") + end(high)),
    element("span", {}, meaning + (unit === "%" ? " (cells in %)" : "")),
    element("span", {}, element("span", {class: "sample own"}), ownPrompt()),
    element("span", {}, element("span", {class: "sample missing-sample"}), SUMMARY.so_far ? "not measured yet" : "not measured"),
    ...marksThere().map(kind => element("span", {}, `${MARK_SIGNS[kind]} ${markWords()[kind]}`)),
  );
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", () => sections.redraw(["theme"]));
const applyTheme = () => (document.documentElement.dataset.theme = state.theme || (prefersDark.matches ? "dark" : "light"));

sections.register({id: "theme", keys: ["theme"], draw: applyTheme});
sections.register({id: "legend", keys: ["protocol", "method", "view", "baseline", "seeds", "compare", "theme"], draw: drawLegend});

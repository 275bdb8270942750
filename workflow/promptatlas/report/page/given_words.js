// What the page says of a matrix that no study made: its own unit, no prompts, no zero-shot score.

const protocolWords = (protocol = state.protocol) => WORDS.protocols[protocol];
const protocolTitle = protocol => protocolWords(protocol).title || protocol;
const tuned = () => false;
const ownPrompt = () => "the task itself";
// Scales are computed before the page is made, of all seeds: they need ceilings and baselines that the page does not have.
const viewOf = ({protocol, method, view}) => DATA.matrices[`${protocol}/${method}`].views[view];
// Another study's scores are on no other scale than they are given on.
const foreignView = (matrix, {view}) => (view === "raw" ? meansOf(matrix) : NOTHING);
const seedsDiffer = () => false;
const viewsOf = ({protocol, method}) => Object.keys(DATA.matrices[`${protocol}/${method}`].views);
const limitsOf = (view = state.view) => DATA.limits[state.protocol][view];
const chosenSeeds = ({protocol, method}) => Object.keys(DATA.matrices[`${protocol}/${method}`].seeds);
const baselinesOf = () => [];
const firstBaseline = () => null;
const baselineWords = () => "the baseline";

const mainView = () => SUMMARY.primary_response;
const scaleOf = name => SUMMARY.scales[name];
const familyRemedy = "a file for \u201c--families\u201d";

// Scores of the scale of headlines; of shares in percent.
const inUnits = number => (isNumber(number) && scaleOf(mainView()).unit === "%" ? 100 * number : number);
const gains = (source, target) => seedScores(source, target).map(([seed, score]) => [seed, inUnits(score)]);
const fromZero = () => WORDS.views[mainView()].diverging;
const digitsOf = view => (isNumber(WORDS.views[view].digits) ? WORDS.views[view].digits : 0);
const gainText = gain => (fromZero() ? signed : show)(gain, digitsOf(mainView()) + 1);
const gainShort = gain => (fromZero() ? signed : show)(gain, digitsOf(mainView()));
const noGainWords = () => "No source of this target has a score.";

function gainWords() {
  const {title, unit} = scaleOf(mainView());
  return title[0].toLowerCase() + title.slice(1) + (unit ? `, ${unit}` : "");
}

// The ends of an axis for scores: zero among them where it means anything, or all scores are near it.
function gainEdges(numbers) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const near = fromZero() || (low >= 0 && low < 0.5 * high);
  const [from, to] = [near ? Math.min(low, 0) : low, near ? Math.max(high, 0) : high];
  const margin = 0.04 * (to - from || Math.abs(to) || 1);
  return [from === 0 ? 0 : from - margin, to === 0 ? 0 : to + margin];
}

// Losses against the best source are in points of shares, else in the scores' own unit.
const inPoints = () => SUMMARY.unit === "share";
const regretWords = () => "much is";
const regretUnit = () => (inPoints() ? ", points" : "");
const regretText = regret => show(regret, inPoints() ? 1 : digitsOf("raw") + 1);
const lossText = loss => regretText(loss) + (inPoints() ? " points" : "");

// Effects of sources and targets are on the scale of headlines.
function effectWords() {
  const {unit, title} = scaleOf(mainView());
  const shares = unit === "%";
  return {
    of: title[0].toLowerCase() + title.slice(1),
    unit: shares ? ", points" : unit && `, ${unit}`,
    text: effect => signed(shares ? 100 * effect : effect, digitsOf(mainView()) + 1),
    givers: "sources that serve others well",
    receivers: "targets that score high, or gain much",
  };
}

function scoreWords(source, target) {
  const [given, seeds] = [value(source, target, "raw"), there(gains(source, target).map(one => one[1]))];
  if (!isNumber(given)) return "";
  const range = seeds.length > 1 ? `, seeds from ${gainShort(Math.min(...seeds))} to ${gainShort(Math.max(...seeds))}` : "";
  return `score ${viewText(given, "raw", true)}${range}`;
}

const gainContrast = () => ({response: mainView(), head: `first less second${effectWords().unit}`, text: effectWords().text});

// What stands before a matrix in lists of sources, and the unit of gains in sentences.
const TUNED_BY = "matrix";
const SOURCES_OF = "matrices";
const gainUnitWords = () => (scaleOf(mainView()).unit === "%" || scaleOf(mainView()).unit === "points" ? " points" : "");
const lineUnit = gainWords;

// The sources of a target beside the tasks, and what a matrix's source has there by seed, null where nothing is known.
const BESIDE_TASKS = [];
function gainsBy(method, source, target) {
  const {sources, seeds} = DATA.matrices[`${state.protocol}/${method}`];
  return Object.values(seeds).map(scores => inUnits(scores[sources.indexOf(source)][TASKS[target].index]));
}
const scoresBy = gainsBy;
const overOwnMethod = () => false;
function heldOutWords(scores) {
  const score = byPlace(scores)[0];
  return isNumber(score) ? `A source that is chosen by the mean of the other seeds gains ${gainText(score)}${gainUnitWords()} here in the seed left out.` : "";
}
const keptGain = () => null;

// Scores by seed are on the scale of headlines, on which zero may mean something.
const zeroOf = () => DATA.tasks.map(() => (fromZero() ? 0 : null));

// What makes a score worth less than it looks: a largest class that it does not beat, images that two tasks share, odd data.

const SHARED = Object.fromEntries((SUMMARY.shared_images || []).map(one => [`${one.source}\n${one.target}`, one]));
const sharedImages = (source, target) => SHARED[`${source}\n${target}`];
const largestClass = target => TASKS[target].largest_class;

// Whether a prompt scores no more than always answering the largest class.
function beatsNothing(source, target) {
  if (!isNumber(largestClass(target))) return false;
  const found = there(seedScores(source, target).map(one => one[1]));
  return source !== "largest_class" && found.length > 0 && mean(found) <= largestClass(target) + 1e-6;
}

// Sentences about one cell, empty if there is nothing to say.
function cautions(source, target) {
  const shared = sharedImages(source, target);
  const words = [];
  if (beatsNothing(source, target))
    words.push(`No better than always answering the largest class (${percent(largestClass(target), 1)}).`);
  if (shared)
    words.push(
      `The two tasks share ${shared.source_is_whole && shared.target_is_whole ? "" : "at least "}${shared.shared} ${shared.shared === 1 ? "image" : "images"}` +
        (shared.tested ? `: ${shared.tested} of ${shared.n_test} test images are training or validation images of the source.` : "."),
    );
  return words;
}

// Of a task of which nothing else is said, the line about shared images says it.
const onlyShares = notes => /^shares [^;]*$/.test(notes);

// Notes as people read them: tasks by their titles.
const namesInWords = notes => notes.replace(/\bwith (\S+?)(?=[ ,;]|$)/g, (whole, name) => (isTask(name) ? `with \u201c${title(name)}\u201d` : whole));

// A line at the top of the page for each kind of caution, with the tasks it is about.
function drawCautions() {
  const named = names => (names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : list(names));
  const pairs = [...new Set((SUMMARY.shared_images || []).map(one => [one.source, one.target].sort().map(title).join(" with ")))];
  const odd = (SUMMARY.odd_data || []).filter(one => !onlyShares(one.notes)).map(one => title(one.task));
  const below = (SUMMARY.largest_class || []).filter(one => one.none_above);
  const [remedy] = below.map(one => one.remedy).filter(Boolean);
  const more = () => element("a", {href: "#odd"}, "More");
  const firstOf = some => some.slice(0, 5).join("; ") + (some.length > 5 ? `; and ${some.length - 5} more` : "");
  const lines = [
    below.length && [
      `No prompt scores more than always answering the largest class does: ${named(below.map(one => `${title(one.task)} (${percent(one.score, 1)})`))}.`,
      ...(remedy ? [" ", withCode(remedy), "."] : []),
    ],
    pairs.length && [`Tasks that share images, whose cells have a dot: ${firstOf(pairs)}. `, more()],
    odd.length && [`Data that need a look: ${named(odd)}. `, more()],
  ];
  fill("cautions", lines.filter(Boolean).map(line => element("p", {class: "warning", role: "note"}, line)));
}

sections.register({id: "cautions", draw: drawCautions});

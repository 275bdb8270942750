// Images of both tasks of a cell, and test images that one of two prompts answers right and the other wrong.

const SHOWN = 4; // test images of a kind
const SPLITS = {train: "training images", test: "test images"};

const classNames = (target, classes) => classes.map(one => (DATA.classes.names[target] || [])[one] ?? `class ${one + 1}`).join(", ");

const thumbnail = (address, words, caption = []) =>
  element("figure", {}, element("img", {src: address, alt: words, width: 64, height: 64, loading: "lazy"}), element("figcaption", {}, caption));

function cellImages(cells, source, target) {
  return [...sampleImages(source, target), ...testImages(cells, source, target)];
}

// Some images of each of the two tasks, side by side.
function sampleImages(source, target) {
  if (!DATA.origin) return [];
  const tasks = [...new Set([source, target])].filter(isTask);
  const known = tasks.filter(imagesOf);
  if (!known.length) return [element("p", {class: "quiet"}, "The page has no images: it was made without them, or where the prepared images are not.")];
  return [
    element("h4", {}, "Images of the two tasks"),
    element(
      "div",
      {class: "sides"},
      known.map(task => {
        const {split, samples} = imagesOf(task);
        return element(
          "div",
          {},
          element("p", {class: "quiet", dir: "auto"}, `${title(task)}: ${SPLITS[split]}`),
          element("div", {class: "thumbnails"}, samples.map(([address, classes]) => {
            const name = classNames(task, classes);
            return thumbnail(address, `${title(task)}: ${name}`, name);
          })),
        );
      }),
    ),
  ];
}

// How many test images the two prompts answer differently, and some of them.
function testImages(cells, source, target) {
  const own = (cells[source] || {})[target];
  if (!own || !own.images || source === "template") return [];
  const [lost, won, neither] = own.images;
  const several = Object.keys(matrix().seeds).length > 1 ? `, mean over ${state.seeds ? "all " : ""}seeds` : "";
  const words =
    `Of ${TASKS[target].n_test} test images${several}: ${show(lost, several ? 1 : 0)} right with the zero-shot prompt only, ` +
    `${show(won, several ? 1 : 0)} with this prompt only, ${show(neither, several ? 1 : 0)} with neither.`;
  const hand = ((cells.template || {})[target] || {}).right;
  const kinds = own.right && hand && imagesOf(target) ? shownImages(own, hand, imagesOf(target).tested, target) : [];
  return [element("h4", {}, "Test images that are answered wrong"), element("p", {}, words), ...kinds];
}

// Test images of the page by who answers them right: in most seeds, or as the zero-shot prompt in all.
function shownImages(own, hand, tested, target) {
  const seeds = Math.max(...hand, ...own.right, 1);
  const right = index => own.right[index] > seeds / 2;
  const before = index => hand[index] > seeds / 2;
  const kinds = [
    ["Wrong now, right with the zero-shot prompt", index => !right(index) && before(index)],
    ["Right now, wrong with the zero-shot prompt", index => right(index) && !before(index)],
    ["Wrong with both", index => !right(index) && !before(index)],
  ];
  const shown = kinds
    .map(([words, has]) => [words, tested.map((one, index) => [one, index]).filter(([, index]) => has(index)).slice(0, SHOWN)])
    .filter(([, some]) => some.length);
  if (!shown.length) return [];
  return [
    ...shown.flatMap(([words, some]) => [
      element("p", {class: "kind"}, words),
      element("div", {class: "thumbnails"}, some.map(([[address, classes], index]) => testImage(address, classes, own, index, right(index), target))),
    ]),
    element("p", {class: "quiet"}, `From the ${tested.length} test images of this task that the page has: those about which the prompts of the study disagree most.`),
  ];
}

function testImage(address, classes, own, index, isRight, target) {
  const name = classNames(target, classes);
  const given = own.given && !isRight && own.given[index] !== classes[0] ? classNames(target, [own.given[index]]) : null;
  return thumbnail(
    address,
    `Test image of class ${name}` + (given ? `, answered ${given}` : isRight ? ", answered right" : ", answered wrong"),
    given ? [name, element("br"), `\u2192 ${given}`] : name,
  );
}

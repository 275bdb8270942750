// The choice of what is taken away from the shown matrix, and what the difference says.

const otherFile = document.getElementById("other-file");
const ANOTHER = "another study\u2026";

function drawCompare() {
  const select = document.getElementById("choose-compare");
  const known = comparisons(state);
  select.replaceChildren(
    ...[["", "nothing else"], ...known, ["file", ANOTHER]].map(([value, words]) => element("option", {value}, words)),
  );
  select.value = state.compare || "";
  if (!state.compare) {
    fill("compare-words");
    return;
  }
  const {said, value} = shownDifference();
  const pairs = SUMMARY.order.flatMap(source => SUMMARY.order.filter(target => target !== source).map(target => value(source, target)));
  const both = there(pairs);
  const higher = both.filter(one => one > 0).length;
  fill(
    "compare-words",
    `${said[0]} less ${said[1]}: blue is where the first is higher. ` +
      (both.length
        ? `${both.length.toLocaleString("en")} pairs of different tasks are in both; the first is higher in ${percent(higher / both.length)} of them, on average by ${viewText(mean(both), DIFFERENCE, true)}.`
        : `No pair is in both${seedsDiffer() || state.view === "raw" ? "" : "; of another study only the scores as given are known"}.`) +
      " Marks and intervals of single cells do not apply to differences and are left out." +
      (state.compare === "study" ? otherStudy.unmatched() : ""),
  );
}

document.getElementById("choose-compare").addEventListener("change", event => {
  const wanted = event.target.value;
  if (wanted !== "file") {
    set({compare: wanted || null});
    return;
  }
  event.target.value = state.compare || "";
  otherFile.value = "";
  otherFile.click();
});
otherFile.addEventListener("change", () => readOther(otherFile.files[0]));
sections.register({id: "choose-compare", keys: ["protocol", "method", "view", "baseline", "seeds", "compare"], draw: drawCompare});

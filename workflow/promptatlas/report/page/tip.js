// What stands beside the pointer while it is over a cell; it leaves with the pointer, with Escape, and when the page moves.

const tip = document.getElementById("tip");

function tell({line, column}, event) {
  const [source, target] = [grid.rows[line], grid.columns[column]];
  const now = grid.now;
  const number = now.value(source, target);
  const alone = !isFamily(source) && !isFamily(target);
  const lines = [
    `${viewWords().title}: ${isNumber(number) ? viewText(number, shownView(), true) : now.words(source, target)}`,
    ...(alone && state.compare ? [bothWords(source, target)] : alone ? [scoreWords(source, target), ...sureWords(source, target), ...cautions(source, target)] : []),
  ];
  tip.replaceChildren(
    element("div", {class: "strong"}, `${lineTitle(source)} \u2192 ${lineTitle(target)}`),
    ...lines.filter(Boolean).map(words => element("div", {}, words)),
  );
  tip.hidden = false;
  placeTip(event);
}

function placeTip(event) {
  const right = event.clientX + 18 + tip.offsetWidth < innerWidth;
  tip.style.left = Math.max(4, right ? event.clientX + 16 : event.clientX - 14 - tip.offsetWidth) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 6)) + "px";
}

function endTip() {
  tip.hidden = true;
  light(null);
}

let pointed = null;
heatmap.addEventListener("pointerover", event => {
  if (event.pointerType === "touch") return;
  const at = placeOf(event.target);
  pointed = at && at.line >= 0 && at.column >= 0 ? at : null;
  light(at);
  if (pointed) tell(pointed, event);
  else tip.hidden = true;
});
heatmap.addEventListener("pointermove", event => pointed && !tip.hidden && placeTip(event));
heatmap.addEventListener("pointerleave", endTip);
addEventListener("scroll", endTip, {capture: true, passive: true});
addEventListener("keydown", event => event.key === "Escape" && endTip());

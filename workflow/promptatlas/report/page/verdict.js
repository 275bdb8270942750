// The first screen: the answer in sentences, which the page's data have, with each pair, target and measure a link to where it is shown.

function drawVerdict() {
  const topics = DATA.verdict[key()];
  document.getElementById("verdict").hidden = !topics.length;
  fill("verdict", topics.flatMap(({topic, parts}) => [element("dt", {}, topic), element("dd", {}, parts.map(linked))]));
}

// A part of a sentence: text, or a link to a section, or to a choice, which keeps what else is chosen.
function linked(part) {
  if (typeof part === "string") return part;
  const {text, choose, section} = part;
  if (!choose) return element("a", {href: `#${section}`}, text);
  const chosen = {...choose, ...(choose.target ? {ranked: choose.target} : {}), at: section || "matrix"};
  const follow = event => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    set(chosen);
    goTo(chosen.at);
  };
  return element("a", {href: `#${new URLSearchParams(chosen)}`, onclick: follow}, text);
}

sections.register({id: "verdict", keys: ["protocol", "method"], draw: drawVerdict});

// Parts that are wider or higher than their place are scrolled by keys too: they can be reached and say what they are.

const scrolling = new Set();

function markRegions() {
  const all = [...document.querySelectorAll(".scroll, .scrollbox")];
  const over = all.filter(one => !isLaidOut(one) || one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1);
  for (const one of all) {
    const needed = over.includes(one) && !one.querySelector('[tabindex="0"], a[href], button');
    if (needed === scrolling.has(one)) continue;
    scrolling[needed ? "add" : "delete"](one);
    const marks = {tabindex: 0, role: "group", "aria-label": partTitle(one) + SCROLLED};
    for (const [name, mark] of Object.entries(marks)) needed ? one.setAttribute(name, mark) : one.removeAttribute(name);
  }
}

// What is out of sight is not laid out, and asking for its size would do so: it may scroll until it is seen.
const isLaidOut = one => one.checkVisibility({contentVisibilityAuto: true});

// Once for all that changes before the next frame.
let waiting = false;
function markRegionsSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    markRegions();
  });
}

new MutationObserver(markRegionsSoon).observe(document.querySelector("main"), {childList: true, subtree: true});
new ResizeObserver(markRegionsSoon).observe(document.querySelector("main"));
for (const change of ["toggle", "contentvisibilityautostatechange"]) document.addEventListener(change, markRegionsSoon, {capture: true});

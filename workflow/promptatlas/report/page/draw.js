// Parts of the page, each with the choices that it depends on: only what depends on a changed one is drawn again.
// Around a drawing, the focus, scrolled places and opened details of the part stay what they were.

const sections = (() => {
  const parts = [];

  // What a reader has scrolled. Of what is out of sight only these are asked where they stand: to ask has a part laid out.
  const moved = new Set();
  document.addEventListener("scroll", event => event.target instanceof Element && moved.add(event.target), {capture: true, passive: true});

  // id: of the element that the part fills or lies in, and if there is none it is left out; keys: of `state`; draw: without arguments.
  function register({id, keys = [], draw}) {
    parts.push({id, keys, draw});
  }

  function redraw(changed) {
    drawAll(parts.filter(part => part.keys.some(key => changed.includes(key))));
  }

  const drawEvery = () => drawAll(parts);

  // What is to be kept is read before anything is drawn, so that the browser lays the page out once.
  function drawAll(chosen) {
    const there = chosen.filter(part => document.getElementById(part.id));
    const keepers = [...new Set(there.map(part => part.id))].map(id => kept(document.getElementById(id)));
    for (const part of there) part.draw();
    for (const giveBack of keepers) giveBack();
  }

  function kept(root) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    const focusPath = focused && path(focused, root);
    const opened = [...root.querySelectorAll("details")].filter(one => one.open).map(one => calledBy(one));
    for (const one of moved) if (!one.isConnected) moved.delete(one);
    const inSight = [root, ...root.querySelectorAll(".scroll, .scrollbox")].filter(isLaidOut);
    const scrolled = [...new Set([...inSight, ...[...moved].filter(one => root.contains(one))])]
      .filter(one => one.scrollTop || one.scrollLeft)
      .map(one => ({one, path: path(one, root), top: one.scrollTop, left: one.scrollLeft}));
    return () => {
      for (const one of root.querySelectorAll("details")) if (opened.includes(calledBy(one))) one.open = true;
      for (const {one, path, top, left} of scrolled) {
        const place = one.isConnected ? one : at(path, root);
        if (place && (place.scrollTop !== top || place.scrollLeft !== left)) Object.assign(place, {scrollTop: top, scrollLeft: left});
      }
      if (focused && !focused.isConnected) {
        const place = at(focusPath, root);
        if (place && place.tagName === focused.tagName) place.focus({preventScroll: true});
      }
    };
  }

  // A details element as a reader knows it: by its own mark, or its summary.
  const calledBy = one => one.id || (one.querySelector("summary") || one).textContent;

  // The way from a root to a node below it, and back: at each step the kind of element and which of its kind it is, counted from the
  // last, so that it leads to the same one where something was put before it.
  function path(node, root) {
    const steps = [];
    for (; node !== root; node = node.parentElement) {
      const alike = [...node.parentElement.children].filter(one => one.tagName === node.tagName);
      steps.unshift([node.tagName, alike.length - alike.indexOf(node)]);
    }
    return steps;
  }
  const at = (steps, root) =>
    steps.reduce((node, [kind, place]) => node && [...node.children].filter(one => one.tagName === kind).at(-place), root);

  return {register, redraw, drawEvery};
})();

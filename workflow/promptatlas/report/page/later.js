// What the page reads when a cell is opened: gzipped blocks, and small images. Each is unpacked once.

const UNPACKED = {};

// A block of data by its place in the page; nothing where the page has none, or whoever published it took it out.
function block(name) {
  const node = document.getElementById(name);
  UNPACKED[name] ??= node ? JSON.parse(node.textContent) : {};
  return UNPACKED[name];
}

// The small images of a task, or nothing.
const imagesOf = task => block("images")[task] || null;

// Unpack what is named by [kind, name] and use it: at once where all of it was unpacked before. otherwise: with why it cannot be.
function withLater(names, use, otherwise) {
  const known = names.map(([kind, name]) => UNPACKED[`${kind} ${name}`]);
  if (known.every(Boolean)) {
    use(...known);
    return;
  }
  Promise.all(names.map(([kind, name]) => unpack(kind, name))).then(found => use(...found), () => otherwise(OLD_BROWSER));
}

const OLD_BROWSER = "This browser cannot unpack the data of single cells; one of 2023 or later can.";

async function unpack(kind, name) {
  const id = `${kind} ${name}`;
  const packed = (block("later")[kind] || {})[name];
  UNPACKED[id] ??= packed ? READ_LATER[kind](await inflated(packed)) : {};
  return UNPACKED[id];
}

// How what is unpacked becomes what is used.
const READ_LATER = {cells: cellsOf, tuning: bytes => JSON.parse(new TextDecoder().decode(bytes))};

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

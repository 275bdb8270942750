// Draws the page; after this file, only what depends on a choice that changed is drawn again.

writeAddress(true);
sections.drawEvery();
// Who comes by a link is led to the part that it names; who loads the page again stays where he was.
if (state.at && (performance.getEntriesByType("navigation")[0] || {}).type === "navigate") goTo(state.at);

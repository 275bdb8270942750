// Which sources to train when only a few can be, and which tasks together, from the key `budget` of summary.json.

const BUDGET = SUMMARY.budget || [];

function drawBudget() {
  const one = BUDGET.find(here);
  hide("budget", !one);
  if (!one) return;
  const gain = number => `${signed(number)}${one.unit ? ` ${one.unit}` : ""}`;
  const missing = one.n_missing ? ` ${one.n_missing} pair${one.n_missing === 1 ? " is" : "s are"} not measured, and not chosen.` : "";
  fill(
    "budget-words",
    para(
      `Gains${one.unit ? ` in ${one.unit}` : ""} over ${one.before} of other tasks as sources, mean over all ${one.n_tasks} targets; a target that none of the sources helps keeps ${one.before} and counts 0.${missing} ` +
        (one.n_seeds < 2
          ? "There is one seed, so what a choice is worth in others is not known."
          : "A choice looks best on the seeds that made it, so it is made again on all seeds but one, and held in the one left out against random choices of the same size."),
    ),
  );
  fill("budget-sources", one.sources.length ? sourcesTable(one, gain) : quiet(`No source gains anything over ${one.before} on another task.`));
  fill("budget-serves", one.sources.length ? servesList(one) : null);
  fill("budget-groups", groupsWords(one, gain));
}

const judged = (one, row, gain) => (one.n_seeds < 2 ? [] : [exact(gain(row.held_out), row.held_out), exact(gain(row.random), row.random), exact(percent(row.as_good), row.as_good)]);
const judgedHead = (one, others) => (one.n_seeds < 2 ? [] : ["in a seed left out", `${others} there`, "random ones at least as good"]);

function sourcesTable(one, gain) {
  const often = each => (one.n_seeds > 1 && isNumber(each.often) ? ` (${percent(each.often)})` : "");
  return table(
    ["sources", "the best", "gain", ...judgedHead(one, "random sources")],
    one.sources.map(row => [`${row.k}`, row.serves.map(each => title(each.source) + often(each)).join(", "), exact(gain(row.gain), row.gain), ...judged(one, row, gain)]),
    [0, 2, 3, 4, 5],
    one.n_seeds > 1 ? "In brackets: how often the source is chosen again when seeds are drawn anew." : "",
  );
}

function servesList(one) {
  const most = one.sources.at(-1);
  return element(
    "details",
    {},
    element("summary", {}, `Which targets each of the best ${most.k} serves`),
    element("ul", {}, most.serves.map(each => element("li", {}, `${title(each.source)}: ${each.targets.map(title).join(", ")}`))),
  );
}

function groupsWords(one, gain) {
  const found = one.groups;
  if (!found) return quiet("There are too many tasks to search groups of them.");
  if (!found.groups.length) return quiet("Every task alone: no group gains anything.");
  const stable = one.n_seeds > 1;
  return [
    table(
      ["tasks", "gain of each", ...(stable ? ["together when seeds are drawn again"] : [])],
      found.groups.map(each => [each.tasks.map(title).join(", "), exact(gain(each.gain), each.gain), ...(stable ? [exact(percent(each.together), each.together)] : [])]),
      [1, 2],
      `All tasks: ${gain(found.gain)} on average, those alone counting 0${stable ? `; in a seed left out ${gain(found.held_out)}, random groups of the same sizes ${gain(found.random)} (${percent(found.as_good)} of them are at least as good)` : ""}.`,
    ),
    found.alone.length ? quiet(`Better alone: ${found.alone.map(title).join(", ")}.`) : null,
    quiet(
      `Groups of at most ${found.largest}; a task\u2019s gain in a group is the mean of what its partners give it, one by one. Whether training the tasks together does as well is still to be tried.`,
    ),
  ];
}

sections.register({id: "budget", keys: ["protocol", "method"], draw: drawBudget});

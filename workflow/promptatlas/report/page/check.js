// Are data and weights right: zero-shot scores beside those of others, and the linear probe.

const CHECK = SUMMARY.zero_shot_check || [];
const offTasks = CHECK.filter(one => one.warning);

function drawCheck() {
  const known = CHECK.filter(one => isNumber(one.expected) && isNumber(one.measured));
  const unmeasured = CHECK.filter(one => isNumber(one.expected) && !isNumber(one.measured)).length;
  const probed = CHECK.some(one => isNumber(one.linear_probe));
  hide("check", !known.length && !probed);
  if (!known.length && !probed) return;
  const points = show(SUMMARY.zero_shot_tolerated_points, 0);
  const within = known.length - offTasks.length;
  fill(
    "check-words",
    known.length
      ? para(
          `For ${known.length} of ${CHECK.length} tasks others have measured the zero-shot score with the same weights; ${within === known.length ? (known.length === 1 ? "it is" : "all are") : `${within} of them ${within === 1 ? "is" : "are"}`} within ${points} points here.` +
            (unmeasured ? ` Of ${unmeasured} more it is known, but not measured here.` : ""),
        )
      : unmeasured
        ? para("Others have measured zero-shot scores of these tasks with the same weights, but here none could be measured.")
        : para("Nobody has published zero-shot scores of these tasks with these weights, so there is nothing to check against."),
    probed
      ? quiet(
          "The linear probe is a logistic regression on the frozen image features of the same few images, its strength chosen on the validation images; mean over seeds.",
        )
      : null,
  );
  fill("check-warnings", offTasks.map(warning));
  const columns = [
    ["task", one => title(one.task), true],
    ["zero-shot here", one => exact(percent(one.measured, 1), one.measured), true],
    ["expected", one => exact(percent(one.expected, 1), one.expected), known.length],
    ["difference, points", difference, known.length],
    ["expected by", one => element("span", {class: "quiet"}, one.reference || ""), known.length],
    ["linear probe", one => exact(percent(one.linear_probe, 1), one.linear_probe), probed],
  ].filter(column => column[2]);
  const numeric = columns.map((column, index) => (/task|by/.test(column[0]) ? -1 : index));
  fill(
    "check-table",
    table(
      columns.map(column => column[0]),
      CHECK.map(one => columns.map(column => column[1](one))),
      numeric,
    ),
  );
}

const difference = one =>
  exact(element("span", {class: one.warning ? "strong alarming" : ""}, signed(one.difference_points, 1)), one.difference_points);

function warning(one) {
  const by = one.reference ? ` (${one.reference})` : "";
  return element(
    "p",
    {class: "warning", role: "note"},
    element("strong", {}, title(one.task)),
    ` scores ${percent(one.measured, 1)} zero-shot, ${percent(one.expected, 1)} is expected${by}: ${show(Math.abs(one.difference_points), 1)} points ${one.difference_points < 0 ? "too low" : "too high"}. Look at its images, its split, its class names and the weights before trusting its row and column.`,
  );
}

// A line at the top of the page, as people may not read down to the section.
function drawAlarm() {
  const names = offTasks.map(one => title(one.task));
  document.getElementById("alarm").hidden = !names.length;
  if (names.length)
    fill(
      "alarm",
      `Zero-shot ${names.length === 1 ? "score" : "scores"} far from what others measured: ${list(names)}. `,
      element("a", {href: "#check"}, "Are data and weights right?"),
    );
}

sections.register({id: "check", draw: drawCheck});
sections.register({id: "alarm", draw: drawAlarm});

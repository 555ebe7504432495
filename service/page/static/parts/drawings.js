/* Small drawings of SVG paths. Each has its meaning as text: none says anything by colour alone. */

import { h } from "../dom.js";
import { count } from "../format.js";

function drawing(width, height, label, paths, props = {}) {
  const svg = h("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, ...props },
    h("path", { d: "" }), paths.map(([kind, d]) => d && h("path", { class: kind, d })));
  svg.firstChild.remove();
  return svg;
}

/* Bars for `days`: {day, points}, oldest first. */
export function sparkline(days, label) {
  const step = 7, height = 26, most = Math.max(1, ...days.map(({ points }) => points));
  let bars = "", gaps = "";
  days.forEach(({ points }, n) => {
    const size = points ? Math.max(2, (points / most) * height) : 0;
    if (size) bars += `M${n * step} ${height - size}h5v${size}h-5z`;
    else gaps += `M${n * step} ${height - 1}h5v1h-5z`;
  });
  const svg = drawing(days.length * step - 2, height, label, [["bar", bars], ["no-bar", gaps]], { class: "sparkline" });
  return svg;
}

export const SLICE_STATES = {
  equal: "compared, and the same",
  unknown: "values not compared yet",
  different: "source and target differ",
  partial: "the target refused points",
  extra: "the target has points that the source lacks",
};
const WORST = ["different", "partial", "extra", "unknown", "equal"];
const CELL = 13;
/* Each state has a shape of its own, so that colours need not be told apart. */
const SHAPES = {
  equal: (x, y) => `M${x} ${y}h11v11h-11z`,
  unknown: (x, y) => `M${x} ${y}h11v11h-11zM${x + 2} ${y + 2}v7h7v-7z`,
  different: (x, y) => `M${x} ${y}h4l1.5 3l1.5-3h4v4l-3 1.5l3 1.5v4h-4l-1.5-3l-1.5 3h-4v-4l3-1.5l-3-1.5z`,
  partial: (x, y) => `M${x} ${y}h11l-11 11z`,
  extra: (x, y) => `M${x} ${y + 5.5}l5.5-5.5l5.5 5.5l-5.5 5.5z`,
};

/* The mark of a state as a small drawing, for a legend. */
export function stateMark(state) {
  return drawing(11, 11, "", [[`slice ${state}`, SHAPES[state](0, 0)]], { class: "mark", role: "presentation", "aria-label": null });
}

/* The days of slices with their worst state, oldest first: {day, state, points}. Days are those of UTC. */
export function daysOf(slices) {
  const days = new Map();
  for (const { start, state, points } of slices) {
    const day = start.slice(0, 10), known = days.get(day);
    if (!known) days.set(day, { day, state, points });
    else {
      known.points += points;
      if (WORST.indexOf(state) < WORST.indexOf(known.state)) known.state = state;
    }
  }
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

/* A calendar: a column for each week, Monday on top. `weeks` at most, the newest. */
export function calendar(days, weeks = 53) {
  if (!days.length) return null;
  const at = (day) => Math.round(Date.parse(`${day}T00:00:00Z`) / 86400000);
  const monday = (number) => number - ((((number + 3) % 7) + 7) % 7);
  const last = monday(at(days.at(-1).day)), first = Math.max(monday(at(days[0].day)), last - 7 * (weeks - 1));
  const shown = days.filter(({ day }) => at(day) >= first);
  const paths = Object.fromEntries(WORST.map((state) => [state, ""]));
  for (const { day, state } of shown) {
    const offset = at(day) - first;
    paths[state] += SHAPES[state](Math.floor(offset / 7) * CELL, (offset % 7) * CELL);
  }
  const width = ((last - first) / 7 + 1) * CELL - 2;
  return drawing(width, 7 * CELL - 2, `${shown[0].day} to ${shown.at(-1).day}: ${stateWords(shown)}`,
    WORST.map((state) => [`slice ${state}`, paths[state]]), { class: "calendar" });
}

/* How many days are in each state, in words. */
export function stateWords(days) {
  const counts = Object.keys(SLICE_STATES).map((state) => [state, days.filter((day) => day.state === state).length]);
  return counts.filter(([, n]) => n).map(([state, n]) => `${count(n)} ${state}`).join(", ") || "no days";
}

/* The steps of a heat map row. `levels`: a list with the class of each cell. */
export function strip(levels, label) {
  const width = 600, height = 18, step = width / levels.length;
  const paths = {};
  for (let n = 0; n < levels.length;) {
    let end = n;
    while (end < levels.length && levels[end] === levels[n]) end += 1;
    if (levels[n]) {
      const inset = levels[n] === "none" ? 6 : levels[n] === "some" ? 3 : 0;
      paths[levels[n]] = `${paths[levels[n]] ?? ""}M${round(n * step)} ${inset}h${round((end - n) * step)}v${height - 2 * inset}h${round((n - end) * step)}z`;
    }
    n = end;
  }
  return drawing(width, height, label, Object.entries(paths).map(([level, d]) => [`heat ${level}`, d]),
    { class: "strip", preserveAspectRatio: "none", width: null, height: null });
}

function round(value) {
  return Math.round(value * 100) / 100;
}

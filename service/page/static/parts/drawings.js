/* Small drawings of SVG paths. Each has its meaning as text, and none says anything by colour alone. */

import { api, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, duration } from "../format.js";
import { STATES as JOB_STATES } from "./jobs.js";
import { andMore, badge, hint, hints, name, wrong } from "./parts.js";

function drawing(width, height, label, paths, props = {}) {
  return h("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, ...props },
    paths.map(([kind, d]) => d && h("path", { class: kind, d })));
}

/* Bars for `days`: {day, points}, oldest first. */
export function sparkline(days, label) {
  const step = 7, height = 26, most = Math.max(1, ...days.map(({ points }) => points));
  let bars = "", gaps = "";
  days.forEach(({ points }, n) => {
    const size = Math.max(2, (points / most) * height);
    if (points) bars += `M${n * step} ${height - size}h5v${size}h-5z`;
    else gaps += `M${n * step} ${height - 1}h5v1h-5z`;
  });
  return drawing(days.length * step - 2, height, label, [["bar", bars], ["no-bar", gaps]], { class: "sparkline" });
}

const MEANINGS = {
  equal: "compared, and the same", unknown: "values not compared yet", different: "source and target differ",
  partial: "the target refused points", extra: "the target has points that the source lacks",
};
const WORST = ["different", "partial", "extra", "unknown", "equal"];
const CELL = 13, WEEKS = 53, MOST_PAIRS = 12, MOST_SLICES = 1000;
/* Each state has a shape of its own, so that colours need not be told apart. */
const SHAPES = {
  equal: "h11v11h-11z", unknown: "h11v11h-11zm2 2v7h7v-7z", different: "h4l1.5 3l1.5-3h4v4l-3 1.5l3 1.5v4h-4l-1.5-3l-1.5 3h-4v-4l3-1.5l-3-1.5z",
  partial: "h11l-11 11z", extra: "m0 5.5l5.5-5.5l5.5 5.5l-5.5 5.5z",
};

const mark = (state) => drawing(11, 11, null, [[`slice ${state}`, `M0 0${SHAPES[state]}`]], { class: "mark", role: null, "aria-hidden": "true" });

/* The days (UTC) of slices with their worst state, oldest first: {day, state, points}. */
export function daysOf(slices) {
  const days = new Map();
  for (const { start, state, points } of slices) {
    const day = start.slice(0, 10), known = days.get(day) ?? { day, state, points: 0 };
    known.points += points;
    if (WORST.indexOf(state) < WORST.indexOf(known.state)) known.state = state;
    days.set(day, known);
  }
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

function stateWords(days) {
  const counts = WORST.map((state) => [state, days.filter((day) => day.state === state).length]);
  return counts.filter(([, n]) => n).map(([state, n]) => `${count(n)} ${state}`).join(", ");
}

/* A calendar of the last year of `days`: a column for each week, Monday on top. */
export function calendar(days) {
  const at = (day) => Math.round(Date.parse(`${day}T00:00:00Z`) / 86400000), monday = (n) => n - ((((n + 3) % 7) + 7) % 7);
  const last = monday(at(days.at(-1).day)), first = Math.max(monday(at(days[0].day)), last - 7 * (WEEKS - 1));
  const shown = days.filter(({ day }) => at(day) >= first), paths = {};
  for (const { day, state } of shown) {
    const offset = at(day) - first;
    paths[state] = `${paths[state] ?? ""}M${Math.floor(offset / 7) * CELL} ${(offset % 7) * CELL}${SHAPES[state]}`;
  }
  const range = `${shown[0].day} – ${shown.at(-1).day}`, width = ((last - first) / 7 + 1) * CELL - 2;
  return [hints(range), drawing(width, 7 * CELL - 2, `${range}: ${stateWords(shown)}`, WORST.map((state) => [`slice ${state}`, paths[state]]), { class: "calendar" })];
}

/* Fills `body` with `mirrors`: lag, last and next run, and a calendar for each bucket. */
export function mirrorCalendars(body, mirrors, context) {
  const legend = h("ul", { class: "plain row legend" }, Object.entries(MEANINGS).map(([state, meaning]) => h("li", { title: meaning }, mark(state), state)));
  fill(body, legend, mirrors.map((mirror) => h("div", { class: "mirror" },
    h("div", { class: "row spread" }, h("h3", {}, name(mirror.name)), h("span", { class: "row" },
      mirror.last_job && h("a", { href: context.link("jobs", { id: mirror.last_job }) }, badge(JOB_STATES[mirror.last_job_state], `last run ${mirror.last_job_state}`)),
      mirror.next_run && hint(`next run ${ago(mirror.next_run)}`))),
    mirror.source && hints(h("bdi", {}, mirror.source), " → ", h("bdi", {}, mirror.target)),
    mirror.last_error && wrong(mirror.last_error),
    h("div", { class: "pairs" }, mirror.pairs.slice(0, MOST_PAIRS).map((pair) => pairView(mirror.name, pair, context))),
    andMore(mirror.pairs, MOST_PAIRS))));
}

function pairView(mirror, pair, { signal }) {
  const box = h("div", { class: "calendar-box" });
  const params = { bucket: pair.source, target: pair.target, limit: MOST_SLICES };
  api.get(path("mirror", mirror, "slices"), params, { signal }).then(({ slices }) => {
    const days = daysOf(slices), open = days.filter(({ state }) => state !== "equal").reverse();
    fill(box, days.length ? calendar(days) : hint("No slices yet."), open.length > 0 && openDays(open));
  }).catch((failure) => failure.name !== "AbortError" && fill(box, wrong(failure.message)));
  return h("div", { class: "pair" },
    h("div", { class: "cut-box" }, name(pair.source), pair.source !== pair.target && [" → ", name(pair.target)]),
    hints(pair.lag_s === null ? "never succeeded" : `${duration(pair.lag_s)} behind`, ` · ${count(pair.equal_points)} points equal`,
      pair.rejected > 0 && ` · ${count(pair.rejected)} refused`),
    box);
}

/* The days that are not equal, as text. */
function openDays(days) {
  const list = h("ul", { class: "plain days-open" });
  const show = (most) => fill(list, days.slice(0, most).map(({ day, state, points }) => h("li", {}, mark(state), ` ${day} ${state}, ${count(points)} points`)));
  const all = button("all", () => { show(); all.remove(); }, { class: "quiet small" });
  show(5);
  return h("details", {}, h("summary", {}, `${count(days.length)} days are not equal: ${stateWords(days)}`), list, days.length > 5 && all);
}

/* A row of a heat map: the level of each step of time, as `levelsOf` gives it. */
export function strip(levels, label) {
  const width = 600, height = 18, step = width / levels.length, paths = {}, round = (value) => Math.round(value * 100) / 100;
  levels.forEach((level, n) => {
    if (!level) return;
    const inset = { none: 6, some: 3 }[level] ?? 0;
    if (n && levels[n - 1] === level) return;
    let end = n;
    while (levels[end] === level) end += 1;
    paths[level] = `${paths[level] ?? ""}M${round(n * step)} ${inset}h${round((end - n) * step)}v${height - 2 * inset}h${round((n - end) * step)}z`;
  });
  return drawing(width, height, label, Object.entries(paths).map(([level, d]) => [`heat ${level}`, d]), { class: "strip", preserveAspectRatio: "none", width: null, height: null });
}

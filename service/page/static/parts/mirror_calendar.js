/* Mirrors with their lag, and a calendar of the slices of each bucket. */

import { api, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, duration, time } from "../format.js";
import { calendar, daysOf, SLICE_STATES, stateMark, stateWords } from "./drawings.js";
import { badge, name } from "./panel.js";

const MOST_PAIRS = 12;
const MOST_SLICES = 1000;
const JOB_KINDS = { succeeded: "good", failed: "bad", running: "info", queued: "info", cancelled: "warning" };

export function legend() {
  return h("ul", { class: "plain row legend", "aria-label": "States of slices" }, Object.entries(SLICE_STATES).map(([state, meaning]) =>
    h("li", { title: meaning }, stateMark(state), " ", state)));
}

/* Fills `body` with `mirrors`. A pair that is shown again keeps its element until the new one is there. */
export async function mirrorCalendars(body, mirrors, context) {
  const sections = mirrors.map((mirror) => h("div", { class: "mirror" },
    h("div", { class: "row spread" }, h("h3", {}, name(mirror.name)),
      h("span", { class: "row" }, mirror.last_job_state && h("a", { href: context.link("jobs", { id: mirror.last_job }) }, badge(JOB_KINDS[mirror.last_job_state] ?? "info", `last run ${mirror.last_job_state}`)),
        mirror.next_run && h("span", { class: "hint", title: time(mirror.next_run) }, `next run ${ago(mirror.next_run)}`))),
    mirror.source && h("p", { class: "hint" }, h("bdi", {}, mirror.source), " → ", h("bdi", {}, mirror.target)),
    mirror.last_error && h("p", { class: "error-text" }, mirror.last_error),
    h("div", { class: "pairs" }, mirror.pairs.slice(0, MOST_PAIRS).map((pair) => pairView(mirror.name, pair, context))),
    mirror.pairs.length > MOST_PAIRS && h("p", { class: "hint" }, `… and ${count(mirror.pairs.length - MOST_PAIRS)} more buckets`)));
  fill(body, legend(), sections);
}

function pairView(mirror, pair, { signal }) {
  const box = h("div", { class: "calendar-box" });
  const names = pair.source === pair.target ? name(pair.source) : [name(pair.source), " → ", name(pair.target)];
  const slices = Object.entries(pair.slices).filter(([, n]) => n).map(([state, n]) => `${count(n)} ${state}`).join(", ") || "none";
  drawn(box, mirror, pair, signal);
  return h("div", { class: "pair" },
    h("div", { class: "cut-box" }, names),
    h("p", { class: "hint" }, pair.lag_s === null ? "never succeeded" : `${duration(pair.lag_s)} behind`, ` · ${count(pair.equal_points)} points equal`,
      pair.rejected > 0 && ` · ${count(pair.rejected)} refused`, ` · slices: ${slices}`),
    box);
}

async function drawn(box, mirror, pair, signal) {
  try {
    const params = { bucket: pair.source, target: pair.target, limit: MOST_SLICES };
    const { slices } = await api.get(path("mirror", mirror, "slices"), params, { signal });
    const days = daysOf(slices);
    const open = days.filter(({ state }) => state !== "equal").reverse();
    fill(box, days.length > 0 && h("p", { class: "hint" }, `${days[0].day} – ${days.at(-1).day}`), calendar(days, 53) ?? h("span", { class: "hint" }, "No slices yet."), open.length > 0 && openDays(open));
  } catch (failure) {
    if (failure.name !== "AbortError") fill(box, h("p", { class: "error-text" }, failure.message));
  }
}

/* The days that are not equal, as text. */
function openDays(days) {
  const list = h("ul", { class: "plain days-open" });
  const more = button("all", () => { fill(list, days.map(line)); more.remove(); }, { class: "quiet small" });
  fill(list, days.slice(0, 3).map(line));
  return h("details", {}, h("summary", {}, `${count(days.length)} days are not equal: ${stateWords(days)}`), list, days.length > 3 && more);
}

function line({ day, state, points }) {
  return h("li", {}, stateMark(state), ` ${day} ${state}, ${count(points)} points`);
}

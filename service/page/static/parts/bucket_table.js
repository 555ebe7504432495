/* The buckets of the overview: newest point, points a day, and what is silent. Days are counted only for rows in sight. */

import { api, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, seconds, time } from "../format.js";
import { sparkline } from "./drawings.js";
import { badge, empty, name } from "./panel.js";

const PAGE = 25;
const DAYS = 14;
const MOST_ROWS = 10000;
const MOST_AT_ONCE = 2;

/* The points of each of the last days, from a read of counts. null: too many series to add up. */
export function pointsByDay(rows, truncated, nowMs) {
  if (truncated) return null;
  const day = 86400000, today = Math.floor(nowMs / day);
  const days = Array.from({ length: DAYS }, (_, n) => ({ day: new Date((today - DAYS + 1 + n) * day).toISOString().slice(0, 10), points: 0 }));
  for (const row of rows) {
    // A window is stamped with its stop: the day before, or today for the one that is not over.
    const at = Math.ceil(Date.parse(row._time) / day) - 1 - (today - DAYS + 1);
    if (days[at]) days[at].points += row._value;
  }
  return days;
}

function silence(bucket, limitS, nowMs) {
  if (bucket.note) return badge("bad", "not readable");
  if (!bucket.last_point) return badge("", "empty");
  const age = (nowMs - Date.parse(bucket.last_point)) / 1000;
  return age > limitS ? badge("warning", "silent") : badge("good", "live");
}

export function isSilent(bucket, limitS, nowMs) {
  return Boolean(bucket.last_point) && (nowMs - Date.parse(bucket.last_point)) / 1000 > limitS;
}

/* Loads the days of rows that come into sight, few at a time. */
function dayLoader(signal) {
  const waiting = [];
  let running = 0;
  async function next() {
    if (running >= MOST_AT_ONCE || !waiting.length || signal.aborted) return;
    const [cell, bucket] = waiting.shift();
    running += 1;
    try {
      if (cell.isConnected) await fillDays(cell, bucket, signal);
      else observer.observe(cell);
    } finally {
      running -= 1;
      next();
    }
    next();
  }
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      waiting.push([target, target.bucket]);
    }
    next();
  }, { rootMargin: "120px" });
  signal.addEventListener("abort", () => observer.disconnect());
  return observer;
}

async function fillDays(cell, bucket, signal) {
  try {
    const params = { window: `${DAYS - 1}d`, every: "1d", fn: "count", format: "json", limit: MOST_ROWS };
    const answer = await api.get(path("buckets", bucket), params, { signal });
    const days = pointsByDay(answer.rows, answer.truncated, Date.now());
    if (!days) return fill(cell, h("span", { class: "hint" }, "too many series"));
    const total = days.reduce((sum, { points }) => sum + points, 0);
    const yesterday = days.at(-2).points;
    fill(cell, sparkline(days, `Points a day, ${DAYS} days: ${days.map(({ points }) => count(points)).join(", ")}`),
      h("span", { class: "hint" }, total ? ` ${count(yesterday)} yesterday` : " none"));
  } catch (failure) {
    if (failure.name !== "AbortError") fill(cell, h("span", { class: "hint error-text" }, failure.message));
  }
}

/* The table with a filter and a limit for silence, both in the address. `listed`: gives the buckets again. */
export function bucketTable(buckets, { params, signal, link, replace, may }) {
  const loader = dayLoader(signal);
  const state = { text: params.get("bucket") ?? "", limit: params.get("silent") ?? "1h", only: params.get("only") === "silent", shown: PAGE };
  const body = h("tbody"), more = h("div", { class: "row" }), summary = h("p", { class: "hint", "aria-live": "polite" });
  const filter = h("input", { type: "search", value: state.text, placeholder: "Filter by name", "aria-label": "Filter buckets by name",
    onInput: () => { state.text = filter.value; update(); } });
  const limit = h("select", { "aria-label": "Silent after", onChange: () => { state.limit = limit.value; update(); } },
    ["1m", "5m", "15m", "1h", "6h", "1d", "7d"].map((value) => h("option", { value, selected: value === state.limit }, `silent after ${value}`)));
  const only = h("input", { type: "checkbox", checked: state.only, onChange: () => { state.only = only.checked; update(); } });
  const rows = new Map();

  function row(bucket, limitS, nowMs) {
    const cell = rows.get(bucket.name)?.lastChild ?? h("td", { class: "days" });
    if (!rows.has(bucket.name)) {
      cell.bucket = bucket.name;
      loader.observe(cell);
    }
    const element = h("tr", {},
      h("th", { scope: "row" }, h("a", { class: "cut-box", href: link("explore", { bucket: bucket.name }) }, name(bucket.name)),
        bucket.note && h("span", { class: "hint" }, bucket.note)),
      h("td", {}, h("span", { title: time(bucket.last_point) }, ago(bucket.last_point, nowMs))),
      h("td", {}, silence(bucket, limitS, nowMs), " ",
        bucket.last_point && may("read") && h("a", { class: "small-link", href: link("gaps", { bucket: bucket.name }), "aria-label": `Gaps of ${bucket.name}` }, "gaps")),
      cell);
    rows.set(bucket.name, element);
    return element;
  }

  function update() {
    const limitS = seconds(state.limit) ?? 3600, nowMs = Date.now(), text = state.text.toLowerCase();
    const silent = buckets.filter((bucket) => isSilent(bucket, limitS, nowMs));
    const fitting = (state.only ? silent : buckets).filter((bucket) => bucket.name.toLowerCase().includes(text));
    fill(body, fitting.slice(0, state.shown).map((bucket) => row(bucket, limitS, nowMs)));
    const left = fitting.length - state.shown;
    fill(more, left > 0 && button(`Show ${Math.min(left, 100)} more of ${count(left)}`, () => { state.shown += 100; update(); }));
    fill(summary, `${count(buckets.length)} buckets, ${count(silent.length)} silent for more than ${state.limit}`,
      fitting.length !== buckets.length && `, ${count(fitting.length)} shown`, ".");
    replace({ bucket: state.text, silent: state.limit === "1h" ? "" : state.limit, only: state.only ? "silent" : "" });
  }

  const element = buckets.length === 0 ? empty("The key sees no bucket.") : h("div", {},
    h("div", { class: "row tools" }, filter, limit, h("label", { class: "row switch" }, only, "silent ones alone")), summary,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Buckets" },
      h("table", { class: "buckets" }, h("thead", {}, h("tr", {}, ["Bucket", "Newest point", "State", "Points a day"].map((title) => h("th", { scope: "col" }, title)))), body)), more);
  element.show = (again) => { buckets = again; update(); };
  update();
  return element;
}

/* Where the series of a bucket have no points: a row of a heat map for each series, and who is silent now. */

import { api, path } from "../api.js";
import { busy, button, field, fill, h } from "../dom.js";
import { ago, count, duration, time } from "../format.js";
import { strip } from "../parts/drawings.js";
import { picker } from "../picker.js";
import { badge, card, cutList, hint, hints, linked, listing, moreButton, polite, say } from "../parts/parts.js";

const STEPS = 96, MOST_GAPS = 1000, PAGE = 100, MOST_LISTED = 50;

export async function show(root, params, { signal, remember, link }) {
  const control = (member, props) => h("input", { value: params.get(member) ?? "", autocomplete: "off", spellcheck: "false", ...props });
  const inputs = { expect: control("expect", { placeholder: "3 times the usual" }), window: control("window", { placeholder: "1d", value: params.get("window") ?? "1d" }) };
  const outcome = h("div", { class: "view" }), measurements = h("div", { class: "field" });
  let bucket = params.get("bucket") ?? "", measurement = params.getAll("measurement");
  const buckets = picker({ label: "Bucket", chosen: bucket ? [bucket] : [], none: "choose a bucket",
    load: async () => ({ names: (await api.get("buckets", {}, { signal })).buckets.map(({ name }) => name) }), onChange: ([name]) => { bucket = name; measurement = []; listMeasurements(); } });
  root.append(h("h1", {}, "Gaps"), h("form", { class: "card order", onSubmit: (event) => { event.preventDefault(); find(); } },
    h("div", { class: "form" }, buckets, measurements, field("Points at least every", inputs.expect, "30s, 5m, 1h; empty: what each series usually does"),
      field("Window", inputs.window, "How far back: 6h, 1d, 4w")),
    h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Find gaps"))), outcome);
  let round = linked(signal);

  function listMeasurements() {
    fill(measurements, picker({ label: "Measurement", multiple: true, chosen: measurement, onChange: (names) => { measurement = names; },
      load: async () => ({ names: (await api.get(path("buckets", bucket, "schema"), {}, { signal })).measurements.map(({ name }) => name) }) }));
  }

  async function find(isFirst) {
    if (!bucket) return buckets.querySelector("button").focus();
    round.abort();
    round = linked(signal);
    const question = { expect: inputs.expect.value, window: inputs.window.value, measurement };
    if (!isFirst) remember({ bucket, ...question });
    fill(outcome, busy("Reading every point of the window …"));
    try {
      const asked = { ...question, gaps: MOST_GAPS };
      fill(outcome, answerView(await api.get(path("buckets", bucket, "gaps"), asked, { signal: round.signal }), link));
    } catch (failure) {
      say(outcome, failure);
    }
    return undefined;
  }

  listMeasurements();
  if (bucket) await find(true);
  else fill(outcome, hints("Choose a bucket. Every point of the window is read for it, and none is sent."));
}

function answerView(answer, link) {
  const series = worstFirst(answer.series), silent = series.filter((entry) => entry.silent);
  if (!series.length) return hints("No series has points in this window, or had any before it.");
  return [card("Silent now", silent.length ? cutList(silent, 20, (entry) => [h("bdi", {}, seriesTitle(entry)), hint(` last point ${ago(entry.last)}`)])
    : h("p", {}, badge("good", "none"), " Every series has had a point within the expected time.")), heatMap(answer, series, link)];
}

function heatMap(answer, series, link) {
  const startMs = Date.parse(answer.start), stopMs = Date.parse(answer.stop);
  const detail = polite(), more = h("div", { class: "row" }), summary = polite("p", { class: "hint" });
  const table = listing("Coverage of series", ["Series", "Time", "#Covered", "#Gaps", "Now"], []);
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter series", onInput: () => update(PAGE) });
  fill(table.querySelectorAll("th")[1], h("span", { class: "axis" }, [answer.start, answer.stop].map((at) => h("span", {}, time(at).slice(0, 16)))));
  table.classList.add("heat-map");

  function row(entry) {
    const text = seriesTitle(entry);
    const label = `${percent(entry.covered)} covered, ${count(entry.gap_count)} gaps${entry.silent ? ", silent now" : ""}`;
    return [button(h("span", { class: "name" }, text), () => fill(detail, gapList(entry, answer.bucket, link)), { class: "quiet small series", title: text }), strip(levelsOf(entry, startMs, stopMs, STEPS), label),
      percent(entry.covered), count(entry.gap_count), entry.silent ? badge("warning", "silent") : entry.silent === null && badge("", "too few points")];
  }

  function update(shown) {
    const fitting = series.filter((entry) => seriesTitle(entry).toLowerCase().includes(filter.value.toLowerCase()));
    fill(table.body, [...listing("", ["", "", "#", "#", ""], fitting.slice(0, shown).map(row)).body.children]);
    fill(more, moreButton(fitting.length - shown, 400, () => update(shown + 400)));
    summary.textContent = `${count(fitting.length)} series, the silent and least covered ones first.`;
  }

  update(PAGE);
  const legend = h("ul", { class: "plain row legend" }, Object.entries(LEVELS).map(([level, meaning]) => h("li", {}, h("span", { class: "legend-strip", "aria-hidden": "true" }, strip([level], meaning)), meaning)), h("li", { class: "faint" }, "blank: before its first point"));
  return card("Series and time", h("div", { class: "row tools" }, filter, legend), summary, detail, table, more);
}

function gapList(entry, bucket, link) {
  const gaps = [...entry.gaps].reverse(), { measurement, field: fieldName } = entry;
  return h("div", { class: "notice info" }, h("p", {}, h("strong", {}, h("bdi", {}, seriesTitle(entry)))),
    h("p", {}, `${count(entry.points)} points, expected every ${entry.expect_s === null ? "–" : duration(entry.expect_s)}; last point ${ago(entry.last)}. `,
      h("a", { href: link("explore", { bucket, measurement, field: fieldName }) }, "See its points")),
    gaps.length ? cutList(gaps, MOST_LISTED, (gap) => [time(gap.start), " – ", gap.stop ? time(gap.stop) : "still open", hint(` ${duration(gap.seconds)}`)]) : "No gaps.");
}

export const LEVELS = { all: "covered", most: "half or more", some: "less than half", none: "no points" };

/* A level for each of `steps`; null where the series was not looked at yet. Times in milliseconds. */
export function levelsOf(series, startMs, stopMs, steps) {
  const length = (stopMs - startMs) / steps;
  const gaps = series.gaps.map((gap) => [Date.parse(gap.start), gap.stop ? Date.parse(gap.stop) : stopMs]);
  const expectMs = (series.expect_s ?? 0) * 1000;
  const watchedMs = Math.min(series.first ? Date.parse(series.first) : stopMs, gaps[0]?.[0] ?? stopMs);
  if (!series.points && !gaps.length) return Array(steps).fill(series.last || series.silent ? "none" : null);
  const missing = new Float64Array(steps);
  for (const [from, to] of gaps) {
    // A point covers the time up to `expect` after it.
    const begin = Math.max(from === startMs ? from : from + expectMs, startMs), end = Math.min(to, stopMs);
    for (let n = Math.max(0, Math.floor((begin - startMs) / length)); n < steps && startMs + n * length < end; n += 1) {
      missing[n] += Math.max(0, Math.min(end, startMs + (n + 1) * length) - Math.max(begin, startMs + n * length));
    }
  }
  return Array.from(missing, (lost, n) => (startMs + (n + 1) * length <= watchedMs ? null : level(1 - lost / length)));
}

function level(share) {
  if (share >= 0.995) return "all";
  if (share >= 0.5) return "most";
  return share > 0.005 ? "some" : "none";
}

/* A series as one text: measurement, field and tags. */
export function seriesTitle({ measurement, field, tags }) {
  const labels = Object.entries(tags).map(([key, value]) => `${key}=${value}`).join(", ");
  return `${measurement} ${field}${labels ? ` (${labels})` : ""}`;
}

/* Silent ones first, then those that are covered least. */
export function worstFirst(series) {
  const rank = (entry) => (entry.silent ? -2 : 0) + (entry.covered ?? 1.5);
  return [...series].sort((a, b) => rank(a) - rank(b));
}

/* A share as a percentage that is 100 only where nothing is missing. */
export function percent(share) {
  if (share === null) return "–";
  if (share === 1) return "100 %";
  return `${Math.min(99.99, Math.floor(share * 10000) / 100)} %`;
}

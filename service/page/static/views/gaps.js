/* Where the series of a bucket have no points: a row of a heat map for each series, and who is silent now. */

import { path } from "../api.js";
import { button, busy, field, fill, h, problemBox } from "../dom.js";
import { ago, count, duration, time } from "../format.js";
import { LEVELS, levelsOf, percent, seriesTitle, worstFirst } from "../parts/coverage.js";
import { strip } from "../parts/drawings.js";
import { badge, empty } from "../parts/panel.js";

const STEPS = 96;
const MOST_GAPS = 1000;
const PAGE = 100;

export async function show(root, params, context) {
  const { api, signal, remember } = context;
  const asked = { bucket: params.get("bucket") ?? "", expect: params.get("expect") ?? "", window: params.get("window") ?? "1d", measurement: params.get("measurement") ?? "" };
  const outcome = h("div", { class: "view", "aria-live": "off" }), names = h("datalist", { id: "gap-buckets" });
  const inputs = Object.fromEntries(Object.entries(asked).map(([member, value]) => [member, h("input", { value, autocomplete: "off", spellcheck: "false" })]));
  inputs.bucket.setAttribute("list", "gap-buckets");
  inputs.bucket.required = true;
  inputs.expect.placeholder = "3 times the usual";
  inputs.window.placeholder = "7d";
  inputs.measurement.placeholder = "all";
  const submit = h("button", { type: "submit", class: "primary" }, "Find gaps");
  const form = h("form", { class: "card", onSubmit: (event) => { event.preventDefault(); find(); } },
    h("div", { class: "form" }, field("Bucket", inputs.bucket), field("Points at least every", inputs.expect, "30s, 5m, 1h; empty: what each series usually does"),
      field("Window", inputs.window, "How far back: 6h, 1d, 4w"), field("Measurement", inputs.measurement)), h("div", { class: "row" }, submit), names);
  root.append(h("h1", {}, "Gaps"), form, outcome);
  api.get("buckets", {}, { signal }).then(({ buckets }) => fill(names, buckets.slice(0, 1000).map((bucket) => h("option", { value: bucket.name }))), () => {});
  let round = null;

  async function find(isFirst = false) {
    round?.abort();
    round = new AbortController();
    const values = Object.fromEntries(Object.entries(inputs).map(([member, input]) => [member, input.value.trim()]));
    values.bucket = inputs.bucket.value;
    if (!isFirst) remember(values);
    fill(outcome, busy("Reading every point of the window …"));
    try {
      const { bucket, ...question } = values;
      const answer = await api.get(path("buckets", bucket, "gaps"), { ...question, gaps: MOST_GAPS }, { signal: AbortSignal.any([signal, round.signal]) });
      fill(outcome, answerView(answer, context));
    } catch (failure) {
      if (failure.name !== "AbortError") fill(outcome, problemBox(failure));
    }
  }

  if (asked.bucket) await find(true);
  else fill(outcome, empty("Choose a bucket. Every point of the window is read for it, and none is sent."));
}

function answerView(answer, context) {
  const series = worstFirst(answer.series);
  if (!series.length) return [empty("No series has points in this window, or had any before it.")];
  return [silentNow(series.filter((entry) => entry.silent)), heatMap(answer, series, context)];
}

function silentNow(silent) {
  const list = silent.slice(0, 20).map((entry) => h("li", {}, h("bdi", {}, seriesTitle(entry)), h("span", { class: "hint" }, ` last point ${ago(entry.last)}`)));
  return h("section", { class: "card", "aria-label": "Silent now" }, h("h2", {}, "Silent now"),
    silent.length ? h("ul", { class: "plain" }, list) : h("p", {}, badge("good", "none"), " Every series had a point as lately as expected."),
    silent.length > 20 && h("p", { class: "hint" }, `… and ${count(silent.length - 20)} more; they come first below.`));
}

function heatMap(answer, series, context) {
  const startMs = Date.parse(answer.start), stopMs = Date.parse(answer.stop);
  const detail = h("div", { "aria-live": "polite" }), body = h("tbody"), more = h("div", { class: "row" }), summary = h("p", { class: "hint", "aria-live": "polite" });
  const filter = h("input", { type: "search", placeholder: "Filter series", "aria-label": "Filter series", onInput: () => { shown = PAGE; update(); } });
  let shown = PAGE;

  function row(entry) {
    const levels = levelsOf(entry, startMs, stopMs, STEPS), text = seriesTitle(entry);
    const gaps = `${count(entry.gap_count)} gap${entry.gap_count === 1 ? "" : "s"}`;
    const label = `${percent(entry.covered)} covered, ${gaps}${entry.silent ? ", silent now" : ""}`;
    const open = button(text, () => fill(detail, gapList(entry, answer, context)), { class: "quiet small cut series", title: text, "aria-label": `Gaps of ${text}` });
    return h("tr", {}, h("th", { scope: "row" }, open), h("td", { class: "strip-cell" }, strip(levels, label)),
      h("td", { class: "numeric" }, percent(entry.covered)), h("td", { class: "numeric" }, count(entry.gap_count)),
      h("td", {}, entry.silent ? badge("warning", "silent") : entry.silent === null ? badge("", "too few points") : ""));
  }

  function update() {
    const wanted = filter.value.toLowerCase();
    const fitting = series.filter((entry) => seriesTitle(entry).toLowerCase().includes(wanted));
    fill(body, fitting.slice(0, shown).map(row));
    const left = fitting.length - shown;
    fill(more, left > 0 && button(`Show ${Math.min(left, 400)} more of ${count(left)}`, () => { shown += 400; update(); }));
    fill(summary, `${count(fitting.length)} series, the silent and least covered ones first. ${time(answer.start)} to ${time(answer.stop)}.`);
  }

  update();
  const legend = h("ul", { class: "plain row legend", "aria-label": "Colours" }, Object.entries(LEVELS).map(([level, meaning]) =>
    h("li", {}, h("span", { class: "legend-strip" }, strip([level], "")), ` ${meaning}`)));
  const heads = [["Series"], ["Time"], ["Covered", "numeric"], ["Gaps", "numeric"], ["Now"]];
  return h("section", { class: "card", "aria-label": "Series and time" }, h("h2", {}, "Series and time"),
    h("div", { class: "row tools" }, filter, legend), summary, detail,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Coverage of series" }, h("table", { class: "heat-map" },
      h("thead", {}, h("tr", {}, heads.map(([title, kind]) => h("th", { scope: "col", class: kind }, title === "Time" ? axis(answer) : title)))), body)), more);
}

function axis({ start, stop }) {
  return h("span", { class: "axis" }, h("span", {}, time(start).slice(0, 16)), h("span", {}, time(stop).slice(0, 16)));
}

function gapList(entry, { bucket }, { link }) {
  const gaps = [...entry.gaps].reverse();
  const explore = link("explore", { bucket, measurement: entry.measurement, field: entry.field });
  const rows = gaps.slice(0, 50).map((gap) => h("li", {}, time(gap.start), " – ", gap.stop ? time(gap.stop) : "still open", h("span", { class: "hint" }, ` ${duration(gap.seconds)}`)));
  return h("div", { class: "notice info" }, h("p", {}, h("strong", {}, h("bdi", {}, seriesTitle(entry)))),
    h("p", {}, `${count(entry.points)} points, expected every ${entry.expect_s === null ? "–" : duration(entry.expect_s)}; last point ${ago(entry.last)}. `, h("a", { href: explore }, "See its points")),
    rows.length ? h("ul", { class: "plain" }, rows) : h("p", {}, "No gaps."),
    entry.gap_count > Math.min(gaps.length, 50) && h("p", { class: "hint" }, `The newest ${count(Math.min(gaps.length, 50))} of ${count(entry.gap_count)} gaps.`));
}

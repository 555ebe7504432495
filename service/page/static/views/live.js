/* The newest values as they arrive: a tile for each device, with the age of its values and a mark when it is silent. */

import { api } from "../api.js";
import { fill, h, problemBox } from "../dom.js";
import { count, duration, number, seconds } from "../format.js";
import { followEvents } from "../parts/jobs.js";
import { badge, hint, hints, moreButton, name, polite, poll, say, toggle } from "../parts/parts.js";

const POLL_S = 5, PAGE = 60, MOST_VALUES = 12;

export async function show(root, params, { signal, replace, go }) {
  const state = { by: params.get("by") ?? "", silent: params.get("silent") ?? "1m", lookback: params.get("lookback") ?? "1h", only: params.has("only"), text: "", shown: PAGE };
  const latest = new LatestRows(), elements = new Map(), grid = h("ul", { class: "plain tiles" });
  const summary = polite("p", { class: "hint" }), message = polite(), more = h("div", { class: "row" }), connection = h("span", { role: "status" }, badge("info", "connecting"));
  let clockOffsetMs = 0;

  const address = () => ({ by: state.by, silent: state.silent, lookback: state.lookback, only: state.only ? "silent" : "", bucket: params.getAll("bucket"), measurement: params.getAll("measurement") });
  function change(changed) {
    Object.assign(state, changed);
    if ("by" in changed) elements.clear();
    if ("lookback" in changed) return go("live", address());
    replace(address());
    return draw();
  }
  const chooser = (label, member, values) => {
    const control = h("select", { "aria-label": label, onChange: () => change({ [member]: control.value }) },
      values.map((value) => h("option", { value, selected: value === state[member] }, `${label.toLowerCase()} ${value}`)));
    return control;
  };
  const by = h("select", { "aria-label": "A tile for each", onChange: () => change({ by: by.value }) });
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter tiles", onInput: () => change({ text: filter.value.toLowerCase() }) });
  root.append(h("div", { class: "head" }, h("h1", {}, "Live"), connection),
    h("div", { class: "row tools" }, by, chooser("Silent after", "silent", ["10s", "30s", "1m", "5m", "15m", "1h"]), chooser("Points of the last", "lookback", ["1m", "15m", "1h", "6h", "1d"]),
      filter, toggle("only silent ones", (only) => change({ only }), { checked: state.only })), summary, message, grid, more);

  function took(document) {
    clockOffsetMs = document.ts - Date.now();
    const changed = latest.take(document), keys = ["", ...latest.tagKeys()];
    if (keys.join() !== [...by.options].map((option) => option.value).join()) {
      fill(by, keys.map((key) => h("option", { value: key, selected: key === state.by }, `a tile per ${key || "series"}`)));
    }
    fill(message, latest.rows.size === 0 && hints(`No measurement of telemetry had a point in the last ${state.lookback}. Its name contains TELEMETRY_WORD, “real” by default.`));
    draw(changed);
  }

  function draw(changed = new Set()) {
    const nowMs = Date.now() + clockOffsetMs, limitS = seconds(state.silent) ?? 60, tiles = latest.tiles(state.by);
    for (const tile of tiles) tile.ageS = (nowMs - Date.parse(tile.newest)) / 1000;
    const quiet = tiles.filter((tile) => tile.ageS > limitS);
    const fitting = (state.only ? quiet : tiles).filter((tile) => `${tile.title} ${tile.subtitle}`.toLowerCase().includes(state.text));
    const shown = fitting.slice(0, state.shown).map((tile) => tileView(tile, tile.ageS > limitS, changed));
    if (shown.length !== grid.children.length || shown.some((element, n) => grid.children[n] !== element)) fill(grid, shown);
    fill(more, moreButton(fitting.length - state.shown, 200, () => change({ shown: state.shown + 200 })));
    const words = tiles.length ? `${count(tiles.length)} tiles, ${count(quiet.length)} silent for more than ${state.silent}.` : "";
    if (summary.textContent !== words) summary.textContent = words;
  }

  function tileView(tile, isSilent, changed) {
    const known = elements.get(tile.id);
    const element = known ?? h("li", { class: "tile" }, h("div", { class: "row spread" }, h("h2", {}, name(tile.title)), h("span")), hints(name(tile.subtitle)), h("dl", { class: "values" }), hints());
    const [head, , list, age] = element.children, cells = element.cells ??= new Map(), hidden = tile.values.length - MOST_VALUES;
    if (element.isSilent !== isSilent) fill(head.lastChild, isSilent ? badge("warning", "silent") : badge("good", "live"));
    element.isSilent = isSilent;
    element.classList.toggle("is-silent", isSilent);
    age.textContent = `${duration(tile.ageS)} ago${hidden > 0 ? `, ${count(hidden)} more values` : ""}`;
    for (const { key, label, value } of tile.values.slice(0, MOST_VALUES)) {
      const isNew = !cells.has(key), cell = cells.get(key) ?? h("dd", { class: "big" });
      cells.set(key, cell);
      if (isNew) list.append(h("div", {}, h("dt", { title: label }, h("bdi", {}, label)), cell));
      if (isNew || changed.has(key)) {
        cell.textContent = number(value);
        cell.classList.toggle("long", cell.textContent.length > 8);
        cell.parentNode.classList.toggle("wide", cell.textContent.length > 10);
      }
      if (!isNew && changed.has(key)) cell.animate?.([{ opacity: 0.3 }, { opacity: 1 }], 600);
    }
    elements.set(tile.id, element);
    return element;
  }

  const tick = setInterval(() => document.hidden || draw(), 1000);
  signal.addEventListener("abort", () => clearInterval(tick));
  const question = { format: "rows", lookback: state.lookback, bucket: params.getAll("bucket"), measurement: params.getAll("measurement") };
  follow();

  /* Follows the stream; where the gateway refuses that, asks now and then. */
  async function follow() {
    const onProblem = (problem) => fill(connection, problem ? badge("warning", "connecting again") : badge("good", "stream"));
    const refused = await followEvents("telemetry/stream", { params: question, signal, onProblem, whileShown: true, refusals: [429] }, (event, data) => {
      if (event === "state" || event === "change") {
        if (connection.textContent !== "stream") onProblem(null);
        took(data);
      } else if (event === "problem") fill(message, problemBox(data));
    });
    if (!refused || refused.status === 401) return;
    fill(connection, badge("info", `asks every ${POLL_S} s`), refused.status !== 404 && hint(` ${refused.detail}`));
    poll(signal, async () => {
      try {
        took(await api.get("telemetry/latest", question, { signal }));
        return POLL_S;
      } catch (failure) {
        say(message, failure);
        return 30;
      }
    });
  }
}

/* A key for the series of a row of format=rows. */
function seriesKey({ bucket, measurement, tags, field }) {
  return JSON.stringify([bucket, measurement, field, Object.entries(tags).sort()]);
}

/* The rows of all series. A series without new points stays as it was, so that its silence is seen. */
export class LatestRows {
  rows = new Map();

  /* Takes an event of the stream, or an answer of /telemetry/latest as a `state`. Gives the keys of changed rows. */
  take(document) {
    const changed = new Set();
    for (const row of document.rows) {
      const key = seriesKey(row), known = this.rows.get(key);
      if (known && known.time === row.time && Object.is(known.value, row.value)) continue;
      this.rows.set(key, row);
      changed.add(key);
    }
    return changed;
  }

  /* The tiles: one for each value of the tag `by`, or, without it, for each measurement with its tags. */
  tiles(by) {
    const tiles = new Map();
    for (const [key, row] of this.rows) {
      const labels = Object.entries(row.tags).sort();
      const title = by ? row.tags[by] ?? "–" : labels.map(([, value]) => value).join(" · ") || row.measurement;
      const id = by ? title : JSON.stringify([row.bucket, row.measurement, labels]);
      const tile = tiles.get(id) ?? { id, title, subtitle: by ? row.bucket : `${row.bucket} · ${row.measurement}`, newest: "", values: [] };
      tile.values.push({ key, label: by ? `${row.measurement} ${row.field}` : row.field, ...row });
      if (row.time > tile.newest) tile.newest = row.time;
      tiles.set(id, tile);
    }
    return [...tiles.values()].sort((a, b) => a.title.localeCompare(b.title, "en", { numeric: true }) || (a.id < b.id ? -1 : 1));
  }

  tagKeys() {
    return [...new Set([...this.rows.values()].flatMap((row) => Object.keys(row.tags)))].sort();
  }
}

/* The newest values as they arrive: a tile for each device, with the age of its values and a mark when it is silent. */

import { button, fill, h, problemBox } from "../dom.js";
import { count, duration, number, seconds } from "../format.js";
import { followEvents } from "../parts/event_stream.js";
import { badge, empty, name, poll } from "../parts/panel.js";
import { LatestRows } from "../parts/tiles.js";

const POLL_S = 5;
const PAGE = 60;
const MOST_VALUES = 12;

export async function show(root, params, context) {
  const { signal, replace, link } = context;
  const state = { by: params.get("by") ?? "", silent: params.get("silent") ?? "1m", lookback: params.get("lookback") ?? "1h", only: params.get("only") === "silent", text: "", shown: PAGE };
  const latest = new LatestRows(), tiles = new Map();
  const grid = h("ul", { class: "plain tiles" }), summary = h("p", { class: "hint", "aria-live": "polite" }), message = h("div", { "aria-live": "polite" }), more = h("div", { class: "row" });
  const connection = h("span", { role: "status" }, badge("info", "connecting"));
  let clockOffsetMs = 0, lastSummary = "";
  const now = () => Date.now() + clockOffsetMs;

  const by = h("select", { "aria-label": "A tile for each", onChange: () => { state.by = by.value; tiles.clear(); remember(); draw(); } });
  const silent = picker("Silent after", ["10s", "30s", "1m", "5m", "15m", "1h"], "silent", () => draw());
  const lookback = picker("Newest points of the last", ["1m", "15m", "1h", "6h", "1d"], "lookback", () => context.go("live", address()));
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter tiles", onInput: () => { state.text = filter.value.toLowerCase(); draw(); } });
  const only = h("input", { type: "checkbox", checked: state.only, onChange: () => { state.only = only.checked; remember(); draw(); } });

  function picker(label, values, member, changed) {
    const control = h("select", { "aria-label": label, onChange: () => { state[member] = control.value; remember(); changed(); } },
      [...new Set([...values, state[member]])].map((value) => h("option", { value, selected: value === state[member] }, `${label.toLowerCase()} ${value}`)));
    return control;
  }

  const address = () => ({ by: state.by, silent: state.silent, lookback: state.lookback, only: state.only ? "silent" : "" });
  const remember = () => replace(address());

  function take(document, changed = new Set()) {
    clockOffsetMs = document.ts - Date.now();
    for (const key of latest.take(document)) changed.add(key);
    const keys = ["", ...latest.tagKeys()];
    if (keys.join() !== [...by.options].map((option) => option.value).join()) {
      fill(by, keys.map((key) => h("option", { value: key, selected: key === state.by }, key ? `a tile per ${key}` : "a tile per series")));
    }
    draw(changed);
  }

  function draw(changed = new Set()) {
    const limitS = seconds(state.silent) ?? 60, all = latest.tiles(state.by);
    for (const tile of all) tile.age = (now() - Date.parse(tile.newest)) / 1000;
    const quiet = all.filter((tile) => tile.age > limitS);
    const fitting = (state.only ? quiet : all).filter((tile) => `${tile.title} ${tile.subtitle}`.toLowerCase().includes(state.text));
    const wanted = fitting.slice(0, state.shown).map((tile) => tileView(tile, tile.age > limitS, changed));
    if (wanted.length !== grid.children.length || wanted.some((element, n) => grid.children[n] !== element)) fill(grid, wanted);
    const left = fitting.length - state.shown;
    fill(more, left > 0 && button(`Show ${Math.min(left, 200)} more of ${count(left)}`, () => { state.shown += 200; draw(); }));
    const text = all.length ? `${count(all.length)} tiles, ${count(quiet.length)} silent for more than ${state.silent}.` : "";
    if (text !== lastSummary) summary.textContent = lastSummary = text;
  }

  function tileView(tile, isSilent, changed) {
    let element = tiles.get(tile.id);
    if (!element) {
      element = h("li", { class: "tile live" }, h("div", { class: "row spread" }, h("h2", { class: "cut-box" }, name(tile.title)), h("span")), h("p", { class: "hint cut" }, h("bdi", {}, tile.subtitle)), h("dl", { class: "values" }), h("p", { class: "hint" }));
      element.values = new Map();
      tiles.set(tile.id, element);
    }
    const [head, , list, age] = element.children;
    element.classList.toggle("is-silent", isSilent);
    if (element.wasSilent !== isSilent) fill(head.lastChild, isSilent ? badge("warning", "silent") : badge("good", "live"));
    element.wasSilent = isSilent;
    age.textContent = `${duration(tile.age)} ago`;
    for (const value of tile.values.slice(0, MOST_VALUES)) {
      let cell = element.values.get(value.key);
      if (!cell) {
        cell = h("dd", { class: "big" });
        list.append(h("div", {}, h("dt", {}, h("bdi", {}, value.label)), cell));
        element.values.set(value.key, cell);
        cell.textContent = number(value.value);
      } else if (changed.has(value.key)) {
        cell.textContent = number(value.value);
        cell.classList.remove("fresh");
        requestAnimationFrame(() => cell.classList.add("fresh"));
      }
    }
    const hidden = tile.values.length - MOST_VALUES;
    if (hidden > 0) age.textContent += ` · ${count(hidden)} more values`;
    return element;
  }

  root.append(h("div", { class: "head" }, h("h1", {}, "Live"), connection), h("div", { class: "row tools" }, by, silent, lookback, filter, h("label", { class: "row switch" }, only, "silent ones alone")),
    summary, message, grid, more);
  const question = { format: "rows", lookback: state.lookback, bucket: params.getAll("bucket"), measurement: params.getAll("measurement") };
  const tick = setInterval(() => { if (!document.hidden) draw(); }, 1000);
  signal.addEventListener("abort", () => clearInterval(tick));

  function took(document) {
    take(document);
    if (!latest.rows.size) fill(message, empty(`No measurement of telemetry had a point in the last ${state.lookback}. Its name contains TELEMETRY_WORD, “real” by default.`));
    else if (message.firstChild) fill(message);
  }

  function pollInstead(reason) {
    fill(connection, badge("info", `asks every ${POLL_S} s`), reason && h("span", { class: "hint" }, ` ${reason}`));
    poll(signal, async () => {
      try {
        took(await context.api.get("telemetry/latest", question, { signal }));
        return POLL_S;
      } catch (failure) {
        if (failure.name !== "AbortError") fill(message, problemBox(failure));
        return 30;
      }
    });
  }

  follow();
  async function follow() {
    const onProblem = (problem) => fill(connection, problem ? badge("warning", "connecting again") : badge("good", "stream"));
    const ended = await followEvents("telemetry/stream", { params: question, signal, onProblem, restful: true, refusals: [429] }, ({ event, data }) => {
      if (event === "state" || event === "change") {
        if (connection.textContent !== "stream") onProblem(null);
        took(data);
      } else if (event === "problem") fill(message, problemBox(data));
      return false;
    });
    if (ended.end === "refused" && ended.problem.status !== 401) pollInstead(ended.problem.status === 404 ? "" : ended.problem.detail);
  }
}

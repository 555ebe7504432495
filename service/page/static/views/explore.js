/* Looks at the points of a bucket: a builder, a chart and its rows, files, and the same read for other programs. */

import { api, path } from "../api.js";
import { button, fill, h, notice, problemBox } from "../dom.js";
import { count, duration, localZone, short, time } from "../format.js";
import { fieldsOf, showBuilder } from "../explore/builder.js";
import { chart, picture, theme } from "../explore/chart.js";
import { copyMenu } from "../explore/copy.js";
import { extent, tableOf } from "../explore/csv.js";
import { downloads } from "../explore/download.js";
import { clockText, everyFor, iso, momentOf, moved, resolved, rounded, WINDOWS, zoomed } from "../explore/ranges.js";
import { MOST_ROWS, showRows } from "../explore/rows.js";
import { drawnSigns, signsOf } from "../explore/signs.js";
import { question, readState, shapeOf, stateParams, zoneOf } from "../explore/state.js";

const HEIGHT = 400;
const NARROWEST = 240;
const SETTLE_MS = 250;
const NEWEST = "real"; // in the names of measurements that hold the newest values alone, unless a gateway is set otherwise

export async function show(root, params, context) {
  const state = readState(params);
  const { signal } = context;
  const buckets = (await api.get("buckets", {}, { signal })).buckets.map(({ name }) => name);
  if (!buckets.length) {
    root.append(h("h1", {}, "Explore"), notice("info", "No buckets yet.", "Make one with “fluxgate buckets create”, or POST /buckets."));
    return undefined;
  }
  if (!state.bucket && buckets.length === 1) [state.bucket] = buckets;
  const explorer = new Explorer(root, state, buckets, context);
  await explorer.begin();
  return () => explorer.stop();
}

class Explorer {
  constructor(root, state, buckets, context) {
    Object.assign(this, { state, buckets, context, schema: null, range: null, every: "", asked: null, timer: 0, first: { ...state } });
    this.wide = matchMedia("(min-width: 761px)");
    this.builder = h("div", { class: "form builder" });
    this.chosen = h("span", { class: "faint" });
    this.box = h("details", { class: "card foldable", open: this.wide.matches || !state.bucket }, h("summary", {}, "What to look at ", this.chosen), this.builder);
    this.bar = h("section", { class: "row rangebar", "aria-label": "Range" });
    this.signs = h("div", { class: "signs", "aria-live": "polite" });
    this.chart = chart({ zoom: (from, to) => this.look(rounded(from, to)), key: (name) => this.press(name) });
    this.rows = h("div", { class: "rows" });
    this.told = h("p", { class: "faint told", role: "status" });
    this.copies = h("div", {});
    this.seen = h("div", { class: "seen", "aria-busy": "true" },
      h("section", { class: "card", "aria-label": "Chart" }, this.chart.element, this.told),
      h("section", { class: "card", "aria-label": "Rows" }, this.rows));
    this.takeaway = h("section", { class: "card takeaway" },
      h("div", {}, h("h2", {}, "Download what is shown"), downloads(() => this.shown())),
      h("div", {}, h("h2", {}, "Use it elsewhere"), this.copies));
    this.resized = new ResizeObserver(() => this.resize());
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => { if (this.theme !== theme()) this.soon(); };
    this.dark.addEventListener("change", this.recolour);
    fill(root, h("div", { class: "head" }, h("h1", {}, "Explore"), this.zones()), this.box, this.bar, this.signs, this.seen, this.takeaway);
  }

  /* On a wide window everything is open: it has no handle there. */
  resize() {
    if (this.wide.matches) for (const box of [this.box, ...this.bar.querySelectorAll("details")]) box.open = true;
    if (Math.abs(this.chart.width() - this.width) > 8) this.soon();
  }

  async begin() {
    if (!this.state.bucket) return this.choosing(notice("info", "", `Choose one of ${count(this.buckets.length)} buckets to begin.`));
    try {
      await this.enter();
    } catch (problem) {
      if (problem.name !== "AbortError") this.choosing(problemBox(problem));
      return undefined;
    }
    return this.resized.observe(this.chart.element);
  }

  /* Shows the builder alone, and why. */
  choosing(reason) {
    this.schema = null;
    this.box.open = true;
    for (const part of [this.bar, this.seen, this.takeaway]) part.hidden = true;
    this.build();
    fill(this.signs, reason);
  }

  /* Reads what the bucket holds, chooses a first field where nothing is chosen, and shows it. */
  async enter() {
    const { state, context } = this;
    this.schema = await api.get(path("buckets", state.bucket, "schema"), {}, { signal: context.signal });
    if (!state.measurement.length && !state.field.length) this.suggest();
    for (const part of [this.bar, this.seen, this.takeaway]) part.hidden = false;
    fill(this.signs);
    this.build();
    context.replace(stateParams(state));
    context.title(`${state.bucket} – Explore`);
    this.showBar();
    await this.ask();
  }

  suggest() {
    const { measurements } = this.schema;
    const measurement = measurements.find(({ name }) => !name.includes(NEWEST)) ?? measurements[0];
    if (!measurement) return;
    this.state.measurement = [measurement.name];
    this.state.field = [...fieldsOf([measurement]).keys()].slice(0, 1);
  }

  build() {
    const { state, buckets, schema } = this;
    fill(this.chosen, h("bdi", {}, short([state.bucket, ...state.field].filter(Boolean).join(" · "), 60)));
    showBuilder(this.builder, { state, buckets, schema, signal: this.context.signal, change: (next, remake) => this.change(next, remake) });
  }

  change(next, remake) {
    Object.assign(this.state, next);
    this.context.remember(stateParams(this.state));
    if ("bucket" in next) return this.begin();
    if (remake) this.rebuild();
    return this.soon();
  }

  /* Makes the controls anew, without taking the focus from the one that is in use. */
  rebuild() {
    const open = this.builder.contains(document.activeElement) && document.activeElement.closest(".panel");
    if (!open) {
      const controls = () => [...this.builder.querySelectorAll("button, select")];
      const at = controls().indexOf(document.activeElement);
      this.build();
      if (at >= 0) controls()[at]?.focus();
    } else {
      open.closest(".picker").addEventListener("focusout", () => setTimeout(() => this.rebuild()), { once: true });
    }
  }

  zones() {
    const { state } = this;
    const choices = [...new Set([state.tz, localZone(), "UTC"].filter(Boolean))];
    const select = h("select", { onChange: ({ target }) => this.setZone(target.value) }, choices.map((zone) =>
      h("option", { value: zone, selected: zone === zoneOf(state) }, zone === localZone() ? `Local time (${zone})` : zone)));
    return h("label", { class: "row zone" }, h("span", { class: "label" }, "Times in"), select);
  }

  setZone(zone) {
    this.change({ tz: zone === localZone() && zone !== "UTC" ? "" : zone }, false);
    this.showBar();
  }

  /* Windows to choose, the range on the clock, and the buttons that zoom and move. */
  showBar() {
    const { state } = this;
    const zone = zoneOf(state);
    const range = resolved(state, Date.now());
    const window = h("select", { "aria-label": "How far back", onChange: ({ target }) => this.goBack(target.value) },
      state.start && h("option", { value: "", selected: true }, "chosen range"),
      [...new Set([...WINDOWS, ...(state.start ? [] : [state.window])])].map((text) =>
        h("option", { value: text, selected: !state.start && text === state.window }, `last ${text}`)));
    const edge = (ms) => h("input", { type: "datetime-local", step: 1, value: range ? clockText(ms, zone) : "" });
    const from = edge(range?.from), to = edge(range?.to);
    const form = h("form", { class: "row custom", onSubmit: (event) => { event.preventDefault(); this.goTo(momentOf(from.value, zone), momentOf(to.value, zone)); } },
      h("label", { class: "row" }, h("span", { class: "label" }, "From"), from), h("label", { class: "row" }, h("span", { class: "label" }, "to"), to),
      h("button", { type: "submit" }, "Show"));
    const custom = h("details", { class: "foldable", open: this.wide.matches }, h("summary", {}, "From … to …"), form);
    const step = (label, sign, key) => button(sign, () => this.press(key), { class: "step", "aria-label": label, title: label });
    fill(this.bar, window, custom,
      h("div", { class: "row steps" },
        step("Earlier", "←", "ArrowLeft"), step("Zoom out", "−", "-"), step("Zoom in", "+", "+"), step("Later", "→", "ArrowRight"),
        button("Reset", () => this.press("0"), { title: "Back to the chosen window" }), button("Refresh", () => this.ask())));
  }

  goBack(window) {
    if (window) this.range = null;
    this.change({ window, start: "", stop: "" }, false);
    this.showBar();
  }

  goTo(from, to) {
    if (from === null || to === null || from >= to) fill(this.signs, notice("bad", "No range.", "The first time must be before the second one."));
    else this.look({ from, to });
  }

  look({ from, to }) {
    this.state.window ||= "24h";
    this.change({ start: iso(from), stop: iso(to) }, false);
    this.showBar();
  }

  /* What a key asks for; whether it means anything. */
  press(name) {
    const { range } = this;
    if (!range) return false;
    const next = { "+": () => zoomed(range, 0.5), "=": () => zoomed(range, 0.5), "-": () => zoomed(range, 2), ArrowLeft: () => moved(range, -0.5), ArrowRight: () => moved(range, 0.5) }[name];
    if (next) {
      this.range = next();
      this.look(this.range);
    } else if (name === "0") this.goBack(this.first.start ? "24h" : this.first.window);
    return Boolean(next) || name === "0";
  }

  busy(isWaiting) {
    this.seen.setAttribute("aria-busy", String(isWaiting));
  }

  soon() {
    clearTimeout(this.timer);
    this.busy(true);
    this.timer = setTimeout(() => this.ask(), SETTLE_MS);
  }

  /* Asks for the picture and the rows at one time, both of the same range. */
  async ask() {
    clearTimeout(this.timer);
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const { state } = this;
    const zone = zoneOf(state);
    const range = resolved(state, Math.ceil(Date.now() / 1000) * 1000);
    if (!range) return fill(this.signs, notice("bad", "No range.", "The address has no times that a range is made of."));
    this.width = this.chart.width();
    this.theme = theme();
    this.range = range;
    this.every = state.every || everyFor(range.to - range.from, this.width);
    this.sayAuto();
    const params = (this.params = question(state, [["start", iso(range.from)], ["stop", iso(range.to)]], this.every));
    this.busy(true);
    const begun = performance.now();
    const [drawn, rows] = await Promise.allSettled([
      picture(state.bucket, params, Math.max(NARROWEST, this.width), HEIGHT, asked.signal), this.readRows(params, asked.signal),
    ]);
    if (asked.signal.aborted || this.context.signal.aborted) return undefined;
    this.busy(false);
    this.showAnswer(range, zone, drawn, rows);
    fill(this.copies, copyMenu(state, this.every));
    return fill(this.told, this.summary(range, zone), h("span", { class: "faint" }, ` · ${Math.round(performance.now() - begun)} ms`));
  }

  async readRows(params, signal) {
    const shape = shapeOf(this.state);
    const answer = await api.fetch(path("buckets", this.state.bucket), { params: [...params, ["shape", shape], ["format", "csv"], ["limit", MOST_ROWS + 1]], signal });
    const table = tableOf(await answer.text());
    const isCut = table.rows.length > MOST_ROWS;
    if (isCut) { table.rows.length = MOST_ROWS; table.times.length = MOST_ROWS; }
    return { table, isCut, headers: answer.headers };
  }

  showAnswer(range, zone, drawn, rows) {
    const read = rows.value;
    const alt = read ? this.alt(range, zone, read.table) : "";
    const isSame = drawn.reason && rows.reason && drawn.reason.message === rows.reason.message;
    if (drawn.value) this.chart.show(drawn.value, zone, alt);
    else this.chart.fail(drawn.reason);
    if (drawn.value && read) this.chart.read(read.table, alt);
    fill(this.signs,
      read && signsOf(read.headers, read.table.rows.length === 0, zone, (newest) => this.visit(newest)),
      drawn.value && drawnSigns(drawn.value.headers));
    if (read) fill(this.rows, this.shapes(), showRows(h("div", {}), read.table, read.isCut, zone));
    else fill(this.rows, this.shapes(), isSame ? h("p", { class: "faint" }, "No rows, for the same reason as no chart.") : problemBox(rows.reason));
  }

  shapes() {
    const shape = shapeOf(this.state);
    const choice = (name, label) => button(label, () => this.change({ shape: name }, false), { "aria-pressed": String(shape === name) });
    return h("div", { class: "row shapes", role: "group", "aria-label": "Rows" }, choice("table", "One row per time"), choice("long", "One row per value"));
  }

  visit(newest) {
    const { from, to } = this.range, at = Date.parse(newest) + 1;
    this.look(rounded(at - (to - from) * 0.9, at + (to - from) * 0.1));
  }

  summary({ from, to }, zone) {
    const what = this.state.fn === "raw" ? "every point" : `${this.state.fn} of ${this.every}`;
    return `${what} · ${time(from, zone)} to ${time(to, zone)} (${duration((to - from) / 1000)})`;
  }

  alt(range, zone, table) {
    const { series, lowest, highest } = extent(table);
    const between = Number.isFinite(lowest) ? `, between ${lowest} and ${highest}` : "";
    return `Chart of ${this.state.bucket}: ${series} series${between}; ${this.summary(range, zone)}. The rows are in the table.`;
  }

  sayAuto() {
    const option = this.builder.querySelector("[data-auto]");
    if (option) option.textContent = this.state.every ? "automatic" : `auto (${this.every})`;
  }

  shown() {
    return {
      bucket: this.state.bucket, params: this.params ?? [], shape: shapeOf(this.state), raw: this.state.fn === "raw",
      look: [["width", Math.max(NARROWEST, this.width)], ["height", HEIGHT]],
    };
  }

  stop() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.resized.disconnect();
    this.dark.removeEventListener("change", this.recolour);
    this.chart.stop();
  }
}

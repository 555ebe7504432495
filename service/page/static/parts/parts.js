/* Parts of views: cards that load and fail by themselves, small texts, tables, and any JSON value as lists and tables. */

import { busy, button, fill, h, problemBox } from "../dom.js";
import { ago, count, number, time } from "../format.js";

const MOST_ROWS = 200, MOST_COLUMNS = 6;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/* A short text with a colour that repeats what it says. */
export const badge = (kind, text) => h("span", { class: `badge ${kind ?? "info"}` }, text);
export const hint = (...text) => h("span", { class: "hint" }, text);
export const hints = (...text) => h("p", { class: "hint" }, text);
export const wrong = (text) => h("p", { class: "error-text" }, text);
export const polite = (tag = "div", props = {}) => h(tag, { "aria-live": "polite", ...props });
export const since = (at) => (at ? h("span", { title: time(at) }, ago(at)) : "never");
/* A name as it is: with its own direction, cut by style alone, whole in the title. */
export const name = (text) => h("bdi", { class: "cut", title: text }, text);

export function card(title, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), children);
}

export function toggle(label, onChange, props = {}) {
  const box = h("input", { type: "checkbox", onChange: () => onChange?.(box.checked), ...props });
  return h("label", { class: "row switch" }, box, label);
}

/* Pairs of term and content; pairs without content are left away. */
export function facts(pairs) {
  const given = pairs.filter(([, content]) => ![null, undefined, "", false].includes(content));
  return h("dl", { class: "facts" }, given.map(([term, content]) => [h("dt", {}, term), h("dd", {}, content)]));
}

/* A table whose rows are headed by their first cell. `heads`: texts, of which those that begin with # are of numbers. */
export function listing(label, heads, rows) {
  const kinds = heads.map((head) => (head[0] === "#" ? "numeric" : null));
  const body = h("tbody", {}, rows.map((row) => row instanceof Node ? row : h("tr", {}, row.map((cell, n) =>
    (n ? h("td", { class: kinds[n] }, cell) : h("th", { scope: "row" }, cell))))));
  const element = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head, n) => h("th", { scope: "col", class: kinds[n] }, head.replace("#", ""))))), body));
  element.body = body;
  return element;
}

/* A list cut to `most` lines, with how many more there are. */
export function cutList(items, most, line) {
  return [h("ul", { class: "plain" }, items.slice(0, most).map((item) => h("li", {}, line(item)))), andMore(items, most)];
}

export const andMore = (items, most) => items.length > most && hints(`… and ${count(items.length - most)} more`);

/* A button that shows the next rows of `left`. */
export const moreButton = (left, step, act) => left > 0 && button(`Show ${Math.min(left, step)} more of ${count(left)}`, act);

/* Calls `act` now and again after as many seconds as it gives; a hidden page waits until it is shown. Ends with `signal`,
   or when `act` gives null. Gives the function that calls it at once. */
export function poll(signal, act) {
  let timer = null, running = false, ended = false;
  async function turn() {
    clearTimeout(timer);
    if (running || ended || signal.aborted || document.hidden) return;
    running = true;
    const next = await act();
    running = false;
    ended = next === null;
    if (!ended && !signal.aborted) timer = setTimeout(turn, next * 1000);
  }
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return turn;
}

/* A card that `load(body)` fills, and again after as many seconds as it gives. What goes wrong is said in this card alone.
   `card.reload` loads it now. */
export function panel(title, signal, load, ...actions) {
  const body = h("div", { class: "part-body" }, busy());
  const element = h("section", { class: "card part", "aria-label": title }, h("div", { class: "head" }, h("h2", {}, title), actions), body);
  element.reload = poll(signal, async () => {
    try {
      return await load(body) ?? 30;
    } catch (failure) {
      say(body, failure);
      return 30;
    }
  });
  return element;
}

/* A controller that is aborted with `signal`, too. */
export function linked(signal) {
  const controller = new AbortController();
  signal.addEventListener("abort", () => controller.abort(), { signal: controller.signal });
  if (signal.aborted) controller.abort();
  return controller;
}

/* Says in `message` what went wrong, unless the reader left. */
export function say(message, failure) {
  if (failure.name !== "AbortError") fill(message, problemBox(failure));
}

/* Runs `act` for a button: no second click meanwhile, and what goes wrong is said in `message`. */
export async function press(event, message, act) {
  const pressed = event.currentTarget;
  pressed.disabled = true;
  fill(message);
  try {
    await act();
  } catch (failure) {
    say(message, failure);
  } finally {
    pressed.disabled = false;
  }
}

const words = (member) => member.replaceAll("_", " ");
const isScalar = (value) => value === null || typeof value !== "object";
/* Whether a value is a small object of numbers alone, which fits a line. */
const isCounts = (value) => !isScalar(value) && !Array.isArray(value) && Object.values(value).every((item) => typeof item === "number");
const counts = (value) => Object.entries(value).filter(([, item]) => item).map(([member, item]) => `${number(item)} ${words(member)}`).join(", ") || "none";

function scalar(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string" && TIME.test(value)) return h("time", { datetime: value, title: value }, time(value));
  return typeof value === "number" ? number(value) : h("bdi", {}, value ?? "–");
}

/* Any JSON value, for plans and results whose members the API may extend. `label` names it for who cannot see it. */
export function valueView(value, label = "Result") {
  if (isScalar(value)) return scalar(value);
  if (isCounts(value)) return counts(value);
  if (Array.isArray(value)) return value.length ? listView(value, label) : "none";
  const members = Object.entries(value), isFlat = ([, item]) => isScalar(item) || isCounts(item) || item.length === 0;
  return h("div", { class: "value" }, facts(members.filter(isFlat).map(([member, item]) => [words(member), valueView(item)])),
    members.filter((member) => !isFlat(member)).map(([member, item]) => [h("h3", {}, words(member)), valueView(item, words(member))]));
}

function listView(list, label) {
  const shown = list.slice(0, MOST_ROWS), isPlain = (item) => isScalar(item) || Array.isArray(item);
  if (shown.some(isPlain)) return cutList(list, MOST_ROWS, (item) => valueView(item));
  const members = [...new Set(shown.flatMap(Object.keys))];
  if (members.length > MOST_COLUMNS) return [shown.map((item) => h("div", { class: "item" }, valueView(item))), andMore(list, MOST_ROWS)];
  const heads = members.map((member) => (shown.every((item) => typeof (item[member] ?? 0) === "number") ? "#" : "") + words(member));
  return [listing(label, heads, shown.map((item) => members.map((member) => (member in item ? valueView(item[member], member) : "–")))), andMore(list, MOST_ROWS)];
}

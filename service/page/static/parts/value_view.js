/* Any JSON value as lists and tables, for plans and results whose members the API may extend. */

import { h, table } from "../dom.js";
import { number, time } from "../format.js";

const MOST_ROWS = 200;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

function words(member) {
  return member.replaceAll("_", " ");
}

function isScalar(value) {
  return value === null || typeof value !== "object";
}

function scalar(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "string" && TIME.test(value)) return h("time", { datetime: value, title: value }, time(value));
  return typeof value === "number" ? number(value) : h("bdi", {}, value ?? "–");
}

function rest(list) {
  return list.length > MOST_ROWS && h("p", { class: "hint" }, `… and ${list.length - MOST_ROWS} more`);
}

/* The element for `value`. `label` names it for who cannot see it. */
export function valueView(value, label = "Result") {
  if (isScalar(value)) return scalar(value);
  if (Array.isArray(value)) return value.length ? listView(value, label) : "none";
  const members = Object.entries(value);
  if (!members.length) return "nothing";
  const flat = members.filter(([, item]) => isScalar(item) || isEmpty(item) || isCounts(item));
  const deep = members.filter((member) => !flat.includes(member));
  return h("div", { class: "value" },
    flat.length > 0 && h("dl", { class: "facts" }, flat.map(([member, item]) =>
      [h("dt", {}, words(member)), h("dd", {}, isCounts(item) ? counts(item) : valueView(item, member))])),
    deep.map(([member, item]) => [h("h3", {}, words(member)), valueView(item, words(member))]));
}

function isEmpty(value) {
  return value !== null && typeof value === "object" && Object.keys(value).length === 0;
}

/* Whether it is a small object of numbers alone, which fits a line. */
function isCounts(value) {
  return !isScalar(value) && !Array.isArray(value) && Object.keys(value).length > 0
    && Object.values(value).every((item) => typeof item === "number");
}

function counts(value) {
  return Object.entries(value).map(([member, item]) => `${number(item)} ${words(member)}`).join(", ");
}

function listView(list, label) {
  const shown = list.slice(0, MOST_ROWS);
  if (shown.every(isScalar)) return [h("ul", { class: "plain" }, shown.map((item) => h("li", {}, scalar(item)))), rest(list)];
  const members = [...new Set(shown.flatMap((item) => (isScalar(item) || Array.isArray(item) ? ["value"] : Object.keys(item))))];
  const rows = shown.map((item) => members.map((member) => cell(isScalar(item) || Array.isArray(item) ? item : item[member], member)));
  const columns = members.map((member) => ({
    title: words(member), numeric: shown.every((item) => ["number", "undefined"].includes(typeof item?.[member])),
  }));
  return [table(columns, rows, { label }), rest(list)];
}

function cell(value, member) {
  if (value === undefined) return "–";
  return isCounts(value) ? counts(value) : valueView(value, member);
}

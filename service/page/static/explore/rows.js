/* The rows as a table: exact texts, bounded in rows and columns, and it says what it leaves out. */

import { fill, h, notice, table } from "../dom.js";
import { count, unitOf } from "../format.js";
import { sharedPart, withoutShared } from "./csv.js";

export const MOST_ROWS = 500;
const MOST_COLUMNS = 40;
const DIGITS = 7;

/* Shows `answer` (of csv.tableOf) in `root`. `isCut`: whether the read has more rows than these. */
export function showRows(root, answer, isCut, zone) {
  if (!answer.rows.length) return fill(root, h("p", { class: "faint" }, "No rows in this range."));
  const names = answer.columns.slice(0, MOST_COLUMNS);
  const time = names.indexOf("_time");
  const offsets = new Set(answer.rows.map((row) => /(Z|[+-]\d\d:\d\d)$/.exec(row[time] ?? "")?.[0]));
  const numeric = names.map((_, n) => n !== time && answer.rows.some((row) => row[n] !== null) &&
    answer.rows.every((row) => row[n] === null || !Number.isNaN(Number(row[n] || "x"))));
  const shared = sharedPart(names.filter((_, n) => n !== time));
  const columns = names.map((name, n) => ({ title: n === time ? ["Time ", h("span", { class: "faint" }, zone)] : head(name, shared), numeric: numeric[n] }));
  const rows = answer.rows.map((row) => names.map((_, n) => (n === time ? clock(row[n], offsets.size > 1) : cell(row[n], numeric[n]))));
  const isRounded = answer.rows.some((row) => row.some((text, n) => numeric[n] && rounded(text) !== text));
  const hidden = answer.columns.length - names.length;
  return fill(root,
    isCut && notice("warning", "Cut.", `The table shows the first ${count(answer.rows.length)} rows. A download has all of them.`),
    hidden > 0 && notice("warning", "Cut.", `${count(hidden)} more columns are not shown here. A download has all of them.`),
    shared && h("p", { class: "shared" }, h("bdi", { class: "name" }, shared.replace(/\{$/, ""))),
    table(columns, rows, { label: "Rows" }),
    isRounded && h("p", { class: "hint" }, `Rounded to ${DIGITS} digits. Downloads are exact.`));
}

function head(name, shared) {
  const unit = unitOf(name.replace(/\{.*/s, ""));
  return [h("bdi", { class: "name", title: name }, withoutShared(name, shared)), unit && h("span", { class: "faint" }, ` in ${unit}`)];
}

/* A number as people read it; whole ones stay exact. */
function rounded(text) {
  if (text === null || !/[.e]/i.test(text) || text.length <= DIGITS + 2) return text;
  return String(Number(Number(text).toPrecision(DIGITS)));
}

function cell(text, isNumber) {
  if (text === null) return h("span", { class: "faint", "aria-label": "no value" }, "–");
  if (text === "") return h("span", { class: "faint" }, "(empty)");
  const shown = isNumber ? rounded(text) : text;
  return h("bdi", { title: (shown !== text || text.length > 40) && text }, shown);
}

/* The time without its offset, unless a change of the clock makes that ambiguous. */
function clock(text, withOffset) {
  const plain = (text ?? "").replace("T", " ");
  return h("span", { class: "time" }, withOffset ? plain : plain.replace(/(Z|[+-]\d\d:\d\d)$/, ""));
}

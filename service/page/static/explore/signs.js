/* What an answer left out or did not know, from its headers, in plain words. */

import { button, h, notice } from "../dom.js";
import { ago, count, short, time } from "../format.js";
import { members } from "./chart.js";

/* `visit(newest)`: show the range around the newest point. */
export function signsOf(headers, isEmpty, zone, visit) {
  return [
    listed(headers, "X-Fluxgate-Skipped-Fields", "Left out:", "Texts and booleans have no such function. Choose the field by name to see its last value of each window."),
    unknown(headers.get("X-Fluxgate-Warning")),
    isEmpty && empty(headers.get("X-Fluxgate-Newest-Point"), zone, visit),
  ].filter(Boolean);
}

/* What the picture does not show, from its own headers. */
export function drawnSigns(headers) {
  const { series, of, "not-finite": odd } = members(headers.get("X-Fluxgate-Drawn"));
  return [
    Number(series) < Number(of) && notice("warning", "Cut.", `The chart shows ${count(series)} of ${count(of)} series. Choose fewer by their tags; rows and downloads have all of them.`),
    Number(odd) > 0 && notice("warning", "Not drawn:", `${count(odd)} points that are NaN or infinite. Rows and downloads have them.`),
  ].filter(Boolean);
}

function listed(headers, header, title, advice) {
  const text = headers.get(header);
  if (!text) return null;
  const names = text.split(",").map((name) => name.split(".").map(decoded).join("."));
  return notice("warning", title, h("bdi", {}, short(names.join(", "), 600)), `. ${advice}`);
}

function unknown(text) {
  return text && notice("warning", "Not known in this bucket:", h("bdi", {}, short(text.split(";").map(decoded).join("; "), 600)), ".");
}

function empty(newest, zone, visit) {
  if (newest === "none") return notice("info", "No points.", "This bucket has none yet.");
  if (!newest || newest === "unknown") return notice("info", "No points in this range.");
  return notice("info", "No points in this range.", `The newest point of the bucket is at ${time(newest, zone)} (${ago(newest)}). `,
    button("Show it", () => visit(newest)));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

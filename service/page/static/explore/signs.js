/* What an answer left out or did not know, from its headers, in plain words. */

import { button, h, notice } from "../dom.js";
import { ago, short, time } from "../format.js";

/* `visit(newest)`: show the range around the newest point. */
export function signsOf(headers, isEmpty, zone, visit) {
  return [
    listed(headers, "X-Fluxgate-Skipped-Fields", "Left out:", "Texts and booleans have no such function. Choose the field by name to see its last value of each window."),
    listed(headers, "X-Fluxgate-Left-Out", "Not drawn:", "A picture shows a limited number of series, and numbers alone. The table and downloads have the others."),
    unknown(headers.get("X-Fluxgate-Warning")),
    isEmpty && empty(headers.get("X-Fluxgate-Newest-Point"), zone, visit),
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
  return notice("info", "No points in this range.", `The newest point of the bucket is of ${time(newest, zone)} (${ago(newest)}). `,
    button("Show it", () => visit(newest)));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

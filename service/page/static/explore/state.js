/* What is looked at, as the address has it: the parameters of a read under their own names, and `bucket`. */

import { localZone } from "../format.js";

export const FUNCTIONS = [
  ["mean", "mean"], ["min", "lowest"], ["max", "highest"], ["median", "median"], ["sum", "sum"], ["count", "count of points"],
  ["first", "first"], ["last", "last"], ["spread", "highest − lowest"], ["raw", "every point"],
];
const TAG = "tag.";
const SINGLE = ["bucket", "fn", "every", "window", "start", "stop", "tz", "shape"];

export function readState(params) {
  const state = { measurement: params.getAll("measurement"), field: params.getAll("field"), tags: {} };
  for (const name of SINGLE) state[name] = params.get(name) ?? "";
  for (const key of new Set(params.keys())) {
    if (key.startsWith(TAG) && key.length > TAG.length) state.tags[key.slice(TAG.length)] = params.getAll(key);
  }
  if (!FUNCTIONS.some(([name]) => name === state.fn)) state.fn = "mean";
  if (!state.start) state.window ||= "24h";
  return state;
}

/* The pairs for the address. What is as usual is left out. */
export function stateParams(state) {
  const pairs = [["bucket", state.bucket], ...filters(state)];
  if (state.fn !== "mean") pairs.push(["fn", state.fn]);
  for (const name of ["every", "start", "stop", "tz", "shape"]) if (state[name]) pairs.push([name, state[name]]);
  if (!state.start && state.window !== "24h") pairs.push(["window", state.window]);
  return new URLSearchParams(pairs);
}

function filters({ measurement, field, tags }) {
  return [
    ...measurement.map((name) => ["measurement", name]),
    ...field.map((name) => ["field", name]),
    ...Object.entries(tags).flatMap(([key, values]) => values.map((value) => [TAG + key, value])),
  ];
}

export function zoneOf(state) {
  return state.tz || localZone();
}

/* One row per time, or one per value: as chosen, else what suits. Raw points seldom share their times. */
export function shapeOf(state) {
  return state.shape || (state.fn === "raw" ? "long" : "table");
}

/* The parameters of the read as a picture: of every point, the gateway draws those that the width shows. */
export function drawnQuestion(params) {
  const isRaw = params.some(([name, value]) => name === "every" && value === "raw");
  return isRaw ? params.filter(([name]) => name !== "every") : params;
}

/* The parameters of the read. `range`: pairs that say which; `every`: the length of windows. */
export function question(state, range, every) {
  const zone = zoneOf(state);
  return [
    ...range,
    ...(state.fn === "raw" ? [["every", "raw"]] : [["every", every], ["fn", state.fn]]),
    ...filters(state),
    ...(zone === "UTC" ? [] : [["tz", zone]]),
  ];
}

/* The picture of the gateway, and over it: a cursor, a selection by dragging, and the keys that zoom and move. */

import { api, path, Problem } from "../api.js";
import { fill, h, problemBox } from "../dom.js";
import { number, short, time } from "../format.js";
import { sharedPart, valuesAt, withoutShared } from "./csv.js";
import { drawnQuestion } from "./state.js";

const SHORTEST_DRAG = 6;
const MOST_VALUES = 8;
const KEYS = "Keys: + and − zoom, the left and right arrow move, 0 goes back to the chosen window.";

export function theme() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/* Asks for the picture. Gives {url, box, range, width, headers}: a blob's address, the plot in pixels of the picture, and
   the times at its edges. */
export async function picture(bucket, params, width, height, signal) {
  const look = [["format", "svg"], ["width", width], ["height", height], ["theme", theme()], ["title", "false"]];
  const answer = await api.fetch(path("buckets", bucket), { params: [...drawnQuestion(params), ...look], signal });
  const blob = await answer.blob();
  const { left, top, width: across, height: down, start, stop } = members(answer.headers.get("X-Fluxgate-Plot"));
  const box = { left: Number(left), top: Number(top), width: Number(across), height: Number(down) };
  const range = { from: Date.parse(start), to: Date.parse(stop) };
  if (!(box.width > 0 && range.from < range.to)) throw new Problem(0, { title: "No plot", detail: "The picture does not say where its plot is. Do page and gateway have the same version?" });
  return { url: URL.createObjectURL(blob), box, range, width, headers: answer.headers };
}

/* The members of a header such as `left=64; top=28`, as texts. */
export function members(text) {
  return Object.fromEntries((text ?? "").split(/;\s*/).map((part) => part.split("=")));
}

/* `zoom(from, to)`, `key(name)`: what people ask of the chart. */
export function chart({ zoom, key }) {
  const image = h("img", { class: "picture", alt: "" });
  const selection = h("div", { class: "selection", hidden: true });
  const cursor = h("div", { class: "cursor", hidden: true });
  const plot = h("div", { class: "plot", tabindex: 0, role: "group", "aria-label": `Chart. ${KEYS}`, hidden: true }, selection, cursor);
  const readout = h("p", { class: "readout faint" }, KEYS);
  const frame = h("div", { class: "frame" }, image, plot);
  const element = h("figure", { class: "chart" }, frame, readout);
  let now = null, begun = null;

  const timeAt = (x) => now.range.from + (now.range.to - now.range.from) * Math.min(1, Math.max(0, x / plot.clientWidth));
  const offset = (event) => event.clientX - plot.getBoundingClientRect().left;

  function place() {
    if (!now) return;
    const scale = image.clientWidth / now.width;
    for (const [side, length] of Object.entries(now.box)) plot.style.setProperty(side, `${length * scale}px`);
  }

  function read(x) {
    cursor.hidden = false;
    cursor.style.setProperty("left", `${Math.min(plot.clientWidth, Math.max(0, x))}px`);
    const near = now.table && valuesAt(now.table, timeAt(x));
    const close = near && Math.abs(near.time - timeAt(x)) <= (now.range.to - now.range.from) / 20;
    if (!close) return fill(readout, time(timeAt(x), now.zone));
    const rest = near.values.length - MOST_VALUES;
    const shared = sharedPart(near.values.map(([name]) => name));
    fill(readout, h("strong", {}, time(near.time, now.zone)), near.values.slice(0, MOST_VALUES).map(([name, text]) => [
      " · ", h("bdi", {}, short(withoutShared(name, shared), 60)), " ", h("strong", {}, number(Number.isNaN(Number(text)) ? text : Number(text)))]),
    rest > 0 && ` · and ${rest} more`);
  }

  function drag(event) {
    const x = offset(event);
    read(x);
    if (begun === null) return;
    const [left, right] = [Math.max(0, Math.min(begun, x)), Math.min(plot.clientWidth, Math.max(begun, x))];
    selection.hidden = right - left < SHORTEST_DRAG;
    selection.style.setProperty("left", `${left}px`);
    selection.style.setProperty("width", `${right - left}px`);
  }

  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    begun = offset(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", drag);
  plot.addEventListener("pointerup", (event) => {
    const from = begun, to = offset(event);
    begun = null;
    selection.hidden = true;
    if (from !== null && Math.abs(to - from) >= SHORTEST_DRAG) zoom(...[timeAt(from), timeAt(to)].sort((a, b) => a - b));
  });
  plot.addEventListener("pointercancel", () => { begun = null; selection.hidden = true; });
  plot.addEventListener("pointerleave", () => { cursor.hidden = true; fill(readout, KEYS); });
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !key(event.key)) return;
    event.preventDefault();
  });
  image.addEventListener("load", place);
  const resized = new ResizeObserver(place);
  resized.observe(frame);

  function forget() {
    if (now) URL.revokeObjectURL(now.url);
    now = null;
  }

  return {
    element,
    /* `drawn`: what `picture` gave; `alt`: what the picture shows, in words. */
    show(drawn, zone, alt) {
      forget();
      now = { ...drawn, zone, table: null };
      fill(frame, image, plot);
      image.width = drawn.width;
      image.alt = alt;
      image.src = drawn.url;
      plot.hidden = false;
      place();
    },
    /* The rows from which the cursor reads values. */
    read(table, alt) {
      if (!now) return;
      now.table = table;
      image.alt = alt;
    },
    fail(problem) {
      forget();
      fill(frame, problemBox(problem));
    },
    width: () => Math.floor(element.clientWidth),
    stop() { resized.disconnect(); forget(); },
  };
}

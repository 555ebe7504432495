/* Files of exactly what is shown: the same read, in any format of the gateway. */

import { api, path } from "../api.js";
import { button, fill, h, problemBox } from "../dom.js";
import { bytes } from "../format.js";
import { drawnQuestion } from "./state.js";

/* [format, label, what it needs]: `points` holds every point as it is stored; `picture` is drawn. */
export const FORMATS = [
  ["csv", "CSV"], ["xlsx", "Excel"], ["parquet", "Parquet"], ["json", "JSON"], ["ndjson", "NDJSON"],
  ["arrow", "Arrow stream"], ["arrow_file", "Arrow file"],
  ["lineprotocol", "Line protocol", "points"], ["annotated_csv", "Annotated CSV", "points"],
  ["svg", "SVG picture", "picture"], ["png", "PNG picture", "picture"],
];

/* `current` gives {bucket, params, shape, look, raw} of what is shown at the moment. */
export function downloads(current) {
  const status = h("div", { "aria-live": "polite" });
  const choice = h("select", { "aria-label": "Format" }, FORMATS.map(([form, label]) => h("option", { value: form }, label)));
  const start = button("Download", () => download(choice.value), { class: "primary" });
  let stopped = null;

  async function download(form) {
    const need = FORMATS.find(([name]) => name === form)[2];
    const { bucket, params, shape, look, raw } = current();
    if (need === "points" && !raw) {
      fill(status, h("p", { class: "notice info" }, "This format holds points as they are stored. Choose the function “every point” first."));
      return;
    }
    const extra = need === "picture" ? look : need === "points" ? [] : [["shape", shape]];
    const asked = need === "points" ? params.filter(([name]) => name !== "tz") : need === "picture" ? drawnQuestion(params) : params;
    stopped = new AbortController();
    start.disabled = true;
    try {
      const answer = await api.fetch(path("buckets", bucket), { params: [...asked, ...extra, ["format", form]], signal: stopped.signal });
      const blob = await received(answer);
      save(blob, nameOf(answer, `${bucket}.${form}`));
      fill(status, h("p", { class: "faint" }, `Saved ${bytes(blob.size)}.`));
    } catch (problem) {
      if (problem.name === "AbortError") fill(status, h("p", { class: "faint" }, "Stopped. Nothing was saved."));
      else fill(status, problemBox(problem.status === undefined ? broken : problem));
    } finally {
      start.disabled = false;
    }
  }

  /* The whole body, with its size so far on the page. */
  async function received(answer) {
    const said = h("span", {}, "Waiting …");
    fill(status, h("p", { class: "row" }, said, button("Stop", () => stopped.abort())));
    const parts = [];
    let size = 0;
    for (const reader = answer.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts, { type: answer.headers.get("Content-Type") ?? "" });
      parts.push(value);
      size += value.length;
      fill(said, `${bytes(size)} …`);
    }
  }

  return h("div", { class: "downloads" }, h("div", { class: "row" }, choice, start), status);
}

const broken = { title: "Broken", detail: "The answer broke off, so nothing was saved. Try again; the gateway's log says why." };

/* The name that the gateway gives the file (RFC 6266). */
function nameOf(answer, otherwise) {
  const text = answer.headers.get("Content-Disposition") ?? "";
  const exact = /filename\*=UTF-8''([^;]+)/.exec(text)?.[1];
  return exact ? decodeURIComponent(exact) : /filename="([^"]+)"/.exec(text)?.[1] ?? otherwise;
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

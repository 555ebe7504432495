/* Shows the same read as address, command, program or query, to copy. */

import { address, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { iso, resolved } from "./ranges.js";
import { snippets } from "./copy.js";
import { question, shapeOf, stateParams, zoneOf } from "./state.js";

let chosen = "URL";

/* Of the view `state`; a view of the last hours asks for the last hours each time. `every`: the length of windows. */
export function copyMenu(state, every) {
  const range = state.start ? ["start", "stop"].filter((name) => state[name]).map((name) => [name, state[name]]) : [["window", state.window]];
  const pairs = [...question(state, range, every), ["shape", shapeOf(state)], ["format", "csv"]];
  const gateway = address("").replace(/\/$/, "");
  const texts = [...snippets(gateway, state.bucket, path("buckets", state.bucket), pairs), ["Link to this view", link(state, every)]];
  const code = h("pre", { tabindex: 0 });
  const status = h("span", { class: "faint", role: "status" });
  const tabs = texts.map(([title]) => button(title, () => choose(title)));
  let text = "";

  function choose(title) {
    chosen = title;
    [, text] = texts.find(([name]) => name === title) ?? texts[0];
    fill(code, text);
    fill(status);
    tabs.forEach((tab, n) => tab.setAttribute("aria-pressed", String(texts[n][0] === title)));
  }

  choose(chosen);
  return [
    h("div", { class: "row", role: "group", "aria-label": "Copy as" }, tabs),
    code,
    h("div", { class: "row" }, button("Copy", async () => fill(status, (await copied(text, code)) ? "Copied." : "Marked: copy it with the keyboard.")), status),
  ];
}

/* The page's address with the times and the zone of now, so that it shows the same later and elsewhere. */
function link(state, every) {
  const { from, to } = resolved(state, Date.now()) ?? {};
  const fixed = { ...state, tz: zoneOf(state), ...(from ? { start: iso(from), stop: iso(to) } : {}), ...(state.fn === "raw" ? {} : { every }) };
  return `${address("")}#/explore?${stateParams(fixed)}`;
}

async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return false;
  }
}

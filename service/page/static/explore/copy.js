/* The same read as address, command, program or query, to copy. The key is never in them: each says where it belongs. */

import { address, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { iso, resolved } from "./ranges.js";
import { question, shapeOf, stateParams, zoneOf } from "./state.js";

const PLACE = "YOUR_API_KEY";
let chosen = "URL";

/* [title, text] for each program. `gateway`: its address without a slash at the end; `route`: the encoded path;
   `pairs`: the parameters. */
export function snippets(gateway, bucket, route, pairs) {
  const url = `${gateway}/${route}?${encoded(pairs)}`;
  return [
    ["URL", url],
    ["curl", `curl --fail -H 'X-API-Key: ${PLACE}' \\\n  '${url}' -o rows.csv`],
    ["Python", python(gateway, bucket, pairs)],
    ["R", r(url)],
    ["Power Query", powerQuery(gateway, route, pairs)],
  ];
}

/* Percent-encoded so strictly that no quote and no backslash remains in the address. */
function encoded(pairs) {
  return pairs.map((pair) => pair.map(strict).join("=")).join("&");
}

export function strict(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

function python(gateway, bucket, pairs) {
  const options = {}, tags = {};
  for (const [name, value] of pairs) {
    if (name === "format") continue;
    const into = name.startsWith("tag.") ? tags : options;
    (into[name.replace(/^tag\./, "")] ??= []).push(value);
  }
  const list = (values) => (values.length === 1 ? quoted(values[0]) : `[${values.map(quoted).join(", ")}]`);
  const lines = Object.entries(options).map(([name, values]) => `        ${name}=${list(values)},`);
  const filters = Object.entries(tags).map(([name, values]) => `${quoted(name)}: ${list(values)}`);
  if (filters.length) lines.push(`        tags={${filters.join(", ")}},`);
  return [
    'from fluxgate_client import connect  # pip install "fluxgate-client[pandas]"', "",
    `with connect(${quoted(gateway)}, ${quoted(PLACE)}) as gateway:`,
    "    frame = gateway.read(", `        ${quoted(bucket)},`, ...lines, "    ).to_pandas()",
  ].join("\n");
}

/* A text as JSON writes it, with what no reader sees (such as marks that turn the direction) escaped as Python has it. */
function quoted(text) {
  return JSON.stringify(text).replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (letter) => {
    const code = letter.codePointAt(0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

function r(url) {
  return [
    "library(httr2)", "library(readr)", "",
    `answer <- request("${url}") |>`,
    `  req_headers("X-API-Key" = "${PLACE}") |>`,
    "  req_perform()",
    "rows <- read_csv(resp_body_raw(answer))",
  ].join("\n");
}

/* M. Its records cannot repeat a member, so the parameters stand in the path. */
function powerQuery(gateway, route, pairs) {
  const text = (value) => `"${value.replaceAll('"', '""')}"`;
  return [
    "// Asks for credentials: choose Basic, any user name, and the key as the password.",
    "let",
    "    Source = Web.Contents(", `        ${text(gateway)},`, `        [RelativePath = ${text(`${route}?${encoded(pairs)}`)}]),`,
    '    Rows = Csv.Document(Source, [Delimiter = ",", Encoding = 65001]),',
    "    Named = Table.PromoteHeaders(Rows, [PromoteAllScalars = true]),",
    '    Typed = Table.TransformColumnTypes(Named, {{"_time", type datetimezone}}, "en-US")',
    "in", "    Typed",
  ].join("\n");
}

/* What shows them for the view `state`; a view of the last hours asks for the last hours each time. `every`: the length of windows. */
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

/* Mirrors: how far each is, and orders to run one or to compare both sides to the bit. */

import { path } from "../api.js";
import { fill, h } from "../dom.js";
import { count } from "../format.js";
import { mirrorCalendars } from "../parts/mirror_calendar.js";
import { choice, orderCard, text, toggle } from "../parts/order.js";
import { empty, facts, name, panel } from "../parts/panel.js";

export async function show(root, params, context) {
  const { api, signal } = context;
  const orders = h("div", { class: "grid two" });
  let known = "";
  const state = panel("State", signal, async (body) => {
    const { mirrors } = await api.get("mirror", {}, { signal });
    if (mirrors.length) await mirrorCalendars(body, mirrors, context);
    else fill(body, empty("No mirror is configured. The section “mirrors” of the configuration makes one."));
    const names = JSON.stringify(mirrors.map((mirror) => mirror.name));
    if (names !== known) fill(orders, mirrors.length > 0 && [runCard(mirrors, context), verifyCard(mirrors, context)]);
    known = names;
    return 60;
  });
  context.changed = state.reload;
  root.append(h("h1", {}, "Mirrors"), orders, state);
}

const optional = (mirrors) => [["", "all mirrors"], ...mirrors.map(({ name: title }) => [title, title])];

function runCard(mirrors, context) {
  const { api } = context;
  const trigger = async (values) => (await api.post("mirror/trigger", values)).jobs;
  return orderCard({
    title: "Run a mirror",
    hint: "The dry run reads counts and values of both sides, and changes nothing.",
    fields: [
      choice("Mirror", "mirror", optional(mirrors)),
      text("Bucket of the source", "bucket", { placeholder: "all" }),
      text("From", "start", { placeholder: "2026-01-30T00:00:00Z", hint: "RFC 3339; needs “to”." }),
      text("To", "stop", { placeholder: "2026-01-31T00:00:00Z" }),
      toggle("Also try what was refused before", "again"),
    ],
    plan: async (values) => ({ jobs: await trigger({ ...values, dry_run: true }) }),
    run: trigger,
    verb: "Run it now",
    context,
  });
}

function verifyCard(mirrors, context) {
  const { api, signal } = context;
  return orderCard({
    title: "Compare both sides to the bit",
    hint: "Reads source and target fully, and changes nothing in either.",
    fields: [choice("Mirror", "mirror", mirrors.map(({ name: title }) => [title, title])), text("Bucket of the source", "bucket", { placeholder: "all" })],
    planVerb: "Show what would be read",
    plan: async ({ mirror, bucket }) => {
      const { pairs, source, target } = await api.get(path("mirror", mirror), {}, { signal });
      const read = pairs.filter((pair) => !bucket || pair.source === bucket);
      const points = read.reduce((sum, pair) => sum + pair.equal_points, 0);
      return { view: facts([["Source", h("bdi", {}, source)], ["Target", h("bdi", {}, target)],
        ["Buckets", read.length ? h("ul", { class: "plain" }, read.map((pair) => h("li", {}, name(pair.source)))) : "those that the mirror names; none was mirrored yet"],
        ["Points read on each side", `at least ${count(points)}`]]) };
    },
    run: async ({ mirror, bucket }) => [await api.post(path("mirror", mirror, "verify"), undefined, { params: { bucket } })],
    verb: "Compare now",
    context,
  });
}

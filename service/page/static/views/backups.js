/* Backups: the list with what is complete and proven, and orders to take, verify, test-restore and prune. */

import { path } from "../api.js";
import { button, fill, h, problemBox, table } from "../dom.js";
import { ago, bytes, count, time } from "../format.js";
import { choice, orderCard, text, toggle } from "../parts/order.js";
import { badge, empty, facts, name, panel } from "../parts/panel.js";
import { valueView } from "../parts/value_view.js";

const STATES = { complete: "good", partial: "warning", failed: "bad", damaged: "bad", unfinished: "info" };
const SHOWN = 50;

export async function show(root, params, context) {
  const { api, signal, may } = context;
  const orders = h("div", { class: "grid two" }), detail = h("div", { "aria-live": "polite" });
  let known = null;
  const state = panel("Backups", signal, async (body) => {
    const listing = await api.get("backups", { limit: SHOWN }, { signal });
    const ids = listing.backups.map((backup) => backup.id).join();
    if (ids !== known) fill(orders, cards(listing, context));
    known = ids;
    fill(body, listView(listing, (id) => showDetail(detail, id, context)));
    return 30;
  });
  context.changed = state.reload;
  root.append(h("h1", {}, "Backups"), orders, state, detail);
  if (params.get("id")) showDetail(detail, params.get("id"), context);
}

function cards(listing, context) {
  const usable = listing.backups.filter((backup) => ["complete", "partial"].includes(backup.state));
  return [takeCard(listing, context), usable.length > 0 && verifyCard(usable, context), usable.length > 0 && drillCard(usable, context),
    context.may("admin") && pruneCard(context)];
}

function listView({ place, backups }, open) {
  if (!backups.length) return [empty("There is no backup yet."), h("p", { class: "hint cut" }, place)];
  const rows = backups.map((backup) => [
    [button(backup.id, () => open(backup.id), { class: "quiet small mono", "aria-label": `Details of ${backup.id}` }), backup.comment && h("div", { class: "hint" }, h("bdi", {}, backup.comment))],
    [badge(STATES[backup.state] ?? "info", backup.state), " ", proof(backup), backup.reason && h("p", { class: "error-text" }, backup.reason)],
    h("span", { title: time(backup.created_at) }, ago(backup.created_at)),
    count(backup.buckets?.length), count(backup.points), bytes(backup.bytes ?? 0),
  ]);
  return [table(["Id", "State", "Taken", ...["Buckets", "Points", "Size"].map((title) => ({ title, numeric: true }))], rows, { label: "Backups" }),
    h("p", { class: "hint cut" }, `In ${place}`)];
}

function proof({ proven, drill, verification }) {
  if (proven) return badge("good", "proven");
  if (drill) return badge("bad", `test restore ${drill.outcome}`);
  return verification && badge(verification.outcome === "intact" ? "" : "bad", `files ${verification.outcome}`);
}

async function showDetail(detail, id, { api, signal }) {
  try {
    const backup = await api.get(path("backups", id), {}, { signal });
    const close = button("Close", () => fill(detail), { class: "quiet" });
    fill(detail, h("section", { class: "card", "aria-label": `Backup ${id}` }, h("div", { class: "head" }, h("h2", {}, `Backup ${id}`), close), valueView(backup, `Backup ${id}`)));
    detail.firstChild.scrollIntoView({ block: "nearest" });
    close.focus({ preventScroll: true });
  } catch (problem) {
    if (problem.name !== "AbortError") fill(detail, problemBox(problem));
  }
}

const listed = (value) => value?.split(",").map((part) => part.trim()).filter(Boolean);
const ids = (backups) => backups.map((backup) => [backup.id, `${backup.id} (${backup.state}, ${ago(backup.created_at)})`]);

function takeCard({ buckets: ages, place }, context) {
  const { api, signal, may } = context;
  return orderCard({
    title: "Back up now",
    fields: [text("Buckets", "buckets", { placeholder: "all", hint: "Names, separated by commas." }), text("Comment", "comment", { maxlength: 500 }),
      toggle("Compare every value with the backup before", "compare_values")],
    planVerb: "Show what would be saved",
    plan: async ({ buckets }) => {
      const last = new Map(ages.map((age) => [age.bucket, age.last_complete_at]));
      const wanted = listed(buckets) ?? (may("read") ? (await api.get("buckets", {}, { signal })).buckets.map((bucket) => bucket.name) : [...last.keys()]);
      return { view: [facts([["Place", h("span", { class: "cut" }, place)], ["Buckets", count(wanted.length)]]),
        table(["Bucket", "Last complete backup"], wanted.slice(0, 100).map((bucket) => [name(bucket), ago(last.get(bucket))]), { label: "Buckets of the backup" }),
        wanted.length > 100 && h("p", { class: "hint" }, `… and ${count(wanted.length - 100)} more`),
        h("p", { class: "hint" }, "Slices that are equal to the backup before are taken over from it; all others are written and read back.")] };
    },
    run: async ({ buckets, ...rest }) => [await api.post("backup/trigger", { ...rest, ...(buckets ? { buckets: listed(buckets) } : {}) })],
    verb: "Back up now",
    context,
  });
}

/* What a verification or test restore would read, from the backup's own manifest. */
async function contents(id, { api, signal }) {
  const backup = await api.get(path("backups", id), {}, { signal });
  return facts([["Backup", h("code", {}, backup.id)], ["Taken", time(backup.created_at)], ["Buckets", count(backup.buckets?.length)],
    ["Points", count(backup.points)], ["Read", bytes(backup.bytes ?? 0)]]);
}

function verifyCard(backups, context) {
  const { api } = context;
  return orderCard({
    title: "Verify a backup",
    hint: "Reads every file and compares it with the manifest.",
    fields: [choice("Backup", "backup", ids(backups)), toggle("Only files that were not verified before", "new_only")],
    planVerb: "Show what would be read",
    plan: async ({ backup }) => ({ view: await contents(backup, context) }),
    run: async ({ backup, ...order }) => [await api.post(path("backups", backup, "verify"), order)],
    verb: "Verify now",
    context,
  });
}

function drillCard(backups, context) {
  const { api } = context;
  return orderCard({
    title: "Test-restore a backup",
    hint: "Restores it into a scratch store, compares every value, and removes that store again.",
    fields: [choice("Backup", "backup", [["", "the newest complete one"], ...ids(backups)])],
    planVerb: "Show what would be restored",
    plan: async ({ backup = "latest" }) => ({ view: await contents(backup, context) }),
    run: async (order) => [await api.post("backups/drill", order)],
    verb: "Test-restore now",
    context,
  });
}

function pruneCard(context) {
  const { api } = context;
  return orderCard({
    title: "Remove backups that no rule keeps",
    hint: "The BACKUP_KEEP_ settings say which are kept.",
    plan: async () => ({ jobs: [await api.post("backups/prune", { dry_run: true })] }),
    run: async () => [await api.post("backups/prune", {})],
    planVerb: "Show what would be removed",
    verb: "Remove them",
    danger: true,
    context,
  });
}

/* Mirrors, backups and connectors: how each is, and orders, whose plan is shown before anything is done. */

import { api, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, bytes, count, duration, time } from "../format.js";
import { mirrorCalendars } from "../parts/drawings.js";
import { choice, names, option, orderCard, text } from "../parts/jobs.js";
import { badge, card, cutList, facts, hint, hints, listing, name, panel, polite, press, say, since, valueView, wrong } from "../parts/parts.js";

const BACKUP_STATES = { complete: "good", partial: "warning", failed: "bad", damaged: "bad", unfinished: "info" };
const CONNECTOR_STATES = { running: "good", off: "", stopped: "bad", broken: "bad" };
const SHOWN = 50, EXAMPLE = "2026-01-30T00:00:00Z";

/* A heading, cards for orders, and what `load` shows. The cards are made anew when the `identity` of what there is changes. */
function page(root, title, context, load, identity, cards, heading = "State") {
  const orders = h("div", { class: "grid two" });
  let known = null;
  const state = panel(heading, context.signal, async (body) => {
    const answer = await load(body);
    const now = JSON.stringify(identity(answer));
    if (now !== known) fill(orders, cards(answer));
    known = now;
    return 20;
  });
  context.changed = state.reload;
  root.append(h("h1", {}, title), orders, state);
}

export async function showMirrors(root, params, context) {
  const { signal } = context;
  const namesOf = (mirrors) => mirrors.map((mirror) => mirror.name);
  page(root, "Mirrors", context, async (body) => {
    const { mirrors } = await api.get("mirror", {}, { signal });
    if (mirrors.length) mirrorCalendars(body, mirrors, context);
    else fill(body, hints("No mirror is configured. The section “mirrors” of the configuration makes one."));
    return mirrors;
  }, namesOf, (mirrors) => mirrors.length > 0 && [runMirror(namesOf(mirrors), context), compareMirror(namesOf(mirrors), context)]);
}

function runMirror(mirrors, context) {
  const run = async (values) => (await api.post("mirror/trigger", values)).jobs;
  return orderCard({
    title: "Run a mirror", about: "The dry run reads counts and values of both sides, and changes nothing.", verb: "Run it now", context, run,
    fields: [choice("Mirror", "mirror", [["", "all mirrors"], ...mirrors]), text("Bucket of the source", "bucket", "all"),
      text("From", "start", EXAMPLE, { about: "Needs “to”." }), text("To", "stop", EXAMPLE), option("Also try what was refused before", "again")],
    plan: async (values) => ({ jobs: await run({ ...values, dry_run: true }) }),
  });
}

function compareMirror(mirrors, context) {
  return orderCard({
    title: "Compare both sides to the bit", about: "Reads source and target fully, and changes nothing in either.", planVerb: "Show what would be read", verb: "Compare now", context,
    fields: [choice("Mirror", "mirror", mirrors), text("Bucket of the source", "bucket", "all")],
    plan: async ({ mirror, bucket }) => {
      const { pairs, source, target } = await api.get(path("mirror", mirror), {}, { signal: context.signal });
      const read = pairs.filter((pair) => !bucket || pair.source === bucket);
      return { view: facts([["Source", h("bdi", {}, source)], ["Target", h("bdi", {}, target)],
        ["Buckets", read.length ? cutList(read, SHOWN, (pair) => name(pair.source)) : "those of the mirror; none of them was mirrored yet"],
        ["Points on each side", `at least ${count(read.reduce((sum, pair) => sum + pair.equal_points, 0))}`]]) };
    },
    run: async ({ mirror, ...params }) => [await api.post(path("mirror", mirror, "verify"), null, { params })],
  });
}

export async function showBackups(root, params, context) {
  const { signal, may } = context, detail = polite();
  page(root, "Backups", context, async (body) => {
    const listed = await api.get("backups", { limit: SHOWN }, { signal });
    fill(body, backupList(listed, (id) => showBackup(detail, id, signal)));
    return listed;
  }, ({ backups }) => backups.map(({ id, state }) => [id, state]), ({ backups }) => {
    const ids = backups.filter(({ state }) => ["complete", "partial"].includes(state)).map((backup) => [backup.id, `${backup.id} (${backup.state}, ${ago(backup.created_at)})`]);
    return [takeBackup(context), ids.length > 0 && [verifyBackup(ids, context), drillBackup(ids, context)], may("admin") && pruneBackups(context)];
  }, "Backups");
  root.append(detail);
}

function backupList({ place, backups }, open) {
  if (!backups.length) return hints("There is no backup yet in ", name(place), ".");
  return [listing("Backups", ["Id", "State", "Taken", "#Buckets", "#Points", "#Size"], backups.map((backup) => [
    [button(backup.id, () => open(backup.id), { class: "quiet small mono", "aria-label": `Details of ${backup.id}` }), backup.comment && h("div", { class: "hint" }, name(backup.comment))],
    [badge(BACKUP_STATES[backup.state], backup.state), " ", proof(backup), backup.reason && wrong(backup.reason)],
    since(backup.created_at), count(backup.buckets?.length), count(backup.points), bytes(backup.bytes ?? 0)])), hints("In ", name(place))];
}

function proof({ proven, drill, verification }) {
  if (proven) return badge("good", "proven");
  if (drill) return badge("bad", `test restore ${drill.outcome}`);
  return verification && badge(verification.outcome === "intact" ? "" : "bad", `files ${verification.outcome}`);
}

async function showBackup(detail, id, signal) {
  try {
    const view = card(`Backup ${id}`, valueView(await api.get(path("backups", id), {}, { signal })), button("Close", () => fill(detail)));
    fill(detail, view);
    view.scrollIntoView({ block: "nearest" });
  } catch (failure) {
    say(detail, failure);
  }
}

function takeBackup(context) {
  const run = async (order) => [await api.post("backup/trigger", order)];
  const { may, signal } = context;
  const load = async () => (may("read") ? { names: (await api.get("buckets", {}, { signal })).buckets.map((bucket) => bucket.name) }
    : { names: (await api.get("backups", { limit: 1 }, { signal })).buckets.map((age) => age.bucket), complete: false });
  return orderCard({
    title: "Back up now", about: "The dry run counts and compares, and writes nothing.", verb: "Back up now", context, run,
    fields: [names("Buckets", "buckets", load), text("Comment", "comment", "", { maxlength: 500 }),
      option("Compare every value with the previous backup", "compare_values")],
    plan: async (values) => ({ jobs: await run({ ...values, dry_run: true }) }),
  });
}

/* What a verification or test restore reads, by the backup's own manifest. */
async function contents(id, { signal }) {
  const backup = await api.get(path("backups", id), {}, { signal });
  return { view: facts([["Backup", h("code", {}, backup.id)], ["Taken", time(backup.created_at)], ["Buckets", count(backup.buckets?.length)],
    ["Points", count(backup.points)], ["Files", bytes(backup.bytes ?? 0)]]) };
}

const verifyBackup = (ids, context) => orderCard({
  title: "Verify a backup", about: "Reads every file and compares it with the manifest.", planVerb: "Show what would be read", verb: "Verify now", context,
  fields: [choice("Backup", "backup", ids), option("Only files that were not verified before", "new_only")],
  plan: ({ backup }) => contents(backup, context),
  run: async ({ backup, ...order }) => [await api.post(path("backups", backup, "verify"), order)],
});

const drillBackup = (ids, context) => orderCard({
  title: "Test-restore a backup", about: "Restores it into a scratch store, compares every value, and removes that store again.",
  planVerb: "Show what would be restored", verb: "Test-restore now", context,
  fields: [choice("Backup", "backup", [["", "the newest complete one"], ...ids])],
  plan: ({ backup = "latest" }) => contents(backup, context),
  run: async (order) => [await api.post("backups/drill", order)],
});

const pruneBackups = (context) => orderCard({
  title: "Remove backups that no rule keeps", about: "The BACKUP_KEEP_ settings say which are kept.", planVerb: "Show what would be removed", verb: "Remove them", danger: true, context,
  plan: async () => ({ jobs: [await api.post("backups/prune", { dry_run: true })] }),
  run: async () => [await api.post("backups/prune")],
});

export async function showConnectors(root, params, context) {
  const namesOf = (connectors) => connectors.map((connector) => connector.name);
  page(root, "Connectors", context, async (body) => {
    const { connectors } = await api.get("connector", {}, { signal: context.signal });
    fill(body, connectors.length ? h("div", { class: "grid two" }, connectors.map((connector) => connectorView(connector, context)))
      : hints("No connector is configured. The section “connectors” of the configuration makes one."));
    return connectors;
  }, namesOf, (connectors) => connectors.length > 0 && [requestRange(namesOf(connectors), context), runConnector(namesOf(connectors), context)]);
}

function connectorView(connector, { changed }) {
  const message = polite();
  const resume = (event) => press(event, message, async () => {
    await api.post(path("connector", connector.name, "resume"));
    changed();
  });
  return h("div", { class: "tile" },
    h("div", { class: "row spread" }, h("h3", {}, name(connector.name)), badge(CONNECTOR_STATES[connector.state], connector.state)),
    [connector.error, connector.stopped && `Stopped since ${time(connector.stopped.at)}: ${connector.stopped.message}`, connector.warning, connector.last_error].filter(Boolean).map(wrong),
    facts([
      ["Sends", [h("bdi", {}, connector.source), " → ", h("bdi", {}, connector.upstream)]],
      ["Accepted up to", connector.bookmark ? [time(connector.bookmark), hint(` ${duration(connector.lag_s ?? 0)} ago`)] : "nothing yet"],
      ["Values", `${count(connector.accepted)} accepted of ${count(connector.sent)} sent in ${count(connector.posts)} posts`],
      ["Refused", connector.dead_letters > 0 && `${count(connector.dead_letters)} values are kept: fluxgate connector dead-letters shows them`],
      ["Next run", connector.next_run && since(connector.next_run)],
    ]), connector.stopped && button("Let it run again", resume), message);
}

function requestRange(connectors, context) {
  const run = async (values) => [await api.post("connector/requests", values)];
  return orderCard({
    title: "Send a range now", about: "Beside the schedule, whose bookmark stays. The dry run counts, and sends nothing.", verb: "Send it now", context, run,
    fields: [choice("Connector", "connector", connectors), text("From", "start_time", EXAMPLE, { required: true }), text("To", "end_time", EXAMPLE, { required: true })],
    plan: async (values) => ({ jobs: await run({ ...values, dry_run: true }) }),
  });
}

const runConnector = (connectors, context) => orderCard({
  title: "Run a connector now", about: "What its schedule does: send the windows after the bookmark.", planVerb: "Show what would be sent", verb: "Run it now", context,
  fields: [choice("Connector", "connector", connectors)],
  plan: async ({ connector }) => {
    const state = await api.get(path("connector", connector), {}, { signal: context.signal });
    return { view: facts([["From the bookmark", state.bookmark ? time(state.bookmark) : "where its configuration begins"],
      ["Time to send", state.lag_s === null ? "–" : duration(state.lag_s)], ["To", h("bdi", {}, state.upstream)]]) };
  },
  run: async ({ connector }) => [await api.post(path("connector", connector, "run"))],
});

/* Is everything well? A card for each part of the gateway; each loads, and fails, by itself. */

import { fill, h, notice, table } from "../dom.js";
import { ago, count, duration, time } from "../format.js";
import { bucketTable } from "../parts/bucket_table.js";
import { hasEnded, jobBar, jobTitle, stateBadge } from "../parts/jobs.js";
import { mirrorCalendars } from "../parts/mirror_calendar.js";
import { badge, empty, facts, name, panel } from "../parts/panel.js";
import { processes } from "../parts/processes.js";

const STATES = { up: "good", ready: "good", slow: "warning", degraded: "warning", draining: "warning", down: "bad" };
const JOB_SCOPES = ["mirror", "backup", "restore", "connector", "admin"];

export async function show(root, params, context) {
  const { may, signal } = context;
  const health = panel("Health", signal, (body) => showHealth(body, context));
  const jobs = JOB_SCOPES.some(may) && panel("Jobs", signal, (body) => showJobs(body, context), { actions: h("a", { href: context.link("jobs") }, "All jobs") });
  const cards = [
    h("div", { class: "grid two" }, health, jobs),
    may("read") && panel("Buckets", signal, bucketLoader(params, context)),
    may("mirror") && panel("Mirrors", signal, (body) => showMirrors(body, context), { actions: h("a", { href: context.link("mirrors") }, "Run and compare") }),
    h("div", { class: "grid two" },
      may("backup") && panel("Backups", signal, (body) => showBackups(body, context), { actions: h("a", { href: context.link("backups") }, "All backups") }),
      may("connector") && panel("Connectors", signal, (body) => showConnectors(body, context), { actions: h("a", { href: context.link("connectors") }, "Send a range") })),
  ];
  root.append(h("h1", {}, "Overview"), ...cards.filter(Boolean));
}

async function readiness({ api, signal }) {
  try {
    return await api.get("health/ready", {}, { signal });
  } catch (problem) {
    if (problem.document?.dependencies) return problem.document; // 503 has the same body
    throw problem;
  }
}

async function showHealth(body, context) {
  const { may } = context;
  const health = await readiness(context);
  const alive = may("read") ? await processes(context).catch((failure) => failure) : null;
  const rows = Object.entries(health.dependencies).map(([use, { name: part, state, reason, ms }]) =>
    [use, [badge(STATES[state] ?? "info", state), " ", part, reason && `: ${reason}`, h("span", { class: "hint" }, ms === undefined || ms === null ? "" : ` ${ms} ms`)]]);
  fill(body,
    h("p", {}, badge(STATES[health.status] ?? "info", health.status)),
    health.warnings.map((text) => notice("warning", "", text)),
    facts([...rows, ...(alive instanceof Error ? [["processes", h("span", { class: "error-text" }, alive.message)]] : alive ?? []).map(processFact)]));
  return 10;
}

function processFact(entry) {
  if (Array.isArray(entry)) return entry;
  const { role, alive, seenAt } = entry;
  const seen = seenAt ? `, last seen ${ago(seenAt)}` : "";
  if (alive) return [`${role}s`, [badge("good", `${count(alive)} alive`)]];
  return [`${role}s`, seenAt ? [badge("warning", "none alive"), h("span", { class: "hint" }, seen)] : h("span", { class: "faint" }, "none")];
}

async function showJobs(body, { api, signal, link }) {
  const { jobs, warnings } = await api.get("jobs", { state: ["running", "queued"], limit: 20 }, { signal });
  const failed = await api.get("jobs", { state: "failed", limit: 3 }, { signal });
  const known = new Map([...body.querySelectorAll("[data-job]")].map((element) => [element.dataset.job, element]));
  const rows = jobs.map((job) => {
    const element = known.get(job.id) ?? h("li", { class: "job", dataset: { job: job.id } }, h("div", { class: "row spread" }, h("span", { class: "cut" }, h("a", { href: link("jobs", { id: job.id }) }, jobTitle(job))), h("span")), jobBar(job));
    element.lastChild.show(job);
    fill(element.firstChild.lastChild, stateBadge(job));
    return element;
  });
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  fill(body, warnings.map((text) => notice("warning", "", text)),
    rows.length ? h("ul", { class: "plain jobs" }, rows) : empty("No job runs or waits."),
    failed.jobs.length > 0 && [h("h3", {}, "Failed last"), h("ul", { class: "plain" }, failed.jobs.map((job) => h("li", { class: "cut" },
      h("a", { href: link("jobs", { id: job.id }) }, jobTitle(job)), h("span", { class: "hint" }, ` ${ago(job.finished_at)}: ${job.error?.message ?? ""}`))))]);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  return jobs.some((job) => !hasEnded(job)) ? 2 : 10;
}

function bucketLoader(params, context) {
  let shown = null;
  return async (body, first) => {
    const { buckets } = await context.api.get("buckets", {}, { signal: context.signal });
    if (first || !shown || buckets.length === 0) fill(body, shown = bucketTable(buckets, { params, ...context }));
    else shown.show(buckets);
    return 60;
  };
}

async function showMirrors(body, context) {
  const { mirrors } = await context.api.get("mirror", {}, { signal: context.signal });
  if (!mirrors.length) fill(body, empty("No mirror is configured."));
  else await mirrorCalendars(body, mirrors, context);
  return 60;
}

async function showBackups(body, { api, signal }) {
  const { place, backups, buckets } = await api.get("backups", { limit: 1 }, { signal });
  if (!backups.length) return fill(body, empty("There is no backup yet."), h("p", { class: "hint cut" }, place)), 60;
  const oldestFirst = [...buckets].sort((a, b) => (a.last_complete_at ?? "") < (b.last_complete_at ?? "") ? -1 : 1);
  const cell = (at) => (at ? h("span", { title: time(at) }, ago(at)) : badge("warning", "never"));
  fill(body, h("p", { class: "hint" }, "The bucket whose backup is oldest comes first."),
    table(["Bucket", "Last complete", "Last proven"], oldestFirst.slice(0, 100).map((age) => [name(age.bucket), cell(age.last_complete_at), cell(age.last_proven_at)]), { label: "Age of backups" }),
    buckets.length > 100 && h("p", { class: "hint" }, `… and ${count(buckets.length - 100)} more`));
  return 60;
}

async function showConnectors(body, { api, signal }) {
  const { connectors } = await api.get("connector", {}, { signal });
  const kinds = { running: "good", off: "", stopped: "bad", broken: "bad" };
  const lines = (entry) => [entry.error, entry.stopped?.message, entry.warning, entry.last_error].filter(Boolean);
  fill(body, connectors.length === 0 ? empty("No connector is configured.") : table(["Connector", "State", "Lag", { title: "Refused", numeric: true }],
    connectors.map((entry) => [[name(entry.name), lines(entry).map((line) => h("p", { class: "error-text" }, line))], badge(kinds[entry.state] ?? "info", entry.state),
      entry.lag_s === null ? "–" : duration(entry.lag_s), count(entry.dead_letters)]), { label: "Connectors" }));
  return 30;
}

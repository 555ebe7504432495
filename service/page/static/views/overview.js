/* Is everything well? A card for each part of the gateway; each loads, and fails, by itself. */

import { api, path } from "../api.js";
import { fill, h, notice } from "../dom.js";
import { ago, count, duration, seconds } from "../format.js";
import { mirrorCalendars, sparkline } from "../parts/drawings.js";
import { hasEnded, jobBar, jobLink, stateBadge } from "../parts/jobs.js";
import { andMore, badge, cutList, facts, hint, hints, listing, moreButton, name, panel, polite, since, toggle, wrong } from "../parts/parts.js";

const STATES = { up: "good", ready: "good", slow: "warning", degraded: "warning", draining: "warning", down: "bad" };
const CONNECTOR_STATES = { running: "good", off: "", stopped: "bad", broken: "bad" };
const JOB_SCOPES = ["mirror", "backup", "restore", "connector", "admin"];
const PAGE = 25, DAYS = 14, DAY_MS = 86400000, MOST_ROWS = 10000, MOST_AT_ONCE = 2, MOST_AGES = 100;

export async function show(root, params, context) {
  const { may, signal, link } = context;
  const part = (title, load, more, label) => panel(title, signal, (body) => load(body, context, params), more && h("a", { href: link(more) }, label));
  root.append(h("h1", {}, "Overview"),
    h("div", { class: "grid two" }, part("Health", showHealth), JOB_SCOPES.some(may) && part("Jobs", showJobs, "jobs", "All jobs")),
    ...[may("read") && part("Buckets", bucketLoader()), may("mirror") && part("Mirrors", showMirrors, "mirrors", "Run and compare")].filter(Boolean),
    h("div", { class: "grid two" }, may("backup") && part("Backups", showBackups, "backups", "All backups"),
      may("connector") && part("Connectors", showConnectors, "connectors", "Send a range")));
}

async function showHealth(body, { may, signal }) {
  const health = await api.get("health/ready", {}, { signal }).catch((problem) => {
    if (problem.document?.dependencies) return problem.document; // a 503 has the same body
    throw problem;
  });
  const roles = may("read") ? await api.fetch("metrics", { signal }).then((answer) => answer.text()).then(presence)
    .catch((failure) => [["processes", wrong(failure.message)]]) : [];
  fill(body, h("p", {}, badge(STATES[health.status], health.status)), health.warnings.map((text) => notice("warning", "", text)),
    facts([...Object.entries(health.dependencies).map(([use, { name: part, state, reason, ms }]) =>
      [use, [badge(STATES[state], state), " ", part, reason && `: ${reason}`, ms !== null && ms !== undefined && hint(` ${ms} ms`)]]), ...roles]));
  return 10;
}

/* Which processes are alive, from the gauges of /metrics: no other route tells. */
export function presence(text) {
  const gauge = (of, role) => new RegExp(`^fluxgate_process${of}\\{role="${role}"\\} (\\S+)$`, "m").exec(text)?.[1];
  return ["gateway", "worker", "scheduler"].map((role) => {
    const alive = Number(gauge("es_alive", role) ?? 0), seen = gauge("_last_seen_timestamp_seconds", role);
    const silent = seen ? [badge("warning", "none alive"), hint(` last seen ${ago(Number(seen) * 1000)}`)] : "none";
    return [`${role}s`, alive ? badge("good", `${count(alive)} alive`) : silent];
  });
}

async function showJobs(body, { signal, link }) {
  const [{ jobs, warnings }, failed] = await Promise.all([
    api.get("jobs", { state: ["running", "queued"], limit: 20 }, { signal }), api.get("jobs", { state: "failed", limit: 3 }, { signal })]);
  const known = body.rows ?? new Map();
  body.rows = new Map(jobs.map((job) => {
    const element = known.get(job.id) ?? h("li", {}, h("div", { class: "row spread" }, jobLink(job, link), h("span")), jobBar(job));
    element.lastChild.show(job);
    fill(element.firstChild.lastChild, stateBadge(job));
    return [job.id, element];
  }));
  const focused = document.activeElement;
  fill(body, warnings.map((text) => notice("warning", "", text)),
    jobs.length ? h("ul", { class: "plain jobs" }, [...body.rows.values()]) : hints("No job runs or waits."),
    failed.jobs.length > 0 && [h("h3", {}, "Failed last"), cutList(failed.jobs, 3, (job) => [jobLink(job, link), hint(`${ago(job.finished_at)}: `, h("bdi", { class: "cut" }, job.error?.message))])]);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  return jobs.some((job) => !hasEnded(job)) ? 2 : 10;
}

function bucketLoader() {
  let shown = null;
  return async (body, context, params) => {
    const { buckets } = await api.get("buckets", {}, { signal: context.signal });
    if (shown?.isConnected) shown.show(buckets);
    else fill(body, buckets.length ? shown = bucketTable(buckets, params, context) : hints("The key sees no bucket."));
    return 60;
  };
}

/* The buckets with a filter and a limit for silence, both in the address. Days are counted only for rows in sight. */
function bucketTable(buckets, params, { signal, link, replace }) {
  const state = { text: params.get("bucket") ?? "", limit: params.get("silent") ?? "1h", only: params.has("only"), shown: PAGE };
  const more = h("div", { class: "row" }, " "), summary = polite("p", { class: "hint" }), cells = new Map(), loader = dayLoader(signal);
  const change = (changed) => { Object.assign(state, changed); update(); };
  const filter = h("input", { type: "search", value: state.text, placeholder: "Filter", "aria-label": "Filter buckets by name", onInput: () => change({ text: filter.value }) });
  const limit = h("select", { "aria-label": "Silent after", onChange: () => change({ limit: limit.value }) },
    ["1m", "5m", "15m", "1h", "6h", "1d", "7d"].map((value) => h("option", { value, selected: value === state.limit }, `silent after ${value}`)));
  const table = listing("Buckets", ["Bucket", "Newest point", "State", "Points a day"], []);

  function row(bucket, isSilent) {
    const cell = cells.get(bucket.name) ?? h("td", { class: "days" });
    if (!cells.has(bucket.name)) loader(cell, bucket.name);
    cells.set(bucket.name, cell);
    const mark = bucket.note ? badge("bad", "not readable") : !bucket.last_point ? badge("", "empty") : isSilent ? badge("warning", "silent") : badge("good", "live");
    return h("tr", {},
      h("th", { scope: "row" }, h("a", { class: "cut-box", href: link("explore", { bucket: bucket.name }) }, name(bucket.name)), bucket.note && hint(bucket.note)),
      h("td", {}, since(bucket.last_point)),
      h("td", {}, mark, " ", bucket.last_point && h("a", { class: "hint", href: link("gaps", { bucket: bucket.name }), "aria-label": `Gaps of ${bucket.name}` }, "gaps")), cell);
  }

  function update() {
    const limitMs = (seconds(state.limit) ?? 3600) * 1000, silent = new Set(buckets.filter((bucket) => Date.now() - Date.parse(bucket.last_point) > limitMs));
    const fitting = buckets.filter((bucket) => (!state.only || silent.has(bucket)) && bucket.name.toLowerCase().includes(state.text.toLowerCase()));
    fill(table.body, fitting.slice(0, state.shown).map((bucket) => row(bucket, silent.has(bucket))));
    fill(more, moreButton(fitting.length - state.shown, 100, () => change({ shown: state.shown + 100 })));
    summary.textContent = `${count(buckets.length)} bucket${buckets.length === 1 ? "" : "s"}, ${count(silent.size)} silent for more than ${state.limit}${fitting.length < buckets.length ? `, ${count(fitting.length)} shown` : ""}.`;
    replace({ bucket: state.text, silent: state.limit === "1h" ? "" : state.limit, only: state.only ? "silent" : "" });
  }

  const element = h("div", {}, h("div", { class: "row tools" }, filter, limit, toggle("only silent ones", (only) => change({ only }), { checked: state.only })), summary, table, more);
  element.show = (again) => { buckets = again; update(); };
  update();
  return element;
}

/* Gives a function that counts the days of a bucket once its cell comes into sight, few at a time. */
function dayLoader(signal) {
  const waiting = [];
  let running = 0;
  async function next() {
    if (running >= MOST_AT_ONCE || !waiting.length || signal.aborted) return;
    running += 1;
    await fillDays(waiting.shift(), signal);
    running -= 1;
    next();
  }
  const observer = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      observer.unobserve(target);
      waiting.push(target);
      next();
    }
  }, { rootMargin: "120px" });
  signal.addEventListener("abort", () => observer.disconnect());
  return (cell, bucket) => {
    cell.bucket = bucket;
    observer.observe(cell);
  };
}

async function fillDays(cell, signal) {
  try {
    const params = { window: `${DAYS - 1}d`, every: "1d", fn: "count", format: "json", limit: MOST_ROWS };
    const days = pointsByDay(await api.get(path("buckets", cell.bucket), params, { signal }), Date.now());
    if (!days) return fill(cell, hint("too many series"));
    const label = `Points a day, the last ${DAYS} days: ${days.map(({ points }) => count(points)).join(", ")}`;
    fill(cell, sparkline(days, label), hint(days.some(({ points }) => points) ? ` ${count(days.at(-2).points)} yesterday` : " none"));
  } catch (failure) {
    if (failure.name !== "AbortError") fill(cell, wrong(failure.message));
  }
}

/* The points of each of the last days (UTC), from a read of counts; null when it was cut, so that nothing wrong is shown. */
export function pointsByDay({ rows, truncated }, nowMs) {
  if (truncated) return null;
  const first = Math.floor(nowMs / DAY_MS) - DAYS + 1;
  const days = Array.from({ length: DAYS }, (_, n) => ({ day: new Date((first + n) * DAY_MS).toISOString().slice(0, 10), points: 0 }));
  for (const row of rows) {
    const day = days[Math.ceil(Date.parse(row._time) / DAY_MS) - 1 - first]; // a window is stamped with its end
    if (day) day.points += row._value;
  }
  return days;
}

async function showMirrors(body, context) {
  const { mirrors } = await api.get("mirror", {}, { signal: context.signal });
  if (mirrors.length) mirrorCalendars(body, mirrors, context);
  else fill(body, hints("No mirror is configured."));
  return 60;
}

async function showBackups(body, { signal }) {
  const { place, backups, buckets } = await api.get("backups", { limit: 1 }, { signal });
  const ages = [...buckets].sort((a, b) => ((a.last_complete_at ?? "") < (b.last_complete_at ?? "") ? -1 : 1));
  const age = (at) => (at ? since(at) : badge("warning", "never"));
  fill(body, backups.length ? [hints("The bucket whose backup is oldest comes first."),
    listing("Age of backups", ["Bucket", "Last complete", "Last proven"], ages.slice(0, MOST_AGES).map((entry) => [name(entry.bucket), age(entry.last_complete_at), age(entry.last_proven_at)])),
    andMore(ages, MOST_AGES)] : hints("There is no backup yet in ", name(place), "."));
  return 60;
}

async function showConnectors(body, { signal }) {
  const { connectors } = await api.get("connector", {}, { signal });
  fill(body, connectors.length ? listing("Connectors", ["Connector", "State", "Lag", "#Refused"], connectors.map((entry) => [
    [name(entry.name), [entry.error, entry.stopped?.message, entry.warning, entry.last_error].filter(Boolean).map(wrong)], badge(CONNECTOR_STATES[entry.state], entry.state),
    entry.lag_s === null ? "–" : duration(entry.lag_s), count(entry.dead_letters)])) : hints("No connector is configured."));
  return 30;
}

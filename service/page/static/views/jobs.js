/* Jobs: the list with live bars, and one job with its log as it is written. */

import { path } from "../api.js";
import { button, fill, h, problemBox } from "../dom.js";
import { ago, time } from "../format.js";
import { cancelButton, hasEnded, jobBar, jobTitle, stateBadge } from "../parts/jobs.js";
import { badge, empty, facts, panel, press } from "../parts/panel.js";
import { followEvents } from "../parts/event_stream.js";
import { valueView } from "../parts/value_view.js";

const STATES = ["running", "queued", "succeeded", "failed", "cancelled"];
const PAGE = 50;
const MOST_LINES = 1000;

export function show(root, params, context) {
  return params.get("id") ? showJob(root, params.get("id"), context) : showList(root, params, context);
}

async function showList(root, params, context) {
  const { api, signal, link, go } = context;
  const chosen = params.getAll("state"), kind = params.get("kind") ?? "";
  let older = [], before = null;
  const rows = h("tbody"), more = h("div", { class: "row" }), message = h("div", { "aria-live": "polite" });
  const filters = h("div", { class: "row", role: "group", "aria-label": "States" }, STATES.map((state) =>
    button(state, () => go("jobs", { kind, state: chosen.includes(state) ? chosen.filter((other) => other !== state) : [...chosen, state] }),
      { "aria-pressed": String(chosen.includes(state)), class: "small" })));
  const elements = new Map();

  function row(job) {
    const known = elements.get(job.id);
    if (known?.version === JSON.stringify(job)) return known;
    const element = known ?? h("tr", {}, h("th", { scope: "row" }, h("a", { class: "cut-box", href: link("jobs", { id: job.id }) }, jobTitle(job))), h("td"), h("td", { class: "bar-cell" }, jobBar(job)), h("td"), h("td"));
    const [, state, bar, made, acts] = element.children;
    fill(state, stateBadge(job));
    bar.firstChild.show(job);
    fill(made, h("span", { title: time(job.created_at) }, ago(job.created_at)), h("span", { class: "hint" }, job.schedule ? ` by schedule ${job.schedule}` : job.created_by ? ` by ${job.created_by}` : ""));
    if (hasEnded(job)) fill(acts);
    else if (!acts.firstChild) fill(acts, cancelButton(job, message, () => list.reload()));
    element.version = JSON.stringify(job);
    elements.set(job.id, element);
    return element;
  }

  const table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Jobs" }, h("table", { class: "jobs-table" },
    h("thead", {}, h("tr", {}, ["Job", "State", "Progress", "Ordered", "Action"].map((title) => h("th", { scope: "col" }, title)))), rows));
  const warnings = h("div");
  const list = panel("All jobs", signal, async (body) => {
    const answer = await api.get("jobs", { state: chosen, kind, limit: PAGE }, { signal });
    if (!older.length) before = answer.before;
    fill(warnings, answer.warnings.map((text) => h("p", { class: "notice warning" }, text)));
    const fresh = new Set(answer.jobs.map((job) => job.id));
    const shown = [...answer.jobs, ...older.filter((job) => !fresh.has(job.id))];
    const wanted = shown.map(row);
    if (wanted.length !== rows.children.length || wanted.some((element, n) => rows.children[n] !== element)) fill(rows, wanted);
    fill(more, before && button("Show older ones", loadOlder));
    if (!table.isConnected) fill(body, warnings, message, table, more);
    if (!shown.length) fill(body, warnings, empty("No job fits."));
    return answer.jobs.some((job) => !hasEnded(job)) ? 1.5 : 8;
  }, { actions: filters });

  const loadOlder = (event) => press(event, message, async () => {
    const answer = await api.get("jobs", { state: chosen, kind, limit: PAGE, before }, { signal });
    older = [...older, ...answer.jobs];
    before = answer.before;
    list.reload();
  });
  root.append(h("h1", {}, "Jobs"), list);
  if (context.may("mirror") || context.may("backup") || context.may("connector") || context.may("admin")) root.append(schedules(context));
}

function schedules({ api, signal, link }) {
  return panel("Schedules", signal, async (body) => {
    const { schedules: all } = await api.get("schedules", {}, { signal });
    fill(body, all.length === 0 ? empty("There is no schedule.") : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Schedules" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Schedule", "When", "Next run", "Last run"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, all.map((entry) => h("tr", {}, h("th", { scope: "row" }, h("bdi", { class: "cut-box" }, entry.name), !entry.enabled && [" ", badge("", "off")]),
        h("td", {}, h("code", {}, entry.cron ?? `every ${entry.every}`), entry.cron && h("span", { class: "hint" }, ` ${entry.zone}`)),
        h("td", {}, entry.next_run ? h("span", { title: time(entry.next_run) }, ago(entry.next_run)) : "–"),
        h("td", {}, entry.last_job ? h("a", { href: link("jobs", { id: entry.last_job }) }, ago(entry.last_run)) : "never")))))));
    return 60;
  });
}

async function showJob(root, id, context) {
  const { api, signal, link, title } = context;
  const job = await api.get(path("jobs", id), {}, { signal });
  title(`${job.kind} ${id}`);
  const message = h("div", { "aria-live": "polite" }), state = h("span", { "aria-live": "polite" }), detail = h("div"), acts = h("div", { class: "row" });
  const bar = jobBar(job);
  const lines = h("ol", { class: "plain log", role: "log", "aria-label": "Log", "aria-live": "off", tabindex: 0 });

  function showState(now) {
    fill(state, stateBadge(now));
    bar.show(now);
    fill(acts, !hasEnded(now) && cancelButton(now, message, showState),
      ["failed", "cancelled"].includes(now.state) && button("Run it again", (event) => press(event, message, async () => {
        await api.post(`jobs/${now.id}/retry`);
        follow();
      })));
    fill(detail, facts([["Id", h("code", {}, now.id)], ["Ordered", `${time(now.created_at)}${now.created_by ? ` by ${now.created_by}` : ""}`],
      ["Schedule", now.schedule && h("bdi", {}, now.schedule)], ["Started", now.started_at && time(now.started_at)], ["Ended", now.finished_at && time(now.finished_at)],
      ["Attempts", now.attempts > 1 && now.attempts], ["Orders", Object.keys(now.parameters).length > 0 && valueView(now.parameters, "Parameters")]]),
    now.error && h("div", { class: "notice bad" }, h("strong", {}, now.error.code), " ", now.error.message, now.error.upstream && h("pre", {}, now.error.upstream)),
    now.result && h("div", {}, h("h2", {}, "Result"), valueView(now.result)));
  }

  function addLine({ number, at, level, message: text }) {
    const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 30;
    if (Number(lines.lastChild?.dataset.number ?? -1) >= number) return;
    lines.append(h("li", { class: level, dataset: { number } }, h("time", { datetime: at, class: "faint" }, time(at)), " ", level !== "info" && h("strong", {}, `${level} `), h("bdi", {}, text)));
    if (lines.children.length > MOST_LINES) lines.firstChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  function follow() {
    followEvents(`jobs/${job.id}/events`, { signal, onProblem: (problem) => fill(message, problem && problemBox(problem)) }, ({ event, data }) => {
      if (event === "log") addLine(data);
      else if (event === "job") showState(data);
      else if (event === "warning") fill(message, h("p", { class: "notice warning" }, data.message));
      return event === "job" && hasEnded(data);
    });
  }

  showState(job);
  job.log.forEach(addLine);
  root.append(h("p", {}, h("a", { href: link("jobs") }, "← All jobs")),
    h("div", { class: "head" }, h("h1", {}, jobTitle(job)), h("span", { class: "row" }, state, acts)), message,
    h("section", { class: "card", "aria-label": "Progress" }, bar), h("section", { class: "card", "aria-label": "Details" }, detail),
    h("section", { class: "card", "aria-label": "Log" }, h("h2", {}, "Log"), lines));
  if (!hasEnded(job)) follow();
}

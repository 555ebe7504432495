/* Jobs: the list with live bars, the schedules, and one job with its log as it is written. */

import { api, path } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, time } from "../format.js";
import { cancelButton, followEvents, hasEnded, jobBar, jobLink, STATES, stateBadge } from "../parts/jobs.js";
import { card, facts, hint, hints, listing, name, panel, polite, press, say, since, valueView } from "../parts/parts.js";

const PAGE = 50, MOST_LINES = 1000;
const warned = (text) => h("p", { class: "notice warning" }, text);

export const show = (root, params, context) => (params.get("id") ? showJob : showList)(root, params, context);

async function showList(root, params, { signal, link, go }) {
  const chosen = params.getAll("state"), kind = params.get("kind"), elements = new Map();
  const more = h("div", { class: "row" }), message = polite(), warnings = h("div"), table = listing("Jobs", ["Job", "State", "Progress", "Ordered", "Action"], []);
  const others = (state) => (chosen.includes(state) ? chosen.filter((other) => other !== state) : [...chosen, state]);
  const filters = h("div", { class: "row", role: "group", "aria-label": "States" }, Object.keys(STATES).map((state) =>
    button(state, () => go("jobs", { kind, state: others(state) }), { "aria-pressed": String(chosen.includes(state)), class: "small" })));
  let older = [], before = null;

  function row(job) {
    const element = elements.get(job.id) ?? h("tr", {}, h("th", { scope: "row" }, jobLink(job, link)), h("td"), h("td", { class: "bar-cell" }, jobBar(job)), h("td"), h("td"));
    const [, state, bar, ordered, acts] = element.children;
    if (element.state !== job.state) fill(acts, !hasEnded(job) && cancelButton(job, message, () => list.reload()));
    element.state = job.state;
    fill(state, stateBadge(job));
    bar.firstChild.show(job);
    fill(ordered, since(job.created_at), hint(job.schedule ? " by its schedule" : ` by ${job.created_by ?? "–"}`));
    elements.set(job.id, element);
    return element;
  }

  const list = panel("All jobs", signal, async (body) => {
    const answer = await api.get("jobs", { state: chosen, kind, limit: PAGE }, { signal });
    if (!older.length) ({ before } = answer);
    const fresh = new Set(answer.jobs.map((job) => job.id));
    const rows = [...answer.jobs, ...older.filter((job) => !fresh.has(job.id))].map(row);
    if (rows.length !== table.body.children.length || rows.some((element, n) => table.body.children[n] !== element)) fill(table.body, rows);
    fill(warnings, answer.warnings.map(warned));
    fill(more, before && button("Show older ones", loadOlder));
    if (!rows.length) fill(body, warnings, hints("No job fits."));
    else if (!table.isConnected) fill(body, warnings, message, table, more);
    return answer.jobs.every(hasEnded) ? 8 : 1.5;
  }, filters);

  const loadOlder = (event) => press(event, message, async () => {
    const answer = await api.get("jobs", { state: chosen, kind, limit: PAGE, before }, { signal });
    older = [...older, ...answer.jobs];
    ({ before } = answer);
    list.reload();
  });

  root.append(h("h1", {}, "Jobs"), list, panel("Schedules", signal, async (body) => {
    const { schedules } = await api.get("schedules", {}, { signal });
    fill(body, schedules.length ? listing("Schedules", ["Schedule", "When", "Next run", "Last run"], schedules.map((entry) => [
      [name(entry.name), !entry.enabled && hint(" off")], [h("code", {}, entry.cron ?? `every ${entry.every}`), entry.cron && hint(` ${entry.zone}`)],
      since(entry.next_run), entry.last_job ? h("a", { href: link("jobs", { id: entry.last_job }) }, ago(entry.last_run)) : "never"])) : hints("There is no schedule."));
    return 60;
  }));
}

async function showJob(root, params, { signal, link, title }) {
  const job = await api.get(path("jobs", params.get("id")), {}, { signal });
  const message = polite(), state = polite("span"), detail = h("div"), acts = h("span", { class: "row" }), bar = jobBar(job);
  const lines = h("ol", { class: "plain log", role: "log", "aria-label": "Log", tabindex: 0 });
  title(`${job.kind} ${job.id}`);

  function showState(now) {
    fill(state, stateBadge(now));
    bar.show(now);
    fill(acts, !hasEnded(now) && cancelButton(now, message, showState),
      ["failed", "cancelled"].includes(now.state) && button("Run it again", (event) => press(event, message, async () => {
        showState(await api.post(`jobs/${now.id}/retry`));
        follow();
      })));
    fill(detail, facts([["Id", h("code", {}, now.id)], ["Ordered", `${time(now.created_at)} by ${now.schedule ? `the schedule ${now.schedule}` : now.created_by}`],
      ["Started", now.started_at && time(now.started_at)], ["Ended", now.finished_at && time(now.finished_at)],
      ["Attempts", now.attempts > 1 && now.attempts], ["Order", Object.keys(now.parameters).length > 0 && valueView(now.parameters, "Order")]]),
    now.error && h("div", { class: "notice bad" }, h("strong", {}, now.error.code), " ", now.error.message, now.error.upstream && h("pre", { tabindex: 0 }, now.error.upstream)),
    now.result && [h("h2", {}, "Result"), valueView(now.result)]);
  }

  function addLine({ number, at, level, message: text }) {
    if (Number(lines.lastChild?.dataset.number ?? -1) >= number) return;
    const isAtEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 30;
    lines.append(h("li", { class: level, dataset: { number } }, h("time", { datetime: at, class: "faint" }, time(at)), " ", level !== "info" && h("strong", {}, `${level} `), h("bdi", {}, text)));
    if (lines.children.length > MOST_LINES) lines.firstChild.remove();
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  }

  async function follow() {
    const onProblem = (problem) => (problem ? say(message, problem) : fill(message));
    const refused = await followEvents(path("jobs", job.id, "events"), { signal, onProblem }, (event, data) => {
      if (event === "log") addLine(data);
      else if (event === "job") showState(data);
      else if (event === "warning") fill(message, warned(data.message));
      return event === "job" && hasEnded(data);
    });
    if (refused) say(message, refused);
  }

  showState(job);
  root.append(h("a", { href: link("jobs") }, "← All jobs"), h("div", { class: "head" }, h("h1", {}, jobLink(job, link)), h("span", { class: "row" }, state, acts)), message,
    card("Progress", bar, detail), card("Log", lines));
  job.log.forEach(addLine);
  lines.scrollTop = lines.scrollHeight;
  if (!hasEnded(job)) follow();
}

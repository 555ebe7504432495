/* Jobs as parts of views: their state, a bar that moves, and how one is followed to its end. */

import { api } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, duration } from "../format.js";
import { badge, name, poll, press } from "./panel.js";

const KINDS = { queued: "info", running: "info", succeeded: "good", failed: "bad", cancelled: "warning" };

export function hasEnded(job) {
  return ["succeeded", "failed", "cancelled"].includes(job.state);
}

export function stateBadge(job) {
  const text = job.cancel_requested && !hasEnded(job) ? `${job.state}, being cancelled` : job.state;
  return badge(KINDS[job.state] ?? "info", text);
}

/* What a job is, in words: its kind and what it is for. */
export function jobTitle(job) {
  const { mirror, connector, backup, bucket, buckets, place, verify, dry_run: dry } = job.parameters;
  const subject = [mirror, connector, backup, bucket, buckets && [buckets].flat().join(", "), place].filter(Boolean).join(" · ");
  const kind = verify ? `${job.kind} (verify)` : dry ? `${job.kind} (dry run)` : job.kind;
  return [kind.replaceAll("_", " "), subject && [": ", name(subject)]];
}

/* The bar of a job with its numbers. `bar.show(job)` moves it, and says the tenths aloud. */
export function jobBar(job) {
  const bar = h("progress", { max: 1, "aria-label": `Progress of ${job.kind} ${job.id}` });
  const text = h("span", { class: "hint" });
  const said = h("span", { class: "hidden-text", "aria-live": "polite" });
  const element = h("div", { class: "job-bar" }, bar, text, said);
  let tenth = -1;
  element.show = (now) => {
    const progress = now.progress;
    bar.hidden = hasEnded(now);
    if (share(progress) === null) bar.removeAttribute("value");
    else bar.value = share(progress);
    text.textContent = words(now);
    const reached = Math.floor((share(progress) ?? 0) * 10);
    if (reached !== tenth && progress?.total) said.textContent = `${reached * 10} percent`;
    tenth = reached;
  };
  element.show(job);
  return element;
}

function share(progress) {
  return progress?.total ? Math.min(1, progress.done / progress.total) : null;
}

function words({ state, progress, next_try_at: nextTry, finished_at: finished }) {
  if (state === "queued") return nextTry && new Date(nextTry) > Date.now() ? `next try ${ago(nextTry)}` : "waits";
  if (["succeeded", "failed", "cancelled"].includes(state)) return `ended ${ago(finished)}`;
  if (!progress) return "begun";
  const of = progress.total ? ` of ${count(progress.total)}` : "";
  const eta = progress.eta_s === null ? "" : `, about ${duration(progress.eta_s)} left`;
  return `${count(progress.done)}${of} ${progress.unit}${eta}`;
}

/* A button that cancels `job`, and says in `message` what went wrong. */
export function cancelButton(job, message, done = () => {}) {
  return button("Cancel", (event) => press(event, message, async () => {
    done(await api.post(`jobs/${job.id}/cancel`));
  }), { class: "danger small", "aria-label": `Cancel ${job.kind} ${job.id}` });
}

/* A job that is followed until it ends: title, bar, cancel. `ended` gets the job then. */
export function followedJob(job, { signal, link, ended = () => {} }) {
  const message = h("div", { "aria-live": "polite" });
  const bar = jobBar(job);
  const state = h("span", {}, stateBadge(job));
  const cancel = cancelButton(job, message, (changed) => show(changed));
  function show(now) {
    fill(state, stateBadge(now));
    bar.show(now);
    cancel.hidden = hasEnded(now);
    if (now.error && now.state === "failed") fill(message, h("p", { class: "error-text" }, now.error.message));
  }
  poll(signal, async () => {
    try {
      const now = await api.get(`jobs/${job.id}`, {}, { signal });
      show(now);
      if (hasEnded(now)) ended(now);
      return hasEnded(now) ? null : 0.7;
    } catch (failure) {
      if (failure.name !== "AbortError") fill(message, h("p", { class: "error-text" }, failure.message));
      return failure.status === 404 ? null : 5;
    }
  });
  return h("div", { class: "job" },
    h("div", { class: "row spread" },
      h("span", { class: "cut" }, h("a", { href: link("jobs", { id: job.id }) }, jobTitle(job))), h("span", { class: "row" }, state, cancel)),
    bar, message);
}

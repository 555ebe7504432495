/* Jobs and orders: a bar that moves, a job that is followed to its end, and a form whose plan is shown before it is done. */

import { api } from "../api.js";
import { button, fill, h } from "../dom.js";
import { ago, count, duration } from "../format.js";
import { picker } from "../picker.js";
import { badge, card, hints, linked, name, polite, poll, press, say, toggle, valueView, wrong } from "./parts.js";

const LONGEST_WAIT_S = 30;
export const STATES = { queued: "info", running: "info", succeeded: "good", failed: "bad", cancelled: "warning" };

export const hasEnded = (job) => ["succeeded", "failed", "cancelled"].includes(job.state);

export function stateBadge(job) {
  return badge(STATES[job.state], job.cancel_requested && !hasEnded(job) ? `${job.state}, being cancelled` : job.state);
}

/* What a job is, as a link: its kind and what it is for. */
export function jobLink(job, link) {
  const { mirror, connector, backup, bucket, buckets, place, verify, dry_run: dry } = job.parameters;
  const subject = [mirror, connector, backup, bucket, buckets && [buckets].flat().join(", "), place].filter(Boolean).join(" · ");
  const kind = `${job.kind.replaceAll("_", " ")}${verify ? " (verify)" : dry ? " (dry run)" : ""}`;
  return h("a", { class: "cut-box", href: link("jobs", { id: job.id }) }, kind, subject && [": ", name(subject)]);
}

/* The bar of a job with its numbers. `bar.show(job)` moves it, and says the tenths aloud. */
export function jobBar(job) {
  const bar = h("progress", { max: 1, "aria-label": `Progress of ${job.kind} ${job.id}` });
  const text = h("span", { class: "hint" }), said = polite("span", { class: "hidden-text" });
  const element = h("div", { class: "job-bar" }, bar, text, said);
  element.show = (now) => {
    const { progress } = now, share = progress?.total ? Math.min(1, progress.done / progress.total) : null;
    bar.hidden = hasEnded(now);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    text.textContent = progressWords(now);
    const tenths = share === null ? "" : `${Math.floor(share * 10) * 10} percent`;
    if (said.textContent !== tenths) said.textContent = tenths;
  };
  element.show(job);
  return element;
}

function progressWords(job) {
  const { progress } = job;
  if (hasEnded(job)) return `ended ${ago(job.finished_at)}`;
  if (job.state === "queued") return new Date(job.next_try_at) > Date.now() ? `next try ${ago(job.next_try_at)}` : "waits";
  if (!progress) return "begun";
  const of = progress.total ? ` of ${count(progress.total)}` : "";
  return `${count(progress.done)}${of} ${progress.unit}${progress.eta_s === null ? "" : `, about ${duration(progress.eta_s)} left`}`;
}

export function cancelButton(job, message, done) {
  const cancel = (event) => press(event, message, async () => done(await api.post(`jobs/${job.id}/cancel`)));
  return button("Cancel", cancel, { class: "danger small", "aria-label": `Cancel ${job.kind} ${job.id}` });
}

/* A job that is followed until it ends; `ended` gets it then. */
export function followedJob(job, { signal, link }, ended) {
  const message = polite(), state = h("span"), bar = jobBar(job);
  const cancel = cancelButton(job, message, show);
  function show(now) {
    fill(state, stateBadge(now));
    bar.show(now);
    cancel.hidden = hasEnded(now);
    if (now.error && now.state === "failed") fill(message, wrong(now.error.message));
  }
  poll(signal, async () => {
    try {
      const now = await api.get(`jobs/${job.id}`, {}, { signal });
      show(now);
      if (!hasEnded(now)) return 0.7;
      ended(now);
      return null;
    } catch (failure) {
      say(message, failure);
      return failure.status === 404 ? null : 5;
    }
  });
  return h("div", { class: "job" }, h("div", { class: "row spread" }, jobLink(job, link), h("span", { class: "row" }, state, cancel)), bar, message);
}

/* An order. `plan(values)` gives what is shown before, {jobs} of a dry run or {view}; `run(values)` orders it and gives the
   jobs; `verb` is on the button that does it. */
export function orderCard({ title, about, fields = [], plan, run, verb, danger, planVerb = "Show what would happen", context }) {
  const outcome = polite("div", { class: "outcome" }), preview = h("button", { type: "submit" }, planVerb);
  const form = h("form", { class: "order", onSubmit: showPlan }, about && hints(about), h("div", { class: "form" }, fields), h("div", { class: "row" }, preview));
  let round = 0;
  form.addEventListener("input", ({ target }) => {
    if (target.type === "search") return;
    round += 1;
    fill(outcome);
  });

  async function guarded(act) {
    const number = (round += 1);
    preview.disabled = true;
    try {
      await act(() => number === round);
    } catch (failure) {
      if (number === round) say(outcome, failure);
    } finally {
      preview.disabled = false;
    }
  }

  function showPlan(event) {
    event.preventDefault();
    const values = valuesOf(form);
    return guarded(async (isCurrent) => {
      fill(outcome, hints("Asking the gateway …"));
      const { jobs, view } = await plan(values);
      if (!isCurrent()) return;
      if (view) return showConfirm(values, view);
      const ended = [];
      fill(outcome, h("h3", {}, "Dry run"), jobs.map((job) => followedJob(job, context, (done) => {
        if (ended.push(done) === jobs.length && isCurrent()) showResults(values, ended);
      })));
    });
  }

  function showResults(values, jobs) {
    const views = jobs.map((job) => [jobs.length > 1 && h("h3", {}, job.parameters.mirror ?? job.id),
      job.result ? valueView(job.result, "Plan") : wrong(job.error?.message ?? `The dry run is ${job.state}.`)]);
    if (jobs.some((job) => job.state === "succeeded")) showConfirm(values, views);
    else fill(outcome, h("h3", {}, "The dry run did not succeed"), views);
  }

  function showConfirm(values, view) {
    const confirm = button(verb, () => guarded(async () => {
      const jobs = await run(values);
      fill(outcome, h("h3", {}, "Ordered"), jobs.map((job) => followedJob(job, context, showEnd)));
    }), { class: danger ? "danger" : "primary" });
    fill(outcome, h("h3", {}, "This would happen"), h("div", { class: "plans", tabindex: 0, role: "region", "aria-label": "Plan" }, view),
      h("div", { class: "row" }, confirm, button("Not now", () => { fill(outcome); preview.focus(); }, { class: "quiet" })));
    confirm.focus({ preventScroll: true });
  }

  function showEnd(job) {
    if (job.result) outcome.append(h("details", {}, h("summary", {}, `Result of ${job.id}`), valueView(job.result)));
    context.changed?.();
  }

  return card(title, form, outcome);
}

/* The values of a form's controls by their data-name: texts, and switches that are on. */
function valuesOf(form) {
  const controls = [...form.querySelectorAll("[data-name]")];
  return Object.fromEntries(controls.map((control) => [control.dataset.name, control.names ?? (control.type === "checkbox" ? control.checked : control.value.trim())])
    .filter(([, value]) => value !== "" && value !== false));
}

/* Controls of orders. `load` gives the names to choose from. */
export function names(label, member, load) {
  const element = picker({ label, multiple: true, chosen: [], load, onChange: (chosen) => {
    element.names = chosen.length ? chosen : "";
    element.dispatchEvent(new Event("input", { bubbles: true }));
  } });
  element.names = "";
  element.dataset.name = member;
  return element;
}

export function text(label, member, placeholder, { about, ...props } = {}) {
  return labelled(label, h("input", { autocomplete: "off", spellcheck: "false", dataset: { name: member }, placeholder, ...props }), about);
}

export function choice(label, member, options) {
  return labelled(label, h("select", { dataset: { name: member } }, options.map((option) => {
    const [value, title] = [option].flat();
    return h("option", { value }, title ?? value);
  })));
}

export const option = (label, member) => toggle(label, null, { dataset: { name: member } });

function labelled(label, control, about) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), control, about && h("span", { class: "hint" }, about));
}

/* Calls `act` with each event of `route`, whose data is JSON, until it gives true or `signal` aborts. A connection that breaks
   is made again after the last event that came, later each time. `onProblem` gets what is wrong, and null once it is right.
   With `whileShown` a hidden page holds no stream. Gives the Problem when the stream is refused for good. */
export async function followEvents(route, { params, signal, onProblem, whileShown = false, refusals = [] }, act) {
  let lastId = null, waitS = 0;
  while (!signal.aborted) {
    if (whileShown) await untilShown(signal);
    const open = linked(signal), leave = () => whileShown && document.hidden && open.abort();
    document.addEventListener("visibilitychange", leave);
    try {
      for await (const event of api.events(route, { params, lastId, signal: open.signal })) {
        if (waitS) onProblem(null);
        waitS = 0;
        lastId = event.id || lastId;
        if (act(event.event, JSON.parse(event.data))) return null;
      }
    } catch (failure) {
      const { status } = failure;
      if ((status >= 400 && status < 500 && status !== 429) || refusals.includes(status)) return failure;
      if (failure.name !== "AbortError") onProblem(failure);
    } finally {
      document.removeEventListener("visibilitychange", leave);
      open.abort();
    }
    waitS = Math.min(LONGEST_WAIT_S, waitS * 2 || 1);
    await waited(signal, (go) => setTimeout(go, waitS * 1000));
  }
  return null;
}

/* Waits until `begin` calls what it is given, or `signal` aborts. */
function waited(signal, begin) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", resolve, { once: true });
    begin(resolve);
  });
}

async function untilShown(signal) {
  while (document.hidden && !signal.aborted) {
    await waited(signal, (go) => document.addEventListener("visibilitychange", go, { once: true }));
  }
}

/* An order: a form, the dry run with the plan as the API gives it, and only then the button that does it. */

import { button, fill, h, problemBox } from "../dom.js";
import { followedJob } from "./jobs.js";
import { empty } from "./panel.js";
import { valueView } from "./value_view.js";

/* The values of a form's controls by their data-name: texts, and switches that are on. */
export function valuesOf(form) {
  const values = {};
  for (const control of form.querySelectorAll("[data-name]")) {
    const value = control.type === "checkbox" ? control.checked : control.value.trim();
    if (value !== "" && value !== false) values[control.dataset.name] = value;
  }
  return values;
}

/* `title`; `fields`: elements with data-name; `plan(values)`: what is shown before, either {jobs} of a dry run or {view};
   `run(values)`: orders it and gives the jobs; `verb`: the words of the button that does it. */
export function orderCard({ title, hint, fields = [], plan, run, verb, danger, planVerb = "Show what would happen", context }) {
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const preview = h("button", { type: "submit" }, planVerb);
  const form = h("form", { class: "order", onSubmit: (event) => { event.preventDefault(); showPlan(); } },
    hint && h("p", { class: "hint" }, hint), fields.length > 0 && h("div", { class: "form" }, fields), h("div", { class: "row" }, preview));
  form.addEventListener("input", () => fill(outcome));
  let round = 0;

  async function guarded(act) {
    const number = (round += 1);
    preview.disabled = true;
    try {
      await act(() => number === round);
    } catch (failure) {
      if (failure.name !== "AbortError" && number === round) fill(outcome, problemBox(failure));
    } finally {
      preview.disabled = false;
    }
  }

  function showPlan() {
    const values = valuesOf(form);
    return guarded(async (isCurrent) => {
      fill(outcome, empty("Asking the gateway …"));
      const given = await plan(values);
      if (!isCurrent()) return;
      if (given.view) return showConfirm(values, given.view);
      const results = new Map();
      fill(outcome, h("h3", {}, "Dry run"), given.jobs.map((job) => followedJob(job, {
        ...context,
        ended: (done) => {
          results.set(done.id, done);
          if (results.size === given.jobs.length && isCurrent()) showResults(values, [...results.values()]);
        },
      })));
    });
  }

  function showResults(values, jobs) {
    const failed = jobs.filter((job) => job.state !== "succeeded");
    const views = jobs.map((job) => h("div", { class: "plan" },
      jobs.length > 1 && h("h3", {}, job.parameters.mirror ?? job.id),
      job.result ? valueView(job.result, "Plan") : h("p", { class: "error-text" }, job.error?.message ?? `The dry run is ${job.state}.`)));
    if (failed.length === jobs.length) fill(outcome, h("h3", {}, "The dry run did not succeed"), views);
    else showConfirm(values, views);
  }

  function showConfirm(values, view) {
    const confirm = button(verb, () => order(values), { class: danger ? "danger" : "primary" });
    fill(outcome, h("h3", {}, "This would happen"), h("div", { class: "plans" }, view),
      h("div", { class: "row" }, confirm, button("Not now", () => { fill(outcome); preview.focus(); }, { class: "quiet" })));
    confirm.focus({ preventScroll: true });
  }

  function order(values) {
    return guarded(async () => {
      const jobs = await run(values);
      fill(outcome, h("h3", {}, "Ordered"), jobs.map((job) => followedJob(job, { ...context, ended: showEnd })));
    });
  }

  function showEnd(job) {
    if (job.result) outcome.append(h("details", {}, h("summary", {}, `Result of ${job.id}`), valueView(job.result)));
    context.changed?.();
  }

  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), form, outcome);
}

/* Controls for `fields` of an order. */
export function text(label, member, props = {}) {
  return labelled(label, h("input", { type: "text", autocomplete: "off", spellcheck: "false", dataset: { name: member }, ...props }), props.hint);
}

export function choice(label, member, options, props = {}) {
  return labelled(label, h("select", { dataset: { name: member }, ...props },
    options.map(([value, title]) => h("option", { value, selected: value === props.chosen }, title))), props.hint);
}

export function toggle(label, member) {
  return h("label", { class: "row switch" }, h("input", { type: "checkbox", dataset: { name: member } }), label);
}

function labelled(label, control, hint) {
  control.removeAttribute("hint");
  return h("label", { class: "field" }, h("span", { class: "label" }, label), control, hint && h("span", { class: "hint" }, hint));
}


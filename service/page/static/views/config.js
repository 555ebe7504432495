/* The runtime configuration: a section as JSON with its version. Who edits an old version is told, and loses nothing. */

import { api, path } from "../api.js";
import { button, fill, h, problemBox } from "../dom.js";
import { badge, press } from "../parts/panel.js";

export async function show(root, params, context) {
  const { signal, link, title } = context;
  const { sections } = await api.get("config", {}, { signal });
  const names = sections.map((entry) => entry.section);
  const chosen = names.includes(params.get("section")) ? params.get("section") : names[0];
  const entry = sections.find(({ section }) => section === chosen);
  const tabs = h("nav", { class: "row tabs", "aria-label": "Sections" }, sections.map(({ section, version }) =>
    h("a", { class: "button", href: link("config", { section }), "aria-current": section === chosen ? "page" : null }, section, version === 0 && h("span", { class: "hint" }, " not set"))));
  title(`Configuration: ${chosen}`);
  const editor = h("div");
  root.append(h("h1", {}, "Configuration"), tabs, editor);
  await load(editor, entry, signal);
}

const pretty = (value) => JSON.stringify(value, null, 2);

async function load(root, entry, signal) {
  const stored = await api.get(path("config", entry.section), {}, { signal });
  fill(root, editorCard(entry, stored, signal));
}

function editorCard(entry, stored, signal) {
  let { version } = stored, saved = pretty(stored.value);
  const id = "section-text", message = h("div", { "aria-live": "polite" }), state = h("span", { role: "status" });
  const text = h("textarea", { id, class: "mono editor", rows: Math.min(30, Math.max(8, saved.split("\n").length + 1)), spellcheck: "false", autocapitalize: "off", "aria-describedby": "section-hint", value: saved, onInput: show });
  const save = button("Save", store, { class: "primary" });
  const discard = button("Discard changes", () => { text.value = saved; fill(message); show(); });

  function show() {
    const isChanged = text.value !== saved;
    fill(state, badge("", version ? `version ${version}` : "not set"), isChanged && [" ", badge("warning", "changed here")]);
    discard.disabled = !isChanged;
  }

  function store(event) {
    return press(event, message, async () => {
      const value = parsed(text.value);
      try {
        accept(await api.put(path("config", entry.section), value, { headers: { "If-Match": `"${version}"` } }));
        fill(message, h("p", { class: "notice good", role: "status" }, `Saved as version ${version}. It counts from now on.`));
      } catch (problem) {
        if (problem.status !== 409) throw problem;
        await showConflict(problem, value);
      }
    });
  }

  function accept(answer) {
    version = answer.version;
    saved = text.value = pretty(answer.value);
    show();
  }

  /* Both texts, and the two ways out: take theirs, or save these changes over it, knowingly. */
  async function showConflict(problem, value) {
    const theirs = await api.get(path("config", entry.section), {}, { signal });
    const take = button("Load what is stored now", () => { accept(theirs); fill(message); });
    const overwrite = button(`Replace version ${theirs.version} with this text`, (event) => press(event, message, async () => {
      version = theirs.version;
      accept(await api.put(path("config", entry.section), value, { headers: { "If-Match": `"${version}"` } }));
      fill(message, h("p", { class: "notice good", role: "status" }, `Saved as version ${version}.`));
    }), { class: "danger" });
    fill(message, problemBox(problem), h("h3", {}, `Stored now: version ${theirs.version}`), h("pre", { tabindex: 0, class: "stored" }, pretty(theirs.value)), h("div", { class: "row" }, take, overwrite));
  }

  show();
  return h("section", { class: "card", "aria-label": `Section ${entry.section}` },
    h("div", { class: "head" }, h("h2", {}, h("label", { for: id }, entry.section)), state),
    h("p", { class: "hint", id: "section-hint" }, `${entry.description} `, "JSON. A secret that reads *** keeps its value. What is wrong is said when it is saved, and nothing is stored then."),
    text, h("div", { class: "row" }, save, discard), message,
    h("details", {}, h("summary", {}, "An example"), h("pre", { tabindex: 0 }, pretty(entry.example))));
}

/* The value of a text. What is wrong with it is said in the browser's words, as no request was made. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (failure) {
    throw { title: "This is not JSON", detail: failure.message };
  }
}

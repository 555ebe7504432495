/* Keys (made and shown once, listed, revoked) and the runtime configuration as JSON with its version. */

import { api, path } from "../api.js";
import { button, field, fill, h, problemBox } from "../dom.js";
import { badge, card, cutList, hint, hints, listing, name, panel, polite, press, since, toggle } from "../parts/parts.js";

const SCOPES = { read: "buckets, telemetry, metrics", write: "points", mirror: "run and see mirrors", backup: "take and see backups", restore: "restore backups", connector: "run and see connectors", admin: "buckets, configuration, keys, all jobs" };
const done = (...text) => h("p", { class: "notice good", role: "status" }, text);

export async function showKeys(root, params, context) {
  const { signal, key: self } = context, message = polite();
  let all = false;
  const list = panel("Keys", signal, async (body) => {
    const { keys } = await api.get("keys", {}, { signal });
    const shown = keys.filter((key) => all || key.state === "valid").reverse();
    fill(body, hints("A revoked key is refused at once by this process, within five seconds by all others. Jobs that it ordered go on."),
      shown.length ? listing("Keys", ["Name", "May", "Buckets", "Ends", "Used", "State", "Action"], shown.map((key) => keyRow(key, key.id === self.id, revoke)))
        : hints("There is no valid key in the state database. API_KEY is none of these."));
    return 60;
  }, toggle("revoked and expired ones too", (on) => { all = on; list.reload(); }));

  function revoke(event, key) {
    const cell = event.currentTarget.parentNode;
    const confirm = button("Revoke", (pressed) => press(pressed, message, async () => {
      const { with_keys: made } = await api.delete(path("keys", key.id));
      fill(message, done("The key ", h("bdi", {}, key.name), ` (${key.id}) is revoked.`, made.length ? ` So are the keys that it made: ${made.join(", ")}.` : ""));
      list.reload();
    }), { class: "danger small", "aria-label": `Revoke ${key.name} for good` });
    fill(cell, h("span", { class: "row" }, confirm, button("Keep", () => list.reload(), { class: "quiet small" })));
    confirm.focus();
  }

  root.append(h("h1", {}, "Keys"), newKey(context, () => list.reload()), message, list);
}

function keyRow(key, isSelf, revoke) {
  const scope = (text) => (key.without_effect.includes(text) ? badge("", `${text}: no effect`) : badge("info", text));
  const act = button("Revoke …", (event) => revoke(event, key), { class: "small", "aria-label": `Revoke ${key.name}` });
  return [[name(key.name), h("div", { class: "hint mono" }, key.id)], h("span", { class: "badges" }, key.scopes.map(scope)), key.buckets ? cutList(key.buckets, 5, name) : "all",
    since(key.expires_at), since(key.used_at), badge(key.state === "valid" ? "good" : "", key.state), key.state === "valid" && (isSelf ? hint("this key") : act)];
}

function newKey({ may }, made) {
  const outcome = polite("div", { class: "outcome" }), submit = h("button", { type: "submit", class: "primary" }, "Make the key");
  const title = h("input", { required: true, maxlength: 200, autocomplete: "off", placeholder: "analyst" });
  const buckets = h("textarea", { rows: 2, spellcheck: "false", placeholder: "all" }), expires = h("input", { placeholder: "never", autocomplete: "off" });
  const scopes = Object.keys(SCOPES).filter(may).map((scope) => toggle([h("strong", {}, scope), hint(` ${SCOPES[scope]}`)], null, { value: scope, checked: scope === "read" }));
  const form = h("form", { class: "order", onSubmit: create },
    h("div", { class: "form" }, field("Name", title, "Who or what it is for."), field("Ends", expires, "30d, 2027-01-01, or a time."), field("Buckets", buckets, "One per line; for read and write alone.")),
    h("fieldset", {}, h("legend", { class: "label" }, "It may"), h("div", { class: "scopes" }, scopes)), h("div", { class: "row" }, submit));

  function create(event) {
    event.preventDefault();
    const lines = buckets.value.split("\n").filter((line) => line.trim());
    press({ currentTarget: submit }, outcome, async () => {
      const { key, id } = await api.post("keys", {
        name: title.value, scopes: scopes.map((label) => label.firstChild).filter((box) => box.checked).map((box) => box.value),
        buckets: lines.length ? lines : null, expires: expires.value.trim() || null,
      });
      fill(outcome, shownOnce(key, id, () => fill(outcome)));
      form.reset();
      made();
    });
  }

  return card("New key", form, outcome);
}

/* The key itself. It leaves the document when the box is closed, or another view is shown. */
function shownOnce(key, id, close) {
  const text = h("code", { class: "secret", tabindex: 0 }, key), said = hint();
  async function copy() {
    try {
      await navigator.clipboard.writeText(key);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(text);
      said.textContent = "The browser allows no copying here. It is selected: press Ctrl+C.";
    }
  }
  return h("div", { class: "notice good", role: "status" }, h("strong", {}, `This is key ${id}. Keep it now: it is not shown again.`), text,
    h("div", { class: "row" }, button("Copy", copy, { class: "primary" }), button("I have it", close), said));
}

const pretty = (value) => JSON.stringify(value, null, 2);

export async function showConfig(root, params, { signal, link, title }) {
  const { sections } = await api.get("config", {}, { signal });
  const entry = sections.find(({ section }) => section === params.get("section")) ?? sections[0];
  title(`Configuration: ${entry.section}`);
  root.append(h("h1", {}, "Configuration"), h("nav", { class: "row tabs", "aria-label": "Sections" }, sections.map(({ section, version }) =>
    h("a", { class: "button", href: link("config", { section }), "aria-current": section === entry.section ? "page" : null }, section, !version && hint(" not set")))),
  editor(entry, await api.get(path("config", entry.section), {}, { signal }), signal));
}

/* Who edits an old version is told, and loses nothing. */
function editor({ section, description, example }, stored, signal) {
  let { version } = stored, saved = pretty(stored.value);
  const message = polite(), state = h("span", { role: "status" });
  const text = h("textarea", { class: "editor", rows: Math.min(30, saved.split("\n").length + 2), spellcheck: "false", "aria-label": `${section} as JSON`, value: saved, onInput: show });
  const discard = button("Discard changes", () => { text.value = saved; fill(message); show(); });

  function show() {
    fill(state, badge("", version ? `version ${version}` : "not set"), text.value !== saved && [" ", badge("warning", "changed here")]);
    discard.disabled = text.value === saved;
  }

  function take(answer, words) {
    version = answer.version;
    saved = text.value = pretty(answer.value);
    fill(message, words && done(words));
    show();
  }

  async function put(value, expected) {
    const answer = await api.put(path("config", section), value, { headers: { "If-Match": `"${expected}"` } });
    take(answer, `Saved as version ${answer.version}. It counts from now on.`);
  }

  const save = (event) => press(event, message, async () => {
    const value = parsed(text.value);
    try {
      await put(value, version);
    } catch (problem) {
      if (problem.status !== 409) throw problem;
      const theirs = await api.get(path("config", section), {}, { signal });
      fill(message, problemBox(problem), h("h3", {}, `Stored now: version ${theirs.version}`), h("pre", { tabindex: 0, class: "stored" }, pretty(theirs.value)), h("div", { class: "row" },
        button("Load what is stored now", () => take(theirs)),
        button(`Replace version ${theirs.version} with this text`, (again) => press(again, message, () => put(value, theirs.version)), { class: "danger" })));
    }
  });

  show();
  return h("section", { class: "card", "aria-label": section }, h("div", { class: "head" }, h("h2", {}, section), state),
    hints(description, " JSON. A secret that reads *** keeps its value. What is wrong is said when it is saved, and nothing is stored then."),
    text, h("div", { class: "row" }, button("Save", save, { class: "primary" }), discard), message,
    h("details", {}, h("summary", {}, "An example"), h("pre", { tabindex: 0 }, pretty(example))));
}

/* The value of a text. What is wrong with it is said in the browser's words, as no request is made. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (failure) {
    throw Object.assign(failure, { title: "This is not JSON" });
  }
}

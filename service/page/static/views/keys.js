/* Keys: made (and shown once), listed, and revoked. */

import { path } from "../api.js";
import { button, field, fill, h } from "../dom.js";
import { ago, time } from "../format.js";
import { badge, empty, panel, press } from "../parts/panel.js";

const SCOPES = { read: "read buckets, telemetry, metrics", write: "write points", mirror: "run and see mirrors", backup: "take and see backups", restore: "restore backups", connector: "run and see connectors", admin: "buckets, configuration, keys, all jobs" };
const STATES = { valid: "good", expired: "", revoked: "" };

export async function show(root, params, context) {
  const { api, signal } = context;
  const message = h("div", { "aria-live": "polite" });
  let all = false;
  const every = h("input", { type: "checkbox", onChange: () => { all = every.checked; list.reload(); } });
  const list = panel("Keys", signal, async (body) => {
    const { keys } = await api.get("keys", {}, { signal });
    const shown = keys.filter((key) => all || key.state === "valid").reverse();
    fill(body, shown.length ? keyTable(shown, context, (event, key) => revoke(event, key)) : empty("There is no valid key in the state database. API_KEY is none of these."));
    return 60;
  }, { actions: h("label", { class: "row switch" }, every, "revoked and expired ones too"), note: "A revoked key is refused at once by this process, within five seconds by all others. Jobs that it ordered go on." });

  function revoke(event, key) {
    const row = event.currentTarget.closest("td");
    const confirm = button("Revoke", (pressed) => press(pressed, message, async () => {
      await api.delete(path("keys", key.id));
      fill(message, h("p", { class: "notice good", role: "status" }, "The key ", h("bdi", {}, key.name), ` (${key.id}) is revoked.`));
      list.reload();
    }), { class: "danger small", "aria-label": `Revoke ${key.name} for good` });
    fill(row, h("span", { class: "row" }, confirm, button("Keep", () => list.reload(), { class: "quiet small" })));
    confirm.focus();
  }

  root.append(h("h1", {}, "Keys"), newKeyCard(context, () => list.reload()), message, list);
}

function keyTable(keys, { key: self }, revoke) {
  const heads = ["Name", "May", "Buckets", "Ends", "Used", "State", "Action"].map((title) => h("th", { scope: "col" }, title));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Keys" }, h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, keys.map((key) => h("tr", {},
    h("th", { scope: "row" }, h("bdi", { class: "cut-box" }, key.name), h("div", { class: "hint mono" }, key.id)),
    h("td", {}, h("span", { class: "badges" }, key.scopes.map((scope) => badge(key.without_effect.includes(scope) ? "" : "info", key.without_effect.includes(scope) ? `${scope}: no effect` : scope)))),
    h("td", {}, key.buckets ? key.buckets.slice(0, 5).map((bucket) => h("div", { class: "cut-box" }, h("bdi", {}, bucket))) : "all", key.buckets?.length > 5 && h("span", { class: "hint" }, `and ${key.buckets.length - 5} more`)),
    h("td", {}, key.expires_at ? h("span", { title: time(key.expires_at) }, ago(key.expires_at)) : "never"),
    h("td", {}, ago(key.used_at)),
    h("td", {}, badge(STATES[key.state] ?? "", key.state), key.revoked_at && h("div", { class: "hint" }, ago(key.revoked_at))),
    h("td", {}, key.state === "valid" && (key.id === self.id ? h("span", { class: "hint" }, "this key") : button("Revoke …", (event) => revoke(event, key), { class: "small", "aria-label": `Revoke ${key.name}` }))))))));
}

function newKeyCard({ api, may }, made) {
  const outcome = h("div", { "aria-live": "polite" });
  const name = h("input", { required: true, maxlength: 200, autocomplete: "off" });
  const buckets = h("textarea", { rows: 2, spellcheck: "false", placeholder: "all" });
  const expires = h("input", { placeholder: "never", autocomplete: "off" });
  const scopes = Object.entries(SCOPES).filter(([scope]) => may(scope)).map(([scope, meaning]) =>
    h("label", { class: "row switch" }, h("input", { type: "checkbox", value: scope, checked: scope === "read" }), h("span", {}, h("strong", {}, scope), h("span", { class: "hint" }, ` ${meaning}`))));
  const submit = h("button", { type: "submit", class: "primary" }, "Make the key");
  const form = h("form", { class: "order", onSubmit: create },
    h("div", { class: "form" }, field("Name", name, "Who or what it is for."), field("Ends", expires, "30d, 2027-01-01, or a time; empty: never."), field("Buckets", buckets, "One per line; for read and write alone.")),
    h("fieldset", {}, h("legend", { class: "label" }, "It may"), h("div", { class: "scopes" }, scopes)), h("div", { class: "row" }, submit));

  function create(event) {
    event.preventDefault();
    press({ currentTarget: submit }, outcome, async () => {
      const order = {
        name: name.value,
        scopes: scopes.map((scope) => scope.firstChild).filter((box) => box.checked).map((box) => box.value),
        buckets: buckets.value.trim() ? buckets.value.split("\n").filter((line) => line.trim()) : null,
        expires: expires.value.trim() || null,
      };
      const { key, id } = await api.post("keys", order);
      fill(outcome, shownOnce(key, id, order.name, () => fill(outcome)));
      form.reset();
      made();
    });
  }

  return h("section", { class: "card", "aria-label": "New key" }, h("h2", {}, "New key"), form, outcome);
}

/* The key itself. It leaves the document when the box is closed, or another view is shown. */
function shownOnce(key, id, name, close) {
  const text = h("code", { class: "secret", tabindex: 0 }, key), said = h("span", { class: "hint", role: "status" });
  async function copy() {
    try {
      await navigator.clipboard.writeText(key);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(text);
      said.textContent = "The browser allows no copying here: it is selected, press Ctrl+C.";
    }
  }
  return h("div", { class: "notice good", role: "status" }, h("p", {}, h("strong", {}, "Keep it now: it is not shown again. "), `Key ${id} for `, h("bdi", {}, name), "."), text,
    h("div", { class: "row" }, button("Copy", copy, { class: "primary" }), button("I have it", close), said));
}

/* The form for the key. The field has no name and the form no address, so the key can be in no URL and no history. */

import { api, keyOfTab, Problem } from "./api.js";
import { fill, h, notice, problemBox } from "./dom.js";

/* Shows the form in `root`. `reason`: why the key is asked for again. `entered` gets who the key is. */
export function showSignIn(root, reason, entered) {
  const input = h("input", {
    type: "password", id: "key", autocomplete: "current-password", required: true, spellcheck: "false", autocapitalize: "off",
    "aria-describedby": "key-hint",
  });
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const message = h("div", { "aria-live": "polite" }, reason && notice("warning", "", reason));

  async function signIn(event) {
    event.preventDefault();
    const key = input.value.trim();
    if (!key) return;
    submit.disabled = true;
    fill(message);
    try {
      const self = await identified(key);
      keyOfTab.set(key);
      entered(self);
    } catch (problem) {
      fill(message, problemBox(problem));
      input.select();
    } finally {
      submit.disabled = false;
    }
  }

  const docs = document.documentElement.dataset.docs;
  fill(root,
    h("main", { id: "main", class: "signin", tabindex: -1 },
      h("form", { class: "card", onSubmit: signIn },
        h("img", { src: "page/icon.svg", alt: "", width: 44, height: 44 }),
        h("h1", {}, "Fluxgate"),
        h("p", { class: "faint" }, "The data gateway in front of InfluxDB."),
        h("label", { for: "key" }, "API key"),
        input,
        h("p", { class: "hint", id: "key-hint" }, "From “fluxgate keys create”, or API_KEY. It stays in this tab alone."),
        message,
        submit,
        docs && h("p", { class: "faint" }, h("a", { href: docs }, "API documentation")))));
  input.focus();
}

/* Who `key` is. Raises Problem. */
export function identified(key) {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new Problem(401, { title: "Not a key", detail: "A key has neither spaces nor letters beyond ASCII. Copy it again." });
  }
  return api.get("keys/self", {}, { key }).catch((problem) => {
    if (problem.status === 401) problem.detail = "This key is not accepted: it is mistyped, unknown, expired or revoked. Copy it again, or ask for a new one.";
    throw problem;
  });
}

/* A list to choose from that stays usable with thousands of names: a filter, and never more than a bounded part shown.

   By keyboard: Enter or Space opens it, typing filters, the arrows walk, Enter or Space chooses, Escape closes. */

import { button, fill, h } from "./dom.js";
import { count, short } from "./format.js";

const MOST_SHOWN = 200;
let ids = 0;

/* `load` gives {names, complete?, notes?}: all names, whether there are no others, and a Map of remarks.
   `chosen` are names; with `multiple`, several. `none`: what it says when nothing is chosen. `onChange` gets the new ones. */
export function picker({ label, chosen, load, onChange, multiple = false, none = "all" }) {
  const id = `picker-${(ids += 1)}`;
  const value = h("bdi", { class: "name", id: `${id}-value` });
  const opener = h("button", {
    type: "button", class: "opener", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-labelledby": `${id}-label ${id}-value`,
    onClick: () => (panel.hidden ? open() : close(true)),
  }, value);
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${label}`, autocomplete: "off", spellcheck: "false", onInput: list });
  const status = h("p", { class: "hint", role: "status" });
  const names = h("ul", { class: "plain options" });
  const panel = h("div", { class: "panel", role: "dialog", "aria-label": `Choose ${label}`, hidden: true }, search, names, status);
  const element = h("div", { class: "field picker" }, h("span", { class: "label", id: `${id}-label` }, label), opener, panel);
  let known = null;

  function say() {
    const text = chosen.length > 1 ? `${short(chosen[0], 30)} and ${count(chosen.length - 1)} more` : chosen[0] ?? none;
    fill(value, text === "" ? "(empty)" : short(text, 48));
    opener.classList.toggle("faint", chosen.length === 0);
    opener.title = chosen.slice(0, 20).map((name) => short(name, 200)).join("\n");
  }

  async function open() {
    panel.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    search.value = "";
    search.focus();
    fill(names);
    if (!known) {
      fill(status, "Loading …");
      try {
        known = await load();
      } catch (problem) {
        fill(status, problem.message);
        return;
      }
    }
    list();
  }

  function close(back) {
    panel.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    if (back) opener.focus();
  }

  function list() {
    if (!known) return;
    const wanted = search.value.toLowerCase();
    const matching = wanted ? known.names.filter((name) => name.toLowerCase().includes(wanted)) : known.names;
    const marked = chosen.filter((name) => !wanted || name.toLowerCase().includes(wanted));
    const shown = [...new Set([...(multiple ? marked : []), ...matching.slice(0, MOST_SHOWN)])];
    const free = known.complete === false && search.value && !known.names.includes(search.value) ? [search.value] : [];
    fill(names, [...free, ...shown].map((name) => h("li", {}, option(name))));
    const rest = matching.length > shown.length ? ` ${count(matching.length - shown.length)} more: type to filter.` : "";
    const open = known.complete === false ? " The list is not complete: type a name to take it." : "";
    fill(status, `${count(matching.length)} of ${count(known.names.length)}.${rest}${open} `,
      multiple && chosen.length > 0 && button("Clear", () => { choose([]); list(); search.focus(); }, { class: "quiet" }));
  }

  function option(name) {
    const text = [h("bdi", { class: "name" }, name === "" ? "(empty)" : name), known.notes?.get(name) && h("span", { class: "faint" }, ` ${known.notes.get(name)}`)];
    if (!multiple) {
      const pressed = chosen.includes(name) ? "true" : "false";
      return button(text, () => { choose([name]); close(true); }, { class: "option", "aria-pressed": pressed });
    }
    const change = ({ target }) => choose(target.checked ? [...chosen, name] : chosen.filter((other) => other !== name));
    return h("label", { class: "option" }, h("input", { type: "checkbox", checked: chosen.includes(name), onChange: change }), h("span", {}, text));
  }

  function choose(next) {
    chosen = next;
    say();
    onChange(chosen);
  }

  function walk(step) {
    const stops = [search, ...names.querySelectorAll("button, input")];
    stops.at((stops.indexOf(document.activeElement) + step + stops.length) % stops.length).focus();
  }

  element.addEventListener("keydown", (event) => {
    if (panel.hidden) return;
    if (event.key === "Escape") close(true);
    else if (event.key === "ArrowDown") walk(1);
    else if (event.key === "ArrowUp") walk(-1);
    else if (event.key === "Enter" && event.target === search) names.querySelector("button, input")?.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (!panel.hidden && relatedTarget && !element.contains(relatedTarget)) close(false);
  });
  document.addEventListener("pointerdown", function outside({ target }) {
    if (!element.isConnected) document.removeEventListener("pointerdown", outside);
    else if (!panel.hidden && !element.contains(target)) close(false);
  });
  say();
  return element;
}

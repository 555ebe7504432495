/* A part of a view that loads and fails by itself, and polls only while somebody looks. */

import { busy, fill, h, problemBox } from "../dom.js";

/* Calls `act` now and again after as many seconds as it gives; a hidden page waits until it is shown. `act` gets whether
   this is the first call. Ends with `signal`, or when `act` gives null. */
export function poll(signal, act) {
  let timer = null, running = false, ended = false;
  async function turn() {
    clearTimeout(timer);
    if (running || ended || signal.aborted || document.hidden) return;
    running = true;
    const next = await act();
    running = false;
    if (next === null) ended = true;
    else if (!signal.aborted) timer = setTimeout(turn, next * 1000);
  }
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return turn;
}

/* A card with a heading. `load(body, first)` fills it and may give the seconds until it is loaded again. What goes wrong
   is said in the card alone, and tried again after half a minute. Gives the card; `card.reload` loads it now. */
export function panel(title, signal, load, { note, actions, wide } = {}) {
  const body = h("div", { class: "panel-body" }, busy());
  const card = h("section", { class: `card panel${wide ? " wide" : ""}`, "aria-label": title },
    h("div", { class: "head" }, h("h2", {}, title), actions), note && h("p", { class: "hint" }, note), body);
  let first = true;
  card.reload = poll(signal, async () => {
    try {
      const next = await load(body, first);
      first = false;
      return next ?? 30;
    } catch (failure) {
      if (failure.name !== "AbortError") fill(body, problemBox(failure));
      first = true;
      return 30;
    }
  });
  return card;
}

/* Runs `act` for a button: no second click meanwhile, and what goes wrong is said in `message`. */
export async function press(event, message, act) {
  const pressed = event.currentTarget;
  pressed.disabled = true;
  fill(message);
  try {
    return await act();
  } catch (failure) {
    if (failure.name !== "AbortError") fill(message, problemBox(failure));
    return undefined;
  } finally {
    pressed.disabled = false;
  }
}

/* A short text with a colour that repeats what it says. */
export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/* A name as it is: its own direction, cut by style alone, whole in the title. */
export function name(text, props = {}) {
  return h("bdi", { class: "cut", title: text, ...props }, text);
}

export function empty(text) {
  return h("p", { class: "faint" }, text);
}

/* A fact list: pairs of term and content; pairs without content are left away. */
export function facts(pairs) {
  const given = pairs.filter(([, content]) => content !== null && content !== undefined && content !== "" && content !== false);
  return h("dl", { class: "facts" }, given.map(([term, content]) => [h("dt", {}, term), h("dd", {}, content)]));
}

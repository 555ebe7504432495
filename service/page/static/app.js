/* The frame around the views: sign-in, menu, and the address, whose hash is `#/view?parameters`. */

import { api, keyOfTab, whenRefused } from "./api.js";
import { busy, fill, h, notice, problemBox } from "./dom.js";
import { identified, showSignIn } from "./signin.js";
import { visible } from "./views/index.js";

const app = document.getElementById("app");
let self = null;
let leave = () => {};
let shown = 0;
let shownHash = "";
let current = "";

/* The address of a view, for links. Empty parameters are left out. */
function link(name, params = {}) {
  const pairs = params instanceof URLSearchParams ? [...params] : Object.entries(params).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((item) => [key, item]));
  const query = new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return `#/${name}${query.size ? `?${query}` : ""}`;
}

function place() {
  const [name, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { name, params: new URLSearchParams(query ?? "") };
}

/* What a view gets beside its element and parameters. */
function contextOf(view, signal) {
  return {
    api,
    key: self,
    signal,
    may: (scope) => self.scopes.includes(scope),
    link,
    go: (name, params) => { location.hash = link(name, params); },
    remember: (params) => note("pushState", link(view.name, params)),
    replace: (params) => note("replaceState", link(view.name, params)),
    title: (text) => { document.title = `${text} – Fluxgate`; },
    signOut,
  };
}

/* Puts what a view shows into the address, without showing the view again. */
function note(way, hash) {
  if (hash === location.hash) return;
  history[way](null, "", hash);
  shownHash = location.hash;
}

async function showView() {
  const number = (shown += 1);
  shownHash = location.hash;
  leave();
  leave = () => {};
  const views = visible(self);
  const { name, params } = place();
  const view = views.find((candidate) => candidate.name === name) ?? views[0];
  const stopped = new AbortController();
  let stop = null;
  leave = () => { stopped.abort(); stop?.(); };
  const root = document.getElementById("main");
  if (current && current !== view.name) {
    root.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  current = view.name;
  document.title = `${view.title} – Fluxgate`;
  mark(view);
  const content = h("div", { class: `view view-${view.name}` });
  fill(root, busy());
  try {
    const { show } = await view.load();
    if (number !== shown) return;
    fill(root, content);
    if (name && name !== view.name) content.append(notice("warning", "", `There is no view “${name}”, or your key may not see it.`));
    const result = await show(content, params, contextOf(view, stopped.signal));
    if (typeof result !== "function") return;
    if (number === shown) stop = result;
    else result();
  } catch (failure) {
    if (number !== shown || failure.name === "AbortError") return;
    if (!content.isConnected) fill(root, content);
    content.append(problemBox(failure));
  }
}

/* Marks the view in the menu. */
function mark(view) {
  for (const entry of document.querySelectorAll("nav a")) {
    if (entry.dataset.view === view.name) {
      entry.setAttribute("aria-current", "page");
      entry.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else entry.removeAttribute("aria-current");
  }
}

function showFrame() {
  const menu = h("nav", { "aria-label": "Views" }, visible(self).map((view) =>
    h("a", { href: link(view.name), dataset: { view: view.name } }, view.title)));
  const main = h("main", { id: "main", tabindex: -1 });
  const docs = document.documentElement.dataset.docs;
  fill(app,
    h("button", { type: "button", class: "skip", onClick: () => main.focus() }, "Skip to content"),
    h("header", { class: "top" },
      h("a", { class: "brand", href: link("") }, h("img", { src: "page/icon.svg", alt: "", width: 24, height: 24 }), "Fluxgate"),
      menu,
      h("div", { class: "who" },
        docs && h("a", { href: docs }, "API"),
        h("button", { type: "button", class: "quiet", onClick: () => signOut() }, "Sign out"))),
    main);
}

function entered(principal) {
  self = principal;
  showFrame();
  showView();
}

function signOut(reason) {
  leave();
  leave = () => {};
  shown += 1;
  keyOfTab.forget();
  self = null;
  current = "";
  document.title = "Fluxgate";
  showSignIn(app, reason, entered);
}

async function start() {
  const key = keyOfTab.get();
  if (!key) return showSignIn(app, "", entered);
  fill(app, h("main", { id: "main" }, busy()));
  try {
    entered(await identified(key));
  } catch (problem) {
    if (problem.status === 401) return;
    fill(app, h("main", { id: "main", class: "signin" }, problemBox(problem),
      h("button", { type: "button", onClick: start }, "Try again")));
  }
}

whenRefused(() => signOut("The gateway no longer accepts this key: it was revoked, or it has expired. Sign in with another one."));
// Some browsers tell of a change of the hash once, others twice.
for (const event of ["popstate", "hashchange"]) {
  window.addEventListener(event, () => { if (self && location.hash !== shownHash) showView(); });
}
start();

/* Makes elements. Every text becomes a text node, so that no name, log line or error is ever read as markup. */

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "hidden", "indeterminate", "readOnly"]);

/* An element. `props`: attributes; `on` + event: listeners; `style`: an object of CSS properties; `dataset`: an object.
   false, null and undefined leave an attribute away. Children: nodes, texts, numbers, lists of them. */
export function h(tag, props = {}, ...children) {
  const element = tag === "svg" || tag === "path"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  add(element, children);
  return element;
}

function set(element, name, value) {
  if (name.startsWith("on") && typeof value === "function") {
    element.addEventListener(name.slice(2).toLowerCase(), value);
  } else if (name === "style") {
    for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
  } else if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else if (PROPERTIES.has(name)) {
    element[name] = value ?? (name === "value" ? "" : false);
  } else if (value !== false && value !== null && value !== undefined) {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/* Replaces everything in `element` with `children`. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/* Calls `make`, which makes the controls in `root` anew, and leaves the focus on the one in the same place. */
export function keepingFocus(root, make) {
  const controls = () => [...root.querySelectorAll("button, select, input")];
  const at = controls().indexOf(document.activeElement);
  make();
  if (at >= 0) controls()[at]?.focus();
}

/* A box that says something: `kind` is info, good, warning or bad. */
export function notice(kind, title, ...details) {
  return h("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" },
    title && h("strong", {}, title), title && details.length ? " " : null, details);
}

/* What went wrong, in the API's own words. Its titles only repeat the status, so they are left away. */
export function problemBox(problem) {
  const id = problem.requestId ? h("span", { class: "faint" }, ` Request ${problem.requestId}.`) : null;
  return notice("bad", problem.requestId ? "" : `${problem.title ?? "Error"}.`, problem.detail ?? problem.message, id);
}

export function busy(text = "Loading …") {
  return h("p", { class: "busy", role: "status" }, text);
}

/* A labelled control. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), control, hint && h("span", { class: "hint" }, hint));
}

export function button(label, onClick, props = {}) {
  return h("button", { type: "button", onClick, ...props }, label);
}

/* A table in a box that scrolls by itself. `columns`: texts or {title, numeric}; `rows`: lists of children. */
export function table(columns, rows, props = {}) {
  const heads = columns.map((column) => (typeof column === "string" ? { title: column } : column));
  const head = h("tr", {}, heads.map((column) => h("th", { scope: "col", class: column.numeric && "numeric" }, column.title)));
  const body = rows.map((row) => h("tr", {}, row.map((cell, n) => h("td", { class: heads[n]?.numeric && "numeric" }, cell))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": props.label ?? "Table" },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}
